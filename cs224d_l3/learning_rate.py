r"""2.5 Learning rates: divided by the root of the fan-in (Collobert), and annealed in time.

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
    """Parameter groups for any optimizer: the rate of a weight W in R^(m x n) is lr / sqrt(n).

    n is the fan-in, the inputs of one neuron; for a convolution, channels times kernel cells. Biases and the
    vectors of an embedding, which have no fan-in, learn at lr.

    Args:
        module: its parameters that require a gradient, each one once, are grouped by rate.
        lr: the rate at fan-in 1, above 0.

    Returns:
        groups ``{"params": [...], "lr": ...}``, to be handed to an optimizer in place of ``module.parameters()``.

    Raises:
        ValueError: lr is not a finite number above 0, or nothing in the module can be trained.
    """
    check_number("lr", lr, above=0)
    groups: dict[float, list[nn.Parameter]] = {}
    vectors = embedding_parameters(module)
    for theta in module.parameters():
        if theta.requires_grad:
            is_weight = theta.ndim >= 2 and theta.numel() and theta not in vectors
            groups.setdefault(lr / math.sqrt(theta[0].numel()) if is_weight else lr, []).append(theta)
    if not groups:
        raise ValueError(f"module must have a parameter that requires a gradient, got {type(module).__name__} without")
    return [{"params": thetas, "lr": rate} for rate, thetas in groups.items()]


class InverseDecay(LRScheduler):
    """lr(t) = lr_0 tau / max(t, tau): constant until t = tau, then falling as 1/t.

    t counts the calls of ``step``, in whatever unit tau is: batches or epochs. Works for each group from its
    own lr_0, and together with torch's other schedulers.

    Args:
        optimizer: whose rates are set.
        tau: when the rate starts to fall, above 0.
        last_epoch: t to start from; -1 for a new run.

    Raises:
        ValueError: tau is not a finite number above 0.
    """

    def __init__(self, optimizer: Optimizer, tau: float, last_epoch: int = -1) -> None:
        check_number("tau", tau, above=0)
        self.tau = tau
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        # from the rate at t - 1, so that another scheduler's factor on it stays
        t = self.last_epoch
        factor = max(t - 1, self.tau) / max(t, self.tau) if t > 0 else 1.0
        return [group["lr"] * factor for group in self.optimizer.param_groups]

    def _get_closed_form_lr(self) -> list[Any]:
        return [lr * self.tau / max(self.last_epoch, self.tau) for lr in self.base_lrs]
