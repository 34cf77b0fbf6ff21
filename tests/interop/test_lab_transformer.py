"""Loading the lab's transformer: the same numbers come out as from the lab's layout written out plainly."""

import json
import math
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from maskgit_lab.interop.lab import load_transformer

pytestmark = pytest.mark.thorough

LAB_SHAPES = Path(__file__).resolve().parents[3] / "shared" / "lab" / "transformer_state_dict.json"
TOKENS, CODES, DIM, HIDDEN, LAYERS, HEADS = 16, 10, 12, 20, 2, 4
EPS = 1e-12


def lab_state(*, fused: bool) -> dict[str, Tensor]:
    """Random weights under the lab's names."""
    torch.manual_seed(0)
    state = {
        "pos_emb": torch.randn(TOKENS, DIM), "bias": torch.randn(TOKENS, CODES + 1),
        "tok_emb.weight": torch.randn(CODES + 1, DIM), "LN.weight": torch.randn(DIM), "LN.bias": torch.randn(DIM),
        "Token_Prediction.0.weight": torch.randn(DIM, DIM), "Token_Prediction.0.bias": torch.randn(DIM),
        "Token_Prediction.2.weight": torch.randn(DIM), "Token_Prediction.2.bias": torch.randn(DIM),
    }  # fmt: skip
    for i in range(LAYERS):
        linear = {"MLP.0": (HIDDEN, DIM), "MLP.2": (DIM, HIDDEN)}
        if fused:
            state[f"blocks.{i}.Attention.to_qkv.weight"] = torch.randn(3 * DIM, DIM)
            linear["Attention.proj"] = (DIM, DIM)
        else:
            linear |= {f"Attention.{name}_proj": (DIM, DIM) for name in ("q", "k", "v", "out")}
        for name, shape in linear.items():
            state[f"blocks.{i}.{name}.weight"] = torch.randn(shape) / 4
            state[f"blocks.{i}.{name}.bias"] = torch.randn(shape[0])
        for name in ("LayerNorm1", "LayerNorm2"):
            state[f"blocks.{i}.{name}.weight"], state[f"blocks.{i}.{name}.bias"] = torch.randn(2, DIM)
    return state


def written_out(state: dict[str, Tensor], tokens: Tensor) -> Tensor:
    """The lab's network from its names: embeddings, post-norm blocks, prediction head, tied output."""

    def linear(name: str, x: Tensor) -> Tensor:
        return F.linear(x, state[f"{name}.weight"], state.get(f"{name}.bias"))

    def norm(name: str, x: Tensor) -> Tensor:
        return F.layer_norm(x, (DIM,), state[f"{name}.weight"], state[f"{name}.bias"], EPS)

    x = norm("LN", state["tok_emb.weight"][tokens] + state["pos_emb"])
    for i in range(LAYERS):
        block = f"blocks.{i}.Attention"
        if f"{block}.to_qkv.weight" in state:
            q, k, v = linear(f"{block}.to_qkv", x).chunk(3, -1)
        else:
            q, k, v = (linear(f"{block}.{name}_proj", x) for name in "qkv")
        heads = [part.unflatten(-1, (HEADS, -1)).transpose(1, 2) for part in (q, k, v)]
        weights = torch.softmax(heads[0] @ heads[1].mT / math.sqrt(DIM // HEADS), -1)
        out = "proj" if f"{block}.proj.weight" in state else "out_proj"
        x = norm(f"blocks.{i}.LayerNorm1", x + linear(f"{block}.{out}", (weights @ heads[2]).transpose(1, 2).flatten(2)))
        mlp = linear(f"blocks.{i}.MLP.2", F.gelu(linear(f"blocks.{i}.MLP.0", x)))
        x = norm(f"blocks.{i}.LayerNorm2", x + mlp)
    x = norm("Token_Prediction.2", F.gelu(linear("Token_Prediction.0", x)))
    return x @ state["tok_emb.weight"].T + state["bias"]


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("prefix", ["", "transformer.", "module."])
@pytest.mark.parametrize("wrapper", [None, "model", "state_dict"])
def test_load_transformer_gives_the_labs_logits_for_every_form_of_file(
    tmp_path: Path, fused: bool, prefix: str, wrapper: str | None
):
    state = lab_state(fused=fused)
    content: dict[str, object] = {prefix + name: value for name, value in state.items()}
    torch.save({wrapper: content, "epoch": 1} if wrapper else content, tmp_path / "t.pt")
    model = load_transformer(tmp_path / "t.pt", num_heads=HEADS).eval()
    tokens = torch.randint(CODES + 1, (3, TOKENS), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        torch.testing.assert_close(model(tokens), written_out(state, tokens), rtol=1e-4, atol=1e-4)
    assert (model.mask_token_id, model.num_image_tokens) == (CODES, TOKENS)


def test_load_transformer_trains_with_the_labs_dropout(tmp_path: Path):
    torch.save(lab_state(fused=True), tmp_path / "t.pt")
    model = load_transformer(tmp_path / "t.pt", num_heads=HEADS)
    assert model.training
    assert model.dropout.p == 0.1


def test_load_transformer_takes_positions_with_a_batch_axis(tmp_path: Path):
    state = lab_state(fused=True)
    torch.save({**state, "pos_emb": state["pos_emb"][None]}, tmp_path / "t.pt")
    model = load_transformer(tmp_path / "t.pt", num_heads=HEADS)
    assert torch.equal(model.position_embedding.detach(), state["pos_emb"])


@pytest.mark.parametrize("change", ["missing", "unknown", "shape"])
def test_load_transformer_refuses_what_does_not_fit_with_what_was_expected(tmp_path: Path, change: str):
    state = lab_state(fused=False)
    if change == "missing":
        del state["blocks.1.Attention.k_proj.weight"]
    elif change == "unknown":
        state["blocks.0.Attention.rotary.weight"] = torch.zeros(1)
    else:
        state["blocks.1.MLP.0.weight"] = torch.zeros(HIDDEN + 1, DIM)
    torch.save(state, tmp_path / "t.pt")
    with pytest.raises(ValueError, match=r"(?s)does not fit: .*Expected pos_emb \(N, dim\)"):
        load_transformer(tmp_path / "t.pt", num_heads=HEADS)


def test_load_transformer_refuses_a_vqgan_with_its_keys(tmp_path: Path):
    torch.save({"codebook.embedding.weight": torch.zeros(2, 2)}, tmp_path / "VQGAN.pt")
    with pytest.raises(ValueError, match=r"not the lab's transformer: expected .*tok_emb.weight.* found codebook"):
        load_transformer(tmp_path / "VQGAN.pt")


def test_load_transformer_refuses_heads_that_do_not_divide_the_width(tmp_path: Path):
    torch.save(lab_state(fused=True), tmp_path / "t.pt")
    with pytest.raises(ValueError, match=r"must be a multiple of model.num_heads \(5\)"):
        load_transformer(tmp_path / "t.pt", num_heads=5)


@pytest.mark.skipif(not LAB_SHAPES.is_file(), reason="the lab's shapes are not at hand (../shared/lab)")
def test_load_transformer_takes_the_labs_own_shapes(tmp_path: Path):
    shapes = json.loads(LAB_SHAPES.read_text())
    torch.save({name: torch.zeros(shape) for name, shape in shapes.items()}, tmp_path / "t.pt")
    model = load_transformer(tmp_path / "t.pt")
    assert (model.num_image_tokens, model.num_codebook_vectors, model.dim, len(model.blocks)) == (256, 1024, 768, 15)
