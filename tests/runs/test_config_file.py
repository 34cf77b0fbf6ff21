"""config.yaml with a checksum in its first line."""

from pathlib import Path

import pytest
from omegaconf import OmegaConf

from maskgit_lab.machine.checksum import DamagedFileError
from maskgit_lab.runs.config_file import write_config
from maskgit_lab.runs.recorded import read_recorded
from tests.support.damage import cuts, flips

TEXT = "name: café\nseed: 3\ndata:\n  batch_size: 10\n  root: null\ntags:\n- a # b\n"


def written(folder: Path) -> Path:
    write_config(folder / "config.yaml", TEXT)
    return folder / "config.yaml"


def test_read_recorded_returns_what_was_written_and_so_do_other_readers(tmp_path: Path):
    path = written(tmp_path)
    assert read_recorded(path) == OmegaConf.create(TEXT) == OmegaConf.load(path)
    assert path.read_text(encoding="utf-8").endswith(TEXT)


def test_read_recorded_takes_files_of_earlier_versions(tmp_path: Path):
    path = tmp_path / "config.yaml"
    path.write_text("# by hand\nseed: 4\n")
    assert read_recorded(path) == {"seed": 4}


def test_read_recorded_refuses_every_flipped_bit(tmp_path: Path):
    path = written(tmp_path)
    for harmed in flips(path.read_bytes(), 200):
        path.write_bytes(harmed)
        with pytest.raises(DamagedFileError, match=r"config.yaml is (damaged|cut off): .*Restore it from a copy") as caught:
            read_recorded(path)
        assert "\n" not in str(caught.value)


def test_read_recorded_refuses_every_cut(tmp_path: Path):
    path = written(tmp_path)
    for harmed in cuts(path.read_bytes(), 60):
        path.write_bytes(harmed)
        with pytest.raises(DamagedFileError, match=r"config.yaml is (empty|damaged|cut off)"):
            read_recorded(path)


@pytest.mark.parametrize("content", ["", "\n\n", "text", "- 1\n- 2", "a: [1,", "a: b: c", "a: ${", "\0\0\0", "%PNG", "\ta: 1"])
def test_read_recorded_refuses_other_files(content: str, tmp_path: Path):
    path = tmp_path / "config.yaml"
    path.write_text(content)
    with pytest.raises(DamagedFileError, match=r"config.yaml is (empty|damaged)"):
        read_recorded(path)


def test_read_recorded_takes_what_was_changed_by_hand_and_says_so_once(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    path = written(tmp_path)
    path.write_text(path.read_text().replace("root: null", "root: /data/photos"))
    assert [read_recorded(path).data.root for _ in range(2)] == ["/data/photos"] * 2
    assert caplog.text.count(f"{path} was changed since the run wrote it") == 1


def test_read_recorded_says_how_to_keep_a_change_that_could_be_damage(tmp_path: Path):
    path = written(tmp_path)
    path.write_text(path.read_text().replace("seed: 3", "seed: 5"))
    with pytest.raises(DamagedFileError, match="If you changed it yourself, remove its first line"):
        read_recorded(path)
    path.write_text("".join(path.read_text().splitlines(keepends=True)[1:]))
    assert read_recorded(path).seed == 5
