"""2.6 AdaGrad: every parameter has its own rate, the smaller the larger its gradients have been.

Duchi, Hazan and Singer, Adaptive subgradient methods for online learning and stochastic optimization, JMLR 2011.
"""

from collections.abc import Callable, Iterable
from typing import Any, overload

import torch
from torch import Tensor
from torch.optim import Optimizer

from ._checks import check_number


class AdaGrad(Optimizer):
    """The notes' AdaGrad, with eps inside the root:

        G = G + g o g,    theta = theta - lr g / sqrt(G + eps).

    ``torch.optim.Adagrad`` divides by sqrt(G) + eps instead. A sparse gradient updates its rows alone.

    Args:
        params: parameters, or groups of them with options of their own.
        lr: alpha, the rate.
        lr_decay: the rate at step t is lr / (1 + (t - 1) lr_decay).
        weight_decay: adds weight_decay * theta to the gradient; dense gradients only.
        initial_accumulator_value: G at the start.
        eps: keeps the root from 0 where there has been no gradient.
        maximize: climbs instead of descending.

    Raises:
        ValueError: a setting that is negative or not finite; no parameters.
        RuntimeError: from ``step``, weight decay with a sparse gradient; nothing has been updated then.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-2,
        lr_decay: float = 0,
        weight_decay: float = 0,
        initial_accumulator_value: float = 0,
        eps: float = 1e-8,
        *,
        maximize: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "lr_decay": lr_decay,
            "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value,
            "eps": eps,
        }
        for name, value in defaults.items():
            check_number(name, value, at_least=0)
        super().__init__(params, {**defaults, "maximize": maximize})

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """A group with options of its own; they are checked like the constructor's."""
        for name in self.defaults:
            if name in param_group and name != "maximize":
                check_number(name, param_group[name], at_least=0)
        super().add_param_group(param_group)
        group = self.param_groups[-1]
        for theta in group["params"]:
            self.state[theta] = {
                "step": torch.tensor(0.0),
                "sum": torch.full_like(theta, group["initial_accumulator_value"], memory_format=torch.preserve_format),
            }

    @overload
    def step(self, closure: None = None) -> None: ...
    @overload
    def step(self, closure: Callable[[], float]) -> float: ...
    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """One update of all parameters that have a gradient; returns what the closure returns."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        updates = [(group, theta) for group in self.param_groups for theta in group["params"] if theta.grad is not None]
        for group, theta in updates:
            if theta.grad.is_sparse and group["weight_decay"]:
                raise RuntimeError(
                    f"weight_decay must be 0 for a parameter with sparse gradients, got {group['weight_decay']}"
                )
        for group, theta in updates:
            state = self.state[theta]
            state["step"] += 1
            lr = group["lr"] / (1 + (float(state["step"]) - 1) * group["lr_decay"])
            g = -theta.grad if group["maximize"] else theta.grad
            if g.is_sparse:
                _sparse_update(theta, g.coalesce(), state["sum"], lr, group["eps"])
            else:
                g = g + group["weight_decay"] * theta if group["weight_decay"] else g
                _dense_update(theta, g, state["sum"], lr, group["eps"])
        return loss


def _dense_update(theta: Tensor, g: Tensor, G: Tensor, lr: float, eps: float) -> None:
    G += g * g
    theta -= lr * g / torch.sqrt(G + eps)


def _sparse_update(theta: Tensor, g: Tensor, G: Tensor, lr: float, eps: float) -> None:
    """The same for the rows that g holds: gathered, updated, put back."""
    rows = tuple(g.indices())
    theta_rows, G_rows = theta[rows], G[rows]
    _dense_update(theta_rows, g.values(), G_rows, lr, eps)
    theta[rows], G[rows] = theta_rows, G_rows
