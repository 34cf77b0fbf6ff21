"""Fill a whole set of images, batch by batch, each image with its own noise, so that the batch size changes nothing."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from maskgit_lab.core.decoding import DecodedPass, DecodeSettings
from maskgit_lab.core.randomness import image_generators
from maskgit_lab.evaluation.batches import in_batches
from maskgit_lab.models.filling import Fill, fill_masked, predict_at_once, read_masked
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
        training = self.model.training
        self.model.eval()
        try:
            given, hidden = (torch.from_numpy(np.array(array)) for array in (images, holes))
            numbers = list(indices)
            masked = read_masked(
                self.model, self.tokenizer, given, hidden, mask_dilation=self.settings.mask_dilation, autocast=self.autocast
            )
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
        finally:
            self.model.train(training)

    def pixels(self, tokens: Tensor, images: Tensor, holes: Tensor) -> Tensor:
        """Return the images uint8 (B, H, W, 3) of tokens (B, N), of images (B, H, W, 3) uint8 with holes (B, H, W) bool."""
        return decoded_pixels(self.tokenizer, self.decoder, tokens, images, holes)

    def batches(self, images: np.ndarray, holes: np.ndarray, *, batch_size: int | None) -> Iterator[tuple[slice, Fill]]:
        """Yield (which images, their fill) over a whole set; without a batch size, as many at once as fit."""

        def fill(part: slice) -> Fill:
            return self.fill(images[part], holes[part], range(part.start, part.stop))

        return in_batches(len(images), fill, batch_size=batch_size, device=self.tokenizer.device)
