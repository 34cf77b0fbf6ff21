"""On the device that is not there: whatever part of a path stays on the CPU is found, on every path; files of it are read here."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from maskgit_lab.core import masking
from maskgit_lab.core.decoding import DecodeSettings
from maskgit_lab.core.randomness import image_generators
from maskgit_lab.core.schedules import Cosine
from maskgit_lab.data.token_cache import cached_tokens
from maskgit_lab.evaluation.features import Extractor, InceptionImagenet, SqueezeNetFeatures, TokenizerFeatures
from maskgit_lab.evaluation.frechet import FrechetDistance
from maskgit_lab.evaluation.hole_metrics import hole_metrics
from maskgit_lab.evaluation.inception import TruncatedInception
from maskgit_lab.evaluation.truth import read_truth
from maskgit_lab.inpainter import Inpainter
from maskgit_lab.models.codebook import Codebook
from maskgit_lab.models.context import PixelContext
from maskgit_lab.models.discriminator import PatchDiscriminator, generator_hinge_loss
from maskgit_lab.models.filling import Fill, fill_holes
from maskgit_lab.models.patch_vqgan import GridBlock
from maskgit_lab.models.perceptual import PerceptualLoss
from maskgit_lab.models.squeezenet import SqueezeNet
from maskgit_lab.models.tokenizer import FrozenTokenizer
from maskgit_lab.models.transformer import BidirectionalTransformer, Block
from maskgit_lab.runs.checkpoint import NEEDED, read_checkpoint
from maskgit_lab.training.checkpoint_files import WholeCheckpoints
from maskgit_lab.training.codebook_revival import CodebookRevival
from tests.support.builders import boxes, image_set, inpaint_set, model, pictures, tokenizer
from tests.support.fake_cuda import FakeCuda, MixedDevicesError, claimable, fake_cuda
from tests.support.policies import POLICIES

pytestmark = pytest.mark.skipif(not claimable(), reason="this torch lets no device be claimed that is not there")

COUNT = 4
RUN = Path(__file__).parent / "fixtures" / "run"
# how tokens are chosen and positions ordered: what DecodeSettings takes for it besides schedule and steps
WAYS: dict[str, dict[str, Any]] = {
    **{name: {"policy": policy} for name, policy in POLICIES.items()},
    "confidence without noise": {"choice_temperature": 0},
    "sampled": {"token_temperature": 1.0},
    "sampled among few": {"token_temperature": 1.0, "top_k": 3, "top_p": 0.9},
}


def images() -> Tensor:
    return torch.from_numpy(pictures(COUNT))


def holes() -> Tensor:
    return torch.from_numpy(boxes(COUNT))


def filled(where: torch.device | str, *, speed: str = "fast", **settings: Any) -> Fill:
    return fill_holes(
        model(num_layers=2, speed=speed).eval().to(where), tokenizer().to(where), images(), holes(),
        settings=DecodeSettings(schedule=Cosine(), num_steps=4, **settings), generators=image_generators(0, "decode", range(COUNT)),
    )  # fmt: skip


def encoded(where: torch.device, _: Path) -> Tensor:
    return tokenizer().to(where).encode(images())


def decoded(where: torch.device, _: Path) -> Tensor:
    return tokenizer().to(where).decode(torch.zeros(COUNT, 64, dtype=torch.int64))


def read_context(where: torch.device, _: Path) -> Tensor:
    context = model().to(where).read_context(images().to(where), holes().to(where))
    assert context is not None
    return context


def loss_of_stage_2(where: torch.device, _: Path) -> Tensor:
    network, tokens = model(dropout=0.0).to(where), torch.zeros(COUNT, 64, dtype=torch.int64)
    hidden = torch.ones_like(tokens, dtype=torch.bool)
    context = network.read_context(images().to(where), holes().to(where))
    return network.hidden_logits(tokens.to(where), hidden, context).logsumexp(-1).mean()


def loss_of_stage_1(where: torch.device, _: Path) -> Tensor:
    network, judge = tokenizer().model.train().to(where), PatchDiscriminator(num_filters=4, num_layers=2).to(where)
    made = network(images().permute(0, 3, 1, 2).float().to(where) / 255)
    return made.codebook_loss + generator_hinge_loss(judge(made.images))


def perceptual_loss(where: torch.device, _: Path) -> Tensor:
    made = PerceptualLoss.__new__(PerceptualLoss)  # without its file
    nn.Module.__init__(made)
    torch.manual_seed(0)
    made.net = SqueezeNet()
    pixels = images().permute(0, 3, 1, 2).float() / 255
    return made.to(where)(pixels.to(where), pixels.flip(3).to(where))


def revived(where: torch.device, _: Path) -> Tensor:
    network, revival = tokenizer().model.to(where), CodebookRevival(num_codebook_vectors=16, after_steps=2, seed=0).to(where)
    tokens = network(images().permute(0, 3, 1, 2).float().to(where) / 255).tokens
    revival.observe(tokens, 1)
    return tokens


def distance_with_states(where: torch.device, _: Path) -> Tensor:
    metric = FrechetDistance(TokenizerFeatures(tokenizer=tokenizer().to(where))).to(where)
    for real in (True, False):
        metric.update(images().permute(0, 3, 1, 2).float().to(where) / 255, real=real)
    return metric.compute()


def scored_holes(where: torch.device, _: Path) -> Tensor:
    metrics = {name: metric.to(where) for name, metric in hole_metrics().items()}
    pixels = images().permute(0, 3, 1, 2).float().to(where) / 255
    for metric in metrics.values():
        metric.update(pixels, 1 - pixels, holes().to(where))
    return torch.stack([metric.compute() for metric in metrics.values()])


def extracted(extractor: Callable[[], Extractor]) -> Callable[[torch.device, Path], Tensor]:
    def features(where: torch.device, _: Path) -> Tensor:
        with torch.no_grad():
            return extractor().to(where)(images().permute(0, 3, 1, 2).float().to(where) / 255)

    return features


def squeezenet() -> Extractor:
    made = SqueezeNetFeatures.__new__(SqueezeNetFeatures)  # without its file
    nn.Module.__init__(made)
    torch.manual_seed(0)
    made.network = SqueezeNet()
    return made


def inception() -> Extractor:
    made = InceptionImagenet.__new__(InceptionImagenet)
    nn.Module.__init__(made)
    torch.manual_seed(0)
    made.network, made.antialias = TruncatedInception(cut="mixed_6e").eval(), True
    return made


def token_cache(where: torch.device, folder: Path) -> Tensor:
    made = tokenizer().to(where)
    found = cached_tokens(
        image_set(COUNT), made.encode, folder=folder, tokenizer_id="x", num_tokens=made.num_image_tokens, flip=True, batch_size=2
    )
    return torch.from_numpy(found.astype(np.int64))


def feature_cache(where: torch.device, folder: Path) -> Tensor:
    test, extractor = inpaint_set(COUNT), TokenizerFeatures(tokenizer=tokenizer().to(where))
    assert test.truth is not None
    return read_truth(test.truth, test.holes, extractor, cache=folder, batch_size=2, device=str(where)).features


def inpainted(where: torch.device, _: Path) -> Tensor:
    inpainter = Inpainter.from_run(RUN, device=str(where))
    return torch.from_numpy(inpainter(pictures(2, resolution=64), boxes(2, resolution=64)).composited.copy())


# path -> what computes on a device, and the parts of it that are left on the CPU, each by itself
PATHS: dict[str, tuple[Callable[[torch.device, Path], Tensor], tuple[type[nn.Module], ...]]] = {
    "encode": (encoded, (Codebook, GridBlock)),
    "decode": (decoded, (Codebook, GridBlock)),
    "context": (read_context, (PixelContext,)),
    "loss of stage 2": (loss_of_stage_2, (Block, PixelContext)),
    "loss of stage 1": (loss_of_stage_1, (PatchDiscriminator, Codebook, GridBlock)),
    "perceptual loss": (perceptual_loss, (PerceptualLoss, SqueezeNet)),
    "revival": (revived, (CodebookRevival,)),
    "distance": (distance_with_states, (GridBlock,)),
    "hole metrics": (scored_holes, ()),
    "squeezenet": (extracted(squeezenet), (SqueezeNet,)),
    "inception": (extracted(inception), (TruncatedInception,)),
    "tokens of a cache": (token_cache, (Codebook, GridBlock)),
    "features of a cache": (feature_cache, (GridBlock,)),
    "inpainter": (inpainted, (BidirectionalTransformer, Block, PixelContext)),
}
PLANTS = [(path, part) for path, (_, parts) in PATHS.items() for part in parts]


@pytest.mark.parametrize("path", PATHS)
def test_path_computes_the_cpus_numbers_there(path: str, tmp_path: Path):
    compute = PATHS[path][0]
    here = compute(torch.device("cpu"), tmp_path / "here")
    with fake_cuda() as cuda:
        there = compute(cuda, tmp_path / "there").detach().cpu()
    torch.testing.assert_close(there, here.detach(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("path", "part"), PLANTS, ids=[f"{path}-{part.__name__}" for path, part in PLANTS])
def test_part_that_stays_on_the_cpu_is_found(path: str, part: type[nn.Module], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(part, "_apply", lambda self, *_, **__: self)  # what `.to` calls for every module
    with fake_cuda() as cuda, pytest.raises(MixedDevicesError):
        PATHS[path][0](cuda, tmp_path)


def test_states_of_metrics_that_stay_on_the_cpu_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for metric in {type(metric) for metric in hole_metrics().values()}:
        monkeypatch.setattr(metric, "to", lambda self, *_: self)
        with fake_cuda() as cuda, pytest.raises(MixedDevicesError):
            scored_holes(cuda, tmp_path)
        monkeypatch.undo()


@pytest.mark.parametrize("speed", ["plain", "fast"])
@pytest.mark.parametrize("way", WAYS)
def test_policy_decodes_there_to_the_cpus_tokens(way: str, speed: str):
    here = filled("cpu", speed=speed, **WAYS[way])
    with fake_cuda() as cuda:
        there = filled(cuda, speed=speed, **WAYS[way])
        assert isinstance(there.trace.step_tokens, FakeCuda)
        assert torch.equal(there.trace.step_tokens.cpu(), here.trace.step_tokens)
        assert torch.equal(there.trace.step_masks.cpu(), here.trace.step_masks)


@pytest.mark.parametrize("way", WAYS)
def test_ranks_of_a_policy_that_stay_on_the_cpu_are_found(way: str, monkeypatch: pytest.MonkeyPatch):
    ranked = masking.smallest_k_mask
    for name, module in list(sys.modules.items()):  # wherever the loop takes it from
        if name.startswith("maskgit_lab.core.") and hasattr(module, "smallest_k_mask"):
            monkeypatch.setattr(module, "smallest_k_mask", lambda values, count: ranked(values, count).cpu())
    with fake_cuda() as cuda, pytest.raises(MixedDevicesError):
        filled(cuda, **WAYS[way])


def test_checkpoint_of_the_card_is_read_here_and_fills_alike(tmp_path: Path):
    path = tmp_path / "last.ckpt"
    with fake_cuda() as cuda:
        network, state = model(seed=3).to(cuda), torch.arange(3, device=cuda)
        content = {**dict.fromkeys(NEEDED), "state_dict": network.state_dict(), "optimizer_states": [{"step": state}]}
        WholeCheckpoints().save_checkpoint(content, path)
    with pytest.raises(RuntimeError, match="CUDA device"):  # the file says where it comes from
        torch.load(path, weights_only=True)
    content = read_checkpoint(path)
    assert content["optimizer_states"][0]["step"].tolist() == [0, 1, 2]
    other = model(seed=4)
    other.load_state_dict(content["state_dict"])
    for read, made in zip(other.state_dict().values(), model(seed=3).state_dict().values(), strict=True):
        assert type(read) is type(made)
        assert torch.equal(read, made)


def test_tokenizer_of_the_card_is_read_here_and_encodes_alike(tmp_path: Path):
    with fake_cuda() as cuda:
        tokenizer(seed=3).to(cuda).save(tmp_path / "tokenizer.pt")
    read = FrozenTokenizer.load(tmp_path / "tokenizer.pt")
    assert read.device.type == "cpu"
    assert torch.equal(read.encode(images()), tokenizer(seed=3).encode(images()))
