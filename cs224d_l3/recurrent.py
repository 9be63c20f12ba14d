"""The Elman recurrent layer, and backpropagation through time.

Elman, Finding structure in time, 1990. Unrolled over T steps the layer is the feed-forward network of the notes with
shared weights; backpropagation through time is section 1.6 on it, with each weight gradient summed over the steps.
"""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from ._checks import check_number, check_shapes, check_size
from ._function import Function, autocast, rows, save_tensors
from .units import Unit, find_unit, tanh
from .xavier import xavier_uniform_


def elman(
    x: Tensor,
    W: Tensor,
    H: Tensor,
    b: Tensor,
    a_0: Tensor | None = None,
    f: Callable[[Tensor], Tensor] = tanh,
    clip: float = math.inf,
) -> Tensor:
    r"""$a_t = f(W x_t + H a_{t-1} + b)$ for $t = 1 \ldots T$. As ``torch.nn.RNN`` with one bias.

    Args:
        x: input sequences, (..., T, n), T at least 1.
        W: input weights, (m, n).
        H: recurrent weights, (m, m).
        b: biases, (m,).
        a_0: initial state, (..., m); zeros by default.
        f: the activation function, one of ``UNITS``.
        clip: clips each element of $H^T \delta$ to [-clip, clip] at every step back in time, a_0 included
            (Mikolov, Statistical language models based on neural networks, 2012, section 3.2.2). Where it clips,
            the result is not the gradient of J. Forward mode does not clip.

    Returns:
        a, all states, (..., T, m). The last, ``a[..., -1, :]``, is the a_0 of the next segment of a text; detached,
        it truncates backpropagation to the segment.

    Raises:
        ValueError: shapes that do not match, T = 0, an f that is not in ``UNITS``, or a clip that is not above 0.
        TypeError: an argument that is not a floating-point tensor.
    """
    check_shapes("... T n, m n, m m, m, ... m", x=x, W=W, H=H, b=b, a_0=a_0)
    *batch, T, n = x.shape
    if T == 0:
        raise ValueError(f"x must have shape (..., T, n) with at least one step, got {tuple(x.shape)}")
    a_0 = x.new_zeros(*batch, len(b)) if a_0 is None else a_0
    if a_0.shape[:-1] != x.shape[:-2]:
        raise ValueError(f"a_0 must have shape {(*batch, len(b))}, the batch of x and m, got {tuple(a_0.shape)}")
    unit = find_unit(f)
    check_clip(clip)
    x, W, H, b, a_0 = autocast(x.reshape(math.prod(batch), T, n), W, H, b, rows(a_0))
    a = _Elman.call(x, W, H, b, a_0, unit, clip)
    return a.reshape(*batch, T, len(b))


class _Elman(Function):
    """Backpropagation through time: delta_t = f'(z_t) o (dJ/da_t + H^T delta_(t+1)).

    f' is computed from a_t, so that no z_t is saved.
    """

    @staticmethod
    def forward(x: Tensor, W: Tensor, H: Tensor, b: Tensor, a_0: Tensor, unit: Unit, clip: float) -> Tensor:
        a = [a_0]
        for z_t in nn.functional.linear(x, W, b).unbind(1):
            a.append(unit.f(torch.addmm(z_t, a[-1], H.mT)))
        return torch.stack(a[1:], 1)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, a: Any) -> None:
        x, W, H, _, a_0, ctx.unit, ctx.clip = inputs
        save_tensors(ctx, x, W, H, a_0, a)

    @staticmethod
    def backward(ctx: Any, grad_a: Tensor) -> tuple[Tensor | None, ...]:
        x, W, H, a_0, a = ctx.saved_tensors
        f_prime = ctx.unit.f_prime_of_a(a)
        delta: list[Tensor] = []
        back = torch.zeros_like(a_0)  # H^T delta_(t+1)
        for t in reversed(range(a.shape[1])):
            delta.insert(0, f_prime[:, t] * (grad_a[:, t] + back))
            back = delta[0] @ H if ctx.clip == math.inf else (delta[0] @ H).clamp(-ctx.clip, ctx.clip)
        deltas = torch.stack(delta, 1)
        needs_x, needs_W, needs_H, needs_b, needs_a_0, *_ = ctx.needs_input_grad
        return (
            deltas @ W if needs_x else None,
            rows(deltas).mT @ rows(x) if needs_W else None,
            rows(deltas).mT @ rows(_Elman.before(a_0, a)) if needs_H else None,
            rows(deltas).sum(0) if needs_b else None,
            back if needs_a_0 else None,
            None,
            None,
        )

    @staticmethod
    def pushforward(ctx: Any, dx: Tensor, dW: Tensor, dH: Tensor, db: Tensor, da_0: Tensor, *_: None) -> Tensor:
        x, W, H, a_0, a = ctx.saved_tensors
        f_prime = ctx.unit.f_prime_of_a(a)
        dz = nn.functional.linear(dx, W, db) + nn.functional.linear(x, dW)
        dz = dz + nn.functional.linear(_Elman.before(a_0, a), dH)
        da = [da_0]
        for t in range(a.shape[1]):
            da.append(f_prime[:, t] * torch.addmm(dz[:, t], da[-1], H.mT))
        return torch.stack(da[1:], 1)

    @staticmethod
    def before(a_0: Tensor, a: Tensor) -> Tensor:
        """a_(t-1) for t = 1 ... T."""
        return torch.cat([a_0[:, None], a[:, :-1]], 1)


def check_clip(clip: float) -> None:
    """A number above 0; infinity for no clipping."""
    if clip != math.inf:
        check_number("clip", clip, above=0)


class Elman(nn.Module):
    r""":func:`elman` as a Module: W by Xavier's rule (2.4), b = 0, and an orthogonal H, which preserves norms.

    Args:
        n: inputs.
        m: units.
        f: the activation function, one of ``UNITS``.
        clip: limit of each element of $H^T \delta$, as in :func:`elman`.

    Attributes:
        W: (m, n).
        H: (m, m).
        b: (m,).
    """

    def __init__(self, n: int, m: int, f: Callable[[Tensor], Tensor] = tanh, *, clip: float = math.inf) -> None:
        super().__init__()
        check_size("n", n)
        check_size("m", m)
        find_unit(f)
        check_clip(clip)
        self.f, self.clip = f, clip
        self.W = nn.Parameter(xavier_uniform_(torch.empty(m, n)))
        self.H = nn.Parameter(nn.init.orthogonal_(torch.empty(m, m)))
        self.b = nn.Parameter(torch.zeros(m))

    def forward(self, x: Tensor, a_0: Tensor | None = None, clip: float | None = None) -> Tensor:
        """Inputs (..., T, n) and initial state (..., m) to states (..., T, m); ``clip`` overrides the layer's."""
        return elman(x, self.W, self.H, self.b, a_0, self.f, self.clip if clip is None else clip)

    def extra_repr(self) -> str:
        m, n = self.W.shape
        return f"n={n}, m={m}, f={getattr(self.f, '__name__', self.f)}, clip={self.clip}"
