"""The lab's two files as networks that fill: sizes from the tensors, and clear words where the two do not belong together."""

from pathlib import Path

import pytest
import torch

from maskgit_lab.assembly.lab_networks import load_lab_networks
from tests.support.lab_files import write_lab_files


@pytest.mark.parametrize("grid", [4, 16])
def test_load_lab_networks_reads_sizes_off_the_tensors(tmp_path: Path, grid: int):
    model, tokenizer = load_lab_networks(*write_lab_files(tmp_path, grid=grid))
    assert (tokenizer.grid, tokenizer.resolution, tokenizer.num_codebook_vectors) == (grid, 4 * grid, 24)
    assert not model.training
    tokens = tokenizer.encode(torch.rand(1, 3, 4 * grid, 4 * grid))
    assert tokens.shape == (1, grid**2)
    assert model(tokens).shape == (1, grid**2, 25)


def test_load_lab_networks_refuses_files_of_different_codebooks_with_both_keys(tmp_path: Path):
    with pytest.raises(ValueError, match=r"vqgan=.* has 24 codes, transformer=.* predicts 32"):
        load_lab_networks(*write_lab_files(tmp_path, transformer_codes=32))


def test_load_lab_networks_refuses_positions_that_make_no_square(tmp_path: Path):
    vqgan, path = write_lab_files(tmp_path, grid=4)
    state = torch.load(path, weights_only=True)["model"]
    torch.save({**state, "pos_emb": state["pos_emb"][:15], "bias": state["bias"][:15]}, path)
    with pytest.raises(ValueError, match="15 positions, which make no square"):
        load_lab_networks(vqgan, path)


def test_load_lab_networks_refuses_weights_that_are_not_finite(tmp_path: Path):
    vqgan, path = write_lab_files(tmp_path, grid=4)
    state = torch.load(path, weights_only=True)["model"]
    torch.save({**state, "bias": state["bias"] * torch.nan}, path)
    with pytest.raises(ValueError, match=r"transformer=.*: training diverged: 1 of .* not finite \(bias\)"):
        load_lab_networks(vqgan, path)
