"""Fill images from files and write them back."""

import logging
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from maskgit_lab.assembly.compose import decode_changes
from maskgit_lab.assembly.schemas import InpaintConfig
from maskgit_lab.data.holes import draw_holes
from maskgit_lab.data.image_files import list_images, load_images, load_masks, pair_masks
from maskgit_lab.data.image_set import paint_holes
from maskgit_lab.inpainter import Filled, Inpainter
from maskgit_lab.reporting.figures import save_rows, save_strip, strip_image

log = logging.getLogger("maskgit_lab")

NUM_OVERVIEW = 8


def inpaint(config: InpaintConfig) -> None:
    """Fill every image of `images` and write what came out below `out`."""
    inpainter = Inpainter.from_run(
        config.run, checkpoint=config.checkpoint, device=config.device, seed=config.seed, speed=config.speed,
        **decode_changes(config.decode, config.mask_schedule),
    )  # fmt: skip
    paths = list_images(Path(config.images), key="images")
    masks = pair_masks(paths, list_images(Path(config.masks), key="masks")) if config.masks else None
    images = load_images(paths, resolution=inpainter.resolution)
    if masks:
        holes = load_masks(masks, resolution=inpainter.resolution, hole=config.mask_hole)
    else:
        holes = draw_holes(
            style=config.hole_style, share=config.hole_share, seed=config.seed, indices=range(len(paths)),
            resolution=inpainter.resolution,
        )  # fmt: skip
    out = Path(config.out)
    with tqdm(total=len(paths), desc="Filling", unit="img") as bar:
        for start in range(0, len(paths), config.batch_size):
            part = slice(start, start + config.batch_size)
            filled = inpainter(images[part], holes[part], steps=config.save_steps, first=start)
            _write(out, paths[part], images[part], holes[part], filled)
            if start == 0:
                _overview(out / "overview.png", images[part], holes[part], filled)
            bar.update(len(filled.decoded))
    log.info(f"{len(paths)} images filled: {out}/overview.png, decoded/, composited/{', steps/' if config.save_steps else ''}")


def _write(out: Path, paths: list[Path], images: np.ndarray, holes: np.ndarray, filled: Filled) -> None:
    for i, path in enumerate(paths):
        for folder, image in (("decoded", filled.decoded[i]), ("composited", filled.composited[i])):
            _save(out / folder / f"{path.stem}.png", image)
        if len(filled.step_images):
            strip = strip_image(
                image=paint_holes(images, holes)[i],
                hole=holes[i],
                steps=list(filled.step_images[:, i]),
                result=filled.composited[i],
                truth=None,
            )
            steps = range(1, len(filled.step_images) + 1)
            save_strip(out / "steps" / f"{path.stem}.png", strip, steps=steps, with_truth=False)


def _overview(path: Path, images: np.ndarray, holes: np.ndarray, filled: Filled) -> None:
    columns = {"image": images, "input": paint_holes(images, holes), "decoded": filled.decoded, "composited": filled.composited}
    save_rows(path, {name: column[:NUM_OVERVIEW] for name, column in columns.items()})


def _save(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)
