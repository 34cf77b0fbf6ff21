import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from maskgit_lab.core.pixels import HOLE_GREY
from maskgit_lab.data import synthetic_cats
from maskgit_lab.data.image_set import DataSplits
from maskgit_lab.data.synthetic_cats import CHUNK, SyntheticCats, render_cats

MIN_MEAN_DISTANCE = 40.0  # grey levels; 53 measured
MIN_NEAREST_DISTANCE = 12.0  # the nearest two of 128 cats; 25 measured


@pytest.fixture(scope="module")
def cats() -> np.ndarray:
    return render_cats(0, range(128))


@pytest.fixture(scope="module")
def splits(tmp_path_factory: pytest.TempPathFactory) -> DataSplits:
    return small_source().load(cache=tmp_path_factory.mktemp("cache"))


def small_source(seed: int = 0) -> SyntheticCats:
    return SyntheticCats(num_train=20, num_val=6, num_test=5, seed=seed, resolution=32)


def image_files(cache: Path) -> list[Path]:
    return sorted(path for path in (cache / "images").iterdir() if path.suffix != ".lock")


def test_render_cats_gives_rgb_bytes_of_the_asked_size() -> None:
    assert render_cats(0, [3, 1], resolution=32).shape == (2, 32, 32, 3)
    assert render_cats(0, [3, 1], resolution=32).dtype == np.uint8


def test_render_cats_gives_the_same_cat_for_the_same_seed_and_index(cats: np.ndarray) -> None:
    np.testing.assert_array_equal(render_cats(0, range(8)), cats[:8])


def test_render_cats_does_not_depend_on_the_batch(cats: np.ndarray) -> None:
    indices = [CHUNK + 1, 0, 77, *range(30, 30 + CHUNK), 5]
    np.testing.assert_array_equal(render_cats(0, indices), cats[indices])
    np.testing.assert_array_equal(render_cats(0, [77]), cats[[77]])


def test_render_cats_with_another_seed_gives_other_cats(cats: np.ndarray) -> None:
    assert (render_cats(1, range(8)) != cats[:8]).any(axis=(1, 2, 3)).all()


def test_render_cats_gives_no_two_alike(cats: np.ndarray) -> None:
    pixels = cats.reshape(len(cats), -1).astype(np.float32)
    distances = np.array([np.abs(a - b).mean() for a, b in itertools.combinations(pixels, 2)])
    assert distances.mean() > MIN_MEAN_DISTANCE
    assert distances.min() > MIN_NEAREST_DISTANCE


def test_render_cats_is_smooth_enough_to_learn(cats: np.ndarray) -> None:
    steps = np.abs(np.diff(cats.astype(np.float32), axis=2))
    assert np.median(steps) < 6  # fur and background go on smoothly; outlines are few


def test_render_cats_lets_eyes_stand_out_from_the_face(cats: np.ndarray) -> None:
    eyes, forehead = cats[:, 26:40, 14:50], cats[:, 18:24, 26:38]
    contrast = np.ptp(eyes.max(-1).reshape(len(cats), -1).astype(int), axis=1)
    plain = np.ptp(forehead.max(-1).reshape(len(cats), -1).astype(int), axis=1)
    assert (contrast > 130).mean() > 0.95
    assert np.median(contrast) > 1.5 * np.median(plain)


def test_synthetic_cats_splits_have_their_sizes_and_unique_names(splits: DataSplits) -> None:
    sets = (splits.train, splits.val, splits.test)
    assert [len(s) for s in sets] == [20, 6, 5]
    names = [name for s in sets for name in s.names]
    assert len(set(names)) == len(names)


def test_synthetic_cats_have_no_image_in_two_splits(splits: DataSplits) -> None:
    pictures = np.concatenate([splits.train.images, splits.val.images, splits.test.truth])
    assert len(np.unique(pictures.reshape(len(pictures), -1), axis=0)) == len(pictures)


def test_synthetic_cats_of_one_seed_are_not_those_of_the_next(tmp_path: Path, splits: DataSplits) -> None:
    others = small_source(seed=1).load(cache=tmp_path)
    mine = {image.tobytes() for image in np.concatenate([splits.train.images, splits.val.images, splits.test.truth])}
    theirs = np.concatenate([others.train.images, others.val.images, others.test.truth])
    assert not any(image.tobytes() in mine for image in theirs)


def test_synthetic_cats_of_a_longer_split_begin_with_the_shorter(tmp_path: Path, splits: DataSplits) -> None:
    longer = SyntheticCats(num_train=25, num_val=6, num_test=5, resolution=32).load(cache=tmp_path)
    np.testing.assert_array_equal(longer.train.images[:20], splits.train.images)
    assert longer.train.fingerprint != splits.train.fingerprint


def test_synthetic_cats_test_images_are_the_truth_with_grey_holes(splits: DataSplits) -> None:
    test = splits.test
    assert test.truth is not None
    assert (test.images[test.holes] == HOLE_GREY).all()
    np.testing.assert_array_equal(test.images[~test.holes], test.truth[~test.holes])
    assert ((test.holes.mean(axis=(1, 2)) >= 0.10) & (test.holes.mean(axis=(1, 2)) <= 0.30)).all()


def test_synthetic_cats_fingerprints_tell_splits_and_seeds_apart(tmp_path: Path, splits: DataSplits) -> None:
    others = small_source(seed=1).load(cache=tmp_path)
    prints = [s.fingerprint for d in (splits, others) for s in (d.train, d.val, d.test)]
    assert len(set(prints)) == 6
    assert all(len(p) == 64 and int(p, 16) >= 0 for p in prints)


def test_synthetic_cats_read_their_cache_on_the_second_load(
    tmp_path: Path, splits: DataSplits, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_source().load(cache=tmp_path)
    monkeypatch.setattr(synthetic_cats, "render_cats", lambda *_: pytest.fail("painted although cached"))
    again = small_source().load(cache=tmp_path)
    assert isinstance(again.train.images, np.memmap)
    np.testing.assert_array_equal(again.train.images, splits.train.images)


def test_synthetic_cats_cache_holds_one_file_per_split_and_no_leftovers(tmp_path: Path) -> None:
    loaded = small_source().load(cache=tmp_path)
    stems = {path.stem for path in image_files(tmp_path)}
    assert len(image_files(tmp_path)) == 3
    assert {loaded.train.fingerprint, loaded.val.fingerprint} < stems


@pytest.mark.parametrize(
    "damage",
    [lambda data: data[: len(data) // 2], lambda data: data[:60], lambda data: b"", lambda data: b"not an array" * 99],
    ids=["half", "header_cut", "empty", "garbage"],
)
def test_synthetic_cats_are_painted_anew_where_the_cache_is_damaged(
    tmp_path: Path, splits: DataSplits, damage: Callable[[bytes], bytes]
) -> None:
    small_source().load(cache=tmp_path)
    for path in image_files(tmp_path):
        path.write_bytes(damage(path.read_bytes()))
    again = small_source().load(cache=tmp_path)
    np.testing.assert_array_equal(again.train.images, splits.train.images)
    np.testing.assert_array_equal(again.test.truth, splits.test.truth)


def test_synthetic_cats_leave_no_file_when_interrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> np.ndarray:
        raise KeyboardInterrupt

    monkeypatch.setattr(synthetic_cats, "render_cats", interrupted)
    with pytest.raises(KeyboardInterrupt):
        small_source().load(cache=tmp_path)
    assert image_files(tmp_path) == []


@pytest.mark.parametrize("key", ["num_train", "num_val", "num_test"])
def test_synthetic_cats_refuse_an_empty_split_by_its_key(key: str) -> None:
    with pytest.raises(ValueError, match=f"data.source.{key} must be at least 1, got 0"):
        SyntheticCats(**{"num_train": 1, "num_val": 1, "num_test": 1, key: 0})


def test_synthetic_cats_refuse_a_negative_seed() -> None:
    with pytest.raises(ValueError, match=r"data\.source\.seed must be at least 0, got -1"):
        small_source(seed=-1)
