"""Steps of AdaGrad, to compare with each other."""

from typing import Any

import torch
from torch import Tensor, nn

from cs224d_l3 import AdaGrad
from helpers import normal

WAYS: list[dict[str, Any]] = [{}, {"fused": True}, {"foreach": True}, {"foreach": False}, {"fused": False}]


def notes(theta: Tensor, gradients: list[Tensor], lr: float, eps: float = 1e-8, start: float = 0.0) -> Tensor:
    G = torch.full_like(theta, start)
    for g in gradients:
        G = G + g**2
        theta = theta - lr * g / torch.sqrt(G + eps)
    return theta


def run(theta: Tensor, gradients: list[Tensor], **settings: Any) -> Tensor:
    theta = nn.Parameter(theta.clone())
    optimizer = AdaGrad([theta], **settings)
    for g in gradients:
        theta.grad = g
        optimizer.step()
    return theta.detach()


def sparse(g: Tensor, rows: Tensor) -> Tensor:
    """Those rows of g, each in two halves: an uncoalesced sparse gradient."""
    return torch.sparse_coo_tensor(rows.repeat(2)[None], (g[rows] / 2).repeat(2, 1), g.shape, check_invariants=False)


def net() -> nn.Module:
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 1))


def descend(model: nn.Module, optimizer: Any, step: Any = None, scheduler: Any = None) -> list[Tensor]:
    x = normal(8, 4, dtype=torch.float32, grad=False)
    for _ in range(5):
        optimizer.zero_grad()
        model(x).square().sum().backward()
        (step or optimizer.step)()
        if scheduler is not None:
            scheduler.step()
    return [theta.detach() for theta in model.parameters()]


def layouts(t: Tensor) -> list[Tensor]:
    """The same numbers: contiguous, transposed in memory, with gaps."""
    return [t.clone(), t.mT.contiguous().mT, torch.stack([t, t], -1)[..., 0]]
