"""Files of tensors: whole, checked, readable by torch.load, and never trusted."""

import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch

from maskgit_lab.machine.checksum import DamagedFileError
from maskgit_lab.machine.tensor_file import check_tensors, load_tensors, require_finite, require_tensors, save_tensors
from maskgit_lab.machine.whole_file import CannotWriteError
from tests.support.damage import FullDisk, cuts, flips

CONTENT: dict[str, Any] = {
    "state_dict": {"weight": torch.arange(60.0).reshape(6, 10), "bias": torch.ones(3)},
    "epoch": 2,
    "names": ["a", None],
}


OTHERS = [b"", b"\n", b"version https://git-lfs", b"PK\x03\x04", b"\0" * 100, b"\0" * 5000, b"\x80\x02}q\x00."]


def written(folder: Path) -> Path:
    save_tensors(CONTENT, folder / "best.ckpt")
    return folder / "best.ckpt"


def earlier(folder: Path) -> Path:
    """Write as earlier versions did."""
    torch.save(CONTENT, folder / "best.ckpt")
    return folder / "best.ckpt"


def load(path: Path, *, own: bool = True) -> Any:
    return load_tensors(path, what="a checkpoint", remedy="Restore it.", own=own)


def test_save_tensors_writes_what_torch_zipfile_and_load_tensors_read(tmp_path: Path):
    path = written(tmp_path)
    for content in (load(path), torch.load(path, weights_only=True), torch.load(path, weights_only=True, mmap=True)):
        assert torch.equal(content["state_dict"]["weight"], CONTENT["state_dict"]["weight"])
        assert (content["epoch"], content["names"]) == (2, ["a", None])
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert archive.comment.startswith(b"maskgit_lab crc32 ")


def test_save_tensors_adds_a_checksum_and_nothing_else(tmp_path: Path):
    path = written(tmp_path)
    sealed = path.read_bytes()
    with (tmp_path / "plain").open("wb") as file:
        torch.save(CONTENT, file)
    plain = (tmp_path / "plain").read_bytes()
    assert sealed[: len(plain) - 2] == plain[:-2]
    assert len(sealed) == len(plain) + 27


def test_load_tensors_notices_every_flipped_bit(tmp_path: Path):
    path = written(tmp_path)
    for harmed in flips(path.read_bytes(), 150):
        path.write_bytes(harmed)
        with pytest.raises(DamagedFileError, match=r"best.ckpt .*Restore it"):
            load(path)


def test_load_tensors_notices_every_cut(tmp_path: Path):
    path = written(tmp_path)
    for harmed in cuts(path.read_bytes(), 100):
        path.write_bytes(harmed)
        with pytest.raises(DamagedFileError, match=r"best.ckpt (is|was) "):
            check_tensors(path, remedy="")


def test_load_tensors_notices_what_is_appended(tmp_path: Path):
    path = written(tmp_path)
    path.write_bytes(path.read_bytes() + b"\0" * 512)
    with pytest.raises(DamagedFileError, match="damaged at its end"):
        load(path)


def test_load_tensors_of_earlier_versions_are_read_and_flipped_weights_noticed(tmp_path: Path):
    path = earlier(tmp_path)
    data = path.read_bytes()
    assert load(path)["epoch"] == 2
    place = data.index(CONTENT["state_dict"]["weight"].numpy().tobytes())
    for number in range(60):
        harmed = bytearray(data)
        harmed[place + number * 3] ^= 1 << number % 8
        path.write_bytes(harmed)
        with pytest.raises(DamagedFileError, match="does not fit its checksums"):
            load(path)


def test_load_tensors_of_others_may_be_of_older_formats_and_without_checksums(tmp_path: Path):
    path = tmp_path / "VQGAN.pt"
    torch.save(CONTENT, path, _use_new_zipfile_serialization=False)
    assert load(path, own=False)["epoch"] == 2
    with pytest.raises(DamagedFileError, match=r"was not written by torch\.save"):
        load(path)
    torch.serialization.set_crc32_options(False)
    try:
        torch.save(CONTENT, path)
    finally:
        torch.serialization.set_crc32_options(True)
    assert load(path, own=False)["epoch"] == 2


@pytest.mark.parametrize("content", OTHERS, ids=lambda content: f"{content[:9]!r}{len(content)}")
@pytest.mark.parametrize("own", [True, False])
def test_load_tensors_refuses_other_files_in_one_line_without_bad_advice(content: bytes, own: bool, tmp_path: Path):
    path = tmp_path / "best.ckpt"
    path.write_bytes(content)
    with pytest.raises(DamagedFileError, match=r"best.ckpt .*Restore it") as caught:
        load(path, own=own)
    assert "\n" not in str(caught.value)
    assert "weights_only" not in str(caught.value)


class Harmful:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


@pytest.mark.parametrize("zipped", [True, False])
def test_load_tensors_runs_no_code(zipped: bool, tmp_path: Path):
    path, made = tmp_path / "best.ckpt", tmp_path / "made"
    torch.save({"state_dict": Harmful(made)}, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(DamagedFileError, match="without other objects") as caught:
        load(path, own=False)
    assert not made.exists()
    assert "weights_only" not in str(caught.value)


def test_save_tensors_on_a_full_disk_keeps_the_old_file_and_says_how_much_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path = written(tmp_path)
    before = path.read_bytes()
    for room in (0, 1, 300, 700, 1500):
        with monkeypatch.context() as patch:
            FullDisk(patch, room=room)
            with pytest.raises(
                CannotWriteError, match=r"best.ckpt: the disk is full \(1.0 MiB needed beside the old file, .* free\)"
            ):
                save_tensors({"weight": torch.zeros(2**18)}, path)
        assert path.read_bytes() == before
        assert list(tmp_path.iterdir()) == [path]


def test_require_finite_names_the_first_tensor_that_is_not():
    require_finite({"a": torch.ones(2), "count": torch.tensor(3)}, "x")
    with pytest.raises(ValueError, match="the tokenizer: 2 of the 3 numbers of b are NaN or infinite"):
        require_finite({"a": torch.ones(2), "b": torch.tensor([1.0, float("nan"), float("inf")])}, "the tokenizer")


def test_save_tensors_on_a_small_disk_says_what_is_needed_and_free(small_disk: Path):
    path = written(small_disk)
    before = path.read_bytes()
    with pytest.raises(CannotWriteError, match=r"the disk is full \(4.0 MiB needed beside the old file, 2.0 MiB free\)"):
        save_tensors({"weight": torch.zeros(2**20)}, path)
    assert path.read_bytes() == before
    assert list(small_disk.iterdir()) == [path]


@pytest.mark.parametrize(
    "weights",
    [
        None,
        3,
        [],
        "x",
        {"a": 1},
        {"a": None},
        {3: torch.ones(2)},
        {"a": torch.ones(1).expand(10**12)},
        {"a": torch.ones(2).to_sparse()},
    ],
    ids=["none", "number", "list", "text", "numbers", "nothing", "names", "expanded", "sparse"],
)
def test_require_tensors_refuses_what_is_none_and_what_is_larger_than_its_file(weights: Any):
    with pytest.raises(DamagedFileError, match=r"best.ckpt has something else .* Train anew"):
        require_tensors(weights, Path("best.ckpt"), remedy="Train anew")


def test_require_tensors_takes_views_and_empty_ones():
    require_tensors({"a": torch.ones(4, 3).T, "b": torch.ones(6)[2:4], "c": torch.zeros(0, 3)}, Path("x"), remedy="")
