"""Files that are written whole or not at all."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from maskgit_lab.machine import whole_file as module
from maskgit_lab.machine.text_file import write_text
from maskgit_lab.machine.whole_file import CannotWriteError, whole_file, why_not_written

DIE = """
import os, signal, sys
from pathlib import Path
from maskgit_lab.machine.text_file import write_text
from maskgit_lab.machine.whole_file import whole_file
with whole_file(Path(sys.argv[1])) as partial:
    partial.write_text("half")
    print(partial.name, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_whole_file_shows_the_old_content_until_the_new_one_is_whole(tmp_path: Path):
    path = tmp_path / "a.json"
    path.write_text("old")
    with whole_file(path) as partial:
        partial.write_text("new")
        assert path.read_text() == "old"
        assert partial.name.startswith(f"a.json.{os.getpid()}-")
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_whole_file_makes_the_folder(tmp_path: Path):
    with whole_file(tmp_path / "deep" / "er" / "a") as partial:
        partial.write_text("x")
    assert (tmp_path / "deep" / "er" / "a").read_text() == "x"


def test_whole_file_leaves_everything_as_it_was_when_interrupted(tmp_path: Path):
    path = tmp_path / "a"
    path.write_text("old")

    def interrupted() -> None:
        with whole_file(path) as partial:
            partial.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_whole_file_is_on_the_disk_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path, seen = tmp_path / "a", []
    synced = os.fsync

    def fsync(descriptor: int) -> None:
        synced(descriptor)
        seen.append((Path(f"/proc/self/fd/{descriptor}").readlink().name, path.exists()))

    monkeypatch.setattr(os, "fsync", fsync)
    write_text(path, "x")
    assert seen[0][0].endswith(".partial")
    assert [exists for _, exists in seen] == [False, True]
    assert seen[1][0] == tmp_path.name


def test_whole_file_gives_two_writers_two_partial_files_and_the_last_one_wins(tmp_path: Path):
    path = tmp_path / "a"
    with whole_file(path) as first, whole_file(path) as second:
        assert first != second
        first.write_text("first")
        second.write_text("second")
    assert path.read_text() == "first"
    assert list(tmp_path.iterdir()) == [path]


def test_whole_file_removes_what_a_killed_process_left_and_nothing_else(tmp_path: Path):
    answer = subprocess.run([sys.executable, "-c", DIE, str(tmp_path / "a")], capture_output=True, text=True, check=False)
    left = tmp_path / answer.stdout.strip()
    assert left.read_text() == "half"
    earlier = tmp_path / "b.npy.999999999.partial"  # as earlier versions named them
    mine = tmp_path / "holiday.partial"
    running = tmp_path / f"c.npy.{os.getpid()}.partial"
    for path in (earlier, mine, running):
        path.touch()
    with whole_file(tmp_path / "other") as partial:
        write_text(tmp_path / "third", "x")  # the one above is alive
        assert partial.is_file()
    assert {path.name for path in tmp_path.iterdir()} == {"other", "third", mine.name, running.name}


@pytest.mark.parametrize("code", sorted(module.REFUSALS))
def test_whole_file_names_file_reason_and_remedy_when_it_cannot_write(code: int, tmp_path: Path):
    path = tmp_path / "best.ckpt"
    path.write_text("old")

    def fail() -> None:
        with whole_file(path, needed=3 * 2**20) as partial:
            partial.write_text("half")
            raise OSError(code, os.strerror(code))

    with pytest.raises(CannotWriteError, match=r"cannot write .*best.ckpt: .*; .* or choose another folder \(paths.runs") as caught:
        fail()
    if code in module.FULL:
        assert "3.0 MiB needed beside the old file" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.errno == code
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_whole_file_names_the_file_where_its_folder_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def refuse(path: Path, *_: object) -> int:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(CannotWriteError, match=r"cannot write .*a: permission is denied; make it writable or"):
        write_text(tmp_path / "a", "x")


def test_whole_file_passes_on_errors_of_other_files(tmp_path: Path):
    def read_another() -> None:
        with whole_file(tmp_path / "a"):
            raise PermissionError(errno.EACCES, "Permission denied", str(tmp_path / "photo.jpg"))

    with pytest.raises(PermissionError) as caught:
        read_another()
    assert not isinstance(caught.value, CannotWriteError)


def test_why_not_written_explains_what_people_can_mend():
    told = why_not_written(OSError(errno.ENOSPC, "No space left on device", "metrics.csv"))
    assert told is not None
    assert told.startswith("cannot write metrics.csv: the disk is full; free some space")
    assert why_not_written(ConnectionResetError(errno.ECONNRESET, "reset")) is None
