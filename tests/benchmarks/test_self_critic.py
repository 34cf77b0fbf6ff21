"""The self-critic: ruler and head are right, it revokes what the head says, on a card too, and the command runs to its end."""

import dataclasses
import json
from pathlib import Path

import pytest
import torch
from torch import Tensor

from benchmarks import self_critic
from benchmarks.critic import Critic, Examples, FilledCritic, Head, LastFeatures, auc, examples
from maskgit_lab.core.decoding import DecodeSettings, DecodeTrace
from maskgit_lab.core.masking import token_mask
from maskgit_lab.core.policies.path_planning import PathPlanning
from maskgit_lab.core.policies.random_order import RandomOrder
from maskgit_lab.core.randomness import image_generators
from maskgit_lab.core.schedules import Cosine
from maskgit_lab.evaluation.fill_set import Filler
from maskgit_lab.models.filling import decode_masked, read_masked
from tests.support.builders import boxes, model, pictures, tokenizer
from tests.support.fake_cuda import claimable, fake_cuda

pytestmark = pytest.mark.thorough

COUNT, DIM = 4, 16
RUN = Path(__file__).parents[1] / "fixtures" / "run"
SETTINGS = DecodeSettings(schedule=Cosine(), num_steps=6, token_temperature=1.0, policy=RandomOrder())
KINDS = pytest.mark.parametrize("kind", [Critic, FilledCritic])


def head(*, log_p: float = 0.0, features: float = 0.0) -> Head:
    """Return a head whose score is a weighted sum of log p and the first feature."""
    weight = torch.zeros(DIM + 3)
    weight[0], weight[DIM] = -features, -log_p
    return Head(torch.zeros(DIM + 3), torch.ones(DIM + 3), weight, torch.zeros(()), (1.0, 0.0))


def on(device: torch.device | str, made: Head) -> Head:
    return dataclasses.replace(made, **{key: getattr(made, key).to(device) for key in ("mean", "scale", "weight", "bias")})


def filler(speed: str = "fast", device: torch.device | str = "cpu") -> Filler:
    return Filler(model(num_layers=2, speed=speed).eval().to(device), tokenizer().to(device), SETTINGS)


def decoded(
    kind: type[Critic], said: Head, *, eta: float = 1.0, speed: str = "fast", device: torch.device | str = "cpu"
) -> DecodeTrace:
    made = filler(speed, device)
    policy = kind(head=on(device, said), features=LastFeatures(made.model.transformer), eta=eta)
    return decoded_by(made, dataclasses.replace(SETTINGS, policy=policy))


def decoded_by(made: Filler, settings: DecodeSettings) -> DecodeTrace:
    masked = read_masked(made.model, made.tokenizer, torch.from_numpy(pictures(COUNT)), torch.from_numpy(boxes(COUNT)))
    return decode_masked(made.model, masked, settings=settings, generators=image_generators(0, "decode", range(COUNT)))


def shown(speed: str = "fast", device: torch.device | str = "cpu") -> tuple[Examples, Examples]:
    made = filler(speed, device)
    return examples(made, LastFeatures(made.model.transformer), pictures(COUNT), boxes(COUNT), SETTINGS, batch_size=3)


def test_auc_is_the_share_of_pairs_in_order():
    score, label = torch.tensor([0.0, 1, 1, 2, 5, 5]), torch.tensor([0.0, 0, 1, 0, 1, 1])
    pairs = [(a, b) for a in score[label == 1].tolist() for b in score[label == 0].tolist()]
    assert auc(score, label) == pytest.approx(sum((a > b) + 0.5 * (a == b) for a, b in pairs) / len(pairs))


def test_head_finds_the_direction_that_separates_and_speaks_on_the_scale_of_log_p():
    torch.manual_seed(0)
    x, generated = torch.randn(400, 5), (torch.arange(400) % 2).float()
    x[:, 3] += 3 * generated
    log_p = torch.randn(400) - 4
    made = Head.fitted(x, generated, log_p)
    assert auc(made(x), generated) > 0.95
    assert int(made.weight.argmax()) == 3
    assert made.score(x).mean() == pytest.approx(float(log_p.mean()), abs=0.05)
    assert made.score(x).std() == pytest.approx(float(log_p.std()), abs=0.05)
    assert made.score(x)[generated == 1].mean() < made.score(x)[generated == 0].mean()


@pytest.mark.parametrize("speed", ["fast", "plain"])
def test_last_features_are_those_of_the_logits(speed: str):
    made = filler(speed)
    transformer, seen = made.model.transformer, LastFeatures(made.model.transformer)
    masked = read_masked(made.model, made.tokenizer, torch.from_numpy(pictures(COUNT)), torch.from_numpy(boxes(COUNT)))
    with torch.no_grad():
        logits, cells = masked.predictors.start(SETTINGS)(masked.tokens, masked.mask, None)
        features = seen.take()
        assert features is not None
        similar = features @ transformer.token_embedding.weight.T + transformer.bias[cells % transformer.num_image_tokens]
    assert torch.allclose(similar, logits, atol=1e-5)
    assert seen.take() is None


def test_examples_are_part_generated_part_true_and_alike_at_both_speeds():
    for fast, plain in zip(shown("fast"), shown("plain"), strict=True):
        assert fast.image.unique().tolist() == list(range(COUNT))
        assert torch.equal(fast.generated, plain.generated)
        assert torch.allclose(fast.x, plain.x, atol=1e-4)
    partly, filled = shown()
    assert filled.generated.mean() == 0.5  # each token once true, once generated
    looks = 2 * SETTINGS.num_steps // 2
    in_holes = token_mask(torch.from_numpy(boxes(COUNT)), grid=8).sum(1)
    assert filled.image.bincount().tolist() == (looks * in_holes).tolist()
    assert bool((partly.image.bincount() < filled.image.bincount()).all())


@KINDS
def test_critic_reveals_by_its_schedule_and_is_alike_at_both_speeds(kind: type[Critic]):
    said = head(features=0.5, log_p=1.0)
    fast, plain = (decoded(kind, said, speed=speed) for speed in ("fast", "plain"))
    assert torch.equal(fast.step_tokens, plain.step_tokens)
    assert torch.equal(fast.step_masks.sum(2), decoded_by(filler(), SETTINGS).step_masks.sum(2))
    assert bool((fast.step_masks[:-1] & ~fast.step_masks[1:]).any())


def test_critic_that_says_log_p_is_p2():
    by_p2 = decoded_by(filler(), dataclasses.replace(SETTINGS, policy=PathPlanning(eta=2.0)))
    assert torch.equal(decoded(Critic, head(log_p=1.0), eta=2.0).step_tokens, by_p2.step_tokens)


@KINDS
def test_critic_revokes_more_at_a_larger_eta(kind: type[Critic]):
    def revoked(eta: float) -> int:
        hidden = decoded(kind, head(log_p=1.0), eta=eta).step_masks
        return int((hidden[1:] & ~hidden[:-1]).sum())

    assert revoked(0.01) == 0 < revoked(4.0)


@pytest.mark.skipif(not claimable(), reason="this torch lets no device be claimed that is not there")
def test_critic_does_on_a_card_what_it_does_here():
    def tokens(device: torch.device | str) -> list[Tensor]:
        traces = [decoded(kind, head(log_p=1.0, features=0.5), eta=2.0, device=device) for kind in (Critic, FilledCritic)]
        return [*(trace.step_tokens.cpu() for trace in traces), *(kind.generated.cpu() for kind in shown(device=device))]

    with fake_cuda() as cuda:
        there = tokens(cuda)
    assert all(torch.equal(a, b) for a, b in zip(there, tokens("cpu"), strict=True))


def test_self_critic_measures_every_policy_and_writes_the_table(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(tmp_path)  # where that run keeps its images
    out = tmp_path / "new" / "self_critic.json"
    arguments = [
        str(RUN), "--on", "val", "--images", "3", "--seeds", "2", "--fit", "6", "--steps", "2", "4", "--etas", "2",
        "--cache", str(tmp_path / "cache"), "--out", str(out),
    ]  # fmt: skip
    monkeypatch.setattr("sys.argv", ["self_critic", *arguments])
    self_critic.main()
    content, printed = json.loads(out.read_text()), capsys.readouterr().out
    assert [(row["policy"], row["calls"]) for row in content["rows"][5:]] == [
        ("confidence", 4), ("halton", 4), ("p2 2", 4), ("critic 2", 4), ("critic, filled 2", 8)
    ]  # fmt: skip
    assert len(content["rows"]) == 10
    assert all(row["mae_hole"]["n"] == 2 and row["fd_tokenizer"]["sd"] > 0 for row in content["rows"])
    assert [area["head"] for area in content["heads"]] == ["critic", "critic, filled"]
    assert str(tmp_path) not in out.read_text()
    assert "critic, filled 2" in printed
    assert "4 calls: critic" in printed  # of 4 steps, and of 2 with the filled grid


@pytest.mark.parametrize("wrong", [("--seeds", "1"), ("--fit", "4"), ("--etas", "1", "0")])
def test_self_critic_refuses_what_it_cannot_measure(wrong, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setattr("sys.argv", ["self_critic", str(RUN), *wrong])
    with pytest.raises(SystemExit):
        self_critic.main()
    assert wrong[0] in capsys.readouterr().err.splitlines()[-1]
