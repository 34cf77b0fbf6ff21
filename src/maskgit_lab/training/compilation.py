"""How the transformer is compiled, or recorded: the values of `training.compile`."""

MODES = ("default", "reduce-overhead", "max-autotune", "max-autotune-no-cudagraphs")  # of torch.compile
GRAPH = "graph"  # nothing is compiled, the whole step is recorded (fast.recorded)
AUTO = "auto"  # GRAPH where it can be, else nothing


def compile_options(value: bool | str) -> dict[str, str] | None:
    """Turn `training.compile` (false, true, auto, graph or a mode) into arguments of torch.compile; None = compile nothing.

    reduce-overhead records a CUDA graph per block, graph one of the whole network, both for batches so small that a GPU waits for
    its next kernel. Any other value is a ValueError.
    """
    if isinstance(value, bool):
        return {} if value else None
    if value in (AUTO, GRAPH):
        return None
    if value not in MODES:
        raise ValueError(f"training.compile must be true, false, {AUTO}, {GRAPH} or a mode ({', '.join(MODES)}), got {value!r}")
    return {"mode": value}


def records_steps(value: bool | str, *, speed: str, one_device: bool, accumulated_batches: int, on_cuda: bool) -> bool:
    """Say whether training steps are recorded as CUDA graphs.

    Raise ValueError where that was asked for and would be wrong: the gradients are the graph's memory, overwritten at the next
    step. On a CPU it is the usual step.
    """
    wanted = {
        "speed=fast": speed == "fast",
        "trainer.devices=1": one_device,
        "no trainer.accumulate_grad_batches": accumulated_batches == 1,
    }
    missing = [what for what, there in wanted.items() if not there]
    if value == GRAPH and missing:
        raise ValueError(f"training.compile={GRAPH} needs {' and '.join(missing)}; training.compile={AUTO} does without it there")
    return value == GRAPH or (value == AUTO and on_cuda and not missing)
