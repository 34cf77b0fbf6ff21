"""What tokenizers keep of images they have not seen: every image encoded, and decoded by the tokenizer's own decoder.

    python -m benchmarks.reconstruction TOKENIZER.pt ... --data DIR --inception inception_v3.pth --images 1000 --out FILE

DIR is the lab's folder of cat faces, split clean. Prints a Markdown table: the Frechet distance of the reconstructions in
features of ImageNet's Inception, PSNR in dB and mean absolute error of 8-bit pixels, and how many codes are in use.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch

from benchmarks.study import record
from maskgit_lab.core.pixels import to_uint8
from maskgit_lab.data.cat_faces import CatFaces
from maskgit_lab.data.image_set import slices
from maskgit_lab.evaluation.features import Extractor, InceptionImagenet
from maskgit_lab.evaluation.frechet import frechet_distance
from maskgit_lab.evaluation.truth import extract, read_truth
from maskgit_lab.models.tokenizer import FrozenTokenizer
from maskgit_lab.reporting.tables import render_markdown

BATCH_SIZE = 100


def main() -> None:
    """Measure every tokenizer and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tokenizers", type=Path, nargs="+", help="tokenizer.pt of the cache or of a run folder")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--inception", type=Path, required=True, help="torchvision's inception_v3 state dict")
    parser.add_argument("--on", choices=["val", "test"], default="val")
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--cache", type=Path, default=Path.home() / ".cache" / "maskgit_lab")
    parser.add_argument("--out", type=Path, help="a file that gets the figures as JSON")
    args = parser.parse_args()
    splits = CatFaces(root=args.data, split="clean").load(cache=args.cache)
    truth = splits.test.truth if args.on == "test" else splits.val.images
    assert truth is not None  # the lab's folder has one
    images = np.ascontiguousarray(truth[: args.images])
    device = "cuda" if torch.cuda.is_available() else "cpu"
    extractor: Extractor = InceptionImagenet(weights=args.inception).to(device)
    true = read_truth(images, None, extractor, cache=args.cache, batch_size=BATCH_SIZE, device=device).features
    rows = []
    for path in args.tokenizers:
        rows.append({"tokenizer": path.stem} | measured(FrozenTokenizer.load(path).to(device), images, true, extractor))
        print(*rows[-1].values(), flush=True)
    print("\n" + render_markdown(list(rows[0]), [[str(value) for value in row.values()] for row in rows]))
    if args.out:
        args.out.write_text(json.dumps(record(rows, images=len(images), on=args.on), indent=2) + "\n")


def measured(
    tokenizer: FrozenTokenizer, images: np.ndarray, true: torch.Tensor, extractor: Extractor
) -> dict[str, float | str]:  # fmt: skip
    """Return the figures of one tokenizer."""
    device = str(tokenizer.device)
    made, used = np.empty_like(images), set[int]()
    for part in slices(len(images), BATCH_SIZE):
        tokens = tokenizer.encode(torch.from_numpy(np.array(images[part])))
        used |= set(tokens.unique().tolist())
        made[part] = to_uint8(tokenizer.decode(tokens)).cpu().numpy()
    error = (made.astype(np.float64) - images).reshape(len(images), -1)
    psnr = 20 * np.log10(255) - 10 * np.log10(np.square(error).mean(1).clip(min=1e-6))
    return {
        "fd": round(frechet_distance(extracted(extractor, made, device), true), 4),
        "psnr": round(float(psnr.mean()), 2),
        "mae": round(float(np.abs(error).mean()), 2),
        "codes in use": f"{len(used)} of {tokenizer.num_codebook_vectors}",
    }


def extracted(extractor: Extractor, images: np.ndarray, device: str) -> torch.Tensor:
    """Return features (n, d) of images (n, H, W, 3) uint8."""
    return torch.cat([extract(extractor, images[part], device=device) for part in slices(len(images), BATCH_SIZE)])


if __name__ == "__main__":
    main()
