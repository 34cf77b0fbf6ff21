"""Mask schedules and policies by the names of their configuration files: for callers without a configuration.

What a file from elsewhere may ask for is in these tables and nowhere else.
"""

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from maskgit_lab.core import schedules
from maskgit_lab.core.decoding import DecodeSettings
from maskgit_lab.core.policies.confidence import Confidence
from maskgit_lab.core.policies.entropy import Entropy
from maskgit_lab.core.policies.entropy_bound import EntropyBound
from maskgit_lab.core.policies.guidance import ContextGuidance
from maskgit_lab.core.policies.halton import Halton
from maskgit_lab.core.policies.margin import Margin
from maskgit_lab.core.policies.moment import Moment
from maskgit_lab.core.policies.path_planning import PathPlanning
from maskgit_lab.core.policies.policy import Policy
from maskgit_lab.core.policies.random_order import RandomOrder
from maskgit_lab.core.policies.remasking import Remasking
from maskgit_lab.core.policies.time_travel import TimeTravel
from maskgit_lab.core.policies.vectors import Vectors
from maskgit_lab.core.schedules import MaskSchedule

SCHEDULES: dict[str, type[MaskSchedule]] = {
    "arccos": schedules.Arccos, "cosine": schedules.Cosine, "cubic": schedules.Cubic, "exp": schedules.Exponential,
    "linear": schedules.Linear, "log": schedules.Logarithmic, "root": schedules.Root, "sigmoid": schedules.Sigmoid,
    "square": schedules.Square, "vector": schedules.Vector,
}  # fmt: skip
POLICIES: dict[str, type[Policy]] = {
    "confidence": Confidence, "context_guidance": ContextGuidance, "eb": EntropyBound, "entropy": Entropy, "halton": Halton,
    "margin": Margin, "moment": Moment, "p2": PathPlanning, "random": RandomOrder, "remdm": Remasking, "time_travel": TimeTravel,
    "vectors": Vectors,
}  # fmt: skip


def schedule_named(name: str, **arguments: Any) -> MaskSchedule:
    """Return a mask schedule; raise ValueError when there is none of that name, or it does not take these arguments."""
    return _made("mask_schedule", SCHEDULES, name, arguments)


def policy_named(name: str, **arguments: Any) -> Policy:
    """Return a policy; raise ValueError when there is none of that name, or it does not take these arguments."""
    return _made("decode.policy", POLICIES, name, arguments)


def _made(key: str, known: Mapping[str, Any], name: str, arguments: Mapping[str, Any]) -> Any:
    if name not in known:
        raise ValueError(f"{key} must be one of {', '.join(sorted(known))}, got {name!r}")
    try:
        return known[name](**arguments)
    except TypeError as error:
        raise ValueError(f"{key} {name}: {error}") from error


def plain_schedule(schedule: MaskSchedule) -> dict[str, Any]:
    """Return name and arguments that make a schedule again; raise ValueError when it is not one of the table."""
    name = _name_of("mask_schedule", SCHEDULES, schedule)
    if isinstance(schedule, schedules.Vector):
        return {"name": name, "shares": schedule.knots[1:].tolist()}
    if isinstance(schedule, schedules.Logarithmic | schedules.Exponential):
        return {"name": name, "num_image_tokens": round(2**schedule.log_tokens)}
    return {"name": name}


def plain_policy(policy: Policy) -> dict[str, Any]:
    """Return name and arguments that make a policy again; raise ValueError when it is not one of the table."""
    name = _name_of("decode.policy", POLICIES, policy)
    values = {field.name: getattr(policy, field.name) for field in fields(policy)}  # type: ignore[arg-type]  # all are dataclasses
    return {"name": name, **{key: list(value) if isinstance(value, list | tuple) else value for key, value in values.items()}}


def _name_of(key: str, known: Mapping[str, type], made: object) -> str:
    for name, kind in known.items():
        if type(made) is kind:
            return name
    raise ValueError(f"{key} {made!r} is of another package: only {', '.join(sorted(known))} can be kept")


def changed_settings(settings: DecodeSettings, **changes: Any) -> DecodeSettings:
    """Return settings with other values, by the names of `decode.*`; `policy` and `mask_schedule` by name or as objects.

    Raise ValueError when a value is out of range or a name is not known.
    """
    if "mask_schedule" in changes:
        changes["schedule"] = changes.pop("mask_schedule")
    if isinstance(changes.get("schedule"), str):
        changes["schedule"] = schedule_named(changes["schedule"])
    if isinstance(changes.get("policy"), str):
        changes["policy"] = policy_named(changes["policy"])
    unknown = sorted(set(changes) - {field.name for field in fields(settings)})
    if unknown:
        known = sorted({field.name for field in fields(settings)} - {"schedule"} | {"mask_schedule"})
        raise ValueError(f"decode.{unknown[0]} is not known; there are {', '.join(known)}")
    return replace(settings, **changes)
