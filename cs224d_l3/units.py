"""2.3 Neural units: six functions f(z), applied to every element, with their derivatives f'(z).

Each unit is a function, its derivative ``*_prime``, the Function whose backward pass is the chain rule
``dJ/dz = dJ/da o f'(z)``, and a Module. Where f' can be read off the output ``a = f(z)`` the Function
keeps ``a``, otherwise ``z``. At a kink, where f has no derivative, f' is the value torch takes.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ._checks import check_floating, check_number
from ._function import Function

# ---------------------------------------------------------------------------------------------- sigmoid


def sigmoid(z: Tensor) -> Tensor:
    """sigmoid(z) = 1 / (1 + exp(-z)), between 0 and 1. Any shape; as ``torch.sigmoid``."""
    check_floating("z", z)
    return _Sigmoid.apply(z)


def sigmoid_prime(z: Tensor) -> Tensor:
    """sigmoid'(z) = exp(-z) / (1 + exp(-z))^2 = a (1 - a), where a = sigmoid(z)."""
    return _Sigmoid.prime(sigmoid(z))


class _Sigmoid(Function):
    @staticmethod
    def forward(z: Tensor) -> Tensor:
        return torch.sigmoid(z)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, a: Any) -> None:
        ctx.save_for_backward(a)

    @staticmethod
    def prime(a: Tensor) -> Tensor:
        return a * (1 - a)

    @staticmethod
    def backward(ctx: Any, delta: Tensor) -> Tensor:
        (a,) = ctx.saved_tensors
        return delta * _Sigmoid.prime(a)


class Sigmoid(nn.Module):
    """:func:`sigmoid` as a Module."""

    def forward(self, z: Tensor) -> Tensor:
        return sigmoid(z)


# ------------------------------------------------------------------------------------------------- tanh


def tanh(z: Tensor) -> Tensor:
    """tanh(z) = (e^z - e^-z) / (e^z + e^-z) = 2 sigmoid(2z) - 1, between -1 and 1. As ``torch.tanh``."""
    check_floating("z", z)
    return _Tanh.apply(z)


def tanh_prime(z: Tensor) -> Tensor:
    """tanh'(z) = 1 - tanh^2(z) = 1 - a^2, where a = tanh(z)."""
    return _Tanh.prime(tanh(z))


class _Tanh(Function):
    @staticmethod
    def forward(z: Tensor) -> Tensor:
        return torch.tanh(z)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, a: Any) -> None:
        ctx.save_for_backward(a)

    @staticmethod
    def prime(a: Tensor) -> Tensor:
        return 1 - a * a

    @staticmethod
    def backward(ctx: Any, delta: Tensor) -> Tensor:
        (a,) = ctx.saved_tensors
        return delta * _Tanh.prime(a)


class Tanh(nn.Module):
    """:func:`tanh` as a Module."""

    def forward(self, z: Tensor) -> Tensor:
        return tanh(z)


# -------------------------------------------------------------------------------------------- hard tanh


def hardtanh(z: Tensor, min_val: float = -1.0, max_val: float = 1.0) -> Tensor:
    """hardtanh(z) = -1 if z < -1;  z if -1 <= z <= 1;  1 if z > 1.

    ``min_val`` and ``max_val`` stand for -1 and 1, as in ``torch.nn.functional.hardtanh``.
    Raises ValueError unless ``min_val <= max_val``.
    """
    check_floating("z", z)
    check_number("min_val", min_val)
    check_number("max_val", max_val, at_least=min_val)
    return _Hardtanh.apply(z, min_val, max_val)


def hardtanh_prime(z: Tensor, min_val: float = -1.0, max_val: float = 1.0) -> Tensor:
    """hardtanh'(z) = 1 if -1 < z < 1, else 0; 0 at the two kinks, as torch has it."""
    return ((min_val < z) & (z < max_val)).to(z.dtype)


class _Hardtanh(Function):
    @staticmethod
    def forward(z: Tensor, min_val: float, max_val: float) -> Tensor:
        return z.clamp(min_val, max_val)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, a: Any) -> None:
        z, ctx.min_val, ctx.max_val = inputs
        ctx.save_for_backward(z)

    @staticmethod
    def backward(ctx: Any, delta: Tensor) -> tuple[Tensor, None, None]:
        (z,) = ctx.saved_tensors
        return delta * hardtanh_prime(z, ctx.min_val, ctx.max_val), None, None


class Hardtanh(nn.Module):
    """:func:`hardtanh` as a Module."""

    def __init__(self, min_val: float = -1.0, max_val: float = 1.0) -> None:
        super().__init__()
        check_number("min_val", min_val)
        check_number("max_val", max_val, at_least=min_val)
        self.min_val, self.max_val = min_val, max_val

    def forward(self, z: Tensor) -> Tensor:
        return hardtanh(z, self.min_val, self.max_val)

    def extra_repr(self) -> str:
        return f"min_val={self.min_val}, max_val={self.max_val}"


# -------------------------------------------------------------------------------------------- soft sign


def softsign(z: Tensor) -> Tensor:
    """softsign(z) = z / (1 + |z|), between -1 and 1. As ``torch.nn.functional.softsign``."""
    check_floating("z", z)
    return _Softsign.apply(z)


def softsign_prime(z: Tensor) -> Tensor:
    """softsign'(z) = 1 / (1 + |z|)^2. The notes print sgn(z) for the 1: wrong for z < 0."""
    r = 1 / (1 + z.abs())  # squared last: (1 + |z|)^2 would overflow half precision at |z| = 256
    return r * r


class _Softsign(Function):
    @staticmethod
    def forward(z: Tensor) -> Tensor:
        return z / (1 + z.abs())

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, a: Any) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, delta: Tensor) -> Tensor:
        (z,) = ctx.saved_tensors
        return delta * softsign_prime(z)


class Softsign(nn.Module):
    """:func:`softsign` as a Module."""

    def forward(self, z: Tensor) -> Tensor:
        return softsign(z)


# ------------------------------------------------------------------------------------------------- ReLU


def relu(z: Tensor) -> Tensor:
    """relu(z) = max(z, 0). As ``torch.relu``."""
    check_floating("z", z)
    return _ReLU.apply(z)


def relu_prime(z: Tensor) -> Tensor:
    """relu'(z) = 1 if z > 0, else 0; 0 at the kink. The same read off a = relu(z), for a > 0 where z > 0."""
    return (z > 0).to(z.dtype)


class _ReLU(Function):
    @staticmethod
    def forward(z: Tensor) -> Tensor:
        return z.clamp(min=0)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, a: Any) -> None:
        ctx.save_for_backward(a)

    @staticmethod
    def backward(ctx: Any, delta: Tensor) -> Tensor:
        (a,) = ctx.saved_tensors
        return delta * relu_prime(a)


class ReLU(nn.Module):
    """:func:`relu` as a Module."""

    def forward(self, z: Tensor) -> Tensor:
        return relu(z)


# ------------------------------------------------------------------------------------------- leaky ReLU


def leaky_relu(z: Tensor, negative_slope: float = 0.01) -> Tensor:
    """leaky_relu(z) = max(z, k z) with k = ``negative_slope``, 0 < k < 1.

    Any finite k is taken, as in ``torch.nn.functional.leaky_relu``: z if z > 0, else k z.
    """
    check_floating("z", z)
    check_number("negative_slope", negative_slope)
    return _LeakyReLU.apply(z, negative_slope)


def leaky_relu_prime(z: Tensor, negative_slope: float = 0.01) -> Tensor:
    """leaky_relu'(z) = 1 if z > 0, else k; k at the kink, as torch has it."""
    return torch.where(z > 0, torch.ones_like(z), negative_slope)


class _LeakyReLU(Function):
    @staticmethod
    def forward(z: Tensor, negative_slope: float) -> Tensor:
        return torch.where(z > 0, z, negative_slope * z)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, a: Any) -> None:
        z, ctx.negative_slope = inputs
        ctx.save_for_backward(z)

    @staticmethod
    def backward(ctx: Any, delta: Tensor) -> tuple[Tensor, None]:
        (z,) = ctx.saved_tensors
        return delta * leaky_relu_prime(z, ctx.negative_slope), None


class LeakyReLU(nn.Module):
    """:func:`leaky_relu` as a Module."""

    def __init__(self, negative_slope: float = 0.01) -> None:
        super().__init__()
        check_number("negative_slope", negative_slope)
        self.negative_slope = negative_slope

    def forward(self, z: Tensor) -> Tensor:
        return leaky_relu(z, self.negative_slope)

    def extra_repr(self) -> str:
        return f"negative_slope={self.negative_slope}"


# ----------------------------------------------------------------------------------- the six, by name


class Unit(NamedTuple):
    """A unit: the function f, its derivative f', and its Module class."""

    f: Callable[[Tensor], Tensor]
    f_prime: Callable[[Tensor], Tensor]
    module: type[nn.Module]


UNITS: dict[str, Unit] = {
    "sigmoid": Unit(sigmoid, sigmoid_prime, Sigmoid),
    "tanh": Unit(tanh, tanh_prime, Tanh),
    "hardtanh": Unit(hardtanh, hardtanh_prime, Hardtanh),
    "softsign": Unit(softsign, softsign_prime, Softsign),
    "relu": Unit(relu, relu_prime, ReLU),
    "leaky_relu": Unit(leaky_relu, leaky_relu_prime, LeakyReLU),
}
