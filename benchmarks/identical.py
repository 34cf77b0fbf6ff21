"""Are two runs the same? Weights, tokenizer, curves and scores, value by value: the proof that a change changes no result.

python -m benchmarks.identical runs/before/DATE runs/after/DATE
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from maskgit_lab.runs.folder import RunFolder
from maskgit_lab.runs.metrics_file import read_rows

IN_TIME = ("seconds", "images_per_second", "step_time")  # parts of names whose values are times


def main() -> None:
    """Compare two run folders; exit status 1 where they differ."""
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    one, other = (RunFolder(Path(argument)) for argument in sys.argv[1:])
    found = list(differences(one, other))
    print("\n".join(found) or "Identical: weights, tokenizer, curves, scores")
    sys.exit(bool(found))


def differences(one: RunFolder, other: RunFolder) -> Iterator[str]:
    """Yield what differs, a line each."""
    files = [one.tokenizer, *sorted(one.checkpoints.glob("*.ckpt"))]
    for path in files:
        same = other.root / path.relative_to(one.root)
        yield from _in_tensors(path.name, _tensors(path), _tensors(same))
    scores = [folder.read_result().get("scores") for folder in (one, other)]
    if json.dumps(scores[0]) != json.dumps(scores[1]):
        yield "result.json: other scores"
    rows = [_curves(folder) for folder in (one, other)]
    if rows[0] != rows[1]:
        yield "metrics.csv: other curves"


def _in_tensors(name: str, one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> Iterator[str]:
    if one.keys() != other.keys():
        yield f"{name}: only one has {sorted(one.keys() ^ other.keys())[:5]}"
        return
    unequal = [key for key in one if not torch.equal(one[key], other[key])]
    if unequal:
        yield f"{name}: {len(unequal)} of {len(one)} tensors differ, first {unequal[0]}"


def _tensors(path: Path) -> dict[str, torch.Tensor]:
    content = torch.load(path, map_location="cpu", weights_only=True)
    content.pop("callbacks", None)  # they name the folder
    return {key: value for key, value in _leaves(content, "") if isinstance(value, torch.Tensor)}


def _leaves(node: Any, name: str) -> Iterator[tuple[str, Any]]:
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list | tuple) else None
    if children is None:
        yield name, node
        return
    for key, child in children:
        yield from _leaves(child, f"{name}/{key}")


def _curves(folder: RunFolder) -> list[dict[str, str]]:
    return [
        {name: value for name, value in row.items() if not any(part in name for part in IN_TIME)}
        for row in read_rows(folder.metrics)
    ]


if __name__ == "__main__":
    main()
