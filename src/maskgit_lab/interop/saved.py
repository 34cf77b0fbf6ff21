"""An inpainter in a folder: weights as safetensors and one small JSON, readable without Lightning and Hydra.

inpainter.json says which of this package's own networks, schedules and policies to build and how large they are; it names no class
of other code, and the tensors are data. Each file's CRC32 is in it.
"""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from maskgit_lab.core.by_name import plain_policy, plain_schedule, policy_named, schedule_named
from maskgit_lab.core.decoding import DecodeSettings
from maskgit_lab.core.ranges import require_number
from maskgit_lab.core.shapes import shapes_only
from maskgit_lab.machine.checksum import CHUNK, DamagedFileError
from maskgit_lab.machine.json_file import read_json, write_json
from maskgit_lab.machine.tensor_file import require_finite
from maskgit_lab.machine.whole_file import whole_file
from maskgit_lab.models.context import PixelContext
from maskgit_lab.models.frozen_decoder import FrozenDecoder
from maskgit_lab.models.masked_token_model import MaskedTokenModel
from maskgit_lab.models.tokenizer import FrozenTokenizer
from maskgit_lab.models.transformer import BidirectionalTransformer

FILE_FORMAT = "maskgit_lab.inpainter/1"
DESCRIPTION = "inpainter.json"
REMEDY = "Copy the folder again, or save it again (Inpainter.from_run(RUN).save(FOLDER))"
MAX_LAYERS = 1_000


@dataclass(frozen=True)
class Saved:
    """Everything of an inpainter that is kept."""

    model: MaskedTokenModel
    tokenizer: FrozenTokenizer
    decoder: FrozenDecoder | None
    settings: DecodeSettings
    hole_share: tuple[float, float]
    speed: str
    seed: int


def save(saved: Saved, folder: Path, *, overwrite: bool) -> None:
    """Write an inpainter.

    Args:
        saved: what to write.
        folder: made here; files of other names in it stay.
        overwrite: replace an inpainter that is there.

    Raises:
        ImportError: when safetensors is not installed.
        ValueError: when one is there, or a network, schedule or policy is not this package's own, or weights are not finite.
        CannotWriteError: when the disk is full, read-only or not permitted.
    """
    from safetensors.torch import save as to_bytes

    description = folder / DESCRIPTION
    if description.exists() and not overwrite:
        raise ValueError(f"{description} is there already: save(folder, overwrite=True) replaces it")
    parts: dict[str, dict[str, Any]] = {"tokenizer": saved.tokenizer.parts(), "model": _model_parts(saved.model)}
    if saved.decoder is not None:
        parts["decoder"] = saved.decoder.parts()
    content: dict[str, Any] = {
        "format": FILE_FORMAT, "decode": _settings_parts(saved.settings), "hole_share": list(saved.hole_share),
        "speed": saved.speed, "seed": saved.seed,
    }  # fmt: skip
    for name, part in parts.items():
        tensors = {key: value.detach().cpu().contiguous() for key, value in part.pop("state_dict").items()}
        require_finite(tensors, f"the {name} is not kept in {folder}")
        data = to_bytes(tensors)
        with whole_file(_file(folder, name), needed=len(data)) as partial:
            partial.write_bytes(data)
        content[name] = {**part, "crc32": f"{zlib.crc32(data):08x}"}
    write_json(description, content)  # last: when it is there, the rest is


def load(folder: Path) -> Saved:
    """Read an inpainter that `save` wrote, onto the CPU.

    Raise FileNotFoundError when there is none, ImportError when safetensors is not installed, ValueError when a file is damaged or
    missing, does not fit the others, or asks for what this package does not have.
    """
    description = folder / DESCRIPTION
    if not description.is_file():
        raise FileNotFoundError(f"no inpainter in {folder}: it has no {DESCRIPTION}, which Inpainter.save writes")
    content = read_json(description, remedy=REMEDY)
    if content.get("format") != FILE_FORMAT:
        raise ValueError(f"{description} is of format {content.get('format')!r}, this version reads {FILE_FORMAT}")
    try:
        tokenizer = FrozenTokenizer.from_parts(_read(folder, "tokenizer", content), _file(folder, "tokenizer"))
        model = _model(_read(folder, "model", content), tokenizer, _file(folder, "model"))
        decoder = None
        if "decoder" in content:
            decoder = FrozenDecoder.from_parts(_read(folder, "decoder", content), _file(folder, "decoder"), tokenizer)
        low, high = content["hole_share"]
        require_number("hole_share", high, above=0, most=1)
        require_number("hole_share", low, above=0, most=high)
        require_number("seed", content["seed"], least=0, whole=True)
        settings = _settings(content["decode"])
        return Saved(model, tokenizer, decoder, settings, (float(low), float(high)), str(content["speed"]), content["seed"])
    except (KeyError, TypeError, AttributeError) as error:
        raise DamagedFileError(
            f"{description} has not the parts of an inpainter ({type(error).__name__}: {error}). {REMEDY}"
        ) from error


def _file(folder: Path, name: str) -> Path:
    return folder / f"{name}.safetensors"


def _read(folder: Path, name: str, content: Mapping[str, Any]) -> dict[str, Any]:
    """Return a part as it was saved, with its tensors."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path, part = _file(folder, name), dict(content[name])
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing. {REMEDY}")
    if _crc(path) != part.pop("crc32"):
        raise DamagedFileError(f"{path} is damaged, or of another inpainter: it does not fit {DESCRIPTION}. {REMEDY}")
    try:
        return {**part, "state_dict": load_file(path)}
    except SafetensorError as error:
        raise DamagedFileError(f"{path} is not a file of safetensors ({error}). {REMEDY}") from error


def _crc(path: Path) -> str:
    crc = 0
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            crc = zlib.crc32(chunk, crc)
    return f"{crc:08x}"


def _model_parts(model: MaskedTokenModel) -> dict[str, Any]:
    network, context = model.transformer, model.context
    for part in (network, context):
        if part is not None and type(part) not in (BidirectionalTransformer, PixelContext):
            raise ValueError(f"a {type(part).__name__} is not a network of this package: it cannot be saved")
    first: Any = network.blocks[0]
    transformer = {
        "num_image_tokens": network.num_image_tokens, "num_codebook_vectors": network.num_codebook_vectors, "dim": network.dim,
        "num_layers": len(network.blocks), "num_heads": first.attention.num_heads, "hidden_dim": first.mlp[0].out_features,
        "dropout": network.dropout.p, "attention_dropout": first.attention.dropout, "norm_first": first.norm_first,
        "context_norm": network.context_norm,
    }  # fmt: skip
    reader = None if context is None else {"channels": context.stem.out_channels, "num_blocks": len(context.blocks)}
    return {"transformer": transformer, "context": reader, "state_dict": model.state_dict()}


def _model(part: Mapping[str, Any], tokenizer: FrozenTokenizer, path: Path) -> MaskedTokenModel:
    """Build a network of what `_model_parts` returned, of the shapes of its weights: a file may say anything of its sizes."""
    state, sizes, reader = part["state_dict"], part["transformer"], part["context"]
    require_finite(state, f"{path} is of no use")
    blocks = (sizes["num_layers"], 0 if reader is None else reader["num_blocks"])
    for number in blocks:
        require_number("layers", number, least=0, most=min(MAX_LAYERS, len(state)), whole=True)
    if (sizes["num_image_tokens"], sizes["num_codebook_vectors"]) != (tokenizer.num_image_tokens, tokenizer.num_codebook_vectors):
        raise DamagedFileError(f"{path} predicts tokens of another tokenizer. {REMEDY}")

    def built() -> MaskedTokenModel:
        transformer = BidirectionalTransformer(**sizes)
        context = None
        if reader is not None:
            context = PixelContext(dim=transformer.dim, grid=tokenizer.grid, resolution=tokenizer.resolution, **reader)
        return MaskedTokenModel(transformer=transformer, context=context)

    with shapes_only():
        shapes = _shapes(built().state_dict())
    if shapes != _shapes(state):
        raise DamagedFileError(f"{path} has weights of other shapes than {DESCRIPTION} says. {REMEDY}")
    model: nn.Module = built()
    model.load_state_dict(state)
    assert isinstance(model, MaskedTokenModel)
    return model.eval()


def _shapes(state: Mapping[str, Tensor]) -> dict[str, Any]:
    return {name: tuple(value.shape) for name, value in state.items()}


def _settings_parts(settings: DecodeSettings) -> dict[str, Any]:
    values = {field.name: getattr(settings, field.name) for field in fields(settings)}
    return {**values, "schedule": plain_schedule(settings.schedule), "policy": plain_policy(settings.policy)}


def _settings(values: Mapping[str, Any]) -> DecodeSettings:
    unknown = sorted(set(values) - {field.name for field in fields(DecodeSettings)})
    if unknown:
        raise ValueError(f"{DESCRIPTION} has decode.{unknown[0]}, which this version does not know")
    return DecodeSettings(
        **{**values, "schedule": schedule_named(**values["schedule"]), "policy": policy_named(**values["policy"])}
    )  # fmt: skip
