"""A function at one point: its outputs there, and its gradients by the backward pass."""

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from .operations import Operations, eps_of


class Point:
    """A function at its inputs.

    Args:
        constant: f may be constant, as the gradients of a linear function are.
        own_dtype: differences are taken in the dtype of the inputs.
        formula: the function whose backward pass gives the gradients; f by default.

    Attributes:
        names: of the inputs that require a gradient.
        leaves: copies of these inputs.
        outputs: the outputs that require a gradient.
        exact: the dtype of differences: float64, or None where f cannot be evaluated in another than the inputs' own.
    """

    def __init__(
        self,
        f: Callable[..., Any],
        inputs: Sequence[Any],
        names: Sequence[str],
        constant: bool = False,
        own_dtype: bool = False,
        formula: Callable[..., Any] | None = None,
    ) -> None:
        self.f, self.formula, self.inputs = f, formula or f, list(inputs)
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
        outputs = self.call(self.leaves, f=self.formula)
        if not constant and not any(out.requires_grad for out in outputs):
            raise ValueError("f must return a tensor with a gradient, got one that does not depend on the inputs")
        self.differentiable = [i for i, out in enumerate(outputs) if constant or out.requires_grad]
        self.outputs = [outputs[i] for i in self.differentiable]
        again = self._chosen(self.call(self.leaves, f=self.formula))
        if not all(is_equal(a.detach(), b.detach()) for a, b in zip(again, self.outputs, strict=True)):
            raise ValueError("f must give the same value for the same inputs, and is non-deterministic or stateful")
        self.exact = self._dtype_of_differences(own_dtype)

    def _chosen(self, outputs: Sequence[Tensor]) -> list[Tensor]:
        return [outputs[i] for i in self.differentiable]

    def _dtype_of_differences(self, own_dtype: bool) -> torch.dtype | None:
        """float64 if f can be evaluated in it: not where it holds tensors of its own in another dtype."""
        choices = [(exact, grad) for exact in (torch.float64, None) for grad in (False, True)]
        for exact, self.with_grad in choices[2:] if own_dtype else choices:  # with gradients where f itself takes some
            try:
                with torch.set_grad_enabled(self.with_grad):
                    self.call(self.leaves, exact)
                return exact
            except ValueError:
                if (exact, self.with_grad) == choices[-1]:
                    raise
        raise AssertionError

    @cached_property
    def own_eps(self) -> float:
        """Of the coarsest dtype of the inputs, as far as differences are taken in it."""
        return eps_of(self.exact) if self.exact else max(eps_of(leaf.dtype) for leaf in self.leaves)

    @cached_property
    def eps(self) -> float:
        """Of the coarsest dtype that f rounds to on its way."""
        with Operations() as operations, torch.set_grad_enabled(self.with_grad):
            self.call(self.leaves, self.exact)
        return max(self.own_eps, eps_of(operations.coarsest) if operations.coarsest else 0.0)

    def call(
        self, leaves: Sequence[Tensor], exact: torch.dtype | None = None, f: Callable[..., Any] | None = None
    ) -> list[Tensor]:
        """f's outputs that are floating-point tensors; with ``exact`` all floating-point inputs are of that dtype."""
        f = f or self.f
        arguments = list(self.inputs)
        for i, leaf in zip(self.differentiated, leaves, strict=True):
            arguments[i] = leaf
        if exact:
            arguments = [x.to(exact) if isinstance(x, Tensor) and x.is_floating_point() else x for x in arguments]
        try:
            out = _module_in(f, exact, arguments) if isinstance(f, nn.Module) and exact else f(*arguments)
        except Exception as error:
            raise ValueError(
                f"f must give a value for its inputs, and it raised {type(error).__name__}: {error}"
            ) from error
        outputs = floating_outputs(out)
        if not outputs:
            raise TypeError(f"f must return a floating-point tensor, got {out!r:.60}")
        return outputs

    def gradients(self, grad_outputs: Sequence[Tensor], leaves: Sequence[Tensor] | None = None) -> list[Tensor]:
        """By the backward pass, after a forward pass of its own."""
        leaves = self.leaves if leaves is None else leaves
        return vjp(self._chosen(self.call(leaves, f=self.formula)), leaves, grad_outputs)

    def flat(self, *leaves: Tensor) -> Tensor:
        """All outputs in one row, in float64."""
        if self.exact is None:
            leaves = tuple(x.to(leaf.dtype) for x, leaf in zip(leaves, self.leaves, strict=True))
        with torch.set_grad_enabled(self.with_grad):
            outputs = self._chosen(self.call(leaves, self.exact))
        return torch.cat([y.detach().reshape(-1).double() for y in outputs])


def vjp(
    outputs: Sequence[Tensor], leaves: Sequence[Tensor], grad_outputs: Sequence[Tensor], **options: Any
) -> list[Tensor]:
    """Gradients by the backward pass, dense; zeros where no output depends on the leaves."""
    pairs = [(y, v) for y, v in zip(outputs, grad_outputs, strict=True) if y.requires_grad]
    if not pairs:
        return [torch.zeros_like(leaf) for leaf in leaves]
    live, v = (list(part) for part in zip(*pairs, strict=True))
    gradients = torch.autograd.grad(live, leaves, v, materialize_grads=True, **options)
    return [g.to_dense() for g in gradients]


def is_real(x: Any) -> bool:
    """Whether it is a floating-point tensor."""
    return isinstance(x, Tensor) and x.is_floating_point()


def is_equal(a: Tensor, b: Tensor) -> bool:
    """Bit by bit; NaN equals NaN."""
    return torch.equal(a.nan_to_num(), b.nan_to_num()) if a.is_floating_point() else torch.equal(a, b)


def _module_in(module: nn.Module, dtype: torch.dtype, arguments: Sequence[Any]) -> Any:
    """A call of a Module with its parameters and buffers in a dtype."""
    state = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    state = {name: x.to(dtype, copy=True) if x.is_floating_point() else x.clone() for name, x in state.items()}
    return torch.func.functional_call(module, state, tuple(arguments))


def floating_outputs(out: Any) -> list[Tensor]:
    """The floating-point tensors of a result, however nested; complex ones as pairs of real numbers."""
    tensors = [y for y in tree_leaves(out) if isinstance(y, Tensor)]
    tensors = [torch.stack([y.real, y.imag], -1) if y.is_complex() else y for y in tensors]
    return [y for y in tensors if y.is_floating_point()]


def second_order(point: Point) -> Point:
    """The gradients of f as a function of its inputs and of grad_output.

    They may be constant, as those of a piecewise linear f are.
    """
    count = len(point.leaves)

    def gradient(*arguments: Tensor) -> tuple[Tensor, ...]:
        leaves, v = arguments[:count], arguments[count:]
        with torch.enable_grad():
            live = [x if x.requires_grad else x.detach().requires_grad_() for x in leaves]
            outputs = [point.call(live, f=point.formula)[i] for i in point.differentiable]
            create = any(x.requires_grad for x in arguments)
            return tuple(vjp(outputs, live, v, create_graph=create))

    v = [random_signed_like(y, k).requires_grad_() for k, y in enumerate(point.outputs)]
    names = [f"{name} (second order)" for name in point.names] + ["grad_output (second order)"] * len(v)
    return Point(gradient, [*point.leaves, *v], names, constant=True, own_dtype=point.exact is None)


def random_signed_like(y: Tensor, seed: int = 0) -> Tensor:
    """A grad_output or a tangent for y: numbers of both signs between 1/2 and 3/2, no two alike, the same for the
    same shape."""
    generator = torch.Generator().manual_seed(1000 * seed + y.numel())
    v = torch.rand(y.shape, generator=generator, dtype=torch.float64) + 0.5
    sign = torch.randint(0, 2, y.shape, generator=generator) * 2 - 1
    return (v * sign).to(y.device, y.dtype)


def same_layout(x: Tensor) -> Tensor:
    """A copy with the strides of x; one that repeats memory is copied in full."""
    return x.detach().clone()
