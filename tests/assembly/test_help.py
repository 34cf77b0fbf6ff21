"""What --help says: every key with its meaning, the command's own groups only, in 80 columns."""

import re
from functools import cache

import pytest

from maskgit_lab.assembly.help import ACTING, WIDTH, help_text
from maskgit_lab.assembly.schemas import SCHEMAS
from maskgit_lab.commands import shell
from tests.test_public_keys import LISTED

LONG = "A long sentence " * 8
HEAD = f"{LONG}\n\npython -m maskgit_lab.NAME {'key=value ' * 12}"


@cache  # half a second each
def shown_text(command: str) -> str:
    return help_text(command, HEAD, [])


def keys(text: str) -> dict[str, tuple[str, str]]:
    """Return key -> (value, meaning) of what --help printed."""
    found: dict[str, tuple[str, str]] = {}
    path: list[str] = []
    for line in text.partition("== Keys (key=value) ==\n")[2].partition("\n== More")[0].splitlines():
        entry = re.match(r"( *)(\w+):(?: (\S+))?(?:\s{2,}(.*))?$", line)
        if entry and len(entry[1]) < 8:
            path[len(entry[1]) // 2 :] = [entry[2]]
            found[".".join(path)] = (entry[3] or "", entry[4] or "")
        elif line.strip():
            key = ".".join(path)
            found[key] = (found[key][0], f"{found[key][1]} {line.strip()}".strip())
    return found


@pytest.mark.parametrize("command", SCHEMAS)
def test_help_has_every_key_with_its_meaning(command: str):
    shown = keys(shown_text(command))
    leaves = {key for key, (value, _) in shown.items() if value}
    assert {key: said for key, (_, said) in shown.items() if key in leaves and not said} == {}
    listed = {line.split()[1] for line in LISTED.read_text().splitlines() if line.startswith(f"{command} ")}
    assert leaves <= listed
    needed = {key for key in listed if "." not in key and key in ACTING.get(command, (key,))}
    assert needed <= set(shown)


@pytest.mark.parametrize("command", SCHEMAS)
def test_help_fits_a_terminal(command: str):
    assert max(map(len, shown_text(command).splitlines())) <= WIDTH


@pytest.mark.parametrize(
    ("command", "groups"),
    [
        ("report", set()), ("audit", {"data"}), ("inpaint", {"decode/policy", "mask_schedule"}),
        ("evaluate", {"data", "decode/policy", "metrics"}),
        ("train_tokenizer", {"data", "debug", "experiment", "recipe", "tokenizer", "trainer"}),
    ],
)  # fmt: skip
def test_help_lists_the_groups_of_the_command(command: str, groups: set[str]):
    text = shown_text(command).partition("== Groups (group=option) ==\n")[2].partition("\n\n")[0]
    assert {line.partition(":")[0] for line in text.splitlines() if not line.startswith(" ")} == groups


def test_help_shows_the_values_of_what_was_typed():
    shown = keys(help_text("train", HEAD, ["model=base", "decode/policy=remdm", "seed=7"]))
    assert shown["seed"][0] == "7"
    assert shown["model.transformer.dim"][0] == "768"
    assert shown["decode.policy.eta"] == ("0.2", "0..1, of rescale, cap and loop; 0 = nothing is hidden again")
    assert shown["data.hole_share"][0] == "[0.1,0.3]"
    assert "data.source.hole_style" not in keys(help_text("train", HEAD, ["data=image_folder", "data.root=x"]))


def test_help_examples_can_be_typed_as_they_are_broken():
    typed = re.search(r"  (python -m .*?)\n\n", shown_text("report"), flags=re.DOTALL)
    assert typed is not None
    assert typed[1].replace("\\\n", "").split() == ["python", "-m", "maskgit_lab.NAME", *["key=value"] * 12]


def test_help_shows_options_of_a_further_folder(tmp_path, monkeypatch, capsys):
    (tmp_path / "conf" / "mask_schedule").mkdir(parents=True)
    (tmp_path / "conf" / "mask_schedule" / "mine.yaml").write_text("_target_: mine.Mine\n")
    monkeypatch.setattr("sys.argv", ["train", "--config-dir", str(tmp_path / "conf"), "mask_schedule=mine", "--help"])
    shell.hydra_command("train", HEAD)()
    text = capsys.readouterr().out
    assert "(Mine)" in text
    assert "log, mine, root" in text


@pytest.mark.parametrize("flags", [["--help"], []])
def test_shell_names_a_further_folder_that_is_not_there(flags, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["train", "--config-dir", "nowhere", *flags])
    with pytest.raises(SystemExit):
        shell.hydra_command("train", HEAD)()
    assert capsys.readouterr().err == "\nerror: --config-dir nowhere: there is no such folder\n"
