"""torch's private names, each looked up once, with a fallback.

If a release of torch lacks a name, neither the import nor a result changes, only the speed: predicates answer True (a
transform is active, a tensor is batched), so that the out-of-place formula runs; kernels become public operators.
"""

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad


def _find(path: str, fallback: Any = None) -> Any:
    """The attribute of torch at a dotted path, else the fallback."""
    found: Any = torch
    for name in path.split("."):
        found = getattr(found, name, None)
    return fallback if found is None else found


# --------------------------------------------------------------------------------- autograd and torch.func


def _true(*_: Tensor) -> bool:
    return True


# the C functions themselves, since Dynamo supports them but no wrappers of them
are_transforms_active: Callable[[], bool] = _find("_C._are_functorch_transforms_active", _true)
is_tracing: Callable[[], bool] = _find("_C._is_tracing", _true)
is_any_autocast_enabled: Callable[[], bool] = _find("_C._is_any_autocast_enabled", _true)
is_legacy_batched: Callable[[Tensor], bool] = _find("_C._functorch.is_legacy_batchedtensor", _true)

_stack = _find("_C._functorch.get_interpreter_stack")
_jvp = _find("_C._functorch.TransformType.Jvp")
_functionalize = _find("_C._functorch.TransformType.Functionalize")
_apply = vars(_find("_C._FunctionBase", object)).get("apply")


def is_transformed() -> bool:
    """Whether a compiler, ``torch.jit.trace``, a transform of ``torch.func`` or forward mode is active."""
    if torch.compiler.is_compiling() or are_transforms_active() or is_tracing():
        return True
    return getattr(forward_ad, "_current_level", 0) >= 0


def loses_gradients() -> bool:
    """Whether an active transform loses a Function's gradients: nested forward mode, or ``functionalize``."""
    if None in (_stack, _jvp, _functionalize):
        return are_transforms_active is not _true
    kinds = [level.key() for level in _stack() or ()]
    return kinds.count(_jvp) > 1 or _functionalize in kinds


def plain_apply(function: type[torch.autograd.Function]) -> Callable[..., Any]:
    """``Function.apply`` without binding the signature first, which takes longer than a small tanh."""
    return function.apply if _apply is None else _apply.__get__(None, function)


_tracing_callback: Callable[[], Any] = _find("_C._dynamo.eval_frame.get_eval_frame_callback", lambda: None)


def eagerly(f: Callable[..., Any]) -> Callable[..., Any]:
    """f, left out of compiled code; the compiler is asked only where it is at work, for importing it takes seconds."""
    disabled = functools.cache(lambda: torch.compiler.disable(f))

    @functools.wraps(f)
    def call(*args: Any) -> Any:
        return (f if _tracing_callback() is None else disabled())(*args)

    return call


# ------------------------------------------------------------------------------------------------ AdaGrad

fused_adagrad_: Callable[..., None] | None = _find("_fused_adagrad_")


def _foreach(name: str, operator: Callable[..., Tensor]) -> Callable[..., Any]:
    """torch's operator on lists of tensors; as fallback, a loop over the operator on single tensors."""

    def loop(*args: Any, **options: Any) -> list[Tensor]:
        columns = [arg if isinstance(arg, list) else [arg] * len(args[0]) for arg in args]
        return [operator(*row, **options) for row in zip(*columns, strict=True)]

    return _find(f"_foreach_{name}", loop)


foreach_neg = _foreach("neg", torch.neg)
foreach_add = _foreach("add", torch.add)
foreach_div = _foreach("div", torch.div)
foreach_sqrt = _foreach("sqrt", torch.sqrt)
foreach_mul_ = _foreach("mul_", Tensor.mul_)
foreach_sub_ = _foreach("sub_", Tensor.sub_)
foreach_addcmul_ = _foreach("addcmul_", Tensor.addcmul_)


def stored_entries(g: Tensor) -> tuple[Tensor, Tensor]:
    """Indices and values of a sparse COO tensor, uncoalesced if they can be read; as fallback, coalesced."""
    if hasattr(g, "_indices") and hasattr(g, "_values"):
        return g._indices(), g._values()
    g = g.coalesce()
    return g.indices(), g.values()
