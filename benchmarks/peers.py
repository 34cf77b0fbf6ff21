"""Peers from PyPI at equal size: muse-maskgit-pytorch and diffusers' aMUSEd, a training step and a whole decode, each at its best.

    pip install -e '.[bench]'
    python -m benchmarks.run peers --size small

Tokens in, tokens out, every token hidden at the start (neither peer fills holes of different sizes in a batch), as many steps for
everybody, one text token for the peers' conditioning, no guidance. Each side takes the faster of float32 and bfloat16 autocast,
and float32 where the processor's bfloat16 is slower. Both peers attend to the text in every block besides, and six of aMUSEd's
blocks have a convolution before the attention (they count as layers here): that is their way of being this size. Every row names
parameters and operations of both sides.
"""

import importlib.util
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.against_listing import NUM_STEPS, Bench, TrainingStep
from benchmarks.listing import heads_and_hidden_dim
from benchmarks.measure import paired, seconds
from benchmarks.rows import Row
from benchmarks.subjects import Subject, subject
from maskgit_lab.core.decoding import DecodeSettings
from maskgit_lab.core.randomness import image_generators
from maskgit_lab.core.schedules import Cosine
from maskgit_lab.models.filling import Masked, decode_masked
from maskgit_lab.training.precision import resolve_precision

TEXT = "bench"  # name under which muse finds the width of its text encoder
TEXT_DIM = 768
AMUSED_CONVOLUTIONAL = 6  # of its blocks, three before the others and three behind them
PRECISIONS = {"float32": None, "bfloat16": torch.bfloat16}

Work = Callable[[torch.dtype | None], object]


@dataclass(frozen=True)
class Rival:
    """A peer of equal size."""

    train: Work
    decode: Work
    forward: Callable[[], object]  # of one picture, for its operations
    network: torch.nn.Module


def peers(bench: Bench, size: str) -> Iterator[Row]:
    """Compare with every peer that is installed."""
    made = subject(size, bench.device)
    count = max(bench.num_images, bench.batch_size)
    drawn = torch.randint(made.tokenizer.num_codebook_vectors, (count, made.tokenizer.num_image_tokens))
    drawn = drawn.to(bench.device)
    batch, tokens = drawn[: bench.batch_size], drawn[: bench.num_images]
    rivals = {"muse_maskgit_pytorch": _muse, "diffusers": _amused}
    there = {name: rival for name, rival in rivals.items() if importlib.util.find_spec(name)}
    for missing in sorted(set(rivals) - set(there)):
        print(f"{missing} is not installed: pip install -e '.[bench]'")
    ours_train, ours_decode = _ours(made, bench, batch, tokens)
    for name, rival in there.items():
        peer = rival(made, batch, tokens)
        sizes = {
            "their_parameters": _count(peer.network), "our_parameters": _count(made.model),
            "their_operations_over_ours": round(_operations(peer.forward) / made.flops.forward, 2),
        }  # fmt: skip
        label = name.replace("_", "-").replace("diffusers", "diffusers aMUSEd")
        for work, mine, theirs in (
            (f"training step, batch {bench.batch_size}", ours_train, peer.train),
            (f"decode {bench.num_images} images' tokens, T = {NUM_STEPS}", ours_decode, peer.decode),
        ):
            precision, run = _best(theirs, bench)
            timed = paired(mine, run, pairs=bench.pairs, device=bench.device, warm=False)
            extra = {**sizes, "their_precision": precision}
            yield Row.of(f"{work}, {size}", label, timed, key="peers", target=bench.target("peers"), extra=extra)


def _best(work: Work, bench: Bench) -> tuple[str, Callable[[], object]]:
    """Return the faster precision of a peer and the work in it, warm."""
    names = list(PRECISIONS)
    if bench.device.type == "cpu" and resolve_precision("auto", "cpu")[0] == "32-true":
        names.remove("bfloat16")  # dozens of times slower on such a processor: a decode at lab size would take an hour
    for name in names:
        work(PRECISIONS[name])
    best = names[0] if len(names) == 1 else min(names, key=lambda name: seconds(partial(work, PRECISIONS[name]), bench.device))
    return best, lambda: work(PRECISIONS[best])


def _count(model: torch.nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


def _operations(forward: Callable[[], object]) -> int:
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        forward()
    return counter.get_total_flops()


def _ours(made: Subject, bench: Bench, batch: Tensor, tokens: Tensor) -> tuple[Callable[[], object], Callable[[], object]]:
    everything = torch.ones_like(tokens, dtype=torch.bool)
    predictors = made.model.predictors(tokens, everything, None)
    masked = Masked(images=tokens, holes=everything, tokens=tokens, mask=everything, predictors=predictors)
    step = TrainingStep(made, bench, batch)

    def train() -> None:
        made.model.train()
        step()

    def decode() -> Tensor:
        return decode_masked(
            made.model.eval(), masked, settings=DecodeSettings(schedule=Cosine(), num_steps=NUM_STEPS),
            generators=image_generators(0, "d", range(len(tokens))), autocast=bench.autocast,
        ).tokens  # fmt: skip

    train()
    decode()
    return train, decode


def _trainer(model: torch.nn.Module, device: torch.device, loss: Callable[[], Tensor]) -> Work:
    """Return a training step with torch's fused Adam, which peers leave to their users."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, weight_decay=0.0, fused=True)

    def train(dtype: torch.dtype | None) -> None:
        model.train()
        optimizer.zero_grad()
        with torch.autocast(device.type, dtype=dtype, enabled=dtype is not None):
            value = loss()
        value.backward()
        optimizer.step()

    return train


def _muse(made: Subject, batch: Tensor, tokens: Tensor) -> Rival:
    """Return training step and decode of muse-maskgit-pytorch; its text encoder is replaced by one fixed token."""
    from muse_maskgit_pytorch import MaskGit, MaskGitTransformer, VQGanVAE, muse_maskgit_pytorch, t5
    from transformers import T5Config

    muse_maskgit_pytorch.tqdm = lambda steps, total: steps  # no bar for every decode
    t5.T5_CONFIGS[TEXT] = {"config": T5Config(d_model=TEXT_DIM)}
    ours = made.model.transformer
    heads, hidden = heads_and_hidden_dim(ours)
    transformer = MaskGitTransformer(
        num_tokens=ours.num_codebook_vectors, seq_len=ours.num_image_tokens, dim=ours.dim, depth=len(ours.blocks),
        dim_head=ours.dim // heads, heads=heads, ff_mult=hidden / ours.dim, t5_name=TEXT, flash=False,
    )  # fmt: skip
    transformer.encode_text = lambda texts: torch.ones(len(texts), 1, TEXT_DIM, device=tokens.device)
    vae = VQGanVAE(dim=16, layers=1, codebook_size=ours.num_codebook_vectors, use_vgg_and_gan=False)
    model = MaskGit(image_size=64, transformer=transformer, vae=vae, cond_drop_prob=0.0).to(tokens.device)
    model.vae.decode_from_ids = lambda ids: ids  # tokens in, tokens out
    text = "a cat"
    side = round(ours.num_image_tokens**0.5)

    def decode(dtype: torch.dtype | None) -> object:
        with torch.autocast(tokens.device.type, dtype=dtype, enabled=dtype is not None):
            return model.generate([text] * len(tokens), timesteps=NUM_STEPS, cond_scale=1, fmap_size=side)

    train = _trainer(model, tokens.device, lambda: model(batch, texts=[text] * len(batch)))
    return Rival(train, decode, lambda: transformer(batch[:1], texts=[text]), transformer)


def _amused(made: Subject, batch: Tensor, tokens: Tensor) -> Rival:
    """Return training step and decode of aMUSEd: its model and scheduler, as its inpainting pipeline calls them."""
    from diffusers import AmusedScheduler, UVit2DModel

    ours = made.model.transformer
    heads, hidden = heads_and_hidden_dim(ours)
    layers = max(1, len(ours.blocks) - AMUSED_CONVOLUTIONAL)
    model = UVit2DModel(
        hidden_size=ours.dim, cond_embed_dim=TEXT_DIM, encoder_hidden_size=TEXT_DIM,
        vocab_size=ours.num_codebook_vectors + 1, codebook_size=ours.num_codebook_vectors, in_channels=ours.dim,
        block_out_channels=ours.dim, block_num_heads=heads, num_hidden_layers=layers,
        num_attention_heads=heads, intermediate_size=hidden, hidden_dropout=0.1,
        attention_dropout=0.1, sample_size=16,
    ).to(tokens.device)  # fmt: skip
    scheduler = AmusedScheduler(mask_token_id=ours.mask_token_id)
    grids, some = (given.view(-1, 16, 16) for given in (tokens, batch))

    def logits(ids: Tensor) -> Tensor:
        count = len(ids)
        conditions: dict[str, Any] = {
            "encoder_hidden_states": torch.ones(count, 1, TEXT_DIM, device=ids.device),
            "pooled_text_emb": torch.ones(count, TEXT_DIM, device=ids.device),
            "micro_conds": torch.ones(count, 5, device=ids.device),
        }
        return model(ids, **conditions)

    def loss() -> Tensor:
        share = torch.cos(torch.rand(len(some), 1, 1, device=some.device) * torch.pi / 2)
        hidden = torch.rand(some.shape, device=some.device) < share
        out = logits(some.masked_fill(hidden, ours.mask_token_id))
        return F.cross_entropy(out.permute(0, 2, 3, 1)[hidden].float(), some[hidden])

    @torch.no_grad()
    def decode(dtype: torch.dtype | None) -> object:
        model.eval()
        scheduler.set_timesteps(NUM_STEPS, device=tokens.device)
        ids = torch.full_like(grids, ours.mask_token_id)
        with torch.autocast(tokens.device.type, dtype=dtype, enabled=dtype is not None):
            for step in scheduler.timesteps:
                ids = scheduler.step(logits(ids).float(), step, ids).prev_sample
        return ids

    return Rival(_trainer(model, tokens.device, loss), decode, lambda: logits(grids[:1]), model)
