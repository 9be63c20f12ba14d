"""The state of AdaGrad: accumulators with eps in them, step counts, what loading keeps, and the checks of options."""

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
    """G at the start, with eps; never 0, so that no gradient is no move at eps = 0 as well.

    float32 for half precision: a sum of ones stalls at 256 in bfloat16.
    """
    dtype = theta.dtype
    if dtype.itemsize < 4 or dtype == torch.complex32:
        dtype = torch.promote_types(dtype, torch.float32)
    start = max(group["initial_accumulator_value"] + group["eps"], torch.finfo(dtype).tiny)
    value = complex(start, start) if theta.is_complex() else start
    return torch.full_like(theta, value, dtype=dtype, memory_format=torch.preserve_format, requires_grad=False)


def follow_eps(group: dict[str, Any], states: Mapping[Tensor, State]) -> None:
    """The eps in the accumulators is the group's, also where somebody has changed that."""
    if group["eps"] != group.setdefault("eps_in_sum", group["eps"]):
        for theta in group["params"]:
            if states[theta]:
                _change_eps(states[theta]["sum"], group["eps_in_sum"], group["eps"])
        group["eps_in_sum"] = group["eps"]


def _change_eps(G: Tensor, old: float, new: float) -> None:
    real = torch.view_as_real(G) if G.is_complex() else G
    with torch.no_grad():
        real.add_(new - old).clamp_(min=max(new, torch.finfo(real.dtype).tiny))


# ------------------------------------------------------------------------------------------- step counts


class StepCounts:
    """The step counts of a group, views of one tensor: a single addition counts a step of all of them."""

    def __init__(self, states: list[State]) -> None:
        self.counts = torch.stack([state["step"] for state in states]) if states else torch.zeros(0, device="cpu")
        self.views = list(self.counts.unbind())
        for state, view in zip(states, self.views, strict=True):
            state["step"] = view

    def advance(self, states: list[State]) -> None:
        """One more step of these; one by one where they are not the whole group, or no longer the views."""
        if (
            not torch.compiler.is_compiling()
            and len(states) == len(self.views)
            and all(map(is_, [state["step"] for state in states], self.views))
        ):
            self.counts += 1
        else:
            for state in states:
                state["step"] += 1


UNGROUPED = StepCounts([])  # for a group that was put into param_groups by hand


# ----------------------------------------------------------------------------------------------- loading


@dataclass(frozen=True)
class _Kept:
    """A value that Optimizer.load_state_dict is not to cast to the parameter's type."""

    value: Any


def keep_precision(optimizer: Optimizer, state_dict: dict[str, Any]) -> dict[str, Any]:
    """The state dict with its values protected from casts; refused where shapes are not the optimizer's."""
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
        i: {key: _Kept(value) if key in ("step", "sum") else value for key, value in values.items()}
        for i, values in state_dict["state"].items()
    }
    return {**state_dict, "state": state}


def restore(group: dict[str, Any], states: Mapping[Tensor, State]) -> StepCounts:
    """Complete a loaded group: options that it lacks, protected values, and eps in the sums of torch's class."""
    for name, value in (("foreach", None), ("maximize", False), ("differentiable", False), ("fused", None)):
        group.setdefault(name, value)
    loaded_eps = group["eps"] if "eps_in_sum" in group else 0.0
    group.setdefault("eps_in_sum", group["eps"])
    loaded = [states.get(theta, {}) for theta in group["params"]]
    for theta, state in zip(group["params"], loaded, strict=True):
        if isinstance(step := state.get("step"), _Kept):
            value = step.value
            state["step"] = value.detach().clone() if isinstance(value, Tensor) else torch.tensor(float(value))
        if isinstance(G := state.get("sum"), _Kept):
            state["sum"] = _accumulator(theta, group).copy_(G.value)
            _change_eps(state["sum"], loaded_eps, group["eps"])
    steps = [state.get("step") for state in loaded]
    are_counts = all(isinstance(step, Tensor) and step.is_cpu and step.ndim == 0 for step in steps)
    return StepCounts(loaded) if are_counts else UNGROUPED


# ------------------------------------------------------------------------------------------------ checks

# what torch calls the settings in its errors
_TORCHS_NAMES = {"lr": "learning rate", "eps": "epsilon value"}


def check_options(options: dict[str, Any]) -> None:
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


def check_gradients(group: dict[str, Any]) -> None:
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
