"""A fill needs torch, NumPy and Pillow: what training and scoring need is not imported for it."""

import json
import subprocess
import sys
from pathlib import Path

import torch

RUN = Path(__file__).parent / "fixtures" / "run"
HEAVY = ("lightning", "torchmetrics", "torchvision", "torch._dynamo", "scipy", "sympy", "wandb", "matplotlib", "pandas")
PARDONED = ("sympy",) if torch.__version__.startswith("2.6.") else ()

IMPORT_AND_FILL = f"""
import json, sys

def heavy():
    return [name for name in {HEAVY} if name in sys.modules]

import maskgit_lab.inpainter
found = {{"import": heavy()}}
import numpy as np
inpainter = maskgit_lab.inpainter.Inpainter.from_run({str(RUN)!r}, device="cpu")
images = np.zeros((1, inpainter.resolution, inpainter.resolution, 3), np.uint8)
holes = np.zeros(images.shape[:3], bool)
holes[:, 4:12, 4:12] = True
assert inpainter(images, holes, steps=True).composited.any()
found["fill"] = heavy()
import maskgit_lab.commands.inpaint
found["command"] = heavy()
print(json.dumps(found))
"""


def test_inpainter_imports_nothing_of_training_or_scoring_and_a_fill_keeps_it_so():
    done = subprocess.run([sys.executable, "-c", IMPORT_AND_FILL], check=True, capture_output=True, text=True)
    # torch 2.6 checks the sizes of tensors without data by sympy
    found = {when: [name for name in names if name not in PARDONED] for when, names in json.loads(done.stdout).items()}
    assert found == {"import": [], "fill": [], "command": []}
