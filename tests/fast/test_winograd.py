"""Winograd's convolutions: the direct form's results, and the same module in every other respect."""

import copy
from collections.abc import Iterator

import pytest
import torch
from torch import nn

from maskgit_lab.fast import winograd
from maskgit_lab.fast.winograd import WinogradConv2d, use_winograd
from maskgit_lab.models.tokenizer import FrozenTokenizer
from maskgit_lab.models.vqgan import VQGAN

pytestmark = pytest.mark.processor


@pytest.fixture(autouse=True)
def _small_layers_count(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(winograd, "MIN_CHANNELS", 64)


@pytest.fixture
def _threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def pair(channels: int = 64) -> tuple[nn.Conv2d, WinogradConv2d]:
    torch.manual_seed(0)
    conv = nn.Conv2d(channels, channels + 8, 3, padding=1)
    return conv, WinogradConv2d.of(conv)


@pytest.mark.parametrize("shape", [(0, 64, 8, 8), (1, 64, 4, 4), (3, 64, 8, 16), (40, 64, 32, 32)])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_winograd_equals_the_direct_convolution(shape: tuple[int, ...], layout: torch.memory_format):
    direct, fast = pair()
    x = torch.randn(shape).to(memory_format=layout)
    with torch.no_grad():
        torch.testing.assert_close(fast(x), direct(x), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("side", [4, 16, 64])
def test_winograd_of_an_image_does_not_depend_on_its_batch(side: int):
    _, fast = pair()
    x = torch.randn(9, 64, side, side)  # fewer tiles than a product has at least, several products, more than a chunk
    with torch.no_grad():
        together = fast(x)
        alone = torch.cat([fast(picture) for picture in x.split(1)])
    torch.testing.assert_close(together, alone, rtol=1e-6, atol=1e-6)


@pytest.mark.usefixtures("_threads")
@pytest.mark.parametrize("threads", [1, 2, 8])
@pytest.mark.parametrize(("channels", "side", "batch"), [(256, 32, 4), (128, 64, 1), (256, 16, 1)])
def test_winograd_never_puts_its_weights_in_another_order_again(channels, side, batch, threads, capfd):
    torch.set_num_threads(threads)
    fast = WinogradConv2d.of(nn.Conv2d(channels, channels, 3, padding=1))
    x = torch.randn(batch, channels, side, side)
    with torch.no_grad():
        fast(x)
        with torch.backends.mkldnn.verbose(torch.backends.mkldnn.VERBOSE_ON):
            fast(x)
    done = [line for line in capfd.readouterr().out.splitlines() if ",exec," in line]
    assert any(",convolution," in line for line in done)
    assert not [line for line in done if ",reorder," in line and f"36x{channels}x{channels}" in line]


def test_winograd_takes_its_own_way_only_without_gradients():
    direct, fast = pair()
    x = torch.randn(2, 64, 8, 8)
    assert torch.equal(fast(x), direct(x))
    assert fast._transformed is None
    with torch.no_grad():
        fast(x)
    assert fast._transformed is not None


def test_winograd_convolves_sizes_that_do_not_divide_into_tiles_as_usual():
    direct, fast = pair()
    with torch.no_grad():
        assert torch.equal(fast(torch.ones(1, 64, 6, 8)), direct(torch.ones(1, 64, 6, 8)))


def test_winograd_notices_changed_weights():
    direct, fast = pair()
    x = torch.randn(1, 64, 8, 8)
    with torch.no_grad():
        fast(x)
        direct.weight.mul_(2)  # shared
        torch.testing.assert_close(fast(x), direct(x), rtol=1e-4, atol=1e-4)


def test_use_winograd_keeps_names_and_values_of_parameters():
    model = nn.Sequential(nn.Conv2d(64, 64, 3, padding=1), nn.Conv2d(64, 64, 3, stride=2), nn.Conv2d(3, 64, 3, padding=1))
    before = copy.deepcopy(model.state_dict())
    use_winograd(model)
    assert [type(layer) for layer in model] == [WinogradConv2d, nn.Conv2d, nn.Conv2d]
    after = model.state_dict()
    assert list(after) == list(before)
    assert all(torch.equal(after[name], before[name]) for name in before)


def test_use_winograd_gives_a_tokenizer_the_results_of_the_plain_one():
    torch.manual_seed(0)
    plain = VQGAN(
        enc_channels=[64, 64, 64, 64], dec_channels=[64, 64, 64], latent_dim=4, img_resolution=16, latent_resolution=4,
        num_codebook_vectors=12, beta=0.25,
    ).eval()  # fmt: skip
    frozen = FrozenTokenizer(copy.deepcopy(plain), mean=(0, 0, 0), std=(1, 1, 1))
    sha256 = frozen.sha256
    use_winograd(frozen.model)
    assert sum(isinstance(m, WinogradConv2d) for m in frozen.model.modules()) > 10
    images = torch.rand(8, 3, 16, 16)
    with torch.no_grad():
        tokens = plain.encode(images)
        torch.testing.assert_close(frozen.decode(tokens), plain.decode(tokens).clamp(0, 1), rtol=1e-3, atol=1e-3)
    assert float((frozen.encode(images) == tokens).float().mean()) > 0.98  # rounding may tip a tie
    assert FrozenTokenizer(frozen.model, mean=(0, 0, 0), std=(1, 1, 1)).sha256 == sha256
