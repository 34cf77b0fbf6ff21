"""What went wrong, as one line that says what to change."""

import errno
import re
from pathlib import Path
from typing import Any

import yaml
from hydra.errors import ConfigCompositionException, HydraException, MissingConfigException
from omegaconf import OmegaConf
from omegaconf.errors import ConfigKeyError, OmegaConfBaseException

from maskgit_lab.assembly.check import flat
from maskgit_lab.assembly.config import config_dir, options_of, search_path
from maskgit_lab.assembly.suggest import did_you_mean
from maskgit_lab.machine.whole_file import why_not_written

CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f]")
# what the system refuses because of a path or a disk; other numbers are mistakes of ours
OF_THE_SYSTEM = (
    errno.EACCES, errno.EPERM, errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENOSPC, errno.EDQUOT, errno.EROFS,
    errno.ENAMETOOLONG, errno.ELOOP, errno.EIO, errno.EFBIG, errno.EMFILE, errno.ENXIO, errno.ESTALE, errno.EXDEV,
)  # fmt: skip

OF_WRITING = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)  # never of reading


def is_the_users(error: BaseException) -> bool:
    """Return whether an error is about what was typed or about files, rather than a mistake of the program."""
    if isinstance(error, OSError):
        return error.errno is None or error.errno in OF_THE_SYSTEM
    return isinstance(error, ValueError | HydraException | OmegaConfBaseException | yaml.YAMLError)


def one_line(
    error: BaseException, *, command: str = "", arguments: list[str] | None = None, folder: str | None = None
) -> str:  # fmt: skip
    """Return the message of an error that `is_the_users`.

    Args:
        error: what went wrong.
        command: its name.
        arguments: KEY=VALUE that were typed after it.
        folder: a further one with options (--config-dir).

    Returns:
        One line.
    """
    if isinstance(error, OSError) and error.errno in OF_WRITING:
        text = why_not_written(error) or str(error)
    elif isinstance(error, OSError) and error.errno is not None:
        text = f"{error.filename}: {error.strerror}" if error.filename else str(error)
    elif isinstance(error, MissingConfigException):
        text = _no_option(str(error.missing_cfg_file or ""), folder)
    elif isinstance(error, HydraException):
        text = _of_hydra(error, command, arguments or [], folder)
    elif isinstance(error, OmegaConfBaseException):
        text = _of_values(error)
    else:
        text = str(error)
    twice = re.match(r"Multiple values for ([\w/]+)", text)
    if twice:
        text = f"{twice[1]} was chosen twice: {twice[1]}=OPTION, without +, takes another option, once"
    if text.startswith("Config group override must be"):
        text = _no_group(text, arguments or [])
    return " ".join(CONTROLS.sub(" ", text).split())


def _of_hydra(error: HydraException, command: str, arguments: list[str], folder: str | None) -> str:
    text, cause = str(error), error.__cause__
    no_key = re.match(r"Could not (?:override|delete from config\.) '([^']*)'", text)
    if no_key:
        return _no_key(no_key[1], command, arguments, folder)
    again = re.match(r"Could not append to config\. An item is already at '([^']*)'", text)
    if again:
        return f"{again[1]} is there already: type it without +"
    no_group = re.search(r"No match in the defaults list|Could not find '?([\w/]+)'? in the defaults list", text)
    if no_group is None and isinstance(cause, OmegaConfBaseException):
        typed = re.match(r"Error merging override (.*)", text)
        return f"{typed[1] if typed else ''}: {_of_values(cause)}"
    if isinstance(error, ConfigCompositionException) and no_group is not None:
        return text.partition("\n")[0]
    wrong = _unreadable(arguments)
    if wrong is not None:
        return wrong
    return text.partition("\nSee ")[0]


def _unreadable(arguments: list[str]) -> str | None:
    """Return what is wrong with the first argument that Hydra cannot read."""
    from hydra.core.override_parser.overrides_parser import OverridesParser

    parser = OverridesParser.create()
    for argument in arguments:
        try:
            sweep = parser.parse_override(argument).is_sweep_override()
        except HydraException:
            key, equals, value = argument.partition("=")
            if not equals:
                return f"{argument!r} is not KEY=VALUE (--help shows the keys)"
            return f"cannot read {argument}: text with spaces, brackets, quotes or = needs quotes, in a shell: '{key}=\"{value}\"'"
        if sweep:
            key, _, value = argument.partition("=")
            lists = f"a list brackets: {key}=[{value}]"
            return f"{argument}: several values need -m (a sweep), {lists}, a text quotes: '{key}=\"{value}\"'"
    return None


def _no_option(name: str, folder: str | None = None) -> str:
    group, _, option = name.rpartition("/")
    there = options_of(group, folder)
    if not group:
        return f"'={option}' has no key: KEY=VALUE (--help shows the keys)"
    if not there:
        return f"no configuration {name}"
    return f"{group}={option}: there are {', '.join(there)}{did_you_mean(option, there)}"


def _no_group(text: str, arguments: list[str]) -> str:
    for argument in arguments:
        group, _, value = argument.partition("=")
        if (Path(config_dir()) / group).is_dir() and not isinstance(yaml.safe_load(value), str | list):
            return _no_option(f"{group}/{value}")
    return text


def _no_key(key: str, command: str, arguments: list[str], folder: str | None) -> str:
    known = [name for name in _known_keys(command, arguments, folder) if not key.startswith(f"{name}.")]
    suggestion = did_you_mean(key, known) or did_you_mean(key.rpartition(".")[2], {name.rpartition(".")[2]: name for name in known})
    group, _, rest = key.partition(".")
    options = [path.stem for path in sorted((Path(config_dir()) / group).glob("[!_]*.yaml")) if rest and _has(path, rest)]
    elsewhere = f"; it belongs to {' and '.join(f'{group}={name}' for name in options)}" if options else ""
    return f"{key} is no key of {command} here{elsewhere or suggestion} (--help shows the keys)"


def _known_keys(command: str, arguments: list[str], folder: str | None) -> list[str]:
    """Return the keys of a command with the groups that were chosen."""
    import hydra

    chosen = [argument for argument in arguments if (Path(config_dir()) / argument.partition("=")[0]).is_dir()]
    with hydra.initialize_config_dir(version_base="1.3", config_dir=config_dir()):
        cfg = hydra.compose(command, overrides=chosen + search_path(folder))
    keys = list(flat(OmegaConf.to_container(cfg, resolve=False)))
    groups = {".".join(key.split(".")[:length]) for key in keys for length in range(1, key.count(".") + 1)}
    return [re.sub(r"\[\d+\]$", "", key) for key in keys] + sorted(groups)


def _has(path: Path, key: str) -> bool:
    found = flat(OmegaConf.to_container(OmegaConf.load(path), resolve=False))
    return any(name == key or name.startswith(f"{key}.") for name in found)


def _of_values(error: OmegaConfBaseException) -> str:
    message = str(error.msg or error).partition("\n")[0]
    if isinstance(error, ConfigKeyError) and error.object_type is not None:
        known = list(getattr(error.object_type, "__dataclass_fields__", {}))
        key: Any = str(error.full_key or error.key)
        return f"{key} is no key here{did_you_mean(key.rpartition('.')[2], known)} (--help shows the keys)"
    return f"{error.full_key}: {message}" if error.full_key else message
