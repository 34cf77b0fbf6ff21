"""A fill needs torch, NumPy and Pillow: what training and scoring need is not imported for it."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from maskgit_lab.inpainter import Inpainter

RUN = Path(__file__).parent / "fixtures" / "run"
HEAVY = ("lightning", "torchmetrics", "torchvision", "torch._dynamo", "scipy", "sympy", "wandb", "matplotlib", "pandas")
PARDONED = ("sympy",) if torch.__version__.startswith("2.6.") else ()

# what a saved inpainter can do without
GROWN_UP = ("lightning", "hydra", "omegaconf", "torchmetrics", "torchvision", "matplotlib", "wandb", "scipy")

# one process for all: it waits for the imports of torch
IMPORT_AND_FILL = f"""
import json, sys

def among(names):
    return [name for name in names if name in sys.modules]

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {GROWN_UP}:
            raise ModuleNotFoundError(name)

import maskgit_lab
found = {{"package": among(("torch", "hydra"))}}
sys.meta_path.insert(0, Absent())
from maskgit_lab import Inpainter
import maskgit_lab.inpainter
assert Inpainter is maskgit_lab.inpainter.Inpainter
found["import"] = among({HEAVY})
import numpy as np
if len(sys.argv) > 1:
    image, hole = np.zeros((90, 200, 3), np.uint8), np.zeros((90, 200), bool)
    hole[20:50, 30:60] = True
    assert Inpainter.load(sys.argv[1], device="cpu")(image, hole).composited.shape == (90, 200, 3)
    found["saved"] = among({GROWN_UP})
sys.meta_path.pop(0)
inpainter = Inpainter.from_run({str(RUN)!r}, device="cpu")
images = np.zeros((1, inpainter.resolution, inpainter.resolution, 3), np.uint8)
holes = np.zeros(images.shape[:3], bool)
holes[:, 4:12, 4:12] = True
assert inpainter(images, holes, steps=True).composited.any()
found["fill"] = among({HEAVY})
import maskgit_lab.commands.inpaint
found["command"] = among({HEAVY})
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """Return which modules are there by then, of those that need not."""
    saved = []
    if importlib.util.find_spec("safetensors") is not None:
        saved.append(str(tmp_path_factory.mktemp("saved")))
        Inpainter.from_run(RUN, device="cpu").save(saved[0])
    done = subprocess.run([sys.executable, "-c", IMPORT_AND_FILL, *saved], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    # torch 2.6 checks the sizes of tensors without data by sympy
    return {when: [name for name in names if name not in PARDONED] for when, names in json.loads(done.stdout).items()}


def test_package_imports_torch_when_it_is_asked_for_the_inpainter(found: dict[str, list[str]]):
    assert found["package"] == []


def test_inpainter_imports_nothing_of_training_or_scoring_and_a_fill_keeps_it_so(found: dict[str, list[str]]):
    assert {when: found[when] for when in ("import", "fill", "command")} == {"import": [], "fill": [], "command": []}


def test_saved_inpainter_loads_and_fills_without_lightning_and_hydra(found: dict[str, list[str]]):
    if "saved" not in found:
        pytest.skip("safetensors is not installed")
    assert found["saved"] == []
