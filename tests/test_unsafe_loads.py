"""No file runs code: what would unpickle is written nowhere in the package."""

import ast
from pathlib import Path

import pytest

SOURCES = sorted((Path(__file__).resolve().parents[1] / "src" / "maskgit_lab").rglob("*.py"))
READERS = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}  # modules whose `load` runs code
FORBIDDEN = {"unsafe_load", "full_load", "load_from_checkpoint", "read_pickle", "add_safe_globals", "eval", "exec"}


def unsafe(tree: ast.AST) -> list[str]:
    """Return what a module calls that could run code from a file."""
    found = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func)
        options = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
        base, _, last = name.rpartition(".")
        unsafe_load = last in ("load", "loads", "Unpickler") and base.split(".")[0] in READERS
        torch_load = name == "torch.load" and options.get("weights_only") != "True"
        numpy_load = options.get("allow_pickle", "False") != "False"
        lightning = (
            last in ("fit", "validate", "test", "predict") and "ckpt_path" in options and options.get("weights_only") != "True"
        )
        forbidden = last in FORBIDDEN and base != "model"  # model.eval()
        if unsafe_load or torch_load or numpy_load or lightning or (forbidden and not (last == "eval" and base)):
            found.append(ast.unparse(node))
    return found


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_package_unpickles_nothing(path: Path):
    assert unsafe(ast.parse(path.read_text())) == []


@pytest.mark.parametrize(
    "code",
    [
        "torch.load(path)", "torch.load(path, weights_only=False)", "pickle.load(file)", "np.load(path, allow_pickle=True)",
        "trainer.fit(module, ckpt_path=path)", "yaml.unsafe_load(text)", "eval(text)", "joblib.load(path)",
    ],
)  # fmt: skip
def test_unsafe_sees_what_would_run_code(code: str):
    assert unsafe(ast.parse(code)) == [code]
