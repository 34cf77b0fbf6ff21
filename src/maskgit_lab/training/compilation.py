"""How the transformer's blocks are compiled: the values of `training.compile`."""

MODES = ("default", "reduce-overhead", "max-autotune", "max-autotune-no-cudagraphs")  # of torch.compile


def compile_options(value: bool | str) -> dict[str, str] | None:
    """Turn `training.compile` (false, true or a mode) into arguments of torch.compile; None = compile nothing.

    reduce-overhead records CUDA graphs, for batches so small that a GPU waits for its next kernel. Any other value is a ValueError.
    """
    if isinstance(value, bool):
        return {} if value else None
    if value not in MODES:
        raise ValueError(f"training.compile must be true, false or a mode ({', '.join(MODES)}), got {value!r}")
    return {"mode": value}
