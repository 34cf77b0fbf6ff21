"""Train on a million pictures' tokens and print how much memory that takes: the token set stays on the disk.

    python -m benchmarks.million --steps 20

Tokens are generated (512 MB on the disk, uint16, in a temporary folder); the pictures they belong to are one black one, a million
times.
"""

import argparse
import tempfile
from pathlib import Path

import lightning as L
import numpy as np
import torch

from benchmarks.subjects import subject
from maskgit_lab.core.schedules import Cosine
from maskgit_lab.data.datamodule import InpaintingDataModule, Serving
from maskgit_lab.data.image_set import DataSplits, ImageSet, InpaintSet
from maskgit_lab.data.token_cache import cached_tokens
from maskgit_lab.machine.freed_memory import keep_freed_memory
from maskgit_lab.machine.peak_memory import peak_memory
from maskgit_lab.training.module import MaskedTokenModule
from maskgit_lab.training.optim import AdamSettings
from maskgit_lab.training.quiet import quiet_lightning

NUM_VAL = 16
PART = 10_000  # token rows generated at once


def main() -> None:
    """Generate, train a few steps, print the peak."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=1_000_000)
    parser.add_argument("--steps", type=int, default=20)
    args = parser.parse_args()
    keep_freed_memory()  # as the commands do
    with tempfile.TemporaryDirectory() as folder:
        peak = train(Path(folder), args.pictures, args.steps)
    print(f"{args.pictures:,} pictures, {args.steps} training steps of 10: peak {peak:.2f} GiB of host memory")


def train(folder: Path, num_pictures: int, steps: int) -> float:
    """Return the peak in GiB."""
    quiet_lightning()
    made = subject("small", torch.device("cpu"))
    images = np.broadcast_to(np.zeros((1, 64, 64, 3), np.uint8), (num_pictures, 64, 64, 3))
    many = ImageSet(images, tuple(map(str, range(num_pictures))), "generated")
    few = ImageSet(np.zeros((NUM_VAL, 64, 64, 3), np.uint8), tuple(map(str, range(NUM_VAL))), "few")
    test = InpaintSet(few.images, np.zeros((NUM_VAL, 64, 64), bool), few.names, None, "test")
    generated = np.random.default_rng(0)

    def tokens(pictures: torch.Tensor) -> torch.Tensor:
        drawn = generated.integers(0, made.tokenizer.num_codebook_vectors, (len(pictures), 256))
        return torch.from_numpy(drawn)

    name, where = made.tokenizer.sha256, folder / "tokens"
    cached_tokens(many, tokens, folder=where, tokenizer_id=name, num_tokens=256, flip=False, batch_size=PART)
    data = InpaintingDataModule(
        splits=DataSplits(many, few, test, "generated"), tokenizer=made.tokenizer, cache=folder,
        serving=Serving(batch_size=10, num_train_holes=4, num_val_fills=4),
    )  # fmt: skip
    module = MaskedTokenModule(model=made.model.train(), tokenizer=made.tokenizer, mask_schedule=Cosine(), optimizer=AdamSettings())
    trainer = L.Trainer(
        max_steps=steps, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, use_distributed_sampler=False, limit_val_batches=1, num_sanity_val_steps=0,
    )  # fmt: skip
    trainer.fit(module, datamodule=data)
    return peak_memory()["host"]


if __name__ == "__main__":
    main()
