"""Fill images from files, in their own size and mode, and write them back."""

import logging
import re
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from maskgit_lab.assembly.networks import decode_changes, schedule_for
from maskgit_lab.assembly.schemas import InpaintConfig
from maskgit_lab.commands.inpaint_figures import FilledImage, panels, save_reveal, save_steps
from maskgit_lab.commands.inpaint_inputs import Inputs, Photo, Seen, check_resolution, find_tasks
from maskgit_lab.commands.results import check_apart, check_results
from maskgit_lab.data.hole_marks import check_hole_mark
from maskgit_lab.data.image_opening import ReadOptions
from maskgit_lab.data.image_saving import save_like
from maskgit_lab.inpainter import Filled, Inpainter
from maskgit_lab.machine.whole_file import whole_file
from maskgit_lab.repair.pillow_photo import PillowPhoto
from maskgit_lab.reporting.contact_sheet import Panel, save_sheet

log = logging.getLogger("maskgit_lab")

NUM_OVERVIEW = 8
OF_A_CROP = re.compile(r"(?P<image>.+)_\d+\.png", re.DOTALL)


def inpaint(config: InpaintConfig) -> None:
    """Fill every image of `images` and write what came out below `out`; all are read and checked before the first is filled."""
    options = ReadOptions(max_pixels=config.max_pixels, skip_bad=config.skip_bad, min_side=1, keys="")
    check_hole_mark(config.mask_hole)
    tasks = find_tasks(config)
    inpainter = _inpainter(config)
    read = [path for task in tasks for path in (task.path, task.mask) if path is not None]
    out = _Out(config)
    check_apart(out.folder, read)
    inputs = Inputs(config, options)
    seen = inputs.look(tasks)
    if config.strategy == "original":
        check_resolution(seen, inpainter.resolution)
    check_results(out.files(seen), inputs=read, overwrite=config.overwrite)
    start = time.perf_counter()
    with tqdm(total=len(seen), desc="Filling", unit="img") as bar, _said_once():
        for part, photos in inputs.batches(seen):
            filled = _fill(inpainter, config, photos, first=bar.n)
            for i, (one, photo) in enumerate(zip(part, photos, strict=True)):
                out.write(one, photo, filled, i)
                bar.update()
    out.write_overview()
    log.info(out.summary(seen, seconds=time.perf_counter() - start))


def _inpainter(config: InpaintConfig) -> Inpainter:
    inpainter = _loaded(config)
    if config.mask_schedule is None:
        return inpainter
    tokens = inpainter.filler.tokenizer.num_image_tokens
    return inpainter.with_decode(mask_schedule=schedule_for(config.mask_schedule, tokens))


def _loaded(config: InpaintConfig) -> Inpainter:
    changes = decode_changes(config.decode)
    if config.run is not None:
        return Inpainter.from_run(
            config.run, checkpoint=config.checkpoint, device=config.device, seed=config.seed, speed=config.speed,
            decoder=config.use_decoder, **changes,
        )  # fmt: skip
    assert config.vqgan is not None
    assert config.transformer is not None
    return Inpainter.from_lab(
        config.vqgan, config.transformer, num_heads=config.num_heads, device=config.device, seed=config.seed,
        speed=config.speed or "fast", **changes,
    )  # fmt: skip


def _fill(inpainter: Inpainter, config: InpaintConfig, photos: Sequence[Photo], *, first: int) -> Filled:
    left, top, right, bottom = config.expand
    return inpainter(
        [photo.stored for photo in photos], [photo.hole for photo in photos], num_samples=config.num_samples,
        strategy=config.strategy, steps=config.save_steps or config.animation, first=first,
        expand=(left, top, right, bottom), seamless=config.seamless, match_histogram=config.match_histogram,
    )  # fmt: skip


@contextmanager
def _said_once() -> Iterator[None]:
    """Let what is logged of one batch not be said again of the next, with other numbers."""
    before: set[str] = set()

    def is_new(record: logging.LogRecord) -> bool:
        text = re.sub(r"\d[\d.,]*", "", record.getMessage())
        new = text not in before
        before.add(text)
        return new

    log.addFilter(is_new)
    try:
        yield
    finally:
        log.removeFilter(is_new)


class _Out:
    """The folder of results.

    Args:
        config: of the command.
    """

    def __init__(self, config: InpaintConfig) -> None:
        self.config = config
        self.folder = Path(config.out).expanduser()
        self.endings = [f"_{k}" for k in range(1, config.num_samples + 1)] if config.num_samples > 1 else [""]
        self.of_crops = ["decoded", *(["steps"] if config.save_steps else [])]
        self.num_crops = 0
        self._rows: list[tuple[str, list[Panel]]] = []
        self._old: dict[Path, list[Path]] = {}  # crops of an earlier command, by the name of their image

    def files(self, seen: Sequence[Seen]) -> list[Path]:
        """Return all files that will be written, and those of crops that an earlier command left and that will be removed."""
        files = [self.folder / "overview.png"]
        names = [f"{one.task.name}{ending}" for one in seen for ending in self.endings]
        suffixes = [one.kind.suffix for one in seen for _ in self.endings]
        files += [self.folder / "composited" / f"{name}{suffix}" for name, suffix in zip(names, suffixes, strict=True)]
        if self.config.animation:
            files += [self._animation(one) for one in seen]
        images = [self.folder / folder / name for folder in self.of_crops for name in names]
        self._old = _crops_in({image.parent for image in images})
        files += [image.with_name(f"{image.name}_1.png") for image in images]  # how many there will be is not known yet
        return list(dict.fromkeys([*files, *(path for image in images for path in self._old.get(image, []))]))

    def write(self, one: Seen, photo: Photo, filled: Filled, number: int) -> None:
        """Write what came out of one image: number `number` of `filled`."""
        config = self.config
        candidates = [filled.composited] if config.num_samples == 1 else filled.composited
        image = FilledImage(*_shown(photo, config.expand), filled, number, [made[number] for made in candidates], config.expand)
        for k, (ending, result) in enumerate(zip(self.endings, image.results, strict=True)):
            name = f"{one.task.name}{ending}"
            save_like(result, self.folder / "composited" / f"{name}{one.kind.suffix}", one.kind, stored=photo.stored)
            for folder in self.of_crops:
                for path in self._old.get(self.folder / folder / name, []):
                    path.unlink(missing_ok=True)
            for h, crop in enumerate(image.crops, 1):
                with whole_file(self.folder / "decoded" / f"{name}_{h}.png") as partial:
                    Image.fromarray(crop.decoded[k]).save(partial, format="PNG")
                if config.save_steps:
                    save_steps(self.folder / "steps" / f"{name}_{h}.png", crop, k)
        self.num_crops += len(image.crops)
        if config.animation:
            save_reveal(self._animation(one), image)
        if len(self._rows) < NUM_OVERVIEW:
            width, height = one.size
            what = f"{len(image.crops)} crop{'s' * (len(image.crops) != 1)} filled" if image.crops else "no hole"
            self._rows.append((f"{one.task.name}{one.task.path.suffix}: {width} x {height} pixels, {what}", panels(image)))

    def write_overview(self) -> None:
        """Write the contact sheet of the first images."""
        save_sheet(self.folder / "overview.png", self._rows)

    def summary(self, seen: Sequence[Seen], *, seconds: float) -> str:
        """Say in a line what is where."""
        folders = ["composited/ (the results)", "decoded/ (what the network made of each crop)"]
        folders += ["steps/ (its decoding steps)"] * self.config.save_steps
        folders += ["animations/ (the reveal)"] * self.config.animation
        count, lossy = len(seen), sum(one.lossy for one in seen)
        said = f"{count} image{'s' * (count != 1)} filled in {seconds:.1f} s, {self.num_crops} crop{'s' * (self.num_crops != 1)}; "
        said += f"in {self.folder}: overview.png, {', '.join(folders)}."
        if lossy:
            said += f" {lossy} came as JPEG or the like, which would change known pixels: written as PNG or TIFF."
        return said

    def _animation(self, one: Seen) -> Path:
        return self.folder / "animations" / f"{one.task.name}.webp"


def _shown(photo: Photo, margins: Sequence[int]) -> tuple[PillowPhoto, np.ndarray]:
    """Return an image and its hole on the canvas of its results."""
    left, top, right, bottom = margins
    given = PillowPhoto(photo.stored)
    given.look(photo.hole)
    if not any(margins):
        return given, photo.hole
    return given.grown(left, top, right, bottom), np.pad(photo.hole, ((top, bottom), (left, right)), constant_values=True)


def _crops_in(folders: set[Path]) -> dict[Path, list[Path]]:
    """Return the files of crops in some folders, by the path of their image without ending."""
    found = defaultdict(list)
    for folder in folders:
        for path in folder.iterdir() if folder.is_dir() else ():
            match = OF_A_CROP.fullmatch(path.name)
            if match:
                found[folder / match["image"]].append(path)
    return found
