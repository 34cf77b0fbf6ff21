"""The benchmarks: what they count is right, and every group runs to its end at a tiny size."""

import json
from pathlib import Path

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import loaded, measure, million, rows, subjects, throughput
from benchmarks.against_listing import Bench, decoding, our_table, table, training
from benchmarks.measure import Paired, paired
from benchmarks.rows import Row, show, write
from benchmarks.scaling import scaling
from benchmarks.subjects import pictures, subject, transformer_flops

pytestmark = pytest.mark.thorough

CPU = torch.device("cpu")
TINY = (
    "model=tiny", "tokenizer=patch_tiny", "model.transformer.dim=16", "model.transformer.num_layers=2",
    "model.transformer.hidden_dim=24", "tokenizer.model.channels=8", "tokenizer.model.num_blocks=1",
    "tokenizer.model.num_codebook_vectors=32",
)  # fmt: skip


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(subjects.SIZES, "tiny", TINY)
    monkeypatch.setattr(subjects, "MAX_PICTURES", 8)
    monkeypatch.setattr(rows, "RESULTS", tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))


def bench() -> Bench:
    return Bench(CPU, 2, None, num_images=2, batch_size=2)


def test_paired_takes_ratios_pair_by_pair():
    timed = Paired(ours=[1.0, 2.0, 4.0], theirs=[3.0, 4.0, 20.0])
    assert timed.ratios == [3, 2, 5]
    assert timed.ratio == 3


def test_paired_lets_sides_take_turns_and_begin_in_turns():
    calls: list[str] = []
    paired(lambda: calls.append("ours"), lambda: calls.append("theirs"), pairs=2, device=CPU, warm=False)
    assert calls == ["ours", "theirs", "theirs", "ours"]


def test_paired_scales_a_part_of_the_work_to_the_whole(monkeypatch: pytest.MonkeyPatch):
    ticks = iter(range(100))
    monkeypatch.setattr("benchmarks.measure.time.perf_counter", lambda: float(next(ticks)))
    timed = paired(lambda: None, lambda: None, pairs=3, device=CPU, share=0.25)
    assert timed.ratios == [4, 4, 4]


def test_transformer_flops_counts_what_a_dense_forward_does():
    made = subject("tiny", CPU)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        made.listing(torch.zeros(1, 256, dtype=torch.int64))
    assert transformer_flops(made.model.transformer) == counter.get_total_flops()


def test_subject_has_the_same_weights_on_both_sides():
    made = subject("tiny", CPU)
    tokens = torch.randint(33, (2, 256))
    torch.testing.assert_close(made.listing.eval()(tokens), made.model(tokens), rtol=1e-4, atol=1e-4)
    images, _ = pictures(2, CPU)
    normalised, _ = made.normalised(images, torch.zeros(images.shape[:3], dtype=torch.bool))
    assert torch.equal(made.vqgan.encode(normalised), made.tokenizer.encode(images))


@pytest.mark.parametrize(("group", "count"), [(training, 1), (decoding, 2), (table, 1), (scaling, 2)])
def test_bench_groups_give_their_rows(group, count):
    found = list(group(bench(), "tiny"))
    assert len(found) == count
    for row in found:
        assert 0 < row.least <= row.ratio <= row.most
        assert row.seconds > 0


def test_throughput_has_a_row_per_batch_size_and_way_and_ends_where_memory_does(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(throughput, "WITH_LISTING", (2,))
    monkeypatch.setattr(throughput, "LARGER", (3, 4, 5))
    monkeypatch.setattr(throughput, "WAYS", {"as it comes": False})
    monkeypatch.setattr(throughput, "IMAGES_TIMED", 4)
    step = throughput.TrainingStep.__call__

    def out_of_memory_at_4(self: throughput.TrainingStep) -> None:
        if len(self.tokens) == 4:
            raise torch.OutOfMemoryError
        step(self)

    monkeypatch.setattr(throughput.TrainingStep, "__call__", out_of_memory_at_4)
    found = list(throughput.throughput(bench(), "tiny"))
    assert [row.work.split(", ")[1] for row in found] == ["batch 2", "batch 2", "batch 3"]
    for row in found:
        assert row.extra["images_per_second"] == pytest.approx(int(row.work.split()[2].strip(",")) / row.seconds)


def test_loaded_compares_a_step_beside_other_programs_with_one_alone(monkeypatch: pytest.MonkeyPatch):
    seconds = {("nothing", True): 1.0, ("nothing", False): 1.0, ("one busy core", True): 1.4}
    monkeypatch.setattr(loaded, "_step_seconds", lambda bench, size, beside, *, asleep: seconds.get((beside, asleep), 3.0))
    alone, busy, another = loaded.loaded(bench(), "tiny")
    assert (alone.ratio, alone.extra["times_a_step_alone"]) == (1.0, 1.0)
    assert (busy.ratio, busy.extra["times_a_step_alone"]) == (pytest.approx(3 / 1.4), 1.4)
    assert (another.ratio, another.extra["times_a_step_alone"]) == (1.0, 3.0)


def test_loaded_main_prints_its_seconds(capsys: pytest.CaptureFixture[str]):
    loaded.main("tiny", 2, 0.0)
    assert 0 < float(capsys.readouterr().out) < 60


def test_matrix_rate_does_not_make_a_slow_product_larger(monkeypatch: pytest.MonkeyPatch):
    """2 GFLOP/s, as bf16 without instructions for it: the largest side would take eight seconds a product."""
    sides: list[int] = []

    def seconds(work, device):
        sides.append(len(work()))
        return 2 * sides[-1] ** 3 / 2e9

    monkeypatch.setattr(measure, "seconds", seconds)
    assert measure.matrix_rate(torch.float32, CPU) == pytest.approx(2e9)
    assert set(sides) == {256, 512}


def test_our_table_has_an_image_for_every_cell():
    images, holes = pictures(2, CPU)
    cells = our_table(subject("tiny", CPU), bench(), images, holes)
    assert [cell.shape for cell in cells] == [images.shape] * 9
    assert all(torch.equal(cell[~holes], images[~holes]) for cell in cells)


def test_write_says_where_results_come_from(tmp_path: Path):
    row = Row.of("work", "other", Paired([1.0], [2.0]), target=3.0, flops=1e9)
    content = json.loads(write("group", [row], {"fp32": 1e9}, CPU, [0.0, 0.0]).read_text())
    assert content["rows"][0]["ratio"] == 2
    assert {"command", "machine", "provenance", "matrix_rate_flops", "load_average_before_and_after"} <= set(content)
    assert "100 %" in show([row], {"fp32": 1e9, "bf16": 2e9})


def test_million_trains_on_many_images_from_the_disk(tmp_path: Path):
    assert 0 < million.train(tmp_path, 300, 2) < 4
