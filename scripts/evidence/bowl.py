"""A bowl to descend into: a quadratic objective of two parameters, and the paths of optimizers on it."""

from collections.abc import Callable

import torch
from torch import Tensor

START = (-4.0, 1.7)
REACH = (5.0, 3.2)  # what a picture shows of it, in theta_1 and theta_2
Maker = Callable[[list[Tensor]], torch.optim.Optimizer]


def bowl(theta: Tensor) -> Tensor:
    """Quadratic objective with a condition number of 10."""
    return 0.5 * (theta[..., 0] ** 2 + 10 * theta[..., 1] ** 2)


def descend(make: Maker, steps: int) -> Tensor:
    """Trajectory of an optimizer on the bowl, (steps + 1, 2)."""
    theta = torch.tensor(START, dtype=torch.float64, requires_grad=True)
    optimizer, path = make([theta]), [theta.detach().clone()]
    for _ in range(steps):
        optimizer.zero_grad()
        bowl(theta).backward()
        optimizer.step()
        path.append(theta.detach().clone())
    return torch.stack(path)
