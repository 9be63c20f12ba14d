"""A look into hand-written backward passes while they run."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor


@contextmanager
def recorded(outputs: Sequence[Tensor]) -> Iterator[list[str]]:
    """Watches every hand-written backward pass below the outputs; yields what is wrong with what they do."""
    wrong: list[str] = []
    functions = {node._forward_cls for node in _nodes(outputs) if hasattr(node, "_forward_cls")}
    originals = {cls: cls.__dict__.get("backward") for cls in functions}

    def watched(backward: Callable[..., Any], name: str) -> Callable[..., Any]:
        def watch(ctx: Any, *deltas: Any) -> Any:
            before = [(d._version, d.detach().clone()) if isinstance(d, Tensor) else None for d in deltas]
            returned = backward(ctx, *deltas)
            for delta, old in zip(deltas, before, strict=True):
                if old is not None and (
                    delta._version != old[0] or not torch.equal(delta.nan_to_num(), old[1].nan_to_num())
                ):
                    wrong.append(f"{name}.backward writes to the incoming gradient")
            gradients = returned if isinstance(returned, tuple) else (returned,)
            edges = iter([edge for edge in ctx.next_functions if edge[0] is not None])
            for k, needed in enumerate(ctx.needs_input_grad):
                if not needed:
                    continue
                node, slot = next(edges)
                given = gradients[k] if k < len(gradients) else None
                if hasattr(node, "variable"):
                    of = node.variable
                elif hasattr(node, "_input_metadata"):
                    of = node._input_metadata[slot]
                else:  # torch 2.4 does not tell
                    continue
                if given is not None and not given.is_sparse:
                    if tuple(given.shape) != tuple(of.shape):
                        wrong.append(
                            f"{name}.backward returns a gradient of shape {tuple(given.shape)} for input {k} of shape"
                            f" {tuple(of.shape)}"
                        )
                    elif given.dtype != of.dtype:
                        wrong.append(f"{name}.backward returns a gradient of {given.dtype} for input {k} of {of.dtype}")
            return returned

        return watch

    try:
        for cls in functions:
            cls.backward = staticmethod(watched(cls.backward, cls.__name__))
        yield wrong
    finally:
        for cls, original in originals.items():
            if original is None:
                del cls.backward
            else:
                cls.backward = original


def _nodes(outputs: Sequence[Tensor]) -> set[Any]:
    """The graph below some outputs."""
    seen: set[Any] = set()
    open_ = [y.grad_fn for y in outputs]
    while open_:
        node = open_.pop()
        if node is not None and node not in seen:
            seen.add(node)
            open_ += [below for below, _ in node.next_functions]
    return seen
