r"""2.6 AdaGrad: every parameter has its own rate, the smaller the larger its gradients have been.

$$\theta_{t,i} = \theta_{t-1,i} - \frac{\alpha}{\sqrt{\epsilon + \sum_{\tau=1}^t g_{\tau,i}^2}} g_{t,i}$$

Duchi, Hazan and Singer, Adaptive subgradient methods for online learning and stochastic optimization, JMLR 2011.

The accumulator starts at eps instead of eps being added in every step: the same sum, and the notes' update

    G = G + g o g,    theta = theta - lr g / sqrt(G)

is then the one that torch's fused kernel makes in a single pass over memory.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import chain
from operator import attrgetter, is_
from typing import Any, NamedTuple, overload

import torch
from torch import Tensor
from torch.optim import Optimizer

from ._checks import check_number

# what torch calls the settings in its errors
_TORCHS_NAMES = {"lr": "learning rate", "eps": "epsilon value"}


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
        _check_options(defaults)
        self._steps: dict[int, tuple[Tensor, list[Tensor]]] = {}
        self._places = torch.empty(0, dtype=torch.int32)  # scratch memory of a sparse step, which starts without it
        super().__init__(params, defaults)
        if fused:
            self._step_supports_amp_scaling = True  # GradScaler then leaves unscaling and skipping to the step

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """A group with options of its own; they are checked like the constructor's."""
        _check_options({**self.defaults, **param_group})
        super().add_param_group(param_group)
        group = self.param_groups[-1]
        wrong = [theta.dtype for theta in group["params"] if not (theta.is_floating_point() or theta.is_complex())]
        if wrong:
            self.param_groups.pop()
            raise TypeError(f"params must be floating-point or complex tensors, got {wrong[0]}")
        group["eps_in_sum"] = group["eps"]
        for theta in group["params"]:
            self.state[theta] = {"step": torch.zeros((), device="cpu"), "sum": _accumulator(theta, group)}
        self._side_by_side(group)

    def _side_by_side(self, group: dict[str, Any]) -> None:
        """The counts of a group as views of one tensor, so that one addition counts a step of all."""
        states = [self.state[theta] for theta in group["params"]]
        counts = torch.stack([state["step"] for state in states]) if states else torch.zeros(0)
        views = list(counts.unbind())
        for state, view in zip(states, views, strict=True):
            state["step"] = view
        self._steps[id(group)] = counts, views

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
            _check_gradients(group)
        found_inf, scale = getattr(self, "found_inf", None), getattr(self, "grad_scale", None)
        if found_inf is not None and found_inf.item():
            return loss
        with torch.set_grad_enabled(self.defaults["differentiable"]):
            for group in self.param_groups:
                self._update(group, scale)
        return loss

    def _update(self, group: dict[str, Any], scale: Tensor | None) -> None:
        if group["eps"] != group.setdefault("eps_in_sum", group["eps"]):
            for theta in group["params"]:
                if self.state[theta]:
                    _change_eps(self.state[theta]["sum"], group["eps_in_sum"], group["eps"])
            group["eps_in_sum"] = group["eps"]
        thetas, gs = group["params"], [theta.grad for theta in group["params"]]
        if type(None) in set(map(type, gs)):
            thetas = [theta for theta, g in zip(thetas, gs, strict=True) if g is not None]
            gs = [g for g in gs if g is not None]
        states = list(map(self.state.__getitem__, thetas))
        if not all(states):
            for state, theta in zip(states, thetas, strict=True):
                if not state:
                    state.update(step=torch.zeros((), device="cpu"), sum=_accumulator(theta, group))
        if scale is not None:
            gs = [g / scale.to(g.device).reshape(()) for g in gs]
        self._count(group, states)
        updates = Updates(thetas, gs, [state["sum"] for state in states])
        lr = group["lr"].reshape(()) if isinstance(group["lr"], Tensor) else group["lr"]
        if any(map(_is_sparse, gs)):
            V = max(len(theta) for theta, g in zip(thetas, gs, strict=True) if g.is_sparse)
            if len(self._places) < V:
                self._places = torch.empty(V, dtype=torch.int32, device="cpu")
        for at, here in _by_count(group, states, updates):
            rate = lr / (1 + (at - 1) * group["lr_decay"]) if group["lr_decay"] else lr
            _update_all(here, rate, group, self._places)

    def _count(self, group: dict[str, Any], states: list[dict[str, Tensor]]) -> None:
        """One more step of each. The sum over all at once, while the counts are still the views of one tensor."""
        counts, views = self._steps.get(id(group), (None, []))
        together = len(states) == len(views) and not torch.compiler.is_compiling()
        if counts is not None and together and all(map(is_, [state["step"] for state in states], views)):
            counts += 1
        else:
            for state in states:
                state["step"] += 1

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
        handle = self.register_load_state_dict_pre_hook(_keep_precision)
        try:
            super().load_state_dict(state_dict)
        finally:
            handle.remove()

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._steps = {}
        self._places = torch.empty(0, dtype=torch.int32)
        for group in self.param_groups:
            for name, value in (("foreach", None), ("maximize", False), ("differentiable", False), ("fused", None)):
                group.setdefault(name, value)
            of_torch = "eps_in_sum" not in group
            group.setdefault("eps_in_sum", group["eps"])
            for theta in group["params"]:
                loaded = self.state.get(theta, {})
                if isinstance(step := loaded.get("step"), _Kept):
                    value = step.value
                    loaded["step"] = value.detach().clone() if isinstance(value, Tensor) else torch.tensor(float(value))
                if isinstance(G := loaded.get("sum"), _Kept):
                    loaded["sum"] = _accumulator(theta, group).copy_(G.value)
                    _change_eps(loaded["sum"], 0.0 if of_torch else group["eps"], group["eps"])
            steps = [self.state.get(theta, {}).get("step") for theta in group["params"]]
            if all(isinstance(step, Tensor) and step.is_cpu and step.ndim == 0 for step in steps):
                self._side_by_side(group)


# ------------------------------------------------------------------------------------------- the update


class Updates(NamedTuple):
    """Parameters, their gradients, and their accumulators."""

    thetas: list[Tensor]
    gs: list[Any]
    Gs: list[Tensor]


def _plain(theta: Tensor, g: Tensor, G: Tensor, lr: Any) -> None:
    """The formula; G started at eps."""
    G += g * g
    theta -= lr * g / torch.sqrt(G)


def _by_count(
    group: dict[str, Any], states: list[dict[str, Tensor]], updates: Updates
) -> Iterable[tuple[Any, Updates]]:
    """The updates by the number of their step, which only a decay of the rate looks at."""
    if not group["lr_decay"]:
        return [(None, updates)] if updates.thetas else []
    each = zip(states, *updates, strict=True)
    if torch.compiler.is_compiling():
        return [(state["step"], Updates([theta], [g], [G])) for state, theta, g, G in each]
    sets: dict[float, Updates] = {}
    for state, theta, g, G in each:
        here = sets.setdefault(float(state["step"]), Updates([], [], []))
        here.thetas.append(theta)
        here.gs.append(g)
        here.Gs.append(G)
    return sets.items()


def _update_all(updates: Updates, lr: Any, group: dict[str, Any], places: Tensor) -> None:
    """Each parameter by the quickest way that is safe for it."""
    settings = lr, group["weight_decay"], group["maximize"]
    automatic = group["foreach"] is None and group["fused"] is not False
    traced = torch.compiler.is_compiling() or group["differentiable"]
    may_fuse = not traced and (group["fused"] or automatic)
    dense = updates
    if any(map(_is_sparse, updates.gs)):
        dense = Updates([], [], [])
        for theta, g, G in zip(*updates, strict=True):
            if g.is_sparse:
                _sparse(theta, g, G, lr, group["maximize"], places)
            else:
                dense.thetas.append(theta)
                dense.gs.append(g)
                dense.Gs.append(G)
    if may_fuse and dense.thetas and _are_fusible(*dense):
        _fused(*dense, *settings)
        return
    lists: dict[Any, list[tuple[Tensor, Tensor, Tensor]]] = {}
    for theta, g, G in zip(*dense, strict=True):
        if may_fuse and _are_fusible([theta], [g], [G]):
            lists.setdefault((_fused, theta.dtype), []).append((theta, g, G))
        elif not traced and (group["foreach"] or (automatic and theta.is_cuda)) and _are_alike([theta], [g], [G]):
            lists.setdefault((_foreach, theta.dtype, theta.device), []).append((theta, g, G))
        else:
            _dense(theta, g, G, *settings)
    for (run, *_), alike in lists.items():
        run(*map(list, zip(*alike, strict=True)), *settings)


def _dense(theta: Tensor, g: Tensor, G: Tensor, lr: Any, weight_decay: float, maximize: bool) -> None:
    """The plain formula; real and imaginary parts apart, half precision computed in float32."""
    theta, g, G = (torch.view_as_real(t.resolve_conj()) if t.is_complex() else t for t in (theta, g, G))
    g = (-g if maximize else g).to(G.dtype)
    _plain(theta, g + weight_decay * theta if weight_decay else g, G, lr)


def _sparse(theta: Tensor, g: Tensor, G: Tensor, lr: Any, maximize: bool, places: Tensor) -> None:
    """The rows that the gradient holds, gathered, updated and put back; rows held twice are summed before."""
    if g.is_cpu and g.sparse_dim() == 1:
        at, values = g._indices()[0], g._values().to(G.dtype)
        at, values = (at, values) if g.is_coalesced() else _distinct(at, values, places)
    else:
        g = g.to(G.dtype).coalesce()
        at, values = g._indices(), g._values()
        at = at[0] if len(at) == 1 else at
    if not len(values):
        return
    if at.ndim > 1:
        rows = [theta[tuple(at)]], [values], [G[tuple(at)]]
    else:
        rows = [theta.index_select(0, at)], [values], [G.index_select(0, at)]
    if _are_fusible(*rows):
        _fused(*rows, lr, 0.0, maximize)
    else:
        _dense(rows[0][0], values, rows[2][0], lr, 0.0, maximize)
    for whole, (part,) in ((theta, rows[0]), (G, rows[2])):
        if at.ndim > 1:
            whole[tuple(at)] = part
        elif _is_pairwise(whole) and _is_pairwise(part):
            whole.view(torch.float64).index_copy_(0, at, part.view(torch.float64))
        else:
            whole.index_copy_(0, at, part)


def _distinct(at: Tensor, values: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
    """Every row once, with the sum of its values.

    Each entry writes its place down at its row, and the last one to do so stands for the row: no sort, and of the
    places, V of them, only those that were just written are read.
    """
    here = torch.arange(len(at), dtype=torch.int32, device=at.device)
    last = places.scatter_(0, at, here).gather(0, at)
    stands = last == here
    if stands.all():
        return at, values
    kept, others = stands.nonzero().squeeze(1), stands.logical_not().nonzero().squeeze(1)
    place = last.index_copy(0, kept, here[: len(kept)])  # among those kept; read only where an entry stands for a row
    sums = values.index_select(0, kept)
    sums.index_add_(0, place.index_select(0, last.index_select(0, others)), values.index_select(0, others))
    return at.index_select(0, kept), sums


def _is_pairwise(t: Tensor) -> bool:
    """Whether rows can be copied two numbers at a time, as numbers of twice the width: quicker by a third."""
    return (
        t.dtype == torch.float32
        and t.is_cpu
        and t.ndim > 1
        and t.shape[-1] % 2 == 0
        and t.storage_offset() % 2 == 0
        and t.is_contiguous()
    )


def _fused(
    thetas: list[Tensor], gs: list[Tensor], Gs: list[Tensor], lr: Any, weight_decay: float, maximize: bool
) -> None:
    """The formula in one pass over memory. The kernel also reads a step, for a decay of the rate, here 0; and adds
    an eps to the root, here the smallest there is, which shows only where somebody has set G to 0."""
    steps, eps = [torch.ones((), device="cpu")] * len(thetas), torch.finfo(thetas[0].dtype).tiny
    torch._fused_adagrad_(
        thetas, gs, Gs, steps, lr=float(lr), lr_decay=0.0, weight_decay=weight_decay, eps=eps, maximize=maximize
    )


def _foreach(
    thetas: list[Tensor], gs: list[Tensor], Gs: list[Tensor], lr: Any, weight_decay: float, maximize: bool
) -> None:
    """The formula for a list of tensors at a time."""
    if maximize:
        gs = list(torch._foreach_neg(gs))
    if weight_decay:
        gs = list(torch._foreach_add(gs, thetas, alpha=weight_decay))
    torch._foreach_addcmul_(Gs, gs, gs)
    steps = torch._foreach_div(gs, torch._foreach_sqrt(Gs))
    torch._foreach_mul_(steps, lr)
    torch._foreach_sub_(thetas, steps)


def _are_alike(thetas: list[Tensor], gs: list[Tensor], Gs: list[Tensor]) -> bool:
    """Whether all are plain tensors of one real type."""
    return (
        {*map(type, thetas), *map(type, gs)} <= {Tensor, torch.nn.Parameter}
        and len(set(map(_dtype, chain(thetas, gs, Gs)))) == 1
        and not thetas[0].is_complex()
    )


def _are_fusible(thetas: list[Tensor], gs: list[Tensor], Gs: list[Tensor]) -> bool:
    """Whether torch's kernel, which looks at neither sizes nor strides, is right: all alike, without gaps."""
    if (
        thetas[0].dtype not in (torch.float32, torch.float64)
        or not all(map(_is_cpu, thetas))
        or not _are_alike(thetas, gs, Gs)
        or not (list(map(Tensor.numel, thetas)) == list(map(Tensor.numel, gs)) == list(map(Tensor.numel, Gs)))
    ):
        return False
    if all(map(Tensor.is_contiguous, chain(thetas, gs, Gs))):  # a sparse gradient is not
        return True
    channels_last = {"memory_format": torch.channels_last}
    return (
        len(thetas) == 1 and thetas[0].ndim == 4 and all(t[0].is_contiguous(**channels_last) for t in (thetas, gs, Gs))
    )


_dtype, _is_cpu, _is_sparse = attrgetter("dtype"), attrgetter("is_cpu"), attrgetter("is_sparse")


# --------------------------------------------------------------------------------------------- the state


def _wide(dtype: torch.dtype) -> torch.dtype:
    """The accumulator's type: at least single precision, which goes on growing where bfloat16 stalls at 256."""
    return dtype if dtype.itemsize >= 4 and dtype != torch.complex32 else torch.promote_types(dtype, torch.float32)


def _accumulator(theta: Tensor, group: dict[str, Any]) -> Tensor:
    """G at the start; never 0, so that no gradient is no move at eps = 0 as well."""
    dtype = _wide(theta.dtype)
    start = max(group["initial_accumulator_value"] + group["eps"], torch.finfo(dtype).tiny)
    value = complex(start, start) if theta.is_complex() else start
    return torch.full_like(theta, value, dtype=dtype, memory_format=torch.preserve_format, requires_grad=False)


def _change_eps(G: Tensor, old: float, new: float) -> None:
    real = torch.view_as_real(G) if G.is_complex() else G
    with torch.no_grad():
        real.add_(new - old).clamp_(min=max(new, torch.finfo(real.dtype).tiny))


@dataclass(frozen=True)
class _Kept:
    """A value that Optimizer.load_state_dict is not to cast to the parameter's type."""

    value: Any


def _keep_precision(optimizer: Optimizer, state_dict: dict[str, Any]) -> dict[str, Any]:
    saved = [(i, group) for group in state_dict["param_groups"] for i in group["params"]]
    own = [theta for group in optimizer.param_groups for theta in group["params"]]
    for (i, _), theta in zip(saved, own, strict=False):
        G = state_dict["state"].get(i, {}).get("sum")
        if G is not None and G.shape != theta.shape:
            raise ValueError(
                f"state_dict must hold sums of the shapes of the parameters, {tuple(theta.shape)} for parameter {i}, "
                f"got {tuple(G.shape)}"
            )
    state = {
        i: {key: _Kept(value) if key in ("step", "sum") else value for key, value in values.items()}
        for i, values in state_dict["state"].items()
    }
    return {**state_dict, "state": state}


def _check_options(options: dict[str, Any]) -> None:
    for name in ("lr", "lr_decay", "weight_decay", "initial_accumulator_value", "eps"):
        value = options[name]
        if isinstance(value, Tensor) and name == "lr":
            if value.numel() != 1:
                raise ValueError(f"Tensor lr must be 1-element, got shape {tuple(value.shape)}")
            if not value.is_cpu:  # to look at it would wait for the GPU
                continue
            value = value.item()
        try:
            check_number(name, value, at_least=0)
        except ValueError as error:
            raise ValueError(f"Invalid {_TORCHS_NAMES.get(name, f'{name} value')}: {value}; {error}") from None
    if options["fused"] and options["differentiable"]:
        raise RuntimeError("`fused` does not support `differentiable`: leave one of the two out")
    if options["fused"] and options["foreach"]:
        raise RuntimeError("`fused` and `foreach` cannot be `True` together: leave one of the two out")


def _check_gradients(group: dict[str, Any]) -> None:
    """What a step cannot do is refused before it has begun."""
    if not (group["weight_decay"] or group["fused"]):
        return
    for theta in group["params"]:
        if theta.grad is None:
            continue
        if group["weight_decay"] and theta.grad.is_sparse:
            raise RuntimeError(
                f"weight_decay must be 0 for a parameter with sparse gradients, got {group['weight_decay']}"
            )
        if group["fused"] and theta.device.type not in ("cpu", "cuda"):
            raise RuntimeError(
                "`fused=True` requires all the params to be floating point Tensors of supported devices, cpu and cuda, "
                f"got {theta.dtype} on {theta.device.type}"
            )
