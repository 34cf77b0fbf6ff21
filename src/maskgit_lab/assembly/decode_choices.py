"""The options of a group of decoding as somebody may choose them while a program runs: name, one sentence, numbers to set."""

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from maskgit_lab.assembly.config import build, config_dir
from maskgit_lab.assembly.networks import TOKENS

COMMENTED = re.compile(r"^(\w+): .*?#\s*(.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Number:
    """A number that an option takes."""

    key: str
    value: float  # as the option file has it
    text: str  # what its comment says


@dataclass(frozen=True)
class Choice:
    """An option of a group."""

    name: str
    text: str  # the sentence that its file begins with, empty where there is none
    numbers: tuple[Number, ...]
    node: dict[str, Any]

    def for_grid(self, num_image_tokens: int) -> "Choice":
        """Return a mask schedule for images of so many tokens."""
        return replace(self, node={**self.node, TOKENS: num_image_tokens}) if TOKENS in self.node else self

    def built(self, **numbers: float) -> Any:
        """Return the object, with other numbers; raise ValueError naming one that it does not take or that is out of range."""
        known = [number.key for number in self.numbers]
        unknown = sorted(set(numbers) - set(known))
        if unknown:
            raise ValueError(f"{self.name} has no number {unknown[0]}; it has {', '.join(known) or 'none'}")
        return build({**self.node, **numbers})


def choices(group: str) -> dict[str, Choice]:
    """Return the options of conf/GROUP by name."""
    found = {}
    for path in sorted((Path(config_dir()) / group).glob("[!_]*.yaml")):
        text = path.read_text(encoding="utf-8")
        node = OmegaConf.to_container(OmegaConf.create(text), resolve=False)
        assert isinstance(node, dict)
        comments = dict(COMMENTED.findall(text))
        numbers = tuple(
            Number(str(key), value, comments.get(str(key), ""))
            for key, value in node.items()
            if isinstance(value, int | float) and not isinstance(value, bool)
        )
        first = text.partition("\n")[0]
        sentence = first.removeprefix("#").strip() if first.startswith("#") else ""
        found[path.stem] = Choice(path.stem, sentence, numbers, {str(key): value for key, value in node.items()})
    return found
