"""1.2 A layer: m neurons that read the same x, z = Wx + b and a = f(z); and the word vectors that make x."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from ._checks import check_callable, check_indices, check_shapes, check_size
from ._function import Function, autocast, keep, rows
from ._in_place import is_last
from .units import sigmoid
from .xavier import xavier_uniform_


def affine(x: Tensor, W: Tensor, b: Tensor | None = None) -> Tensor:
    """z = Wx + b for every x of a batch. As ``torch.nn.functional.linear``.

    Args:
        x: inputs, (..., n).
        W: weights, one row a neuron, (m, n).
        b: biases, (m,), or None.

    Returns:
        z, (..., m).

    Raises:
        ValueError: the shapes do not fit.
        TypeError: an argument is not a floating-point tensor.
    """
    check_shapes("... n, m n, m", x=x, W=W, b=b)
    return _Affine.call(*autocast(x, W, b))


class _Affine(Function):
    """The gradients are those of 1.6, summed over the batch: delta x^T for W, delta for b, W^T delta for x."""

    @staticmethod
    def forward(x: Tensor, W: Tensor, b: Tensor | None) -> Tensor:
        return nn.functional.linear(x, W, b)  # W x + b in one kernel: rounded once in low precision

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, z: Any) -> None:
        keep(ctx, *inputs[:2])

    @staticmethod
    def backward(ctx: Any, delta: Tensor) -> tuple[Tensor | None, ...]:
        x, W = ctx.saved_tensors
        x_, W_, b_ = ctx.needs_input_grad
        return (
            delta @ W if x_ else None,
            rows(delta).t().mm(rows(x)) if W_ else None,
            rows(delta).sum(0) if b_ else None,
        )

    @staticmethod
    def pushforward(ctx: Any, dx: Tensor, dW: Tensor, db: Tensor | None) -> Tensor:
        x, W = ctx.saved_tensors
        return nn.functional.linear(dx, W, db) + nn.functional.linear(x, dW)


class Layer(nn.Module):
    """a = f(Wx + b), with W drawn by Xavier's rule (2.4) and b = 0.

    Args:
        n: inputs.
        m: neurons.
        f: the unit; None leaves z = Wx + b as it is.

    Attributes:
        W: (m, n).
        b: (m,).
    """

    def __init__(
        self,
        n: int,
        m: int,
        f: Callable[[Tensor], Tensor] | None = sigmoid,
        *,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        check_size("n", n)
        check_size("m", m)
        if f is not None:
            check_callable("f", f)
        self.f = f
        self.W = nn.Parameter(xavier_uniform_(torch.empty(m, n, device=device, dtype=dtype)))
        self.b = nn.Parameter(torch.zeros(m, device=device, dtype=dtype))

    def forward(self, x: Tensor) -> Tensor:
        z = affine(x, self.W, self.b)
        return z if self.f is None else self.f(z)

    def extra_repr(self) -> str:
        m, n = self.W.shape
        return f"n={n}, m={m}, f={getattr(self.f, '__name__', self.f)}"


def embedding(indices: Tensor, L: Tensor, sparse: bool = False) -> Tensor:
    """The rows of L that the indices name: the vectors of words. As ``torch.nn.functional.embedding``.

    Args:
        indices: words, whole numbers below V, (...).
        L: one vector a word, (V, d).
        sparse: the gradient of L is a sparse tensor that holds the rows of these words alone.

    Returns:
        vectors, (..., d).

    Raises:
        IndexError: an index is outside 0 to V - 1 (looked at on the CPU; a GPU reports it by itself).
        TypeError, ValueError: L is not a floating-point matrix, or the indices are not whole numbers.
    """
    check_shapes("V d", L=L)
    check_indices("indices", indices, L.shape[0], "rows of L")
    return _Embedding.call(indices, L, sparse)


class _Embedding(Function):
    """A vector of L receives dJ/dx of the place that read it; one that was read twice, the sum of both."""

    @staticmethod
    def forward(indices: Tensor, L: Tensor, sparse: bool) -> Tensor:
        return nn.functional.embedding(indices, L)  # L[indices], which for a single index would be a view of L

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, x: Any) -> None:
        indices, L, ctx.sparse = inputs
        ctx.shape = L.shape
        keep(ctx, indices)

    @staticmethod
    def backward(ctx: Any, grad_x: Tensor) -> tuple[None, Tensor, None]:
        (indices,) = ctx.saved_tensors
        return None, gradient_of_rows(rows(grad_x), indices.reshape(-1), ctx.shape, ctx.sparse), None

    @staticmethod
    def pushforward(ctx: Any, _: None, dL: Tensor, *__: None) -> Tensor:
        (indices,) = ctx.saved_tensors
        return nn.functional.embedding(indices, dL)


def gradient_of_rows(grad_x: Tensor, words: Tensor, shape: torch.Size, sparse: bool = False) -> Tensor:
    """dJ/dL, of this shape, from the rows dJ/dx of the words that were looked up."""
    if sparse:
        return torch.sparse_coo_tensor(words[None], grad_x, shape, check_invariants=False)
    dL = grad_x.new_zeros(shape)
    return (dL.index_add_ if is_last(grad_x) else dL.index_add)(0, words, grad_x)


class WordVectors(nn.Embedding):
    """``torch.nn.Embedding`` whose lookup is :func:`embedding`: L in R^(V x d), kept as ``weight``.

    Takes nn.Embedding's arguments and its ``from_pretrained``, save ``padding_idx``, ``max_norm`` and
    ``scale_grad_by_freq``, which change the gradient: they raise ValueError.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.padding_idx is not None or self.max_norm is not None or self.scale_grad_by_freq:
            raise ValueError("WordVectors has no padding_idx, max_norm or scale_grad_by_freq: use torch.nn.Embedding")

    def forward(self, input: Tensor) -> Tensor:
        return embedding(input, self.weight, self.sparse)
