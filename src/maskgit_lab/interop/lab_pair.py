"""The lab's two checkpoints as one model: the tokenizer and the transformer that predicts its tokens."""

import math
from collections.abc import Sequence
from pathlib import Path

from maskgit_lab.interop.lab import load_transformer, load_vqgan
from maskgit_lab.models.masked_token_model import MaskedTokenModel
from maskgit_lab.models.tokenizer import FrozenTokenizer

LAB_MEAN, LAB_STD = (0.4816, 0.4324, 0.3845), (0.2602, 0.2518, 0.2537)  # of pixels in [0, 1]; conf/tokenizer/vqgan_lab.yaml


def load_pair(
    vqgan: str | Path,
    transformer: str | Path,
    *,
    mean: Sequence[float] = LAB_MEAN,
    std: Sequence[float] = LAB_STD,
    num_heads: int = 16,
) -> tuple[MaskedTokenModel, FrozenTokenizer]:
    """Load a lab VQGAN and a lab transformer.

    Sizes are read off the tensors, the resolution too: the transformer says how many tokens a side has, the VQGAN how many pixels
    a token has.

    Args:
        vqgan: checkpoint of stage 1.
        transformer: checkpoint of stage 2.
        mean: of pixel values in [0, 1] per channel, with which the VQGAN was trained; no checkpoint says it.
        std: likewise.
        num_heads: of the transformer's attention; no checkpoint says it.

    Returns:
        The model, in evaluation mode, and the tokenizer.

    Raises:
        FileNotFoundError: when a file is missing.
        ValueError: when a file is something else, or the two do not belong together.
    """
    network = load_transformer(transformer, num_heads=num_heads)
    grid = math.isqrt(network.num_image_tokens)
    tokenizer = load_vqgan(vqgan)
    per_token = tokenizer.img_resolution // tokenizer.latent_resolution
    if grid**2 != network.num_image_tokens or tokenizer.num_codebook_vectors != network.num_codebook_vectors:
        raise ValueError(
            f"{transformer} predicts {network.num_image_tokens} tokens of {network.num_codebook_vectors} codes, and {vqgan} has "
            f"{tokenizer.num_codebook_vectors} codes and square grids: they do not belong together"
        )
    if grid != tokenizer.latent_resolution:
        tokenizer = load_vqgan(vqgan, img_resolution=grid * per_token)
    return MaskedTokenModel(transformer=network).eval(), FrozenTokenizer(tokenizer, mean=mean, std=std)
