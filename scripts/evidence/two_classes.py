"""Figure 1's two classes, and training a classifier on them."""

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from cs224d_l3 import UNITS, AdaGrad, InverseDecay, Layer, init_xavier, softmax_cross_entropy, weight_matrices


def interleaved(n: int = 240) -> tuple[Tensor, Tensor]:
    """Two interleaved half circles with noise: points and their classes."""
    generator = torch.Generator().manual_seed(4)
    angle = torch.rand(n, generator=generator) * torch.pi
    noise = 0.16 * torch.randn(n, 2, generator=generator)
    target = torch.arange(n) % 2
    upper = torch.stack([angle.cos(), angle.sin()], 1)
    x = torch.where(target[:, None] == 0, upper, torch.stack([1 - angle.cos(), 0.45 - angle.sin()], 1))
    return x + noise, target


def accuracy(model: nn.Module, x: Tensor, target: Tensor) -> float:
    """Per cent of the points that are classified right."""
    return 100 * float((model(x).argmax(1) == target).double().mean())


def train_classifier(model: nn.Module, x: Tensor, target: Tensor, steps: int = 600) -> float:
    """Full-batch training; returns the training accuracy in per cent."""
    optimizer = AdaGrad(model.parameters(), lr=0.3)
    for _ in range(steps):
        optimizer.zero_grad()
        softmax_cross_entropy(model(x), target).backward()
        optimizer.step()
    return accuracy(model, x, target)


# ------------------------------------------------------------------------------------ with choices to make

TAU = 100  # the step from which the annealed rate falls
RULES: dict[str, Callable[[list[nn.Parameter], float], Optimizer]] = {
    "SGD": lambda thetas, lr: torch.optim.SGD(thetas, lr=lr),
    "annealed": lambda thetas, lr: torch.optim.SGD(thetas, lr=lr),
    "AdaGrad": lambda thetas, lr: AdaGrad(thetas, lr=lr),
}
SCALES = {"Xavier": None, "small": 0.01, "large": 5.0, "zero": 0.0}  # standard deviations of W


class Moment(NamedTuple):
    """A classifier in training, after so many steps: J at each of them, and the accuracy now."""

    model: nn.Module
    J: list[float]
    accuracy: float

    @property
    def diverged(self) -> bool:
        """Whether J has grown over all that it was at first."""
        return not self.J[-1] <= max(1.0, 2 * self.J[0])  # nan fails every comparison


def two_layers(unit: str, hidden: int, scale: str, seed: int = 0) -> nn.Sequential:
    """2 inputs, hidden units, 2 classes; without hidden units the linear classifier."""
    torch.manual_seed(seed)
    layers = [Layer(2, hidden, UNITS[unit].f), Layer(hidden, 2, None)] if hidden else [Layer(2, 2, None)]
    model = nn.Sequential(*layers)
    init_xavier(model)
    std = SCALES[scale]
    if std is not None:
        for W in weight_matrices(model):
            nn.init.normal_(W, std=std)
    return model


def train(
    model: nn.Module, x: Tensor, target: Tensor, rule: str, lr: float, steps: int = 400, moments: int = 1
) -> Iterator[Moment]:
    """Full-batch training, seen at the start and then at as many moments, the last of them at the end.

    It ends early where J is not finite."""
    optimizer = RULES[rule](list(model.parameters()), lr)
    schedule = InverseDecay(optimizer, TAU) if rule == "annealed" else None
    J: list[float] = []
    shown = {round(steps * i / moments) for i in range(moments + 1)}
    for step in range(steps + 1):
        objective = softmax_cross_entropy(model(x), target)
        J.append(float(objective.detach()))
        if step in shown or not math.isfinite(J[-1]):
            yield Moment(model, J, accuracy(model, x, target))
        if step == steps or not math.isfinite(J[-1]):
            return
        optimizer.zero_grad()
        objective.backward()
        optimizer.step()
        if schedule is not None:
            schedule.step()
