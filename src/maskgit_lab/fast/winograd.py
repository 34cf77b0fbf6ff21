"""3x3 convolutions with a quarter of the multiplications: Winograd's minimal filtering F(4x4, 3x3) (Lavin & Gray 2016).

A frozen VQGAN on a CPU does nothing but float32 convolutions at the speed of the multiplier, so fewer multiplications are the only
way to make it faster without giving up float32. Tiles of 6x6 inputs become 36 numbers per channel in another basis, where a
convolution is a product per number; 16 outputs come back. Results agree with the direct form to about 1e-4 of the output's spread.

The 36 products are one 1x1 convolution in 36 groups, because oneDNN's float32 products were half as fast again as those of the
library behind torch.bmm on the AMD processor they were measured on. torch has the form with weights in oneDNN's order for its
compiler.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from maskgit_lab.core.shapes import shapes_only

TILE, STEP, POINTS = 6, 4, 36
MIN_CHANNELS = 128  # below, moving the tiles costs more than the multiplications that are saved
CHUNK_BYTES = 16 * 2**20  # tiles in work at once: they should stay in the cache
# tiles of a product, which is filled up to one of them. The order in which oneDNN wants the weights depends on their number, on
# channels, instructions and threads; weights in another order are put into it every time, which takes ten times as long as the
# product. So there are two numbers, and weights in the order of each that is used
SIZES = (64, 128)

# the three transforms of F(4, 3) with interpolation points 0, 1, -1, 2, -2, infinity
INPUT = [[4, 0, -5, 0, 1, 0], [0, -4, -4, 1, 1, 0], [0, 4, -4, -1, 1, 0],
         [0, -2, -1, 2, 1, 0], [0, 2, -1, -2, 1, 0], [0, 4, 0, -5, 0, 1]]  # fmt: skip
WEIGHT = [[1 / 4, 0, 0], [-1 / 6, -1 / 6, -1 / 6], [-1 / 6, 1 / 6, -1 / 6],
          [1 / 24, 1 / 12, 1 / 6], [1 / 24, -1 / 12, 1 / 6], [0, 0, 1]]  # fmt: skip
OUTPUT = [[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]]


class WinogradConv2d(nn.Conv2d):
    """A 3x3 convolution with stride 1 and padding 1 that is fast without gradients in float32 on a CPU, and usual elsewhere.

    The transformed weights are kept, for each size of a product, and made anew when the weights change.
    """

    _transformed: tuple[Any, dict[int, Tensor]] | None = None

    @classmethod
    def of(cls, conv: nn.Conv2d) -> "WinogradConv2d":
        """Return the same convolution, sharing its parameters."""
        with shapes_only():
            fast = cls(conv.in_channels, conv.out_channels, 3, padding=1, bias=conv.bias is not None)
        fast.weight, fast.bias = conv.weight, conv.bias
        return fast.train(conv.training)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, K, H, W), without gradients in memory channels last."""
        plain = torch.is_grad_enabled() or x.device.type != "cpu" or x.dtype != torch.float32
        if plain or x.shape[2] % STEP or x.shape[3] % STEP or torch.is_autocast_enabled("cpu"):
            return super().forward(x)
        batch, _, height, width = x.shape
        padded = _padded(x)
        result = x.new_empty(batch, height, width, self.out_channels)
        chunks = max(1, min(batch, x.nbytes * POINTS // (STEP**2 * CHUNK_BYTES)))
        for part, into in zip(padded.tensor_split(chunks), result.tensor_split(chunks), strict=True):
            self._convolve(part, into)
        return result.permute(0, 3, 1, 2)

    def _convolve(self, padded: Tensor, into: Tensor) -> None:
        """Write the convolution (b, H, W, K) of padded pictures (b, H + 2, W + 2, C)."""
        rows, columns, channels = into.shape[1] // STEP, into.shape[2] // STEP, self.in_channels
        image, line, pixel, _ = padded.stride()
        tiles = padded.as_strided(
            (len(padded), rows, columns, TILE, TILE, channels), (image, STEP * line, STEP * pixel, line, pixel, 1)
        )
        points = _in_basis(INPUT, tiles.reshape(-1, POINTS, channels))  # (tiles, 36, C)
        outputs = points.new_empty(len(points), STEP**2, self.out_channels)
        size = next((size for size in SIZES if size >= len(points)), SIZES[-1])
        weight = self._weight(size)
        for some, made in zip(points.split(size), outputs.split(size), strict=True):
            _in_basis(OUTPUT, _grouped(some, weight, size), out=made)
        outputs = outputs.view(-1, rows, columns, STEP, STEP, self.out_channels)
        view = into.view(-1, rows, STEP, columns, STEP, self.out_channels).transpose(2, 3)
        if self.bias is None:
            view.copy_(outputs)
        else:
            torch.add(outputs, self.bias, out=view)

    def _weight(self, size: int) -> Tensor:
        """Return the transformed weights (36 K, C, 1, 1) in oneDNN's order for a product of so many tiles."""
        state = (self.weight._version, self.weight.data_ptr())
        if self._transformed is None or self._transformed[0] != state:
            self._transformed = state, {}
        packed = self._transformed[1]
        if size not in packed:
            g = torch.tensor(WEIGHT, dtype=torch.float64)
            points = torch.einsum("ia,kcab,jb->ijkc", g, self.weight.detach().double(), g)
            packed[size] = _packed(points.float().reshape(-1, self.in_channels, 1, 1), size)
        return packed[size]


def winograd_here() -> bool:
    """Return whether this torch has the operations that it needs."""
    names = ("_reorder_convolution_weight", "_convolution_pointwise")
    return torch.backends.mkldnn.is_available() and all(hasattr(torch.ops.mkldnn, name) for name in names)


def use_winograd(model: nn.Module) -> None:
    """Replace every convolution of a frozen model that gains from it; parameters, their names and values stay."""
    if not winograd_here():
        return
    for module in list(model.modules()):
        for name, child in module.named_children():
            if type(child) is nn.Conv2d and _gains(child):
                setattr(module, name, WinogradConv2d.of(child))


def _padded(x: Tensor) -> Tensor:
    """Return (B, H + 2, W + 2, C) of (B, C, H, W), zero along the border; F.pad would write the inside twice."""
    batch, channels, height, width = x.shape
    padded = x.new_empty(batch, height + 2, width + 2, channels)
    padded[:, 1:-1, 1:-1] = x.permute(0, 2, 3, 1)
    for border in (padded[:, 0], padded[:, -1], padded[:, :, 0], padded[:, :, -1]):
        border.zero_()
    return padded


def _gains(conv: nn.Conv2d) -> bool:
    shape = (conv.kernel_size, conv.stride, conv.padding, conv.dilation, conv.groups, conv.padding_mode)
    usual = shape == ((3, 3), (1, 1), (1, 1), (1, 1), 1, "zeros")
    return usual and min(conv.in_channels, conv.out_channels) >= MIN_CHANNELS


def _in_basis(transform: list[list[int]], tiles: Tensor, out: Tensor | None = None) -> Tensor:
    """Transform flattened tiles (T, n, C) in both directions at once."""
    one = torch.tensor(transform, dtype=torch.float32)
    both = torch.kron(one, one)  # (m, n)
    return torch.bmm(both.expand(len(tiles), -1, -1), tiles, out=out)


def _packed(weight: Tensor, size: int) -> Tensor:
    """Return the weights (36 K, C, 1, 1) of a grouped 1x1 convolution in the order that oneDNN reads fastest."""
    usual_input = [1, POINTS * weight.shape[1], 1, size]
    return torch.ops.mkldnn._reorder_convolution_weight(weight, [0, 0], [1, 1], [1, 1], POINTS, usual_input)


def _grouped(points: Tensor, packed: Tensor, size: int) -> Tensor:
    """Multiply each of the 36 points (T, 36, C) of at most `size` tiles by its own matrix; return (T, 36, K)."""
    missing = size - len(points)
    filled = F.pad(points, (0, 0, 0, 0, 0, missing)) if missing else points
    pixels = filled.flatten(1)[None, None].permute(0, 3, 1, 2)  # (1, 36 C, 1, T), channels last
    products = torch.ops.mkldnn._convolution_pointwise(pixels, packed, None, [0, 0], [1, 1], [1, 1], POINTS, "none", [], "")
    return products.permute(0, 2, 3, 1).reshape(len(filled), POINTS, -1)[: len(points)]
