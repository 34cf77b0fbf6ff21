"""docs/speed.md holds what the result files say, per instruction set, and the arithmetic behind the rows counts right."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from benchmarks import arithmetic, processor, rows, tables
from benchmarks.arithmetic import Operations
from benchmarks.subjects import Flops
from benchmarks.targets import EVERYWHERE, TARGETS, target
from maskgit_lab.fast.winograd import WinogradConv2d

ROOT = Path(__file__).resolve().parents[2]
FLOPS = Flops(forward=10.0, encode=3.0, decode=2.0)


def test_page_holds_what_the_result_files_say():
    page = tables.PAGE.read_text(encoding="utf-8")
    assert page == tables.with_part(page, tables.page_part()), "python -m benchmarks.tables --write"


def test_page_without_a_place_for_the_tables_is_refused():
    with pytest.raises(ValueError, match="no place for the tables"):
        tables.with_part("# Speed\n", "| a |")


def test_result_files_say_the_instruction_set_of_their_name():
    files = [path for path in rows.RESULTS.glob("*.json") if not path.stem.endswith("_cuda")]
    assert files
    for path in files:
        content = json.loads(path.read_text(encoding="utf-8"))
        assert path.stem.endswith(f"_{content['instruction_set']}"), path
        assert content["instruction_set"] in processor.WIDTHS
        assert bool(content["switches"]) >= content["emulated"], path  # emulated only by a switch
        if content["instruction_set"] in ("avx2", "avx512"):
            assert content["matrix_rate_flops"]["bf16"] < content["matrix_rate_flops"]["fp32"], path


def result(isa: str, ratio: float, **more: object) -> dict[str, object]:
    row = {
        "work": "training step, batch 10, lab", "against": "listing", "ratio": ratio, "least": 1.0, "most": 4.0, "pairs": 5,
        "seconds": 2.0, "their_seconds": 4.0, "key": "training_lab", "precision": "fp32",
        "operations": {"theirs": 3e9, "transformer": 1e9, "vqgan": 0.0},
    }  # fmt: skip
    return {
        "machine": "a processor, 2 cores", "instruction_set": isa, "emulated": False, "switches": {}, "threads": 2,
        "matrix_rate_flops": {"fp32": 1e9, "bf16": 2e9}, "provenance": {"torch": "2"}, "rows": [row | more],
        "load_average_before_and_after": [14.25, 9.0],
    }  # fmt: skip


def test_page_part_puts_instruction_sets_side_by_side(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(rows, "RESULTS", tmp_path)
    for isa, ratio, precision in (("avx2", 1.5, "fp32"), ("avx512_bf16", 3.5, "bf16")):
        (tmp_path / f"training_lab_{isa}.json").write_text(json.dumps(result(isa, ratio, precision=precision)))
    lines = tables.page_part().splitlines()
    assert lines[2] == (
        "| training step, batch 10, lab | listing | 1.50x (1.00 to 4.00), 50 % of the rate; aim 1.8x, **missed** "
        "| 3.50x (1.00 to 4.00), 25 % of the rate; aim 3.4x | not measured; aim 3.4x |"
    )
    assert "| training step, batch 10, lab | 3 | 1 + 0 | 3.00x | 6.00x (2.0 times as fast) | not measured |" in lines
    assert "| AVX2 | a processor, 2 cores | 2 | 1 to 1 | 2 to 2 | 5 to 5 | 2 | 14.2 to 14.2 |" in lines


def test_page_part_says_what_products_forbid(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(rows, "RESULTS", tmp_path)
    counted = {"theirs": 3e9, "transformer": 1e9, "vqgan": 0.0, "multiplied": 5e8}
    (tmp_path / "training_lab_avx2.json").write_text(json.dumps(result("avx2", 1.5, operations=counted)))
    lines = tables.page_part().splitlines()
    assert "| training step, batch 10, lab, AVX2 | 0.5 | 1 | 0.5 s | 2 s | 1.8x | 1.50x | 8.00x |" in lines


def test_page_part_says_seconds_above_and_emulation(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(rows, "RESULTS", tmp_path)
    switched = {"emulated": True, "switches": {"ATEN_CPU_CAPABILITY": "avx2"}}
    content = result("avx2", 1.0, key="startup_inpaint", seconds_above=3.25, operations=None) | switched
    (tmp_path / "startup_avx2.json").write_text(json.dumps(content))
    part = tables.page_part()
    assert "+3.25 s (+1.00 to +4.00), 2.00 s in all; aim +3 s, **missed**" in part
    assert "emulated: `ATEN_CPU_CAPABILITY=avx2`" in part


def test_targets_are_those_of_the_instruction_set():
    assert target("training_lab", "avx2") == 1.8
    assert target("training_lab", "amx") == TARGETS["training_lab"]["avx512_bf16"]
    assert target("training_lab", "avx512") is None
    assert target("peers", "amx") == target("peers", "avx2") == EVERYWHERE["peers"]
    assert target("", "avx2") is None


def test_training_step_operations_count_the_listings_encoder():
    assert arithmetic.training_step(FLOPS, 10) == Operations(theirs=330, transformer=300, vqgan=0)


def test_decode_operations_count_every_step_of_the_listing_in_pixels():
    assert arithmetic.decode(FLOPS, 2, 7) == Operations(theirs=2 * 87, transformer=140, vqgan=10)
    assert arithmetic.decode(FLOPS, 2, 7, hidden=0.5).transformer == 2 * 10 * (1 + 6 * 0.5)


def test_table_operations_share_encoder_and_first_step():
    cells = arithmetic.table(FLOPS, 1, 7, 3, (3, 5, 7))
    assert cells == Operations(theirs=9 * 3 + 45 * 12, transformer=190, vqgan=3 + 18)


def test_operations_at_full_rate_multiply_the_vqgan_in_float32():
    rates = {"fp32": 1.0, "bf16": 2.0}
    assert Operations(12, 4, 4).seconds_at_full_rate(rates, "bf16") == 6
    assert Operations(12, 4, 4).counted_ratio(rates, "bf16") == 2
    assert Operations(12, 4, 4).counted_ratio(rates, "fp32") == 1.5


def test_multiplied_counts_products_of_both_passes_and_fused_attention():
    weight = torch.ones(3, 4, requires_grad=True)
    assert arithmetic.multiplied(lambda: (torch.ones(2, 3) @ weight).sum().backward()) == 2 * 2 * (2 * 3 * 4)  # no gradient of ones
    q = torch.ones(1, 2, 8, 16)
    with torch.no_grad():
        fused = arithmetic.multiplied(lambda: torch.nn.functional.scaled_dot_product_attention(q, q, q))
        winograd = WinogradConv2d.of(torch.nn.Conv2d(4, 5, 3, padding=1))
        convolved = arithmetic.multiplied(lambda: winograd(torch.ones(1, 4, 32, 32)))
    assert fused == 2 * 2 * (2 * 8 * 8 * 16)  # two products of two heads
    assert 64 * 36 * 2 * 4 * 5 <= convolved < 1024 * 9 * 2 * 4 * 5 + 64 * 36 * 4 * 2 * (36 + 16)  # of 64 tiles, and in their basis


def test_limit_is_the_other_sides_time_over_that_of_our_products():
    assert Operations(12, 4, 4, multiplied=5.0).limit(rate=2.0, their_seconds=10.0) == 4.0


def isa_of_a_process(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if name not in processor.SWITCHES}
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=kept | environment, capture_output=True, text=True, check=False
    )  # fmt: skip


@pytest.mark.skipif(bool(processor.set_switches()), reason="this process runs with fewer instructions")
def test_in_use_is_the_widest_without_switches():
    assert processor.in_use() == processor.widest_here()


@pytest.mark.skipif(processor.widest_here() not in processor.WIDTHS[1:], reason="no x86 processor with AVX2")
def test_take_begins_the_program_anew_with_the_switches_which_leave_what_is_in_use():
    program = "from benchmarks import processor as p; print('begun'); p.take('avx2'); print(p.in_use(), p.widest_here())"
    assert isa_of_a_process("-c", program).stdout.split() == ["begun", "begun", "avx2", processor.widest_here()]


def test_take_refuses_what_the_processor_does_not_have(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(processor, "widest_here", lambda: "avx2")
    with pytest.raises(SystemExit, match="this processor uses AVX2"):
        processor.take("avx512", dict(processor.switches("avx512")))
