"""Fill images from files and write them back."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from maskgit_lab.assembly.lab_networks import lab_filler
from maskgit_lab.assembly.networks import decode_changes
from maskgit_lab.assembly.schemas import InpaintConfig
from maskgit_lab.commands.results import check_apart, check_results, result_names
from maskgit_lab.data.file_reading import BadFilesError
from maskgit_lab.data.holes import draw_holes
from maskgit_lab.data.image_files import load_images
from maskgit_lab.data.image_listing import list_images
from maskgit_lab.data.image_opening import ReadOptions
from maskgit_lab.data.image_set import paint_holes
from maskgit_lab.data.mask_files import Photos, check_hole_colour, load_photos
from maskgit_lab.data.mask_pairing import find_masks, images_among
from maskgit_lab.inpainter import Filled, Inpainter
from maskgit_lab.machine.whole_file import whole_file
from maskgit_lab.reporting.figures import save_rows, save_strip, strip_image

log = logging.getLogger("maskgit_lab")

NUM_OVERVIEW = 8
NUM_CANDIDATES_SHOWN = 6


def inpaint(config: InpaintConfig) -> None:
    """Fill every image of `images` and write what came out below `out`; all are read and checked before the first is filled."""
    options = ReadOptions(max_pixels=config.max_pixels, skip_bad=config.skip_bad, keys="")
    check_hole_colour(config.mask_hole)
    inpainter = _inpainter(config)
    place = Path(config.masks).expanduser() if config.masks else None
    paths = images_among(list_images(Path(config.images), key="images"), masks=place, key="images")
    masks = find_masks(paths, place, key="masks") if place else []
    out = Path(config.out).expanduser()
    names = dict(zip(paths, result_names(paths), strict=True))
    endings = [f"_{k}" for k in range(1, config.num_samples + 1)] if config.num_samples > 1 else [""]
    folders = ["decoded", "composited", *(["steps"] if config.save_steps else [])]
    check_apart(out, [*paths, *masks])
    files = [f"{name}{ending}.png" for name in names.values() for ending in endings]
    results = [out / "overview.png", *(out / folder / file for folder in folders for file in files)]
    photos = _photos(config, paths, masks, inpainter.resolution, options)  # what cannot be read is named first
    check_results(results, inputs=[*paths, *masks], overwrite=config.overwrite)
    with tqdm(total=len(photos.paths), desc="Filling", unit="img") as bar:
        for start in range(0, len(photos.paths), config.batch_size):
            part = slice(start, start + config.batch_size)
            images, holes = photos.images[part], photos.holes[part]
            fills = inpainter.candidates(images, holes, num_samples=config.num_samples, steps=config.save_steps, first=start)
            for ending, filled in zip(endings, fills, strict=True):
                _write(out, [f"{names[path]}{ending}" for path in photos.paths[part]], images, holes, filled)
            if start == 0:
                _overview(out / "overview.png", images, holes, fills)
            bar.update(len(images))
    log.info(f"{len(photos.paths)} images filled: {out}/overview.png, {', '.join(f'{folder}/' for folder in folders)}")


def _inpainter(config: InpaintConfig) -> Inpainter:
    changes = decode_changes(config.decode, config.mask_schedule)
    if config.run is not None:
        return Inpainter.from_run(
            config.run, checkpoint=config.checkpoint, device=config.device, seed=config.seed, speed=config.speed,
            decoder=config.use_decoder, **changes,
        )  # fmt: skip
    assert config.vqgan is not None
    assert config.transformer is not None
    return Inpainter(lab_filler(
        config.vqgan, config.transformer, num_heads=config.num_heads, device=config.device, seed=config.seed, speed=config.speed,
        **changes,
    ))  # fmt: skip


def _photos(config: InpaintConfig, paths: list[Path], masks: list[Path], resolution: int, options: ReadOptions) -> Photos:
    """Read the images with their masks, or with holes that are drawn."""
    if masks:
        return load_photos(paths, masks, resolution=resolution, hole=config.mask_hole, options=options)
    try:
        images = load_images(paths, resolution=resolution, options=options)
    except BadFilesError as error:
        if not options.skip_bad:
            raise
        paths = [paths[i] for i in error.rest()]
        images = load_images(paths, resolution=resolution, options=options)
    holes = draw_holes(
        style=config.hole_style, share=config.hole_share, seed=config.seed, indices=range(len(paths)), resolution=resolution
    )  # fmt: skip
    return Photos(paths, images, holes)


def _write(out: Path, names: list[str], images: np.ndarray, holes: np.ndarray, filled: Filled) -> None:
    for i, name in enumerate(names):
        for folder, image in (("decoded", filled.decoded[i]), ("composited", filled.composited[i])):
            with whole_file(out / folder / f"{name}.png") as partial:  # replaces a link, and not what it points to
                Image.fromarray(image).save(partial, format="PNG")
        if len(filled.step_images):
            strip = strip_image(
                image=paint_holes(images, holes)[i],
                hole=holes[i],
                steps=list(filled.step_images[:, i]),
                result=filled.composited[i],
                truth=None,
            )
            steps = range(1, len(filled.step_images) + 1)
            save_strip(out / "steps" / f"{name}.png", strip, steps=steps, with_truth=False)


def _overview(path: Path, images: np.ndarray, holes: np.ndarray, fills: Sequence[Filled]) -> None:
    columns = {"image": images, "input": paint_holes(images, holes)}
    if len(fills) == 1:
        columns |= {"decoded": fills[0].decoded, "composited": fills[0].composited}
    else:
        columns |= {f"candidate {k}": filled.composited for k, filled in enumerate(fills[:NUM_CANDIDATES_SHOWN], 1)}
    save_rows(path, {name: column[:NUM_OVERVIEW] for name, column in columns.items()})
