"""The README: every path it names is there, its table lists what there is; its commands: test_documented_commands."""

import re
from pathlib import Path

import pytest

from maskgit_lab.assembly.config import config_dir

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()


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
