"""A log file that is opened when something is known to be worth writing down: an error at the start touches no file."""

import logging
from pathlib import Path


class HeldLog(logging.FileHandler):
    """Keep records until `begin`, then write them and all that follow; append to the file.

    Args:
        filename: the log file.
        encoding: of its text.
        errors: what becomes of characters that it does not have, as in `open`.
    """

    def __init__(self, filename: str | Path, *, encoding: str = "utf-8", errors: str = "backslashreplace") -> None:
        super().__init__(filename, encoding=encoding, errors=errors, delay=True)
        self._held: list[logging.LogRecord] | None = []

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record, or keep it for later."""
        if self._held is None:
            super().emit(record)
        else:
            self._held.append(record)

    def begin(self) -> None:
        """Open the file and write what was kept."""
        held, self._held = self._held or [], None
        for record in held:
            super().emit(record)


def begin_logs() -> None:
    """Let all logs of this kind write."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, HeldLog):
            handler.begin()
