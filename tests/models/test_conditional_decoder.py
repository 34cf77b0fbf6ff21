"""The decoder that is given the known pixels: what it may see, what it starts from, and its file."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from maskgit_lab.core.decoding import DecodeSettings
from maskgit_lab.core.randomness import image_generators
from maskgit_lab.core.schedules import Cosine
from maskgit_lab.models.conditional_decoder import ConditionalDecoder
from maskgit_lab.models.filling import fill_holes
from maskgit_lab.models.frozen_decoder import FrozenDecoder
from maskgit_lab.models.tokenizer import FrozenTokenizer
from maskgit_lab.models.vqgan import VQGAN
from tests.support.builders import RESOLUTION, boxes, model, pictures, tokenizer
from tests.support.damage import flips


def lab_tokenizer() -> FrozenTokenizer:
    torch.manual_seed(0)
    network = VQGAN(
        enc_channels=[8] * 4, dec_channels=[8, 8, 16], latent_dim=4, img_resolution=RESOLUTION, latent_resolution=8,
        num_codebook_vectors=16, beta=0.25,
    )  # fmt: skip
    return FrozenTokenizer(network, mean=(0.5,) * 3, std=(0.25,) * 3)


TOKENIZERS = pytest.mark.parametrize("make", [tokenizer, lab_tokenizer], ids=["patch", "lab"])


def decoder(made: FrozenTokenizer, *, seed: int = 3) -> FrozenDecoder:
    torch.manual_seed(seed)
    return FrozenDecoder(ConditionalDecoder(network=made.model), made)


@pytest.fixture
def images() -> Tensor:
    return torch.from_numpy(pictures(4))


@pytest.fixture
def holes() -> Tensor:
    return torch.from_numpy(boxes(4))


@TOKENIZERS
def test_decoder_stages_are_the_whole_decoder_and_say_what_they_make(make):
    made = make()
    latents = made.model.quantised(torch.randint(16, (2, 64)))
    x = latents
    for stage in made.model.decoder_stages():
        x = stage.layers(x)
        assert x.shape[1:] == (stage.channels, stage.resolution, stage.resolution)
    assert torch.equal(x, made.model.rendered(latents))


def test_decoder_stages_of_the_labs_vqgan_end_at_every_resolution():
    assert [stage.resolution for stage in lab_tokenizer().model.decoder_stages()] == [8, 16, 32, 32, 32]


@TOKENIZERS
def test_new_decoder_without_condition_is_the_tokenizers_own(make, images: Tensor):
    made = make()
    tokens, everything = made.encode(images), torch.ones(4, RESOLUTION, RESOLUTION, dtype=torch.bool)
    torch.testing.assert_close(decoder(made).decode(tokens, images, everything), made.decode(tokens), rtol=0, atol=1e-4)


@TOKENIZERS
def test_decoder_sees_known_pixels_and_nothing_under_the_hole(make, images: Tensor, holes: Tensor):
    made = make()
    own, tokens = decoder(made), made.encode(images)
    before = own.decode(tokens, images, holes)
    under, known = images.clone(), images.clone()
    under[holes] = 255 - under[holes]
    known[~holes] = 255 - known[~holes]
    assert torch.equal(own.decode(tokens, under, holes), before)
    assert not torch.equal(own.decode(tokens, known, holes), before)


def test_decoder_does_not_depend_on_the_batch(images: Tensor, holes: Tensor):
    made = tokenizer()
    own, tokens = decoder(made), made.encode(images)
    apart = [own.decode(tokens[i : i + 1], images[i : i + 1], holes[i : i + 1]) for i in range(4)]
    torch.testing.assert_close(torch.cat(apart), own.decode(tokens, images, holes), rtol=0, atol=1e-6)


def test_decoder_is_a_copy_that_leaves_the_tokenizer_as_it_is(images: Tensor, holes: Tensor):
    made = tokenizer()
    network = ConditionalDecoder(network=made.model).requires_grad_(True)
    output = network(made.model.quantised(made.encode(images)), made.normalised(images), holes)
    output.square().mean().backward()
    assert all(p.grad is not None and bool(p.grad.isfinite().all()) for p in network.parameters())
    mine = {parameter.data_ptr() for parameter in network.parameters()}
    assert not mine & {parameter.data_ptr() for parameter in made.model.parameters()}
    assert all(parameter.grad is None for parameter in made.model.parameters())


def test_fill_holes_takes_its_pixels_from_the_decoder_and_the_same_tokens(images: Tensor, holes: Tensor):
    made, own = tokenizer(), model().eval()
    noise = lambda: image_generators(0, "decode", range(4))  # noqa: E731
    settings = DecodeSettings(schedule=Cosine(), num_steps=3)
    plain = fill_holes(own, made, images, holes, settings=settings, generators=noise())
    conditional = decoder(made)
    filled = fill_holes(own, made, images, holes, settings=settings, generators=noise(), decoder=conditional)
    assert torch.equal(filled.tokens, plain.tokens)
    expected = (conditional.decode(filled.tokens, images, holes) * 255).round().to(torch.uint8).permute(0, 2, 3, 1)
    assert torch.equal(filled.decoded, expected)
    assert torch.equal(filled.composited[~holes], images[~holes])
    assert torch.equal(filled.composited[holes], filled.decoded[holes])


@TOKENIZERS
def test_decoder_file_gives_the_same_decoder_back(make, images: Tensor, holes: Tensor, tmp_path: Path):
    made = make()
    own, tokens = decoder(made), made.encode(images)
    own.save(tmp_path / "decoder.pt")
    read = FrozenDecoder.load(tmp_path / "decoder.pt", made)
    assert read.sha256 == own.sha256 != decoder(made, seed=4).sha256
    assert torch.equal(read.decode(tokens, images, holes), own.decode(tokens, images, holes))


def test_decoder_file_of_another_tokenizer_is_refused_by_both_hashes(tmp_path: Path):
    made, other = tokenizer(), tokenizer(seed=1)
    decoder(made).save(tmp_path / "decoder.pt")
    with pytest.raises(ValueError, match=rf"tokenizer {made.sha256[:12]}, this run has {other.sha256[:12]}.*use_decoder=plain"):
        FrozenDecoder.load(tmp_path / "decoder.pt", other)


def test_decoder_file_is_refused_when_a_bit_is_flipped_or_it_is_of_another_kind(tmp_path: Path):
    made, path = tokenizer(), tmp_path / "decoder.pt"
    decoder(made).save(path)
    for harmed in list(flips(path.read_bytes(), 3))[::40]:
        path.write_bytes(harmed)
        with pytest.raises(ValueError, match=r"decoder\.pt .*train_decoder"):
            FrozenDecoder.load(path, made)
    made.save(path)
    with pytest.raises(ValueError, match="is not a decoder of this package"):
        FrozenDecoder.load(path, made)
    with pytest.raises(FileNotFoundError, match="train_decoder run=RUN"):
        FrozenDecoder.load(tmp_path / "none.pt", made)


@pytest.mark.parametrize("arguments", [{"num_blocks": 2**30, "num_pixel_blocks": 1}, {"num_blocks": 2, "num_pixel_blocks": 1}, {}])
def test_decoder_file_with_sizes_that_are_not_its_own_is_refused_before_it_is_built(arguments: dict[str, int], tmp_path: Path):
    made = tokenizer()
    own = decoder(made)
    own.network.arguments = arguments
    own.save(tmp_path / "decoder.pt")
    with pytest.raises(ValueError, match="has not the parts of a decoder"):
        FrozenDecoder.load(tmp_path / "decoder.pt", made)


def test_decoder_with_nan_is_neither_kept_nor_read(tmp_path: Path):
    own = decoder(tokenizer())
    next(own.network.parameters()).data.view(-1)[0] = float("nan")
    with pytest.raises(ValueError, match=r"the decoder is not kept at .*decoder.pt"):
        own.save(tmp_path / "decoder.pt")
    assert list(tmp_path.iterdir()) == []
