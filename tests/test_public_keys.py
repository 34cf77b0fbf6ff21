"""The keys that users type are a promise: tests/public_keys.txt lists them, and what is added or renamed is seen here.

python -m tests.test_public_keys > tests/public_keys.txt
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf

from maskgit_lab.assembly.config import config_dir
from maskgit_lab.assembly.schemas import SCHEMAS, register

LISTED = Path(__file__).with_name("public_keys.txt")


def public_keys() -> list[str]:
    """Return `command key` of every key that a command has at first, or that an option of one of its groups brings."""
    register()
    found = set()
    with initialize_config_dir(version_base="1.3", config_dir=config_dir()):
        for command in SCHEMAS:
            cfg = compose(command, return_hydra_config=True)
            groups = [str(group) for group in cfg.hydra.runtime.choices if not str(group).startswith("hydra/")]
            keys = {key for key in _keys(cfg, "") if not key.startswith("hydra.")}
            found |= {f"{command} {key}" for key in keys.union(*(_brought_by(group) for group in groups))}
    return sorted(found)


def _brought_by(group: str) -> set[str]:
    found = set()
    for path in (Path(config_dir()) / group).glob("*.yaml"):
        content = OmegaConf.load(path)
        assert isinstance(content, DictConfig)
        content.pop("defaults", None)
        prefix = "" if "@package _global_" in path.read_text() else f"{group.replace('/', '.')}."
        found |= {key for key in _keys(content, prefix) if not key.startswith("hydra.")}
    return found


def _keys(node: DictConfig, prefix: str) -> Iterator[str]:
    for key in map(str, node):
        child: Any = None if OmegaConf.is_missing(node, key) else node._get_node(key)
        if key.startswith("_"):
            continue
        if isinstance(child, DictConfig) and not child._is_none() and not child._is_interpolation():
            yield from _keys(child, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"


def test_public_keys_are_those_that_are_listed():
    found, listed = set(public_keys()), set(LISTED.read_text().splitlines())
    assert found == listed, (
        f"added: {sorted(found - listed)}, gone: {sorted(listed - found)}. A key that is renamed or gone needs a line in "
        "CHANGELOG.md; then python -m tests.test_public_keys > tests/public_keys.txt"
    )


if __name__ == "__main__":
    print("\n".join(public_keys()))
