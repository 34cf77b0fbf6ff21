"""Read back what wandb wrote offline: its file is a LevelDB log of protobuf records."""

import json
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wandb.proto import wandb_internal_pb2 as pb

HEADER_BYTES = 7  # of the file: ":W&B", a magic number, a version
BLOCK_BYTES = 32768
RECORD_HEADER = struct.Struct("<IHB")  # checksum, length, kind
FULL, FIRST, MIDDLE, LAST = 1, 2, 3, 4
PATIENCE_SECONDS = 30.0


@dataclass
class OfflineRun:
    """One run as the dashboard would show it."""

    run_id: str = ""
    group: str = ""
    tags: list[str] = field(default_factory=list)
    config: dict[str, Any] = field(default_factory=dict)
    summary: dict[str, Any] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    system: list[dict[str, Any]] = field(default_factory=list)
    best: dict[str, str] = field(default_factory=dict)  # curve -> min or max, what the summary keeps of it
    exit_code: int | None = None

    def values(self, name: str) -> list[Any]:
        """Return a curve."""
        return [row[name] for row in self.history if name in row]


def read_offline_run(folder: Path) -> OfflineRun:
    """Return the run in an `offline-run-...` folder, once it is whole.

    `run.finish()` returns before wandb's service has written out its last block, which ends with the exit record.

    Raises:
        TimeoutError: when the file has no exit record after PATIENCE_SECONDS.
    """
    (path,) = folder.glob("run-*.wandb")
    until = time.monotonic() + PATIENCE_SECONDS
    while (run := _read(path)).exit_code is None:
        if time.monotonic() > until:
            raise TimeoutError(f"{path} has no exit record after {PATIENCE_SECONDS:g} s")
        time.sleep(0.05)
    return run


def _read(path: Path) -> OfflineRun:
    run = OfflineRun()
    for payload in _payloads(path.read_bytes()):
        record = pb.Record()  # type: ignore[attr-defined]  # each protobuf version has a module of its own
        record.ParseFromString(payload)
        _add(run, record)
    return run


def _add(run: OfflineRun, record: Any) -> None:
    kind = record.WhichOneof("record_type")
    if kind == "run":
        run.run_id, run.group, run.tags = record.run.run_id, record.run.run_group, list(record.run.tags)
        run.config |= {item.key: json.loads(item.value_json) for item in record.run.config.update}
    elif kind == "config":
        run.config |= {item.key or item.nested_key[0]: json.loads(item.value_json) for item in record.config.update}
    elif kind == "history":
        items = record.history.item
        run.history.append({item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in items})
    elif kind == "summary":
        run.summary |= {i.key or i.nested_key[0]: json.loads(i.value_json) for i in record.summary.update}
    elif kind == "metric":
        for kept in ("min", "max"):
            if getattr(record.metric.summary, kept):
                run.best[record.metric.name] = kept
    elif kind == "stats":
        run.system.append({item.key: json.loads(item.value_json) for item in record.stats.item})
    elif kind == "exit":
        run.exit_code = record.exit.exit_code


def _payloads(content: bytes) -> Iterator[bytes]:
    position, parts = HEADER_BYTES, []
    while position + RECORD_HEADER.size <= len(content):
        left = BLOCK_BYTES - position % BLOCK_BYTES
        if left < RECORD_HEADER.size:
            position += left
            continue
        _, length, kind = RECORD_HEADER.unpack_from(content, position)
        position += RECORD_HEADER.size
        if position + length > len(content):  # still being written
            return
        parts.append(content[position : position + length])
        position += length
        if kind in (FULL, LAST):
            yield b"".join(parts)
            parts = []
