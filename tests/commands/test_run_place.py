"""Where a run goes, before Hydra makes a folder."""

import functools
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, open_dict, read_write

from maskgit_lab.assembly.read import as_yaml
from maskgit_lab.assembly.schemas import register
from maskgit_lab.commands.made_folders import leaving_no_empty_folder, made
from maskgit_lab.commands.run_place import RunPlace, place_of_run, place_of_sweep
from maskgit_lab.machine.ranks import RANK_VARIABLES, WORD
from maskgit_lab.runs.folder import RunFolder
from tests.support.configs import CONF, configuration


@functools.cache
def with_hydra(command: str) -> DictConfig:
    register()
    with initialize_config_dir(version_base="1.3", config_dir=str(CONF)):
        return compose(command, return_hydra_config=True)


def told(runs: Path, *, command: str = "train", **typed: str) -> DictConfig:
    """Return what Hydra composes of `run_dir`, `sweep_dir`, `resume`, with the runs in a folder."""
    config = with_hydra(command).copy()
    with read_write(config), open_dict(config):
        config.hydra.job.config_name = command
        config.paths.runs = str(runs)
        config.hydra.run.dir = str(runs / "default" / "2026-01-31_12-00-00")
        config.hydra.sweep.dir = str(runs / "sweeps" / "2026-01-31_12-00-00")
        for name in ("run", "sweep"):
            if f"{name}_dir" in typed:
                config.hydra[name].dir = typed[f"{name}_dir"]
                config.hydra.overrides.hydra.append(f"hydra.{name}.dir={typed[f'{name}_dir']}")
        config.resume = typed.get("resume")
    return config


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch):
    for name in (*RANK_VARIABLES, WORD, "TORCHELASTIC_RUN_ID", "SLURM_STEP_ID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(WORD, "")  # what is set is given back


def finished(root: Path, status: str = "completed") -> RunFolder:
    folder = RunFolder(root)
    folder.write_config(as_yaml(configuration()))
    folder.write_result({"status": status})
    (root / ".hydra").mkdir()
    (root / ".hydra" / "config.yaml").write_text("of the command that began the run")
    return folder


def test_place_of_run_is_another_folder_for_each_run_of_one_second(tmp_path: Path):
    places = [Path(place_of_run(told(tmp_path)).folder).name for _ in range(3)]
    assert places == ["2026-01-31_12-00-00", "2026-01-31_12-00-00_2", "2026-01-31_12-00-00_3"]


@pytest.mark.parametrize("command", ["train", "train_tokenizer"])
def test_run_place_ends_a_command_that_names_the_folder_of_a_run(tmp_path: Path, command: str, capsys: pytest.CaptureFixture[str]):
    folder = finished(tmp_path / "run")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(SystemExit) as ended:
        RunPlace().on_run_start(told(tmp_path, command=command, run_dir=str(folder.root)))
    assert ended.value.code == 1
    assert "hydra.run.dir: " in capsys.readouterr().err
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_run_place_of_a_resumed_run_is_its_folder_whose_notes_and_log_wait(tmp_path: Path):
    folder = finished(tmp_path / "run")
    config = told(tmp_path, resume=str(folder.root))
    RunPlace().on_run_start(config)
    assert config.hydra.run.dir == config.resume == str(folder.root)
    assert config.hydra.output_subdir is None
    assert config.hydra.job_logging.handlers.file["class"].endswith("HeldLog")


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ({"resume": "nowhere"}, "nowhere is not a run folder of maskgit_lab"),
        ({"resume": "run", "run_dir": "other"}, "hydra.run.dir=other and resume=run name two folders"),
        ({"resume": "run", "command": "train_tokenizer"}, "resume is for train"),
    ],
)
def test_place_of_run_refuses_a_resume_that_means_nothing(
    tmp_path: Path, typed: dict[str, str], message: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    finished(tmp_path / "run")
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        place_of_run(told(tmp_path, **typed))
    assert not (tmp_path / "nowhere").exists()


def test_place_of_run_with_auto_is_the_latest_unfinished_run_or_a_new_one(tmp_path: Path):
    place = place_of_run(told(tmp_path, resume="auto"))
    assert (place.resume, Path(place.folder).name) == (None, "2026-01-31_12-00-00")
    assert "no unfinished run" in place.said
    for name in ("a", "b", "c"):
        finished(tmp_path / "default" / name, "completed" if name == "c" else "interrupted")
    place = place_of_run(told(tmp_path, resume="auto"))
    assert place.resume == place.folder == str(tmp_path / "default" / "b")
    assert place.said.startswith("resume=auto: going on with")


def test_run_place_of_another_process_is_what_the_first_one_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    finished(tmp_path / "default" / "a", "interrupted")
    first, second = told(tmp_path, resume="auto"), told(tmp_path, resume="auto")
    RunPlace().on_run_start(first)
    monkeypatch.setenv("LOCAL_RANK", "1")
    RunPlace().on_run_start(second)
    assert (second.hydra.run.dir, second.resume) == (first.hydra.run.dir, first.resume) == (str(tmp_path / "default" / "a"),) * 2


def test_place_of_sweep_is_another_folder_for_each_and_never_that_of_another(tmp_path: Path):
    assert [place_of_sweep(told(tmp_path)).name for _ in range(2)] == ["2026-01-31_12-00-00", "2026-01-31_12-00-00_2"]
    finished(tmp_path / "done" / "0")
    with pytest.raises(ValueError, match=r"hydra\.sweep\.dir: .*done holds the runs of a sweep"):
        place_of_sweep(told(tmp_path, sweep_dir=str(tmp_path / "done")))
    with pytest.raises(ValueError, match="resume does not go with a sweep"):
        place_of_sweep(told(tmp_path, resume="auto"))


def test_leaving_no_empty_folder_removes_what_was_made_for_nothing(tmp_path: Path):
    def mistake(*, configured: bool) -> None:
        with leaving_no_empty_folder():
            folder = Path(place_of_run(told(tmp_path)).folder)
            assert folder in made
            (folder / ".hydra").mkdir()
            (folder / "train.log").touch()
            if configured:
                (folder / "config.yaml").touch()
            raise SystemExit(1)

    for configured, left in ((False, 0), (True, 1)):
        with pytest.raises(SystemExit):
            mistake(configured=configured)
        assert len(list((tmp_path / "default").iterdir())) == left
