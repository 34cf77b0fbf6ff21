"""The benchmarks: what they count is right, and every group runs to its end at a tiny size."""

import io
import json
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import loaded, measure, million, processor, rows, startup, subjects, throughput
from benchmarks.against_listing import Bench, decoding, our_table, table, training
from benchmarks.arithmetic import Operations
from benchmarks.measure import Paired, paired
from benchmarks.rows import Above, Row, show, write
from benchmarks.scaling import scaling
from benchmarks.subjects import pictures, subject, transformer_flops
from benchmarks.tables import beside_other_programs
from tests.support.commands import SMALL_RUN, run, shared_cache

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
    class Told:
        def __init__(self, way: str, size: str, batch_size: int) -> None:
            self.way = way

        def end(self) -> None:
            pass

    def seconds(workers: list[Told], beside: str) -> float:
        assert len(workers) == 2
        return {("asleep", "nothing"): 1.0, ("asleep", "one busy core"): 1.4, ("spinning", "nothing"): 1.1}.get(
            (workers[0].way, beside), 3.0
        )

    monkeypatch.setattr(loaded, "Worker", Told)
    monkeypatch.setattr(loaded, "_step_seconds", seconds)
    alone, busy, another = loaded.loaded(bench(), "tiny")
    assert (alone.ratio, alone.extra["times_a_step_alone"]) == (1.1, {"spinning": 1.1, "asleep": 1.0, "one thread": 3.0})
    assert (busy.ratio, busy.extra["times_a_step_alone"]["asleep"]) == (pytest.approx(3 / 1.4), 1.4)
    assert (another.ratio, another.extra["times_a_step_alone"]["asleep"]) == (1.0, 3.0)
    shown = beside_other_programs([asdict(row) for row in (alone, busy, another)])
    assert "1.400 s (1.40x)" in shown
    assert shown.count("missed") == 1  # beside another training: 3 times, for 1.7 at most


def test_loaded_main_says_when_it_is_ready_and_how_long_its_steps_took(monkeypatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setattr("sys.stdin", io.StringIO("0.0\n0.01\n"))
    loaded.main("tiny", 2)
    ready, *seconds = capsys.readouterr().out.split()
    assert ready == "ready"
    assert [0 < float(value) < 60 for value in seconds] == [True, True]


def test_loaded_runs_each_way_in_processes_of_its_own(monkeypatch: pytest.MonkeyPatch):
    """The real processes, at size small with a step each: what is told arrives, and all of them end."""
    monkeypatch.setattr(loaded, "SECONDS", 0.0)
    monkeypatch.setattr(loaded, "WAYS", {"asleep": loaded.WAYS["asleep"]})
    worker = loaded.Worker("asleep", "small", 1)
    assert 0 < loaded._step_seconds([worker], "one busy core") < 60
    worker.end()
    assert worker._process.returncode != 0


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
    row = Row.of("work", "other", Paired([1.0], [2.0]), target=3.0, operations=Operations(4e9, 0.5e9, 0.5e9))
    path = write("group", [row], {"fp32": 1e9}, CPU, [0.0, 0.0])
    content = json.loads(path.read_text())
    assert path.name == f"group_{processor.in_use()}.json"
    assert content["instruction_set"] == processor.in_use()
    assert content["rows"][0]["ratio"] == 2
    assert {"command", "machine", "provenance", "matrix_rate_flops", "load_average_before_and_after", "switches"} <= set(content)
    shown = show([row], {"fp32": 1e9, "bf16": 2e9})
    assert "4.00x" in shown  # counted
    assert "100 %" in shown


def test_above_says_seconds_and_not_a_ratio():
    row = Above.of("a command", "import torch", Paired([3.0, 5.0, 4.0], [2.0, 2.0, 2.0]), key="startup_inpaint", target=3.0)
    assert (row.seconds_above, row.least, row.most) == (2.0, 1.0, 3.0)
    assert "4.00 s, +2.00 s above import torch (+1.00 to +3.00)" in row.line()
    assert "x" not in "".join(str(cell) for cell in row.cells({})[2:])


def test_startup_trains_a_small_run_and_times_cold_processes(monkeypatch: pytest.MonkeyPatch):
    """Which commands are run, without running them: minutes of cold processes are no test."""
    ran: list[tuple[str, ...]] = []

    def run(environment: dict[str, str], *arguments: str) -> None:
        ran.append(arguments)
        if "maskgit_lab.train" in arguments:
            folder = Path(environment["MASKGIT_LAB_RUNS"]) / "debug" / "run"
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "result.json").touch()

    monkeypatch.setattr(startup, "_run", run)
    found = list(startup.startup(bench(), "tiny"))
    assert [row.key for row in found] == ["startup_import", "startup_training_only", "startup_inpaint", "startup_first_step"]
    assert [row.target for row in found] == [1.0, None, 3.0, None]
    fills = [arguments for arguments in ran if "maskgit_lab.inpaint" in arguments]
    assert len(fills) == 3  # one is not timed
    assert "device=cpu" in fills[0]
    assert sum(startup.FIRST_STEP in arguments for arguments in ran) == 3


def test_startup_says_why_a_command_failed():
    with pytest.raises(SystemExit, match="no such thing"):
        startup._run({}, "-c", "raise SystemExit('no such thing')")


@pytest.mark.slow
def test_first_step_leaves_the_training_at_its_end(tmp_path: Path):
    places = (f"paths.runs={tmp_path / 'runs'}", shared_cache())
    answer = run("train", *startup.SMALL_RUN, *SMALL_RUN, *places, startup.FIRST_STEP, cwd=startup.ROOT, home=tmp_path)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    (config,) = (tmp_path / "runs").glob("*/*/config.yaml")
    assert not list(config.parent.glob("checkpoints/*"))


def test_million_trains_on_many_images_from_the_disk(tmp_path: Path):
    assert 0 < million.train(tmp_path, 300, 2) < 4
