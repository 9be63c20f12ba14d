"""Public operations with a hand-written Function, torch's reference operators, and sample inputs for both."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

import cs224d_l3 as ours

Call = Callable[..., Tensor]


class Operation(NamedTuple):
    """Our function, torch's reference, and the shapes of their tensors and, if any, of their indices.

    ``of_parameters``: the tensors are parameters, which stay alive whether a backward pass keeps them or not.
    """

    ours: Call
    reference: Call
    shapes: str
    indices: str | None = None
    of_parameters: bool = False


def _margin(s: Tensor, s_c: Tensor) -> Tensor:
    return F.margin_ranking_loss(s, s_c, torch.ones_like(s), margin=1.0, reduction="sum")


def _score(x: Tensor, W: Tensor, b: Tensor, U: Tensor) -> Tensor:
    return F.linear(torch.sigmoid(F.linear(x, W, b)), U).squeeze(-1)


def _elman(x: Tensor, W: Tensor, H: Tensor, b: Tensor, a_0: Tensor) -> Tensor:
    """torch's recurrent layer, step by step, as in nn.RNNCell."""
    a = [a_0]
    for t in range(x.shape[-2]):
        a.append(torch.tanh(F.linear(x[..., t, :], W, b) + F.linear(a[-1], H)))
    return torch.stack(a[1:], -2)


def _cross_entropy(z: Tensor, target: Tensor, **options: Any) -> Tensor:
    """torch's cross-entropy, for any batch shape."""
    K, B = z.shape[-1], z.shape[:-1].numel()
    target = target.reshape((B, K) if target.is_floating_point() else B)
    J = F.cross_entropy(z.reshape(B, K), target, **options)
    return J if J.ndim == 0 else J.reshape(z.shape[:-1])


OPERATIONS: dict[str, Operation] = {
    "sigmoid": Operation(ours.sigmoid, torch.sigmoid, "..."),
    "tanh": Operation(ours.tanh, torch.tanh, "..."),
    "hardtanh": Operation(ours.hardtanh, F.hardtanh, "..."),
    "softsign": Operation(ours.softsign, F.softsign, "..."),
    "relu": Operation(ours.relu, torch.relu, "..."),
    "leaky_relu": Operation(ours.leaky_relu, F.leaky_relu, "..."),
    "activation": Operation(
        ours.activation, lambda x, w, b: torch.sigmoid(F.linear(x, w[None], b[None]).squeeze(-1)), "... n, n, "
    ),
    "affine": Operation(ours.affine, F.linear, "... n, m n, m"),
    "embedding": Operation(lambda i, L: ours.embedding(i, L), lambda i, L: F.embedding(i, L), "m n", "..."),
    "score": Operation(
        ours.score,
        _score,
        "... n, m n, m, 1 m",
    ),
    "elman": Operation(
        # weights divided by sqrt(fan_in), so that the second step is not saturated
        lambda x, W, H, b, a_0: ours.elman(x, W / 2, H / 2, b, a_0),
        lambda x, W, H, b, a_0: _elman(x, W / 2, H / 2, b, a_0),
        "... 2 n, m n, m m, m, ... m",
    ),
    "max_margin_loss": Operation(
        lambda s, s_c: ours.max_margin_loss(s, s_c, reduction="sum"),
        _margin,
        "..., ...",
    ),
    "window_margin_loss": Operation(
        lambda words, L, W, b, U: ours.window_margin_loss(words, (words + 1) % len(L), L, W, b, U, reduction="sum"),
        lambda words, L, W, b, U: _margin(
            _score(F.embedding(words, L).flatten(-2), W, b, U),
            _score(F.embedding((words + 1) % len(L), L).flatten(-2), W, b, U),
        ),
        "m n, m n, m, 1 m",
        "... 1",
    ),
    "window_softmax_loss": Operation(
        # smaller weights: where the units are saturated, second order loses as many digits in torch's float32
        lambda words, L, W, b, U, c: ours.window_softmax_loss(words, words[..., 0], L, W / 4, b, U, c, reduction="sum"),
        lambda words, L, W, b, U, c: _cross_entropy(
            F.linear(torch.tanh(F.linear(F.embedding(words, L).flatten(-2), W / 4, b)), U, c),
            words[..., 0],
            reduction="sum",
        ),
        "m n, m n, m, m m, m",
        "... 1",
        of_parameters=True,
    ),
    "softmax_cross_entropy": Operation(
        lambda t, z: ours.softmax_cross_entropy(z, t, "sum"),
        lambda t, z: _cross_entropy(z, t, reduction="sum"),
        "... m",
        "...",
    ),
    "softmax_cross_entropy, probabilities": Operation(
        lambda z, q: ours.softmax_cross_entropy(z, q.sigmoid(), "none"),
        lambda z, q: _cross_entropy(z, q.sigmoid(), reduction="none"),
        "... m, ... m",
    ),
    "affine_softmax_cross_entropy": Operation(
        lambda t, x, W, b: ours.affine_softmax_cross_entropy(x, W, b, t, "sum", label_smoothing=0.1),
        lambda t, x, W, b: _cross_entropy(F.linear(x, W, b), t, reduction="sum", label_smoothing=0.1),
        "... n, m n, m",
        "...",
    ),
    "l2_penalty": Operation(lambda W: ours.l2_penalty([W], 0.5), lambda W: 0.5 * (W * W).sum(), "..."),
}

# layout: the batch shape that "..." stands for, n, m
LAYOUTS: dict[str, tuple[tuple[int, ...], int, int]] = {
    "contiguous": ((6, 3), 5, 4),  # all different: a compiler would unify equal sizes
    "0-d": ((), 5, 4),
    "empty": ((0, 3), 5, 4),
    "size 1": ((1, 1), 1, 1),
    "strided": ((2, 3), 5, 4),
    "transposed": ((2, 3), 5, 4),
    "expanded": ((2, 3), 5, 4),
    "channels last": ((2, 3, 2, 2), 5, 4),
}
SIZES = LAYOUTS | {"larger": ((7, 3), 5, 4), "large": ((64,), 20, 30)}


def arrange(shape: tuple[int, ...], layout: str, generator: torch.Generator) -> Tensor:
    """Standard normal tensor in the given memory layout, if its shape permits it."""

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    if layout == "transposed" and len(shape) >= 2:
        return normal(*shape[:-2], shape[-1], shape[-2]).mT
    if layout in ("transposed", "strided") and shape:
        return normal(*shape[:-1], 2 * shape[-1])[..., ::2]
    if layout == "channels last" and len(shape) in (4, 5):
        order = (0, *range(2, len(shape)), 1)
        return normal(*(shape[i] for i in order)).movedim(-1, 1)
    return normal(*shape)


class Sample(NamedTuple):
    """Sample inputs: tensors rounded to the type under test, their shapes after expansion, indices."""

    tensors: list[Tensor]
    shapes: list[tuple[int, ...]]
    indices: Tensor | None

    def to(self, dtype: torch.dtype) -> list[Tensor]:
        """The tensors in a type, as leaves."""
        return [_like(t, t.detach().to(dtype)).requires_grad_() for t in self.tensors]

    def of(self, f: Call) -> Call:
        """f as a function of the differentiable tensors, expanded inside it so that the leaves have gradients."""

        def call(*tensors: Tensor) -> Tensor:
            tensors = tuple(t.expand(shape) for t, shape in zip(tensors, self.shapes, strict=True))
            return f(*tensors) if self.indices is None else f(self.indices, *tensors)

        return call


def _like(t: Tensor, values: Tensor) -> Tensor:
    """Copy of the values in the memory layout of t."""
    return torch.empty_strided(t.shape, t.stride(), dtype=values.dtype, device=values.device).copy_(values)


def sample(operation: Operation, layout: str, dtype: torch.dtype, device: str = "cpu", seed: int = 0) -> Sample:
    """Random inputs of an operation in a memory layout; float64 values that the type represents exactly."""
    batch, n, m = SIZES[layout]
    sizes = {"n": n, "m": m}
    generator = torch.Generator().manual_seed(seed)

    def shape(dims: str) -> tuple[int, ...]:
        leading = batch if dims.startswith("...") else ()
        return leading + tuple(sizes[d] if d in sizes else int(d) for d in dims.removeprefix("...").split())

    shapes = [shape(dims) for dims in operation.shapes.split(", ")]
    stored = [(1, *s[1:]) if layout == "expanded" and s else s for s in shapes]
    tensors = [arrange(s, layout, generator) for s in stored]
    indices = None if operation.indices is None else torch.randint(m, shape(operation.indices), generator=generator)
    return Sample(
        [_like(t, t.to(device, dtype).double()) for t in tensors],
        shapes,
        None if indices is None else indices.to(device),
    )
