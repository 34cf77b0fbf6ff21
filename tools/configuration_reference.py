"""Write docs/reference/configuration.md: every key with its default, its meaning and what is allowed, from YAML files and code.

python -m tools.configuration_reference        # writes it
"""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from maskgit_lab.assembly.check import CHOICES, LEAST, MAY_BE_NULL, MOST, YES_OR_NO
from maskgit_lab.assembly.config import config_dir, options_of
from maskgit_lab.assembly.flag_values import BATCHES, NUMBERS
from maskgit_lab.assembly.help import ACTING, as_typed
from maskgit_lab.assembly.key_comments import GLOBAL, comments, files_of, made_from, sentence
from maskgit_lab.assembly.numbers import LENGTHS, RANGES
from maskgit_lab.assembly.schemas import SCHEMAS

PAGE = Path(__file__).resolve().parents[1] / "docs" / "reference" / "configuration.md"
CONF = Path(config_dir())
HEAD = """# Every configuration key

Made by `python -m tools.configuration_reference` from the YAML files, their comments and the ranges that the code checks:
change those, not this page.

A key is typed as `key=value` after a command: `python -m maskgit_lab.train decode.num_steps=12`. An option of a group is typed
as `group=option`: `mask_schedule=cosine`. `python -m maskgit_lab.COMMAND --help` shows the same with the values that hold there.

`???` must be given. Where no range is given, the part that takes the value checks it. A value out of its range ends the command
with one line that names the key, before anything is loaded or written.
"""
NO_BOUND = 2**31 - 1  # from here on an upper limit is the computer's


def page() -> str:
    """Return the whole page."""
    parts = [HEAD]
    parts += ["## Commands\n", *(_command(name) for name in SCHEMAS)]
    parts += ["## Groups\n", *(_group(group) for group in groups())]
    return "\n".join(parts).rstrip() + "\n"


def groups() -> list[str]:
    """Return the groups of options, as they are typed."""
    folders = [path for path in CONF.rglob("*") if path.is_dir() and path.relative_to(CONF).parts[0] != "hydra"]
    return sorted(str(path.relative_to(CONF)) for path in folders)


def allowed(key: str, value: Any = None) -> str:
    """Return in words what a key takes, as far as its name and default say it; empty where only its constructor knows.

    Args:
        key: dotted, as it is typed.
        value: its default.
    """
    one_of = key.rpartition(".")[2] + "[]" if f"{key}[]" in LEAST else key
    flag = key.removeprefix("trainer.")
    if key in CHOICES:
        said = ", ".join(f"`{choice}`" for choice in CHOICES[key] if choice is not None) + (", null" if value is None else "")
    elif key in YES_OR_NO or isinstance(value, bool):
        said = "`true`, `false`"
    elif key in RANGES:
        said = in_words(**RANGES[key]) + (", or null" if key in MAY_BE_NULL and "or_null" not in RANGES[key] else "")
    elif key.startswith("trainer.") and flag in NUMBERS:
        said = in_words(**NUMBERS[flag])
    elif key.startswith("trainer.") and flag in BATCHES:
        said = "whole number, at least 1; or a share above 0 and at most 1"
    elif one_of in LEAST:
        said = in_words(least=LEAST[one_of], most=MOST.get(one_of), whole=True) + (", or null" if key in MAY_BE_NULL else "")
    else:
        said = ""
    if key in LENGTHS:
        return f"{LENGTHS[key]} numbers, each {said}"
    return f"list, each {said}" if said and isinstance(value, list) else said


def in_words(
    *, least: float | None = None, above: float | None = None, most: float | None = None, below: float | None = None,
    whole: bool = False, unit: str = "", or_null: bool = False,
) -> str:  # fmt: skip
    """Return a range of `core.ranges.require_number` in words."""
    most = None if most is not None and most >= NO_BOUND else most
    bounds = [
        f"{word} {bound:,}" if isinstance(bound, int) else f"{word} {bound:g}"
        for bound, word in ((least, "at least"), (above, "above"), (most, "at most"), (below, "below")) if bound is not None
    ]  # fmt: skip
    said = " and ".join(bounds)
    if least is not None and most is not None:
        said = f"{least:,} to {most:,.0f}" if most == int(most) else f"{least:g} to {most:g}"
    parts = ["whole number" if whole else "number", said + (f" {unit}" if unit else "")]
    return ", ".join(part for part in parts if part) + (", or null" if or_null else "")


def _command(name: str) -> str:
    said = _said(made_from(CONF, name))
    values = _content(*reversed(made_from(CONF, name)))
    rows = [
        _row(key, f"`{as_typed(value)}`", said.get(key, ""), value)
        for key, value in values.items() if key not in ("hydra", "defaults") and key in ACTING.get(name, (key,))
    ]  # fmt: skip
    names = [group for path in made_from(CONF, name) for group, _ in _defaults(path) if " " not in group]
    shown = [group for group in names if group in ACTING.get(name, (group,))]
    links = ", ".join(f"[`{group}`](#{_anchor(group)})" for group in shown)
    text = f"### {name}\n\n{sentence(CONF / f'{name}.yaml')}\n"
    if name in ACTING:
        text += "\nThe other keys of `train` are taken, too, so that the same overrides find the same tokenizer; they do not act.\n"
    if links:
        text += f"\nGroups: {links}.\n"
    return text + ("\n" + _table(rows) if rows else "")


def _group(group: str) -> str:
    options = options_of(group)
    text = f"### {group}\n\n"
    purpose = _said(made_from(CONF, "train")).get(group.replace("/", "."), "")
    text += f"{purpose[:1].upper()}{purpose[1:]}.\n\n" if purpose else ""
    is_overlay = any(GLOBAL in (CONF / group / f"{option}.yaml").read_text(encoding="utf-8") for option in options)
    lines = ["| option | is | sets |" if is_overlay else "| option | is |", "|---|---|---|" if is_overlay else "|---|---|"]
    for option in options:
        path = CONF / group / f"{option}.yaml"
        cells = [f"`{group.replace('/', '.')}={option}`", sentence(path) or _docstring_of(path)]
        if is_overlay:
            cells.append(", ".join(_settings(path)))
        lines.append("| " + " | ".join(map(_cell, cells)) + " |")
    text += "\n".join(lines) + "\n"
    if not is_overlay:
        rows = list(_rows(group, options))
        text += "\n" + _table(rows) if rows else ""
    return text


def _rows(group: str, options: list[str]) -> Iterator[str]:
    """Yield a row for each key that an option of a group has, with the value in each."""
    prefix = group.replace("/", ".") + "."
    values = {option: dict(_flat(_content(*reversed(made_from(CONF / group, option))))) for option in options}
    keys = dict.fromkeys(key for found in values.values() for key in found)
    longest: dict[str, Any] = max(values.values(), key=len)
    order = {key: i for i, key in enumerate(longest)}
    for key in sorted(keys, key=lambda key: order.get(key, len(order))):
        having = {option: found[key] for option, found in values.items() if key in found}
        texts = {option: as_typed(value) for option, value in having.items()}
        if len(set(texts.values())) == 1 and len(texts) in (1, len(options)):
            shown = f"`{next(iter(texts.values()))}`" + (f" (`{next(iter(texts))}`)" if len(texts) < len(options) else "")
        else:
            by_text = {text: [f"`{option}`" for option in texts if texts[option] == text] for text in texts.values()}
            shown = ", ".join(f"`{text}` ({', '.join(names)})" for text, names in by_text.items())
        said = _meaning(group, key, list(having))
        first = next(iter(having.values()))
        follows = as_typed(first)
        if follows.startswith("${.."):
            said = said or f"follows `{prefix}{follows.strip('${.}')}`"
        yield _row(prefix + key, shown, said, first)


def _meaning(group: str, key: str, options: list[str]) -> str:
    """Return what is said of a key by the option that a command begins with; what each says, where it has no such key."""
    own = {option: said[key] for option in options if key in (said := _said(made_from(CONF / group, option)))}
    begins = next((option for option in _begins_with(group) if option in own), None)
    if begins is not None:
        return own[begins]
    if len(set(own.values())) > 1:
        return "; ".join(f"`{option}`: {text}" for option, text in own.items())
    return next(iter(own.values()), _said(files_of(CONF, group, "")).get(key, ""))


@cache
def _begins_with(group: str) -> list[str]:
    """Return the option of a group that `train` begins with, and the one that others begin with."""
    *above, name = group.split("/")
    files = [CONF.joinpath(*above, "default.yaml")] if above else [CONF / "train.yaml", *sorted(CONF.glob("*.yaml"))]
    return [option for path in files for group, option in _defaults(path) if group == name]


def _content(*files: Path) -> dict[str, Any]:
    """Return the keys of YAML files as they are written, later files over earlier ones."""
    merged = OmegaConf.to_container(OmegaConf.merge(*map(OmegaConf.load, files)), resolve=False)
    assert isinstance(merged, dict)
    return {str(key): value for key, value in merged.items()}


def _defaults(path: Path) -> Iterator[tuple[str, str]]:
    """Yield the groups of a file's defaults list with the options it takes."""
    for entry in _content(path).get("defaults", []):
        if isinstance(entry, dict):
            yield from ((str(group), str(option)) for group, option in entry.items())


def _flat(node: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield (dotted key, value) of everything that is no dictionary; without `_target_` and the like, and defaults."""
    for key, value in node.items():
        if str(key).startswith("_") or (key == "defaults" and not prefix):
            continue
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _settings(path: Path) -> Iterator[str]:
    yield from (f"`{group.removeprefix('override /')}={option}`" for group, option in _defaults(path))
    yield from (f"`{key}={as_typed(value)}`" for key, value in _flat(_content(path)) if key not in ("name", "tags"))


def _docstring_of(path: Path) -> str:
    """Return what is said of the class that a file names, read from its source: nothing is imported."""
    module, _, name = str(_content(path).get("_target_", "")).rpartition(".")
    source = CONF.parent / "src" / Path(*module.split(".")).with_suffix(".py")
    tree = ast.parse(source.read_text(encoding="utf-8"))
    found = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name]
    return (ast.get_docstring(found[0]) or "").partition("\n")[0] if found else ""


def _said(files: Any) -> dict[str, str]:
    result: dict[str, str] = {}
    for path in files:
        result = comments(path) | result
    return result


def _row(key: str, default: str, said: str, value: Any) -> str:
    return "| " + " | ".join(map(_cell, (f"`{key}`", default, said, allowed(key, value)))) + " |"


def _table(rows: list[str]) -> str:
    return "\n".join(["| key | default | is | allowed |", "|---|---|---|---|", *rows]) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("_target_: maskgit", "`_target_`: maskgit")


def _anchor(group: str) -> str:
    return group.replace("/", "")  # as GitHub and Python-Markdown make it


def main() -> None:
    """Write the page."""
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
