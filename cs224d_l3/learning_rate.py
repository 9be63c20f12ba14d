r"""2.5 Learning rates: scaled by the root of the fan-in (Collobert), and annealed over time.

$$\alpha_W = \frac{\alpha}{\sqrt{n}}, \qquad \alpha(t) = \frac{\alpha_0 \tau}{\max(t, \tau)}$$
"""

import math
from typing import Any

from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from ._checks import check_number
from ._parameters import Roles, parameter_roles


def fan_in_groups(module: nn.Module, lr: float, roles: Roles | None = None) -> list[dict[str, Any]]:
    r"""Parameter groups for any optimizer, with learning rate $\alpha / \sqrt{n}$ for $W \in \mathbb{R}^{m \times n}$.

    n is the fan-in, the number of inputs of a neuron; for a convolution, input channels of its group times kernel size,
    also where it is transposed. Biases, word vectors, scales and unknown parameters, which have no fan-in, have rate
    lr.

    Args:
        module: its parameters that require a gradient, each once, are grouped by rate.
        lr: $\alpha$, the rate at fan-in 1, above 0.
        roles: roles by name, as for :func:`~cs224d_l3.xavier.init_xavier`.

    Returns:
        groups ``{"params": [...], "lr": ...}``, passed to an optimizer in place of ``module.parameters()``.

    Raises:
        ValueError: an lr that is not a finite number above 0, no parameter that requires a gradient, lazy layers that
            have no shapes yet, or roles that do not fit.
    """
    check_number("lr", lr, above=0)
    groups: dict[float, list[nn.Parameter]] = {}
    for theta, role in parameter_roles(module, roles).items():
        if theta.requires_grad:
            groups.setdefault(lr / math.sqrt(max(role.fan_in, 1)), []).append(theta)
    if not groups:
        raise ValueError(
            f"module must have a parameter that requires a gradient, got {type(module).__name__} with none"
        )
    return [{"params": thetas, "lr": rate} for rate, thetas in groups.items()]


class InverseDecay(LRScheduler):
    r"""$\alpha(t) = \alpha_0 \tau / \max(t, \tau)$: constant until $t = \tau$, then proportional to 1 / t.

    t is the number of calls of ``step``; $\tau$ is in the same unit, mini-batches or epochs. Each parameter group has
    its own $\alpha_0$. Composes with torch's other schedulers.

    Args:
        optimizer: the optimizer whose rates are set.
        tau: the t from which the rate decays, above 0.
        last_epoch: -1 for a new run; to resume at t without a saved scheduler t - 1, as for torch's schedulers: the
            rate is then $\alpha(t)$, with $\alpha_0$ the ``initial_lr`` of the group, whatever its ``lr`` is.

    Raises:
        ValueError: a tau that is not a finite number above 0.
    """

    def __init__(self, optimizer: Optimizer, tau: float, last_epoch: int = -1) -> None:
        check_number("tau", tau, above=0)
        self.tau = tau
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        t = self.last_epoch
        if t > 0 and self._step_count <= 1:  # by the constructor, in a run that is resumed
            return self._get_closed_form_lr()
        # recursive, from the rate at t - 1, so that the factors of other schedulers are preserved
        factor = max(t - 1, self.tau) / max(t, self.tau) if t > 0 else 1.0
        return [group["lr"] * factor for group in self.optimizer.param_groups]

    def _get_closed_form_lr(self) -> list[Any]:
        return [lr * self.tau / max(self.last_epoch, self.tau) for lr in self.base_lrs]
