"""A training step on a GPU as two recorded CUDA graphs: the network's way there, and the way back.

At the lab's batch of 10 a GPU is done long before the processor has asked it for the next kernel, and waits. A recorded graph is
asked for once. Its shapes are fixed, so the whole grid is computed and the hidden rows are taken from it: a little more work for
the GPU, in a graph that fits every mask.
"""

from typing import Any

import torch
from torch import Tensor
from torch.func import functional_call

from maskgit_lab.fast.model import FastModel
from maskgit_lab.models.transformer import BidirectionalTransformer

WARM_UPS = 3  # passes before recording, in which libraries make what they need once


class RecordedModel(FastModel):
    """A FastModel whose training steps on a GPU are recorded at the first one; elsewhere it is that model.

    The gradients of its parameters are the graph's own memory: they hold until the next step and cannot be accumulated over steps.
    """

    _recorded: "tuple[Any, Recording] | None" = None  # what the graphs depend on, and the graphs

    def hidden_logits(self, tokens: Tensor, hidden: Tensor, context: Tensor | None = None) -> Tensor:
        """Return logits (M, V + 1) at hidden positions."""
        if not (tokens.is_cuda and self.training and torch.is_grad_enabled()):
            return super().hidden_logits(tokens, hidden, context)
        arguments = (tokens,) if context is None else (tokens, context)
        grid = _Replay.apply(self._recording(arguments), *arguments, *self.transformer.parameters())
        rows = hidden.flatten().nonzero().squeeze(1).to(tokens.device, non_blocking=True)
        return grid.flatten(0, 1).index_select(0, rows)

    def _recording(self, arguments: tuple[Tensor, ...]) -> "Recording":
        autocast = torch.get_autocast_dtype("cuda") if torch.is_autocast_enabled("cuda") else None
        shapes = [(argument.shape, argument.dtype, argument.device) for argument in arguments]
        key = (shapes, autocast, next(self.transformer.parameters()).data_ptr())
        if self._recorded is None or self._recorded[0] != key:
            self._recorded = key, Recording(self.transformer, arguments, autocast)
        return self._recorded[1]


class Recording:
    """A transformer's two graphs and the memory that they read and write.

    The random numbers of the process are afterwards where they were; dropout draws from them in every replay.

    Args:
        transformer: in training mode, on a GPU.
        arguments: tokens (B, N) and, where there is one, the context: what is recorded has their shapes.
        autocast: precision of the matrix products, None = as the weights are.
    """

    def __init__(self, transformer: BidirectionalTransformer, arguments: tuple[Tensor, ...], autocast: torch.dtype | None) -> None:
        # of its own, also the parameters, which are the same memory: autograd's notes on the real ones belong to training's stream
        self.arguments = [own.detach().clone().requires_grad_(own.requires_grad) for own in arguments]
        parameters = {name: p.detach().requires_grad_(p.requires_grad) for name, p in transformer.named_parameters()}
        self.inputs = [*self.arguments, *parameters.values()]
        wanted = [own for own in self.inputs if own.requires_grad]
        self.there, self.back, stream = torch.cuda.CUDAGraph(), torch.cuda.CUDAGraph(), torch.cuda.Stream()
        # autocast's memory of cast weights would keep those of the first step
        precision = torch.autocast("cuda", dtype=autocast, enabled=autocast is not None, cache_enabled=False)
        stream.wait_stream(torch.cuda.current_stream())
        with torch.random.fork_rng(devices=[arguments[0].device]), torch.cuda.stream(stream), precision:
            for _ in range(WARM_UPS):
                logits = functional_call(transformer, parameters, tuple(self.arguments))
                torch.autograd.grad(logits, wanted, torch.zeros_like(logits))
                del logits
            with torch.cuda.graph(self.there, stream=stream):
                self.logits = functional_call(transformer, parameters, tuple(self.arguments))
            self.gradient = torch.zeros_like(self.logits)
            with torch.cuda.graph(self.back, stream=stream, pool=self.there.pool()):
                self.gradients = torch.autograd.grad(self.logits, wanted, self.gradient)
        torch.cuda.current_stream().wait_stream(stream)


class _Replay(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, recording: Recording, *inputs: Tensor) -> Tensor:
        """Return logits (B, N, V + 1) of arguments; the parameters are here for their gradients."""
        ctx.recording = recording
        for own, given in zip(recording.arguments, inputs, strict=False):
            own.detach().copy_(given)
        recording.there.replay()
        return recording.logits.detach()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of arguments and parameters."""
        recording: Recording = ctx.recording
        recording.gradient.copy_(gradient)
        recording.back.replay()
        gradients = iter(recording.gradients)
        return None, *(next(gradients).detach() if own.requires_grad else None for own in recording.inputs)
