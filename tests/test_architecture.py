"""The house: imports point one way and in no circle, files stay short, names say what is inside."""

import ast
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "maskgit_lab"
SOURCES = sorted(PACKAGE.rglob("*.py"))
MAX_LINES = 350
MAX_FILES_AT_THE_TOP = 12

GROUND = {"runs", "machine"}  # everybody from `data` on may import them; networks read and write files through `machine`
# what each room may import of the package besides itself, written as the layers that lie below it
BELOW: dict[str, set[str]] = {room: set() for room in ("core", *GROUND)}
BELOW["runs"] = {"machine"}
BELOW["models"] = {"core", "machine"}
BELOW["fast"] = {"models"} | BELOW["models"]
BELOW["interop"] = {"models"} | BELOW["models"]
BELOW["data"] = {"models"} | BELOW["models"] | GROUND
BELOW["repair"] = {"data"} | BELOW["data"]
BELOW["evaluation"] = {"data"} | BELOW["data"]
BELOW["reporting"] = {"evaluation"} | BELOW["evaluation"]
BELOW["training"] = {"reporting"} | BELOW["reporting"]
BELOW["assembly"] = {"training", "interop", "fast"} | BELOW["training"]
BELOW["inpainter"] = {"assembly", "repair"} | BELOW["assembly"] - {"fast"}
BELOW["web"] = {"inpainter"} | BELOW["inpainter"]
BELOW["commands"] = {"web"} | BELOW["web"]
DOORS = ("train", "train_tokenizer", "train_decoder", "inpaint", "app", "evaluate", "audit", "report", "collect")
BELOW |= {door: {"commands"} for door in DOORS}
BELOW |= {"__init__": {"inpainter"}, "__main__": set()}
# packages that only some rooms may import
ONLY_IN = {
    "hydra": {"assembly", "commands"},
    "omegaconf": {"assembly", "commands", "runs"},  # in runs: config.yaml, which OmegaConf wrote, of the jobs of a sweep
    "lightning": {"data", "training", "assembly", "commands"},
    "wandb": {"training"},
    "aiohttp": {"web"},
}


def imported(path: Path) -> set[str]:
    """Return the full names of all imported modules, those inside functions too."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def module_of(path: Path) -> str:
    """Return the dotted name of a file within the package."""
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts)


MODULES = {module_of(path): path for path in SOURCES}


def imported_modules(path: Path) -> set[str]:
    """Return the package's own modules that a file imports, by their dotted names."""
    names = {name.removeprefix("maskgit_lab.") for name in imported(path) if name.startswith("maskgit_lab.")}
    return {part for name in names for part in (name, name.rpartition(".")[0]) if part in MODULES}


def room_of(module: str) -> str:
    return module.partition(".")[0]


def relative(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_imports_point_one_way(path: Path):
    room = room_of(module_of(path))
    assert {room_of(name) for name in imported_modules(path)} <= BELOW[room] | {room}
    foreign = {room_of(name) for name in imported(path)}
    assert not {name for name, rooms in ONLY_IN.items() if name in foreign and room not in rooms}


@pytest.mark.parametrize("path", [p for p in SOURCES if room_of(module_of(p)) in ("core", "models", "fast")], ids=relative)
def test_core_and_networks_need_torch_only(path: Path):
    """Beside torch: NumPy, which draws for dropout, in `fast`, and torchvision where the perceptual loss is built."""
    module = module_of(path)
    foreign = {room_of(name) for name in imported(path)} - set(sys.stdlib_module_names) - {"maskgit_lab"}
    beside = {"models.squeezenet": {"torchvision"}}.get(module, {"numpy"} if room_of(module) == "fast" else set())
    assert foreign <= {"torch"} | beside


def test_imports_go_round_in_no_circle():
    list(TopologicalSorter({module: imported_modules(path) for module, path in MODULES.items()}).static_order())


def test_package_has_few_files_at_the_top():
    assert len(list(PACKAGE.glob("*.py"))) <= MAX_FILES_AT_THE_TOP


@pytest.mark.parametrize("door", DOORS)
def test_doors_are_a_docstring_and_hardly_more(door: str):
    tree = ast.parse((PACKAGE / f"{door}.py").read_text())
    assert len(tree.body) <= 4  # docstring, import, main, and the call of `python -m`
    assert f"python -m maskgit_lab.{door}" in str(ast.get_docstring(tree))


def test_data_imports_lightning_in_its_datamodule_only():
    users = [p.name for p in (PACKAGE / "data").glob("*.py") if "lightning" in {room_of(n) for n in imported(p)}]
    assert users == ["datamodule.py"]


@pytest.mark.parametrize("path", [*SOURCES, *sorted((ROOT / "tests").rglob("*.py"))], ids=lambda p: p.name)
def test_files_are_short(path: Path):
    assert len(path.read_text().splitlines()) <= MAX_LINES


def test_files_are_no_drawers():
    assert not [relative(p) for p in SOURCES if p.stem in ("utils", "util", "helpers", "common", "misc")]


def test_readme_is_short():
    assert len((ROOT / "README.md").read_text().splitlines()) < 200


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_public_names_have_docstrings(path: Path):
    tree = ast.parse(path.read_text())
    scopes: list[ast.Module | ast.ClassDef] = [tree, *(n for n in tree.body if isinstance(n, ast.ClassDef))]
    public = [
        node
        for scope in scopes
        for node in scope.body
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")
    ]
    documented = {node.name for node in public if ast.get_docstring(node)}  # an override inherits its text
    assert ast.get_docstring(tree) is not None
    assert {node.name for node in public} - documented == set()
