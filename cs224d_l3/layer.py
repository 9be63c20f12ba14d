"""1.2 A layer: m neurons on the same input x, $z = Wx + b$ and $a = f(z)$; and the word vectors that x is made of."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from ._checks import check_callable, check_indices, check_shapes, check_size
from ._function import Function, autocast, rows, save_tensors
from ._in_place import is_unrecorded
from .units import sigmoid
from .xavier import xavier_uniform_


def affine(x: Tensor, W: Tensor, b: Tensor | None = None) -> Tensor:
    """$z = Wx + b$ for each x of a mini-batch. As ``torch.nn.functional.linear``.

    Args:
        x: inputs, (..., n).
        W: weights, one row per neuron, (m, n).
        b: biases, (m,), or None.

    Returns:
        z, (..., m).

    Raises:
        ValueError: shapes that do not match.
        TypeError: an argument that is not a floating-point tensor.
    """
    check_shapes("... n, m n, m", x=x, W=W, b=b)
    return _Affine.call(*autocast(x, W, b))


class _Affine(Function):
    """The gradients of 1.6, W^T delta for x, delta x^T for W, delta for b, each summed over the mini-batch; x and delta
    are rows here, columns there."""

    @staticmethod
    def forward(x: Tensor, W: Tensor, b: Tensor | None) -> Tensor:
        return nn.functional.linear(x, W, b)  # one kernel: W x + b is rounded once in low precision

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, z: Any) -> None:
        save_tensors(ctx, *inputs[:2])

    @staticmethod
    def backward(ctx: Any, delta: Tensor) -> tuple[Tensor | None, ...]:
        x, W = ctx.saved_tensors
        needs_x, needs_W, needs_b = ctx.needs_input_grad
        return (
            delta @ W if needs_x else None,
            rows(delta).t().mm(rows(x)) if needs_W else None,
            rows(delta).sum(0) if needs_b else None,
        )

    @staticmethod
    def pushforward(ctx: Any, dx: Tensor, dW: Tensor, db: Tensor | None) -> Tensor:
        x, W = ctx.saved_tensors
        return nn.functional.linear(dx, W, db) + nn.functional.linear(x, dW)


class Layer(nn.Module):
    """$a = f(Wx + b)$, initialised with W by Xavier's rule (2.4) and b = 0.

    Args:
        n: inputs.
        m: neurons.
        f: the activation function; None for the linear layer $z = Wx + b$.

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
    """``x = L[indices]``, the word vectors as rows of L. As ``torch.nn.functional.embedding``.

    Args:
        indices: word indices, integers in [0, V), (...).
        L: one vector per word, (V, d).
        sparse: make the gradient of L a sparse COO tensor of the rows that were read.

    Returns:
        x, (..., d).

    Raises:
        IndexError: an index outside [0, V); checked here on the CPU, by torch on a GPU.
        TypeError, ValueError: an L that is not a floating-point matrix, or indices that are not int64 or int32.
    """
    check_shapes("V d", L=L)
    check_indices("indices", indices, L.shape[0], "rows of L")
    return _Embedding.call(indices, L, sparse)


class _Embedding(Function):
    """dJ/dL is dJ/dx accumulated at the rows that were read; duplicate rows are summed."""

    @staticmethod
    def forward(indices: Tensor, L: Tensor, sparse: bool) -> Tensor:
        return nn.functional.embedding(indices, L)  # L[indices] would be a view for a 0-d index

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, x: Any) -> None:
        indices, L, ctx.sparse = inputs
        ctx.shape = L.shape
        save_tensors(ctx, indices)

    @staticmethod
    def backward(ctx: Any, grad_x: Tensor) -> tuple[None, Tensor, None]:
        (indices,) = ctx.saved_tensors
        return None, gradient_of_rows(rows(grad_x), indices.reshape(-1), ctx.shape, ctx.sparse), None

    @staticmethod
    def pushforward(ctx: Any, _: None, dL: Tensor, *__: None) -> Tensor:
        (indices,) = ctx.saved_tensors
        return nn.functional.embedding(indices, dL)


def gradient_of_rows(grad_x: Tensor, words: Tensor, shape: torch.Size, sparse: bool = False) -> Tensor:
    """dJ/dL: the rows of dJ/dx accumulated at their word indices, dense or as an uncoalesced COO tensor."""
    if sparse:
        return torch.sparse_coo_tensor(words[None], grad_x, shape, check_invariants=False)
    dL = grad_x.new_zeros(shape)
    return (dL.index_add_ if is_unrecorded(grad_x) else dL.index_add)(0, words, grad_x)


class WordVectors(nn.Embedding):
    r"""``torch.nn.Embedding`` whose lookup is :func:`embedding`; $L \in \mathbb{R}^{V \times d}$ is ``weight``.

    Takes nn.Embedding's arguments and its ``from_pretrained``, except ``padding_idx``, ``max_norm`` and
    ``scale_grad_by_freq``, which change the gradient and raise ValueError.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.padding_idx is not None or self.max_norm is not None or self.scale_grad_by_freq:
            given = self.padding_idx, self.max_norm, self.scale_grad_by_freq
            raise ValueError(
                f"padding_idx, max_norm and scale_grad_by_freq must be None, None and False, got {given}: "
                "use torch.nn.Embedding"
            )

    def forward(self, input: Tensor) -> Tensor:
        return embedding(input, self.weight, self.sparse)
