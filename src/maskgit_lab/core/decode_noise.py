"""Every random number of one decode, drawn for all passes at once, so that an image gives the same tokens in any batch.

The order noise comes from the images' generators themselves. Every other use has a stream of its own, a generator whose seed
follows from the image's and the stream's name: what one policy draws moves nothing that another draws. A decode that stops
earlier sees the first of the same numbers.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from maskgit_lab.core.randomness import generator as derived

# Uniform draws are kept off 0 and 1, where the Gumbel transform is infinite; the upper end is float32's last number below 1.
UNIFORM_RANGE = (1e-9, 1 - 2**-24)
Generators = torch.Generator | Sequence[torch.Generator] | None


class DecodeNoise:
    """Draws (B, N) of every pass; nothing is drawn before it is used.

    Args:
        generator: one for the batch, or one per image; None where nothing is drawn.
        passes: calls of the network.
        tokens: (B, N), for the shape and the device.

    Raises:
        ValueError: when there are not as many generators as images.
    """

    def __init__(self, generator: Generators, *, passes: int, tokens: Tensor) -> None:
        self.generator = generator
        self.passes = passes
        self.shape = tuple(tokens.shape)
        self.device = tokens.device
        self._drawn: dict[str, Tensor] = {}
        if isinstance(generator, Sequence) and len(generator) != len(tokens):
            raise ValueError(f"decode got {len(generator)} generators for {len(tokens)} images; give one per image")

    def gumbel(self, number: int) -> Tensor:
        """Return the standard Gumbel noise (B, N) on the order at a pass."""
        if "order" not in self._drawn:
            uniform = self._uniform(self._generators("decode.choice_temperature is above 0"))
            # taken to the device when finished: its logarithms round otherwise, and a copy per image would wait for it every time
            self._drawn["order"] = -torch.log(-torch.log(uniform)).to(self.device)
        return self._drawn["order"][number]

    def uniform(self, stream: str, number: int) -> Tensor:
        """Return uniform draws (B, N) inside (0, 1) of a stream at a pass."""
        if stream not in self._drawn:
            given = self._generators(f"it draws {stream}")
            # a generator's first seed, not its state: the order noise may have been drawn from it, or not
            own = [derived(g.initial_seed(), stream, device=g.device) for g in given]
            self._drawn[stream] = self._uniform(own).to(self.device)
        return self._drawn[stream][number]

    def _generators(self, reason: str) -> list[torch.Generator]:
        if self.generator is None:
            raise ValueError(f"decode needs a generator while {reason}")
        return [self.generator] if isinstance(self.generator, torch.Generator) else list(self.generator)

    def _uniform(self, generators: list[torch.Generator]) -> Tensor:
        """Return draws (P, B, N), image by image where each has its generator."""
        batch, num_tokens = self.shape
        if isinstance(self.generator, torch.Generator):
            (one,) = generators
            return torch.rand(self.passes, batch, num_tokens, generator=one, device=one.device).clamp(*UNIFORM_RANGE)
        draws = [torch.rand(self.passes, num_tokens, generator=g, device=g.device) for g in generators]
        drawn = torch.stack(draws, dim=1) if draws else torch.empty(self.passes, 0, num_tokens)
        return drawn.clamp(*UNIFORM_RANGE)


class PassDraws:
    """The draws of one pass.

    Args:
        noise: of the whole decode.
        number: of the pass, counted from 0.
    """

    def __init__(self, noise: DecodeNoise, number: int) -> None:
        self.noise = noise
        self.number = number

    def gumbel(self) -> Tensor:
        """Return the noise (B, N) on the order."""
        return self.noise.gumbel(self.number)

    def uniform(self, stream: str) -> Tensor:
        """Return uniform draws (B, N) of this pass."""
        return self.noise.uniform(stream, self.number)

    def once(self, stream: str) -> Tensor:
        """Return uniform draws (B, N) that are the same in every pass."""
        return self.noise.uniform(stream, 0)
