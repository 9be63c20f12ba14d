"""Experiments of claims.py: the notes' claims, section by section, measured on real data.

Each function takes a random seed and returns one measurement per condition; claims.py compares them over seeds.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from cs224d_l3 import (
    UNITS,
    AdaGrad,
    InverseDecay,
    Layer,
    WindowClassifier,
    WindowScorer,
    corrupt,
    init_xavier,
    numerical_gradient,
    relative_error,
    softmax_cross_entropy,
    weight_matrices,
)

from .tasks import accuracy, deep, digits, epochs, f1, fit, words
from .worked import race, seconds

Numbers = dict[str, float]


def hidden_layer(seed: int) -> Numbers:
    """1.3: F1 of the window network and of a linear window classifier, with frozen and with trained word vectors.

    The word vectors are pretrained on the same text without its tags, by the ranking objective of 1.4."""
    data, found = words(seed), {}
    torch.manual_seed(seed)
    ranking = WindowScorer(data.V, 50, 5, 60, UNITS["hardtanh"].f, sparse=True)
    optimizer = AdaGrad(ranking.parameters(), lr=0.1)
    for chosen in epochs(len(data.windows), 256, 8, seed):
        windows = data.windows[chosen]
        optimizer.zero_grad()
        ranking.loss(windows, corrupt(windows, data.V)).backward()
        optimizer.step()
    L = ranking.input.L.weight.detach()
    for frozen in (True, False):
        for name, linear in (("linear", True), ("tanh", False)):
            torch.manual_seed(seed)
            model = WindowClassifier(data.V, 2, 50, 5, 100, sparse=True)
            model.input.L.weight.data.copy_(L)
            if linear:
                model.hidden, model.output = nn.Identity(), Layer(250, 2, None)  # type: ignore[assignment]
            model.input.L.weight.requires_grad_(not frozen)
            optimizer = AdaGrad([p for p in model.parameters() if p.requires_grad], lr=0.05)
            fit(model, data.windows, data.target, optimizer, 20 if frozen else 4, seed=seed, size=256)
            found[f"{name}, {'frozen' if frozen else 'trained'}"] = f1(model, data.test_windows, data.test_target)
    return found


def margin(seed: int) -> Numbers:
    """1.4: percentage of pairs in which the window of a code word outscores another, for three margins."""
    data, found = words(seed), {}
    code, other = data.target.nonzero().squeeze(1), (data.target == 0).nonzero().squeeze(1)
    for value in (0.1, 1.0, 10.0):
        torch.manual_seed(seed)
        model = WindowScorer(data.V, 50, 5, 100, UNITS["tanh"].f, sparse=True)
        optimizer = AdaGrad(model.parameters(), lr=0.05)
        for chosen in epochs(len(code), 64, 12, seed):
            corrupted = other[torch.randint(len(other), (len(chosen),))]
            optimizer.zero_grad()
            model.loss(data.windows[code[chosen]], data.windows[corrupted], margin=value).backward()
            optimizer.step()
        with torch.no_grad():
            s = model(data.test_windows)
        is_code = data.test_target == 1
        below = torch.searchsorted(s[~is_code].sort().values, s[is_code].contiguous())
        found[f"{value:g}"] = 100 * float(below.double().mean()) / int((~is_code).sum())
    return found


def vectorised(seed: int) -> Numbers:
    """1.6: time of the elementwise gradients relative to the vectorized ones, for three networks."""
    found = {}
    for sizes in ((4, 2, 1), (20, 8, 1), (60, 30, 1)):
        times = race(sizes, seed)
        found["-".join(map(str, sizes))] = times.elements / times.matrices
    return found


def numerical(seed: int) -> Numbers:
    """2.1: forward passes per parameter of the numerical gradient; its relative error against the correct gradient, and
    against one whose largest element is 0.1 % too large."""
    torch.manual_seed(seed)
    x, target = torch.randn(6, 5, dtype=torch.float64), torch.randint(3, (6,))
    theta = torch.randn(3, 5, dtype=torch.float64, requires_grad=True)
    passes = 0

    def J(W: Tensor) -> Tensor:
        nonlocal passes
        passes += 1
        return softmax_cross_entropy(x @ W.mT, target)

    (correct,) = torch.autograd.grad(J(theta), theta)
    passes = 0
    found = numerical_gradient(J, theta.detach())
    wrong = correct.clone()
    wrong.view(-1)[correct.abs().argmax()] *= 1.001
    error = [float(relative_error(g, found)) for g in (correct, wrong)]
    return {"passes a parameter": passes / theta.numel(), "error, right": error[0], "error, planted": error[1]}


def penalty(seed: int) -> Numbers:
    """2.2: generalization gap, test loss minus training loss, without and with L2; 150 training digits."""
    data, found = digits(seed, train=150), {}
    for lam in (0.0, 1e-3, 1e-2):
        torch.manual_seed(seed)
        model = deep("tanh", 1)
        fit(model, data.x, data.target, AdaGrad(model.parameters(), lr=0.05), 60, seed=seed, size=25, lam=lam)
        with torch.no_grad():
            J = [softmax_cross_entropy(model(x), y) for x, y in (data[2:], data[:2])]
        found[f"{lam:g}"] = float(J[0] - J[1])
    return found


def convergence(seed: int) -> Numbers:
    """2.3: training loss of a network with three hidden layers after three epochs."""
    data, found = digits(seed), {}
    for unit in ("sigmoid", "tanh"):
        torch.manual_seed(seed)
        model = deep(unit, 3)
        found[unit] = fit(model, data.x, data.target, torch.optim.SGD(model.parameters(), lr=0.1), 3, seed=seed)[-1]
    return found


def cost(seed: int) -> Numbers:
    """2.3: time of the forward and backward pass, in nanoseconds per element."""
    z = torch.randn(10**6, generator=torch.Generator().manual_seed(seed)).requires_grad_()
    error, found = torch.ones(10**6), {}
    for unit in ("tanh", "hardtanh"):
        f = UNITS[unit].f
        found[unit] = 1e3 * min(seconds(lambda f=f: torch.autograd.grad(f(z), z, error)) for _ in range(9))  # type: ignore[misc]
    return found


def saturation(seed: int) -> Numbers:
    """2.3: percentage of saturated units, |f| > 0.95, after training the same network."""
    data, found = digits(seed), {}
    for unit in ("tanh", "softsign"):
        torch.manual_seed(seed)
        model = deep(unit, 3)
        fit(model, data.x, data.target, torch.optim.SGD(model.parameters(), lr=0.3), 15, seed=seed)
        found[unit] = saturated(model, data.test_x)
    return found


@torch.no_grad()
def saturated(model: nn.Sequential, x: Tensor) -> float:
    """Percentage of hidden activations with |a| > 0.95."""
    a = [model[: k + 1](x) for k in range(len(model) - 1)]
    return 100 * float((torch.cat(a, 1).abs() > 0.95).double().mean())


def dead(seed: int) -> Numbers:
    """2.3: percentage of dead hidden units, with zero gradient on the whole training set, at a large learning rate."""
    data, found = digits(seed), {}
    for unit in ("relu", "leaky_relu"):
        torch.manual_seed(seed)
        model = deep(unit, 3)
        fit(model, data.x, data.target, torch.optim.SGD(model.parameters(), lr=0.5), 8, seed=seed)
        found[unit] = dead_units(model, data.x, unit)
    return found


@torch.no_grad()
def dead_units(model: nn.Sequential, x: Tensor, unit: str) -> float:
    """Percentage of hidden units whose f' is 0 for every x."""
    z = [nn.functional.linear(model[:k](x), model[k].W, model[k].b) for k in range(len(model) - 1)]  # type: ignore[arg-type]
    slope = torch.cat([UNITS[unit].f_prime(t) for t in z], 1)
    return 100 * float((slope == 0).all(0).double().mean())


def xavier(seed: int) -> dict[str, list[float]]:
    """2.4: standard deviations of activations and errors by layer at initialization, and the loss after five epochs;
    for Xavier's rule and the previously common U[-1/sqrt(n), 1/sqrt(n)] (Glorot and Bengio, 2010)."""
    data, found = digits(seed), {}
    for rule in ("Xavier", "uniform"):
        torch.manual_seed(seed)
        model = deep("tanh", 5, m=100)
        init_xavier(model)
        if rule != "Xavier":
            for W in weight_matrices(model):
                nn.init.uniform_(W, -(W.shape[1] ** -0.5), W.shape[1] ** -0.5)
        a, activations = data.x, []
        for layer in list(model)[:5]:
            a = layer(a)
            a.retain_grad()
            activations.append(a)
        softmax_cross_entropy(model[5](a), data.target).backward()
        found[f"{rule}, activations"] = [float(t.detach().std()) for t in activations]
        found[f"{rule}, errors"] = [float(t.grad.std()) for t in activations]
        model.zero_grad()
        losses = fit(model, data.x, data.target, torch.optim.SGD(model.parameters(), lr=0.05), 5, seed=seed)
        found[f"{rule}, loss"] = losses[-1:]
    return found


def rate(seed: int) -> Numbers:
    """2.5: final training loss, by learning rate."""
    data, found = digits(seed), {}
    for lr in (0.01, 0.1, 10.0):
        torch.manual_seed(seed)
        model = deep("tanh", 1)
        losses = fit(model, data.x, data.target, torch.optim.SGD(model.parameters(), lr=lr), 8, seed=seed)
        found[f"{lr:g}"] = losses[-1]
    return found


def annealing(seed: int) -> Numbers:
    """2.5: training loss of the last epoch, with a constant learning rate and with 1/t decay from epoch 5."""
    data, found = digits(seed), {}
    for name in ("constant", "annealed"):
        torch.manual_seed(seed)
        model = deep("tanh", 2)
        optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
        schedule = InverseDecay(optimizer, tau=5) if name == "annealed" else None
        found[name] = fit(model, data.x, data.target, optimizer, 25, seed=seed, size=16, schedule=schedule)[-1]
    return found


def rare(seed: int) -> Numbers:
    """2.6: accuracy in per cent on test words with one to three training occurrences, with AdaGrad and with SGD, at the
    best of three learning rates each."""
    data, found = words(seed), {}
    seen = data.counts[data.test_windows[:, 2]]
    few = (seen >= 1) & (seen <= 3)
    makers: dict[str, list[Callable[[nn.Module], torch.optim.Optimizer]]] = {
        "SGD": [lambda m, lr=lr: torch.optim.SGD(m.parameters(), lr=lr) for lr in (0.03, 0.3, 1.0)],  # type: ignore[misc]
        "AdaGrad": [lambda m, lr=lr: AdaGrad(m.parameters(), lr=lr) for lr in (0.02, 0.05, 0.1)],  # type: ignore[misc]
    }
    for name, candidates in makers.items():
        best = 0.0
        for make in candidates:
            torch.manual_seed(seed)
            model = WindowClassifier(data.V, 2, 50, 5, 50, sparse=True)
            fit(model, data.windows, data.target, make(model), 4, seed=seed, size=64)
            best = max(best, accuracy(model, data.test_windows[few], data.test_target[few]))
        found[name] = best
    return found
