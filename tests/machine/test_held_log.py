"""A log that touches no file until it begins."""

import logging
from pathlib import Path

import yaml

from maskgit_lab.assembly.config import config_dir
from maskgit_lab.machine.held_log import HeldLog


def test_held_log_appends_what_was_kept_when_it_has_begun_and_touches_nothing_before(tmp_path: Path):
    path = tmp_path / "train.log"
    path.write_text("of before\n")
    handler = HeldLog(path)
    for text in ("first", "second"):
        handler.handle(logging.makeLogRecord({"msg": text}))
    assert path.read_text() == "of before\n"
    handler.begin()
    handler.handle(logging.makeLogRecord({"msg": "third"}))
    handler.close()
    assert path.read_text() == "of before\nfirst\nsecond\nthird\n"


def test_held_log_that_never_begins_leaves_no_file(tmp_path: Path):
    handler = HeldLog(tmp_path / "train.log")
    handler.handle(logging.makeLogRecord({"msg": "first"}))
    handler.close()
    assert not (tmp_path / "train.log").exists()


def test_held_log_takes_what_the_configuration_tells_the_handler_that_it_replaces(tmp_path: Path):
    (node,) = Path(config_dir(), "hydra", "job_logging").glob("*.yaml")
    told = yaml.safe_load(node.read_text(encoding="utf-8"))["handlers"]["file"]
    own = {"class", "formatter", "filename"}
    handler = HeldLog(tmp_path / "train.log", **{key: value for key, value in told.items() if key not in own})
    handler.handle(logging.makeLogRecord({"msg": "caf\udce9"}))
    handler.begin()
    handler.close()
    assert (tmp_path / "train.log").read_text(encoding="utf-8") == "caf\\udce9\n"
