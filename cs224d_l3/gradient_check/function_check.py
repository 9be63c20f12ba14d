"""The properties of a differentiable function, at calls of one's own or at calls that hypothesis draws."""

import functools
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves, tree_map

from .._checks import check_number, check_size
from .account import Account
from .conditions import own_warnings_ignored, seeded
from .declaration import Declaration, parse
from .inputs import Inputs, standard_inputs
from .listing import name_of
from .point_check import argument_names
from .progress import Progress
from .properties import PROPERTIES
from .report import FunctionReport
from .spy import assert_spy_sees
from .stateless import Stateless

ALLOWED = ("unreduced", "dtype")
SHRINK_SECONDS = 3.0  # for the search of a smaller call, for each check that fails


def check_function(
    fn: Callable[..., Any],
    declaration: str | Mapping[str, Any] | None = None,
    reference: Callable[..., Any] | None = None,
    *,
    calls: Iterable[Any] | None = None,
    examples: int = 8,
    skip: Iterable[str] = (),
    require: Iterable[str] = (),
    allow: Iterable[str] = (),
    constants: Mapping[str, Any] | None = None,
    domains: Mapping[str, tuple[float | None, float | None]] | None = None,
    fixed: Mapping[str, Any] | None = None,
    sizes: Sequence[int] | None = None,
    make: Callable[..., Any] | None = None,
    surrogate: Callable[..., Any] | None = None,
    tolerance: float = 0.0,
    dtype: torch.dtype | None = None,
    seed: int | None = None,
    seconds: float | None = None,
    name: str | None = None,
    trace: Callable[[str, Callable[[], str]], None] | None = None,
) -> FunctionReport:
    """Checks a differentiable function: its gradients, and the other properties that its users rely on::

        def test_affine():
            check_function(affine, "x=... n, W=m n, b=m", reference=torch.nn.functional.linear)

    Hypothesis draws shapes (sizes 0 and 1 among them) and values (zeros, ties, exact kinks, tails); the same draws
    on every run. With ``calls`` the function is checked at calls of one's own instead. Every check that fails is
    reported, with the smallest call found, printed as code. The checks, by name:

    ==========================  ======================================================================================
    gradients                   against finite differences, for two sets of values of the same shapes; at a kink,
                                between the slopes of the two sides
    returned_gradients          shapes and dtypes of what ``backward`` itself returns
    incoming_gradients          (``grad_output``) linear in them; negative, zero, expanded, strided
    input_layouts               transposed, strided, offset, expanded
    subsets                     of the inputs requiring a gradient
    repeated_arguments          one tensor as two arguments
    no_mutation                 of inputs, of incoming gradients
    saving                      by save_for_backward: later changes are noticed, nothing leaks
    repetition                  same call, same result; second backward pass; interleaved calls; no_grad
    finiteness                  finite in, finite out
    precisions                  float32, bfloat16, float16
    second_order                if the function offers it; if it says that it does not, the report says so
    forward_mode                likewise
    batching                    likewise
    batched_incoming_gradients  likewise
    reference                   values and gradients of another function
    ==========================  ======================================================================================

    The report says in how many calls each check compared something, and why it did not in the others: a value that
    is not finite, a call that the function refuses, a tie or a kink gives no verdict.

    Args:
        fn: the function; its arguments are given by position, in the order of the declaration.
        declaration: shape and kind of each argument, see :mod:`cs224d_l3.gradient_check.declaration`.
        reference: another function of the same arguments, that is known to be right.
        calls: in place of a declaration: the arguments of each call, a tuple, or a dict by name. Tensors that require
            a gradient are differentiated by; everything else, nested or not, stays as it is.
        examples: calls to draw, beyond a fixed set of every kind of value and of sizes 0, 1 and square.
        skip: checks to leave out.
        require: checks that must be supported and apply: otherwise it is a failure.
        allow: "unreduced": backward leaves the sum over broadcast dimensions to autograd; "dtype": the output's dtype
            is not that of the inputs.
        constants: keyword arguments that stay the same.
        domains: lowest and highest value of an argument, where the function is not defined everywhere.
        fixed: values of some arguments, in place of draws: of any type, a function ``(shape, generator) -> value``, or
            a hypothesis strategy.
        sizes: of named dimensions, in place of 0 to 6: for code that works in tiles.
        make: makes the function's arguments, a tuple, of what is drawn.
        surrogate: the function whose gradient fn's backward pass gives, where it is not fn's own by intention.
        tolerance: of gradients that are approximate by intention, relative to the largest element.
        dtype: of the arguments, for a function of one dtype; float64 by default.
        seed: for random functions: torch's generator is set to it before every call.
        seconds: after which no check is begun; the report says what was not done.
        name: of the function, for messages.
        trace: called with the name of the check and a function that gives the call as code, before each check.

    Returns:
        a :class:`FunctionReport`.

    Raises:
        GradientCheckError: every check that fails, the smallest call found, and what is wrong. ``report`` holds the
            whole account.
        ValueError: a declaration that cannot be read or met, unknown checks, calls without a tensor that requires a
            gradient, a function that gives no floating-point tensor.
        ImportError: a declaration needs hypothesis; calls do not.
    """
    check_size("examples", examples)
    check_number("tolerance", tolerance, at_least=0)
    skip, require, allow = tuple(skip), tuple(require), frozenset(allow)
    for check in (*skip, *require):
        if check not in PROPERTIES:
            raise ValueError(f"checks are {', '.join(PROPERTIES)}, got {check!r}")
    if unknown := allow - set(ALLOWED):
        raise ValueError(f"allow must hold {' or '.join(ALLOWED)}, got {sorted(unknown)}")
    if (declaration is None) == (calls is None):
        raise ValueError("give either a declaration or calls")
    assert_spy_sees()
    name = name or name_of(fn)
    names = [p for p in PROPERTIES if p != "reference" or reference]
    report = FunctionReport(name, dict.fromkeys(names, 0), {}, skip)
    constants = constants or {}
    module = Stateless(fn) if calls is not None and isinstance(fn, nn.Module) else None
    account = Account(
        _bound(module or fn, constants, make, seed),
        fn,
        report,
        constants=constants,
        reference=_bound(reference, constants, make, seed) if reference else None,
        surrogate=_bound(surrogate, constants, make, seed) if surrogate else None,
        tolerance=tolerance,
        allow=allow | ({"dtype"} if any(isinstance(c, torch.dtype) for c in constants.values()) else set()),
        require=require,
        dtype=dtype or (torch.float64 if calls is None or module else None),
        seconds=seconds,
    )
    progress = Progress(report)
    account.tell = [progress, *([trace] if trace else [])]
    with own_warnings_ignored(), torch.random.fork_rng(enabled=seed is not None):
        try:
            if calls is not None:
                parameters = module.parameters if module else {}
                _check_given(account, [_given(call, fn, k, parameters) for k, call in enumerate(calls)])
            else:
                assert declaration is not None
                declared = parse(declaration, domains, fixed)
                if not any(a.is_differentiable for a in declared.arguments):
                    raise ValueError("declaration must hold an argument that is no index, to be differentiated by")
                account.arguments = {a.name: a for a in declared.arguments}
                _check_drawn(account, declared, examples, sizes)
            return account.finish()
        finally:
            progress.clear()


def check_call(fn: Callable[..., Any], *inputs: Any, **keywords: Any) -> FunctionReport:
    """:func:`check_function` at one call, ``fn(*inputs, **keywords)``; needs no hypothesis::

        x = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
        check_call(torch.nn.functional.layer_norm, x, [4], eps=1e-3)

    Tensors that require a gradient are differentiated by, a Module's parameters among them; everything else stays as
    it is.
    """
    return check_function(fn, calls=[_Arguments(inputs, keywords)])


class _Arguments(NamedTuple):
    positional: tuple[Any, ...]
    keywords: dict[str, Any]


def _given(call: Any, fn: Callable[..., Any], k: int, parameters: Mapping[str, Tensor]) -> Inputs:
    """A call of one's own, with a Module's parameters."""
    if not isinstance(call, tuple | list | dict):
        raise TypeError(f"calls must hold a tuple or a dict of arguments for each call, got {type(call).__name__}")
    if not isinstance(call, _Arguments):
        call = _Arguments((), call) if isinstance(call, dict) else _Arguments(tuple(call), {})
    positional, keywords = call
    names = [n if n.isidentifier() else f"x_{i}" for i, n in enumerate(argument_names(fn, len(positional)))]
    values = {**dict(zip(names, positional, strict=True)), **keywords, **parameters}
    leaves = [x for x in tree_leaves(values) if isinstance(x, Tensor)]
    if not any(x.requires_grad for x in leaves):
        raise ValueError(f"calls[{k}] must hold a tensor that requires a gradient, got none: x.requires_grad_()")
    return Inputs(values, tree_map(_scaled, values), True, frozenset([*keywords, *parameters]), f"calls[{k}]")


def _scaled(x: Any) -> Any:
    """Other values that stay symmetric, triangular, positive, below 1, sorted or masked."""
    return x.detach() * (1 - 2.0**-6) if isinstance(x, Tensor) and x.requires_grad else x


def _bound(
    fn: Callable[..., Any], constants: Mapping[str, Any], make: Callable[..., Any] | None, seed: int | None
) -> Callable[..., Any]:
    """The function of what is drawn or given."""
    fn = seeded(fn, seed) if seed is not None else fn
    if make is None:
        return functools.partial(fn, **constants)
    return lambda *drawn, **keywords: fn(*make(*drawn), **keywords, **constants)


def _check_given(account: Account, calls: Sequence[Inputs]) -> None:
    if not calls:
        raise ValueError("calls must hold at least one call, got none")
    for k, inputs in enumerate(calls):
        _note_progress(account, k, len(calls))
        account.check(inputs)


def _note_progress(account: Account, k: int, count: int) -> None:
    if account.is_over():
        account.report.unfinished = f"{k} of {count} calls within {account.seconds:g} s"


def _check_drawn(account: Account, declared: Declaration, examples: int, sizes: Sequence[int] | None) -> None:
    """The standard calls, then those that hypothesis draws; for each check that fails, the smallest call found."""
    try:
        from . import draws
    except ImportError as error:
        raise ImportError("a declaration draws its inputs with hypothesis: pip install hypothesis") from error
    own = draws.has_strategy(declared)
    standard = [] if own else standard_inputs(declared, sizes or (2, 3, 4))
    count = len(standard) + examples
    for k, inputs in enumerate(standard):
        _note_progress(account, k, count)
        account.check(inputs)
    if not account.is_over():
        draws.each(declared, examples, sizes, account.check)
    _note_progress(account, account.report.calls, count)
    for check in [*account.failing]:
        if check != "call":
            began = time.monotonic()
            draws.smallest(
                declared,
                sizes,
                lambda inputs, check=check: account.still_fails(check, inputs),  # type: ignore[misc]
                lambda began=began: time.monotonic() - began > SHRINK_SECONDS or account.is_over(),  # type: ignore[misc]
            )
