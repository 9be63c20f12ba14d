"""Experiments of the lecture's first part: they return numbers."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from cs224d_l3 import (
    UNITS,
    AdaGrad,
    Layer,
    WindowScorer,
    affine,
    corrupt,
    embedding,
    max_margin_loss,
    numerical_gradient,
    sigmoid,
    sliding_windows,
)
from evidence.worked import Worked, by_differences

SENTENCE = "Museums in Paris are amazing"
PAD = "·"
LONGEST = 40  # words of a sentence, for a table that can be read


# ------------------------------------------------------------------------------------------ 1.1 and 1.2


def printed_neuron(x: Tensor, w: Tensor, b: Tensor, unit: str) -> tuple[float, float]:
    """f([w x] . [x 1]) as the 2019 edition prints it, and f(w x + b); of the first input alone, where sizes fit."""
    f, one = UNITS[unit].f, torch.ones(1, dtype=x.dtype)
    printed = torch.cat([w[:1], x[:1]]) @ torch.cat([x[:1], one])
    return float(f(printed)), float(f(w[0] * x[0] + b))


class Neurons(NamedTuple):
    """A layer and an input: z = Wx + b, a = f(z)."""

    x: Tensor
    W: Tensor
    b: Tensor
    z: Tensor
    a: Tensor


def neurons(n: int, m: int, unit: str, seed: int) -> Neurons:
    """A layer of m neurons on n inputs, drawn at random."""
    torch.manual_seed(seed)
    layer = Layer(n, m, UNITS[unit].f, dtype=torch.float64)
    with torch.no_grad():
        layer.b.uniform_(-1, 1)
        x = 2 * torch.randn(n, dtype=torch.float64)
        return Neurons(x, layer.W.detach(), layer.b.detach(), affine(x, layer.W, layer.b), layer(x))


# ------------------------------------------------------------------------------------------------- 1.3


class Reading(NamedTuple):
    """What the window network computes for every word of a sentence."""

    words: list[str]
    vocabulary: list[str]  # the pad is the last
    windows: Tensor  # (T, size)
    vectors: Tensor  # (T, size, d)
    x: Tensor  # (T, size d)
    z: Tensor  # (T, m)
    a: Tensor  # (T, m)
    s: Tensor  # (T,)
    model: WindowScorer

    def window(self, t: int, windows: Tensor | None = None) -> list[str]:
        """The words of a window."""
        return [self.vocabulary[i] for i in (self.windows if windows is None else windows)[t]]


def step_by_step(reading: Reading, t: int) -> float:
    """The score of window t from its activations: s = U^T a."""
    return float((reading.model.U.detach()[0] * reading.a[t]).sum())


def read(words: Sequence[str], size: int, d: int, m: int, unit: str, seed: int = 0) -> Reading:
    """A sentence through the window network, step by step."""
    vocabulary = [*dict.fromkeys(words), PAD]
    indices = torch.tensor([vocabulary.index(word) for word in words])
    windows = sliding_windows(indices, size, pad=len(vocabulary) - 1)
    torch.manual_seed(seed)
    model = WindowScorer(len(vocabulary), d, size, m, UNITS[unit].f)
    torch.nn.init.normal_(model.input.L.weight)  # so that the words differ before any training
    with torch.no_grad():
        vectors = embedding(windows, model.input.L.weight)
        x = vectors.flatten(-2)
        z = affine(x, model.hidden.W, model.hidden.b)
        return Reading(list(words), vocabulary, windows, vectors, x, z, model.f(z), model(windows), model)


# ------------------------------------------------------------------------------------------------- 1.4


class Pairs(NamedTuple):
    """True and corrupt windows of a sentence, their scores, J of each pair, and its derivative by s."""

    windows: Tensor
    corrupted: Tensor
    s: Tensor
    s_c: Tensor
    J: Tensor
    delta: Tensor


def rank(reading: Reading, margin: float, steps: int, lr: float = 0.05) -> Pairs:
    """Trains the network of a reading by some steps of AdaGrad, on every window against a corrupt one."""
    model, windows = reading.model, reading.windows
    centre = windows.shape[1] // 2
    corrupted = windows.clone()  # the padding is no word to draw
    corrupted[:, [centre]] = corrupt(
        windows[:, [centre]], len(reading.vocabulary) - 1, generator=torch.Generator().manual_seed(0)
    )
    optimizer = AdaGrad(model.parameters(), lr=lr)
    for _ in range(steps):
        optimizer.zero_grad()
        model.loss(windows, corrupted, margin=margin).backward()
        optimizer.step()
    s, s_c = (model(each).detach().requires_grad_() for each in (windows, corrupted))
    J = max_margin_loss(s, s_c, margin, reduction="none")
    (delta,) = torch.autograd.grad(J.sum(), s)
    return Pairs(windows, corrupted, s.detach(), s_c.detach(), J.detach(), delta)


# --------------------------------------------------------------------------------------------- 1.5, 1.6


def printed_errors(w: Worked) -> dict[str, tuple[float, float, float]]:
    """What the notes print about the errors of a 4-2-1 network of sigmoids, what is right, and centred differences."""
    x, W, b, delta = w.z[0], w.W, w.b, w.gradients.delta

    def s(z: Tensor) -> Tensor:
        return (W[1] @ sigmoid(z) + b[1]).sum()

    by_z = numerical_gradient(s, w.z[1])
    by_a = numerical_gradient(lambda a: (W[1] @ a + b[1]).sum(), w.a[1])
    second = torch.autograd.functional.hessian(s, w.z[1])[0, 0]
    by_W, by_b = by_differences(w, W, 0), by_differences(w, b, 0)
    found = {
        "bias": (delta[0][0], delta[1][0], by_b[0]),
        "output": (by_a[0], delta[1][0], by_z[0]),
        "second": (second, delta[1][0], by_z[0]),
        "weight": (delta[1][0] * x[0], delta[1][1] * x[0], by_W[1, 0]),
        "delta": (delta[1][0], delta[1][1], by_z[1]),
    }
    return {name: (float(p), float(r), float(n)) for name, (p, r, n) in found.items()}
