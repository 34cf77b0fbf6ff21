"""Curves: which values are read, which panels are drawn."""

import numpy as np
from PIL import Image

from maskgit_lab.core.schedules import Cosine, Linear
from maskgit_lab.reporting.curves import save_schedule_curves, save_training_curves
from maskgit_lab.runs.metrics_file import read_metrics

METRICS = """epoch,step,train/loss,val/loss,val/fd_tokenizer
0,10,5.5,,
0,20,nan,,
0,20,,5.0,0.4
1,30,4.5,,
"""


def test_read_metrics_leaves_out_empty_cells_and_nan(tmp_path):
    (tmp_path / "metrics.csv").write_text(METRICS)
    series = read_metrics(tmp_path / "metrics.csv")
    np.testing.assert_array_equal(series["train/loss"], [[10, 5.5], [30, 4.5]])
    np.testing.assert_array_equal(series["val/fd_tokenizer"], [[20, 0.4]])


def test_save_training_curves_draws_only_panels_with_values(tmp_path):
    (tmp_path / "two.csv").write_text(METRICS)
    (tmp_path / "one.csv").write_text("epoch,step,train/loss\n0,10,5.5\n")
    widths = {}
    for name in ("one", "two"):
        path = save_training_curves(tmp_path / f"{name}.png", tmp_path / f"{name}.csv")
        assert path is not None
        with Image.open(path) as figure:
            widths[name] = figure.width
    assert widths["two"] == 2 * widths["one"]


def test_save_training_curves_of_a_file_without_values_gives_no_figure(tmp_path):
    (tmp_path / "metrics.csv").write_text("epoch,step\n0,1\n")
    assert save_training_curves(tmp_path / "c.png", tmp_path / "metrics.csv") is None
    assert not (tmp_path / "c.png").exists()


def test_save_schedule_curves_draws_schedules(tmp_path):
    path = save_schedule_curves(tmp_path / "s.png", {"linear": Linear(), "cosine": Cosine()})
    assert len(np.unique(np.asarray(Image.open(path).convert("RGB")).reshape(-1, 3), axis=0)) > 10
