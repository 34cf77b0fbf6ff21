"""The progress bar: often enough to read, seldom enough not to wait for the device."""

import pytest

from maskgit_lab.training import progress
from maskgit_lab.training.progress import StageBar


def test_stage_bar_shows_the_first_batch_the_last_one_and_one_after_each_pause(monkeypatch: pytest.MonkeyPatch):
    ticks = [0.0, 0.05, 0.19, 0.21, 0.3, 0.45, 0.46]
    monkeypatch.setattr(progress.time, "monotonic", iter(ticks).__next__)
    bar = StageBar(stage="Stage 2")
    shown = [bar._should_update(batch, len(ticks)) for batch in range(1, len(ticks) + 1)]
    assert shown == [True, False, False, True, False, True, True]


def test_stage_bar_shows_nothing_when_it_is_off():
    bar = StageBar(stage="Stage 2")
    bar.disable()
    assert not bar._should_update(1, 1)
