"""Precision: what is configured stays, what is measured is said."""

import re
import time
from pathlib import Path

import pytest
import torch

from maskgit_lab.training import precision
from maskgit_lab.training.precision import autocast_dtype, resolve_precision

pytestmark = pytest.mark.processor


@pytest.mark.parametrize("name", ["32-true", "bf16-mixed", "16-mixed"])
def test_resolve_precision_passes_a_configured_one_through(name: str):
    assert resolve_precision(name, "cpu") == (name, f"precision {name} as configured")


def test_resolve_precision_auto_measures_and_says_what_it_found():
    chosen, reason = resolve_precision("auto", "cpu")
    found = re.fullmatch(
        r"precision (\S+): bf16 products run (?:more than )?([\d.]+)(x as fast as| times slower than) float32 on this processor",
        reason,
    )
    assert found is not None
    assert found[1] == chosen
    faster = float(found[2]) if found[3].startswith("x") else 1 / float(found[2])
    assert chosen == ("bf16-mixed" if faster > 1.35 else "32-true") or 1.25 < faster < 1.35


def timed(seconds: dict[tuple[torch.dtype, int], float], monkeypatch: pytest.MonkeyPatch) -> list[tuple[torch.dtype, int]]:
    """Let products take what is given, and return those that were asked for."""
    asked: list[tuple[torch.dtype, int]] = []

    def product_seconds(dtype: torch.dtype, size: int) -> float:
        asked.append((dtype, size))
        return seconds[dtype, size]

    monkeypatch.setattr(precision, "_product_seconds", product_seconds)
    return asked


def test_resolve_precision_knows_a_processor_without_bf16_after_the_smallest_product(monkeypatch: pytest.MonkeyPatch):
    asked = timed({(torch.float32, 128): 3e-5, (torch.bfloat16, 128): 2e-3}, monkeypatch)
    chosen, reason = resolve_precision("auto", "cpu")
    assert chosen == "32-true"
    assert reason == "precision 32-true: bf16 products run 67 times slower than float32 on this processor"
    assert {size for _, size in asked} == {128}


@pytest.mark.parametrize(
    ("speed", "words"),
    [(2.13, "2.1x as fast as"), (0.97, "1.0x as fast as"), (0.5, "2.0 times slower than"),
     (0.004, "more than 100 times slower than"), (0.015, "67 times slower than"), (1e-9, "more than 100 times slower than")],
)  # fmt: skip
def test_resolve_precision_says_no_ratio_that_rounds_to_nothing(
    speed: float, words: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setattr(precision, "bf16_speed", lambda: speed)
    for _ in range(2):  # measured, then remembered
        assert f"bf16 products run {words} float32" in resolve_precision("auto", "cpu", memory=tmp_path)[1]


def test_resolve_precision_does_not_let_small_products_decide_with_bf16(monkeypatch: pytest.MonkeyPatch):
    """What a call costs besides makes small products look slow."""
    ratios = {128: 0.3, 256: 1.1, 512: 2.1}
    seconds = {(torch.float32, size): ratio for size, ratio in ratios.items()}
    timed(seconds | {(torch.bfloat16, size): 1.0 for size in ratios}, monkeypatch)
    assert resolve_precision("auto", "cpu") == (
        "bf16-mixed", "precision bf16-mixed: bf16 products run 2.1x as fast as float32 on this processor"
    )  # fmt: skip


@pytest.mark.parametrize("gap", [torch.float32, torch.bfloat16])
def test_bf16_speed_is_not_decided_by_a_core_that_was_taken_for_a_moment(gap: torch.dtype, monkeypatch: pytest.MonkeyPatch):
    """One slow product stopped the measurement, the answer was kept, and a run took twice as long from then on."""
    calls = {torch.float32: 0, torch.bfloat16: 0}

    def product_seconds(dtype: torch.dtype, size: int) -> float:
        calls[dtype] += 1
        taken = 5e-3 if dtype == gap and calls[dtype] < 3 else 0.0
        return taken + {torch.float32: 6e-5, torch.bfloat16: 3e-5}[dtype]

    monkeypatch.setattr(precision, "_product_seconds", product_seconds)
    assert precision.bf16_speed() == pytest.approx(2)


def test_bf16_speed_looks_twice_before_it_calls_bf16_slow(monkeypatch: pytest.MonkeyPatch):
    speeds = {128: [0.008, 0.9], 256: [1.5], 512: [0.4, 2.1]}
    monkeypatch.setattr(precision, "_speed_of", lambda size: speeds[size].pop(0))
    assert precision.bf16_speed() == 2.1
    assert not any(speeds.values())


def test_bf16_speed_asks_a_processor_without_bf16_for_the_smallest_product_only(monkeypatch: pytest.MonkeyPatch):
    asked = []

    def speed_of(size: int) -> float:
        asked.append(size)
        return 0.01

    monkeypatch.setattr(precision, "_speed_of", speed_of)
    assert precision.bf16_speed() == 0.01
    assert asked == [128, 128]


def test_bf16_speed_takes_less_than_a_tenth_of_a_second():
    precision.bf16_speed()  # oneDNN makes its kernels
    times = []
    for _ in range(3):
        start = time.perf_counter()
        precision.bf16_speed()
        times.append(time.perf_counter() - start)
    assert min(times) < 0.1


def test_resolve_precision_remembers_the_answer_of_a_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(precision, "bf16_speed", lambda: 2.5)
    first = resolve_precision("auto", "cpu", memory=tmp_path)
    monkeypatch.setattr(precision, "bf16_speed", lambda: 0.5)
    assert resolve_precision("auto", "cpu", memory=tmp_path) == first
    assert first[0] == "bf16-mixed"
    assert resolve_precision("auto", "cpu")[0] == "32-true"
    monkeypatch.setattr(precision, "processor_name", lambda: "another one")
    assert resolve_precision("auto", "cpu", memory=tmp_path)[0] == "32-true"


def test_resolve_precision_measures_again_when_its_memory_cannot_be_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(precision, "bf16_speed", lambda: 2.5)
    resolve_precision("auto", "cpu", memory=tmp_path)
    (file,) = tmp_path.iterdir()
    kept = file.read_text()
    for damaged in ("", kept[:-9], kept.replace("2.5", "0.5"), "{}"):
        file.write_text(damaged)
        assert resolve_precision("auto", "cpu", memory=tmp_path)[0] == "bf16-mixed"
        assert file.read_text() == kept


def test_resolve_precision_does_not_trust_what_earlier_versions_measured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(precision, "bf16_speed", lambda: 2.5)
    resolve_precision("auto", "cpu", memory=tmp_path)
    (file,) = tmp_path.iterdir()
    file.rename(file.with_suffix(".txt")).write_text("0.008\n")
    assert resolve_precision("auto", "cpu", memory=tmp_path)[0] == "bf16-mixed"


def test_resolve_precision_of_an_accelerator_without_measurement_stays_exact():
    assert resolve_precision("auto", "mps")[0] == "32-true"


def test_autocast_dtype_is_that_of_the_precision():
    assert autocast_dtype("bf16-mixed") == torch.bfloat16
    assert autocast_dtype("16-mixed") == torch.float16
    assert autocast_dtype("32-true") is None
