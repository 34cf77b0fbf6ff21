"""Cores and waiting threads: what the system allows is found, what the user has set wins, and the commands say it once."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from maskgit_lab.machine import cores
from maskgit_lab.machine.cores import SLEEP, cgroup_quotas, let_waiting_threads_sleep, share_cores, usable_cores
from tests.support.commands import environment

pytestmark = pytest.mark.thorough


@pytest.fixture(autouse=True)
def eight_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cores, "visible_cores", lambda: 8)
    monkeypatch.setattr(cores, "cgroup_quotas", list)


@pytest.fixture
def before_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "torch", raising=False)


@pytest.mark.usefixtures("before_torch")
def test_let_waiting_threads_sleep_tells_threads_to_sleep():
    settings: dict[str, str] = {}
    assert let_waiting_threads_sleep(settings)
    assert settings == SLEEP
    assert share_cores(1, settings) == "Threads: one per core, asleep while they wait"


@pytest.mark.usefixtures("before_torch")
@pytest.mark.parametrize("name", cores.WAITING)
def test_let_waiting_threads_sleep_leaves_what_the_user_says_of_waiting(name: str):
    settings = {name: "active"}
    assert not let_waiting_threads_sleep(settings)
    assert settings == {name: "active"}
    assert share_cores(1, settings) == f"Threads: one per core, waiting as configured: {name}=active"


def test_let_waiting_threads_sleep_is_too_late_after_torch_and_that_is_said(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "torch", sys)
    settings: dict[str, str] = {}
    assert not let_waiting_threads_sleep(settings)
    assert "spinning while they wait" in share_cores(1, settings)


@pytest.mark.parametrize(
    ("processes", "quotas", "slurm", "expected"),
    [
        (1, [], None, None),  # all cores: OpenMP knows best, it counts physical ones
        (2, [], None, "4"),
        (3, [], None, "2"),
        (16, [], None, "1"),
        (1, [2.0], None, "2"),
        (1, [1.5, 4.0], None, "2"),
        (2, [2.0], None, "1"),
        (1, [], "3", "3"),
        (1, [0.25], "3", "1"),
        (None, [2.0], None, None),  # not known how many will share them: Lightning decides
    ],
)
def test_share_cores_sets_as_many_threads_as_may_run(processes, quotas, slurm, expected, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(cores, "cgroup_quotas", lambda: quotas)
    settings = {} if slurm is None else {"SLURM_CPUS_PER_TASK": slurm}
    share_cores(processes, settings)
    assert settings.get("OMP_NUM_THREADS") == expected


def test_share_cores_keeps_a_number_of_threads_that_is_set(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(cores, "cgroup_quotas", lambda: [1.0])
    settings = {"OMP_NUM_THREADS": "5", "OMP_WAIT_POLICY": "active"}
    assert share_cores(2, settings) == "Threads: 5 (OMP_NUM_THREADS), waiting as configured: OMP_WAIT_POLICY=active"
    assert settings["OMP_NUM_THREADS"] == "5"


def test_usable_cores_are_those_there_are_when_slurm_allots_more():
    assert usable_cores({"SLURM_CPUS_PER_TASK": "64"}) == 8


def test_cgroup_quotas_are_those_of_a_group_and_of_those_around_it(tmp_path: Path):
    own, root = tmp_path / "cgroup", tmp_path / "fs"
    (root / "jobs" / "mine").mkdir(parents=True)
    (root / "jobs" / "cpu.max").write_text("300000 100000\n")
    (root / "jobs" / "mine" / "cpu.max").write_text("max 100000\n")
    own.write_text("0::/jobs/mine\n")
    assert cgroup_quotas(own, root) == [3.0]


def test_cgroup_quotas_of_version_1_are_read(tmp_path: Path):
    own, root = tmp_path / "cgroup", tmp_path / "fs"
    (root / "cpu,cpuacct" / "mine").mkdir(parents=True)
    for name, value in (("quota", "150000"), ("period", "100000")):
        (root / "cpu,cpuacct" / "mine" / f"cpu.cfs_{name}_us").write_text(f"{value}\n")
    own.write_text("4:memory:/mine\n3:cpu,cpuacct:/mine\n0::/\n")
    assert cgroup_quotas(own, root) == [1.5]


def test_cgroup_quotas_are_found_in_a_container_where_the_path_is_the_hosts(tmp_path: Path):
    own, root = tmp_path / "cgroup", tmp_path / "fs"
    root.mkdir()
    (root / "cpu.max").write_text("50000 100000\n")
    own.write_text("0::/system.slice/docker-1234\n")
    assert cgroup_quotas(own, root) == [0.5]


def test_cgroup_quotas_are_none_where_nothing_is_said(tmp_path: Path):
    assert cgroup_quotas(tmp_path / "missing", tmp_path) == []
    (tmp_path / "cpu.max").write_text("nonsense\n")
    (tmp_path / "cgroup").write_text("0::/\n")
    assert cgroup_quotas(tmp_path / "cgroup", tmp_path) == []


@pytest.mark.skipif(sys.platform != "linux", reason="libgomp, which says what it has read, comes with torch on Linux")
def test_let_waiting_threads_sleep_sets_what_openmp_reads(tmp_path: Path):
    # the library that torch came with is loaded by itself: torch would take seconds
    spec = importlib.util.find_spec("torch")
    assert spec is not None
    assert spec.origin is not None
    torch = Path(spec.origin).parent
    (library, *_) = map(str, [*torch.glob("lib/libgomp*"), *torch.parent.glob("torch.libs/libgomp*")])
    code = f"""
import ctypes
from maskgit_lab.machine.cores import let_waiting_threads_sleep
let_waiting_threads_sleep()
ctypes.CDLL({library!r})
"""
    settings = {k: v for k, v in environment(tmp_path).items() if k not in cores.WAITING}
    answer = subprocess.run(
        [sys.executable, "-c", code], env={**settings, "OMP_DISPLAY_ENV": "verbose"}, capture_output=True, text=True, check=True
    )
    assert "OMP_WAIT_POLICY = 'PASSIVE'" in answer.stderr
    assert f"GOMP_SPINCOUNT = '{cores.SPINS}'" in answer.stderr
