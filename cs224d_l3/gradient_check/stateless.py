"""A Module as a function of its inputs and of its parameters."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves


class Stateless:
    """A Module as a function of its inputs and of its parameters, which are given by name. It is itself left as it is.

    Attributes:
        parameters: those that require a gradient, with "_" for "." in their names.
    """

    def __init__(self, module: nn.Module) -> None:
        self.module = module
        trained = {key: p for key, p in module.named_parameters() if p.requires_grad}
        self.frozen = {key: p for key, p in module.named_parameters() if not p.requires_grad}
        names = {key: key.replace(".", "_") for key in trained}
        self.keys = {name if name.isidentifier() else f"_{name}": key for key, name in names.items()}
        self.parameters: dict[str, Tensor] = {name: trained[key] for name, key in self.keys.items()}

    def __call__(self, *inputs: Any, **keywords: Any) -> Any:
        theta = {self.keys[key]: keywords.pop(key) for key in self.keys}
        tensors = [x for x in tree_leaves((theta, inputs, keywords)) if isinstance(x, Tensor) and x.is_floating_point()]
        dtype = tensors[0].dtype
        fixed = {**self.frozen, **dict(self.module.named_buffers())}
        copies = {key: x.detach().clone() for key, x in fixed.items()}
        copies = {key: x.to(dtype) if x.is_floating_point() else x for key, x in copies.items()}
        return torch.func.functional_call(self.module, {**theta, **copies}, inputs, keywords)
