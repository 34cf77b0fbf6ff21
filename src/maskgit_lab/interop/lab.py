"""Read the lab's checkpoints: `load_vqgan` here, `load_transformer` from its own module, both under one name."""

import re
from pathlib import Path

from torch import Tensor

from maskgit_lab.interop.checkpoints import read_state_dict
from maskgit_lab.interop.lab_transformer import load_transformer
from maskgit_lab.models.vqgan import DECODER_BLOCKS_PER_STAGE, ENCODER_BLOCKS_PER_STAGE, VQGAN

__all__ = ["LAB_MEAN", "LAB_STD", "load_transformer", "load_vqgan"]

LAB_RESOLUTION = 64
LAB_BETA = 0.25
# of pixels in [0, 1], per channel: how the lab normalises its cat faces
LAB_MEAN = (0.4816, 0.4324, 0.3845)
LAB_STD = (0.2602, 0.2518, 0.2537)
# residual blocks of the middle, which belong to no stage
NUM_MIDDLE_BLOCKS = 2


def load_vqgan(path: str | Path, img_resolution: int = LAB_RESOLUTION, *, grid: int | None = None) -> VQGAN:
    """Load a lab VQGAN in training mode: plain state dict, wrapped, or prefixed; every tensor must fit.

    Its sizes are read off the tensors; `img_resolution`, pixels per side, and beta are not visible there: the lab's, 64 and 0.25.
    `grid`, tokens per side, is another way to say the resolution. Raise FileNotFoundError when there is no such file, ValueError,
    with what was expected and found, when it is not a lab VQGAN.
    """
    state = read_state_dict(Path(path), marker="codebook.embedding.weight", kind="the lab's VQGAN")
    try:
        model = _sized_for(state, img_resolution, grid)
        model.load_state_dict(state)
    except (KeyError, IndexError, RuntimeError, ValueError) as error:
        raise ValueError(
            f"{path} has a codebook but is not the lab's VQGAN. Expected encoder.model.N, decoder.model.N, quant_conv, "
            f"post_quant_conv and codebook.embedding; found {', '.join(list(state)[:5])}, ... ({len(state)} tensors): {error}"
        ) from error
    return model


def _sized_for(state: dict[str, Tensor], img_resolution: int, grid: int | None) -> VQGAN:
    """Build a VQGAN whose sizes are read off the tensors."""
    encoder, decoder = _block_widths(state, "encoder"), _block_widths(state, "decoder")
    num_halvings = sum(re.fullmatch(r"encoder\.model\.\d+\.conv\.weight", key) is not None for key in state)
    if grid is not None:
        img_resolution = grid * 2**num_halvings
    num_codebook_vectors, latent_dim = state["codebook.embedding.weight"].shape
    stem = state["encoder.model.0.weight"]
    return VQGAN(
        image_channels=stem.shape[1],
        enc_channels=[stem.shape[0], *encoder[:-NUM_MIDDLE_BLOCKS:ENCODER_BLOCKS_PER_STAGE]],
        dec_channels=decoder[NUM_MIDDLE_BLOCKS::DECODER_BLOCKS_PER_STAGE][::-1],
        latent_dim=latent_dim,
        img_resolution=img_resolution,
        latent_resolution=img_resolution // 2**num_halvings,
        num_codebook_vectors=num_codebook_vectors,
        beta=LAB_BETA,
    )


def _block_widths(state: dict[str, Tensor], part: str) -> list[int]:
    """Return the output channels of every residual block of `encoder` or `decoder`, in order."""
    pattern = re.compile(rf"{part}\.model\.(\d+)\.block\.5\.weight")
    found = [(int(match[1]), value.shape[0]) for key, value in state.items() if (match := pattern.fullmatch(key))]
    return [width for _, width in sorted(found)]
