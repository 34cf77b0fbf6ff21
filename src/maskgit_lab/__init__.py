"""Image inpainting with masked visual tokens (MaskGIT) on Lightning, Hydra and wandb.

from maskgit_lab import Inpainter     # the Python API, imported on first use
python -m maskgit_lab                 # the commands
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from maskgit_lab.inpainter import Inpainter

__version__ = "0.1.0"
__all__ = ["Inpainter", "__version__"]


def __getattr__(name: str) -> Any:
    """Import torch and the rest only when the inpainter is used."""
    if name != "Inpainter":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from maskgit_lab.inpainter import Inpainter

    return Inpainter
