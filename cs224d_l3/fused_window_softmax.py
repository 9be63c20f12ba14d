r"""The softmax step of the window network as one Function: lookup, dropout with the mask m, both layers, loss.

$$x = [L_{w_1} \ldots L_{w_k}] \circ m, \qquad a = f(Wx + b), \qquad z = Ua + c, \qquad
p = \operatorname{softmax}(z), \qquad J = -\log p_t$$

With q the one-hot target t, and the errors of 1.6,

$$\delta_z = \frac{\partial J}{\partial z} = p - q, \qquad \delta = f'(Wx + b) \circ U^T \delta_z$$

$$\frac{\partial J}{\partial U} = \delta_z a^T, \qquad \frac{\partial J}{\partial c} = \delta_z, \qquad
\frac{\partial J}{\partial W} = \delta x^T, \qquad \frac{\partial J}{\partial b} = \delta$$

$$\frac{\partial J}{\partial [L_{w_1} \ldots L_{w_k}]} = W^T \delta \circ m$$
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from . import _in_place
from ._checks import check_indices, check_number, check_reduction, check_shapes
from ._dropout import dropout as drop
from ._dropout import dropout_mask
from ._function import Function, autocast
from ._in_place import is_unrecorded
from ._torch import is_transformed
from ._window_input import check_range, check_windows, embed, error_of_unit, gradients_of_tables, look_up
from .layer import affine
from .softmax import one_hot, softmax_cross_entropy
from .units import Unit, find_unit, tanh
from .windows import Features, each_feature

_NAMES = ("windows", "features")


def window_softmax_loss(
    windows: Tensor,
    target: Tensor,
    L: Tensor,
    W: Tensor,
    b: Tensor,
    U: Tensor,
    c: Tensor,
    f: Callable[[Tensor], Tensor] = tanh,
    reduction: str = "mean",
    *,
    features: Features = None,
    C: Features = None,
    dropout: float = 0.0,
    sparse: bool = False,
) -> Tensor:
    """``softmax_cross_entropy(affine(f(affine(x, W, b)), U, c), target)`` with x = L[windows].

    Under ``create_graph=True`` the backward pass recomputes x, a and p; forward mode, ``torch.func`` and
    ``torch.compile`` use the composition.

    Args:
        windows: word indices, (..., k).
        target: class indices, integers in [0, K), (...).
        L: word vectors, (V, d).
        W: hidden weights, (m, k d), or (m, k (d + c)) with features of c dimensions, those of several added up.
        b: hidden biases, (m,).
        U: output weights, (K, m).
        c: output biases, (K,).
        f: the activation function, one of ``UNITS``.
        reduction: "mean" or "sum" over the windows, or "none".
        features: a feature index for each word, such as its capitalisation, (..., k); or a sequence of them.
        C: feature vectors, appended to the word vectors, (F, c); or a sequence of them, one table a feature.
        dropout: dropout probability of x.
        sparse: make the gradient of L a sparse COO tensor of the rows that were read.

    Returns:
        J in nats, (), or (...) for "none".

    Raises:
        ValueError: shapes that do not match, an f that is not in ``UNITS``, an unknown reduction, features and C of
            unequal number, a dropout that is not in [0, 1).
        IndexError: a word outside [0, V), a feature outside [0, F), or a target outside [0, K).
        TypeError: parameters that are not floating-point tensors, indices that are not int64 or int32.
    """
    tables, indices = (L, *each_feature(C)), (windows, *each_feature(features))
    check_shapes("V d, m n, m, K m, K", L=L, W=W, b=b, U=U, c=c)
    check_number("dropout", dropout, at_least=0, below=1)
    check_reduction(reduction)
    unit = find_unit(f)
    check_windows(_NAMES, indices, W, tables)
    if is_transformed():
        z = affine(f(affine(drop(embed(indices, tables, sparse), dropout), W, b)), U, c)
        return softmax_cross_entropy(z.to(torch.promote_types(z.dtype, torch.float32)), target, reduction).to(z.dtype)
    if target.shape != windows.shape[:-1]:
        expected, given = tuple(windows.shape[:-1]), tuple(target.shape)
        raise ValueError(f"target must have the shape of windows without its last dimension, {expected}, got {given}")
    check_indices("target", target)
    divisor = target.numel() if reduction == "mean" else None if reduction == "none" else 1
    flat = [i.reshape(-1).long() for i in indices]
    settings = _Settings(unit, dropout, divisor, sparse)
    try:
        J, *_ = _WindowSoftmax.call(*autocast(W, b, U, c), target.reshape(-1).long(), flat, settings, *tables)
    except (IndexError, RuntimeError):
        check_range(_NAMES, indices, tables)
        check_indices("target", target, len(U), "classes of z")
        raise
    J = J.reshape(target.shape) if reduction == "none" else J
    return J if torch.is_autocast_enabled(L.device.type) else J.to(L.dtype)


class _Settings(NamedTuple):
    unit: Unit
    dropout: float
    divisor: int | None  # J = sum of the losses / divisor; None for no reduction
    sparse: bool


class _WindowSoftmax(Function):
    @staticmethod
    def forward(
        W: Tensor,
        b: Tensor,
        U: Tensor,
        c: Tensor,
        target: Tensor,
        indices: list[Tensor],
        settings: _Settings,
        *tables: Tensor,
    ) -> tuple[Any, ...]:
        unit, dropout, divisor, _ = settings
        x = look_up(indices, tables).to(W.dtype).view(len(target), W.shape[1])
        m = dropout_mask(x, dropout) if dropout else None
        x = x if m is None else x.mul_(m)
        a = unit.f(torch.addmm(b, x, W.mT))
        z = torch.addmm(c, a, U.mT)
        log_p = z.log_softmax(-1, dtype=torch.promote_types(z.dtype, torch.float32))
        J = -log_p.gather(1, target[:, None]).squeeze(1)
        return J if divisor is None else J.sum() / divisor, m, x, a, log_p.exp_()

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, outputs: Any) -> None:
        *parameters, target, ctx.indices, ctx.settings = inputs[:7]
        ctx.mark_non_differentiable(*(t for t in outputs[1:] if t is not None))
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(*parameters, target, *outputs[1:], *inputs[7:])

    @staticmethod
    def backward(ctx: Any, grad_J: Tensor | None, *_: Any) -> tuple[Tensor | None, ...]:
        if grad_J is None:
            return (None,) * len(ctx.needs_input_grad)
        W, b, U, c, target, m, x, a, p, *tables = ctx.saved_tensors
        unit, _, divisor, sparse = ctx.settings
        is_final = is_unrecorded(W, b, U, c, grad_J, *tables)
        if not is_final:  # create_graph=True: recompute, saved activations are detached
            x, a, p = _WindowSoftmax.recompute(ctx)
        grad = grad_J[:, None] if divisor is None else grad_J / divisor
        delta_z = (_error(p, target) * grad).to(a.dtype)
        delta = error_of_unit(unit, a, delta_z @ U)

        needs_W, needs_b, needs_U, needs_c, _, _, _, *needs = ctx.needs_input_grad
        dW = delta.mT @ x if needs_W else None
        db = delta.sum(0) if needs_b else None
        dU = delta_z.mT @ a if needs_U else None
        dc = delta_z.sum(0) if needs_c else None
        d_tables: list[Tensor | None] = [None] * len(tables)
        if any(needs):
            dx = delta @ W
            dx = dx if m is None else dx.mul_(m) if is_final else dx * m
            dX = dx.view(len(ctx.indices[0]), sum(t.shape[1] for t in tables))
            d_tables = gradients_of_tables(dX, ctx.indices, tables, needs, sparse)
        return dW, db, dU, dc, None, None, None, *d_tables

    @staticmethod
    def recompute(ctx: Any) -> tuple[Tensor, Tensor, Tensor]:
        """x, a and p as differentiable functions of the tables and of both layers."""
        W, b, U, c, target, m, *_ = ctx.saved_tensors
        tables = ctx.saved_tensors[9:]
        x = look_up(ctx.indices, tables).to(W.dtype).view(len(target), W.shape[1])
        x = x if m is None else x * m
        a = ctx.settings.unit.f(affine(x, W, b))
        z = affine(a, U, c)
        return x, a, z.softmax(-1, dtype=torch.promote_types(z.dtype, torch.float32))


@_in_place.softmax_error
def _error(p: Tensor, target: Tensor) -> Tensor:
    """p - q."""
    return p - one_hot(target, p)
