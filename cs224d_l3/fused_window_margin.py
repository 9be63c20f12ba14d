"""The whole max-margin step of the window network in one Function: look up, score both windows, hinge, mean.

    x = [L_w1 ... L_wk],    s = U^T f(Wx + b),    J = max(0, margin + s_c - s)

as :mod:`.feed_forward` and :mod:`.max_margin` have it, piece by piece. Taken together, much of it need not be done:

- A corrupt window is the true one with some of its words replaced, most often the one in its centre. The words that
  stay, x_s with the columns W_s of W, are looked up and multiplied once for both; those that vary, x_v with W_v, once
  for each:

      z = b + W_s x_s + W_v x_v.

- A pair that has its margin has the gradient 0 (1.4). It is left out of everything that comes after the hinge.
- The errors delta of the true and delta_c of the corrupt window are those of 1.6, and what stays receives their sum:

      dJ/dW_s = (delta + delta_c) x_s^T,    dJ/dx_s = W_s^T (delta + delta_c),    dJ/db = delta + delta_c.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from ._checks import check_indices, check_number, check_reduction, check_shapes
from ._function import Function, autocast, rows
from ._in_place import is_last
from ._torch import is_transformed
from .layer import affine, embedding, gradient_of_rows
from .max_margin import max_margin_loss
from .units import Unit, find_unit, sigmoid


def window_margin_loss(
    windows: Tensor,
    corrupted: Tensor,
    L: Tensor,
    W: Tensor,
    b: Tensor,
    U: Tensor,
    f: Callable[[Tensor], Tensor] = sigmoid,
    margin: float = 1.0,
    reduction: str = "mean",
    *,
    features: Tensor | None = None,
    corrupted_features: Tensor | None = None,
    C: Tensor | None = None,
    dropout: float = 0.0,
    sparse: bool = False,
) -> Tensor:
    """``max_margin_loss(score(x, W, b, U, f), score(x_c, W, b, U, f))`` of x = L[windows] and x_c = L[corrupted].

    The backward pass costs as much as there are pairs without their margin, and both passes the less, the fewer
    neighbouring columns of the windows differ. Second-order gradients, forward mode, ``torch.func`` and
    ``torch.compile`` go through the composition.

    Args:
        windows: words of the true windows, (..., k).
        corrupted: words of the corrupt ones, (..., k).
        L: word vectors, (V, d).
        W: hidden weights, (m, k d), or (m, k (d + c)) with features.
        b: hidden biases, (m,).
        U: output weights, (1, m).
        f: the hidden units, one of the six of ``UNITS``.
        margin: by how much the true window must win, at least 0.
        reduction: "mean" or "sum" over the pairs, or "none".
        features: a second index of every word of the true windows, how it is capitalised say, (..., k).
        corrupted_features: the same of the corrupt windows, (..., k).
        C: the features' vectors, which follow the words', (F, c).
        dropout: the share of x and x_c that is set to 0, the rest being divided by 1 - dropout; the same of both in
            the columns that no pair of the batch differs in, which are looked up once. Traced, each has its own.
        sparse: the gradient of L as a sparse tensor of the rows that are in pairs without their margin.

    Returns:
        J, (), or (...) for "none".

    Raises:
        ValueError: shapes that do not fit, a unit that is none of the six, a negative margin, an unknown reduction,
            features without C or C without features, a dropout that is not in [0, 1).
        IndexError: a word outside 0 to V - 1, or a feature outside 0 to F - 1.
        TypeError: parameters that are not floating-point tensors, words that are no whole numbers.
    """
    check_shapes("V d, m n, m, 1 m, F c", L=L, W=W, b=b, U=U, C=C)
    check_number("margin", margin, at_least=0)
    check_number("dropout", dropout, at_least=0, below=1)
    check_reduction(reduction)
    unit = find_unit(f)
    indices = {"windows": windows, "corrupted": corrupted}
    if C is not None:
        indices |= {"features": features, "corrupted_features": corrupted_features}  # type: ignore[dict-item]
    elif features is not None or corrupted_features is not None:
        raise ValueError("C must be given where features are, got None")
    _check_windows(indices, L, W, C)
    if is_transformed():
        x, x_c = (
            torch.cat([embedding(w, L, sparse), *([] if C is None else [embedding(c, C)])], -1)  # type: ignore[arg-type]
            for w, c in ((windows, features), (corrupted, corrupted_features))
        )
        s, s_c = (affine(f(affine(nn.functional.dropout(t.flatten(-2), dropout), W, b)), U) for t in (x, x_c))
        return max_margin_loss(s.squeeze(-1), s_c.squeeze(-1), margin, reduction)
    words = [rows(i) for i in indices.values()]
    count = len(words[0]) if reduction == "mean" else None if reduction == "none" else 1
    try:
        J, *_ = _WindowMargin.call(words, L, C, *autocast(W, b, U), unit, margin, dropout, count, sparse)
    except IndexError:
        for name, given in indices.items():
            of = "C" if C is not None and name.endswith("features") else "L"
            check_indices(name, given, len(C if of == "C" else L), f"rows of {of}")  # type: ignore[arg-type]
        raise
    if reduction == "none":
        return J.reshape(windows.shape[:-1])
    return J if torch.is_autocast_enabled(L.device.type) else J.to(L.dtype)


def _check_windows(indices: dict[str, Tensor], L: Tensor, W: Tensor, C: Tensor | None) -> None:
    """Indices of one shape, (..., k), with W's columns for k words."""
    for name, given in indices.items():
        check_indices(name, given)
        if given.shape != indices["windows"].shape:
            raise ValueError(
                f"{name} must have the shape of windows, {tuple(indices['windows'].shape)}, got {tuple(given.shape)}"
            )
    shape, d = indices["windows"].shape, L.shape[1] + (0 if C is None else C.shape[1])
    if not shape or shape[-1] * d != W.shape[1]:
        raise ValueError(
            f"W must have {shape[-1:].numel()} x {d} columns, a vector for every word of a window, got {W.shape[1]}"
        )


class _WindowMargin(Function):
    """X holds the vectors of the words that stay, one below the other; then those that vary, of the true windows and
    of the corrupt ones: all between the first and the last column that differ."""

    @staticmethod
    def forward(
        words: list[Tensor],
        L: Tensor,
        C: Tensor | None,
        W: Tensor,
        b: Tensor,
        U: Tensor,
        unit: Unit,
        margin: float,
        dropout: float,
        count: int | None,
        sparse: bool,
    ) -> tuple[Any, ...]:
        windows, corrupted, *features = words
        B = len(windows)
        differ = windows != corrupted if not features else (windows != corrupted) | (features[0] != features[1])
        columns = [i for i, differs in enumerate(differ.any(0).tolist()) if differs] or [0, -1]
        varied = slice(columns[0], columns[-1] + 1)
        read = [
            torch.cat([*(t.reshape(-1) for t in (_others(true, varied), true[:, varied], other[:, varied]))]).long()
            for true, other in zip(words[::2], words[1::2], strict=True)
        ]
        X = _look_up(read, L, C).to(W.dtype)
        keep = torch.empty_like(X).bernoulli_(1 - dropout).div_(1 - dropout) if dropout else None
        X = X if keep is None else X.mul_(keep)
        (x_s, x_v), (W_s, W_v) = _split(X, B, W.shape[1], varied), _columns(W, X, varied)
        z = W.new_empty(2, B, len(W))
        torch.addmm(b, x_s, W_s.mT, out=z[0])
        z[1] = z[0]
        z.view(2 * B, len(W)).addmm_(x_v, W_v.mT)
        a = unit.f(z)
        s, s_c = autocast(*a @ U[0], to=torch.float32)
        J = margin - (s - s_c)
        pairs = (J < 0).logical_not().nonzero().squeeze(1)  # what is no number is not in order
        if len(pairs) < B:  # what has its margin is let go
            w = varied.stop - varied.start
            place = torch.arange(len(X), device=X.device).split([len(X) - 2 * B * w, B * w, B * w])
            kept = torch.cat([part.view(B, -1)[pairs].view(-1) for part in place if len(part)])
            X, *read = (t.index_select(0, kept) for t in (X, *read))
            keep = keep if keep is None else keep.index_select(0, kept)
            a = a.index_select(1, pairs)
        J = J.clamp_(min=0)
        if count is not None:
            J = J.sum(dtype=torch.promote_types(J.dtype, torch.float32)) / count
        return J, pairs, keep, X, a, varied, *read

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, outputs: Any) -> None:
        _, L, C, W, b, U, ctx.unit, _, _, ctx.count, ctx.sparse = inputs
        _, pairs, keep, X, a, ctx.varied, *read = outputs
        made = [t for t in (pairs, X, a, *read, keep) if t is not None]
        ctx.mark_non_differentiable(*made)
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(L, C, W, b, U, pairs, keep, X, a, *read)

    @staticmethod
    def backward(ctx: Any, error: Tensor | None, *_: Any) -> tuple[Tensor | None, ...]:
        if error is None:
            return (None,) * 11
        L, C, W, b, U, pairs, keep, X, a, *read = ctx.saved_tensors
        P, last = len(pairs), is_last(L, W, b, U, error)
        if not last:  # somebody differentiates on: what was kept is no function of L, C, W and b for autograd
            X = _look_up(read, L, C).to(W.dtype)
            X = X if keep is None else X * keep
        (x_s, x_v), (W_s, W_v) = _split(X, P, W.shape[1], ctx.varied), _columns(W, X, ctx.varied)
        if not last:
            a = ctx.unit.f(affine(x_s, W_s, b) + (x_v @ W_v.mT).view(2, P, len(W)))
        c = (error[pairs] if ctx.count is None else error.reshape(1) / ctx.count).to(a.dtype)
        delta_s = c[:, None] * c.new_tensor([-1, 1])[:, None, None]  # of the true window's score, and of the corrupt's
        delta = ctx.unit.f_prime_of_a(a) * (delta_s * U)
        both, delta = delta[0] + delta[1], delta.view(2 * P, len(W))
        _, L_, C_, W_, b_, U_, *rest = ctx.needs_input_grad
        dL = dC = dW = None
        if L_ or C_:
            if last:  # the two products side by side in memory from the start
                dX = torch.empty_like(X)
                dx_s, dx_v = _split(dX, P, W.shape[1], ctx.varied)
                torch.mm(both, W_s, out=dx_s)
                torch.mm(delta, W_v, out=dx_v)
            else:
                dX = torch.cat([dx.view(-1, X.shape[1]) for dx in (both @ W_s, delta @ W_v)])
            dX = (dX if keep is None else dX * keep).to(L.dtype)
            d = L.shape[1]
            if L_:
                dL = gradient_of_rows(dX[:, :d].contiguous(), read[0], L.shape, ctx.sparse and last)
            if C_:
                dC = gradient_of_rows(dX[:, d:], read[1], C.shape)
        if W_:
            dW_s, start = both.mT @ x_s, ctx.varied.start * X.shape[1]
            dW = torch.cat([dW_s[:, :start], delta.mT @ x_v, dW_s[:, start:]], 1)
        dU = delta_s.expand(2, P, 1).reshape(1, 2 * P) @ a.view(2 * P, len(W)) if U_ else None
        return None, dL, dC, dW, both.sum(0) if b_ else None, dU, *(None for _ in rest)


def _look_up(read: list[Tensor], L: Tensor, C: Tensor | None) -> Tensor:
    """[L_w, C_c] of every word w and its feature c."""
    X = L.index_select(0, read[0])
    return X if C is None else torch.cat([X, C.index_select(0, read[1])], 1)


def _columns(W: Tensor, X: Tensor, varied: slice) -> tuple[Tensor, Tensor]:
    """W_s and W_v."""
    v = slice(varied.start * X.shape[1], varied.stop * X.shape[1])
    return _others(W, v), W[:, v]


def _others(t: Tensor, columns: slice) -> Tensor:
    """All columns but these."""
    return torch.cat([t[:, : columns.start], t[:, columns.stop :]], 1)


def _split(X: Tensor, B: int, n: int, varied: slice) -> tuple[Tensor, Tensor]:
    """x_s (B, n - v); and x_v (2 B, v), the true windows' above the corrupt ones'."""
    w = varied.stop - varied.start
    x_s, x_v = X.split([len(X) - 2 * B * w, 2 * B * w])
    v = w * X.shape[1]
    return x_s.view(B, n - v), x_v.view(2 * B, v)
