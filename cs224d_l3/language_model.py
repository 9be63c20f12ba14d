r"""Neural language models, with which the notes close: the probability of the next word, given the words before it.

$$p(w_t \mid w_1 \ldots w_{t-1}) = \operatorname{softmax}(U a + c)_{w_t}$$

The window model (Bengio et al., A neural probabilistic language model, JMLR 2003) conditions on the last few words,
through the network of 1.3; the recurrent model (Mikolov et al., Recurrent neural network based language model,
Interspeech 2010) on the last word and its hidden state. The objective is the cross-entropy of the next word; exp of
its mean is the perplexity.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from ._checks import check_callable, check_indices, check_number, check_size
from ._dropout import dropout
from .fused_softmax import affine_softmax_cross_entropy
from .layer import Layer, WordVectors
from .recurrent import Elman, check_clip
from .units import tanh


class WindowLanguageModel(nn.Module):
    r"""$x = [L_{w_{t-k}} \ldots L_{w_{t-1}}]$, $a = f(Wx + b)$, $z = U a + c$; with direct connections
    $z = U a + D x + c$.

    Args:
        num_words: V, the size of the vocabulary.
        d: dimension of a word vector.
        size: k, words of context.
        m: hidden units.
        f: the activation function.
        direct: add the direct connections D from x to the scores, Bengio's W.
        dropout: dropout probability of x and of a.
        sparse: make the gradient of L a sparse COO tensor.

    Attributes:
        L: the word vectors, ``L.weight`` (V, d).
        hidden: the :class:`Layer` with W (m, size d) and b (m,).
        output: the linear :class:`Layer` with U (V, m), or [U D] (V, m + size d), and c (V,).
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
        """Context (..., size) to the output layer's input: a (..., m), with direct connections [a x] (..., m + n)."""
        if context.shape[-1:] != (self.size,):
            raise ValueError(f"context must have shape (..., {self.size}), got {tuple(context.shape)}")
        x = dropout(self.L(context).flatten(-2), self.dropout, self.training)
        a = dropout(self.hidden(x), self.dropout, self.training)
        return torch.cat([a, x], dim=-1) if self.direct else a

    def forward(self, context: Tensor, target: Tensor | None = None) -> Tensor:
        """Context (..., size), the latest word last, to the scores of the next word (..., V).

        With a target (...), the mean :meth:`loss` instead, so that wrappers that call ``forward``, such as
        DistributedDataParallel, can train the model.
        """
        z: Tensor = self.output(self.features(context)) if target is None else self.loss(context, target)
        return z

    def loss(self, context: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
        r"""$J = -\log p(t \mid \mathrm{context})$ for targets t (...), in nats, without the (B, V) scores in memory.

        Raises ValueError for shapes that do not match, IndexError for words outside the vocabulary.
        """
        return affine_softmax_cross_entropy(self.features(context), self.output.W, self.output.b, target, reduction)

    def extra_repr(self) -> str:
        return f"size={self.size}, direct={self.direct}, dropout={self.dropout}"


class RecurrentLanguageModel(nn.Module):
    r"""$a_t = f(W L_{w_{t-1}} + H a_{t-1} + b)$, $z_t = U a_t + c$, conditioned on all previous words through $a_t$.

    Args:
        num_words: V, the size of the vocabulary.
        d: dimension of a word vector.
        m: hidden units.
        f: the activation function, one of ``UNITS``.
        clip: limit of each element of $H^T \delta$ of one word's J, in nats, as in :func:`elman`. Mikolov's is 15.
        dropout: dropout probability of x and of a before the output layer; the recurrent a is not dropped.
        sparse: make the gradient of L a sparse COO tensor.

    Attributes:
        L: the word vectors, ``L.weight`` (V, d).
        hidden: the :class:`Elman` layer with W (m, d), H (m, m) and b (m,).
        output: the linear :class:`Layer` with U (V, m) and c (V,).
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
        """Words (..., T) and initial state (..., m) to states a (..., T, m)."""
        x = dropout(self.L(words), self.dropout, self.training)
        a: Tensor = self.hidden(x, a_0, clip)
        return a

    def forward(self, words: Tensor, a_0: Tensor | None = None, target: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Words (..., T) and initial state (..., m) to the next words' scores (..., T, V) and the last state (..., m).

        With a target (..., T), the mean :meth:`loss` and the last state instead. Only :meth:`loss` clips.
        """
        if target is not None:
            return self.loss(words, target, a_0)
        a = self.states(words, a_0)
        return self.output(dropout(a, self.dropout, self.training)), a[..., -1, :]

    def loss(
        self, words: Tensor, target: Tensor, a_0: Tensor | None = None, reduction: str = "mean"
    ) -> tuple[Tensor, Tensor]:
        r"""$J = -\log p(t)$ in nats, where t are the words that follow ``words``, both (..., T); and the last state.

        The state is detached: as a_0 of the next segment of a text it truncates backpropagation through time to T
        steps. ``clip`` holds for the gradient of one word's J: differentiate J unscaled, or the sum of "none".

        Raises ValueError for shapes that do not match, IndexError for words outside the vocabulary.
        """
        check_indices("target", target)
        # in a mean over N words, the gradient of one word's J is scaled by 1 / N
        a = self.states(words, a_0, self.clip / max(target.numel(), 1) if reduction == "mean" else self.clip)
        a_dropout = dropout(a, self.dropout, self.training)
        J = affine_softmax_cross_entropy(a_dropout, self.output.W, self.output.b, target, reduction)
        return J, a[..., -1, :].detach().clone()  # clone: a view holds the storage of the whole segment

    def extra_repr(self) -> str:
        return f"clip={self.clip}, dropout={self.dropout}"


def _word_vectors(num_words: int, d: int, dropout: float, sparse: bool) -> WordVectors:
    """Word vectors, initially small: the activation functions start far from saturation."""
    check_size("num_words", num_words, at_least=2)
    check_size("d", d)
    check_number("dropout", dropout, at_least=0, below=1)
    L = WordVectors(num_words, d, sparse=sparse)
    nn.init.uniform_(L.weight, -0.1, 0.1)
    return L
