"""The truth that outputs are measured against: its images, holes, tokens and features, each computed once."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from maskgit_lab.core.exact_float32 import exact_float32
from maskgit_lab.data.array_cache import cached_array
from maskgit_lab.data.image_set import slices, unit_range
from maskgit_lab.evaluation.features import Extractor

MIN_FOR_BAR = 200  # images


@dataclass(frozen=True)
class Truth:
    """Test images as they really are."""

    images: np.ndarray  # (n, H, W, 3) uint8
    holes: np.ndarray | None  # (n, H, W) bool; None = unknown, then nothing is measured inside holes
    features: Tensor  # (n, d) float32 of `extractor`
    extractor: Extractor

    def __len__(self) -> int:
        return len(self.images)


def read_truth(
    images: np.ndarray, holes: np.ndarray | None, extractor: Extractor, *, cache: Path, batch_size: int, device: str
) -> Truth:
    """Return the truth with its features, which are cached by the content of the images and the extractor's protocol."""
    key = json.dumps(extractor.protocol, sort_keys=True, default=str).encode()
    digest = hashlib.sha256(key + np.ascontiguousarray(images).tobytes())

    def extract_into(out: np.ndarray) -> None:
        with tqdm(total=len(images), desc="Features of the truth", unit="img", disable=len(images) < MIN_FOR_BAR) as bar:
            for part in slices(len(images), batch_size):
                out[part] = extract(extractor, images[part], device=device).numpy()
                bar.update(part.stop - part.start)

    path, shape = cache / "features" / f"{digest.hexdigest()}.npy", (len(images), extractor.num_features)
    features = cached_array(path, shape=shape, dtype=np.dtype(np.float32), fill=extract_into)
    return Truth(images=images, holes=holes, features=torch.from_numpy(np.array(features)), extractor=extractor)


def extract(extractor: Extractor, images: np.ndarray | Tensor, *, device: str) -> Tensor:
    """Return features (n, d) float32 on the CPU of images uint8 (n, H, W, 3), outside autocast and without TF32."""
    with torch.no_grad(), torch.autocast(torch.device(device).type, enabled=False), exact_float32():
        return extractor(unit_range(images).to(device)).float().cpu()
