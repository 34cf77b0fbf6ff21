"""`speed`: the networks and the loop as they are written, or the same numbers faster."""

from maskgit_lab.core.decoding import DecodeSettings
from maskgit_lab.fast.accelerate import accelerate
from maskgit_lab.fast.recorded import RecordedModel
from maskgit_lab.fast.winograd import use_winograd
from maskgit_lab.models.frozen_decoder import FrozenDecoder
from maskgit_lab.models.masked_token_model import MaskedTokenModel
from maskgit_lab.models.tokenizer import FrozenTokenizer
from maskgit_lab.training.compilation import compile_options

FAST, PLAIN = "fast", "plain"  # runs from before the key were fast


def check_speed(speed: str, settings: DecodeSettings) -> None:
    """Raise ValueError when `speed` is not fast or plain, or cannot decode so; the message names the key."""
    if speed not in (FAST, PLAIN):
        raise ValueError(f"speed must be {FAST} or {PLAIN}, got {speed!r}")
    if speed == PLAIN and not settings.exact:
        raise ValueError(
            f"decode.refresh_every={settings.refresh_every} needs speed={FAST}; speed={PLAIN} computes everything in every step"
        )


def at_speed(speed: str, model: MaskedTokenModel, tokenizer: FrozenTokenizer, settings: DecodeSettings) -> MaskedTokenModel:
    """Return a model, together with its tokenizer, made faster at `speed=fast`, or as it is; for ValueErrors see `check_speed`.

    The faster model shares its networks with `model`; of the tokenizer, convolutions are replaced in place where that is faster.
    """
    check_speed(speed, settings)
    return accelerate(model, tokenizer) if speed == FAST else model


def decoder_at_speed(speed: str, decoder: FrozenDecoder) -> None:
    """Replace convolutions of a conditional decoder in place at `speed=fast` where that is faster."""
    if speed == FAST:
        use_winograd(decoder.network)


def compiled(model: MaskedTokenModel, value: bool | str, *, recorded: bool = False) -> MaskedTokenModel:
    """Return a model that trains as `training.compile` says, sharing its networks; blocks are compiled in place."""
    if recorded:
        return RecordedModel.of(model)
    options = compile_options(value)
    if options is not None:
        model.transformer.compile_blocks(**options)
    return model
