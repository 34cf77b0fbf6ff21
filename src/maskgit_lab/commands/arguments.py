"""What is typed after a command, before Hydra sees it: paths and texts are taken as they are, whatever characters they hold.

Hydra reads values in a grammar of its own, in which spaces, commas, brackets, quotes, `=` and letters with accents mean something
or are refused. Values of the keys below are quoted for it. `~/` at the beginning of a path is the home folder.
`decode.policy=NAME` is Hydra's decode/policy=NAME, a group within a group.
"""

import os
import re
from pathlib import Path

PATHS = (
    "resume", "run", "images", "masks", "out", "outputs", "truth", "paths.runs", "paths.cache", "data.root", "data.test_root",
    "data.masks", "data.train_masks", "data.source.root", "data.source.test_root", "data.source.masks", "tokenizer.checkpoint",
    "metrics.extractor.weights", "tokenizer.training.perceptual.weights", "perceptual_weights", "hydra.run.dir", "hydra.sweep.dir",
)  # fmt: skip
TEXTS = (
    "name", "notes", "logger.wandb.name", "logger.wandb.project", "logger.wandb.group", "logger.wandb.notes", "mask_hole",
    "mask_suffix", "data.mask_hole", "data.mask_suffix", "data.train_mask_hole",
)  # fmt: skip
LISTS = ("images",)  # several paths in brackets, unless there is a file of that name
ITEM = re.compile(r"""\s*(?:'([^']*)'|"([^"]*)"|([^,]+))\s*(?:,|$)""")
NESTED_GROUPS = {"decode.policy": "decode/policy"}
NEEDS_NO_QUOTES = re.compile(r"(?!(true|false|nan|inf)$)[a-z_./][\w./:@%+-]*", re.ASCII | re.IGNORECASE)
MEANT_FOR_HYDRA = re.compile(r"""['"].*['"]|null|.*\$\{.*""", re.DOTALL)
SWEEPS = ("experiment=sweep_", "hydra.mode=MULTIRUN")  # do without -m
SWEPT = re.compile(r".*,.*|(choice|range|glob|interval|sort|shuffle)\(.*", re.DOTALL)  # with -m


def as_typed(arguments: list[str]) -> list[str]:
    """Return arguments whose paths and texts Hydra reads as they were typed; in a sweep commas separate values."""
    sweep = any(argument in ("-m", "--multirun") or argument.startswith(SWEEPS) for argument in arguments)
    return [_quoted(_decoded(_of_a_group(argument)), sweep) for argument in arguments]


def _of_a_group(argument: str) -> str:
    """Return the choice of an option in a nested group as Hydra spells it."""
    key, _, value = argument.partition("=")
    return f"{NESTED_GROUPS[key]}={value}" if key in NESTED_GROUPS and not value.startswith("{") else argument


def expand_home() -> None:
    """Put the home folder for `~/` at the beginning of this package's environment variables, which no shell does in quotes."""
    for name in ("MASKGIT_LAB_RUNS", "MASKGIT_LAB_CACHE"):
        if os.environ.get(name, "").startswith("~/"):
            os.environ[name] = str(Path(os.environ[name]).expanduser())


def _decoded(argument: str) -> str:
    """Return what the locale could not decode as UTF-8, but where it names files: those are found by the locale's own rules."""
    if argument.partition("=")[0].lstrip("+") in (*PATHS, "name"):
        return argument
    return os.fsencode(argument).decode("utf-8", errors="surrogateescape")


def _quoted(argument: str, sweep: bool) -> str:
    key, _, value = argument.partition("=")
    name = key.lstrip("+")
    if name not in (*PATHS, *TEXTS) or not value or MEANT_FOR_HYDRA.fullmatch(value) or (sweep and SWEPT.fullmatch(value)):
        return argument
    if name in LISTS and value.startswith("[") and value.endswith("]") and not os.path.lexists(value):
        items = ["".join(found).strip() for found in ITEM.findall(value[1:-1])]
        return f"{key}=[{','.join(_as_text(_at_home(item), always=True) for item in items)}]"
    return f"{key}={_as_text(_at_home(value) if name in PATHS else value)}"


def _at_home(path: str) -> str:
    return str(Path(path).expanduser()) if path.partition("/")[0] == "~" else path


def _as_text(value: str, *, always: bool = False) -> str:
    """Return a value in Hydra's quotes, where it needs them or `always`."""
    if NEEDS_NO_QUOTES.fullmatch(value) and not always:
        return value
    escaped = re.sub(r"(\\*)('|$)", lambda found: found[1] * 2 + found[2].replace("'", "\\'"), value)
    return f"'{escaped}'"
