"""Put the results of a run or a sweep on a page."""

import logging
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from maskgit_lab.assembly.read import as_yaml, load_config
from maskgit_lab.assembly.schemas import ReportConfig
from maskgit_lab.evaluation.grid import Cell
from maskgit_lab.machine.json_file import read_json
from maskgit_lab.machine.text_file import write_text
from maskgit_lab.reporting.diagnosis import sentences
from maskgit_lab.reporting.grid_tables import References, all_scores, grid_verdict, share_table, table_1
from maskgit_lab.reporting.marks import LEGEND
from maskgit_lab.reporting.page import Block, Code, Figure, Heading, Table, Text, render_html, render_report_markdown
from maskgit_lab.reporting.score_table import score_table, score_verdict
from maskgit_lab.reporting.sweep_table import sweep_table, sweep_verdict
from maskgit_lab.runs.folder import RunFolder, shown_path
from maskgit_lab.runs.metrics_file import read_epochs
from maskgit_lab.runs.sweep import RunRecord, differing_keys, read_result, read_sweep

log = logging.getLogger("maskgit_lab")

FIGURES = {
    "fills.png": "The first test images: truth, input, a fill without a model, the model's, and the tokenizer's best",
    "fills_best.png": "Nearest to the truth, by the mean absolute error inside the hole",
    "fills_worst.png": "Farthest from the truth",
}
PNG = b"\x89PNG\r\n\x1a\n"  # how every PNG file begins
MAX_FIGURE_BYTES = 50_000_000  # ours have less than 2 million
BATCH_SIZE = "data.batch_size"
FLOOR_AND_CEILING = (
    "Grey and diffusion fill need no model (floor); the reconstruction of the truth is the tokenizer's best (ceiling)"
)


def report(config: ReportConfig) -> None:
    """Write report.html and report.md about the run or the sweep in `run`; FileNotFoundError when the folder is neither."""
    root = Path(config.run)
    out = Path(config.out or root)
    title, blocks = report_blocks(root)
    page, text = render_html(title, blocks), render_report_markdown(title, blocks, folder=out)
    write_text(out / "report.html", page)
    write_text(out / "report.md", text)
    log.info(f"Written: {shown_path(out / 'report.html')}, {shown_path(out / 'report.md')}")


def report_blocks(root: Path) -> tuple[str, list[Block]]:
    """Return title and content of the report about a run or a sweep.

    Raise FileNotFoundError when the folder is neither, ValueError naming it when what it holds is not what a run writes.
    """
    try:
        return _run_report(RunFolder(root)) if RunFolder(root).config.is_file() else _sweep_report(root)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:  # what was read is not what a run writes
        if isinstance(error, ValueError) and str(root) in str(error):
            raise  # names its file already
        raise ValueError(f"{root}: result.json or evaluation.json is damaged, or of another version ({error!r})") from error


def _run_report(folder: RunFolder) -> tuple[str, list[Block]]:
    config, result = load_config(folder.root), read_result(folder.root)
    blocks: list[Block] = [Text(_summary(result), soft=True)]
    if folder.metrics.is_file() and "diagnosis" in result:
        blocks.append(Text(sentences(result["diagnosis"], len(read_epochs(folder.metrics)))))
    blocks += _scores(result)
    blocks += _evaluation(folder.root)
    blocks += [Heading("Fills"), *_figures(folder.root, "figures", FIGURES)]
    blocks += [Heading("Training"), *_figures(folder.root, "figures", {"training.png": "Curves over optimiser steps"})]
    blocks += [
        Heading("Schedules"),
        *_figures(folder.root, "figures", {"schedules.png": "Share of tokens still hidden, by schedule"}),
    ]
    names = [path.stem.removeprefix("schedule_") for path in sorted(folder.figures.glob("schedule_*.png"))]
    steps = {f"schedule_{name}.png": f"{name}: what each step revealed, and how sure it was" for name in names}
    blocks += _figures(folder.root, "figures", steps)
    blocks += [
        Heading("How it was made"),
        Code("Configuration", as_yaml(config)),
        Code("Versions and machine", "\n".join(f"{k}: {v}" for k, v in result.get("provenance", {}).items())),
        Code("What the distance was measured with", "\n".join(f"{k}: {v}" for k, v in result.get("protocol", {}).items())),
    ]
    return f"{result.get('name', 'run')} ({folder.root.resolve().name})", blocks


def _sweep_report(root: Path) -> tuple[str, list[Block]]:
    runs = read_sweep(root)
    headers, rows = sweep_table(runs)
    blocks: list[Block] = [
        Text([f"{len(runs)} runs, {sum(run.status == 'completed' for run in runs)} completed"], soft=True),
        Heading("Scores of the composited fills, mean ± standard deviation over seeds"),
        Table(headers, rows),
        Text(sweep_verdict(runs)),
        Text([LEGEND], soft=True),
    ]
    if BATCH_SIZE in differing_keys(runs):
        blocks += _batch_sizes(runs)
    for run in runs:
        if "error" in run.result:
            blocks.append(Text([f"{run.folder.name} {run.status}: {run.result['error']}"]))
            blocks.append(Code("Traceback", str(run.result.get("traceback", ""))))
    blocks.append(Heading("Fills"))
    for run in runs:
        label = ", ".join(f"{key}={run.config.get(key)}" for key in [*differing_keys(runs), "seed"])
        blocks += _figures(run.folder, "figures", {"fills.png": f"{run.folder.name}: {label}"})
    return f"Sweep {root.resolve().parent.name} ({root.resolve().name})", blocks


def _batch_sizes(runs: Sequence[RunRecord]) -> list[Block]:
    """Return the scores by batch size, averaged over all other differences."""
    others = {key for key in differing_keys(runs) if key != BATCH_SIZE}
    pooled = [RunRecord(run.folder, {k: v for k, v in run.config.items() if k not in others}, run.result) for run in runs]
    note = f"Averaged over {', '.join(sorted(others))} and the seed" if others else "Averaged over the seed"
    return [Heading("Batch sizes"), Text([note], soft=True), Table(*sweep_table(pooled))]


def _summary(result: Mapping[str, Any]) -> list[str]:
    times = ", ".join(f"{name.replace('_', ' ')} {value:.0f} s" for name, value in result.get("seconds", {}).items())
    lines = [f"{result.get('status', 'no result')}; {result.get('data', '')}"]
    if "num_parameters" in result:
        lines.append(f"{result['num_parameters'] / 1e6:.1f} M parameters, {result['epochs']} epochs; {times}")
    return lines


def _scores(result: Mapping[str, Any]) -> list[Block]:
    rows = result.get("scores") or []
    if not rows:
        return []
    return [
        Heading("Scores on the test images"),
        Table(*score_table(rows)),
        Text(score_verdict(rows)),
        Text([LEGEND, FLOOR_AND_CEILING], soft=True),
    ]


def _evaluation(root: Path) -> list[Block]:
    """Return the tables of `evaluate`, when it was run."""
    path = root / "evaluation" / "evaluation.json"
    if not path.is_file():
        return []
    remedy = "python -m maskgit_lab.evaluate run=RUN_FOLDER writes it again"
    try:
        return _grid(_with_nan(read_json(path, remedy=remedy)), root)
    except (KeyError, TypeError, AttributeError, IndexError, StopIteration) as error:
        raise ValueError(f"{path} is not what evaluate writes ({error!r}). {remedy}") from error


def _grid(found: Mapping[str, Any], root: Path) -> list[Block]:
    cells = [
        Cell(
            c["schedule"],
            c["sweet_spot"],
            c["output"],
            _values(c["scores"]),
            {label: _values(scores) for label, scores in c.get("by_hole_share", {}).items()},
        )
        for c in found["cells"]
    ]
    outputs = list(dict.fromkeys(cell.output for cell in cells))
    score = next(iter(cells[0].scores))
    blocks: list[Block] = [Heading(f"Schedules and sweet spots, {len(found['protocol'].get('seeds', [0]))} decoding seeds")]
    blocks += [Table(*table_1(cells, score=score, output=output)) for output in outputs]
    blocks += [Table(*all_scores(cells, found["references"], output=output)) for output in outputs]
    references, counts = References({}, found.get("references_by_hole_share", {})), found["protocol"].get("num_by_hole_share", {})
    for output in outputs if counts else ():
        blocks.append(Table(*share_table(cells, references, score=score, output=output, counts=counts)))
    said = grid_verdict(cells, References(found["references"]), score=score, output=outputs[-1])
    notes = [LEGEND, *([found["protocol"]["note"]] if "note" in found["protocol"] else [])]
    figures = {"grid.png": "Composited fills of every cell"} | {
        path.name: path.stem.replace("_", " ").capitalize()
        for path in sorted((root / "evaluation" / "figures").glob("figure_*.png"))
    }
    return [*blocks, Text(said), Text(notes, soft=True), *_figures(root, "evaluation/figures", figures)]


def _values(scores: Mapping[str, Any]) -> dict[str, list[float]]:
    return {name: spread["values"] for name, spread in scores.items()}


def _figures(root: Path, folder: str, captions: Mapping[str, str]) -> list[Block]:
    """Return the figures in a folder below `root` that are there; one that is a link to elsewhere is another's file."""
    found: list[Block] = []
    for name, caption in captions.items():
        path = root / folder / name
        if not path.is_file():
            continue
        if path.is_symlink() or not path.resolve().is_relative_to(root.resolve()):
            log.warning(f"Left out: {shown_path(path)}, a link that may lead out of {shown_path(root)}")
        elif path.stat().st_size > MAX_FIGURE_BYTES or not path.read_bytes().startswith(PNG):
            log.warning(f"Left out: {shown_path(path)}, which is no PNG file of less than {MAX_FIGURE_BYTES / 1e6:.0f} MB")
        else:
            found.append(Figure(path, caption))
    return found


def _with_nan(content: Any) -> Any:
    """Return scores as they were before JSON, which has no NaN."""
    if isinstance(content, dict):
        return {key: _with_nan(value) for key, value in content.items()}
    if isinstance(content, list):
        return [_with_nan(value) for value in content]
    return math.nan if content is None else content
