"""Extractors: what they return, what they say of themselves, and the calibration on the real test pairs."""

import io
import json
import os
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from maskgit_lab.data.image_set import paint_holes, unit_range
from maskgit_lab.evaluation import features
from maskgit_lab.evaluation.features import InceptionImagenet, SqueezeNetFeatures, TokenizerFeatures, inception_2015
from maskgit_lab.evaluation.frechet import frechet_distance
from maskgit_lab.models.patch_vqgan import PatchVQGAN
from maskgit_lab.models.tokenizer import FrozenTokenizer

pytestmark = [pytest.mark.thorough, pytest.mark.xdist_group("inception")]  # the long one first, and no other file waiting behind it

SHARED = Path(__file__).parents[3] / "shared"
INCEPTION = SHARED / "weights/inception_v3_imagenet_to_mixed7a.pth"
SQUEEZENET = SHARED / "weights/squeezenet1_0_imagenet.pth"
DATA = SHARED / "data"
CALIBRATED_16 = 0.82890  # as the 0.607 of all 747 pairs; equal with AVX2 and AVX-512
needs_weights = pytest.mark.skipif(not (INCEPTION.is_file() and SQUEEZENET.is_file()), reason="needs ../shared/weights")


@pytest.fixture
def tokenizer() -> FrozenTokenizer:
    torch.manual_seed(0)
    model = PatchVQGAN(channels=16, num_blocks=1, latent_dim=8, img_resolution=32, num_codebook_vectors=16, patch_size=4, beta=0.25)
    return FrozenTokenizer(model, mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))


def pictures(n: int, size: int) -> torch.Tensor:
    return torch.rand(n, 3, size, size, generator=torch.Generator().manual_seed(0))


def test_tokenizer_features_have_the_promised_width(tokenizer):
    extractor = TokenizerFeatures(tokenizer=tokenizer)
    assert extractor(pictures(2, 32)).shape == (2, extractor.num_features) == (2, 64)


def test_tokenizer_features_tell_quadrants_apart(tokenizer):
    images = pictures(1, 32)
    extractor = TokenizerFeatures(tokenizer=tokenizer)
    assert (extractor(images) - extractor(images.roll(16, dims=3))).norm() > 0.01


@needs_weights
@pytest.mark.parametrize("build", [lambda: SqueezeNetFeatures(weights=SQUEEZENET), lambda: InceptionImagenet(weights=INCEPTION)])
def test_extractors_give_float32_vectors_and_a_plain_protocol(build):
    extractor = build()
    result = extractor(pictures(2, 64))
    assert result.shape == (2, extractor.num_features)
    assert result.dtype == torch.float32
    protocol = json.loads(json.dumps(extractor.protocol))
    assert protocol["extractor"] == extractor.name
    assert len(protocol["weights_sha256"]) == 64


def test_inception_2015_that_is_missing_says_what_to_put_where(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"pt_inception-2015-12-05-6726825d\.pth.*metrics\.extractor\.weights"):
        inception_2015(weights=tmp_path / "none.pth")


def test_inception_2015_refuses_another_file(tmp_path):
    (tmp_path / "w.pth").write_bytes(b"something else")
    with pytest.raises(ValueError, match="is not the Inception of 2015"):
        inception_2015(weights=tmp_path / "w.pth")


def test_inception_2015_without_network_and_cache_says_what_to_put_where(tmp_path, monkeypatch):
    def fail(*_args: object, **_kwargs: object) -> None:
        raise OSError("no route")

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(features.torch.hub, "download_url_to_file", fail)
    with pytest.raises(FileNotFoundError, match=r"no route.*metrics\.extractor\.weights"):
        inception_2015()


def real_test_pairs() -> tuple[np.ndarray, np.ndarray]:
    """Return truths (n, 64, 64, 3) and holes (n, 64, 64) of the lab's test pairs."""
    numbers = json.loads((DATA / "splits.json").read_text())["test"]
    with tarfile.open(DATA / "cats64_distinct_9303.tar") as tar:
        wanted = set(numbers)
        found = {int(Path(m.name).stem): tar.extractfile(m) for m in tar if int(Path(m.name).stem or 0) in wanted}
        jpeg = {number: file.read() for number, file in found.items() if file is not None}
    holes = np.unpackbits(np.load(DATA / "mask64_bits.npz")["hole"], axis=1).reshape(-1, 64, 64).astype(bool)
    truth = np.stack([np.asarray(Image.open(io.BytesIO(jpeg[i])).convert("RGB")) for i in numbers])
    return truth, holes


def grey_score(count: int) -> float:
    extractor = InceptionImagenet(weights=INCEPTION)
    truth, holes = (array[:count] for array in real_test_pairs())
    with torch.inference_mode():
        sides = [
            torch.cat([extractor(part) for part in unit_range(images).split(4)]) for images in (truth, paint_holes(truth, holes))
        ]
    return frechet_distance(*sides)


# the published calibration is of all 747, three minutes of one core; the first 16 see the same pixels, layers and resize
@needs_weights
@pytest.mark.slow
@pytest.mark.skipif(not DATA.is_dir(), reason="needs ../shared/data")
@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (16, CALIBRATED_16),
        pytest.param(747, 0.607, marks=pytest.mark.skipif("CALIBRATE" not in os.environ, reason="takes minutes: CALIBRATE=1")),
    ],
)
def test_inception_imagenet_scores_grey_fills_as_calibrated(count: int, expected: float):
    assert grey_score(count) == pytest.approx(expected, abs=0.0006)
