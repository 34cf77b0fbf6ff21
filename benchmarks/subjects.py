"""What is measured: networks of the lab's size and of `model=small` with random weights, and embedded test pictures with holes."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from hydra import compose, initialize_config_dir
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.listing import ListingTransformer, listing_of
from maskgit_lab.assembly.config import build, config_dir
from maskgit_lab.assembly.resolution import followed
from maskgit_lab.assembly.schemas import register
from maskgit_lab.core.masking import token_mask
from maskgit_lab.core.pixels import HOLE_GREY
from maskgit_lab.data.synthetic_cats import SyntheticCats
from maskgit_lab.fast.accelerate import accelerate
from maskgit_lab.models.masked_token_model import MaskedTokenModel
from maskgit_lab.models.patch_vqgan import PatchVQGAN
from maskgit_lab.models.tokenizer import FrozenTokenizer
from maskgit_lab.models.transformer import BidirectionalTransformer
from maskgit_lab.models.vqgan import VQGAN

SIZES = {"lab": ("model=base", "tokenizer=vqgan_lab"), "small": ("model=small", "tokenizer=patch_small")}
MAX_PICTURES = 256


@dataclass(frozen=True)
class Subject:
    """Both sides with the same weights."""

    size: str
    model: MaskedTokenModel
    tokenizer: FrozenTokenizer
    listing: ListingTransformer
    vqgan: VQGAN | PatchVQGAN  # the listing's: the same weights, plain convolutions
    flops: "Flops"

    def normalised(self, images: Tensor, holes: Tensor) -> tuple[Tensor, Tensor]:
        """Return what the listing takes: normalised pictures with grey holes (B, 3, H, W), and token masks (B, N)."""
        grey = images.masked_fill(holes[..., None], HOLE_GREY).permute(0, 3, 1, 2).float() / 255
        mean, std = (torch.tensor(x, device=images.device).view(1, 3, 1, 1) for x in (self.tokenizer.mean, self.tokenizer.std))
        return (grey - mean) / std, token_mask(holes, grid=self.tokenizer.grid)


@dataclass(frozen=True)
class Flops:
    """Operations of the dense networks for one picture."""

    forward: float  # of the transformer
    encode: float
    decode: float


def subject(size: str, device: torch.device) -> Subject:
    """Return networks of a size. The transformer is the lab's kind at every size: tokens alone, LayerNorm after the sum."""
    register()
    with initialize_config_dir(version_base="1.3", config_dir=config_dir()):
        cfg = followed(compose(config_name="train", overrides=list(SIZES[size])))
    torch.manual_seed(0)
    vqgan = build(cfg.tokenizer.model)
    plain = build(cfg.tokenizer.model)
    plain.load_state_dict(vqgan.state_dict())
    transformer = build(
        cfg.model.transformer, norm_first=False, attention_dropout=0.1,
        num_image_tokens=vqgan.num_image_tokens, num_codebook_vectors=vqgan.num_codebook_vectors,
    )  # fmt: skip
    tokenizer = FrozenTokenizer(vqgan, mean=cfg.tokenizer.mean, std=cfg.tokenizer.std).to(device)
    plain = plain.eval().requires_grad_(False).to(device)
    model = accelerate(MaskedTokenModel(transformer=transformer).eval().to(device), tokenizer)
    return Subject(size, model, tokenizer, listing_of(transformer).to(device), plain, _flops(transformer, plain, device))


def pictures(count: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return the first embedded test pictures, uint8 (n, H, W, 3), and their holes (n, H, W)."""
    source = SyntheticCats(seed=0, num_train=16, num_val=16, num_test=max(count, MAX_PICTURES), resolution=64)
    test = source.load(cache=Path.home() / ".cache" / "maskgit_lab").test
    arrays: list[Any] = [test.truth, test.holes]
    images, holes = (torch.from_numpy(array[:count].copy()).to(device) for array in arrays)
    return images, holes


def transformer_flops(transformer: BidirectionalTransformer) -> float:
    """Return the operations of one dense forward pass of one picture: two per weight and token, and the attention's products."""
    tokens, dim, layers = transformer.num_image_tokens, transformer.dim, len(transformer.blocks)
    matrices = sum(p.numel() for p in transformer.blocks.parameters() if p.ndim == 2)
    head = dim**2 + dim * (transformer.num_codebook_vectors + 1)
    return 2.0 * tokens * (matrices + head) + 4.0 * tokens**2 * dim * layers


def _flops(transformer: BidirectionalTransformer, vqgan: VQGAN | PatchVQGAN, device: torch.device) -> Flops:
    counts = []
    picture = torch.zeros(1, 3, vqgan.img_resolution, vqgan.img_resolution, device=device)
    tokens = torch.zeros(1, vqgan.num_image_tokens, dtype=torch.int64, device=device)
    for work in (lambda: vqgan.encode(picture), lambda: vqgan.decode(tokens)):
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            work()
        counts.append(float(counter.get_total_flops()))
    return Flops(transformer_flops(transformer), *counts)
