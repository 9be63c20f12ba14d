r"""2.2 L2 regularisation: a penalty on large weights, biases excluded.

$$J_R = J + \lambda \sum_i \lVert W^{(i)} \rVert_F^2$$
"""

import functools
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from ._checks import check_floating, check_number
from ._function import Function, save_inputs
from ._parameters import Roles, parameter_roles


def l2_penalty(weights: Iterable[Tensor], lam: float) -> Tensor:
    r"""$\lambda \sum_i \lVert W^{(i)} \rVert_F^2$, the term added to J. The notes print the norm without the square.

    Args:
        weights: the matrices $W^{(i)}$, tensors of any shapes; those of a model are :func:`weight_matrices`.
        lam: $\lambda$, at least 0.

    Returns:
        the penalty, (). Its gradient is $2 \lambda W^{(i)}$.

    Raises:
        ValueError: no weights, or a lambda that is negative or not finite.
        TypeError: weights that are not floating-point tensors.
    """
    check_number("lam", lam, at_least=0)
    weights = [weights] if isinstance(weights, Tensor) else list(weights)
    if not weights:
        raise ValueError("weights must hold at least one tensor, got none")
    for i, W in enumerate(weights):
        check_floating(f"weights[{i}]", W)
    return lam * functools.reduce(torch.add, [_SquaredNorm.call(W) for W in weights])


class _SquaredNorm(Function):
    """||W||_F^2 = sum_ij W_ij^2."""

    setup_context = staticmethod(save_inputs)

    @staticmethod
    def forward(W: Tensor) -> Tensor:
        return (W * W).sum()

    @staticmethod
    def backward(ctx: Any, grad_norm: Tensor) -> Tensor:
        (W,) = ctx.saved_tensors
        return grad_norm * 2 * W

    @staticmethod
    def pushforward(ctx: Any, dW: Tensor) -> Tensor:
        (W,) = ctx.saved_tensors
        return 2 * (W * dW).sum()


def weight_matrices(module: nn.Module, roles: Roles | None = None) -> list[nn.Parameter]:
    """The weights of a module and its submodules, each once: matrices and kernels between inputs and outputs.

    Biases are excluded, as in the notes, and so are word vectors, which are inputs, the scales of normalisations, and
    parameters that are not known to be weights.

    Args:
        module: its parameters' roles follow from the layers that hold them; those that
            :func:`~cs224d_l3.xavier.init_xavier` reports as "unknown" are left out.
        roles: roles by name, for these: ``{"adapter": "weight", "*.gamma": "scale"}``.

    Raises:
        ValueError: lazy layers that have no shapes yet, or roles that do not fit.
    """
    return [theta for theta, role in parameter_roles(module, roles).items() if role.kind == "weight"]
