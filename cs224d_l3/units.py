r"""2.3 Neural units: six activation functions $a = f(z)$, applied elementwise, and their derivatives $f'(z)$.

Each unit is a function, its derivative ``*_prime``, a Function and a Module. The backward pass is

$$\delta = \frac{\partial J}{\partial z} = \frac{\partial J}{\partial a} \circ f'(z).$$

The Function saves ``a`` where f' is computed from ``a``, else ``z``. At a kink f' is torch's subgradient. A non-finite
dJ/da times f' = 0 is NaN, where torch masks it to 0; softsign' is 0 at infinity, where torch's is NaN.

The Jacobian is diagonal, hence symmetric: ``pushforward`` (forward mode) is the same product as ``backward``. Where
autograd does not record the backward pass, a decorator from ``_in_place`` computes this product in a single buffer.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from . import _in_place
from ._checks import check_floating, check_number
from ._function import Function, save_inputs, save_output, save_tensors


def sigmoid(z: Tensor) -> Tensor:
    r"""$\sigma(z) = 1 / (1 + e^{-z})$, in (0, 1). As ``torch.sigmoid``."""
    check_floating("z", z)
    return _Sigmoid.call(z)


def sigmoid_prime(z: Tensor) -> Tensor:
    r"""$\sigma'(z) = e^{-z} / (1 + e^{-z})^2 = a (1 - a)$, where $a = \sigma(z)$."""
    return _Sigmoid.prime(sigmoid(z))


class _Sigmoid(Function):
    setup_context = staticmethod(save_output)

    @staticmethod
    def forward(z: Tensor) -> Tensor:
        return torch.sigmoid(z)

    @staticmethod
    def prime(a: Tensor) -> Tensor:
        return a * (1 - a)

    @staticmethod
    @_in_place.sigmoid
    def backward(ctx: Any, grad_a: Tensor) -> Tensor:
        (a,) = ctx.saved_tensors
        return grad_a * _Sigmoid.prime(a)

    pushforward = backward


class Sigmoid(nn.Module):
    """:func:`sigmoid` as a Module."""

    def forward(self, z: Tensor) -> Tensor:
        return sigmoid(z)


def tanh(z: Tensor) -> Tensor:
    r"""$\tanh z = (e^z - e^{-z}) / (e^z + e^{-z})$ $= 2 \sigma(2z) - 1$, in (-1, 1). As ``torch.tanh``."""
    check_floating("z", z)
    return _Tanh.call(z)


def tanh_prime(z: Tensor) -> Tensor:
    r"""$\tanh' z = 1 - \tanh^2 z = 1 - a^2$, where $a = \tanh z$."""
    return _Tanh.prime(tanh(z))


class _Tanh(Function):
    setup_context = staticmethod(save_output)

    @staticmethod
    def forward(z: Tensor) -> Tensor:
        return torch.tanh(z)

    @staticmethod
    @_in_place.tanh_prime_of_a
    def prime(a: Tensor) -> Tensor:
        return (1 - a) * (1 + a)  # = 1 - a^2, which cancels where the unit saturates

    @staticmethod
    @_in_place.tanh
    def backward(ctx: Any, grad_a: Tensor) -> Tensor:
        (a,) = ctx.saved_tensors
        return grad_a * _Tanh.prime(a)

    pushforward = backward


class Tanh(nn.Module):
    """:func:`tanh` as a Module."""

    def forward(self, z: Tensor) -> Tensor:
        return tanh(z)


def hardtanh(z: Tensor, min_val: float = -1.0, max_val: float = 1.0) -> Tensor:
    r"""$f(z) = -1$ if $z < -1$, $z$ if $-1 \le z \le 1$, $1$ if $z > 1$. As ``torch.nn.functional.hardtanh``:
    ``min_val`` and ``max_val`` replace -1 and 1; ValueError unless ``min_val <= max_val``."""
    check_floating("z", z)
    check_number("min_val", min_val)
    check_number("max_val", max_val, at_least=min_val)
    return _Hardtanh.call(z, float(min_val), float(max_val))  # the ONNX exporter fails at bounds of two types


@_in_place.hardtanh_prime
def hardtanh_prime(z: Tensor, min_val: float = -1.0, max_val: float = 1.0) -> Tensor:
    """$f'(z) = 1$ if $-1 < z < 1$, else 0; 0 at the kinks, as in torch."""
    wide = z.to(torch.promote_types(z.dtype, torch.float32))  # half precision may not represent the bounds
    return 1 - ((wide <= min_val) | (wide >= max_val)).to(z.dtype)


class _Hardtanh(Function):
    @staticmethod
    def forward(z: Tensor, min_val: float, max_val: float) -> Tensor:
        return z.clamp(min_val, max_val)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, a: Any) -> None:
        z, ctx.min_val, ctx.max_val = inputs
        save_tensors(ctx, z)

    @staticmethod
    @_in_place.hardtanh
    def backward(ctx: Any, grad_a: Tensor) -> tuple[Tensor, None, None]:
        (z,) = ctx.saved_tensors
        return grad_a * hardtanh_prime(z, ctx.min_val, ctx.max_val), None, None

    @staticmethod
    def pushforward(ctx: Any, dz: Tensor, *_: None) -> Tensor:
        return _Hardtanh.backward(ctx, dz)[0]


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


def softsign(z: Tensor) -> Tensor:
    """$f(z) = z / (1 + |z|)$, in (-1, 1). As ``torch.nn.functional.softsign``."""
    check_floating("z", z)
    return _Softsign.call(z)


def softsign_prime(z: Tensor) -> Tensor:
    r"""$f'(z) = 1 / (1 + |z|)^2 = (1 - |a|)^2$, where $a = f(z)$. The notes print $\mathrm{sgn}(z) / (1 + z)^2$."""
    return _Softsign.prime(1 / (1 + z.abs()))


class _Softsign(Function):
    setup_context = staticmethod(save_inputs)

    @staticmethod
    @_in_place.softsign
    def forward(z: Tensor) -> Tensor:
        return z / (1 + z.abs())

    @staticmethod
    def prime(r: Tensor) -> Tensor:
        return r * r  # r = 1 / (1 + |z|) = 1 - |a|; squaring 1 + |z| instead would overflow float16 at |z| = 256

    @staticmethod
    @_in_place.softsign_backward
    def backward(ctx: Any, grad_a: Tensor) -> Tensor:
        (z,) = ctx.saved_tensors
        return grad_a * softsign_prime(z)

    pushforward = backward


class Softsign(nn.Module):
    """:func:`softsign` as a Module."""

    def forward(self, z: Tensor) -> Tensor:
        return softsign(z)


def relu(z: Tensor) -> Tensor:
    r"""$f(z) = \max(z, 0)$. As ``torch.relu``."""
    check_floating("z", z)
    return _ReLU.call(z)


def relu_prime(z: Tensor) -> Tensor:
    """$f'(z) = 1$ if $z > 0$, else 0; 0 at the kink. Equal to $f'(a)$, where $a = f(z)$: $a > 0$ iff $z > 0$."""
    return 1 - (z <= 0).to(z.dtype)


class _ReLU(Function):
    setup_context = staticmethod(save_output)

    @staticmethod
    def forward(z: Tensor) -> Tensor:
        return z.clamp(min=0)

    @staticmethod
    @_in_place.relu
    def backward(ctx: Any, grad_a: Tensor) -> Tensor:
        (a,) = ctx.saved_tensors
        return grad_a * relu_prime(a)

    pushforward = backward


class ReLU(nn.Module):
    """:func:`relu` as a Module."""

    def forward(self, z: Tensor) -> Tensor:
        return relu(z)


def leaky_relu(z: Tensor, negative_slope: float = 0.01) -> Tensor:
    r"""$f(z) = \max(z, kz)$ with k = ``negative_slope``, $0 < k < 1$; for any other finite k, z if $z > 0$, else $kz$.
    As ``torch.nn.functional.leaky_relu``."""
    check_floating("z", z)
    check_number("negative_slope", negative_slope)
    return _LeakyReLU.call(z, negative_slope)


def leaky_relu_prime(z: Tensor, negative_slope: float = 0.01) -> Tensor:
    """$f'(z) = 1$ if $z > 0$, else k; k at the kink, as in torch."""
    return torch.where(z > 0, torch.ones_like(z), negative_slope)


class _LeakyReLU(Function):
    @staticmethod
    def forward(z: Tensor, negative_slope: float) -> Tensor:
        return nn.functional.leaky_relu(z, negative_slope)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, a: Any) -> None:
        z, ctx.negative_slope = inputs
        save_tensors(ctx, z)

    @staticmethod
    @_in_place.leaky_relu
    def backward(ctx: Any, grad_a: Tensor) -> tuple[Tensor, None]:
        (z,) = ctx.saved_tensors
        return grad_a * leaky_relu_prime(z, ctx.negative_slope), None

    @staticmethod
    def pushforward(ctx: Any, dz: Tensor, *_: None) -> Tensor:
        return _LeakyReLU.backward(ctx, dz)[0]


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


class Unit(NamedTuple):
    """f, f', the Module class, and f' as a function of a = f(z), accurate to an ulp of 1 where f saturates."""

    f: Callable[[Tensor], Tensor]
    f_prime: Callable[[Tensor], Tensor]
    module: type[nn.Module]
    f_prime_of_a: Callable[[Tensor], Tensor]  # f' itself for hard tanh and the ReLUs: a is on z's side of each kink


#: The six units by name.
UNITS: dict[str, Unit] = {
    "sigmoid": Unit(sigmoid, sigmoid_prime, Sigmoid, _Sigmoid.prime),
    "tanh": Unit(tanh, tanh_prime, Tanh, _Tanh.prime),
    "hardtanh": Unit(hardtanh, hardtanh_prime, Hardtanh, hardtanh_prime),
    "softsign": Unit(softsign, softsign_prime, Softsign, lambda a: _Softsign.prime(1 - a.abs())),
    "relu": Unit(relu, relu_prime, ReLU, relu_prime),
    "leaky_relu": Unit(leaky_relu, leaky_relu_prime, LeakyReLU, leaky_relu_prime),
}
for _name in UNITS:
    torch.fx.wrap(_name)  # symbolic tracing of the Modules records a unit as one call


def find_unit(f: Callable[[Tensor], Tensor]) -> Unit:
    """The entry of ``UNITS`` with this f; ValueError if there is none."""
    for unit in UNITS.values():
        if unit.f is f:
            return unit
    raise ValueError(f"f must be one of the units of cs224d_l3, {', '.join(UNITS)}, got {f!r}")
