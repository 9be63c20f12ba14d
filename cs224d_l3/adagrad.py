r"""2.6 AdaGrad: a learning rate per parameter, decreasing with its accumulated squared gradients.

$$\theta_{t,i} = \theta_{t-1,i} - \frac{\alpha}{\sqrt{\epsilon + \sum_{\tau=1}^t g_{\tau,i}^2}} g_{t,i}$$

Duchi, Hazan and Singer, Adaptive subgradient methods for online learning and stochastic optimization, JMLR 2011.
"""

from collections.abc import Callable, Iterable
from operator import attrgetter
from typing import Any, overload

import torch
from torch import Tensor
from torch.optim import Optimizer

from ._adagrad_kernels import Batch, Kernel, Layout, Scratch, choose, gather_rows, is_sparse, kernels_for, put_rows
from ._adagrad_state import (
    UNGROUPED,
    StepCounts,
    check_gradients,
    check_options,
    follow_eps,
    new_state,
    prevent_casts,
    restore,
)
from ._torch import eagerly

_grad = attrgetter("grad")


def update(theta: Tensor, g: Tensor, G: Tensor, lr: float | Tensor) -> None:
    r"""One step, in place: $G \leftarrow G + g \circ g$, $\theta \leftarrow \theta - \alpha g / \sqrt{G}$.

    G is initialised to $\epsilon$: equal to the notes' ``sqrt(cache + eps)``, with one pass over memory less.
    """
    G += g * g
    theta -= lr * g / torch.sqrt(G)


class AdaGrad(Optimizer):
    r"""The notes' AdaGrad, with $\epsilon$ inside the root:

    $$G \leftarrow G + g \circ g, \qquad \theta \leftarrow \theta - \frac{\alpha}{\sqrt{G + \epsilon}} \circ g$$

    Otherwise as ``torch.optim.Adagrad``, which divides by $\sqrt{G} + \epsilon$. A sparse gradient updates only its
    rows, at a cost independent of the number of other rows. For bfloat16 and float16 parameters G and the step are
    float32. A complex parameter is treated as two real ones.

    Args:
        params: parameters, (name, parameter) pairs, or parameter groups with their own options.
        lr: $\alpha$, the learning rate; a number or a 1-element tensor.
        lr_decay: $\gamma$; the rate at step t is $\alpha / (1 + (t - 1) \gamma)$.
        weight_decay: $\lambda$; adds $\lambda \theta$ to the gradient; dense gradients only.
        initial_accumulator_value: initial G.
        eps: $\epsilon$, added to G inside the root.
        foreach: True for torch's kernels on lists of tensors, False for the plain formula.
        maximize: gradient ascent.
        differentiable: make the step differentiable; plain formula.
        fused: True or None for torch's fused kernel wherever it is valid: on the CPU, with parameters, gradients and
            accumulators of one dtype, float32 or float64, and one dense layout.

    State per parameter, compatible with torch's class in both directions: ``step`` (), and ``sum``, $G + \epsilon$, of
    the parameter's shape.

    Raises:
        ValueError: an option that is negative or not finite, an lr of several elements, no parameters.
        TypeError: parameters that are neither floating-point nor complex.
        RuntimeError: incompatible options; from ``step``, before any update, weight decay with a sparse gradient.
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
        self._counts: dict[int, StepCounts] = {}  # by id(group)
        self._eps_in_sum: dict[int, float] = {}
        self._layouts: dict[int, Layout] = {}
        self._scratch = Scratch()
        super().__init__(params, defaults)
        if fused:
            self._step_supports_amp_scaling = True  # GradScaler leaves unscaling and skipping to step

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a parameter group; its options are checked like the constructor's."""
        check_options({**self.defaults, **param_group})
        super().add_param_group(param_group)
        group = self.param_groups[-1]
        wrong = [theta.dtype for theta in group["params"] if not (theta.is_floating_point() or theta.is_complex())]
        if wrong:
            self.param_groups.pop()
            raise TypeError(f"params must be floating-point or complex tensors, got {wrong[0]}")
        self._eps_in_sum[id(group)] = group["eps"]
        for theta in group["params"]:
            self.state[theta] = new_state(theta, group)
        self._counts[id(group)] = StepCounts([self.state[theta] for theta in group["params"]])

    @overload
    def step(self, closure: None = None) -> None: ...
    @overload
    def step(self, closure: Callable[[], float]) -> float: ...
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """One update of all parameters that have a gradient; returns the closure's loss."""
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
        follow_eps(group, self.state, self._eps_in_sum)
        thetas, gs = group["params"], list(map(_grad, group["params"]))
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
        batch = Batch(thetas, gs, [state["sum"] for state in states])
        if any(map(is_sparse, gs)):
            _update_rows(batch, states, group, self._scratch)
        else:
            _update_dense(batch, states, group, self._layouts.setdefault(id(group), Layout()))

    def share_memory(self) -> None:
        """Move ``sum`` and ``step`` into shared memory, for Hogwild training by several processes."""
        for state in self.state.values():
            for value in state.values():
                value.share_memory_()

    def state_dict(self) -> dict[str, Any]:
        """The state, which ``torch.optim.Adagrad`` loads too: options by group, ``step`` and ``sum`` by parameter."""
        self._follow_eps()
        return super().state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load a state_dict of this class, or of ``torch.optim.Adagrad``, to whose sums eps is added.

        Sums with an element below eps are taken for those of torch's class.

        Raises:
            ValueError: the state of another optimizer, or of other groups or shapes; nothing is changed.
        """
        handle = self.register_load_state_dict_pre_hook(prevent_casts)
        try:
            super().load_state_dict(state_dict)
        finally:
            handle.remove()

    def _follow_eps(self) -> None:
        for group in self.param_groups:
            follow_eps(group, self.state, self._eps_in_sum)

    def __getstate__(self) -> dict[str, Any]:
        self._follow_eps()
        return super().__getstate__()

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._counts = {id(group): restore(group, self.state) for group in self.param_groups}
        self._eps_in_sum = {id(group): group["eps"] for group in self.param_groups}
        self._scratch, self._layouts = Scratch(), {}


def _update_dense(batch: Batch, states: list[dict[str, Any]], group: dict[str, Any], known: Layout | None) -> None:
    for lr, part in _by_rate(batch, states, group):
        _update_batch(part, lr, group, known)


@eagerly  # a sparse gradient cannot be traced
def _update_rows(batch: Batch, states: list[dict[str, Any]], group: dict[str, Any], scratch: Scratch) -> None:
    """Of a sparse gradient the rows that it holds are updated, and put back."""
    batch, tables = gather_rows(batch, scratch)
    _update_dense(batch, states, group, None)
    for table, index, rows in tables:
        put_rows(table, index, rows)


def _by_rate(batch: Batch, states: list[dict[str, Any]], group: dict[str, Any]) -> Iterable[tuple[Any, Batch]]:
    """The batch split by learning rate lr / (1 + (t - 1) lr_decay), where t is the parameter's own step count."""
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


def _update_batch(batch: Batch, lr: Any, group: dict[str, Any], known: Layout | None) -> None:
    """One kernel for the whole batch if one is valid for it; else the fastest valid kernel for each tensor."""
    settings = lr, group["weight_decay"], group["maximize"]
    kernels = kernels_for(group)
    if (kernel := choose(kernels, batch, known)) is not None:
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
    """The plain formula for every dtype: complex as real and imaginary parts, half precision in float32."""
    theta, g, G = (torch.view_as_real(t.resolve_conj()) if t.is_complex() else t for t in (theta, g, G))
    g = (-g if maximize else g).to(G.dtype)
    update(theta, g + weight_decay * theta if weight_decay else g, G, lr)
