"""What each parameter of a module is, for 2.2, 2.4 and 2.5: a weight with its fans, a bias, a scale or a vector.

The layer that holds a parameter decides, not the number of dimensions: the scales of LayerNorm([3, 4]) are two-
dimensional, and W of ConvTranspose1d has the inputs first.
"""

import math
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd
from torch.nn.parameter import is_lazy


class Role(NamedTuple):
    """The kind of a parameter; for a weight the number of inputs of a neuron, and of outputs that an input has."""

    kind: str
    fan_in: int = 0
    fan_out: int = 0


BIAS, SCALE, VECTOR, UNKNOWN = Role("bias"), Role("scale"), Role("vector"), Role("unknown")
EMBEDDINGS = (nn.Embedding, nn.EmbeddingBag)
NORMS = (_NormBase, nn.LayerNorm, nn.GroupNorm, *filter(None, [getattr(nn, "RMSNorm", None)]))
Roles = Mapping[str, str | tuple[int, int]]


def parameter_roles(module: nn.Module, roles: Roles | None = None) -> dict[nn.Parameter, Role]:
    """The role of every parameter in a module, in the order of ``module.parameters()``.

    Parameters of torch's layers are known. Those of other modules are biases by name (``b``, ``bias...``, ``...bias``),
    weights if they are matrices named ``...weight...`` or by a capital letter, scales and vectors if their class is
    called so (``...Norm...``, ``...Embed...``) or if they extend along one dimension alone; all others are unknown.
    Where an embedding shares a parameter with another layer, it is a vector.

    Args:
        roles: roles by name or pattern (``"*.gamma"``), in place of these: "weight", "bias", "scale", "vector", or the
            pair (fan_in, fan_out) of a weight.

    Raises:
        ValueError: a parameter of a lazy layer, which has no shape yet; roles that are none, or of no parameter.
    """
    named = dict(module.named_parameters(remove_duplicate=False))
    found: dict[nn.Parameter, Role] = {}
    for part in module.modules():
        for theta, role in _roles_of(part):
            if found.get(theta, UNKNOWN) is UNKNOWN or (role is VECTOR and isinstance(part, EMBEDDINGS)):
                found[theta] = role
    for pattern, given in (roles or {}).items():
        matching = [theta for name, theta in named.items() if fnmatchcase(name, pattern)]
        if not matching:
            some = next(iter(named), "none")
            raise ValueError(f"roles must name parameters of the module, such as {some}, got {pattern!r}")
        found |= {theta: _given(pattern, given, theta) for theta in matching}
    for name, theta in named.items():
        if is_lazy(theta):
            raise ValueError(f"module must have its shapes, call it once first: {name} is a parameter of a lazy layer")
    return {theta: found[theta] for theta in module.parameters()}


def _given(pattern: str, role: Any, theta: nn.Parameter) -> Role:
    if isinstance(role, tuple) and len(role) == 2 and all(isinstance(n, int) and n > 0 for n in role):
        return Role("weight", *role)
    if role == "weight" and theta.ndim >= 2:
        return Role("weight", *fans(theta.shape))
    if role not in ("bias", "scale", "vector"):
        raise ValueError(
            "roles must be 'weight' (of two dimensions or more), 'bias', 'scale', 'vector', or the pair"
            f" (fan_in, fan_out) of a weight, got {role!r} for {pattern}, of shape {tuple(theta.shape)}"
        )
    return Role(role)


def _roles_of(part: nn.Module) -> Iterator[tuple[nn.Parameter, Role]]:
    """The roles of a module's own parameters, those of its parametrizations among them."""
    lengths = {g for g, _ in weight_norms(part)}
    for name, originals in getattr(part, "parametrizations", {}).items():
        shape = getattr(part, name).shape
        for theta in originals.parameters(recurse=False):
            yield theta, SCALE if theta in lengths or theta.shape != shape else _role(part, name, theta)
    for name, theta in part.named_parameters(recurse=False):
        yield theta, SCALE if theta in lengths else _role(part, name, theta)


def weight_norms(part: nn.Module) -> Iterator[tuple[nn.Parameter, nn.Parameter]]:
    """g and v of the weights g v / ||v|| of a module, by either of torch's ``weight_norm``."""
    for originals in getattr(part, "parametrizations", {}).values():
        if type(originals[0]).__name__ == "_WeightNorm":
            yield originals.original0, originals.original1
    hooks: Any = part._forward_pre_hooks.values()
    for hook in hooks:
        if type(hook).__name__ == "WeightNorm":
            yield getattr(part, f"{hook.name}_g"), getattr(part, f"{hook.name}_v")


def _role(part: nn.Module, name: str, theta: nn.Parameter) -> Role:
    """The role of one parameter, by the layer that holds it."""
    if isinstance(part, EMBEDDINGS) or name in ("bias_k", "bias_v"):  # the latter: a key and a value of attention
        return VECTOR
    if name == "b" or name.startswith("bias") or name.endswith("bias"):
        return BIAS
    if isinstance(part, NORMS):
        return SCALE
    if is_lazy(theta):
        return UNKNOWN
    is_weight = name.startswith("weight") or name.endswith("weight")
    if is_weight and theta.ndim >= 2 and (size := _fans_in_layer(part, name, theta.shape)):
        return Role("weight", *size)
    kind = type(part).__name__.lower()
    if "norm" in kind:
        return SCALE
    if "embed" in kind:
        return VECTOR
    if theta.ndim == 2 and (is_weight or (len(name) == 1 and name.isupper())):
        return Role("weight", *fans(theta.shape))
    return SCALE if sum(n > 1 for n in theta.shape) <= 1 else UNKNOWN


def _fans_in_layer(part: nn.Module, name: str, shape: torch.Size) -> tuple[int, int] | None:
    """Fan-in and fan-out of a weight of torch's layers, for each of the matrices that are stacked in one."""
    fan_in, fan_out = fans(shape)
    if isinstance(part, _ConvTransposeNd):  # (in, out / groups, *kernel)
        return fan_out // part.groups, fan_in
    if isinstance(part, _ConvNd):  # (out, in / groups, *kernel)
        return fan_in, fan_out // part.groups
    if isinstance(part, nn.MultiheadAttention):  # of query, key and value
        return fan_in, fan_out // 3 if name == "in_proj_weight" else fan_out
    if isinstance(part, nn.RNNBase | nn.RNNCellBase):  # of the gates; weight_hr projects
        return fan_in, fan_out if name.startswith("weight_hr") else int(part.hidden_size)
    if isinstance(part, nn.Linear | nn.Bilinear):
        return fan_in, fan_out
    if type(part).__name__ == "Conv1D" and len(shape) == 2:  # of transformers: a linear layer that holds W^T
        return fan_out, fan_in
    return None


def fans(shape: torch.Size) -> tuple[int, int]:
    """(fan_in, fan_out) of W in R^(fan_out x fan_in), or of (out, in, *kernel) with the size of the kernel."""
    cells = math.prod(shape[2:])
    return shape[1] * cells, shape[0] * cells
