"""Plain = fast: equal tokens in float32, logits, losses and gradients within a stated tolerance."""

import copy
import itertools
import logging

import pytest
import torch
from torch import Tensor

from maskgit_lab.core.decoding import DecodeSettings
from maskgit_lab.core.losses import masked_cross_entropy
from maskgit_lab.core.masking import sample_mvtm_mask
from maskgit_lab.core.randomness import generator, image_generators
from maskgit_lab.core.schedules import Arccos, Cosine, Linear, Square
from maskgit_lab.fast import accelerate as entry
from maskgit_lab.fast import projection, winograd
from maskgit_lab.fast.accelerate import accelerate
from maskgit_lab.fast.model import FastModel
from maskgit_lab.fast.winograd import WinogradConv2d
from maskgit_lab.models.filling import Masked, decode_masked, fill_holes, predict_at_once, read_masked
from maskgit_lab.models.masked_token_model import MaskedTokenModel
from maskgit_lab.models.tokenizer import FrozenTokenizer
from maskgit_lab.models.vqgan import VQGAN
from tests.support.builders import boxes, model, pictures, tokenizer, transformer

pytestmark = pytest.mark.processor

ATOL, RTOL = 1e-4, 1e-4  # of logits, losses and gradients in float32: products of other sizes are rounded otherwise
IMAGES, N, DIM = 6, 64, 16
# tokens that are hidden: of no image, of some, of one whole image
SHARES = {
    "none": [0.0] * IMAGES,
    "one token": [0.0, 0.0, 1 / N, 0.0, 0.0, 0.0],
    "ragged": [0.0, 0.05, 0.3, 0.7, 1.0, 0.5],
    "all": [1.0] * IMAGES,
}
SO_LITTLE = 1e-9  # attention dropout that goes its own way through fast and drops no weight
SIZES = list(itertools.product([1, 2, 3], [False, True]))  # layers, norm_first


def rising(r: float | Tensor) -> float | Tensor:
    """Rise in the middle: what was revealed stays revealed."""
    return (1 - r) * (0.2 + r)


SCHEDULES = [Linear(), Cosine(), Square(), Arccos(), rising]


def pair(
    num_layers: int, norm_first: bool, *, scale: float = 15, attention_dropout: float = 0.0
) -> tuple[MaskedTokenModel, FastModel]:
    """Return a network in both speeds, with weights so large that predictions depend on what was revealed."""
    torch.manual_seed(0)
    plain = MaskedTokenModel(
        transformer=transformer(
            num_layers=num_layers, norm_first=norm_first, dropout=0.0, attention_dropout=attention_dropout
        )
    )  # fmt: skip
    for parameter in plain.parameters():
        parameter.data.mul_(scale if parameter.ndim > 1 else 1)
    torch.nn.init.normal_(plain.transformer.bias)
    return plain.eval(), FastModel.of(plain)


def holes(kind: str) -> Tensor:
    """Return a mask (B, N) with exactly the shares of a kind."""
    order = torch.rand(IMAGES, N, generator=generator(0, "holes")).argsort(1).argsort(1)
    return order < (torch.tensor(SHARES[kind])[:, None] * N).round()


def given(context: bool) -> tuple[Tensor, Tensor | None]:
    g = generator(1, "tokens")
    tokens = torch.randint(16, (IMAGES, N), generator=g)
    return tokens, torch.randn(IMAGES, N, DIM, generator=g) if context else None


def both(kind: str, context: bool, size: tuple[int, bool]) -> list[tuple[MaskedTokenModel, Masked]]:
    tokens, known = given(context)
    mask, empty = holes(kind), torch.empty(0)
    return [(m, Masked(empty, empty, tokens, mask, m.predictors(tokens, mask, known))) for m in pair(*size)]


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("context", [False, True])
@pytest.mark.parametrize("kind", SHARES)
def test_fast_gives_the_tokens_and_logits_of_plain(kind: str, context: bool, size: tuple[int, bool]):
    settings = DecodeSettings(schedule=Cosine(), num_steps=5)
    traces, logits = [], []
    for network, masked in both(kind, context, size):
        generators = image_generators(0, "d", range(IMAGES))
        traces.append(decode_masked(network, masked, settings=settings, generators=generators))
        logits.append(predict_at_once(network, masked))
        again = decode_masked(
            network, masked, settings=settings, generators=image_generators(0, "d", range(IMAGES))
        )  # that begins with the step just taken
        assert torch.equal(again.step_tokens, traces[-1].step_tokens)
    assert torch.equal(traces[0].step_tokens, traces[1].step_tokens)
    assert torch.equal(traces[0].step_masks, traces[1].step_masks)
    assert torch.equal(traces[0].tokens, traces[1].tokens)
    torch.testing.assert_close(logits[1], logits[0], rtol=RTOL, atol=ATOL)


@pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda schedule: getattr(schedule, "__name__", str(schedule)))
@pytest.mark.parametrize(
    ("num_steps", "sweet_spot", "temperature"),  # more steps than tokens are many products: once
    [(4, 1, 0.0), (4, 3, 0.0), (4, None, 0.0), (4, 1, 4.5), (4, 3, 4.5), (4, None, 4.5), (70, 3, 0.0), (70, None, 4.5)],
)
def test_fast_gives_the_tokens_of_plain_along_every_schedule(
    schedule: object, num_steps: int, sweet_spot: int | None, temperature: float
):
    settings = DecodeSettings(schedule, num_steps, sweet_spot, temperature)  # type: ignore[arg-type]
    plain, fast = (
        decode_masked(network, masked, settings=settings, generators=image_generators(0, "d", range(IMAGES)))
        for network, masked in both("ragged", True, (2, True))
    )
    assert torch.equal(plain.step_tokens, fast.step_tokens)
    assert torch.equal(plain.step_masks, fast.step_masks)


def test_fast_gives_the_sampled_tokens_of_plain():
    settings = DecodeSettings(schedule=Linear(), num_steps=6, token_temperature=1.0)
    plain, fast = (
        decode_masked(network, masked, settings=settings, generators=image_generators(0, "d", range(IMAGES)))
        for network, masked in both("ragged", True, (2, True))
    )
    assert torch.equal(plain.step_tokens, fast.step_tokens)


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("context", [False, True])
@pytest.mark.parametrize("kind", [kind for kind in SHARES if kind != "none"])
@pytest.mark.parametrize("attention_dropout", [0.0, SO_LITTLE])
def test_fast_gives_the_loss_and_gradients_of_plain(kind: str, context: bool, size: tuple[int, bool], attention_dropout: float):
    tokens, known = given(context)
    hidden = sample_mvtm_mask(holes(kind), schedule=Cosine(), generator=generator(2, "mask"))
    results = []
    for network in pair(*size, scale=3, attention_dropout=attention_dropout):  # gradients of saturated weights would be rounding
        network.train()
        logits = network.hidden_logits(tokens.masked_fill(hidden, 16), hidden, known)
        result = masked_cross_entropy(logits, tokens, hidden)
        results.append((result.loss, *torch.autograd.grad(result.loss, list(network.parameters()))))
    for plain, fast in zip(*results, strict=True):
        torch.testing.assert_close(fast, plain, rtol=RTOL, atol=ATOL)


@pytest.mark.parametrize("context", [False, True])
def test_fast_gives_the_fills_of_plain(context: bool):
    images, masks = torch.from_numpy(pictures(6)), torch.from_numpy(boxes(6))
    settings, frozen = DecodeSettings(schedule=Cosine(), num_steps=5, mask_dilation=1), tokenizer()
    fills = []
    for network in (model(context=context, speed="plain").eval(), model(context=context).eval()):
        generators = image_generators(0, "d", range(6))
        fills.append(fill_holes(network, frozen, images, masks, settings=settings, generators=generators))
    assert torch.equal(fills[0].tokens, fills[1].tokens)
    assert torch.equal(fills[0].decoded, fills[1].decoded)
    assert torch.equal(fills[0].composited, fills[1].composited)


def test_fast_agrees_with_plain_in_half_precision_to_its_rounding():
    images, masks = torch.from_numpy(pictures(6)), torch.from_numpy(boxes(6))
    logits = []
    for network in (model(speed="plain").eval(), model().eval()):
        masked = read_masked(network, tokenizer(), images, masks, autocast=torch.bfloat16)
        logits.append(predict_at_once(network, masked, autocast=torch.bfloat16).float())
    torch.testing.assert_close(logits[1], logits[0], rtol=0.05, atol=0.02)


def wide_tokenizer() -> FrozenTokenizer:
    torch.manual_seed(0)
    made = VQGAN(
        enc_channels=[128, 128, 128, 128], dec_channels=[128, 128, 128], latent_dim=4, img_resolution=16, latent_resolution=4,
        num_codebook_vectors=12, beta=0.25,
    )  # fmt: skip
    return FrozenTokenizer(made, mean=(0, 0, 0), std=(1, 1, 1))


def test_accelerate_leaves_state_dicts_as_they_are(caplog: pytest.LogCaptureFixture):
    entry.say.cache_clear()
    plain, frozen = model(speed="plain"), wide_tokenizer()
    before = copy.deepcopy((plain.state_dict(), frozen.model.state_dict()))
    with caplog.at_level(logging.INFO, logger="maskgit_lab"):
        fast = accelerate(plain, frozen)
    for old, new in zip(before, (fast.state_dict(), frozen.model.state_dict()), strict=True):
        assert list(old) == list(new)
        assert all(torch.equal(old[name], new[name]) for name in old)
    assert [id(p) for p in fast.parameters()] == [id(p) for p in plain.parameters()]
    assert any(isinstance(module, WinogradConv2d) for module in frozen.model.modules())
    assert "only hidden tokens are predicted" in caplog.messages[0]


def test_accelerate_computes_what_torch_lacks_as_written_and_says_so_in_one_line(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(projection, "_linear_pointwise", None)
    for module in (winograd, entry):
        monkeypatch.setattr(module, "winograd_here", lambda: False)
    entry.say.cache_clear()
    plain, frozen = model(speed="plain"), wide_tokenizer()
    with caplog.at_level(logging.INFO, logger="maskgit_lab"):
        fast = accelerate(plain.eval(), frozen)
    assert len(caplog.messages) == 2
    assert "lacks what these need: linear layers in bf16, 3x3 convolutions" in caplog.messages[1]
    assert not any(isinstance(module, WinogradConv2d) for module in frozen.model.modules())
    tokens, hidden = torch.randint(16, (2, 64)), torch.rand(2, 64) < 0.5
    with torch.autocast("cpu", torch.bfloat16):
        logits = [network.hidden_logits(tokens, hidden) for network in (plain, fast)]
    torch.testing.assert_close(logits[1].float(), logits[0].float(), rtol=0.05, atol=0.02)
    logits[1].sum().backward()
