"""Image inpainting with masked visual tokens (MaskGIT) on Lightning, Hydra and wandb."""

__version__ = "0.1.0"
