"""1.3 The feed-forward window network: $s = U^T f(Wx + b)$, and the same network with a softmax over tags."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ._checks import check_callable, check_number, check_shapes, check_size
from ._dropout import dropout
from .fused_window_margin import window_margin_loss
from .fused_window_softmax import window_softmax_loss
from .layer import Layer, WordVectors, affine
from .max_margin import max_margin_loss
from .softmax import softmax_cross_entropy
from .units import UNITS, sigmoid, tanh
from .windows import Features, check_odd, each_feature
from .xavier import xavier_uniform_


def score(x: Tensor, W: Tensor, b: Tensor, U: Tensor, f: Callable[[Tensor], Tensor] = sigmoid) -> Tensor:
    r"""$s = U^T a$ with $a = f(Wx + b)$, one score per window.

    "Museums in Paris are amazing", five words of 4 dimensions, gives $x \in \mathbb{R}^{20}$; with 8 hidden units
    $W \in \mathbb{R}^{8 \times 20}$, $b \in \mathbb{R}^8$ and $U \in \mathbb{R}^8$, one score.

    Args:
        x: concatenated word vectors of the window, (..., n).
        W: hidden weights, (m, n).
        b: hidden biases, (m,).
        U: output weights as a row, (1, m), the $W^{(2)}$ of section 1.5.
        f: the activation function.

    Returns:
        s, (...).

    Raises:
        ValueError: shapes that do not match.
        TypeError: an argument that is not a floating-point tensor, or an f that is not callable.
    """
    check_shapes("... n, m n, m, 1 m", x=x, W=W, b=b, U=U)
    check_callable("f", f)
    return affine(f(affine(x, W, b)), U).squeeze(-1)


class WindowInput(nn.Module):
    r"""$x = [L_{w_1} \ldots L_{w_k}]$: the concatenated word vectors of a window.

    Args:
        num_words: V, the size of the vocabulary.
        d: dimension of a word vector.
        size: words in a window.
        num_features: number of values of an additional word feature, such as capitalisation, or of each of several;
            0 for none.
        d_features: dimension of the feature vectors, which are appended to the word vector.
        dropout: dropout probability of x.
        sparse: make the gradient of L a sparse COO tensor.

    Attributes:
        L: the word vectors, ``L.weight`` (V, d).
        C: the vectors of each feature, ``C[i].weight`` (num_features[i], d_features).
        n: dimension of x.
    """

    def __init__(
        self,
        num_words: int,
        d: int = 4,
        size: int = 5,
        *,
        num_features: int | Sequence[int] = 0,
        d_features: int = 5,
        dropout: float = 0.0,
        sparse: bool = False,
    ) -> None:
        super().__init__()
        check_size("num_words", num_words)
        check_size("d", d)
        check_odd("size", size)
        counts = num_features if isinstance(num_features, Sequence) else [num_features] if num_features != 0 else []
        for count in counts:
            check_size("num_features", count)
        check_size("d_features", d_features)
        check_number("dropout", dropout, at_least=0, below=1)
        self.size = size
        self.L = WordVectors(num_words, d, sparse=sparse)
        self.C = nn.ModuleList(WordVectors(count, d_features) for count in counts)
        self.n = size * (d + len(self.C) * d_features)
        self.dropout = dropout
        # small initial word vectors: the activation functions start far from saturation
        for vectors in (self.L, *self.C):
            nn.init.uniform_(vectors.weight, -0.1, 0.1)

    @property
    def feature_vectors(self) -> list[Tensor]:
        """The table of each feature, ``C[i].weight``."""
        return [C.weight for C in self.C]  # type: ignore[misc]

    def forward(self, windows: Tensor, features: Features = None) -> Tensor:
        """Word indices (..., size), and those of each feature (..., size), to x (..., n)."""
        given = each_feature(features)
        for name, indices in (("windows", windows), *(("features", indices) for indices in given)):
            if indices.shape[-1:] != (self.size,):
                raise ValueError(f"{name} must have shape (..., {self.size}), got {tuple(indices.shape)}")
        if len(given) != len(self.C):
            raise ValueError(
                f"features must be {len(self.C)} tensors of indices, one for each number in num_features, "
                f"got {', '.join(str(tuple(indices.shape)) for indices in given) or None}"
            )
        for indices in given:
            if indices.shape != windows.shape:
                raise ValueError(
                    f"features must have the shape of windows, {tuple(windows.shape)}, got {tuple(indices.shape)}"
                )
        vectors = [self.L(windows), *(C(indices) for C, indices in zip(self.C, given, strict=True))]
        x = torch.cat(vectors, dim=-1).flatten(-2)
        return dropout(x, self.dropout, self.training)


class WindowScorer(nn.Module):
    """$s = U^T f(Wx + b)$ on windows of words: the score that the centre word is of the target class.

    The default sizes are the notes': five words of 4 dimensions, 8 hidden units, one score.

    Args:
        num_words: V, the size of the vocabulary.
        d: dimension of a word vector.
        size: words in a window.
        m: hidden units.
        f: the activation function.
        options: keyword arguments of :class:`WindowInput`.

    Attributes:
        input: the :class:`WindowInput`, which computes x.
        hidden: the :class:`Layer` with W (m, n) and b (m,).
        U: (1, m).
    """

    def __init__(
        self,
        num_words: int,
        d: int = 4,
        size: int = 5,
        m: int = 8,
        f: Callable[[Tensor], Tensor] = sigmoid,
        **options: Any,
    ) -> None:
        super().__init__()
        check_callable("f", f)
        self.f = f
        self.input = WindowInput(num_words, d, size, **options)
        self.hidden = Layer(self.input.n, m, f)
        self.U = nn.Parameter(xavier_uniform_(torch.empty(1, m)))

    def forward(self, windows: Tensor, features: Features = None) -> Tensor:
        """Windows, and their features, (..., size) to scores s (...)."""
        x = self.input(windows, features)
        return score(x, self.hidden.W, self.hidden.b, self.U, self.f)

    def loss(
        self,
        windows: Tensor,
        corrupted: Tensor,
        features: Features = None,
        corrupted_features: Features = None,
        margin: float = 1.0,
        reduction: str = "mean",
    ) -> Tensor:
        r"""$J = \max(0, \Delta + s_c - s)$ for true and corrupt windows and their features, all (..., size).

        Fused, :func:`window_margin_loss`, if f is in ``UNITS``.
        """
        if not any(self.f is unit.f for unit in UNITS.values()):
            return max_margin_loss(self(windows, features), self(corrupted, corrupted_features), margin, reduction)
        x, layer = self.input, self.hidden
        return window_margin_loss(
            windows,
            corrupted,
            *(x.L.weight, layer.W, layer.b, self.U),
            self.f,
            margin,
            reduction,
            features=features,
            corrupted_features=corrupted_features,
            C=x.feature_vectors,
            dropout=x.dropout if self.training else 0.0,
            sparse=x.L.sparse,
        )


class WindowClassifier(nn.Module):
    """$z = U f(Wx + b) + c$ on windows of words: one score per tag, for :func:`softmax_cross_entropy`.

    Args:
        num_words: V, the size of the vocabulary.
        num_tags: K, the number of classes.
        d: dimension of a word vector.
        size: words in a window.
        m: hidden units.
        f: the activation function.
        options: keyword arguments of :class:`WindowInput`.

    Attributes:
        input: the :class:`WindowInput`, which computes x.
        hidden: the :class:`Layer` with W (m, n) and b (m,).
        output: the linear :class:`Layer` with U (K, m) and c (K,).
    """

    def __init__(
        self,
        num_words: int,
        num_tags: int,
        d: int = 4,
        size: int = 5,
        m: int = 8,
        f: Callable[[Tensor], Tensor] = tanh,
        **options: Any,
    ) -> None:
        super().__init__()
        check_size("num_tags", num_tags, at_least=2)
        self.input = WindowInput(num_words, d, size, **options)
        self.hidden = Layer(self.input.n, m, f)
        self.output = Layer(m, num_tags, f=None)

    def forward(self, windows: Tensor, features: Features = None) -> Tensor:
        """Windows, and their features, (..., size) to scores z (..., K)."""
        return self.output(self.hidden(self.input(windows, features)))

    def loss(self, windows: Tensor, target: Tensor, features: Tensor | None = None, reduction: str = "mean") -> Tensor:
        r"""$J = -\log \operatorname{softmax}(z)_t$ for windows and their features (..., size), and target t (...).

        Fused, :func:`window_softmax_loss`, if f is in ``UNITS``.
        """
        f = self.hidden.f
        if f is None or not any(f is unit.f for unit in UNITS.values()):
            return softmax_cross_entropy(self(windows, features), target, reduction)
        x, hidden, output = self.input, self.hidden, self.output
        return window_softmax_loss(
            windows,
            target,
            *(x.L.weight, hidden.W, hidden.b, output.W, output.b),
            f,
            reduction,
            features=features,
            C=x.feature_vectors,
            dropout=x.dropout if self.training else 0.0,
            sparse=x.L.sparse,
        )
