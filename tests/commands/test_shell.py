"""Commands answer at once, from anywhere, and errors are messages."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.commands import environment, run

COMMANDS = ("train", "train_tokenizer", "inpaint", "evaluate", "audit", "report")


@pytest.mark.parametrize("flag", ["--help", "--cfg=job"])
def test_shell_answers_questions_without_torch(flag: str, tmp_path: Path):
    """One interpreter asks every command, each in a fork of its own."""
    code = (
        "import os, runpy, sys, time, maskgit_lab.commands.shell\n"
        f"for module in {COMMANDS}:\n"
        "    print('COMMAND', module, flush=True)\n"
        "    start = time.perf_counter()\n"
        "    if os.fork() == 0:\n"
        f"        sys.argv = [module, '{flag}']\n"
        "        try: runpy.run_module(f'maskgit_lab.{module}', run_name='__main__')\n"
        "        finally: assert not {'torch', 'lightning', 'wandb'} & set(sys.modules), 'heavy import'\n"
        "        sys.exit()\n"
        "    assert os.wait()[1] == 0, module\n"
        "    assert time.perf_counter() - start < 10, module\n"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment(tmp_path), capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stderr
    assert answer.stderr == ""
    assert list(tmp_path.iterdir()) == []  # a question leaves no files
    shown = dict(text.split("\n", 1) for text in answer.stdout.split("COMMAND ")[1:])
    assert list(shown) == list(COMMANDS)
    for module, text in shown.items():
        assert text.strip()
        if flag == "--help":  # with an example and the groups
            assert f"python -m maskgit_lab.{module}" in text
        if flag == "--help" and module.startswith("train"):
            assert "cats_best, cats_cpu, cosine, linear, square, sweep_batch_size" in text


def test_console_scripts_are_installed(tmp_path: Path):
    script = Path(sys.executable).parent / "maskgit-train"
    answer = subprocess.run(
        [script, "--cfg", "job"], cwd=tmp_path, env=environment(tmp_path), capture_output=True, text=True, check=True
    )
    assert "mask_schedule:" in answer.stdout


@pytest.mark.parametrize(
    ("module", "arguments", "message"),
    [
        ("train", ["data=cat_faces", "data.root=nowhere"], "data.root=nowhere: there is no such file or folder"),
        ("train", ["decode.sweet_spot=9"], "decode.sweet_spot must be from 1 to decode.num_steps (7), got 9"),
        ("train", ["+optimizer.momentum=0.9"], "momentum"),
        ("train_tokenizer", ["data=image_folder", "data.root=nowhere"], "data.root=nowhere: there is no such file or folder"),
        ("train", ["model.transformer.num_heads=5"], "model.dim (192) must be a multiple of model.num_heads (5)"),
        ("inpaint", ["run=nowhere", "images=.", "out=out"], "nowhere is not a run folder of maskgit_lab"),
    ],
)
def test_shell_errors_are_one_message_that_names_the_key(module: str, arguments: list[str], message: str, tmp_path: Path):
    small = ["data.source.num_train=16", "data.source.num_val=4", "data.source.num_test=4"]
    fitting = small if module == "train" and not any("data=" in a or "num_train" in a for a in arguments) else []
    answer = run(module, *fitting, *arguments, cwd=tmp_path, home=tmp_path)
    assert answer.returncode == 1
    assert message in answer.stderr
    assert "Traceback" not in answer.stderr


def test_package_lists_its_commands(tmp_path: Path):
    answer = subprocess.run(
        [sys.executable, "-m", "maskgit_lab"], cwd=tmp_path, env=environment(tmp_path), capture_output=True, text=True, check=True
    )  # fmt: skip
    for module in (*COMMANDS, "collect"):
        assert f"  {module} " in answer.stdout
    assert "  Fill the holes of images from files with a trained run" in answer.stdout
