"""Numbers that are none, planted where numbers are read: an error by name, never an answer."""

import math
import random
import re
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from maskgit_lab.core.decoding import DecodeSettings, decode, predictor_of
from maskgit_lab.core.schedules import Cosine
from maskgit_lab.evaluation.features import Extractor
from maskgit_lab.evaluation.fill_set import Filler
from maskgit_lab.evaluation.frechet import FrechetDistance, frechet_distance
from maskgit_lab.models.tokenizer import FrozenTokenizer
from tests.faults.bench import TINY_RUN, Bench, require, require_one_line
from tests.faults.fault import Fault, LostError
from tests.support import builders

NONE = (math.nan, math.inf, -math.inf)
# what no training can mean; each is refused before anything is trained
IMPOSSIBLE = (
    "optimizer.lr=.nan", "optimizer.lr=.inf", "optimizer.lr=-1", "optimizer.betas=[0.9,.nan]", "optimizer.weight_decay=.nan",
    "training.label_smoothing=2", "training.label_smoothing=.nan", "training.label_smoothing=-0.1", "trainer.precision=16-true",
    "trainer.gradient_clip_val=.nan", "data.hole_share=[.nan,0.3]", "data.batch_size=0", "data.batch_size=-1",
    "data.val_batch_size=0", "decode.choice_temperature=.nan", "tokenizer.training.lr=.nan", "tokenizer.std=[0,0.5,0.5]",
    "tokenizer.mean=[.nan,0.5,0.5]", "data.source.num_val=1", "data.source.num_test=1", "trainer.max_epochs=0",
    "data.num_val_fills=1",
)  # fmt: skip


def must_refuse(what: str, call: "partial[Any]") -> None:
    """Raise LostError unless the call raises ValueError in one line."""
    try:
        answer = call()
    except ValueError as error:
        require(type(error).__module__ == "builtins" or "maskgit_lab" in type(error).__module__, f"{what}: {type(error).__name__}")
        require("\n" not in str(error), f"{what}: more than one line")
    else:
        raise LostError(f"{what}: answered {answer!r:.100}")


def _plant(values: Tensor, rng: random.Random, *, most: int = 5) -> Tensor:
    flat = values.clone().reshape(-1)
    for _ in range(rng.randint(1, most)):
        flat[rng.randrange(len(flat))] = rng.choice(NONE)
    return flat.view_as(values)


def _features(bench: Bench, rng: random.Random) -> None:
    g = torch.Generator().manual_seed(rng.randrange(2**31))
    dtype = rng.choice([torch.float32, torch.float64, torch.float16])
    sides = [torch.randn(rng.randint(2, 40), width := 8, generator=g).to(dtype) for _ in range(2)]
    side = rng.randrange(2)
    sides[side] = _plant(sides[side], rng)
    assert width == 8
    must_refuse("distance of features that are not finite", partial(frechet_distance, *sides))


class _Planted(Extractor):
    """Features with something in them that is no number."""

    name = "planted"

    def __init__(self, rng: random.Random) -> None:
        super().__init__()
        self.rng = rng

    def forward(self, images: Tensor) -> Tensor:
        """Return (B, 6)."""
        return _plant(images.flatten(1)[:, :6], self.rng)


def _metric(bench: Bench, rng: random.Random) -> None:
    metric = FrechetDistance(_Planted(rng))
    g = torch.Generator().manual_seed(rng.randrange(2**31))

    def measured() -> Tensor:
        for real in (True, False):
            metric.update(torch.rand(4, 3, 8, 8, generator=g), real=real)
        return metric.compute()

    must_refuse("metric of features that are not finite", partial(measured))


def _logits(bench: Bench, rng: random.Random) -> None:
    batch, n, v = 3, 16, 9
    g = torch.Generator().manual_seed(rng.randrange(2**31))
    tokens, hidden = torch.randint(v, (batch, n), generator=g), torch.rand(batch, n, generator=g) < 0.5
    logits = _plant(torch.randn(batch, n, v + 1, generator=g), rng, most=20)
    settings = DecodeSettings(schedule=Cosine(), num_steps=rng.randint(1, 6), choice_temperature=rng.choice([0.0, 4.5]))
    call = partial(decode, predictor_of(lambda t: logits), tokens, hidden, settings=settings, mask_token_id=v, generator=g)
    if bool(logits[hidden][..., :v].isnan().any() | logits[hidden][..., :v].isposinf().any()):
        must_refuse("logits that are not finite", call)
        return
    try:
        trace = call()
    except ValueError:
        return  # a negative infinity may be refused: a network never gives one
    require(torch.equal(trace.tokens[~hidden], tokens[~hidden]), "known tokens were changed")
    require(bool((trace.tokens < v).all()), "the mask token was predicted")


def _weights(bench: Bench, rng: random.Random) -> None:
    speed = rng.choice(["fast", "plain"])
    model, settings = builders.model(speed=speed).eval(), DecodeSettings(schedule=Cosine(), num_steps=3)
    named = [(name, p) for name, p in model.named_parameters() if p.is_floating_point()]
    name, parameter = rng.choice(named)
    with torch.no_grad():
        parameter.fill_(rng.choice(NONE[:2]))  # all of it, or it may never reach an output
    filler = Filler(model, builders.tokenizer(), settings, 0)
    must_refuse(f"fill with {name} not finite, {speed}", partial(filler.fill, builders.pictures(2), builders.boxes(2), range(2)))


def _tokenizer(bench: Bench, rng: random.Random) -> None:
    tokenizer = builders.tokenizer()
    parameters = list(tokenizer.model.parameters())
    assert isinstance(parameters[0], nn.Parameter)
    with torch.no_grad():
        rng.choice(parameters).fill_(math.nan)
    path = bench.fresh() / "tokenizer.pt"

    def saved_and_loaded() -> str:
        FrozenTokenizer(tokenizer.model, mean=tokenizer.mean, std=tokenizer.std).save(path)
        return FrozenTokenizer.load(path).sha256

    must_refuse("a tokenizer of NaN", partial(saved_and_loaded))


def _diverging(setting: str, bench: Bench, rng: random.Random) -> None:
    """Train with steps far too large."""
    cwd = bench.fresh()
    lr = f"{setting}={10.0 ** rng.randint(20, 37):g}"
    answer = bench.run("train", *TINY_RUN, lr, "optimizer.warmup_steps=1", "tokenizer.training.warmup_steps=1", "name=d", cwd=cwd)
    require_one_line(answer)
    for path in cwd.rglob("*.ckpt"):
        weights = torch.load(path, weights_only=True)["state_dict"]
        require(all(bool(w.isfinite().all()) for w in weights.values() if w.is_floating_point()), f"{path.name} holds NaN")
    for path in (bench.home / ".cache").rglob("tokenizer.pt"):
        content = torch.load(path, weights_only=True)
        require(all(bool(w.isfinite().all()) for w in content["state_dict"].values()), "a NaN tokenizer was cached")


def _impossible(bench: Bench, rng: random.Random) -> None:
    override, cwd = rng.choice(IMPOSSIBLE), bench.fresh()
    answer = bench.run("train", *TINY_RUN, override, "name=i", cwd=cwd)
    message = require_one_line(answer)
    require(bool(re.search(r"\b[a-z]\w*\.[a-z]\w+", message)), f"{override}: no key is named: {message}")
    require(not list(cwd.rglob("*.ckpt")), f"{override}: something was trained")
    for path in cwd.rglob("result.json"):
        require("NaN" not in Path(path).read_text(), f"{override}: result.json holds NaN")


FAULTS = (
    Fault(name="not finite: features", attempt=_features, times=1000, quick=50, caged=True),
    Fault(name="not finite: features of a metric", attempt=_metric, times=100, quick=5, caged=True),
    Fault(name="not finite: logits", attempt=_logits, times=1000, quick=50, caged=True),
    Fault(name="not finite: weights", attempt=_weights, times=100, quick=5, caged=True),
    Fault(name="not finite: tokenizer", attempt=_tokenizer, times=20, quick=2, caged=True),
    Fault(name="diverging stage 2", attempt=partial(_diverging, "optimizer.lr"), times=4),
    Fault(name="diverging stage 1", attempt=partial(_diverging, "tokenizer.training.lr"), times=4),
    Fault(name="impossible values", attempt=_impossible, times=40),
)
