"""The networks of the lab's two files, VQGAN.pt and the transformer's checkpoint, without a run folder.

Sizes are read off the tensors.
"""

import math
from pathlib import Path
from typing import Any

from maskgit_lab.assembly.speed import FAST, at_speed
from maskgit_lab.core.decoding import DecodeSettings
from maskgit_lab.core.schedules import Cosine
from maskgit_lab.evaluation.fill_set import Filler
from maskgit_lab.interop.lab import LAB_MEAN, LAB_STD, load_transformer, load_vqgan
from maskgit_lab.machine.device import chosen_device
from maskgit_lab.models.masked_token_model import MaskedTokenModel
from maskgit_lab.models.tokenizer import FrozenTokenizer
from maskgit_lab.training.divergence import require_finite_weights

LAB_HEADS = 16


def load_lab_networks(
    vqgan: str | Path, transformer: str | Path, *, num_heads: int = LAB_HEADS
) -> tuple[MaskedTokenModel, FrozenTokenizer]:
    """Load the lab's two checkpoints as the networks of a fill, both in evaluation mode on the CPU.

    The number of positions of the transformer says how many tokens an image has, and with the VQGAN's halvings how large it is;
    pixels are normalised as the lab's.

    Args:
        vqgan: the lab's VQGAN.pt.
        transformer: a checkpoint of the lab's transformer.
        num_heads: of its attention, which no tensor shows; the lab's are 16.

    Returns:
        The model, tokens only, and its tokenizer.

    Raises:
        FileNotFoundError: when there is no such file.
        ValueError: when a file is not what it should be, or the two do not fit each other; the message names the file and its key.
    """
    network = load_transformer(transformer, num_heads)
    grid = math.isqrt(network.num_image_tokens)
    if grid**2 != network.num_image_tokens:
        raise ValueError(f"transformer={transformer} has {network.num_image_tokens} positions, which make no square of tokens")
    codebook = load_vqgan(vqgan, grid=grid)
    if codebook.num_codebook_vectors != network.num_codebook_vectors:
        raise ValueError(
            f"vqgan={vqgan} has {codebook.num_codebook_vectors} codes, transformer={transformer} predicts "
            f"{network.num_codebook_vectors}: give the two files that were trained together"
        )
    for key, path, loaded in (("vqgan", vqgan, codebook), ("transformer", transformer, network)):
        require_finite_weights(loaded.state_dict(), f"{key}={path}: training diverged")
    return MaskedTokenModel(transformer=network).eval(), FrozenTokenizer(codebook, mean=LAB_MEAN, std=LAB_STD)


def lab_filler(
    vqgan: str | Path,
    transformer: str | Path,
    *,
    num_heads: int = LAB_HEADS,
    device: str = "auto",
    seed: int = 0,
    speed: str | None = None,
    **decode: Any,
) -> Filler:
    """Return the lab's two files ready to fill, as the lab decodes: cosine, seven steps, order temperature 4.5.

    Args:
        vqgan: see `load_lab_networks`.
        transformer: see there.
        num_heads: see there.
        device: auto, cpu, cuda, ...
        seed: of the decoding noise.
        speed: fast or plain, None = fast.
        **decode: other values for fields of DecodeSettings.

    Returns:
        Networks, tokenizer and settings.
    """
    where = chosen_device(device)
    model, tokenizer = load_lab_networks(vqgan, transformer, num_heads=num_heads)
    settings = DecodeSettings(**{"schedule": Cosine(), **decode})
    tokenizer.to(where)
    return Filler(at_speed(speed or FAST, model.to(where), tokenizer, settings), tokenizer, settings, seed)
