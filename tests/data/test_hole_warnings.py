"""One warning about holes that were probably not meant; the wrong way round is refused."""

import numpy as np
import pytest

from maskgit_lab.data.hole_warnings import check_holes
from tests.support.builders import boxes


def warned(caplog: pytest.LogCaptureFixture, holes: np.ndarray) -> list[str]:
    check_holes(holes.mean((1, 2)), [f"{i}.png" for i in range(len(holes))], hole="white")
    return caplog.messages


def test_check_holes_is_silent_about_usual_ones(caplog: pytest.LogCaptureFixture):
    assert warned(caplog, boxes(5)) == []
    assert warned(caplog, boxes(0)) == []


def test_check_holes_names_empty_and_full_ones_in_one_line(caplog: pytest.LogCaptureFixture):
    holes = boxes(5)
    holes[1], holes[3], holes[4] = False, False, True
    (line,) = warned(caplog, holes)
    assert "2 of 5 masks have no hole in the part of the image that is used: 1.png, 3.png" in line
    assert "1 of 5 masks are a hole from edge to edge: 4.png" in line
    assert "mask_hole" not in line


@pytest.mark.parametrize(("hole", "remedy"), [("white", "use data.mask_hole=black"), ("#ff0000", "the colour #ff0000")])
def test_check_holes_refuses_masks_of_which_most_are_large(hole: str, remedy: str):
    holes = boxes(5)
    names = [f"{i}.png" for i in range(5)]
    holes[:2] = ~holes[:2]
    check_holes(holes.mean((1, 2)), names, hole=hole, prefix="data.")
    holes[2] = ~holes[2]
    with pytest.raises(
        ValueError, match=r"3 of 5 masks have more than 60% of their pixels in the hole: 0.png, 1.png, 2.png"
    ) as told:
        check_holes(holes.mean((1, 2)), names, hole=hole, prefix="data.")
    assert remedy in str(told.value)
    assert "data.max_hole_share=1" in str(told.value)
    check_holes(holes.mean((1, 2)), names, hole=hole, max_share=1)
