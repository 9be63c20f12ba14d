r"""2.5 Learning rates: scaled by 1 / sqrt(fan-in) (Collobert), and annealed over time.

$$\alpha_W = \frac{\alpha}{\sqrt{n}}, \qquad \alpha(t) = \frac{\alpha_0 \tau}{\max(t, \tau)}$$
"""

import math
from typing import Any

from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from ._checks import check_number
from ._parameters import embedding_parameters


def fan_in_groups(module: nn.Module, lr: float) -> list[dict[str, Any]]:
    """Parameter groups for any optimizer, with learning rate lr / sqrt(n) for a weight W in R^(m x n).

    n is the fan-in, the number of inputs of a neuron; for a convolution, input channels times kernel size. Biases and
    embeddings, which have no fan-in, have rate lr.

    Args:
        module: its parameters that require a gradient, each once, are grouped by rate.
        lr: the rate at fan-in 1, above 0.

    Returns:
        groups ``{"params": [...], "lr": ...}``, passed to an optimizer in place of ``module.parameters()``.

    Raises:
        ValueError: an lr that is not a finite number above 0, or no parameter that requires a gradient.
    """
    check_number("lr", lr, above=0)
    groups: dict[float, list[nn.Parameter]] = {}
    vectors = embedding_parameters(module)
    for theta in module.parameters():
        if theta.requires_grad:
            is_weight = theta.ndim >= 2 and theta.numel() and theta not in vectors
            groups.setdefault(lr / math.sqrt(theta[0].numel()) if is_weight else lr, []).append(theta)
    if not groups:
        raise ValueError(
            f"module must have a parameter that requires a gradient, got {type(module).__name__} with none"
        )
    return [{"params": thetas, "lr": rate} for rate, thetas in groups.items()]


class InverseDecay(LRScheduler):
    """lr(t) = lr_0 tau / max(t, tau): constant until t = tau, then proportional to 1 / t.

    t is the number of calls of ``step``; tau is in the same unit, mini-batches or epochs. Each parameter group has its
    own lr_0. Composes with torch's other schedulers.

    Args:
        optimizer: the optimizer whose rates are set.
        tau: the t from which the rate decays, above 0.
        last_epoch: the initial t; -1 for a new run.

    Raises:
        ValueError: a tau that is not a finite number above 0.
    """

    def __init__(self, optimizer: Optimizer, tau: float, last_epoch: int = -1) -> None:
        check_number("tau", tau, above=0)
        self.tau = tau
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        # recursive, from the rate at t - 1, so that the factors of other schedulers are preserved
        t = self.last_epoch
        factor = max(t - 1, self.tau) / max(t, self.tau) if t > 0 else 1.0
        return [group["lr"] * factor for group in self.optimizer.param_groups]

    def _get_closed_form_lr(self) -> list[Any]:
        return [lr * self.tau / max(self.last_epoch, self.tau) for lr in self.base_lrs]
