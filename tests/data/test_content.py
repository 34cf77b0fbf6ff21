"""What a run records of its images: the same wherever they lie, another when one is."""

import dataclasses

import numpy as np

from maskgit_lab.data.content import content_differences, content_of
from tests.support.builders import splits


def test_content_of_does_not_depend_on_names_and_places():
    data = splits()
    moved = dataclasses.replace(data, train=dataclasses.replace(data.train, names=tuple("x" * 24), fingerprint="elsewhere"))
    assert content_of(moved) == content_of(data)
    assert content_differences(content_of(data), content_of(moved)) == []


def test_content_differences_name_the_part_and_the_counts():
    data = splits()
    pixel, holes = np.array(data.val.images), np.array(data.test.holes)
    pixel[3, 4, 5, 0] ^= 1
    holes[0, 0, 0] ^= True
    other = dataclasses.replace(
        splits(train=25), val=dataclasses.replace(data.val, images=pixel), test=dataclasses.replace(data.test, holes=holes)
    )
    assert content_differences(content_of(data), content_of(other)) == [
        "train has 25 images, recorded 24",
        "val has 8 images as recorded, but other pixels",
        "test has 6 images as recorded, but other pixels or holes",
    ]
