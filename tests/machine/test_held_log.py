"""A log that touches no file until it begins."""

import logging
from pathlib import Path

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
