"""A command's configuration is composed once, and it is what Hydra would compose two times more."""

import json
from pathlib import Path

import pytest

from tests.support.commands import run_code

# how often is composed, and what a task is given: with what the look ahead made, and without
CODE = r"""
import contextlib, json, re, sys
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf
from maskgit_lab.commands import shell

TYPED = %r
found, times = [], []
compose = ConfigLoaderImpl.load_configuration

def counted(self, *arguments, **flags):
    times.append(1)
    return compose(self, *arguments, **flags)

def task(name):
    def run(cfg):
        node = OmegaConf.to_container(HydraConfig.get(), enum_to_str=True)
        del node["run"]["dir"], node["sweep"]["dir"], node["runtime"]["output_dir"]  # the time is in them
        said = re.sub(r"20\d\d-[-\d]+_[-\d]+", "TIME", json.dumps(node))
        found.append([len(times), OmegaConf.to_yaml(cfg), json.loads(said), OmegaConf.is_struct(cfg)])
    run.__module__ = shell.__name__
    return run

ConfigLoaderImpl.load_configuration = counted
shell._task = task
taking = shell.taking
for once in (True, False):
    shell.taking = taking if once else lambda made: contextlib.nullcontext()
    sys.argv = ["command", *TYPED[1:]]
    times.clear()
    shell.hydra_command(TYPED[0], "")()
print("FOUND", json.dumps(found))
"""


@pytest.mark.parametrize(
    ("typed", "times"),
    [
        (["train", "experiment=cosine", "seed=1", "+optimizer.own=3", "trainer.max_epochs=1", "hydra.job.name=other"], (1, 3)),
        (["report", "run=RUN", "hydra.mode=RUN"], (1, 3)),
        (["inpaint", "--config-dir", "further", "run=RUN", "images=.", "out=filled", "mask_schedule=mine"], (3, 3)),
        (["train", "experiment=sweep_seeds", "seed=0"], (4, 5)),  # an overlay that is a sweep, of one job
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_composing_once_gives_what_hydra_composes(typed: list[str], times: tuple[int, int], tmp_path: Path):
    (tmp_path / "further" / "mask_schedule").mkdir(parents=True)
    (tmp_path / "further" / "mask_schedule" / "mine.yaml").write_text("_target_: maskgit_lab.core.schedules.Linear\n")
    run = str(Path(__file__).parents[1] / "fixtures" / "run")
    said = run_code(CODE % [word.replace("RUN", run) if word.startswith("run=") else word for word in typed], tmp_path)
    once, whole = json.loads(said.partition("FOUND ")[2])
    for one, three in zip(once[1:], whole[1:], strict=True):
        assert one == three
    assert "looking ahead" not in said
    assert (once[0], whole[0]) == times
