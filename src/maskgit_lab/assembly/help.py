"""What `--help` prints of a command and its configuration."""

from pathlib import Path
from textwrap import indent

import hydra
from omegaconf import OmegaConf

from maskgit_lab.assembly.config import config_dir
from maskgit_lab.assembly.schemas import register


def help_text(name: str, head: str, overrides: list[str]) -> str:
    """Return what `--help` prints: the head, the groups and their options, the configuration.

    Hydra's own `--help` says the same after several seconds: it copies the whole configuration store for every group.
    """
    register()
    with hydra.initialize_config_dir(version_base="1.3", config_dir=config_dir()):
        cfg = hydra.compose(name, overrides=overrides, return_hydra_config=True)
    groups = [str(group) for group in cfg.hydra.runtime.choices if not str(group).startswith("hydra/")]
    shown = OmegaConf.masked_copy(cfg, [str(key) for key in cfg if key != "hydra"])
    sentence, _, examples = head.partition("\n\n")
    options = "".join(f"{group}: {', '.join(_options(group))}\n" for group in sorted(groups))
    chapters = {
        "": f"{sentence}\n\n{indent(examples, '  ')}",
        "Groups (group=option)": options,
        "Configuration (any key: key=value)": OmegaConf.to_yaml(shown),
        "More": "--cfg job prints this configuration with your overrides; --hydra-help is about Hydra itself.",
    }
    return "\n".join(f"== {title} ==\n{text}" if title else text for title, text in chapters.items() if text)


def _options(group: str) -> list[str]:
    return sorted(path.stem for path in (Path(config_dir()) / group).glob("[!_]*.yaml"))
