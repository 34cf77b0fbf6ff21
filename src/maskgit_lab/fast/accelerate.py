"""The one entry of this folder: the same numbers, sooner."""

import functools
import logging

from maskgit_lab.fast.model import FastModel
from maskgit_lab.fast.projection import fuses_here
from maskgit_lab.fast.trained_attention import drops_here
from maskgit_lab.fast.winograd import use_winograd, winograd_here
from maskgit_lab.models.masked_token_model import MaskedTokenModel
from maskgit_lab.models.tokenizer import FrozenTokenizer

log = logging.getLogger("maskgit_lab")


def accelerate(model: MaskedTokenModel, tokenizer: FrozenTokenizer) -> FastModel:
    """Return a model that computes the same as `model` and shares its networks; replace the tokenizer's convolutions in place.

    State dicts have the same keys and values as before. Tokens are equal in float32 and logits to rounding
    (tests/fast/test_equals_plain.py); dropout draws other numbers, as it sees
    fewer rows. One log line says what was replaced, another what this torch or
    processor lacks; that is then computed as it is written.

    Private operations of torch that it rests on:

    - `torch.ops.mkldnn._linear_pointwise`, `_reorder_linear_weight`, `_is_mkldnn_bf16_supported`: `fast.projection`
    - `torch.ops.mkldnn._convolution_pointwise`, `_reorder_convolution_weight`: `fast.winograd`
    - `torch._softmax_backward_data`: `fast.trained_attention`
    - `torch.Tensor._version`: `fast.winograd`, to notice changed weights

    Args:
        model: on any device, in either mode.
        tokenizer: of the same run.

    Returns:
        The faster model.
    """
    use_winograd(tokenizer.model)
    parts = {
        "linear layers in bf16": fuses_here(),
        "attention with dropout in float32": drops_here(),
        "3x3 convolutions of the tokenizer": winograd_here(),
    }
    here = [part for part, known in parts.items() if known]
    say(f"Speed: fast: only hidden tokens are predicted; own CPU kernels: {', '.join(['dropout', 'attention in bf16', *here])}")
    missing = [part for part, known in parts.items() if not known]
    if missing:
        say(f"Speed: this torch or processor lacks what these need: {', '.join(missing)}; they are computed as written")
    return FastModel.of(model)


@functools.cache
def say(sentence: str) -> None:
    """Log a sentence, once in a process: a run accelerates what it trains and what it scores."""
    log.info(sentence)
