"""The lab's two files, small: a VQGAN and a transformer under the lab's names, with new weights."""

from pathlib import Path

import torch

from maskgit_lab.interop.lab_transformer import BLOCK_NAMES, OUTER_NAMES
from maskgit_lab.models.transformer import BidirectionalTransformer
from maskgit_lab.models.vqgan import VQGAN


def write_lab_files(folder: Path, *, grid: int = 16, codes: int = 24, transformer_codes: int | None = None) -> tuple[Path, Path]:
    """Write VQGAN.pt, which makes 4x4 pixels of a token, and ckpt.pt, and return both paths."""
    torch.manual_seed(0)
    folder.mkdir(parents=True, exist_ok=True)
    vqgan = VQGAN(
        enc_channels=[8, 8, 8, 16, 16, 32], dec_channels=[8, 8, 16, 16, 32], latent_dim=4, img_resolution=4 * grid,
        latent_resolution=grid, num_codebook_vectors=codes, beta=0.25,
    )  # fmt: skip
    network = BidirectionalTransformer(
        num_image_tokens=grid**2, num_codebook_vectors=transformer_codes or codes, dim=32, num_layers=1, num_heads=16,
        hidden_dim=48, dropout=0.1,
    )  # fmt: skip
    ours = {mine: theirs for theirs, mine in OUTER_NAMES.items()}
    in_block = {mine: theirs for theirs, mine in BLOCK_NAMES.items()}
    state = {}
    for name, value in network.state_dict().items():
        if name in ours:
            state[ours[name]] = value
            continue
        _, block, rest = name.split(".", 2)
        part, _, kind = rest.rpartition(".")
        state[f"blocks.{block}.{in_block[part]}.{kind}"] = value
    torch.save(vqgan.state_dict(), folder / "VQGAN.pt")
    torch.save({"model": state, "epoch": 3}, folder / "ckpt.pt")
    return folder / "VQGAN.pt", folder / "ckpt.pt"
