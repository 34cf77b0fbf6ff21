"""One wandb run per run folder: a later command continues it, and it never stops training."""

import logging
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from maskgit_lab.machine.text_file import read_text, write_text

log = logging.getLogger("maskgit_lab")

ID_FILE = "run_id.txt"  # in wandb/ of the run folder
GIVE_UP_SECONDS = 30.0  # of trying to reach the server; wandb's own value is 90
STEP = "trainer/global_step"  # Lightning's name for the x axis
# the table of runs shows the best value of these, not the last
SUMMARIES = {
    "val/loss": "min", "val/psnr_hole": "max", "val/ssim_hole": "max", "val/mae_hole": "min", "val/token_accuracy": "max",
}  # fmt: skip


def start(
    *,
    folder: Path,
    project: str,
    name: str,
    offline: bool = True,
    group: str | None = None,
    tags: Sequence[str] = (),
    notes: str = "",
    provenance: Mapping[str, str] | None = None,
) -> Any:
    """Start a wandb run with its files in the run folder; a folder that already has a run continues that one.

    Without credentials or network a live run becomes an offline one, with a warning.

    Args:
        folder: run folder; the files go to wandb/ inside it.
        project: of the dashboard.
        name: of the run.
        offline: nothing leaves the machine.
        group: what the dashboard shows together, such as the jobs of a sweep.
        tags: of the run.
        notes: of the run.
        provenance: versions and commit, kept with the configuration.

    Returns:
        wandb's run.

    Raises:
        ValueError: when a name holds bytes that the locale could not decode.
    """
    import wandb

    for text in (str(folder.resolve()), project, name, group or "", notes, *tags):
        _require_utf8(text)
    known = folder / "wandb" / ID_FILE
    run_id = read_text(known).strip() if known.is_file() else None

    if run_id:
        _wait_for_a_second_of_its_own(known.parent, run_id)

    def begin(mode: Literal["online", "offline"]) -> Any:
        return wandb.init(
            dir=str(folder), project=project, name=name, group=group, tags=list(tags), notes=notes, mode=mode, id=run_id,
            resume="allow" if run_id and mode == "online" else None,  # offline files of one id are joined by `wandb sync`
            reinit="create_new", settings=wandb.Settings(silent=True, console="off", init_timeout=GIVE_UP_SECONDS),
        )  # fmt: skip

    try:
        run = begin("offline" if offline else "online")
    except (wandb.errors.CommError, wandb.errors.UsageError) as error:
        log.warning(f"wandb cannot go online ({error}); this run is recorded offline. `wandb login`, then `wandb sync`")
        run = begin("offline")
    write_text(known, run.id + "\n")
    if provenance:
        run.config.update({"provenance": dict(provenance)}, allow_val_change=True)
    run.define_metric(STEP)
    run.define_metric("*", step_metric=STEP, step_sync=True)
    for metric, summary in SUMMARIES.items():
        run.define_metric(metric, step_metric=STEP, step_sync=True, summary=summary)
    return run


def _wait_for_a_second_of_its_own(folder: Path, run_id: str) -> None:
    """Wait while a folder of this run was begun this second: wandb names it by second and id, and old versions write over it."""
    while any(folder.glob(f"*run-{time.strftime('%Y%m%d_%H%M%S')}-{run_id}")):
        time.sleep(0.05)


def _require_utf8(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(
            f"wandb takes UTF-8 only, and the locale could not decode {text!r}: set PYTHONUTF8=1 or LC_ALL=C.UTF-8, or logger=csv"
        ) from error


def log_evaluation(
    folder: Path, *, columns: Sequence[str], rows: Sequence[Sequence[Any]], images: Sequence[Path], **run: Any
) -> bool:
    """Put a table and figures of an evaluation into the wandb run of a run folder; return whether it has one.

    Empty texts in `rows` become empty cells; `images` are logged under evaluation/STEM; `run`: further arguments of `start`.
    """
    if not (folder / "wandb" / ID_FILE).is_file():
        return False
    import wandb

    dashboard = start(folder=folder, **run)
    cells = [[None if cell == "" else cell for cell in row] for row in rows]
    table = wandb.Table(columns=list(columns), data=cells)
    dashboard.log({"evaluation/table": table} | {f"evaluation/{path.stem}": wandb.Image(str(path)) for path in images})
    dashboard.finish()
    return True
