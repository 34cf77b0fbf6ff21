"""A self-critic: a linear head on the transformer's last features that says which tokens were generated, and decoding by it.

Token-Critic (Lezama et al. 2022, arXiv 2209.04439) trains a second transformer to say so; here it is one layer on the first.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from maskgit_lab.core.decoding import DecodeSettings
from maskgit_lab.core.masking import smallest_k_mask
from maskgit_lab.core.policies.policy import Ask, Policy, Question, Step
from maskgit_lab.core.randomness import image_generators
from maskgit_lab.core.token_choice import TokenLogits
from maskgit_lab.data.image_set import slices
from maskgit_lab.evaluation.fill_set import Filler
from maskgit_lab.models.filling import decode_masked, read_masked
from maskgit_lab.models.transformer import BidirectionalTransformer

SEED = 77  # of the fills that a head is fitted on
WEIGHT_PENALTY = 1e-2  # on squared weights of standardised inputs: hundreds of them, and images are few
NUM_EXTRA = 3  # what `evidence` adds to the features


class LastFeatures:
    """What the transformer hands to its output layer.

    Read by a hook on the last layer of its head, which plain and fast call alike, so neither needs to know.
    """

    def __init__(self, transformer: BidirectionalTransformer) -> None:
        self._last: Tensor | None = None
        transformer.head[-1].register_forward_hook(self._keep)

    def _keep(self, _module: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> None:
        self._last = output.float()

    def take(self) -> Tensor | None:
        """Return the features (..., dim) of the last call, once; None when logits came without one."""
        last, self._last = self._last, None
        return last


def evidence(features: Tensor, logits: TokenLogits, log_p: Tensor) -> Tensor:
    """Return what the head reads, (..., dim + 3): features, and log p, p and entropy, which are not linear in them."""
    entropy = torch.special.entr(logits.logits.softmax(-1)).sum(-1)
    return torch.cat([features, torch.stack([log_p, log_p.exp(), entropy], -1)], -1)


@dataclass(frozen=True)
class Head:
    """A linear layer on standardised inputs, and its word on the scale of log p, where etas mean what they mean to P2."""

    mean: Tensor  # (D,)
    scale: Tensor  # (D,)
    weight: Tensor  # (D,)
    bias: Tensor  # ()
    to_log_p: tuple[float, float]  # slope and offset that give the fitted tokens' logits the spread and the mean of their log p

    def __call__(self, x: Tensor) -> Tensor:
        """Return the logit (...) of "generated" for x (..., D)."""
        return ((x - self.mean) / self.scale) @ self.weight + self.bias

    def score(self, x: Tensor) -> Tensor:
        """Return a score (...), at most 0, that is least where x (..., D) looks generated."""
        slope, offset = self.to_log_p
        return (offset - slope * self(x)).clamp(max=0)

    @classmethod
    def fitted(cls, x: Tensor, generated: Tensor, log_p: Tensor) -> "Head":
        """Minimise the binary cross entropy of x (M, D) and labels (M,) in {0, 1}; `log_p` (M,) is that of the tokens."""
        mean, scale = x.mean(0), x.std(0) + 1e-6
        standard = (x - mean) / scale
        weight, bias = x.new_zeros(x.shape[1]).requires_grad_(), x.new_zeros(()).requires_grad_()
        optimizer = torch.optim.LBFGS([weight, bias], max_iter=100, line_search_fn="strong_wolfe")

        def loss() -> Tensor:
            optimizer.zero_grad()
            value = F.binary_cross_entropy_with_logits(standard @ weight + bias, generated)
            value = value + WEIGHT_PENALTY * weight.square().sum()
            value.backward()
            return value

        optimizer.step(loss)
        said = (standard @ weight + bias).detach()
        slope = float(log_p.std() / said.std().clamp(min=1e-6))
        return cls(mean, scale, weight.detach(), bias.detach(), (slope, float(log_p.mean() + slope * said.mean())))


def auc(score: Tensor, label: Tensor) -> float:
    """Return the area under the ROC curve of scores (M,) for labels (M,) in {0, 1}: the share of pairs in order, ties half."""
    ordered, yes = score.sort().values, label == 1
    rank = (torch.searchsorted(ordered, score) + torch.searchsorted(ordered, score, right=True) + 1).double() / 2
    num_yes = int(yes.sum())
    return float((rank[yes].sum() - num_yes * (num_yes + 1) / 2) / (num_yes * (len(label) - num_yes)))


@dataclass(frozen=True)
class Examples:
    """Tokens inside holes, generated ones and true ones."""

    x: Tensor  # (M, D), of `evidence`
    generated: Tensor  # (M,) float32 in {0, 1}
    image: Tensor  # (M,) int64


@torch.no_grad()
def examples(
    filler: Filler, features: LastFeatures, images: np.ndarray, holes: np.ndarray, settings: DecodeSettings, *, batch_size: int
) -> tuple[Examples, Examples]:
    """Generate a random part of each hole, the rest true, and look at it after every second step; then the same with the rest.

    So each token of a hole is generated once and true once: how easy an image or a cell is tells nothing.

    Args:
        filler: networks, in evaluation mode.
        features: of the filler's transformer.
        images: (n, H, W, 3) uint8, true.
        holes: (n, H, W) bool.
        settings: how the part is generated.
        batch_size: images at once; changes nothing.

    Returns:
        What is seen while some tokens are hidden, of the visible ones: what `Critic` is asked about. And of the grid with every
        hidden token filled in: what `FilledCritic` is asked about.
    """
    model, tokenizer, mask_token_id = filler.model, filler.tokenizer, filler.model.transformer.mask_token_id
    found: tuple[list[tuple[Tensor, ...]], ...] = ([], [])
    for part in slices(len(images), batch_size):
        given, hidden = (torch.from_numpy(np.array(array[part])) for array in (images, holes))
        indices = range(part.start, part.start + len(given))
        masked = read_masked(model, tokenizer, given, hidden, mask_dilation=settings.mask_dilation)
        masked = dataclasses.replace(masked, tokens=torch.where(masked.mask, tokenizer.encode(given), masked.tokens))
        first = _part_of(masked.mask, indices)
        for generated in (first, masked.mask & ~first):
            trace = decode_masked(
                model, dataclasses.replace(masked, mask=generated), settings=settings,
                generators=image_generators(SEED, "critic", indices),
            )  # fmt: skip
            predict = masked.predictors.start(settings)
            for tokens, still in zip(trace.step_tokens[1::2], trace.step_masks[1::2], strict=True):
                for kind, not_seen in zip(found, (still, torch.zeros_like(still)), strict=True):
                    asked, grid = masked.mask & ~not_seen, tokens.masked_fill(not_seen, mask_token_id)
                    logits, cells = predict(grid, asked, None)
                    seen = features.take()
                    if seen is None:  # nothing is visible
                        continue
                    own = TokenLogits.of(logits, mask_token_id, settings.token_temperature)
                    wanted = asked.flatten()[cells]  # speed=plain computes every cell
                    x, places = evidence(seen, own, own.log_p_of(grid.flatten()[cells]))[wanted], cells[wanted]
                    kind.append((x, generated.flatten()[places].float(), places // grid.shape[1] + part.start))
    partly, filled = (Examples(*(torch.cat(parts) for parts in zip(*kind, strict=True))) for kind in found)
    return partly, filled


def _part_of(hole: Tensor, indices: Sequence[int]) -> Tensor:
    """Return a random share of each hole (B, N), (B, N) bool; what is drawn depends on the image's number only."""
    draws = [torch.rand(hole.shape[1] + 1, generator=g) for g in image_generators(SEED, "critic part", indices)]
    drawn = torch.stack(draws).to(hole.device)
    count = (hole.sum(1) * drawn[:, 0]).ceil().long()
    return smallest_k_mask(drawn[:, 1:].masked_fill(~hole, torch.inf), count) & hole


class Critic(Policy):
    """P2 that asks the critic: hidden tokens score log p, visible ones eta times the head's score; the least are hidden.

    Args:
        head: on `evidence` of partly hidden grids.
        features: of the transformer that decodes.
        eta: above 0; larger ones hide more that was revealed.
    """

    rescores = True
    remasks = True
    refreshes = False

    def __init__(self, *, head: Head, features: LastFeatures, eta: float) -> None:
        self.head = head
        self.features = features
        self.eta = eta

    def logits(self, ask: Ask, tokens: Tensor, question: Question) -> Tensor:
        """Return logits for tokens (B, N); forget features of earlier calls."""
        self.features.take()
        return ask(tokens)

    def position_score(self, logits: TokenLogits, log_p: Tensor) -> Tensor:
        """Return the head's score (...); log p where the logits were remembered: of the first step, where all is hidden."""
        seen = self.features.take()
        return log_p if seen is None else self.head.score(evidence(seen, logits, log_p))

    def score(self, step: Step) -> Tensor:
        """Return log p (B, N): of a token that was drawn just now the features know nothing."""
        return step.log_p

    def remask(self, step: Step) -> Tensor:
        """Return eta times the head's score (B, N)."""
        return self.eta * step.position_score


class FilledCritic(Critic):
    """Token-Critic: asks once more in every step, about the filled grid; the critic ranks every token of the hole.

    Args:
        head: on `evidence` of filled grids.
        features: of the transformer that decodes.
        eta: above 0; of the visible ones' score.
    """

    def logits(self, ask: Ask, tokens: Tensor, question: Question) -> Tensor:
        """Return logits for tokens (B, N); keep `ask` for the second call of the step."""
        self._ask = ask
        self._mask_token_id = question.mask_token_id
        return super().logits(ask, tokens, question)

    def score(self, step: Step) -> Tensor:
        """Return the head's score (B, N) of the hole's tokens, those just drawn among them."""
        self.features.take()
        logits = TokenLogits.of(self._ask(step.tokens), self._mask_token_id, 1.0)
        packed = logits.logits.ndim == 2  # speed=fast computes the hole only, image by image
        own = step.tokens[step.hole] if packed else step.tokens
        said = self.position_score(logits, logits.log_p_of(own))
        self._said = torch.zeros_like(step.log_p).masked_scatter(step.hole, said) if packed else said
        return self._said

    def remask(self, step: Step) -> Tensor:
        """Return eta times `score` (B, N), which the loop calls first."""
        return self.eta * self._said
