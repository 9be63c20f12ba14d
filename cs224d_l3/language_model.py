"""The neural language models the notes lead up to: p(w_t | the words before) = softmax(U a + c)_(w_t).

The window model (Bengio et al., A neural probabilistic language model, JMLR 2003) reads the last few words through
the network of 1.3. The recurrent model (Mikolov et al., Recurrent neural network based language model, Interspeech
2010) reads one word and its own state. Both learn by the cross-entropy of the next word; exp of its mean over a
text is the perplexity.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from ._checks import check_callable, check_indices, check_number, check_size
from .fused_softmax import affine_softmax_cross_entropy
from .layer import Layer, WordVectors
from .recurrent import Elman, check_clip
from .units import tanh


class WindowLanguageModel(nn.Module):
    """x = [L_(w_(t-n)) ... L_(w_(t-1))], a = f(Wx + b), z = U a + c, with direct connections z = U a + D x + c.

    Args:
        num_words: V, the size of the vocabulary.
        d: dimensions of a word vector.
        size: words that are read.
        m: hidden units.
        f: the unit.
        direct: connections from x straight to the scores, Bengio's W.
        dropout: share of x and of a that is set to zero in training.
        sparse: gradients of the word vectors as sparse rows.

    Attributes:
        L: the word vectors, ``L.weight`` (V, d).
        hidden: the :class:`Layer` with W (m, size d) and b (m,).
        output: the :class:`Layer` without a unit, with U, or [U D], (V, m) or (V, m + size d), and c (V,).
    """

    def __init__(
        self,
        num_words: int,
        d: int = 100,
        size: int = 5,
        m: int = 200,
        f: Callable[[Tensor], Tensor] = tanh,
        *,
        direct: bool = False,
        dropout: float = 0.0,
        sparse: bool = False,
    ) -> None:
        super().__init__()
        check_size("size", size)
        check_callable("f", f)
        self.L = _word_vectors(num_words, d, dropout, sparse)
        self.size, self.direct, self.dropout = size, direct, dropout
        self.hidden = Layer(size * d, m, f)
        self.output = Layer(m + size * d if direct else m, num_words, f=None)

    def features(self, context: Tensor) -> Tensor:
        """What the scores are made of: a, with direct connections [a x]. (..., size) to (..., m) or (..., m + n)."""
        if context.shape[-1:] != (self.size,):
            raise ValueError(f"context must have shape (..., {self.size}), got {tuple(context.shape)}")
        x = nn.functional.dropout(self.L(context).flatten(-2), self.dropout, self.training)
        a = nn.functional.dropout(self.hidden(x), self.dropout, self.training)
        return torch.cat([a, x], dim=-1) if self.direct else a

    def forward(self, context: Tensor, target: Tensor | None = None) -> Tensor:
        """The last words (..., size), the latest at the end, to scores of the next (..., V); with the next words
        (...) to their mean :meth:`loss`, so that what wraps a Module, DistributedDataParallel for one, can train it."""
        z: Tensor = self.output(self.features(context)) if target is None else self.loss(context, target)
        return z

    def loss(self, context: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
        """J = -log p(target | context) of words (...), in nats, without the scores of the whole batch in memory.

        Raises ValueError for shapes that do not fit, IndexError for words outside the vocabulary.
        """
        return affine_softmax_cross_entropy(self.features(context), self.output.W, self.output.b, target, reduction)

    def extra_repr(self) -> str:
        return f"size={self.size}, direct={self.direct}, dropout={self.dropout}"


class RecurrentLanguageModel(nn.Module):
    """a_t = f(W L_(w_(t-1)) + H a_(t-1) + b), z_t = U a_t + c: every word so far is in the state a.

    Args:
        num_words: V, the size of the vocabulary.
        d: dimensions of a word vector.
        m: hidden units.
        f: the unit, one of the six of ``UNITS``.
        clip: the limit of every element of a word's error on its way back in time, in nats. Mikolov's is 15.
        dropout: share of x and of a, on its way to the scores, that is set to zero in training.
        sparse: gradients of the word vectors as sparse rows.

    Attributes:
        L: the word vectors, ``L.weight`` (V, d).
        hidden: the :class:`Elman` layer with W (m, d), H (m, m) and b (m,).
        output: the :class:`Layer` without a unit, with U (V, m) and c (V,).
    """

    def __init__(
        self,
        num_words: int,
        d: int = 100,
        m: int = 200,
        f: Callable[[Tensor], Tensor] = tanh,
        *,
        clip: float = 15.0,
        dropout: float = 0.0,
        sparse: bool = False,
    ) -> None:
        super().__init__()
        check_clip(clip)
        self.L = _word_vectors(num_words, d, dropout, sparse)
        self.clip, self.dropout = clip, dropout
        self.hidden = Elman(d, m, f)
        self.output = Layer(m, num_words, f=None)

    def states(self, words: Tensor, a_0: Tensor | None = None, clip: float = math.inf) -> Tensor:
        """Words (..., T) and the state before them (..., m) to the state at each of them (..., T, m)."""
        x = nn.functional.dropout(self.L(words), self.dropout, self.training)
        a: Tensor = self.hidden(x, a_0, clip)
        return a

    def forward(self, words: Tensor, a_0: Tensor | None = None, target: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Words (..., T) and a state (..., m) to scores of each next word (..., T, V) and the last state (..., m);
        with the next words (..., T) to their mean :meth:`loss` and the state. Only the loss limits errors."""
        if target is not None:
            return self.loss(words, target, a_0)
        a = self.states(words, a_0)
        return self.output(nn.functional.dropout(a, self.dropout, self.training)), a[..., -1, :]

    def loss(
        self, words: Tensor, target: Tensor, a_0: Tensor | None = None, reduction: str = "mean"
    ) -> tuple[Tensor, Tensor]:
        """J = -log p(target) of the words that follow ``words``, both (..., T); and the last state, detached.

        Handed to the next segment of the text, the state carries on what was read, and no error goes back into it:
        backpropagation through time is truncated to T steps. ``clip`` is meant for one word's error: J must be
        differentiated as it is, or after "none" as a sum.

        Raises ValueError for shapes that do not fit, IndexError for words outside the vocabulary.
        """
        check_indices("target", target)
        # of a mean over N words the error of one is an N-th
        a = self.states(words, a_0, self.clip / max(target.numel(), 1) if reduction == "mean" else self.clip)
        kept = nn.functional.dropout(a, self.dropout, self.training)
        J = affine_softmax_cross_entropy(kept, self.output.W, self.output.b, target, reduction)
        return J, a[..., -1, :].detach().clone()  # a view would keep the whole segment

    def extra_repr(self) -> str:
        return f"clip={self.clip}, dropout={self.dropout}"


def _word_vectors(num_words: int, d: int, dropout: float, sparse: bool) -> WordVectors:
    """Small at first, so that the units start where they are steep."""
    check_size("num_words", num_words, at_least=2)
    check_size("d", d)
    check_number("dropout", dropout, at_least=0, below=1)
    L = WordVectors(num_words, d, sparse=sparse)
    nn.init.uniform_(L.weight, -0.1, 0.1)
    return L
