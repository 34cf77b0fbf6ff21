"""One fill as a page asks for it, checked: the image, the hole, and how to decode."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from maskgit_lab.assembly.decode_choices import Choice
from maskgit_lab.core.ranges import require_number
from maskgit_lab.web.answers import RefusedError, require_object
from maskgit_lab.web.image_store import ImageStore, KeptImage
from maskgit_lab.web.limits import Limits
from maskgit_lab.web.uploads import painted_hole, scaled_hole, view_size

LARGEST_SEED = 2**32 - 1
LARGEST_TEMPERATURE = 100.0
STRATEGIES = ("crop", "resize")  # of the inpainter, for images of any size
SWITCHES = {"seamless": True, "match_histogram": False}  # of the inpainter, as it has them where nothing else is asked for
KEYS = {
    "image", "hole", "strategy", "schedule", "policy", "policy_numbers", "num_steps", "sweet_spot", "choice_temperature",
    "token_temperature", "num_samples", "seed", *SWITCHES,
}  # fmt: skip


@dataclass(frozen=True)
class FillRequest:
    """What to fill and how."""

    kept: KeptImage
    hole: np.ndarray  # (H, W) bool of the image's own size
    changes: dict[str, Any]  # of the run's decoding, by fields of DecodeSettings
    num_samples: int
    seed: int
    strategy: str
    seamless: bool  # fit the fill to the known pixels beside the hole
    match_histogram: bool  # give each crop the tones of what is known in it


@dataclass(frozen=True)
class FillChoices:
    """What a page may choose: the options of conf, within the limits."""

    schedules: Mapping[str, Choice]
    policies: Mapping[str, Choice]
    limits: Limits

    def read(self, content: Any, images: ImageStore) -> FillRequest:
        """Return a request that can be done.

        Args:
            content: JSON as a page sent it, with keys of `KEYS`; what is left out is as the run has it.
            images: that are kept.

        Returns:
            The request.

        Raises:
            RefusedError: naming the first thing that is wrong.
        """
        asked = require_object(content, known=KEYS)
        kept = images.get(asked.get("image"))
        hole = scaled_hole(painted_hole(asked.get("hole"), size=view_size(kept.image)), kept.image.size)
        strategy = asked.get("strategy", STRATEGIES[0])
        if strategy not in STRATEGIES:
            raise RefusedError(f"strategy must be one of {', '.join(STRATEGIES)}.")
        try:
            require_number("num_samples", asked.get("num_samples", 1), least=1, most=self.limits.max_samples, whole=True)
            require_number("seed", asked.get("seed", 0), least=0, most=LARGEST_SEED, whole=True)
            changes = self._changes(asked)
        except ValueError as error:
            raise RefusedError(f"{error}.") from error
        return FillRequest(
            kept, hole, changes, asked.get("num_samples", 1), asked.get("seed", 0), strategy,
            **{key: _switch(asked, key) for key in SWITCHES},
        )  # fmt: skip

    def _changes(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        changes: dict[str, Any] = {}
        for key in ("choice_temperature", "token_temperature"):
            if key in asked:
                require_number(f"decode.{key}", asked[key], least=0, most=LARGEST_TEMPERATURE)
                changes[key] = asked[key]
        if "num_steps" in asked:
            require_number("decode.num_steps", asked["num_steps"], least=1, most=self.limits.max_steps, whole=True)
            changes["num_steps"] = asked["num_steps"]
        if "sweet_spot" in asked:
            changes["sweet_spot"] = asked["sweet_spot"]
        if "schedule" in asked:
            changes["schedule"] = _option(self.schedules, "schedule", asked["schedule"]).built()
        if "policy" in asked:
            numbers = require_object(asked.get("policy_numbers", {}))
            changes["policy"] = _option(self.policies, "policy", asked["policy"]).built(**numbers)
        return changes


def _switch(asked: Mapping[str, Any], key: str) -> bool:
    value = asked.get(key, SWITCHES[key])
    if not isinstance(value, bool):
        raise RefusedError(f"{key} must be true or false.")
    return value


def _option(options: Mapping[str, Choice], key: str, name: object) -> Choice:
    if not isinstance(name, str) or name not in options:
        raise ValueError(f"{key} must be one of {', '.join(options)}")
    return options[name]
