"""Numbers too small for float32's usual form: processors take a hundred times as long for them, so they become zero."""


def flush_denormals() -> bool:
    """Let this process, and threads that it starts from now on, take numbers below 1.2e-38 for zero; return whether it can.

    Call it before the first operation of torch, which starts its threads. Gradients that have passed through GELU's tail are full
    of such numbers: late in the demo they made a training step three times as long.
    """
    import torch

    return torch.set_flush_denormal(True)
