"""Training on holes that are unlike the test's is spoken of before stage 1."""

import logging

import pytest

from maskgit_lab.assembly.compose import look_at_holes
from maskgit_lab.data.holes import draw_holes
from maskgit_lab.data.image_set import DataSplits, InpaintSet
from tests.support.builders import pictures, splits
from tests.support.configs import configuration


def with_test_holes(style: str) -> DataSplits:
    holes = draw_holes(style=style, seed=9, indices=range(40), resolution=64)
    names = tuple(f"{i}.png" for i in range(40))
    plain = splits()
    return DataSplits(plain.train, plain.val, InpaintSet.of(pictures(40, resolution=64), holes, names, "test"), plain.description)


@pytest.mark.parametrize(("style", "overrides", "said"), [
    ("walk", (), True),
    ("walk", ("data.hole_style=walk",), False),
    ("brush", (), False),
    ("walk", ("training=grid",), False),
])  # fmt: skip
def test_train_says_when_the_holes_of_the_test_are_others(
    style: str, overrides: tuple[str, ...], said: bool, caplog: pytest.LogCaptureFixture
):
    with caplog.at_level(logging.WARNING, logger="maskgit_lab"):
        look_at_holes(configuration(*overrides), with_test_holes(style))
    assert ("data.hole_style=walk" in caplog.text) == said
