"""Stage 2 learns in bf16 what it learns in float32; stage 1 and the decoder stage: test_tokenizer_module, test_decoder_module."""

from pathlib import Path

import pytest

from tests.support.builders import datamodule, model, small_trainer, stage_2

pytestmark = pytest.mark.processor


@pytest.mark.parametrize("matrix_lr", [None, 2e-2], ids=["adam", "muon"])
def test_masked_token_module_learns_in_bf16_as_in_float32(tmp_path: Path, matrix_lr: float | None):
    losses = []
    for precision in ("32-true", "bf16-mixed"):
        trained = stage_2(model=model(dropout=0.0), lr=3e-3, matrix_lr=matrix_lr)
        trainer = small_trainer(max_epochs=4, precision=precision, enable_checkpointing=False)
        trainer.fit(trained, datamodule=datamodule(tmp_path / precision, batch_size=6))
        losses.append(float(trainer.callback_metrics["val/loss"]))
    assert losses[1] == pytest.approx(losses[0], rel=0.01)
