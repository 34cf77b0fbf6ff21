"""What a run folder says while a command works on it: nothing of an earlier end is lost before there is a better one."""

from typing import Any

from omegaconf.errors import OmegaConfBaseException

from maskgit_lab.assembly.read import as_yaml
from maskgit_lab.assembly.schemas import TrainConfig
from maskgit_lab.machine.held_log import begin_logs
from maskgit_lab.runs.folder import RunFolder
from maskgit_lab.runs.provenance import process, provenance
from maskgit_lab.runs.snapshot import Snapshot

SCORED_EPOCHS = "scored_epochs"  # of result.json: while a run goes on, how many epochs the scores are of
MISTAKES = (ValueError, FileNotFoundError, OmegaConfBaseException)  # shown as one line (commands.shell)


class RunRecord:
    """config.yaml and result.json of one run.

    A new run is recorded at once. One that goes on is recorded when everything was checked (`begin`): until then no byte of its
    folder changes. Its scores stay until there are new ones. When it ends before it has trained anything, its configuration and
    curves are put back, after a mistake its result too.

    Args:
        config: what is run.
        folder: where.
    """

    def __init__(self, config: TrainConfig, folder: RunFolder) -> None:
        self._config, self._folder = config, folder
        self._before = Snapshot.of(folder)
        self._begun = False
        now = {"status": "running", "name": config.name, "seed": config.seed, "process": process(), "provenance": provenance()}
        self.result: dict[str, Any] = self._earlier() | now
        if config.resume is None:
            self.begin()

    def begin(self) -> None:
        """Write both files, and the log."""
        begin_logs()
        if not self._begun:
            self._folder.write_config(as_yaml(self._config))
        self._begun = True
        self._folder.write_result(self.result)

    def end(self, status: str, error: BaseException | None = None) -> None:
        """Write how it ended; of several processes that failed the first one has said why."""
        self.result["status"] = status
        if not self._begun:
            return
        if error is not None:
            self._folder.record_failure(error)
            self.result |= {key: self._folder.read_result()[key] for key in ("status", "error", "traceback")}
        if self._config.resume is not None and status != "completed" and not self._before.trained_since():
            self._before.put_back(self._folder.config, self._folder.metrics)
            if isinstance(error, MISTAKES):
                self._before.put_back(self._folder.result)
                return
        self._folder.write_result(self.result)

    def _earlier(self) -> dict[str, Any]:
        """Return what stays of the result of a run that goes on."""
        if self._config.resume is None or not self._folder.result.is_file():
            return {}
        result = self._folder.read_result()
        ends = [*result.get("resumed", []), {key: result[key] for key in ("status", "epochs", "provenance") if key in result}]
        scored = {SCORED_EPOCHS: result.get(SCORED_EPOCHS, result.get("epochs"))} if "scores" in result else {}
        return {key: value for key, value in result.items() if key not in ("error", "traceback")} | scored | {"resumed": ends}
