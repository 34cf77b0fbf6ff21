"""The command `audit`."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.support.builders import pictures, write_pictures
from tests.support.commands import run

pytestmark = pytest.mark.slow


def test_audit_finds_and_shows_copies_in_a_folder(tmp_path: Path):
    images = pictures(40, resolution=64)
    write_pictures(tmp_path / "photos", images)
    write_pictures(tmp_path / "test", images[:3])
    arguments = ["data=image_folder", "data.root=photos", "data.test_root=test", "data.source.val_share=0.3"]
    answer = run("audit", *arguments, cwd=tmp_path, home=tmp_path / "home")
    assert answer.returncode == 0, answer.stderr
    found = json.loads((tmp_path / "audit" / "audit.json").read_text())
    assert found["exact"]["test"]["found_elsewhere"] == 3
    assert found["clean"]["train"] + found["clean"]["val"] == 37
    assert "3 in train or val" in answer.stdout
    assert list(found["holes"]) == ["test", "brush", "walk", "box"]
    assert "data.hole_style=brush; no other style is much more like the test's" in answer.stdout
    assert np.asarray(Image.open(tmp_path / "audit" / "pairs.png")).std() > 5


@pytest.mark.xdist_group("real_cats")
def test_audit_finds_the_leak_of_the_real_data(real_cats: Path, real_cats_home: Path, tmp_path: Path):
    answer = run("audit", "data=cat_faces", f"data.root={real_cats}", cwd=tmp_path, home=real_cats_home)
    assert answer.returncode == 0, answer.stderr
    assert "446 of 747 test images are in train, pixel for pixel; 570 in train or val" in answer.stdout
    assert "data.split=clean leaves 11,554 train / 2,876 val images for 747 test images" in answer.stdout
    assert "data.hole_style=walk; no other style is much more like the test's" in answer.stdout


def test_audit_says_which_holes_are_more_like_those_of_the_test(tmp_path: Path):
    write_pictures(tmp_path / "photos", pictures(60, resolution=64))
    arguments = ["data=image_folder", "data.root=photos", "data.source.val_share=0.6", "data.source.hole_style=walk"]
    answer = run("audit", *arguments, cwd=tmp_path, home=tmp_path / "home")
    assert answer.returncode == 0, answer.stderr
    assert "(data.hole_style=brush): data.hole_style=walk (1" in answer.stdout
    assert "more like the test, and a network fills best" in answer.stdout
