"""Experiments of section 2.6: the rates that AdaGrad gives to rare and to frequent words; its errata."""

import math
from itertools import islice
from typing import NamedTuple

import torch
from torch import Tensor

from cs224d_l3 import AdaGrad, WindowClassifier, softmax_cross_entropy
from cs224d_l3.adagrad import update
from evidence.tasks import epochs, words

from . import page
from .demand import UnusableError, in_print
from .experiments_2 import Tick


class Rates(NamedTuple):
    """Words of the training text: how often each one's vector got a gradient, and its rate lr / sqrt(G + eps)."""

    words: list[str]
    counts: Tensor
    rates: Tensor


def known_words(text: str) -> list[str]:
    """The words of a text, each once; the training text must have them."""
    chosen = list(dict.fromkeys(text.replace(",", " ").replace("，", " ").split()))
    if unknown := [word for word in chosen if word not in words(0).vocabulary.words]:
        raise UnusableError("words not in text", words=", ".join(f"“{page.plain(word)}”" for word in unknown))
    return chosen


def word_batches() -> int:
    """Batches of one epoch."""
    return -(-len(words(0).windows) // 64)


def word_rates(lr: float, eps: float, count: int, tick: Tick) -> Rates:
    """The first ``count`` batches of the window network on the Python reference, with AdaGrad."""
    data = words(0)
    torch.manual_seed(0)
    model = WindowClassifier(data.V, 2, 50, 5, 50, sparse=True)
    L = model.input.L.weight
    optimizer = AdaGrad(model.parameters(), lr=lr, eps=eps)
    counts = torch.zeros(data.V, dtype=torch.int64)
    for chosen in islice(epochs(len(data.windows), 64, 1, 0), count):
        optimizer.zero_grad()
        softmax_cross_entropy(model(data.windows[chosen]), data.target[chosen]).backward()
        optimizer.step()
        counts[data.windows[chosen].unique()] += 1
        tick()
    if not L.isfinite().all():
        raise UnusableError("rate diverges", lr=in_print(lr))
    G = optimizer.state[L]["sum"]  # holds eps
    return Rates(data.vocabulary.words, counts, (lr / G.sqrt()).mean(1))


def constant_gradient(steps: int) -> tuple[list[float], list[float]]:
    """Lengths of AdaGrad's steps under the gradient 3 at alpha = 1, and what they would be with the root of a mean."""
    theta, g, places = torch.zeros(1), torch.full((1,), 3.0), [0.0]
    G = torch.full_like(theta, 1e-8)
    for _ in range(steps):
        update(theta, g, G, 1.0)
        places.append(theta.item())
    lengths = [a - b for a, b in zip(places, places[1:], strict=False)]
    return lengths, [3 / math.sqrt(sum([3.0**2] * t) / t) for t in range(1, steps + 1)]


def unmoved(eps: float) -> float:
    """Length of AdaGrad's step for a parameter whose gradients were all 0: the notes' formula at alpha = 1."""
    theta, g = torch.zeros(1), torch.zeros(1)
    update(theta, g, torch.full_like(theta, eps), 1.0)
    return float(theta.abs())
