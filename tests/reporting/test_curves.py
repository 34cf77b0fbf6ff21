"""Curves: which values are read, which panels are drawn."""

import numpy as np
import pytest
from matplotlib.axes import Axes
from PIL import Image

from maskgit_lab.core.schedules import Cosine, Linear
from maskgit_lab.reporting.curves import save_schedule_curves, save_training_curves
from maskgit_lab.reporting.plots import calm, plots
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


def axis_of(values: list[float]) -> Axes:
    _, (axis,) = plots(1, width=4, height=3)
    axis.plot(range(len(values)), values)
    return axis


def test_calm_axis_says_whole_values_and_blows_up_no_noise():
    axis = axis_of([19.501, 19.502, 19.503])
    calm(axis, least_span=2.0)
    assert np.subtract(*axis.get_ylim()[::-1]) == pytest.approx(2.0)
    assert [axis.yaxis.get_major_formatter()(value, 0) for value in (19.5, 0.00012, 1250000.0)] == ["19.5", "0.00012", "1.25e+06"]


def test_calm_axis_begins_at_zero_for_what_is_counted_from_there():
    axis = axis_of([58.0, 60.0])
    calm(axis, from_zero=True)
    assert axis.get_ylim()[0] == 0
    assert axis.get_ylim()[1] > 60
    negative = axis_of([-1.0, 1.0])
    calm(negative, from_zero=True)
    assert negative.get_ylim()[0] < -1
