"""Runs side by side: what differs, and spreads over seeds alone."""

from pathlib import Path
from typing import Any

from maskgit_lab.reporting.sweep_table import sweep_table
from maskgit_lab.runs.sweep import RunRecord, differing_keys, flat


def record(number: int, *, batch: int, seed: int, fid: float, status: str = "completed", schedule: str = "Cosine") -> RunRecord:
    target = f"maskgit_lab.core.schedules.{schedule}"
    config: dict[str, Any] = {
        "data": {"batch_size": batch}, "seed": seed, "paths": {"runs": str(number)}, "mask_schedule": {"_target_": target},
        "training": {"mask_schedule": {"_target_": target}},
    }  # fmt: skip
    result: dict[str, Any] = {"status": status}
    if status == "completed":
        rows = [{"fill": "grey fill", "fid": 99.0}, {"fill": "model, composited", "fid": fid}]
        result |= {"monitor": {"name": "val/loss", "best": 1.0}, "scores": rows}
    return RunRecord(Path(str(number)), flat(config), result)


def test_flat_makes_nested_keys_dotted():
    assert flat({"a": {"b": 1, "c": {"d": 2}}, "e": [3], "f": {}}) == {"a.b": 1, "a.c.d": 2, "e": [3], "f": {}}


def test_differing_keys_leave_out_seeds_and_places():
    assert differing_keys([record(0, batch=5, seed=0, fid=1), record(1, batch=5, seed=1, fid=2)]) == []
    assert differing_keys([record(0, batch=5, seed=0, fid=1), record(1, batch=9, seed=1, fid=2)]) == ["data.batch_size"]


def test_differing_keys_count_a_schedule_once():
    runs = [record(i, batch=5, seed=0, fid=1, schedule=name) for i, name in enumerate(("Cosine", "Linear"))]
    assert differing_keys(runs) == ["mask_schedule._target_"]


def test_sweep_table_has_a_row_per_difference_with_its_spread_and_what_failed():
    runs = [
        record(0, batch=5, seed=0, fid=10.0), record(1, batch=5, seed=1, fid=12.0), record(2, batch=9, seed=0, fid=20.0),
        record(3, batch=9, seed=1, fid=0, status="failed"),
    ]  # fmt: skip
    headers, rows = sweep_table(runs)
    assert headers == ["data.batch_size", "n", "val/loss", "fid", "not completed"]
    assert rows[0] == ["5", "2", "1.000 ± 0.000°", "11.0 ± 1.4°", "-"]
    assert rows[1] == ["9", "1", "1°", "20", "3 failed"]


def test_sweep_table_without_results_has_no_scores():
    headers, rows = sweep_table([record(0, batch=5, seed=0, fid=0, status="failed")])
    assert rows == [["0", "0 failed"]]
    assert headers == ["n", "not completed"]
