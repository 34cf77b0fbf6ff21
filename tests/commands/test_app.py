"""The command `app`: one line with the address, the page of a run or the report of a sweep, a clean end, clear mistakes."""

import json
import shutil
import signal
from pathlib import Path

import pytest

from tests.support.commands import run
from tests.support.serving import serving
from tests.test_light_start import RUN

pytestmark = pytest.mark.slow


def test_app_serves_a_run_until_ctrl_c_and_ends_cleanly(tmp_path: Path):
    before = {path: path.stat().st_mtime_ns for path in RUN.rglob("*")}
    with serving(tmp_path, f"run={RUN}", "mask_schedule=square") as served:
        assert "Fill a hole" in served.get("/")[1]
        told = json.loads(served.get("/api/about")[1])
        assert (told["resolution"], told["defaults"]["schedule"]) == (64, "square")
        assert "mask_schedule:" in served.get("/report")[1]
        assert served.get("/", Host="evil.example")[0] == 403
    assert served.status == 0, served.said
    assert "Traceback" not in served.said
    assert {path: path.stat().st_mtime_ns for path in RUN.rglob("*")} == before


def test_app_shows_a_sweep_and_nothing_else(tmp_path: Path):
    sweep = tmp_path / "sweep"
    for job in ("0", "1"):
        shutil.copytree(RUN, sweep / job)
    with serving(tmp_path, f"run={sweep}", number=signal.SIGTERM) as served:
        status, text = served.get("/")
        assert status == 200
        assert "2 runs" in text
        for path in ("/0/config.yaml", "/api/about", "/static/main.js", "/../secret", "/%2e%2e/secret"):
            assert served.get(path)[0] == 404, path
    assert served.status == 0, served.said


def test_app_says_what_is_wrong_in_one_line(tmp_path: Path):
    for arguments, said in ((["run=."], "neither a run folder"), ([f"run={RUN}", "port=70000"], "port must be at least 0")):
        answer = run("app", *arguments, cwd=tmp_path, home=tmp_path)
        assert answer.returncode == 1
        assert said in answer.stderr
        assert "Traceback" not in answer.stderr
