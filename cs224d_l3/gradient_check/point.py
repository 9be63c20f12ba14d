"""A function at one point: its outputs there, and its gradients by the backward pass."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor


class Point:
    """A function at its inputs.

    Attributes:
        names: of the inputs that require a gradient.
        leaves: copies of these inputs.
        outputs: the outputs that require a gradient.
    """

    def __init__(
        self, f: Callable[..., Any], inputs: Sequence[Any], names: Sequence[str], constant: bool = False
    ) -> None:
        self.f, self.inputs = f, list(inputs)
        self.differentiated = [i for i, x in enumerate(inputs) if isinstance(x, Tensor) and x.requires_grad]
        self.names = [names[i] for i in self.differentiated]
        if not self.differentiated:
            raise ValueError("inputs must hold a tensor that requires a gradient, got none")
        for x in self.inputs:
            if isinstance(x, Tensor) and x.is_complex():
                raise TypeError("complex inputs are not supported: check the real and the imaginary part as two inputs")
            if isinstance(x, Tensor) and x.layout != torch.strided:
                raise TypeError(f"inputs must be dense, got a tensor of layout {x.layout}")
        self.leaves = [same_layout(inputs[i]).requires_grad_() for i in self.differentiated]
        self.outputs = self.call(self.leaves)
        if not constant and not any(out.requires_grad for out in self.outputs):
            raise ValueError("f must return a tensor with a gradient, got one that does not depend on the inputs")
        self.kept = [i for i, out in enumerate(self.outputs) if constant or out.requires_grad]
        self.outputs = [self.outputs[i] for i in self.kept]
        again = [out.detach() for i, out in enumerate(self.call(self.leaves)) if i in self.kept]
        pairs = zip(again, self.outputs, strict=True)
        if not all(torch.equal(a.nan_to_num(), b.detach().nan_to_num()) for a, b in pairs):
            raise ValueError("f must give the same value for the same inputs, and is non-deterministic or stateful")

    def call(self, leaves: Sequence[Tensor], double: bool = False) -> list[Tensor]:
        """f's outputs that are floating-point tensors; with ``double`` all floating-point inputs are float64."""
        arguments = list(self.inputs)
        for i, leaf in zip(self.differentiated, leaves, strict=True):
            arguments[i] = leaf
        if double:
            arguments = [x.double() if isinstance(x, Tensor) and x.is_floating_point() else x for x in arguments]
        try:
            out = self.f(*arguments)
        except Exception as error:
            raise ValueError(
                f"f must give a value for its inputs, and it raised {type(error).__name__}: {error}"
            ) from error
        outputs = [y for y in (out if isinstance(out, tuple | list) else (out,)) if isinstance(y, Tensor)]
        outputs = [torch.view_as_real(y.resolve_conj()) if y.is_complex() else y for y in outputs]
        outputs = [y for y in outputs if y.is_floating_point()]
        if not outputs:
            raise TypeError(f"f must return a floating-point tensor, got {out!r:.60}")
        return outputs

    def gradients(self, grad_outputs: Sequence[Tensor]) -> list[Tensor]:
        """By f's backward pass."""
        pairs = [(y, v) for y, v in zip(self.outputs, grad_outputs, strict=True) if y.requires_grad]
        if not pairs:
            return [torch.zeros_like(leaf) for leaf in self.leaves]
        outputs, v = zip(*pairs, strict=True)
        return list(torch.autograd.grad(outputs, self.leaves, v, retain_graph=True, materialize_grads=True))

    def flat(self, *leaves: Tensor) -> Tensor:
        """All outputs in one row, in float64."""
        outputs = self.call(leaves, double=True)
        return torch.cat([outputs[i].reshape(-1) for i in self.kept])


def second_order(point: Point) -> Point:
    """The gradients of f as a function of its inputs and of grad_output, the gradient that comes in from above.

    They may be constant, as those of a piecewise linear f are.
    """
    count = len(point.leaves)

    def gradient(*arguments: Tensor) -> tuple[Tensor, ...]:
        leaves, v = arguments[:count], arguments[count:]
        with torch.enable_grad():
            live = [x if x.requires_grad else x.detach().requires_grad_() for x in leaves]
            outputs = [point.call(live)[i] for i in point.kept]
            create = any(x.requires_grad for x in arguments)
            return tuple(torch.autograd.grad(outputs, live, v, create_graph=create, materialize_grads=True))

    v = [random_signed_like(y, k).requires_grad_() for k, y in enumerate(point.outputs)]
    names = [f"{name} (second order)" for name in point.names] + ["grad_output (second order)"] * len(v)
    return Point(gradient, [*point.leaves, *v], names, constant=True)


def random_signed_like(y: Tensor, seed: int = 0) -> Tensor:
    """A grad_output or a tangent for y: numbers of both signs between 1/2 and 3/2, no two alike, the same for the
    same shape."""
    generator = torch.Generator().manual_seed(1000 * seed + y.numel())
    v = torch.rand(y.shape, generator=generator, dtype=torch.float64) + 0.5
    sign = torch.randint(0, 2, y.shape, generator=generator) * 2 - 1
    return (v * sign).to(y.device, y.dtype)


def same_layout(x: Tensor) -> Tensor:
    """A copy with the strides of x; one that repeats memory is copied in full."""
    return x.detach().clone(memory_format=torch.preserve_format)
