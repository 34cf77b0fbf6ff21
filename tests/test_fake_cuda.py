"""Every path on a device that is not there: the CPU's numbers, and an error wherever something stays on the wrong side."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from maskgit_lab.core.decoding import DecodeSettings
from maskgit_lab.core.randomness import image_generators
from maskgit_lab.core.schedules import Cosine, Linear
from maskgit_lab.data.token_cache import cached_tokens
from maskgit_lab.evaluation import hole_metrics
from maskgit_lab.evaluation.baselines import reference_outputs, score_outputs
from maskgit_lab.evaluation.features import TokenizerFeatures
from maskgit_lab.evaluation.fill_set import Filler
from maskgit_lab.evaluation.frechet import FrechetDistance, frechet_distance
from maskgit_lab.evaluation.grid import Cell, Grid, evaluate_grid
from maskgit_lab.evaluation.hole_metrics import hole_mean
from maskgit_lab.evaluation.truth import read_truth
from maskgit_lab.inpainter import Inpainter
from maskgit_lab.models.discriminator import PatchDiscriminator, discriminator_hinge_loss, generator_hinge_loss
from maskgit_lab.models.filling import Fill, fill_holes
from maskgit_lab.models.tokenizer import FrozenTokenizer
from maskgit_lab.training.codebook_revival import CodebookRevival
from maskgit_lab.training.divergence import DivergedError, DivergenceGuard
from maskgit_lab.training.module import MaskedTokenModule
from maskgit_lab.training.optim import AdamSettings
from tests.support.builders import boxes, image_set, inpaint_set, model, pictures, tokenizer
from tests.support.fake_cuda import FakeCuda, MixedDevicesError, claimable, fake_cuda

pytestmark = pytest.mark.skipif(not claimable(), reason="this torch lets no device be claimed that is not there")

COUNT = 6
RUN = Path(__file__).parent / "fixtures" / "run"


def on_host(value: Any) -> Tensor:
    assert isinstance(value, FakeCuda)
    return value.cpu()


# the device itself


def test_fake_cuda_computes_there_and_comes_back():
    with fake_cuda() as cuda:
        made, moved = torch.arange(3, device=cuda), torch.ones(3).to(cuda)
        assert made.device.type == "cuda"
        assert made.is_cuda
        assert torch.equal(on_host(made + moved), torch.tensor([1.0, 2, 3]))
        assert torch.equal(on_host(torch.tensor([1, 2], device=cuda)), torch.tensor([1, 2]))
        assert (made.sum().item(), made.tolist(), float(moved[0])) == (3, [0, 1, 2], 1.0)
        layer = torch.nn.Linear(3, 1).to(cuda)
        assert all(isinstance(parameter, FakeCuda) for parameter in layer.parameters())
        assert on_host(layer(moved)).shape == (1,)


MIXES = {
    "sum": lambda here, there: there + here,
    "product": lambda here, there: here[None] @ there,
    "cat": lambda here, there: torch.cat([here, there]),
    "where": lambda here, there: torch.where(there > 0, here, there),
    "lookup": lambda here, there: torch.nn.functional.embedding(there.long(), here[:, None]),
    "index on the card": lambda here, there: here[there.long()],
    "written into": lambda here, there: torch.zeros(()).add_(there.sum()),
    "put": lambda here, there: there.index_put_((torch.tensor([0, 1, 2]),), here),
    "linear": lambda here, there: torch.nn.Linear(3, 1)(there),
    "generator": lambda here, there: torch.rand(3, generator=torch.Generator(), device="cuda"),
}


@pytest.mark.parametrize("mix", MIXES)
def test_fake_cuda_refuses_to_mix_as_a_card_does(mix: str):
    with fake_cuda() as cuda, pytest.raises(MixedDevicesError):
        MIXES[mix](torch.ones(3), torch.ones(3, device=cuda))


def test_fake_cuda_lets_through_what_a_card_does():
    with fake_cuda() as cuda:
        there = torch.ones(3, device=cuda)
        assert on_host(there * torch.tensor(2.0)).tolist() == [2, 2, 2]
        assert on_host(there[torch.tensor([0, 2])]).tolist() == [1, 1]
        assert torch.zeros(3).copy_(there).tolist() == [1, 1, 1]
        with pytest.raises(TypeError, match=r"Tensor.cpu\(\)"):
            np.asarray(there)


# the package


def test_tokenizer_encodes_decodes_and_is_kept(tmp_path: Path):
    images, here = torch.from_numpy(pictures(COUNT)), tokenizer()
    with fake_cuda() as cuda:
        there = tokenizer().to(cuda)
        tokens = there.encode(images)
        assert torch.equal(on_host(tokens), here.encode(images))
        assert torch.equal(on_host(there.decode(tokens)), here.decode(here.encode(images)))
        assert torch.equal(on_host(there.features(images)), here.features(images))
        there.save(tmp_path / "tokenizer.pt")
    assert FrozenTokenizer.load(tmp_path / "tokenizer.pt").sha256 == here.sha256


def test_cached_tokens_of_a_card_are_the_cpus(tmp_path: Path):
    def cached(folder: Path, made: FrozenTokenizer) -> np.ndarray:
        return cached_tokens(
            image_set(5), made.encode, folder=folder, tokenizer_id=made.sha256, num_tokens=made.num_image_tokens, flip=True,
            batch_size=2,
        )  # fmt: skip

    with fake_cuda() as cuda:
        there = cached(tmp_path / "there", tokenizer().to(cuda))
    assert np.array_equal(there, cached(tmp_path / "here", tokenizer()))


def filled(where: torch.device | str, speed: str, **settings: Any) -> Fill:
    images, holes = torch.from_numpy(pictures(COUNT)), torch.from_numpy(boxes(COUNT))
    return fill_holes(
        model(num_layers=2, speed=speed).eval().to(where), tokenizer().to(where), images, holes,
        settings=DecodeSettings(schedule=Cosine(), num_steps=5, **settings),
        generators=image_generators(0, "decode", range(COUNT)),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("speed", "settings"),
    [
        ("plain", {}),
        ("fast", {}),
        ("fast", {"refresh_every": 2, "refresh_ring": 1}),
        ("fast", {"mask_dilation": 1, "sweet_spot": 3}),
    ],
)
def test_fill_holes_gives_the_cpus_fills(speed: str, settings: dict[str, Any]):
    here = filled("cpu", speed, **settings)
    with fake_cuda() as cuda:
        there = filled(cuda, speed, **settings)
        for name in ("step_tokens", "step_masks"):
            assert torch.equal(on_host(getattr(there.trace, name)), getattr(here.trace, name))
        for name in ("decoded", "composited", "mask"):
            assert torch.equal(on_host(getattr(there, name)), getattr(here, name))


def stage2(where: torch.device | str, *, holes: bool = True, speed: str = "fast") -> MaskedTokenModule:
    made = MaskedTokenModule(
        model=model(context=holes, dropout=0.0, speed=speed), tokenizer=tokenizer().to(where), mask_schedule=Cosine(),
        optimizer=AdamSettings(), holes=torch.from_numpy(boxes(7)) if holes else None, encode_masked=holes,
    )  # fmt: skip
    return made.to(where)


def loss(module: MaskedTokenModule, where: torch.device | str) -> tuple[float, float]:
    images = torch.from_numpy(pictures(COUNT, seed=1))
    batch = {"tokens": tokenizer().encode(images).to(where), "images": images.to(where)}
    result = module._masked_loss(batch, "train", 0, 1, 0)
    return float(result.loss.detach()), float(result.accuracy)


@pytest.mark.parametrize("holes", [True, False], ids=["hole", "grid"])
@pytest.mark.parametrize("speed", ["plain", "fast"])
def test_masked_loss_is_the_cpus(holes: bool, speed: str):
    here = loss(stage2("cpu", holes=holes, speed=speed), "cpu")
    with fake_cuda() as cuda:
        assert loss(stage2(cuda, holes=holes, speed=speed), cuda) == pytest.approx(here, rel=1e-6)


def test_masked_loss_with_the_tokenizer_left_behind_is_found():
    """What Lightning's order of hooks led to before."""
    with fake_cuda() as cuda:
        module = stage2(cuda)
        module.tokenizer = tokenizer()
        with pytest.raises(MixedDevicesError):
            loss(module, cuda)


def test_masked_loss_with_the_holes_left_behind_is_found():
    with fake_cuda() as cuda:
        module = stage2(cuda)
        module.holes = torch.from_numpy(boxes(7))
        with pytest.raises(MixedDevicesError):
            loss(module, cuda)


def test_stage_1_losses_and_revival_run_there():
    images = torch.randn(4, 3, 32, 32)
    found = []
    for card in (False, True):
        with fake_cuda() as cuda:
            where = cuda if card else torch.device("cpu")
            torch.manual_seed(0)
            network, judge = tokenizer().model.train().to(where), PatchDiscriminator(num_filters=4, num_layers=2).to(where)
            revival = CodebookRevival(num_codebook_vectors=16, after_steps=2, seed=0).to(where)
            given = images.to(where)
            moved = revival.move(network.codebook, network.codebook.latents(network.features(given)), 0)
            made = network(given)
            revival.observe(made.tokens, 1)
            losses = [
                made.codebook_loss,
                generator_hinge_loss(judge(made.images)),
                discriminator_hinge_loss(judge(given), judge(made.images)),
            ]
            found.append([moved, float(revival.usage(1)), *(float(value.detach()) for value in losses)])
    assert found[1] == pytest.approx(found[0], rel=1e-5)


def test_divergence_guard_finds_what_is_not_finite_there():
    with fake_cuda() as cuda:
        guard = DivergenceGuard(stage="stage 2", keys="x")
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))])
        for value in (1.0, float("nan")):
            guard.watch(torch.tensor(value, device=cuda), f"batch with {value}")
            guard.protect(optimizer, torch.tensor(1.0, device=cuda))
        assert float(optimizer.found_inf) == 1  # type: ignore[attr-defined]
        with pytest.raises(DivergedError, match="batch with nan"):
            guard.look(now=True)


def grid_cells(where: torch.device | str, cache: Path) -> list[Cell]:
    test = inpaint_set(COUNT)
    assert test.truth is not None
    made = tokenizer().to(where)
    filler = Filler(model(num_layers=2).eval().to(where), made, DecodeSettings(schedule=Cosine(), num_steps=4))
    truth = read_truth(test.truth, test.holes, TokenizerFeatures(tokenizer=made), cache=cache, batch_size=4, device=str(where))
    grid = Grid(settings=filler.settings, schedules={"cosine": Cosine(), "linear": Linear()}, sweet_spots=(2, 4), seeds=(0, 1))
    return evaluate_grid(filler, test, truth, grid, batch_size=4).cells


def test_evaluate_grid_has_the_cpus_scores(tmp_path: Path):
    here = grid_cells("cpu", tmp_path / "here")
    with fake_cuda() as cuda:
        there = grid_cells(cuda, tmp_path / "there")
    assert [dataclasses.replace(cell, scores={}) for cell in there] == [dataclasses.replace(cell, scores={}) for cell in here]
    for a, b in zip(there, here, strict=True):
        for name, values in b.scores.items():
            assert a.scores[name] == pytest.approx(values, rel=1e-4, abs=1e-6), name


def test_scores_of_holes_left_on_the_cpu_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(hole_metrics, "hole_mean", lambda values, holes: hole_mean(values, holes.cpu()))
    with fake_cuda() as cuda, pytest.raises(MixedDevicesError):
        grid_cells(cuda, tmp_path)


def test_reference_outputs_and_their_scores_are_the_cpus(tmp_path: Path):
    test = inpaint_set(COUNT)
    assert test.truth is not None
    found = []
    for card in (False, True):
        with fake_cuda() as cuda:
            where = str(cuda) if card else "cpu"
            made = tokenizer().to(where)
            extractor = TokenizerFeatures(tokenizer=made)
            truth = read_truth(test.truth, test.holes, extractor, cache=tmp_path / where.split(":")[0], batch_size=4, device=where)
            outputs = reference_outputs(test, tokenizer=made, others=None, batch_size=4)
            found.append({name: score_outputs(images, truth, batch_size=4, device=where) for name, images in outputs.items()})
    for name, scores in found[0].items():
        assert found[1][name] == pytest.approx(scores, rel=1e-4, abs=1e-6)


def test_frechet_distance_and_its_states_are_there_and_the_cpus():
    real, fake = (torch.randn(COUNT, 3, 32, 32).sigmoid() for _ in range(2))
    with fake_cuda() as cuda:
        metric = FrechetDistance(TokenizerFeatures(tokenizer=tokenizer().to(cuda))).to(cuda)
        for images, is_real in ((real, True), (fake, False)):
            metric.update(images.to(cuda), real=is_real)
        states = [value for side in (metric.real_features, metric.fake_features) for value in side]
        assert all(isinstance(value, FakeCuda) for value in states)
        found = float(metric.compute())
    extractor = TokenizerFeatures(tokenizer=tokenizer())
    assert found == pytest.approx(frechet_distance(extractor(real), extractor(fake)), rel=1e-5)


def test_inpainter_fills_there_as_on_the_cpu():
    images, holes = pictures(3, resolution=64), boxes(3, resolution=64)
    here = Inpainter.from_run(RUN, device="cpu")(images, holes, steps=True)
    with fake_cuda():
        inpainter = Inpainter.from_run(RUN, device="cuda")
        assert inpainter.filler.tokenizer.device.type == "cuda"
        there = inpainter(images, holes, steps=True)
    for name in ("decoded", "composited", "step_images", "step_masks"):
        assert np.array_equal(getattr(there, name), getattr(here, name))
