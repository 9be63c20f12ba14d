"""Baseline of the language models: a trigram model with interpolated Kneser-Ney smoothing.

Kneser and Ney, Improved backing-off for m-gram language modeling, ICASSP 1995; interpolated as in Chen and Goodman,
An empirical study of smoothing techniques, 1999.
"""

import torch
from torch import Tensor

MAX_WORDS = 2_000_000  # so that a trigram fits a 64-bit integer


def log_probabilities(train: Tensor, text: Tensor, num_words: int) -> Tensor:
    r"""Log-probabilities $\log p(w \mid u v)$ of the words of a text, (N,), from the trigrams of the training text.

    $$p(w \mid u v) = \frac{\max(c(u v w) - D, 0) + D N(u v) \, p(w \mid v)}{c(u v)}$$

    c counts trigrams, and for the lower orders distinct left contexts, and N(u v) counts the distinct words after u v.
    The discount of each order is $D = n_1 / (n_1 + 2 n_2)$, from the numbers of n-grams with count one and two, and 0.5
    without singletons. p(w) backs off to the uniform distribution. Both texts are padded with 0 on the left.

    Args:
        train: word indices of the training text, (M,).
        text: word indices, (N,).
        num_words: V, at most ``MAX_WORDS``.
    """
    V = num_words
    trigrams, counts = _ngrams(train, 3, V).unique(return_counts=True)
    orders = [(trigrams, counts)]
    for n in (2, 1):
        orders.insert(0, (orders[0][0] % V**n).unique(return_counts=True))
    p = torch.full(text.shape, 1 / V, dtype=torch.float64)
    for n, (ngrams, c) in enumerate(orders, start=1):
        once, twice = int((c == 1).sum()), int((c == 2).sum())
        D = once / (once + 2 * twice) if once else 0.5
        contexts, context = (ngrams // V).unique(return_inverse=True)
        total = torch.zeros_like(contexts).index_add_(0, context, c)
        distinct = torch.bincount(context)
        queries = _ngrams(text, n, V)
        c_w = _look_up(ngrams, c, queries)
        c_context, N_context = (_look_up(contexts, counts, queries // V) for counts in (total, distinct))
        p = torch.where(c_context > 0, ((c_w - D).clamp(min=0) + D * N_context * p) / c_context.clamp(min=1), p)
    return p.log()


def _ngrams(words: Tensor, n: int, V: int) -> Tensor:
    """n-gram ending at each word, encoded as an integer in base V whose last digit is the word."""
    padded = torch.cat([words.new_zeros(n - 1), words]).unfold(0, n, 1)
    powers = torch.tensor([V**i for i in reversed(range(n))])
    return (padded * powers).sum(-1)


def _look_up(keys: Tensor, values: Tensor, queries: Tensor) -> Tensor:
    """Values of the queried keys, 0 for missing ones; ``keys`` are sorted."""
    index = torch.searchsorted(keys, queries).clamp(max=len(keys) - 1)
    return torch.where(keys[index] == queries, values[index], 0).double()
