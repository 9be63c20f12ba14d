"""A spy on hand-written backward passes: what they return and what they write to, before autograd corrects it."""

import functools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

from .point import is_equal

# --------------------------------------------------------------------------- torch's private parts, all of them


def function_of(node: Any) -> Any:
    """The Function that a node of the graph belongs to; None for torch's own operators."""
    if hasattr(node, "_forward_cls"):
        return node._forward_cls
    return next((cls for cls in _subclasses(Function) if getattr(cls, "_backward_cls", None) is type(node)), None)


def metadata_of(node: Any, slot: int) -> Any:
    """The tensor, or its shape and dtype, whose gradient a node receives; None where torch does not tell (2.4)."""
    if hasattr(node, "variable"):
        return node.variable
    return node._input_metadata[slot] if hasattr(node, "_input_metadata") else None


def is_once_differentiable(gradients: Sequence[Tensor]) -> bool:
    """Whether a backward pass on the way to these gradients is marked @once_differentiable."""
    return any(node.name() == "torch::autograd::Error" for node in nodes_below(gradients))


def _subclasses(cls: Any) -> Iterator[Any]:
    for subclass in cls.__subclasses__():
        yield subclass
        yield from _subclasses(subclass)


# ------------------------------------------------------------------------------------------------------- the spy


@dataclass
class Seen:
    """Sentences on what is wrong with the backward passes that ran.

    Attributes:
        calls: of hand-written backward passes.
        writes: to grad_output.
        returns: gradients of another shape or dtype than their input.
        unreduced: gradients whose sum over broadcast dimensions is left to the engine.
    """

    calls: int = 0
    writes: list[str] = field(default_factory=list)
    returns: list[str] = field(default_factory=list)
    unreduced: list[str] = field(default_factory=list)


@contextmanager
def spied(outputs: Sequence[Tensor]) -> Iterator[Seen]:
    """Every hand-written backward pass below the outputs, as it runs."""
    seen = Seen()
    functions = {function_of(node) for node in nodes_below(outputs)} - {None}
    methods = {cls: "vjp" if cls.vjp is not Function.vjp else "backward" for cls in functions}
    originals = {cls: cls.__dict__.get(method) for cls, method in methods.items()}
    try:
        for cls, method in methods.items():
            setattr(cls, method, staticmethod(_watched(getattr(cls, method), cls.__name__, seen)))
        yield seen
    finally:
        for cls, original in originals.items():
            if original is None:
                delattr(cls, methods[cls])
            else:
                setattr(cls, methods[cls], original)


def _watched(backward: Callable[..., Any], name: str, seen: Seen) -> Callable[..., Any]:
    def watched(ctx: Any, *grad_outputs: Any) -> Any:
        tensors = [g for g in grad_outputs if isinstance(g, Tensor)]
        before = [(g._version, g.detach().clone()) for g in tensors]
        returned = backward(ctx, *grad_outputs)
        seen.calls += 1
        for g, (version, old) in zip(tensors, before, strict=True):
            if g._version != version or not is_equal(g, old):
                seen.writes.append(f"{name}.backward writes to grad_output, the incoming gradient")
        gradients = returned if isinstance(returned, tuple) else (returned,)
        edges = (edge for edge in ctx.next_functions if edge[0] is not None)
        needed = [k for k, needs in enumerate(ctx.needs_input_grad) if needs]
        for k, edge in zip(needed, edges, strict=False):
            expected, given = metadata_of(*edge), gradients[k] if k < len(gradients) else None
            if expected is None or given is None or given.is_sparse:
                continue
            if tuple(given.shape) != tuple(expected.shape):
                shapes = f"{tuple(given.shape)} for input {k} of shape {tuple(expected.shape)}"
                sentence = f"{name}.backward returns a gradient of shape {shapes}"
                if _can_sum(given.shape, expected.shape):
                    seen.unreduced.append(f"{sentence}, and autograd sums it over the broadcast dimensions")
                else:
                    seen.returns.append(sentence)
            elif given.dtype != expected.dtype:
                dtypes = f"{given.dtype} for input {k} of {expected.dtype}"
                seen.returns.append(f"{name}.backward returns a gradient of {dtypes}")
        return returned

    return watched


def _can_sum(given: Sequence[int], expected: Sequence[int]) -> bool:
    """Whether the engine makes a gradient of the expected shape by summing the given one."""
    pairs = zip(reversed(given), reversed(expected), strict=False)
    return len(given) >= len(expected) and all(n in (1, m) for m, n in pairs)


def nodes_below(outputs: Sequence[Tensor]) -> set[Any]:
    """The graph below some outputs."""
    nodes: set[Any] = set()
    pending = [y.grad_fn for y in outputs]
    while pending:
        node = pending.pop()
        if node is not None and node not in nodes:
            nodes.add(node)
            pending += [below for below, _ in node.next_functions]
    return nodes


@functools.cache
def assert_spy_sees() -> None:
    """A known Function whose backward pass writes to grad_output and returns a wrong shape: both are to be seen.

    Where another torch hides what the spy reads, a check must not pass for that reason.
    """

    class Known(Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Tensor:
            return 2 * x

        @staticmethod
        def backward(ctx: Any, grad_output: Tensor) -> Tensor:
            return grad_output.mul_(2).expand(2, *grad_output.shape)

    x = torch.ones(3, requires_grad=True)
    y = Known.apply(x)
    with spied([y]) as seen:
        torch.autograd.grad(y, x, torch.ones(3))
    if (seen.calls, len(seen.writes), len(seen.unreduced)) != (1, 1, 1):
        raise RuntimeError(f"the gradient check cannot observe backward passes in torch {torch.__version__}: {seen}")
