"""The private names of torch that the package uses, each looked up once.

Where a torch has a name no more, its answer is taken to be yes: a transform is at work, a tensor is batched. That
costs speed, for the formula is then run as it stands; it costs neither the import nor a digit.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad


def _find(path: str, otherwise: Any = None) -> Any:
    """What torch has at this path, or what stands in for it."""
    found: Any = torch
    for name in path.split("."):
        found = getattr(found, name, None)
    return otherwise if found is None else found


def _yes(*_: Tensor) -> bool:
    return True


# C functions, which Dynamo knows, and not calls of them
are_transforms_active: Callable[[], bool] = _find("_C._are_functorch_transforms_active", _yes)
is_any_autocast_enabled: Callable[[], bool] = _find("_C._is_any_autocast_enabled", _yes)
is_legacy_batched: Callable[[Tensor], bool] = _find("_C._functorch.is_legacy_batchedtensor", _yes)

_stack = _find("_C._functorch.get_interpreter_stack")
_jvp = _find("_C._functorch.TransformType.Jvp")
_functionalize = _find("_C._functorch.TransformType.Functionalize")
_apply = vars(_find("_C._FunctionBase", object)).get("apply")


def is_transformed() -> bool:
    """Whether a compiler, a transform of ``torch.func``, or forward mode reads along."""
    return torch.compiler.is_compiling() or are_transforms_active() or getattr(forward_ad, "_current_level", 0) >= 0


def loses_gradients() -> bool:
    """Whether the active transforms are some that lose a Function's gradients: nested forward mode, functionalize."""
    if None in (_stack, _jvp, _functionalize):
        return are_transforms_active is not _yes
    kinds = [level.key() for level in _stack() or ()]
    return kinds.count(_jvp) > 1 or _functionalize in kinds


def plain_apply(function: type[torch.autograd.Function]) -> Callable[..., Any]:
    """``Function.apply`` that does not bind the signature first, which takes longer than a small tanh."""
    return function.apply if _apply is None else _apply.__get__(None, function)
