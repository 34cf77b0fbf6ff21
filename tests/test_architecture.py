"""The house: imports point one way, files stay short, names say what is inside."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "maskgit_lab"
SOURCES = sorted(PACKAGE.rglob("*.py"))
MAX_LINES = 350

# what each folder may import of the package; "" stands for the modules at the top
ALLOWED = {
    "core": {"core"},
    "models": {"core", "models"},
    "interop": {"interop", "models"},
    "data": {"data", "models"},
    "evaluation": {"core", "models", "data", "evaluation"},
    "training": {"core", "models", "data", "evaluation", "training"},
    "": {"core", "models", "data", "evaluation", "training", "interop", ""},
}
# packages that only some folders may import
ONLY_IN = {"hydra": {""}, "omegaconf": {""}, "lightning": {"training", "data", ""}, "wandb": {"training"}}


def imported(path: Path) -> set[str]:
    """Return the full names of all imported modules, those inside functions too."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names.add(node.module or "")
    return names


def folder_of(module: str) -> str:
    parts = module.split(".")[1:]
    return parts[0] if parts and (PACKAGE / parts[0]).is_dir() else ""


def relative(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_imports_point_one_way(path: Path):
    inside = path.relative_to(PACKAGE).parts
    folder = inside[0] if len(inside) > 1 else ""
    ours = {name for name in imported(path) if name.split(".")[0] == "maskgit_lab"}
    assert {folder_of(name) for name in ours} <= ALLOWED[folder]
    foreign = {name.split(".")[0] for name in imported(path)}
    assert not {name for name, places in ONLY_IN.items() if name in foreign and folder not in places}


def test_lightning_stays_in_the_datamodule_of_its_folder():
    users = [p.name for p in (PACKAGE / "data").glob("*.py") if "lightning" in {n.split(".")[0] for n in imported(p)}]
    assert users == ["datamodule.py"]


@pytest.mark.parametrize("path", [*SOURCES, *sorted((ROOT / "tests").rglob("*.py"))], ids=lambda p: p.name)
def test_files_are_short(path: Path):
    assert len(path.read_text().splitlines()) <= MAX_LINES


def test_no_file_is_a_drawer():
    assert not [relative(p) for p in SOURCES if p.stem in ("utils", "util", "helpers", "common", "misc")]


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text().splitlines()) < 200


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_public_names_have_docstrings(path: Path):
    tree = ast.parse(path.read_text())
    public = [
        node
        for scope in [tree, *(n for n in tree.body if isinstance(n, ast.ClassDef))]
        for node in scope.body
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")
    ]
    documented = {node.name for node in public if ast.get_docstring(node)}  # an override inherits its text
    assert ast.get_docstring(tree) is not None
    assert {node.name for node in public} - documented == set()
