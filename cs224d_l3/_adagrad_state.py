"""The state of AdaGrad: accumulators G + eps, step counts, state_dict loading, and the checks of options."""

from collections.abc import Mapping
from dataclasses import dataclass
from operator import is_
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from ._checks import check_number

State = dict[str, Any]

# ------------------------------------------------------------------------------------------ accumulators


def new_state(theta: Tensor, group: dict[str, Any]) -> State:
    return {"step": torch.zeros((), device="cpu"), "sum": _accumulator(theta, group)}


def _accumulator(theta: Tensor, group: dict[str, Any]) -> Tensor:
    """Initial G + eps; above 0, so that a zero gradient is a zero step also with eps = 0, and not 0 / 0.

    float32 for half precision: in bfloat16 a sum of ones stalls at 256.
    """
    dtype = theta.dtype
    if dtype.itemsize < 4 or dtype == torch.complex32:
        dtype = torch.promote_types(dtype, torch.float32)
    start = max(group["initial_accumulator_value"] + group["eps"], torch.finfo(dtype).tiny)
    value = complex(start, start) if theta.is_complex() else start
    return torch.full_like(theta, value, dtype=dtype, memory_format=torch.preserve_format, requires_grad=False)


def follow_eps(group: dict[str, Any], states: Mapping[Tensor, State], in_sum: dict[int, float]) -> None:
    """Apply a changed ``eps`` of a parameter group to its accumulators, which hold that of ``in_sum``, by id(group)."""
    old, new = in_sum.setdefault(id(group), group["eps"]), group["eps"]
    if new != old:
        for theta in group["params"]:
            if states[theta]:
                _change_eps(states[theta]["sum"], old, new)
        in_sum[id(group)] = new


def _change_eps(G: Tensor, old: float, new: float) -> None:
    real = torch.view_as_real(G) if G.is_complex() else G
    with torch.no_grad():
        real.add_(new - old).clamp_(min=max(new, torch.finfo(real.dtype).tiny))


# ------------------------------------------------------------------------------------------- step counts


class StepCounts:
    """The step counts of a parameter group as views of one tensor, so that a single addition advances all."""

    def __init__(self, states: list[State]) -> None:
        self.counts = torch.stack([state["step"] for state in states]) if states else torch.zeros(0, device="cpu")
        self.views = list(self.counts.unbind())
        for state, view in zip(states, self.views, strict=True):
            state["step"] = view

    def advance(self, states: list[State]) -> None:
        """Add 1 to these counts; one by one if they are not the whole group, or are no longer the views."""
        if (
            not torch.compiler.is_compiling()
            and len(states) == len(self.views)
            and all(map(is_, [state["step"] for state in states], self.views))
        ):
            self.counts += 1
        else:
            for state in states:
                state["step"] += 1


UNGROUPED = StepCounts([])  # for a group that was appended to param_groups directly


# ----------------------------------------------------------------------------------------------- loading


@dataclass(frozen=True)
class _NoCast:
    """A wrapper that hides a value from Optimizer.load_state_dict, which casts tensors to the parameter's dtype."""

    value: Any


def prevent_casts(optimizer: Optimizer, state_dict: dict[str, Any]) -> dict[str, Any]:
    """load_state_dict pre-hook that checks what is loaded, and wraps ``step`` and ``sum`` in _NoCast."""
    for k, group in enumerate(state_dict["param_groups"]):
        if missing := [name for name in OPTIONS if name not in group]:
            raise ValueError(
                "state_dict must be that of AdaGrad or torch.optim.Adagrad, whose groups hold"
                f" {', '.join(OPTIONS)}, got group {k} without {', '.join(missing)}"
            )
        check_options({**optimizer.defaults, **group})
    for i, values in state_dict["state"].items():
        if values and not (
            isinstance(values.get("sum"), Tensor) and isinstance(values.get("step"), Tensor | float | int)
        ):
            raise ValueError(
                "state_dict must be that of AdaGrad or torch.optim.Adagrad, with a step and a sum for each parameter,"
                f" got {', '.join(map(str, values))} for parameter {i}"
            )
    saved = [i for group in state_dict["param_groups"] for i in group["params"]]
    own = [theta for group in optimizer.param_groups for theta in group["params"]]
    for i, theta in zip(saved, own, strict=False):
        G = state_dict["state"].get(i, {}).get("sum")
        if G is not None and G.shape != theta.shape:
            raise ValueError(
                f"state_dict must hold sums of the shapes of the parameters, {tuple(theta.shape)} for parameter {i}, "
                f"got {tuple(G.shape)}"
            )
    state = {
        i: {key: _NoCast(value) if key in ("step", "sum") else value for key, value in values.items()}
        for i, values in state_dict["state"].items()
    }
    return {**state_dict, "state": state}


def restore(group: dict[str, Any], states: Mapping[Tensor, State]) -> StepCounts:
    """Complete a loaded group: missing options, unwrapped values, and eps added to the sums of torch's class."""
    for name, value in (("foreach", None), ("maximize", False), ("differentiable", False), ("fused", None)):
        group.setdefault(name, value)
    loaded = [states.get(theta, {}) for theta in group["params"]]
    sums = [state["sum"].value for state in loaded if isinstance(state.get("sum"), _NoCast)]
    eps_in_sum = group.pop("eps_in_sum", group["eps"] if all(_holds(G, group["eps"]) for G in sums) else 0.0)
    for theta, state in zip(group["params"], loaded, strict=True):
        if isinstance(step := state.get("step"), _NoCast):
            value = step.value
            state["step"] = value.detach().clone() if isinstance(value, Tensor) else torch.tensor(float(value))
        if isinstance(G := state.get("sum"), _NoCast):
            state["sum"] = _accumulator(theta, group).copy_(G.value)
            _change_eps(state["sum"], eps_in_sum, group["eps"])
    steps = [state.get("step") for state in loaded]
    are_counts = all(
        isinstance(step, Tensor) and step.is_cpu and step.ndim == 0 and not step.is_shared() for step in steps
    )
    return StepCounts(loaded) if are_counts else UNGROUPED


def _holds(G: Tensor, eps: float) -> bool:
    """Whether no element of an accumulator is below eps: then eps is in it, or too small beside it to matter."""
    real = torch.view_as_real(G) if G.is_complex() else G
    return not real.numel() or not bool((real < torch.tensor(eps, dtype=real.dtype)).any())


# ------------------------------------------------------------------------------------------------ checks

# torch's names of the options in its error messages
_TORCHS_NAMES = {"lr": "learning rate", "eps": "epsilon value"}


OPTIONS = ("lr", "lr_decay", "weight_decay", "initial_accumulator_value", "eps")


def check_options(options: dict[str, Any]) -> None:
    for name in OPTIONS:
        value = options[name]
        if isinstance(value, Tensor) and name == "lr":
            if value.numel() != 1:
                raise ValueError(f"Tensor lr must be 1-element, got shape {tuple(value.shape)}")
            if not value.is_cpu:  # a read would synchronize with the GPU
                continue
            value = value.item()
        try:
            check_number(name, value, at_least=0)
        except ValueError as error:
            raise ValueError(f"Invalid {_TORCHS_NAMES.get(name, f'{name} value')}: {value}; {error}") from None
    if options["fused"] and options["differentiable"]:
        raise RuntimeError("`fused` does not support `differentiable`: one must be left out, got True for both")
    if options["fused"] and options["foreach"]:
        raise RuntimeError("`fused` and `foreach` cannot be `True` together: one must be left out, got True for both")


def check_gradients(group: dict[str, Any]) -> None:
    """RuntimeError before any update for gradients that ``step`` does not support."""
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
