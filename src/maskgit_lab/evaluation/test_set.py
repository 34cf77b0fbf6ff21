"""Fill and score the test images, next to fills that need no model: the end of every run."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from maskgit_lab.data.image_set import InpaintSet
from maskgit_lab.evaluation.baselines import reference_outputs, score_outputs
from maskgit_lab.evaluation.features import Extractor
from maskgit_lab.evaluation.fill_set import Filler
from maskgit_lab.evaluation.output_scores import distance_name
from maskgit_lab.evaluation.truth import read_truth

MODEL_ROWS = ("model, decoded", "model, composited")
# rows that have seen the truth cannot win
CEILING = "VQGAN reconstruction"


@dataclass(frozen=True)
class TestScores:
    """Scores of every kind of fill on the test images, and the images themselves."""

    fills: dict[str, np.ndarray]  # (n, H, W, 3) uint8 each
    rows: list[dict[str, Any]]  # a row per fill; empty when the test images have no truth
    protocol: dict[str, Any]  # what the distance was measured with


def score_test_set(filler: Filler, test: InpaintSet, extractor: Extractor, *, cache: Path, batch_size: int) -> TestScores:
    """Fill the test images and score them next to grey, diffusion and the tokenizer's reconstruction of the truth."""
    decoded, composited = np.empty_like(test.images), np.empty_like(test.images)
    with tqdm(total=len(test), desc="Filling test images", unit="img") as bar:
        for part, fill in filler.batches(test.images, test.holes, batch_size=batch_size):
            decoded[part], composited[part] = fill.decoded.cpu().numpy(), fill.composited.cpu().numpy()
            bar.update(len(fill.decoded))
    references = reference_outputs(test, tokenizer=filler.tokenizer, others=None, batch_size=batch_size, decoder=filler.decoder)
    floors = {name: images for name, images in references.items() if not name.startswith(CEILING)}
    ceilings = {name: images for name, images in references.items() if name.startswith(CEILING)}
    fills = {**floors, MODEL_ROWS[0]: decoded, MODEL_ROWS[1]: composited, **ceilings}
    protocol = {**extractor.protocol, "num_pictures": len(test), "seed": filler.seed, **filler.settings.as_dict()}
    protocol["decoder"] = "plain" if filler.decoder is None else filler.decoder.sha256
    if test.truth is None:
        return TestScores(fills, [], protocol)
    device = str(filler.tokenizer.device)
    extractor.to(device)
    truth = read_truth(test.truth, test.holes, extractor, cache=cache, batch_size=batch_size, device=device)
    shown = (distance_name(extractor.name), "psnr_hole", "ssim_hole", "mae_hole")
    rows = []
    for name, images in fills.items():
        scores = score_outputs(images, truth, batch_size=batch_size, device=device)
        rows.append({"fill": name, **{key: scores.get(key) for key in shown}})
    return TestScores(fills, rows, protocol)
