"""What the curves say, on curves whose story is known."""

from pathlib import Path

import pytest

from maskgit_lab.reporting.diagnosis import diagnose, sentences
from maskgit_lab.runs.metrics_file import read_epochs

OVERFIT = [
    {"val/loss": 3.0, "train/fixed_loss": 2.9, "val/fid": 20.0, "val/psnr_hole": 18.0},
    {"val/loss": 2.5, "train/fixed_loss": 2.3, "val/fid": 30.0, "val/psnr_hole": 20.0},
    {"val/loss": 2.7, "train/fixed_loss": 1.5, "val/fid": 40.0, "val/psnr_hole": 19.0},
]


def test_diagnose_finds_each_measures_best_epoch_in_its_own_direction():
    found = diagnose(OVERFIT)
    assert {name: entry["epoch"] for name, entry in found["best"].items()} == {
        "val/loss": 2, "val/fid": 1, "val/psnr_hole": 2
    }  # fmt: skip
    assert not found["agree"]


def test_diagnose_gap_is_that_of_the_same_masks():
    found = diagnose(OVERFIT)
    assert found["gap_at_best"] == pytest.approx(0.2)
    assert found["gap_at_end"] == pytest.approx(1.2)


def test_sentences_say_disagreement_and_not_agreement():
    text = "\n".join(sentences(diagnose(OVERFIT), 3))
    assert "Least val/loss 2.5000 at epoch 2 of 3" in text
    assert "+0.200 there, +1.200 at the end" in text
    assert "disagree about the best epoch: val/fid at epoch 1" in text
    assert "disagree" not in "\n".join(sentences(diagnose(OVERFIT[:1]), 1))


def test_diagnose_leaves_out_measures_that_were_not_taken():
    found = diagnose([{"val/loss": 1.0}, {"val/loss": 0.5, "val/fd_tokenizer": 2.0}])
    assert found["best"]["val/fd_tokenizer"]["epoch"] == 2
    assert found["gap_at_end"] is None
    assert sentences(diagnose([]), 0) == []


def test_read_epochs_reads_the_curves(tmp_path: Path):
    (tmp_path / "metrics.csv").write_text(
        "epoch,step,train/loss,val/loss,val/fid\n0,9,4.0,,\n0,10,,3.0,20.0\n1,19,3.5,,\n1,20,,2.5,\n"
    )
    epochs = read_epochs(tmp_path / "metrics.csv")
    assert [epoch["val/loss"] for epoch in epochs] == [3.0, 2.5]
    assert "val/fid" not in epochs[1]


def test_diagnose_never_calls_a_value_that_is_not_finite_the_best():
    nan, inf = float("nan"), float("inf")
    epochs = [
        {"val/loss": nan, "train/fixed_loss": 1.0, "val/psnr_hole": inf},
        {"val/loss": 2.0, "train/fixed_loss": nan, "val/psnr_hole": 20.0},
        {"val/loss": 3.0, "train/fixed_loss": 2.5, "val/psnr_hole": nan},
    ]
    found = diagnose(epochs)
    assert {name: entry["epoch"] for name, entry in found["best"].items()} == {"val/loss": 2, "val/psnr_hole": 2}
    assert found["gap_at_best"] is None
    assert found["gap_at_end"] == pytest.approx(0.5)
    assert len(sentences(found, 3)) == 1
