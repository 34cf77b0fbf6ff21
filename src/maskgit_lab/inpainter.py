"""The Python API: fill holes in images with a trained run.

inpainter = Inpainter.from_run("runs/cosine/2026-01-31_12-00-00")
fill = inpainter(images, masks)        # uint8 (n, H, W, 3), bool (n, H, W), True = hole
fill.composited                        # uint8 (n, H, W, 3), known pixels untouched
several = inpainter.candidates(images, masks, num_samples=4)   # with token_temperature=1.0 in from_run
"""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from maskgit_lab.assembly.load import load_decoder, load_tokenizer, load_weights
from maskgit_lab.assembly.networks import build_model, decode_settings
from maskgit_lab.assembly.read import load_config
from maskgit_lab.assembly.speed import at_speed, decoder_at_speed
from maskgit_lab.core.ranges import require_number
from maskgit_lab.evaluation.fill_set import Filler
from maskgit_lab.machine.device import chosen_device
from maskgit_lab.models.filling import Fill
from maskgit_lab.runs.folder import RunFolder


@dataclass(frozen=True)
class Filled:
    """Filled images as arrays."""

    decoded: np.ndarray  # (n, H, W, 3) uint8: the decoder's whole output
    composited: np.ndarray  # (n, H, W, 3) uint8: known pixels put back exactly
    step_images: np.ndarray  # (S, n, H, W, 3) uint8: the prediction after each step; S = 0 without `steps`
    step_masks: np.ndarray  # (S, n, grid, grid) bool: tokens still hidden after each step


@dataclass(eq=False, repr=False)
class Inpainter:
    """Fill holes, any number of images at a time; an image's fill does not depend on its batch."""

    filler: Filler  # networks, tokenizer, decoding settings and seed

    @classmethod
    def from_run(
        cls,
        run: str | Path,
        *,
        checkpoint: str = "best",
        device: str = "auto",
        seed: int = 0,
        speed: str | None = None,
        decoder: str | None = None,
        **decode: Any,
    ) -> Self:
        """Load a run.

        Args:
            run: run folder of `maskgit_lab.train`.
            checkpoint: best or last.
            device: auto, cpu, cuda, ...
            seed: of the decoding noise.
            speed: fast or plain, None = as the run was trained.
            decoder: conditional (reads the known pixels, where the run has one) or plain, None = conditional where there is one.
            **decode: other values for fields of DecodeSettings, for example num_steps or refresh_every.

        Returns:
            An inpainter with the run's networks and settings.

        Raises:
            FileNotFoundError: when the folder is not a run, or its checkpoint, its tokenizer or the decoder asked for is missing.
            ValueError: when tokenizer and checkpoint do not belong together, a value is out of range, the configuration asks for
                what a folder may not, or the device is not here.
        """
        folder, where = RunFolder(Path(run)), chosen_device(device)
        config = load_config(folder.root)
        tokenizer = load_tokenizer(folder)
        weights = folder.checkpoint(checkpoint)
        model = build_model(config.model, tokenizer, weights=weights)
        load_weights(model, weights, tokenizer)
        tokenizer.to(where)
        settings = dataclasses.replace(decode_settings(config), **decode)
        model = at_speed(speed or config.speed, model.to(where).eval(), tokenizer, settings)
        found = load_decoder(folder, tokenizer, decoder)
        if found is not None:
            decoder_at_speed(speed or config.speed, found)
        return cls(Filler(model, tokenizer, settings, seed, decoder=found))

    @property
    def resolution(self) -> int:
        """Pixels per side of the images."""
        return self.filler.tokenizer.resolution

    def __call__(self, images: np.ndarray, masks: np.ndarray, *, steps: bool = False, first: int = 0) -> Filled:
        """Fill holes: the first of `candidates`."""
        return self.candidates(images, masks, num_samples=1, steps=steps, first=first)[0]

    def candidates(
        self, images: np.ndarray, masks: np.ndarray, *, num_samples: int, steps: bool = False, first: int = 0
    ) -> list[Filled]:
        """Fill holes several times, each time with other noise; with `token_temperature` above 0 the fills differ in their tokens.

        Args:
            images: (n, H, W, 3) uint8 of the run's resolution; pixels under the holes have no influence.
            masks: (n, H, W) bool, True = hole.
            num_samples: candidates for each hole; more of them change none of the earlier ones.
            steps: also return every step's prediction and mask.
            first: number of the first image, which chooses its noise.

        Returns:
            The filled images, candidate by candidate.

        Raises:
            ValueError: when images and masks do not fit the run or each other, or `num_samples` is not at least 1.
        """
        require_number("num_samples", num_samples, least=1, whole=True)
        expected = (self.resolution, self.resolution)
        if images.shape[1:] != (*expected, 3) or masks.shape != images.shape[:3]:
            raise ValueError(
                f"images must be (n, {expected[0]}, {expected[1]}, 3) with masks of the same size, "
                f"got {images.shape} and {masks.shape}"
            )
        if images.dtype != np.uint8 or masks.dtype != np.bool_:
            raise ValueError(f"images must be uint8 and masks bool, True = hole, got {images.dtype} and {masks.dtype}")
        numbers = range(first, first + len(images))
        return [
            self._filled(fill, images, masks, steps)
            for fill in self.filler.candidates(images, masks, numbers, num_samples=num_samples)
        ]

    def _filled(self, fill: Fill, images: np.ndarray, masks: np.ndarray, steps: bool) -> Filled:
        """Return a fill as arrays."""
        grid = self.filler.tokenizer.grid
        shown = fill.trace.step_tokens if steps else fill.trace.step_tokens[:0]
        step_images = self._step_images(shown, images, masks)
        return Filled(
            decoded=fill.decoded.cpu().numpy(),
            composited=fill.composited.cpu().numpy(),
            step_images=np.stack(step_images) if step_images else np.empty((0, *images.shape), np.uint8),
            step_masks=fill.trace.step_masks[: len(shown)].unflatten(-1, (grid, grid)).cpu().numpy(),
        )

    def _step_images(self, step_tokens: Tensor, images: np.ndarray, masks: np.ndarray) -> list[np.ndarray]:
        given, holes = torch.from_numpy(images), torch.from_numpy(masks)
        return [self.filler.pixels(tokens, given, holes).cpu().numpy() for tokens in step_tokens]
