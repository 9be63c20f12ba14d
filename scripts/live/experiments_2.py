"""Experiments of the lecture's second part; each returns the numbers that the page shows."""

import math
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from cs224d_l3 import (
    UNITS,
    AdaGrad,
    init_xavier,
    l2_penalty,
    numerical_gradient,
    softmax_cross_entropy,
    weight_matrices,
)
from cs224d_l3.adagrad import update
from evidence.bowl import REACH, START, bowl
from evidence.experiments import dead_units, saturated
from evidence.tasks import Digits, deep, fit

from .demand import UnusableError, in_print

Tick = Callable[[], object]  # called after every step of a long experiment

# ------------------------------------------------------------------------------------- 2.1 gradient checks


class Quotient(NamedTuple):
    """f'(z) by formula, by both quotients, and by the one that is printed."""

    exact: float
    centred: float
    one_sided: float
    printed: float


def quotient(unit: str, z: float, h: float) -> Quotient:
    f, f_prime, *_ = UNITS[unit]
    at = torch.tensor(z, dtype=torch.float64)
    one_sided = float((f(at + h) - f(at)) / h)
    printed = float((f(at + h) - (at - h)) / (2 * h))
    return Quotient(float(f_prime(at)), float(numerical_gradient(f, at, h)), one_sided, printed)


def quotients(unit: str, z: float) -> dict[float, Quotient]:
    """The same for steps from 1e-13 to 1."""
    return {h: quotient(unit, z, h) for h in (10 ** (k / 2) for k in range(-26, 1))}


def snippet(x: Tensor, passes: int) -> Tensor:
    """The loop of snippet 2.1 as printed, for J = sum(x^3): its last lines stand outside, so the index never moves."""
    grad, index, h = torch.zeros_like(x), 0, 1e-5
    for _ in range(passes):  # while not it.finished
        old = x[index].item()
        x[index] = old + h
        J_plus = (x**3).sum()
        x[index] = old
    grad[index] = (J_plus - (x**3).sum()) / h
    return grad


# ---------------------------------------------------------------------------------------------- 2.2 lambda


def penalty_gradients(W: Tensor) -> tuple[float, float]:
    """||grad||_F of ||W||_F, as printed, and of ||W||_F^2."""
    W = W.detach().requires_grad_()
    found = [torch.autograd.grad(J, W)[0] for J in (torch.linalg.norm(W), l2_penalty([W], 1.0))]
    return float(found[0].norm()), float(found[1].norm())


class Penalised(NamedTuple):
    """A training with L2: the weights' norm and the losses, epoch by epoch."""

    lam: float
    norm: list[float]
    train: list[float]
    test: list[float]


def penalised(data: Digits, lam: float, count: int, seed: int, tick: Tick) -> Penalised:
    torch.manual_seed(seed)
    model = deep("tanh", 1)
    weights, optimizer = weight_matrices(model), AdaGrad(model.parameters(), lr=0.05)
    found = Penalised(lam, [], [], [])
    for epoch in range(count):
        fit(model, data.x, data.target, optimizer, 1, seed=epoch, size=25, lam=lam)
        with torch.no_grad():
            norm = math.sqrt(float(l2_penalty(weights, 1.0)))
            J, J_test = (float(softmax_cross_entropy(model(x), y)) for x, y in (data[:2], data[2:]))
        if not math.isfinite(norm + J + J_test):
            raise UnusableError("lambda diverges", lam=in_print(lam), epoch=epoch + 1)
        found.norm.append(norm)
        found.train.append(J)
        found.test.append(J_test)
        tick()
    return found


# ----------------------------------------------------------------------------------------------- 2.3 units


class Derivative(NamedTuple):
    """What the notes print at z, what is right, and the difference quotient of the latter's f."""

    name: str
    printed: float
    right: float
    difference: float


def printed_derivatives(z: float) -> list[Derivative]:
    t = torch.tensor(z, dtype=torch.float64)
    e = math.exp(-z)
    printed = {
        "sigmoid": -e / (1 + e),
        "tanh": math.tanh(z) ** 2,
        "softsign": math.copysign(1.0, z) / (1 + z) ** 2 if z != -1 else math.inf,
    }
    return [
        Derivative(name, value, float(UNITS[name].f_prime(t)), float(numerical_gradient(UNITS[name].f, t)))
        for name, value in printed.items()
    ]


def printed_hardtanh(z: float) -> dict[str, str]:
    """Hard tanh as printed, -1 if z < 1; as it is right; and its slope at -2."""
    f, at = UNITS["hardtanh"].f, torch.tensor([z, -2.0], dtype=torch.float64)
    printed = -1.0 if z < 1 else min(z, 1.0)
    slope = numerical_gradient(lambda t: f(t).sum(), at)[1]
    return {"printed": f"{printed:g}", "right": f"{float(f(at)[0]):g}", "slope": f"{float(slope):g}"}


def sources(name: str) -> list[Any]:
    """A unit, its derivative, and the Function with its backward pass."""
    unit = UNITS[name]
    return [unit.f, unit.f_prime, getattr(sys.modules[unit.f.__module__], f"_{unit.module.__name__}")]


def lost_units(data: Digits, unit: str, lr: float, count: int, seed: int, tick: Tick) -> list[float]:
    """Percentage of saturated units, or of dead ones for the ReLUs, before training and after every epoch."""
    torch.manual_seed(seed)
    model = deep(unit, 3)
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)

    def lost() -> float:
        return dead_units(model, data.x, unit) if unit.endswith("relu") else saturated(model, data.test_x)

    found = [lost()]
    for epoch in range(count):
        fit(model, data.x, data.target, optimizer, 1, seed=epoch)
        if not all(theta.isfinite().all() for theta in model.parameters()):
            raise UnusableError("training diverges", unit=unit, lr=in_print(lr), epoch=epoch + 1)
        found.append(lost())
        tick()
    return found


# ---------------------------------------------------------------------------------------------- 2.4 Xavier

INITIAL = {
    "Xavier": None,
    "U[-1/√n, 1/√n]": lambda W: nn.init.uniform_(W, -(W.shape[1] ** -0.5), W.shape[1] ** -0.5),
    "N(0, 0.01²)": lambda W: nn.init.normal_(W, 0, 0.01),
    "N(0, 1)": lambda W: nn.init.normal_(W, 0, 1),
}


class Signals(NamedTuple):
    """Activations a^(k) and errors delta^(k) of every hidden layer, (N, m) each."""

    activations: list[Tensor]
    errors: list[Tensor]


def signals(unit: str, rule: str, seed: int, depth: int = 10, m: int = 100, N: int = 300) -> Signals:
    """A forward and a backward pass of a new network, for random inputs and targets."""
    torch.manual_seed(seed)
    x, target = torch.randn(N, 64), torch.randint(10, (N,))
    model = deep(unit, depth, m)
    init_xavier(model)
    if (fill := INITIAL[rule]) is not None:
        for W in weight_matrices(model):
            fill(W)
    a, activations = x, []
    for layer in list(model)[:depth]:
        a = layer(a)
        a.retain_grad()
        activations.append(a)
    softmax_cross_entropy(model[depth](a), target, reduction="sum").backward()
    errors = [UNITS[unit].f_prime_of_a(a.detach()) * a.grad for a in activations]
    return Signals([a.detach() for a in activations], errors)


# --------------------------------------------------------------------------------------- 2.5 paths


STEPS = ("SGD", "annealed", "AdaGrad")
RATES = (0, 0.01, 0.03, 0.05, 0.1, 0.15, 0.18, 0.2, 0.208, 0.25, 0.5, 1, 1.2, 2, 5, 10, 100)


def path(rule: str, lr: float, steps: int, tau: float, eps: float) -> Tensor:
    """The path on the bowl, up to the first point that is not finite; (steps + 1, 2)."""
    theta = torch.tensor(START, dtype=torch.float64, requires_grad=True)
    G, places = torch.full_like(theta, eps), [theta.detach().clone()]
    for t in range(steps):
        (g,) = torch.autograd.grad(bowl(theta), theta)
        with torch.no_grad():
            if rule == "AdaGrad":
                update(theta, g, G, lr)
            else:
                theta -= (lr * tau / max(t, tau) if rule == "annealed" else lr) * g
        if not bowl(theta).isfinite():
            break
        places.append(theta.detach().clone())
    return torch.stack(places)


class Outcome(NamedTuple):
    """What became of a path: the sentence that says it, and its numbers."""

    sentence: str
    values: dict[str, object]

    @property
    def is_good(self) -> bool:
        return self.sentence == "path numbers"


def outcome(path: Tensor, lr: float, steps: int) -> Outcome:
    J = bowl(path)
    values: dict[str, object] = {"lr": in_print(lr), "steps": steps} | {
        name: f"${in_print(float(value))}$" for name, value in (("start", J[0]), ("end", J[-1]))
    }
    outside = (path.abs() > torch.tensor(REACH)).any(1)
    if len(path) <= steps:
        return Outcome("path overflows", values | {"steps": len(path)})
    if torch.equal(path[0], path[-1]):
        return Outcome("path still", values)
    if outside.any():
        return Outcome("path leaves", values | {"step": int(outside.int().argmax())})
    if J[-1] > J[0]:
        return Outcome("path grows", values)
    return Outcome("path numbers", values)
