"""The properties of a Module, by its inputs and by its parameters."""

from collections.abc import Iterable, Mapping
from typing import Any

from torch import nn

from .declaration import parse
from .function_check import check_function
from .report import FunctionReport
from .stateless import Stateless


def check_module(
    module: nn.Module,
    declaration: str | Mapping[str, Any],
    *,
    examples: int = 10,
    skip: Iterable[str] = (),
    **options: Any,
) -> FunctionReport:
    """:func:`check_function` of a Module, by its inputs and by its parameters, at the parameters it has.

    The Module itself is left as it is: the checks work on float64 copies of its parameters and buffers.

    Args:
        module: in the mode (train or eval) that is to be checked.
        declaration: of its inputs; sizes that the Module fixes are given as numbers.
        examples: as for :func:`check_function`.
        skip: likewise.
        options: likewise.

    Raises:
        ValueError: a declaration that names a parameter's name; otherwise as :func:`check_function`.
    """
    inputs, stateless = parse(declaration).arguments, Stateless(module)
    fixed = {key: p.detach().double() for key, p in stateless.parameters.items()}
    if clash := {a.name for a in inputs} & fixed.keys():
        raise ValueError(f"declaration must not use the names of parameters, got {sorted(clash)}")

    def call(*arguments: Any, **constants: Any) -> Any:
        theta = dict(zip(fixed, arguments[len(inputs) :], strict=True))
        return stateless(*arguments[: len(inputs)], **theta, **constants)

    texts = declaration if isinstance(declaration, str) else ", ".join(f"{k}={v}" for k, v in declaration.items())
    whole = ", ".join([texts, *(f"{key}={' '.join(map(str, p.shape))}" for key, p in fixed.items())])
    name = options.pop("name", type(module).__name__)
    given = {**options.pop("fixed", {}), **fixed}
    return check_function(call, whole, examples=examples, skip=skip, fixed=given, name=name, **options)
