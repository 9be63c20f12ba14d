"""The baseline of language models: a trigram with interpolated Kneser-Ney smoothing.

Kneser and Ney, Improved backing-off for m-gram language modeling, ICASSP 1995; interpolated as in Chen and Goodman,
An empirical study of smoothing techniques, 1999.
"""

import torch
from torch import Tensor

MAX_WORDS = 2_000_000  # so that a trigram is one whole number of 64 bits


def log_probabilities(train: Tensor, text: Tensor, num_words: int) -> Tensor:
    """log p(w | u v) of every word of a text, by the trigrams of another, (N,).

    With counts c of trigrams, and for the lower orders of the different words to the left,
    p(w | u v) = (max(c(u v w) - D, 0) + D N(u v) p(w | v)) / c(u v), where N(u v) counts the different words after
    u v. D = n_1 / (n_1 + 2 n_2) by the n-grams counted once and twice, a half where none is counted once. Below
    p(w) all words are as likely. What stands before the text is 0.

    Args:
        train: words, (M,).
        text: words, (N,).
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
        different = torch.bincount(context)
        sought = _ngrams(text, n, V)
        c_w = _look_up(ngrams, c, sought)
        c_context, N_context = (_look_up(contexts, numbers, sought // V) for numbers in (total, different))
        p = torch.where(c_context > 0, ((c_w - D).clamp(min=0) + D * N_context * p) / c_context.clamp(min=1), p)
    return p.log()


def _ngrams(words: Tensor, n: int, V: int) -> Tensor:
    """The n-gram that ends at each word as a number, of which the word itself is the last digit to the base V."""
    padded = torch.cat([words.new_zeros(n - 1), words]).unfold(0, n, 1)
    powers = torch.tensor([V**i for i in reversed(range(n))])
    return (padded * powers).sum(-1)


def _look_up(keys: Tensor, values: Tensor, sought: Tensor) -> Tensor:
    """The value of each key that is sought, 0 where there is none; keys are sorted."""
    at = torch.searchsorted(keys, sought).clamp(max=len(keys) - 1)
    return torch.where(keys[at] == sought, values[at], 0).double()
