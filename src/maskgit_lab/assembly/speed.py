"""`speed`: the networks and the loop as they are written, or the same numbers faster."""

from maskgit_lab.core.decoding import DecodeSettings
from maskgit_lab.fast.accelerate import accelerate
from maskgit_lab.models.masked_token_model import MaskedTokenModel
from maskgit_lab.models.tokenizer import FrozenTokenizer

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
    """Accelerate a model together with its tokenizer at `speed=fast`.

    Args:
        speed: fast or plain.
        model: shares its networks with what is returned.
        tokenizer: of the same run; its convolutions are replaced in place where that is faster.
        settings: how holes will be filled.

    Returns:
        The faster model, or `model` as it is.

    Raises:
        ValueError: see `check_speed`.
    """
    check_speed(speed, settings)
    return accelerate(model, tokenizer) if speed == FAST else model
