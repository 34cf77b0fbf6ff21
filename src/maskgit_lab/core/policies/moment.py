"""The confidence order with its noise taken apart: positions first, then tokens from a sharpened p (arXiv 2510.04525)."""

from dataclasses import dataclass

from torch import Tensor

from maskgit_lab.core.policies.confidence import Confidence
from maskgit_lab.core.token_choice import TokenLogits


@dataclass(frozen=True)
class Moment(Confidence):
    """Choose positions by Gumbel-top-k on log sum_v p(v)^beta, and tokens from p^beta, with beta = 1 + 1 / kappa.

    kappa is the temperature of the order, decode.choice_temperature (1 - r); at 0 the token is the most likely one. Scores are
    those of the formula times kappa, which changes no order and has a limit at kappa 0: log p of the likeliest code.
    """

    sets_token_temperature = True

    def token_temperature(self, progress: float, setting: float, *, order_temperature: float) -> float:
        """Return 1 / beta."""
        return order_temperature / (1 + order_temperature)

    def position_score(self, logits: TokenLogits, log_p: Tensor) -> Tensor:
        """Return kappa log sum_v p(v)^beta (...)."""
        tau = logits.temperature
        if tau == 0:
            return log_p
        kappa = tau / (1 - tau)
        return kappa * (logits.tempered.logsumexp(-1) - logits.logits.logsumexp(-1) / tau)
