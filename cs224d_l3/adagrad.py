r"""2.6 AdaGrad: every parameter has its own rate, the smaller the larger its gradients have been.

$$\theta_{t,i} = \theta_{t-1,i} - \frac{\alpha}{\sqrt{\epsilon + \sum_{\tau=1}^t g_{\tau,i}^2}} g_{t,i}$$

Duchi, Hazan and Singer, Adaptive subgradient methods for online learning and stochastic optimization, JMLR 2011.
"""

from collections.abc import Callable, Iterable
from typing import Any, overload

import torch
from torch import Tensor
from torch.optim import Optimizer

from ._adagrad_kernels import Batch, Kernel, Scratch, choose, gather_rows, kernels_for, put_rows
from ._adagrad_state import (
    UNGROUPED,
    StepCounts,
    check_gradients,
    check_options,
    follow_eps,
    keep_precision,
    new_state,
    restore,
)


def update(theta: Tensor, g: Tensor, G: Tensor, lr: float | Tensor) -> None:
    """One step, in place: G = G + g o g, theta = theta - lr g / sqrt(G).

    G starts at eps, which is the notes' sqrt(cache + eps) with one pass over memory less.
    """
    G += g * g
    theta -= lr * g / torch.sqrt(G)


class AdaGrad(Optimizer):
    """The notes' AdaGrad, with eps inside the root:

        G = G + g o g,    theta = theta - lr g / sqrt(G + eps).

    ``torch.optim.Adagrad`` divides by sqrt(G) + eps instead; all else is as there. A sparse gradient updates
    its rows alone, at a cost that does not depend on the others. For bfloat16 and float16 parameters G and
    the step are computed in float32. A complex parameter is two real ones.

    Args:
        params: parameters, named ones, or groups of them with options of their own.
        lr: alpha, the rate; a tensor of one element as well.
        lr_decay: the rate at step t is lr / (1 + (t - 1) lr_decay).
        weight_decay: adds weight_decay * theta to the gradient; dense gradients only.
        initial_accumulator_value: G at the start.
        eps: keeps the root from 0 where there has been no gradient.
        foreach: True takes torch's kernels for lists of tensors, False the plain formula.
        maximize: climbs instead of descending.
        differentiable: the step itself can be differentiated; plain formula.
        fused: True or None takes torch's fused kernel wherever it is safe: on the CPU, for gradients and
            parameters of one type, float32 or float64, that lie in memory alike.

    State of a parameter, which fits torch's class and back: ``step`` (), and ``sum``, G + eps, of the
    parameter's shape.

    Raises:
        ValueError: a setting that is negative or not finite, an lr of several elements; no parameters.
        TypeError: parameters that are not floating-point or complex.
        RuntimeError: options that exclude each other; from ``step``, weight decay with a sparse gradient,
            and nothing has been updated then.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor = 1e-2,
        lr_decay: float = 0,
        weight_decay: float = 0,
        initial_accumulator_value: float = 0,
        eps: float = 1e-8,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        defaults = {
            "lr": lr,
            "lr_decay": lr_decay,
            "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value,
            "eps": eps,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "fused": fused,
        }
        check_options(defaults)
        self._counts: dict[int, StepCounts] = {}  # by the group's id
        self._scratch = Scratch()
        super().__init__(params, defaults)
        if fused:
            self._step_supports_amp_scaling = True  # GradScaler then leaves unscaling and skipping to the step

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """A group with options of its own; they are checked like the constructor's."""
        check_options({**self.defaults, **param_group})
        super().add_param_group(param_group)
        group = self.param_groups[-1]
        wrong = [theta.dtype for theta in group["params"] if not (theta.is_floating_point() or theta.is_complex())]
        if wrong:
            self.param_groups.pop()
            raise TypeError(f"params must be floating-point or complex tensors, got {wrong[0]}")
        group["eps_in_sum"] = group["eps"]
        for theta in group["params"]:
            self.state[theta] = new_state(theta, group)
        self._counts[id(group)] = StepCounts([self.state[theta] for theta in group["params"]])

    @overload
    def step(self, closure: None = None) -> None: ...
    @overload
    def step(self, closure: Callable[[], float]) -> float: ...
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """One update of all parameters that have a gradient; returns what the closure returns."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            check_gradients(group)
        found_inf, scale = getattr(self, "found_inf", None), getattr(self, "grad_scale", None)
        if found_inf is not None and found_inf.item():
            return loss
        with torch.set_grad_enabled(self.defaults["differentiable"]):
            for group in self.param_groups:
                self._update(group, scale)
        return loss

    def _update(self, group: dict[str, Any], scale: Tensor | None) -> None:
        follow_eps(group, self.state)
        thetas, gs = group["params"], [theta.grad for theta in group["params"]]
        if type(None) in set(map(type, gs)):
            thetas = [theta for theta, g in zip(thetas, gs, strict=True) if g is not None]
            gs = [g for g in gs if g is not None]
        if not thetas:
            return
        states = list(map(self.state.__getitem__, thetas))
        if not all(states):
            for state, theta in zip(states, thetas, strict=True):
                if not state:
                    state.update(new_state(theta, group))
        if scale is not None:
            gs = [g / scale.to(g.device).reshape(()) for g in gs]
        self._counts.get(id(group), UNGROUPED).advance(states)
        batch, tables = gather_rows(Batch(thetas, gs, [state["sum"] for state in states]), self._scratch)
        for lr, part in _by_rate(batch, states, group):
            _update_batch(part, lr, group)
        for table, at, rows in tables:
            put_rows(table, at, rows)

    def share_memory(self) -> None:
        """Move G and the counts of steps into shared memory, for Hogwild training by several processes."""
        for state in self.state.values():
            for value in state.values():
                value.share_memory_()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load a state of this class, or of ``torch.optim.Adagrad``, whose sums have no eps in them yet.

        Raises:
            ValueError: groups or shapes that are not this optimizer's; nothing has been changed then.
        """
        handle = self.register_load_state_dict_pre_hook(keep_precision)
        try:
            super().load_state_dict(state_dict)
        finally:
            handle.remove()

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._counts = {id(group): restore(group, self.state) for group in self.param_groups}
        self._scratch = Scratch()


def _by_rate(batch: Batch, states: list[dict[str, Any]], group: dict[str, Any]) -> Iterable[tuple[Any, Batch]]:
    """The parts of a batch with one rate each: with a decay it depends on the step t, lr / (1 + (t - 1) lr_decay)."""
    lr = group["lr"].reshape(()) if isinstance(group["lr"], Tensor) else group["lr"]
    if not group["lr_decay"]:
        return [(lr, batch)]
    each = zip(states, *batch, strict=True)
    if torch.compiler.is_compiling():
        steps = [(state["step"], Batch([theta], [g], [G])) for state, theta, g, G in each]
    else:
        parts: dict[float, Batch] = {}
        for state, theta, g, G in each:
            parts.setdefault(float(state["step"]), Batch([], [], [])).append(theta, g, G)
        steps = list(parts.items())
    return [(lr / (1 + (t - 1) * group["lr_decay"]), part) for t, part in steps]


def _update_batch(batch: Batch, lr: Any, group: dict[str, Any]) -> None:
    """All at once where one kernel is right for all; else each by the quickest that is right for it."""
    settings = lr, group["weight_decay"], group["maximize"]
    kernels = kernels_for(group)
    if (kernel := choose(kernels, batch)) is not None:
        kernel(batch, *settings)
        return
    lists: dict[tuple[Kernel, torch.dtype, torch.device], Batch] = {}
    for theta, g, G in zip(*batch, strict=True):
        kernel = choose(kernels, Batch([theta], [g], [G])) if kernels else None
        if kernel is None:
            _update_any(theta, g, G, *settings)
        else:
            lists.setdefault((kernel, theta.dtype, theta.device), Batch([], [], [])).append(theta, g, G)
    for (kernel, *_), part in lists.items():
        kernel(part, *settings)


def _update_any(theta: Tensor, g: Tensor, G: Tensor, lr: Any, weight_decay: float, maximize: bool) -> None:
    """The formula for every type: real and imaginary parts apart, half precision computed in float32."""
    theta, g, G = (torch.view_as_real(t.resolve_conj()) if t.is_complex() else t for t in (theta, g, G))
    g = (-g if maximize else g).to(G.dtype)
    update(theta, g + weight_decay * theta if weight_decay else g, G, lr)
