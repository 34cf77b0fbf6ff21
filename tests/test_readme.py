"""The README's commands exist: every example composes, every path it names is there."""

import re
import shlex
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

from maskgit_lab.assembly.config import config_dir
from maskgit_lab.assembly.schemas import register

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()
EXAMPLES: list[tuple[str, str]] = re.findall(r"^python -m maskgit_lab\.(\w+) (.+?)(?:\s+#.*)?$", README, flags=re.MULTILINE)

HYDRA_EXAMPLES = [example for example in EXAMPLES if example[0] != "collect"]


def test_readme_has_examples():
    assert len(EXAMPLES) >= 8


@pytest.mark.parametrize(("module", "arguments"), HYDRA_EXAMPLES, ids=[arguments for _, arguments in HYDRA_EXAMPLES])
def test_readme_examples_compose(module: str, arguments: str):
    parts = shlex.split(arguments)
    overrides = [part.split(",")[0] if "-m" in parts else part for part in parts if part != "-m"]
    register()
    with initialize_config_dir(version_base="1.3", config_dir=config_dir()):
        assert compose(config_name=module, overrides=overrides)


@pytest.mark.parametrize("target", re.findall(r"\]\(((?!http)[^)#]+)\)", README))
def test_readme_links_lead_somewhere(target: str):
    assert (ROOT / target).is_file()


@pytest.mark.parametrize("command", ["demo", "test"])
def test_readme_commands_are_in_the_makefile(command: str):
    assert f"make {command}" in README
    assert re.search(rf"^{command}:", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)


def test_readme_table_lists_the_groups_and_options_there_are():
    rows = re.findall(r"^\| `(\w+)` \| (.+) \|$", README, flags=re.MULTILINE)
    conf = Path(config_dir())
    table = {group: set(re.findall(r"`(\w+)`", re.sub(r"\([^)]*\)", "", options))) for group, options in rows}
    for group in (
        "experiment",
        "recipe",
        "data",
        "tokenizer",
        "model",
        "mask_schedule",
        "training",
        "trainer",
        "callbacks",
        "logger",
    ):
        assert table[group] == {path.stem for path in (conf / group).glob("[!_]*.yaml")}, group
    assert table["metrics"] == {path.stem for path in (conf / "metrics").glob("*.yaml")}
