"""What fills of the true tokens score: the last row of `benchmarks.policies`."""

from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.policies import true_tokens
from benchmarks.study import Study
from maskgit_lab.core.decoding import DecodeSettings
from maskgit_lab.core.schedules import Cosine
from maskgit_lab.data.image_set import InpaintSet
from maskgit_lab.evaluation.features import TokenizerFeatures
from maskgit_lab.evaluation.fill_set import Filler
from maskgit_lab.evaluation.truth import read_truth
from tests.support.builders import boxes, model, pictures, tokenizer


def test_true_tokens_is_the_error_of_decoding_them(tmp_path: Path):
    count, codes = 12, tokenizer()
    images, holes = pictures(count), boxes(count)
    given = InpaintSet.of(images, holes, tuple(map(str, range(count))), "test")
    truth = read_truth(images, holes, TokenizerFeatures(tokenizer=codes), cache=tmp_path, batch_size=5, device="cpu")
    filler = Filler(model(), codes, DecodeSettings(schedule=Cosine(), num_steps=2))
    found = true_tokens(Study(filler, given, truth, batch_size=5))
    errors = []
    for image, grey, hole in zip(images, given.images, holes, strict=True):
        tokens, side = codes.encode(torch.from_numpy(grey[None])).clone(), image.shape[0] // codes.grid
        true = codes.encode(torch.from_numpy(image[None]))
        for row in range(codes.grid):
            for column in range(codes.grid):
                if hole[row * side : (row + 1) * side, column * side : (column + 1) * side].any():
                    tokens[0, row * codes.grid + column] = true[0, row * codes.grid + column]
        made = (codes.decode(tokens)[0].permute(1, 2, 0).numpy() * 255).round()
        errors.append(np.abs(made - image)[hole].mean())
    assert found["mae_hole"].mean == pytest.approx(np.mean(errors), rel=1e-5)
    assert found["composited"].mean < found["decoded"].mean
