"""Conformance of the hand-written Functions with torch's operators: every transform, type and memory layout.

The reference is torch's operator in float64 on the same values. Errors are in units of the machine epsilon of the type,
relative to the largest reference value if that exceeds 1: an error of 1 is one rounding.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.func import grad, hessian, jacfwd, jacrev, jvp, vmap

from .operations import OPERATIONS, Call, sample

DTYPES = (torch.float64, torch.float32, torch.bfloat16, torch.float16)

# --------------------------------------------------------------------------------------------- transforms


def _cotangent(out: Tensor, layout: str = "contiguous", phase: float = 0.0) -> Tensor:
    """Incoming gradient: shaped like the output, of both signs, in the memory layout of the inputs."""
    angles = torch.arange(out.numel(), dtype=torch.float64, device=out.device) + phase
    values = angles.cos().reshape(out.shape).to(out.dtype)
    if layout == "expanded" and out.ndim:
        return values[:1].expand(out.shape)
    if layout in ("strided", "transposed") and out.ndim:
        return values.repeat_interleave(2, -1)[..., ::2]
    return values


def forward(f: Call, x: Sequence[Tensor], layout: str) -> list[Tensor]:
    return [f(*x)]


def backward(f: Call, x: Sequence[Tensor], layout: str) -> list[Tensor]:
    out = f(*x)
    return list(torch.autograd.grad(out, x, _cotangent(out, layout)))


def second_order(f: Call, x: Sequence[Tensor], layout: str) -> list[Tensor]:
    out = f(*x)
    v = _cotangent(out, layout).requires_grad_()
    first = torch.autograd.grad(out, x, v, create_graph=True)
    total = torch.stack([(g * _cotangent(g, phase=2)).sum() for g in first]).sum()
    return list(torch.autograd.grad(total, [*x, v], materialize_grads=True))


def forward_mode(f: Call, x: Sequence[Tensor], layout: str) -> list[Tensor]:
    with forward_ad.dual_level():
        dual = [forward_ad.make_dual(t, _cotangent(t, phase=i)) for i, t in enumerate(x)]
        tangent = forward_ad.unpack_dual(f(*dual)).tangent
    return [tangent]


def func_jvp(f: Call, x: Sequence[Tensor], layout: str) -> list[Tensor]:
    return [jvp(f, tuple(x), tuple(_cotangent(t, phase=i) for i, t in enumerate(x)))[1]]


def func_vmap(f: Call, x: Sequence[Tensor], layout: str) -> list[Tensor]:
    """vmap over all arguments, each along a different dimension, and over the first argument only."""
    x = [t.detach() for t in x]
    dims = tuple(i % (t.ndim + 1) for i, t in enumerate(x))
    stacked = [torch.stack([t, -t, 2 * t], dim) for t, dim in zip(x, dims, strict=True)]
    alone = vmap(f, (0, *(None for _ in x[1:])))(torch.stack([x[0], -x[0]]), *x[1:])
    return [vmap(f, dims)(*stacked), alone]


def vmap_grad(f: Call, x: Sequence[Tensor], layout: str) -> list[Tensor]:
    def gradients(*t: Tensor) -> tuple[Tensor, ...]:
        out, pull, *_ = torch.func.vjp(f, *t)
        return tuple(pull(_cotangent(out)))

    x = [t.detach() for t in x]
    return list(vmap(gradients)(*(torch.stack([t, -t]) for t in x)))


def func_jacrev(f: Call, x: Sequence[Tensor], layout: str) -> list[Tensor]:
    return list(jacrev(f, tuple(range(len(x))))(*x))


def func_jacfwd(f: Call, x: Sequence[Tensor], layout: str) -> list[Tensor]:
    return list(jacfwd(f, tuple(range(len(x))))(*x))


def func_hessian(f: Call, x: Sequence[Tensor], layout: str) -> list[Tensor]:
    def scalar(*t: Tensor) -> Tensor:
        out = f(*t)
        return (out * _cotangent(out)).sum()

    rows = hessian(scalar, tuple(range(len(x))))(*x)
    return [block for row in rows for block in row]


def func_jacfwd_twice(f: Call, x: Sequence[Tensor], layout: str) -> list[Tensor]:
    """Nested forward mode, in which torch drops the tangents of a Function."""

    def scalar(t: Tensor) -> Tensor:
        out = f(t, *x[1:])
        return (out * _cotangent(out)).sum()

    return [jacfwd(jacfwd(scalar))(x[0])]


def forward_and_backward(f: Call, x: Sequence[Tensor], layout: str) -> list[Tensor]:
    out = f(*x)
    return [out, *torch.autograd.grad(out, x, _cotangent(out, layout))]


def autocast(f: Call, x: Sequence[Tensor], layout: str) -> list[Tensor]:
    with torch.autocast(x[0].device.type, torch.bfloat16):
        return forward_and_backward(f, x, layout)


EAGER: dict[str, Callable[[Call, Sequence[Tensor], str], list[Tensor]]] = {
    "forward": forward,
    "backward": backward,
    "second order": second_order,
    "forward mode": forward_mode,
    "func.jvp": func_jvp,
    "vmap": func_vmap,
    "vmap of vjp": vmap_grad,
    "jacrev": func_jacrev,
    "jacfwd": func_jacfwd,
    "hessian": func_hessian,
    "jacfwd twice": func_jacfwd_twice,
    "autocast": autocast,
}


def spacings(found: Sequence[Tensor], expected: Sequence[Tensor], dtype: torch.dtype) -> float:
    """Largest error of the tensors, in machine epsilons at max(1, largest expected value); NaN counts as infinite."""
    largest = 0.0
    for a, b in zip(found, expected, strict=True):
        assert a.shape == b.shape, (a.shape, b.shape)
        if b.numel():
            a, b = a.detach().double(), b.detach().double()
            error = float((a - b).abs().max() / b.abs().max().clamp(min=1)) / torch.finfo(dtype).eps
            largest = max(largest, error if error == error else float("inf"))
    return largest


class Error(NamedTuple):
    """Largest errors of our function and of torch's operator in the same type, against torch's in float64."""

    ours: float
    reference: float

    @property
    def ok(self) -> bool:
        """Whether our error is at most 8 roundings, or 1.5 times that of torch's operator."""
        return self.ours <= max(8.0, 1.5 * self.reference)


def measure(name: str, transform: str, dtype: torch.dtype, layout: str, device: str = "cpu") -> Error | None:
    """Error of one combination; None if torch's operator does not support it."""
    operation, run = OPERATIONS[name], EAGER[transform]
    s = sample(operation, layout, dtype, device)
    try:
        reference = run(s.of(operation.reference), s.to(dtype), layout)
    except (RuntimeError, IndexError):
        return None
    exact = forward_and_backward if transform == "autocast" else run
    expected = exact(s.of(operation.reference), s.to(torch.float64), layout)
    ours = run(s.of(operation.ours), s.to(dtype), layout)
    dtypes = [[t.dtype for t in found] for found in (ours, reference)]
    assert dtypes[0] == dtypes[1], dtypes
    precision = torch.bfloat16 if transform == "autocast" and dtype != torch.float64 else dtype
    return Error(spacings(ours, expected, precision), spacings(reference, expected, precision))


def measure_traced(name: str, how: str, backend: str = "aot_eager", device: str = "cpu") -> Error:
    """Error of the compiled or exported forward and backward pass in float32; "dynamic" reuses the graph."""
    operation, dtype = OPERATIONS[name], torch.float32
    torch._dynamo.reset()
    largest = 0.0
    if how == "compile of func":
        s = sample(operation, "contiguous", dtype, device)
        ours, expected = (func_in_compile(s.of(f), s.to(dtype), backend) for f in (operation.ours, operation.reference))
        return Error(spacings(ours, expected, dtype), 0.0)
    layouts = ["contiguous", "strided"] if how == "compile" else ["contiguous"]
    if how == "compile dynamic":
        layouts = ["contiguous", "larger"]
        compiled = torch.compile(operation.ours, fullgraph=True, dynamic=True, backend=backend)
    for layout in layouts:
        s = sample(operation, layout, dtype, device)
        x = s.to(dtype)
        expected = forward_and_backward(s.of(operation.reference), s.to(dtype), "contiguous")
        if how == "export":
            program = torch.export.export(_Wrapped(s.of(operation.ours)), tuple(x))
            ours = forward_and_backward(program.module(), x, "contiguous")
        elif how == "compile dynamic":
            with torch._dynamo.config.patch(error_on_recompile=layout != "contiguous"):
                ours = forward_and_backward(s.of(compiled), x, "contiguous")
        else:
            compiled = torch.compile(operation.ours, fullgraph=True, dynamic=False, backend=backend)
            ours = forward_and_backward(s.of(compiled), x, "contiguous")
        largest = max(largest, spacings(ours, expected, dtype))
    return Error(largest, 0.0)


TRACED = ("compile", "compile dynamic", "compile of func", "export")


def func_in_compile(f: Call, x: Sequence[Tensor], backend: str) -> list[Tensor]:
    """Second-order gradients, and vmap of gradients, compiled."""

    def squares(*t: Tensor) -> Tensor:
        return f(*(u * u for u in t)).square().sum()

    def second(*t: Tensor) -> Tensor:
        return torch.stack([g.square().sum() for g in grad(squares, every)(*t)]).sum()

    every, x = tuple(range(len(x))), [t.detach() for t in x]
    twice = torch.compile(grad(second, every), fullgraph=True, backend=backend)(*x)
    mapped = torch.compile(vmap(grad(squares, every)), fullgraph=True, backend=backend)
    return [*twice, *mapped(*(torch.stack([t, -t]) for t in x))]


class _Wrapped(torch.nn.Module):
    def __init__(self, f: Call) -> None:
        super().__init__()
        self.f = f

    def forward(self, *tensors: Tensor) -> Tensor:
        return self.f(*tensors)


def saved_bytes(f: Call, x: Sequence[Tensor], without: Sequence[Tensor] = ()) -> int:
    """Bytes that a forward pass saves for the backward pass, each storage counted once, some not at all."""
    saved: dict[int, int] = {}

    def pack(t: Tensor) -> Tensor:
        storage = t.untyped_storage()
        saved[storage.data_ptr()] = storage.nbytes()
        return t

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
        out = f(*x)
    nodes = [out.grad_fn]
    for node in nodes:  # the fused loss stores its gradients on its node
        for gradient in getattr(node, "made", None) or ():
            if gradient is not None:
                pack(gradient)
        nodes += [before for before, _ in getattr(node, "next_functions", ())]
    for t in without:
        saved.pop(t.untyped_storage().data_ptr(), None)
    return sum(saved.values())


def measure_saved(name: str) -> tuple[int, int]:
    """Bytes saved by our function and by torch's operator, float32, all inputs differentiable."""
    operation = OPERATIONS[name]
    s = sample(operation, "large", torch.float32)
    x = s.to(torch.float32)
    without = x if operation.of_parameters else ()
    ours, reference = (saved_bytes(s.of(f), x, without) for f in (operation.ours, operation.reference))
    return ours, reference
