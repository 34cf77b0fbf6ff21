"""The shapes of a data set's holes, as its configuration draws them."""

from maskgit_lab.assembly.resolution import cell_pixels
from maskgit_lab.assembly.schemas import Group
from maskgit_lab.data.hole_shapes import HoleShape, compared_shapes
from maskgit_lab.data.image_set import DataSplits


def shapes_of_holes(data: Group, splits: DataSplits) -> dict[str, HoleShape]:
    """Return what the test's holes look like beside those of training (`compared_shapes`)."""
    return compared_shapes(
        splits.test.holes, splits.train_holes, style=data["hole_style"], share=data["hole_share"],
        cell=cell_pixels(splits.test.holes.shape[-1]),
    )  # fmt: skip
