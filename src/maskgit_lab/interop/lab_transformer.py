"""Read the lab's transformer checkpoints into this package's network, every number in its place."""

import re
from pathlib import Path

import torch
from torch import Tensor

from maskgit_lab.interop.checkpoints import read_state_dict
from maskgit_lab.models.transformer import BidirectionalTransformer

# names outside the blocks: theirs -> ours
OUTER_NAMES = {
    "pos_emb": "position_embedding",
    "bias": "bias",
    "tok_emb.weight": "token_embedding.weight",
    "LN.weight": "embedding_norm.weight",
    "LN.bias": "embedding_norm.bias",
    "Token_Prediction.0.weight": "head.0.weight",
    "Token_Prediction.0.bias": "head.0.bias",
    "Token_Prediction.2.weight": "head.2.weight",
    "Token_Prediction.2.bias": "head.2.bias",
}
BLOCK_NAMES = {
    "LayerNorm1": "norm1",
    "LayerNorm2": "norm2",
    "MLP.0": "mlp.0",
    "MLP.2": "mlp.2",
    "Attention.proj": "attention.out",
    "Attention.out_proj": "attention.out",
    "Attention.to_qkv": "attention.qkv",
}
SEPARATE = ("q_proj", "k_proj", "v_proj")
LAB_DROPOUT = 0.1


def load_transformer(path: str | Path, num_heads: int = 16) -> BidirectionalTransformer:
    """Load a lab transformer in training mode: fused `to_qkv` or separate q, k, v projections, wrapped or prefixed.

    Its sizes are read off the tensors; `num_heads` and dropout are not visible there, the lab's are 16 and 0.1. Raise
    FileNotFoundError when there is no such file, ValueError, with what was expected and found, when it is not a lab transformer.
    """
    state = read_state_dict(Path(path), marker="tok_emb.weight", kind="the lab's transformer")
    try:
        converted = _converted(state)
        vocabulary, dim = converted["token_embedding.weight"].shape
        model = BidirectionalTransformer(
            num_image_tokens=converted["position_embedding"].shape[0], num_codebook_vectors=vocabulary - 1, dim=dim,
            num_layers=1 + max(int(key.split(".")[1]) for key in converted if key.startswith("blocks.")), num_heads=num_heads,
            hidden_dim=converted["blocks.0.mlp.0.weight"].shape[0], dropout=LAB_DROPOUT, attention_dropout=LAB_DROPOUT,
        )  # fmt: skip
        model.load_state_dict(converted)
    except (KeyError, RuntimeError) as error:
        raise ValueError(
            f"{path} looks like a lab transformer but does not fit: {error}. Expected pos_emb (N, dim), "
            "tok_emb.weight (V + 1, dim), blocks.i.Attention.to_qkv or q_proj/k_proj/v_proj, MLP.0, MLP.2, LayerNorm1, LayerNorm2, "
            "Token_Prediction, LN, bias"
        ) from error
    return model


def _converted(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Rename to this package's names and fuse the projections."""
    converted: dict[str, Tensor] = {}
    separate: dict[tuple[str, str], dict[str, Tensor]] = {}
    for key, value in state.items():
        match = re.fullmatch(r"blocks\.(\d+)\.(.+)\.(weight|bias)", key)
        if match is None:
            converted[OUTER_NAMES[key]] = value.squeeze(0) if key == "pos_emb" and value.ndim == 3 else value
            continue
        block, name, kind = match.groups()
        projection = name.removeprefix("Attention.")
        if projection in SEPARATE:
            separate.setdefault((block, kind), {})[projection] = value
        else:
            converted[f"blocks.{block}.{BLOCK_NAMES[name]}.{kind}"] = value
    for (block, kind), parts in separate.items():
        converted[f"blocks.{block}.attention.qkv.{kind}"] = torch.cat([parts[name] for name in SEPARATE])
    for key in [k for k in converted if k.endswith("attention.qkv.weight")]:
        # the fused variant has no bias, which equals a bias of zero
        converted.setdefault(key.replace("weight", "bias"), torch.zeros(converted[key].shape[0]))
    return converted
