"""The Python API: repair images of any size with a trained run.

inpainter = Inpainter.from_run("runs/cosine/2026-01-31_12-00-00")
filled = inpainter("photo.jpg", "mask.png")     # paths, images of Pillow, arrays, tensors; white = hole
filled.composited.save("repaired.png")          # size and mode of the photo, every known pixel as it was
several = inpainter.with_decode(token_temperature=1.0)(image, mask, num_samples=4)
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from maskgit_lab.core.by_name import changed_settings
from maskgit_lab.core.decoding import DecodedPass, DecodeSettings
from maskgit_lab.core.ranges import require_number
from maskgit_lab.core.schedules import Cosine
from maskgit_lab.data.holes import DEFAULT_SHARE
from maskgit_lab.evaluation.batches import in_batches
from maskgit_lab.evaluation.fill_set import Filler
from maskgit_lab.evaluation.step_images import StepImages
from maskgit_lab.interop.saved import Saved, load, save
from maskgit_lab.machine.device import chosen_device
from maskgit_lab.models.filling import Fill
from maskgit_lab.repair.fill import fill_photos
from maskgit_lab.repair.filled import Filled
from maskgit_lab.repair.inputs import are_many, check_output, converted, holes_of, images_of, margins_of, together
from maskgit_lab.repair.network import FilledSquares, SquaresNow, WatchSquares, joined
from maskgit_lab.repair.plan import Geometry
from maskgit_lab.repair.settings import Settings
from maskgit_lab.repair.watching import FillWatch

__all__ = ["Filled", "Inpainter"]


@dataclass(eq=False, repr=False)
class Inpainter:
    """Fill holes, any number of images at a time; an image's fill does not depend on its batch."""

    filler: Filler  # networks, tokenizer, decoding settings and seed
    hole_share: tuple[float, float] = DEFAULT_SHARE  # of the holes that the networks were trained on
    speed: str = "fast"
    watch: FillWatch | None = None  # told of every pass of decoding

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
            **decode: other settings than the run's, as in `with_decode`.

        Returns:
            An inpainter with the run's networks and settings.

        Raises:
            FileNotFoundError: when the folder is not a run, or its checkpoint, its tokenizer or the decoder asked for is missing.
            ValueError: when tokenizer and checkpoint do not belong together, a value is out of range, the configuration asks for
                what a folder may not, or the device is not here.
        """
        # here, because they bring the configuration's readers, which `load` does not need
        from maskgit_lab.assembly.load import load_decoder, load_tokenizer, load_weights, trained_hole_share
        from maskgit_lab.assembly.networks import build_model, decode_settings
        from maskgit_lab.assembly.read import load_config
        from maskgit_lab.runs.folder import RunFolder

        folder = RunFolder(Path(run))
        chosen_device(device)  # before anything is read
        config = load_config(folder.root)
        tokenizer = load_tokenizer(folder)
        weights = folder.checkpoint(checkpoint)
        model = build_model(config.model, tokenizer, weights=weights)
        load_weights(model, weights, tokenizer)
        parts = Saved(
            model, tokenizer, load_decoder(folder, tokenizer, decoder), changed_settings(decode_settings(config), **decode),
            trained_hole_share(config, folder), speed or config.speed, seed,
        )  # fmt: skip
        return cls._on(parts, device)

    @classmethod
    def from_lab(
        cls,
        vqgan: str | Path,
        transformer: str | Path,
        *,
        device: str = "auto",
        seed: int = 0,
        speed: str = "fast",
        num_heads: int = 16,
        **decode: Any,
    ) -> Self:
        """Load the lab's two checkpoints; their sizes and resolution are read off the tensors.

        Args:
            vqgan: checkpoint of stage 1, for example VQGAN.pt.
            transformer: checkpoint of stage 2.
            device: auto, cpu, cuda, ...
            seed: of the decoding noise.
            speed: fast or plain.
            num_heads: of the transformer's attention, which no checkpoint says; the lab's has 16.
            **decode: other settings than the lab's (cosine schedule, 7 steps), as in `with_decode`.

        Returns:
            An inpainter with the lab's networks.

        Raises:
            FileNotFoundError: when a file is missing.
            ValueError: when a file is something else, or the two do not belong together.
        """
        from maskgit_lab.assembly.lab_networks import load_lab_networks

        model, tokenizer = load_lab_networks(vqgan, transformer, num_heads=num_heads)
        settings = changed_settings(DecodeSettings(Cosine()), **decode)
        return cls._on(Saved(model, tokenizer, None, settings, DEFAULT_SHARE, speed, seed), device)

    @classmethod
    def load(
        cls, folder: str | Path, *, device: str = "auto", seed: int | None = None, speed: str | None = None, **decode: Any
    ) -> Self:
        """Load what `save` wrote; needs neither Lightning nor Hydra.

        Args:
            folder: with inpainter.json and its safetensors.
            device: auto, cpu, cuda, ...
            seed: of the decoding noise, None = as saved.
            speed: fast or plain, None = as saved.
            **decode: other settings than those saved, as in `with_decode`.

        Returns:
            The inpainter.

        Raises:
            FileNotFoundError: when there is none, or a file of it is missing.
            ValueError: when a file is damaged or asks for what this package does not have.
        """
        found = load(Path(folder))
        settings = changed_settings(found.settings, **decode)
        seed = found.seed if seed is None else seed
        return cls._on(dataclasses.replace(found, settings=settings, speed=speed or found.speed, seed=seed), device)

    def save(self, folder: str | Path, *, overwrite: bool = False) -> None:
        """Write this inpainter to a folder: safetensors and a small JSON, for `load`.

        Args:
            folder: made here.
            overwrite: replace an inpainter that is there.

        Raises:
            ValueError: when one is there, or its networks, schedule or policy are not this package's own.
        """
        filler = self.filler
        kept = Saved(filler.model, filler.tokenizer, filler.decoder, filler.settings, self.hole_share, self.speed, filler.seed)
        save(kept, Path(folder), overwrite=overwrite)

    @classmethod
    def _on(cls, parts: Saved, device: str) -> Self:
        """Put networks on a device and make them fast."""
        from maskgit_lab.assembly.speed import at_speed, decoder_at_speed

        where = chosen_device(device)
        tokenizer = parts.tokenizer.to(where)
        model = at_speed(parts.speed, parts.model.to(where).eval(), tokenizer, parts.settings)
        if parts.decoder is not None:
            decoder_at_speed(parts.speed, parts.decoder)
        return cls(Filler(model, tokenizer, parts.settings, parts.seed, decoder=parts.decoder), parts.hole_share, parts.speed)

    def with_decode(self, **changes: Any) -> Self:
        """Return an inpainter with the same networks that decodes otherwise; nothing is loaded.

        Args:
            **changes: values by the names of `decode.*` (num_steps, sweet_spot, token_temperature, ...); `policy` and
                `mask_schedule` by name ("halton", "linear") or as objects.

        Returns:
            The other inpainter.

        Raises:
            ValueError: when a value is out of range or a name is not known.
        """
        from maskgit_lab.assembly.speed import check_speed

        settings = changed_settings(self.filler.settings, **changes)
        check_speed(self.speed, settings)
        return dataclasses.replace(self, filler=dataclasses.replace(self.filler, settings=settings))

    def watched(self, watch: FillWatch) -> Self:
        """Return an inpainter that calls `watch` after every pass of decoding, with a `repair.watching.FillNow`.

        It says which tokens are there, how sure they are and where in the image; results do not change. What `watch` raises ends
        the fill.
        """
        return dataclasses.replace(self, watch=watch)

    @property
    def resolution(self) -> int:
        """Pixels per side of what the network fills."""
        return self.filler.tokenizer.resolution

    def __call__(
        self,
        images: Any,
        masks: Any = None,
        *,
        num_samples: int = 1,
        seed: int | None = None,
        strategy: str = "crop",
        steps: bool = False,
        output: str | None = None,
        first: int = 0,
        expand: tuple[int, int, int, int] = (0, 0, 0, 0),
        match_histogram: bool = False,
        seamless: bool = True,
    ) -> Filled:
        """Fill the holes of one or many images of any size and mode.

        Args:
            images: one, or a list: array (H, W) or (H, W, C), tensor (H, W), (H, W, C) or (C, H, W), image of Pillow, path; or
                one array or tensor (n, H, W, C). Pixels under the holes have no influence.
            masks: one for each image, of the same kinds and the size that a viewer shows: True, white or more than half = hole;
                None = what is transparent in an image, or with `expand` nothing but the margin.
            num_samples: candidates for each image; more of them change none of the earlier ones. They differ where tokens are
                sampled (token_temperature above 0).
            seed: of the decoding noise, None = the inpainter's.
            strategy: crop = a square around each hole; resize = the whole image at once; original = images of the network's
                resolution only. At that resolution all are the same.
            steps: keep every step's prediction and mask, for `Filled.reveal`.
            output: pil, numpy or torch, None = the kind that was given; a path gives an image of Pillow.
            first: number of the first image, which chooses its noise.
            expand: pixels by which the canvas grows to the left, top, right and bottom; the margin is filled too.
            match_histogram: give each crop the tones of what is known in it.
            seamless: fit each fill to the known pixels beside its hole; images of the network's resolution stay as decoded.

        Returns:
            The filled images; every known pixel has its value.

        Raises:
            ValueError: when an image or mask cannot be used, or a value is out of range.
        """
        require_number("num_samples", num_samples, least=1, whole=True)
        require_number("seed", seed, least=0, whole=True, or_null=True)
        check_output(output)
        margins = margins_of(expand)
        geometry = Geometry(self.resolution, self.hole_share)
        settings = Settings(geometry, strategy, self.filler.settings.mask_blend_pixels, match_histogram, seamless)
        given = images_of(images)
        photos = [one.photo for one in given]
        if masks is None and any(margins) and all(photo.transparent() is None for photo in photos):
            holes = [np.zeros((photo.height, photo.width), bool) for photo in photos]
        else:
            holes = holes_of(masks, photos, many=are_many(images))
        if any(margins):
            left, top, right, bottom = margins
            photos = [photo.grown(*margins) for photo in photos]
            holes = [np.pad(hole, ((top, bottom), (left, right)), constant_values=True) for hole in holes]
        filler = self.filler if seed is None else dataclasses.replace(self.filler, seed=seed)
        filled = fill_photos(
            photos, holes, range(first, first + len(photos)), _Squares(filler, steps), settings=settings, num_samples=num_samples,
            watch=self.watch,
        )  # fmt: skip

        def frame(image: int, sample: int, step: int | None) -> Any:
            return converted(given[image].back(filled[image].frame(sample, step)), output)

        samples = [together([frame(i, sample, None) for i in range(len(filled))], images) for sample in range(num_samples)]
        return Filled(
            composited=samples[0] if num_samples == 1 else samples,
            crops=[one.crops for one in filled],
            num_samples=num_samples,
            _frame=frame,
            _samples=samples,
        )


@dataclass(frozen=True)
class _Squares:
    """Fill squares with the networks, in batches that fit."""

    filler: Filler
    steps: bool

    def __call__(
        self, images: np.ndarray, holes: np.ndarray, numbers: Sequence[int], *, first_sample: int, num_samples: int,
        watch: WatchSquares | None = None,
    ) -> list[FilledSquares]:  # fmt: skip
        def work(part: slice) -> list[FilledSquares]:
            seen = StepImages(self.filler, torch.from_numpy(images[part]), torch.from_numpy(holes[part]))

            def tell(sample: int, now: DecodedPass) -> None:
                if watch is not None:
                    watch(self._now(part, sample, now, seen))

            fills = self.filler.candidates(
                images[part], holes[part], numbers[part], num_samples=num_samples, first_sample=first_sample,
                watch=None if watch is None else tell,
            )  # fmt: skip
            return [self._filled(fill, first_sample + k, seen) for k, fill in enumerate(fills)]

        parts = [made for _, made in in_batches(len(images), work, batch_size=None, device=self.filler.tokenizer.device)]
        return [joined(batches) for batches in zip(*parts, strict=True)]

    def _now(self, part: slice, sample: int, now: DecodedPass, seen: StepImages) -> SquaresNow:
        """Return what a pass made of some squares as arrays."""
        return SquaresNow(
            part, sample, now.number, now.of, now.step, self._grids(now.hidden), self._grids(now.log_p.exp()),
            decoded=lambda: seen.of(sample, now.step, now.tokens),
        )  # fmt: skip

    def _filled(self, fill: Fill, sample: int, seen: StepImages) -> FilledSquares:
        """Return a fill as arrays."""
        trace, decoded = fill.trace, fill.decoded.cpu().numpy()
        shown = trace.step_tokens if self.steps else trace.step_tokens[:0]
        images = [seen.of(sample, step, tokens) for step, tokens in enumerate(shown[:-1], 1)] + [decoded] * bool(len(shown))
        return FilledSquares(
            decoded=decoded,
            confidence=self._grids(trace.log_p.exp()),
            step_images=np.stack(images) if images else np.empty((0, *decoded.shape), np.uint8),
            step_masks=self._grids(trace.step_masks[: len(shown)]),
        )

    def _grids(self, values: Tensor) -> np.ndarray:
        """Return (..., N) of tokens as (..., grid, grid)."""
        return values.unflatten(-1, (self.filler.tokenizer.grid, -1)).cpu().numpy()
