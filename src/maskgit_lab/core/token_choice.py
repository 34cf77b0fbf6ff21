"""How a token is taken from logits: the most likely one, or sampled with temperature, top-k and top-p.

Sampling is by inverse CDF: one uniform number per token, where Gumbel noise needs one per code. All arithmetic is float32, whatever
the network's precision: in half precision equal-looking confidences tie and the order goes by position.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from maskgit_lab.core.ranges import require_number

# u * total is kept below the total by one rounding, or the search would end behind the last code that has any probability
BELOW_ONE = 1 - 2**-23


@dataclass(frozen=True)
class TokenLogits:
    """Logits of some positions, ready to take tokens from; the mask token is ruled out."""

    logits: Tensor  # (..., V + 1) float32, -inf at the mask token
    temperature: float  # 0 = the most likely token

    @classmethod
    def of(cls, logits: Tensor, mask_token_id: int, temperature: float) -> "TokenLogits":
        """Return a float32 copy of logits (..., V + 1) without the mask token."""
        copied = logits.to(torch.float32, copy=True)
        copied[..., mask_token_id] = -torch.inf
        return cls(copied, temperature)

    @property
    def tempered(self) -> Tensor:
        """Logits (..., V + 1) whose softmax is p: divided by the temperature, as they are at temperature 0."""
        return self.logits if self.temperature in (0, 1) else self.logits / self.temperature

    def most_likely(self) -> tuple[Tensor, Tensor]:
        """Return the most likely token and its log p, both (...)."""
        scores = self.tempered
        best, token = scores.max(-1)
        return token, best - scores.logsumexp(-1)

    def log_p_of(self, token: Tensor) -> Tensor:
        """Return log p (...) of tokens (...)."""
        scores = self.tempered
        return scores.gather(-1, token[..., None])[..., 0] - scores.logsumexp(-1)

    def sampled(self, uniform: Tensor, *, top_k: int = 0, top_p: float = 1.0) -> Tensor:
        """Return tokens (...) drawn from p, or from its likeliest codes.

        Args:
            uniform: (...) in (0, 1), one per token.
            top_k: sample among the k likeliest codes; 0 = all.
            top_p: sample among the likeliest codes that together reach this probability, the one that crosses it included (Holtzman
                et al. 2020); after top_k. 1 = all.

        Returns:
            (...) int64.
        """
        scores, codes = self.tempered, None
        if 0 < top_k < scores.shape[-1]:
            scores, codes = scores.topk(top_k, dim=-1)  # descending
        elif top_p < 1:
            scores, codes = scores.sort(dim=-1, descending=True, stable=True)
        p = scores.softmax(-1)
        if top_p < 1:
            p = p.masked_fill(p.cumsum(-1) - p >= top_p, 0)
        cdf = p.cumsum(-1)
        wanted = uniform[..., None] * cdf[..., -1:] * BELOW_ONE
        # NaN logits are an error by name after the loop; until then they must not lead out of the table
        place = torch.searchsorted(cdf, wanted, right=True).clamp(max=scores.shape[-1] - 1)
        return (place if codes is None else codes.gather(-1, place))[..., 0]


@dataclass(frozen=True)
class TokenRule:
    """How tokens are taken, as the configuration says it."""

    temperature: float = 0.0  # 0 = the most likely one
    top_k: int = 0  # 0 = all codes
    top_p: float = 1.0  # 1 = all codes

    def check(self) -> None:
        """Raise ValueError naming the configuration key of a value out of range."""
        require_number("decode.token_temperature", self.temperature, least=0)
        require_number("decode.top_k", self.top_k, least=0, whole=True, unit="codes")
        require_number("decode.top_p", self.top_p, above=0, most=1)
