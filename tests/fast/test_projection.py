"""Linear layers with bias and GELU inside the product: `nn.Linear` in every other respect, and only where weights are fixed."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from maskgit_lab.fast import projection
from maskgit_lab.fast.projection import project, weights_fixed

pytestmark = pytest.mark.processor

fused = pytest.mark.skipif(projection._linear_pointwise is None, reason="this torch or processor has no oneDNN product in bfloat16")


@pytest.fixture
def operation(monkeypatch: pytest.MonkeyPatch) -> list[torch.Tensor]:
    """Return the weights that went into oneDNN's operation."""
    weights: list[torch.Tensor] = []
    run = projection._linear_pointwise
    if run is None:
        return weights

    def record(x, weight, *rest):
        weights.append(weight)
        return run(x, weight, *rest)

    monkeypatch.setattr(projection, "_linear_pointwise", record)
    return weights


def layer() -> nn.Linear:
    torch.manual_seed(0)
    return nn.Linear(48, 96)


def plain(module: nn.Linear, x: torch.Tensor, gelu: bool, outputs: slice = slice(None)) -> torch.Tensor:
    """Return the same in float64, of operands rounded as bfloat16 rounds them."""
    weight, bias = (part.detach().bfloat16().double()[outputs] for part in (module.weight, module.bias))
    projected = F.linear(x.bfloat16().double(), weight, bias)
    return F.gelu(projected) if gelu else projected


@fused
@pytest.mark.parametrize("gelu", [False, True])
@pytest.mark.parametrize("shape", [(48,), (0, 48), (1, 48), (7, 48), (2, 5, 48)])
@pytest.mark.parametrize("outputs", [None, slice(32, None), slice(32)])
def test_project_equals_the_product_rounded_once(operation, gelu: bool, shape: tuple[int, ...], outputs: slice | None):
    module, x = layer(), torch.randn(shape)
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16), weights_fixed():
        result = project(module, x, gelu=gelu, outputs=outputs)
    assert len(operation) == 1
    assert result.dtype == torch.bfloat16
    expected = plain(module, x, gelu, outputs or slice(None))
    torch.testing.assert_close(result.double(), expected, rtol=2**-8, atol=1e-4)


def test_project_in_float32_is_a_linear_layer(operation):
    module, x = layer(), torch.randn(3, 48)
    with torch.no_grad(), weights_fixed():
        assert torch.equal(project(module, x, gelu=True), F.gelu(F.linear(x, module.weight, module.bias)))
    assert not operation


def test_project_takes_torchs_product_with_gradients(operation):
    module, x = layer(), torch.randn(3, 48)
    with torch.autocast("cpu", dtype=torch.bfloat16), weights_fixed():
        project(module, x).sum().backward()
    assert module.weight.grad is not None
    assert not operation


@pytest.mark.parametrize("with_onednn", [pytest.param(True, marks=fused), False])
def test_weights_fixed_remembers_nothing_outside(operation, with_onednn: bool, monkeypatch: pytest.MonkeyPatch):
    """EMA swaps weights behind the version counter's back, so no cast may outlive the decode it was made for."""
    if not with_onednn:  # as on a processor without its product in bfloat16: autocast has a memory of its own
        monkeypatch.setattr(projection, "_linear_pointwise", None)
    module, x = layer(), torch.randn(3, 48)
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        with weights_fixed():
            before = project(module, x)
        module.weight.data.mul_(2)
        module.bias.data.mul_(2)
        with weights_fixed():
            torch.testing.assert_close(project(module, x), 2 * before, rtol=2**-7, atol=0)
        outside = project(module, x)
    torch.testing.assert_close(outside, 2 * before, rtol=2**-6, atol=2**-7)
    assert len(operation) == (2 if with_onednn else 0)


def test_weights_fixed_does_not_take_what_autocast_remembers_of_before(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(projection, "_linear_pointwise", None)
    module, x = layer(), torch.randn(3, 48)
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        before = project(module, x)
        module.weight.data.mul_(2)
        module.bias.data.mul_(2)
        with weights_fixed():
            torch.testing.assert_close(project(module, x), 2 * before, rtol=2**-7, atol=0)


@fused
def test_weights_fixed_casts_once(operation):
    module, x = layer(), torch.randn(3, 48)
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16), weights_fixed():
        project(module, x)
        project(module, x)
    first, second = operation
    assert first is second


@fused
def test_weights_fixed_shares_weights_when_nested(operation):
    module, x = layer(), torch.randn(3, 48)
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16), weights_fixed():
        with weights_fixed():
            project(module, x)
        project(module, x)
    first, second = operation
    assert first is second
