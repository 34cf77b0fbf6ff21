"""What the page is told at its start: the run, the options of conf with their sentences, and the bounds."""

from collections.abc import Mapping
from typing import Any

from maskgit_lab.assembly.decode_choices import Choice
from maskgit_lab.core.decoding import DecodeSettings
from maskgit_lab.web.examples import NUM_EXAMPLES
from maskgit_lab.web.fill_request import STRATEGIES, SWITCHES, FillChoices

CURVE_POINTS = 33  # of a schedule, from progress 0 to 1
AS_RUN = ""  # the name of what is no option: as the run has it


def about(*, name: str, resolution: int, settings: DecodeSettings, seed: int, choices: FillChoices) -> dict[str, Any]:
    """Describe a run and what can be chosen.

    Args:
        name: of the run.
        resolution: pixels per side that its networks see.
        settings: how it decodes, where nothing else is chosen.
        seed: of the first fill.
        choices: what can be chosen.

    Returns:
        What the page shows and offers, for JSON.
    """
    limits = choices.limits
    return {
        "run": name,
        "resolution": resolution,
        "schedules": [_described(choice) | {"curve": _curve(choice.built())} for choice in choices.schedules.values()],
        "policies": [_described(choice) for choice in choices.policies.values()],
        "strategies": STRATEGIES,
        "examples": NUM_EXAMPLES,
        "defaults": {
            "schedule": _name_of(settings.schedule, choices.schedules),
            "policy": _name_of(settings.policy, choices.policies),
            "num_steps": settings.num_steps,
            "sweet_spot": settings.sweet_spot,
            "choice_temperature": settings.choice_temperature,
            "token_temperature": settings.token_temperature,
            "seed": seed,
            **SWITCHES,
        },
        "limits": {
            "max_upload_bytes": limits.max_upload_bytes,
            "max_pixels": limits.max_pixels,
            "max_samples": limits.max_samples,
            "max_steps": limits.max_steps,
        },
    }


def _described(choice: Choice) -> dict[str, Any]:
    numbers = [{"key": number.key, "value": number.value, "text": number.text} for number in choice.numbers]
    return {"name": choice.name, "text": choice.text, "numbers": numbers}


def _curve(schedule: Any) -> list[float]:
    return [round(float(schedule(i / (CURVE_POINTS - 1))), 4) for i in range(CURVE_POINTS)]


def _name_of(built: Any, choices: Mapping[str, Choice]) -> str:
    """Return the option that gives this object, `AS_RUN` when none does."""
    return next((choice.name for choice in choices.values() if repr(choice.built()) == repr(built)), AS_RUN)
