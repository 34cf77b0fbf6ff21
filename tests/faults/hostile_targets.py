"""What a stranger's configuration may name: callables that would run a command or write a file, and ways to get at them."""

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np


class Touch:
    """Pickled, it makes the canary when it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch '{self.path}'",)


def targets(folder: Path, canary: Path) -> dict[str, Any]:
    """Return nodes by name, each of which makes the canary when it is built; what they need is written to `folder`."""
    at, shell = str(canary), f"touch '{canary}'"
    script, archive, array = folder / "script.py", folder / "evil.pt", folder / "evil.npy"
    script.write_text(f"import os\nos.system({shell!r})\n")
    (folder / "hubconf.py").write_text(script.read_text())
    (folder / "mod").mkdir()
    (folder / "mod" / "evil_module.py").write_text(script.read_text())
    archive.write_bytes(pickle.dumps(Touch(canary)))
    np.save(array, np.array([Touch(canary)], dtype=object), allow_pickle=True)
    system = {"_target_": "os.system", "_args_": [shell]}
    later = {"_target_": "os.system", "_args_": [shell], "_partial_": True}
    handlers = {"f": {"class": "logging.FileHandler", "filename": at}}
    arguments: dict[str, dict[str, Any]] = {
        "os.system": {"_args_": [shell]},
        "posix.system": {"_args_": [shell]},
        "os.popen": {"cmd": shell},
        "os.mkdir": {"path": at},
        "os.makedirs": {"name": at},
        "os.mknod": {"path": at},
        "os.symlink": {"src": "/", "dst": at},
        "builtins.open": {"file": at, "mode": "w"},
        "io.open": {"file": at, "mode": "w"},
        "io.FileIO": {"file": at, "mode": "w"},
        "codecs.open": {"filename": at, "mode": "w"},
        "builtins.exec": {"_args_": [script.read_text()]},
        "builtins.eval": {"_args_": [f"open({at!r}, 'w')"]},
        "builtins.print": {"_args_": ["x"], "file": {"_target_": "builtins.open", "file": at, "mode": "w"}},
        "subprocess.run": {"args": ["touch", at]},
        "subprocess.Popen": {"args": ["touch", at]},
        "subprocess.call": {"args": ["touch", at]},
        "subprocess.check_output": {"args": ["touch", at]},
        "subprocess.getoutput": {"cmd": shell},
        "shutil.copyfile": {"src": str(script), "dst": at},
        "shutil.copytree": {"src": str(folder / "mod"), "dst": at},
        "shutil.move": {"src": str(script), "dst": at},
        "shutil.rmtree": {"path": str(folder / "precious")},
        "torch.load": {"f": str(archive), "weights_only": False},
        "torch.save": {"obj": 1, "f": at},
        "torch.hub.load": {"repo_or_dir": str(folder), "model": "x", "source": "local"},
        "torch.os.system": {"_args_": [shell]},
        "numpy.load": {"file": str(array), "allow_pickle": True},
        "numpy.save": {"file": at, "arr": [1]},
        "numpy.memmap": {"filename": at, "mode": "w+", "shape": [1]},
        "numpy.lib.format.open_memmap": {"filename": at, "mode": "w+", "shape": [1]},
        "numpy.savetxt": {"fname": at, "X": [1]},
        "joblib.load": {"filename": str(archive)},
        "joblib.dump": {"value": 1, "filename": at},
        "pickle.loads": {"_args_": [{"_target_": "builtins.bytes", "_args_": [list(archive.read_bytes())]}]},
        "pickle.load": {"file": {"_target_": "builtins.open", "file": str(archive), "mode": "rb"}},
        "runpy.run_path": {"path_name": str(script)},
        "pydoc.importfile": {"path": str(script)},
        "site.addsitedir": {"sitedir": str(folder / "mod")},
        "logging.FileHandler": {"filename": at},
        "logging.config.dictConfig": {"config": {"version": 1, "handlers": handlers, "root": {"handlers": ["f"]}}},
        "sqlite3.connect": {"database": at},
        "zipfile.ZipFile": {"file": at, "mode": "w"},
        "tarfile.open": {"name": at, "mode": "w"},
        "urllib.request.urlretrieve": {"url": script.as_uri(), "filename": at},
        "pty.spawn": {"argv": ["touch", at]},
        "timeit.timeit": {"stmt": script.read_text(), "number": 1},
        "cProfile.run": {"statement": script.read_text()},
        "hydra.utils.instantiate": {"config": system, "_recursive_": False},
        "hydra.utils.call": {"config": system, "_recursive_": False},
        "hydra.utils.get_method": {"path": "os.system"},
        "hydra._internal.instantiate._instantiate2.instantiate": {"config": system, "_recursive_": False},
        "omegaconf.OmegaConf.save": {"config": {"a": 1}, "f": at},
        "functools.partial": {"_args_": [later]},
        "functools.reduce": {"_args_": [later, [shell, shell]]},
        "builtins.map": {"_args_": [later, [shell]]},
        "builtins.list": {"_args_": [{"_target_": "builtins.map", "_args_": [later, [shell]]}]},
        "maskgit_lab.data.image_files.os.system": {"_args_": [shell]},
        "maskgit_lab.machine.whole_file.os.system": {"_args_": [shell]},
        "maskgit_lab.runs.trained_store.shutil.copyfile": {"src": str(script), "dst": at},
        "maskgit_lab.runs.trained_store._link": {"source": str(script), "target": at},
        "maskgit_lab.models.tokenizer.torch.load": {"f": str(archive), "weights_only": False},
        "maskgit_lab.assembly.config.build": {"node": system, "_recursive_": False},
        "maskgit_lab.training.loggers.csv_logger": {"_args_": [at]},
        "maskgit_lab.runs.folder.RunFolder.write_config": {
            "_args_": [{"_target_": "maskgit_lab.runs.folder.RunFolder", "root": at}, "x"]
        },
        "maskgit_lab.models.tokenizer.FrozenTokenizer.load": {"path": str(archive)},
        "maskgit_lab.commands.train.run_experiment": {"config": None, "root": at},
        "maskgit_lab.core.schedules.Linear.__init__.__globals__": {},
        "maskgit_lab.__builtins__.exec": {"_args_": [script.read_text()]},
        "lightning.pytorch.trainer.trainer.os.system": {"_args_": [shell]},
        "lightning.pytorch.callbacks.LambdaCallback": {"on_fit_start": later, "setup": later},
        "lightning.pytorch.loggers.CSVLogger": {"save_dir": at, "name": "x"},
        "lightning.pytorch.cli.LightningCLI": {},
        "torchmetrics.utilities.imports.os.system": {"_args_": [shell]},
        "torch.optim.lr_scheduler.LambdaLR": {"lr_lambda": later},
        "wandb.sdk.lib.filesystem.os.system": {"_args_": [shell]},
        "multiprocessing.Process": {"target": later},
        "threading.Timer": {"interval": 0, "function": later},
        "atexit.register": {"_args_": [later]},
    }
    return {name: {"_target_": name, **told} for name, told in arguments.items()}
