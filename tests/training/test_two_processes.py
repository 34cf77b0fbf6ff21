"""Two processes train as one with twice the batch, stop together, and fail together."""

import json
import os
import socket
from pathlib import Path

import pytest
import torch

from tests.support.two_processes import fit, trained
from tests.support.warm import WarmCommand

pytestmark = [pytest.mark.thorough, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[2]
LATER = 1e-3  # Adam divides rounding by rounding where a gradient is zero, so that weights drift apart slowly
TIMEOUT = 240  # seconds; a hang is a failure


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def run_two(scenario: str, folder: Path) -> list[tuple[int, str]]:
    """Start both processes as torchrun does and return their exit statuses and errors."""
    common = {
        "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2",
        "GROUP_RANK": "0", "TORCHELASTIC_RUN_ID": "test", "OMP_NUM_THREADS": "1",
    }  # fmt: skip
    outputs = [(folder / f"{scenario}_{rank}.out", folder / f"{scenario}_{rank}.err") for rank in range(2)]
    processes = [
        WarmCommand({
            "module": "tests.support.two_processes", "arguments": [scenario, str(folder)], "cwd": str(ROOT), "timeout": TIMEOUT,
            "env": {**os.environ, **common, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            "stdout": str(out), "stderr": str(err),
        })
        for rank, (out, err) in enumerate(outputs)
    ]  # fmt: skip
    return [(process.wait(), err.read_text()) for process, (_, err) in zip(processes, outputs, strict=True)]


def test_two_processes_log_what_one_with_twice_the_batch_logs(tmp_path: Path):
    answers = run_two("whole", tmp_path)
    assert [status for status, _ in answers] == [0, 0], answers
    assert all("warn" not in text.lower() for _, text in answers), answers
    found = json.loads((tmp_path / "whole.json").read_text())
    expected = fit(tmp_path / "one", trained(), world=1, callbacks=[])
    assert found["steps"][0] == pytest.approx(expected.steps[0], rel=1e-6)
    assert found["steps"] == pytest.approx(expected.steps, rel=LATER)
    assert len(found["epochs"]) == len(expected.epochs) == 3  # the first is the sanity check
    assert {"val/loss", "val/fd_tokenizer", "val/psnr_hole", "train/fixed_loss"} <= set(expected.epochs[-1])
    for two, one in zip(found["epochs"], expected.epochs, strict=True):
        assert two == pytest.approx(one, rel=LATER)


def test_two_processes_stop_together_and_one_goes_on_from_there(tmp_path: Path):
    answers = run_two("stop", tmp_path)
    assert [status for status, _ in answers] == [0, 0], answers  # a SystemExit without a code; commands make 130 of it
    path = tmp_path / "stop" / "last.ckpt"
    assert torch.load(path, weights_only=True)["global_step"] == 6
    whole = fit(tmp_path / "one", trained(), world=1, callbacks=[])
    rest = fit(tmp_path / "stop", trained(), world=1, callbacks=[], resume=True)
    assert rest.steps == pytest.approx(whole.steps[6:], rel=LATER)
    assert rest.epochs[-1] == pytest.approx(whole.epochs[-1], rel=LATER)


def test_two_processes_fail_together_and_none_is_left_waiting(tmp_path: Path):
    (first, _), (second, error) = run_two("break", tmp_path)
    assert (first, second) == (1, 1)
    assert "broken on purpose" in error
