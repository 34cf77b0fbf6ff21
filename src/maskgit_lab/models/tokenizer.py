"""The frozen VQGAN as the rest of the code sees it: images to tokens, tokens to images.

It is a plain object, not a module: a registered submodule would travel into checkpoints, EMA copies, the optimiser and DDP.
"""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor

from maskgit_lab.core.exact_float32 import exact_float32
from maskgit_lab.core.shapes import shapes_only
from maskgit_lab.machine.checksum import DamagedFileError
from maskgit_lab.machine.tensor_file import load_tensors, require_finite, require_tensors, save_tensors
from maskgit_lab.models.patch_vqgan import PatchVQGAN
from maskgit_lab.models.vqgan import VQGAN

FILE_FORMAT = "maskgit_lab.tokenizer/1"
REMEDY = "Restore it from a copy (every run folder holds its tokenizer.pt), or train one (python -m maskgit_lab.train_tokenizer)"
ARCHITECTURES: dict[str, type[VQGAN] | type[PatchVQGAN]] = {"VQGAN": VQGAN, "PatchVQGAN": PatchVQGAN}


class FrozenTokenizer:
    """Encode and decode with fixed weights, in float32, without gradients.

    Args:
        model: the VQGAN; in place it is put in evaluation mode and its parameters are frozen.
        mean: per channel, of pixel values in [0, 1].
        std: per channel.
    """

    def __init__(self, model: VQGAN | PatchVQGAN, *, mean: Sequence[float], std: Sequence[float]) -> None:
        self.model = model.eval().requires_grad_(False)
        self.mean = tuple(float(m) for m in mean)
        self.std = tuple(float(s) for s in std)
        self.num_image_tokens: int = model.num_image_tokens
        self.num_codebook_vectors: int = model.num_codebook_vectors
        self.resolution: int = model.img_resolution
        self.grid: int = model.latent_resolution
        self._known_statistics: dict[torch.device, tuple[Tensor, Tensor]] = {}
        self.sha256 = weights_hash(model.state_dict(), repr((self.mean, self.std)))

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self  # frozen: one copy serves every module that refers to it

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.model.parameters()).device

    def to(self, device: torch.device | str) -> Self:
        """Move the weights in place."""
        self.model.to(device)
        if self.device.type == "cuda":  # float32 convolutions without TF32 are half as fast again in this order
            self.model.encoder.to(memory_format=torch.channels_last)
        return self

    def encode(self, images: Tensor) -> Tensor:
        """Return the tokens (B, N) int64 of images: uint8 (B, H, W, 3) or float in [0, 1] (B, 3, H, W)."""
        with torch.no_grad(), torch.autocast(self.device.type, enabled=False), exact_float32():
            return torch.cat([self.model.encode(self.normalised(part)) for part in self._parts(images)])

    def decode(self, tokens: Tensor) -> Tensor:
        """Return images (B, 3, H, W) float32 in [0, 1] of tokens (B, N).

        On a GPU its convolutions may use TF32, as torch's do by default: that moves few pixels, by one of 256 levels.
        """
        with torch.no_grad(), torch.autocast(self.device.type, enabled=False):
            images = torch.cat([self.model.decode(part.to(self.device)).float() for part in self._parts(tokens)])
        return self.pixels(images)

    def pixels(self, images: Tensor) -> Tensor:
        """Return images (B, 3, H, W) float32 in [0, 1] of the network's output."""
        mean, std = self._statistics(images)
        return (images * std + mean).clamp(0, 1)

    def features(self, images: Tensor) -> Tensor:
        """Return the encoder's output before quantisation, (B, C, h, w), of images as in `encode`."""
        with torch.no_grad(), torch.autocast(self.device.type, enabled=False), exact_float32():
            return torch.cat([self.model.features(self.normalised(part)) for part in self._parts(images)])

    def _parts(self, batch: Tensor) -> Sequence[Tensor]:
        """Divide a batch for a CPU, whose caches hold the activations of a few images; a GPU takes it whole."""
        return batch.split(self.model.CPU_BATCH) if self.device.type == "cpu" else [batch]

    def normalised(self, images: Tensor) -> Tensor:
        """Return the network's input (B, 3, H, W) float32, on its device, of images as in `encode`."""
        images = images.to(self.device)
        if images.dtype == torch.uint8:
            images = images.permute(0, 3, 1, 2).float() / 255
        expected = (3, self.resolution, self.resolution)
        if tuple(images.shape[1:]) != expected:
            raise ValueError(f"the tokenizer takes {expected} images, got {tuple(images.shape[1:])}: set data.resolution")
        mean, std = self._statistics(images)
        return (images.float() - mean) / std

    def _statistics(self, like: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and standard deviation on a device; kept there: making them anew would wait for a GPU each time."""
        if like.device not in self._known_statistics:
            mean, std = (torch.tensor(x, device=like.device).view(1, 3, 1, 1) for x in (self.mean, self.std))
            self._known_statistics[like.device] = mean, std
        return self._known_statistics[like.device]

    def save(self, path: Path) -> None:
        """Write weights, architecture and normalisation to one file, whole or not at all.

        Raise ValueError when a weight is NaN or infinite, CannotWriteError when the disk is full, read-only or not permitted.
        """
        content = self.parts()
        require_finite(content["state_dict"], f"the tokenizer is not kept at {path}")
        save_tensors(content, path)

    def parts(self) -> dict[str, Any]:
        """Return what makes this tokenizer again (`from_parts`): plain values, and `state_dict`, tensors on the CPU."""
        return {
            "format": FILE_FORMAT,
            "architecture": type(self.model).__name__,
            "arguments": self.model.arguments,
            "mean": list(self.mean),
            "std": list(self.std),
            "state_dict": {key: value.cpu() for key, value in self.model.state_dict().items()},
        }

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a file that `save` wrote, onto the CPU.

        Raise FileNotFoundError when there is no such file, ValueError when it is damaged, of another kind, or holds NaN.
        """
        if not path.is_file():
            raise FileNotFoundError(f"no tokenizer at {path}: train one (python -m maskgit_lab.train_tokenizer)")
        return cls.from_parts(load_tensors(path, what="a tokenizer", remedy=REMEDY), path)

    @classmethod
    def from_parts(cls, content: Any, path: Path) -> Self:
        """Build a tokenizer of what `parts` returned; `path`, of the file that it was in, is for the messages of ValueErrors."""
        if not isinstance(content, dict) or content.get("format") != FILE_FORMAT:
            raise ValueError(f"{path} is not a tokenizer of this package; tokenizer.checkpoint takes one, or the lab's VQGAN.pt")
        require_tensors(content.get("state_dict"), path, remedy=REMEDY)
        require_finite(content["state_dict"], f"{path} is of no use")
        try:
            model = _built(ARCHITECTURES[content["architecture"]], content["arguments"], content["state_dict"])
            model.load_state_dict(content["state_dict"])
            return cls(model, mean=content["mean"], std=content["std"])
        except Exception as error:  # values of other types and sizes fail in as many ways
            raise DamagedFileError(f"{path} has not the parts of a tokenizer ({_first_line(error)}). {REMEDY}") from error


def require_same_tokenizer(recorded: str | None, tokenizer: FrozenTokenizer) -> None:
    """Raise ValueError unless the checkpoint's tokenizer sha256 is this tokenizer's."""
    if recorded != tokenizer.sha256:
        raise ValueError(
            f"the checkpoint was trained on tokens of tokenizer {str(recorded)[:12]}, this run has {tokenizer.sha256[:12]}: "
            "its token ids mean other things. Use the run's own tokenizer or train again"
        )


def _built(architecture: type[VQGAN] | type[PatchVQGAN], arguments: dict[str, Any], state: dict[str, Tensor]) -> VQGAN | PatchVQGAN:
    """Build a network that has the shapes of the weights it will be filled with: a file may say anything of its sizes."""
    for name in ("num_blocks", "num_decoder_blocks"):
        if (arguments.get(name) or 0) > len(state):
            raise ValueError(f"{name}={arguments[name]}, and {len(state)} tensors")
    with shapes_only():
        shapes = {name: tensor.shape for name, tensor in architecture(**arguments).state_dict().items()}
    if shapes != {name: tensor.shape for name, tensor in state.items()}:
        raise ValueError("its weights have other shapes than its arguments say")
    return architecture(**arguments)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def weights_hash(state: Mapping[str, Tensor], more: str = "") -> str:
    """Return the sha256 of named weights, and of a text about them, as hex digits."""
    digest = hashlib.sha256(more.encode())
    for name in sorted(state):
        digest.update(name.encode())
        digest.update(state[name].detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
