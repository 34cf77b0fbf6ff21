"""One warning about holes that were probably not meant."""

import numpy as np
import pytest

from maskgit_lab.data.hole_warnings import warn_of_holes
from tests.support.builders import boxes


def warned(caplog: pytest.LogCaptureFixture, holes: np.ndarray) -> list[str]:
    warn_of_holes(holes, [f"{i}.png" for i in range(len(holes))], hole="white")
    return caplog.messages


def test_warn_of_holes_is_silent_about_usual_ones(caplog: pytest.LogCaptureFixture):
    assert warned(caplog, boxes(5)) == []
    assert warned(caplog, boxes(0)) == []


def test_warn_of_holes_names_empty_and_full_ones_in_one_line(caplog: pytest.LogCaptureFixture):
    holes = boxes(5)
    holes[1], holes[3], holes[4] = False, False, True
    (line,) = warned(caplog, holes)
    assert "2 of 5 masks have no hole in the part of the image that is used: 1.png, 3.png" in line
    assert "1 of 5 masks are a hole from edge to edge: 4.png" in line
    assert "mask_hole" not in line


@pytest.mark.parametrize(("inverted", "said"), [(2, False), (3, True), (5, True)])
def test_warn_of_holes_asks_for_the_colour_when_most_are_large(caplog: pytest.LogCaptureFixture, inverted: int, said: bool):
    holes = boxes(5)
    holes[:inverted] = ~holes[:inverted]
    lines = warned(caplog, holes)
    assert bool(lines) == said
    if said:
        assert f"{inverted} of 5 masks have more than 60% of the pixels in the hole: is mask_hole=white the wrong way" in lines[0]
