"""Fill a whole set of images, batch by batch, each image with its own noise, so that the batch size changes nothing."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from maskgit_lab.core.decoding import DecodedPass, DecodeSettings
from maskgit_lab.core.randomness import image_generators
from maskgit_lab.evaluation.batches import in_batches
from maskgit_lab.models.filling import Fill, Masked, decode_masked, fill_masked, predict_at_once, read_masked
from maskgit_lab.models.frozen_decoder import FrozenDecoder, decoded_pixels
from maskgit_lab.models.masked_token_model import MaskedTokenModel
from maskgit_lab.models.tokenizer import FrozenTokenizer

NOISE_STREAM = "decode"

CandidateWatch = Callable[[int, DecodedPass], None]  # told of every pass of decoding, with the number of the sample


@dataclass(frozen=True)
class Filler:
    """Everything that filling needs besides the images: the networks, the settings, the seed, the precision."""

    model: MaskedTokenModel
    tokenizer: FrozenTokenizer
    settings: DecodeSettings
    seed: int = 0
    autocast: torch.dtype | None = None  # precision of the transformer's matrix products; None = float32
    decoder: FrozenDecoder | None = None  # that reads the known pixels; None = the tokenizer's own

    def fill(self, images: np.ndarray, holes: np.ndarray, indices: Iterable[int]) -> Fill:
        """Fill one batch: uint8 (B, H, W, 3), bool (B, H, W), and the images' numbers, which choose their noise."""
        return self.candidates(images, holes, indices, num_samples=1)[0]

    def candidates(
        self, images: np.ndarray, holes: np.ndarray, indices: Iterable[int], *, num_samples: int, first_sample: int = 0,
        watch: CandidateWatch | None = None,
    ) -> list[Fill]:  # fmt: skip
        """Fill one batch several times with other noise; sample 0 is what `fill` returns. Images are read once."""
        numbers = list(indices)
        with self._evaluating():
            masked = self._read(images, holes)
            if num_samples > 1:
                predict_at_once(self.model, masked, autocast=self.autocast)  # the first step of them all
            return [
                fill_masked(
                    self.model, self.tokenizer, masked, settings=self.settings, autocast=self.autocast,
                    generators=image_generators(self.seed, NOISE_STREAM, numbers, sample=sample), decoder=self.decoder,
                    watch=None if watch is None else partial(watch, sample),
                )
                for sample in range(first_sample, first_sample + num_samples)
            ]  # fmt: skip

    def tokens(self, images: np.ndarray, holes: np.ndarray, indices: Iterable[int]) -> Tensor:
        """Return the tokens (B, N) that `fill` gives, without painting them."""
        with self._evaluating():
            generators = image_generators(self.seed, NOISE_STREAM, list(indices), sample=0)
            trace = decode_masked(
                self.model, self._read(images, holes), settings=self.settings, autocast=self.autocast, generators=generators
            )
        return trace.tokens

    @contextmanager
    def _evaluating(self) -> Iterator[None]:
        training = self.model.training
        self.model.eval()
        try:
            yield
        finally:
            self.model.train(training)

    def _read(self, images: np.ndarray, holes: np.ndarray) -> Masked:
        given, hidden = (torch.from_numpy(np.array(array)) for array in (images, holes))
        dilation = self.settings.mask_dilation
        return read_masked(self.model, self.tokenizer, given, hidden, mask_dilation=dilation, autocast=self.autocast)

    def pixels(self, tokens: Tensor, images: Tensor, holes: Tensor) -> Tensor:
        """Return the images uint8 (B, H, W, 3) of tokens (B, N), of images (B, H, W, 3) uint8 with holes (B, H, W) bool."""
        return decoded_pixels(self.tokenizer, self.decoder, tokens, images, holes)

    def batches(self, images: np.ndarray, holes: np.ndarray, *, batch_size: int | None) -> Iterator[tuple[slice, Fill]]:
        """Yield (which images, their fill) over a whole set; without a batch size, as many at once as fit."""

        def fill(part: slice) -> Fill:
            return self.fill(images[part], holes[part], range(part.start, part.stop))

        return in_batches(len(images), fill, batch_size=batch_size, device=self.tokenizer.device)

    def token_batches(self, images: np.ndarray, holes: np.ndarray) -> Iterator[tuple[slice, Tensor]]:
        """Yield (which images, their tokens) over a whole set, as many at once as fit."""

        def guess(part: slice) -> Tensor:
            return self.tokens(images[part], holes[part], range(part.start, part.stop))

        return in_batches(len(images), guess, batch_size=None, device=self.tokenizer.device)
