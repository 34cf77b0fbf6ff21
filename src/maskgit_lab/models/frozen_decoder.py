"""A trained conditional decoder as the rest of the code sees it: tokens, known pixels and holes to images.

A plain object next to its tokenizer, for the reasons given in `models.tokenizer`.
"""

from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor

from maskgit_lab.core.pixels import to_uint8
from maskgit_lab.core.shapes import shapes_only
from maskgit_lab.machine.checksum import DamagedFileError
from maskgit_lab.machine.tensor_file import load_tensors, require_finite, require_tensors, save_tensors
from maskgit_lab.models.conditional_decoder import ConditionalDecoder
from maskgit_lab.models.tokenizer import FrozenTokenizer, weights_hash

FILE_FORMAT = "maskgit_lab.decoder/1"
REMEDY = "Restore it from a copy, train it again (python -m maskgit_lab.train_decoder run=RUN), or fill with use_decoder=plain"
MAX_BLOCKS = 1_000


class FrozenDecoder:
    """Decode with fixed weights, in float32, without gradients.

    Args:
        network: in place it is put in evaluation mode and its parameters are frozen.
        tokenizer: whose tokens it decodes; the network is moved to its device at each use.
    """

    def __init__(self, network: ConditionalDecoder, tokenizer: FrozenTokenizer) -> None:
        self.network = network.eval().requires_grad_(False)
        self.tokenizer = tokenizer
        self.sha256 = weights_hash(network.state_dict(), tokenizer.sha256)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self  # frozen: one copy serves everybody

    def decode(self, tokens: Tensor, images: Tensor, holes: Tensor) -> Tensor:
        """Return images (B, 3, H, W) float32 in [0, 1].

        Args:
            tokens: (B, N).
            images: (B, H, W, 3) uint8; pixels under the holes have no influence.
            holes: (B, H, W) bool, True = hidden.

        Returns:
            The network's whole output: the known pixels are close to the given ones, not equal.
        """
        device, tokenizer = self.tokenizer.device, self.tokenizer
        if next(self.network.parameters()).device != device:
            self.network.to(device)
        size = tokenizer.model.CPU_BATCH if device.type == "cpu" else max(1, len(tokens))
        parts = zip(tokens.split(size), images.split(size), holes.split(size), strict=True)
        with torch.no_grad(), torch.autocast(device.type, enabled=False):
            decoded = [
                self.network(tokenizer.model.quantised(t.to(device)), tokenizer.normalised(i), h.to(device)) for t, i, h in parts
            ]
        return tokenizer.pixels(torch.cat(decoded))

    def save(self, path: Path) -> None:
        """Write the weights, their sizes and the tokenizer's sha256 to one file, whole or not at all.

        Raise ValueError when a weight is NaN or infinite, CannotWriteError when the disk is full, read-only or not permitted.
        """
        content = self.parts()
        require_finite(content["state_dict"], f"the decoder is not kept at {path}")
        save_tensors(content, path)

    def parts(self) -> dict[str, Any]:
        """Return what makes this decoder again (`from_parts`): plain values, and `state_dict`, tensors on the CPU."""
        return {
            "format": FILE_FORMAT, "tokenizer_sha256": self.tokenizer.sha256, "arguments": self.network.arguments,
            "state_dict": {key: value.cpu() for key, value in self.network.state_dict().items()},
        }  # fmt: skip

    @classmethod
    def load(cls, path: Path, tokenizer: FrozenTokenizer) -> Self:
        """Read a file that `save` wrote.

        Raise FileNotFoundError when there is no such file, ValueError when it is damaged, of another kind or of another tokenizer,
        or holds NaN.
        """
        if not path.is_file():
            raise FileNotFoundError(f"no decoder at {path}: train one (python -m maskgit_lab.train_decoder run=RUN)")
        return cls.from_parts(load_tensors(path, what="a decoder", remedy=REMEDY), path, tokenizer)

    @classmethod
    def from_parts(cls, content: Any, path: Path, tokenizer: FrozenTokenizer) -> Self:
        """Build a decoder of what `parts` returned; `path`, of the file that it was in, is for the messages of ValueErrors."""
        if not isinstance(content, dict) or content.get("format") != FILE_FORMAT:
            raise ValueError(f"{path} is not a decoder of this package. {REMEDY}")
        if content.get("tokenizer_sha256") != tokenizer.sha256:
            raise ValueError(
                f"{path} decodes tokens of tokenizer {str(content.get('tokenizer_sha256'))[:12]}, this run has "
                f"{tokenizer.sha256[:12]}. {REMEDY}"
            )
        require_tensors(content.get("state_dict"), path, remedy=REMEDY)
        require_finite(content["state_dict"], f"{path} is of no use")
        try:
            network = _built(tokenizer, content["arguments"], content["state_dict"])
            network.load_state_dict(content["state_dict"])
        except Exception as error:  # values of other types and sizes fail in as many ways
            first = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise DamagedFileError(f"{path} has not the parts of a decoder ({first}). {REMEDY}") from error
        return cls(network, tokenizer)


def decoded_pixels(
    tokenizer: FrozenTokenizer, decoder: FrozenDecoder | None, tokens: Tensor, images: Tensor, holes: Tensor
) -> Tensor:
    """Return uint8 images (B, H, W, 3) of tokens: by the conditional decoder where there is one, else by the tokenizer's own."""
    return to_uint8(tokenizer.decode(tokens) if decoder is None else decoder.decode(tokens, images, holes))


def _built(tokenizer: FrozenTokenizer, arguments: dict[str, int], state: dict[str, Tensor]) -> ConditionalDecoder:
    """Build a network that has the shapes of the weights it will be filled with: a file may say anything of its sizes."""
    if max(arguments.values()) > min(len(state), MAX_BLOCKS):
        raise ValueError(f"{arguments}, and {len(state)} tensors")
    with shapes_only():
        frame = type(tokenizer.model)(**tokenizer.model.arguments)
        shapes = {name: value.shape for name, value in ConditionalDecoder(network=frame, **arguments).state_dict().items()}
    if shapes != {name: value.shape for name, value in state.items()}:
        raise ValueError("its weights have other shapes than its arguments say")
    return ConditionalDecoder(network=tokenizer.model, **arguments)
