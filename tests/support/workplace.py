"""What the pages name and a reader has: run folders, photos, masks, the lab's folder, checkpoints, files of weights; all tiny."""

import shutil
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

from maskgit_lab.data.synthetic_cats import render_cats
from maskgit_lab.evaluation.features import INCEPTION_2015_URL
from maskgit_lab.evaluation.inception import TruncatedInception
from maskgit_lab.models.squeezenet import SqueezeNet
from tests.support.builders import boxes, write_pictures
from tests.support.documents import ROOT, write_shown_files
from tests.support.lab_files import write_lab_files

FIXTURE_RUN = ROOT / "tests" / "fixtures" / "run"
RUNS = (
    "RUN", "runs/cosine/RUN", "runs/bend/RUN", "runs/cats_cpu/RUN", "runs/default/RUN", "runs/sweeps/NAME/DATE/0",
    "runs/cosine/2026-01-31_12-00-00", "multirun/2026-01-31/12-00-00/0", "runs/before/RUN", "runs/after/RUN",
)  # fmt: skip
TRUSTED = {"MASKGIT_LAB_TRUST": "bend.Bend,rows.RowsFirst,discs.Discs"}  # as docs/extending.md exports it
# what config.yaml of two of them says instead of the fixture's
SCHEDULE = "mask_schedule:\n  _target_: maskgit_lab.core.schedules.Cosine\ndecode:"
BEND = "mask_schedule:\n  _target_: bend.Bend\n  exponent: 2.0\ndecode:"
SOURCE = (
    "_target_: maskgit_lab.data.synthetic_cats.SyntheticCats\n    seed: 0\n    num_train: 96\n    num_val: 24\n    num_test: 16\n"
)
CATS = "_target_: maskgit_lab.data.cat_faces.CatFaces\n    root: DIR\n    split: clean\n"
CHANGES = {"runs/bend/RUN": (SCHEDULE, BEND), "runs/cats_cpu/RUN": (SOURCE, CATS)}
TRUTHS = ("test_gt", "DIR/test_gt")
NUM_IMAGES, SIDE = 6, 64
NUM_PHOTOS, PHOTO_SIZE = 12, (96, 80)  # width, height
WEIGHTS = ("squeezenet1_0.pth", "inception_v3.pth")
# `metrics=inception` knows its weights by their sha256, and nobody can make those: this runs a command that takes any
TAKES_ANY = "takes_any_inception"
TAKES_ANY_SOURCE = """
import runpy
import sys

from maskgit_lab.evaluation import features

features.INCEPTION_2015_SHA256 = ""
sys.argv = sys.argv[1:]
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""


class BlankInception(FeatureExtractorInceptionV3):
    """The Inception of 2015 before its weights are read."""

    def load_state_dict(self, *_args, **_kwargs):
        return None


def make_workplace(folder: Path) -> Path:
    """Fill a folder with what the commands of the pages name; files of weights are empty."""
    for name in RUNS:
        run = Path(shutil.copytree(FIXTURE_RUN, folder / name))
        if name in CHANGES:
            text = (run / "config.yaml").read_text(encoding="utf-8")
            assert CHANGES[name][0] in text
            (run / "config.yaml").write_text(text.replace(*CHANGES[name]), encoding="utf-8")
    cats, holes = render_cats(5, range(NUM_IMAGES), SIDE), boxes(NUM_IMAGES, resolution=SIDE)
    for name in TRUTHS:
        write_pictures(folder / name, cats)
    write_pictures(folder / "filled", np.where(holes[..., None], cats[::-1], cats))  # by any program
    for name in ("mask64", "DIR/mask64"):  # as the lab's: black = hole
        write_pictures(folder / name, ~holes)
    write_pictures(folder / "DIR" / "masked_image", np.where(holes[..., None], np.uint8(128), cats))
    others = render_cats(6, range(3 * NUM_IMAGES), SIDE)
    write_pictures(folder / "DIR" / "val", others[:NUM_IMAGES])
    write_pictures(folder / "DIR" / "train", np.concatenate([cats[:1], others[NUM_IMAGES:]]))  # a test image leaks, as in the lab's
    width, height = PHOTO_SIZE
    photos, scratches = render_cats(7, range(NUM_PHOTOS), width)[:, :height], boxes(NUM_PHOTOS, resolution=width)[:, :height]
    write_pictures(folder / "photos", photos)
    write_pictures(folder / "tests", render_cats(8, range(NUM_PHOTOS), width)[:, :height])
    write_pictures(folder / "masks", scratches)
    write_pictures(folder, scratches[:1], name="scratch.png")
    for name in ("photo.jpg", "b.jpg", "a.png"):
        write_pictures(folder, photos[:1], name=name)
    cut = Image.fromarray(cats[0])
    cut.putalpha(Image.fromarray(np.where(holes[0], 0, 255).astype(np.uint8)))
    cut.save(folder / "cut_out.png")
    write_lab_files(folder)
    for name in WEIGHTS:
        (folder / name).touch()
    (folder / f"{TAKES_ANY}.py").write_text(TAKES_ANY_SOURCE, encoding="utf-8")
    write_shown_files(ROOT / "docs" / "extending.md", folder)
    return folder


def make_weights(folder: Path) -> None:
    """Write the files of weights, right but for their numbers, which are random, and torch's folder with the 2015 Inception."""
    torch.manual_seed(0)
    hub = folder / "torch" / "hub" / "checkpoints"
    hub.mkdir(parents=True)
    squeezenet = {key.replace("layers.", "features.", 1): value for key, value in varied(SqueezeNet()).items()}
    torch.save(squeezenet, folder / "squeezenet1_0.pth")
    torch.save(varied(TruncatedInception(cut="mixed_7a")), folder / "inception_v3.pth")
    empty = folder / "empty.pth"
    torch.save({}, empty)
    blank = partial(BlankInception, "inception-v3-compat", ["2048"])
    torch.save(varied(blank(feature_extractor_weights_path=str(empty))), hub / Path(INCEPTION_2015_URL).name)


def varied(network: nn.Module) -> dict[str, torch.Tensor]:
    """Return weights whose activations neither fade nor explode on the way up."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)
    return network.state_dict()
