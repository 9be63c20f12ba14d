"""Hand-written Functions with one planted bug each, and correct ones, to measure the recall of gradient checkers.

Used by the tests of the checker and by compare_checkers.py. Every entry is a realistic Function with the declaration of
its arguments; its family is the type of the bug.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor


class Entry(NamedTuple):
    """A function to check, with one bug, or correct (family "correct")."""

    family: str
    name: str
    fn: Callable[..., Any]
    declaration: str


ENTRIES: list[Entry] = []


def add(family: str, name: str, fn: Callable[..., Any], declaration: str) -> None:
    ENTRIES.append(Entry(family, name, fn, declaration))


def function(forward: Callable[..., Any], backward: Callable[..., Any], **members: Any) -> Callable[..., Any]:
    """Function from its forward and its backward pass, backward(*grad_outputs, *inputs, *outputs)."""

    class Planted(torch.autograd.Function):
        @staticmethod
        def forward(*inputs: Any) -> Any:
            return forward(*inputs)

        @staticmethod
        def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
            ctx.save_for_backward(*inputs, *(output if isinstance(output, tuple) else (output,)))
            ctx.count = len(inputs)

        @staticmethod
        def backward(ctx: Any, *grad_outputs: Any) -> Any:
            saved = ctx.saved_tensors
            return backward(*grad_outputs, *saved[: ctx.count], *saved[ctx.count :])

    for name, member in members.items():
        setattr(Planted, name, member)
    return Planted.apply


def unit(
    backward: Callable[[Tensor, Tensor, Tensor], Tensor], f: Callable[[Tensor], Tensor] = torch.tanh, **m: Any
) -> Any:
    return function(f, backward, **m)


def linear(backward: Callable[..., Any], **m: Any) -> Any:
    return function(lambda x, W, b: x @ W.T + b, backward, **m)


Z, LINEAR = "z=...", "x=batch n, W=m n, b=m"
softplus, softsign = torch.nn.functional.softplus, torch.nn.functional.softsign
prime = {
    torch.tanh: lambda z, a: 1 - a * a,
    torch.sigmoid: lambda z, a: a * (1 - a),
    softsign: lambda z, a: 1 / (1 + z.abs()) ** 2,
}

# ------------------------------------------------------------------------------------- sign and factor
add("sign", "tanh with the wrong sign", unit(lambda d, z, a: -d * (1 - a * a)), Z)
add("sign", "sigmoid with 1 + a", unit(lambda d, z, a: d * a * (1 + a), torch.sigmoid), Z)
add("sign", "subtraction without the sign of b", function(torch.sub, lambda d, x, y, a: (d, d)), "x=n, y=n")
add("factor", "tanh times 1.001", unit(lambda d, z, a: 1.001 * d * (1 - a * a)), Z)
add("factor", "tanh times 2", unit(lambda d, z, a: 2 * d * (1 - a * a)), Z)
add("factor", "square without the factor 2", unit(lambda d, z, a: d * z, torch.square), Z)
add("factor", "tanh from z instead of a", unit(lambda d, z, a: d * (1 - z * z)), Z)
add(
    "factor",
    "mean squares over the wrong count",
    function(lambda z: z.square().mean(), lambda d, z, a: d * 2 * z / z.shape[0]),
    "z=batch n",
)
add("factor", "wrong only above 2", unit(lambda d, z, a: d * torch.where(z > 2, 1.01, 1.0) * (1 - a * a)), Z)
# ----------------------------------------------------------------------------------------- transposes
add("transpose", "linear, W's gradient transposed if square", linear(
    lambda d, x, W, b, z: (d @ W, (x.T @ d).reshape(W.shape), d.sum(0))), LINEAR)  # fmt: skip
add(
    "transpose",
    "matrix product, W for its transpose",
    function(lambda x, W: x @ W, lambda d, x, W, z: (d @ W, x.T @ d)),
    "x=batch n, W=n n",
)
add("transpose", "outer product, sides swapped", function(torch.outer, lambda d, x, y, z: (y @ d, d @ x)), "x=n, y=n")
# ------------------------------------------------------------------------------ reduction and broadcast
add("reduction", "linear, bias without its sum", linear(lambda d, x, W, b, z: (d @ W, d.T @ x, d)), LINEAR)
add(
    "reduction",
    "linear, bias averaged instead of summed",
    linear(lambda d, x, W, b, z: (d @ W, d.T @ x, d.mean(0))),
    LINEAR,
)
add(
    "reduction",
    "linear, bias with keepdim",
    linear(lambda d, x, W, b, z: (d @ W, d.T @ x, d.sum(0, keepdim=True))),
    LINEAR,
)
add(
    "reduction",
    "row sums, not expanded over the rows",
    function(lambda z: z.sum(1), lambda d, z, a: d[0].expand_as(z)),
    "z=batch n",
)
add(
    "broadcast",
    "scale, not summed over the batch",
    function(lambda x, w: x * w, lambda d, x, w, z: (d * w, d * x)),
    "x=batch n, w=n",
)
add("broadcast", "summed over the batch without broadcasting", function(torch.add, lambda d, x, y, z: (
    d, d.sum(0, keepdim=True).expand_as(y))), "x=batch n, y=batch n")  # fmt: skip
add("broadcast", "row scale, summed over the wrong dimension if square", function(lambda x, w: x * w[:, None], lambda d, x, w, z: (
    d * w[:, None], (d * x).sum(0) if len(w) == x.shape[1] else (d * x).sum(1))), "x=batch n, w=batch")  # fmt: skip
# --------------------------------------------------------------------------------------------- indices
add("index", "roll in the same direction", unit(lambda d, z, a: d.roll(1, -1), lambda z: z.roll(1, -1)), "z=batch n")
add("index", "cumulative sum, not reversed", unit(lambda d, z, a: d.cumsum(-1), lambda z: z.cumsum(-1)), "z=batch n")
add("index", "first row's target broadcast to all", function(
    lambda z, t: z.logsumexp(1) - z.gather(1, t[:, None])[:, 0],
    lambda d, z, t, a: (d[:, None] * (z.softmax(1) - torch.nn.functional.one_hot(t[:1].expand_as(t), z.shape[1])), None),
), "z=batch K, t=batch < K")  # fmt: skip


def _overwritten(d: Tensor, L: Tensor, i: Tensor, x: Tensor) -> tuple[Tensor, None]:
    g = torch.zeros_like(L)
    g[i] = d
    return g, None


def _averaged(d: Tensor, L: Tensor, i: Tensor, x: Tensor) -> tuple[Tensor, None]:
    g = torch.zeros_like(L).index_add(0, i, d)
    return g / torch.bincount(i, minlength=len(L)).clamp(min=1)[:, None], None


add(
    "repeated index",
    "lookup, only the last gradient of a repeated word",
    function(lambda L, i: L[i], _overwritten),
    "L=V d, i=batch < V",
)
add(
    "repeated index",
    "lookup, gradients of a repeated word averaged",
    function(lambda L, i: L[i], _averaged),
    "L=V d, i=batch < V",
)
# ----------------------------------------------------------------------------------------------- types
add("dtype", "gradient in float32", unit(lambda d, z, a: d.float() * (1 - a.float() ** 2)), Z)
add("dtype", "gradient always in float64", unit(lambda d, z, a: d.double() * (1 - a.double() ** 2)), Z)
add("dtype", "output in float32", unit(lambda d, z, a: d * (1 - a.double() ** 2), lambda z: torch.tanh(z).float()), Z)
add("dtype", "a constant of float32", unit(lambda d, z, a: d * 0.1, lambda z: z * torch.tensor(0.1)), Z)
add("dtype", "bias gradient in float32", linear(lambda d, x, W, b, z: (d @ W, d.T @ x, d.sum(0).float())), LINEAR)
# --------------------------------------------------------------------------------------------- layouts
add("layout", "view of the incoming gradient", unit(lambda d, z, a: d.view(-1).view(z.shape) * (1 - a * a)), Z)
add("layout", "view of the input", unit(lambda d, z, a: d * (1 - a * a), lambda z: z.view(-1).tanh().view(z.shape)), Z)
add("layout", "incoming gradient read as if contiguous", unit(lambda d, z, a: (
    d.as_strided(d.shape, torch.empty(d.shape).stride()) if d.untyped_storage().nbytes() >= 8 * d.numel() else d
) * (1 - a * a)), Z)  # fmt: skip
add("layout", "input read as if contiguous", unit(lambda d, z, a: d * (1 - a * a), lambda z: (
    z.as_strided(z.shape, torch.empty(z.shape).stride(), z.storage_offset()) if z.untyped_storage().nbytes() >= 8 * (z.numel() + z.storage_offset()) else z
).tanh()), Z)  # fmt: skip
# -------------------------------------------------------------------------------------------- mutation
add(
    "mutation",
    "incoming gradient overwritten",
    unit(lambda d, z, a: d.mul_(1 - a * a) if d.is_contiguous() else d * (1 - a * a)),
    Z,
)
add("mutation", "input modified in place", unit(lambda d, z, a: d, lambda z: z.add_(1.0).clone()), Z)
add("mutation", "saved input overwritten by backward", unit(lambda d, z, a: z.copy_(d * (1 - a * a)).clone()), Z)


class InState:
    """State shared between calls, which makes only later calls wrong."""

    activation: Any = None
    masks: dict[Any, Tensor] = {}  # noqa: RUF012
    calls = 0


def _by_class(d: Tensor, z: Tensor, a: Tensor) -> Tensor:
    return d * (1 - InState.activation**2)


def _on_class(z: Tensor) -> Tensor:
    InState.activation = z.tanh()
    return InState.activation.clone()


def _cached(d: Tensor, z: Tensor, a: Tensor) -> Tensor:
    return d * InState.masks.setdefault(z.shape, (z > 0).to(z.dtype))


class OnCtx(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, z: Tensor) -> Tensor:
        ctx.z = z
        return z.tanh()

    @staticmethod
    def backward(ctx: Any, d: Tensor) -> Tensor:
        return d * (1 - ctx.z.tanh() ** 2)


class OutputOnCtx(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, z: Tensor) -> Tensor:
        ctx.a = z.tanh()
        return ctx.a

    @staticmethod
    def backward(ctx: Any, d: Tensor) -> Tensor:
        return d * (1 - ctx.a**2)


class Emptied(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, z: Tensor) -> Tensor:
        ctx.rest = [z.tanh().detach()]
        return z.tanh()

    @staticmethod
    def backward(ctx: Any, d: Tensor) -> Tensor:
        return d * (1 - ctx.rest.pop() ** 2) if ctx.rest else torch.zeros_like(d)


_BUFFERS: dict[Any, Tensor] = {}


def _buffered(d: Tensor, z: Tensor, a: Tensor) -> Tensor:
    buffer = _BUFFERS.setdefault((z.shape, z.dtype), torch.empty_like(a))
    return buffer.copy_(d * (1 - a * a))


add("state", "tensor on the class, overwritten by the next call", unit(_by_class, _on_class), Z)
add("state", "mask cached by shape", unit(_cached, torch.relu), Z)
add("state", "input on ctx, not saved", OnCtx.apply, Z)
add("state", "output on ctx, not saved", OutputOnCtx.apply, Z)
add("state", "second backward pass without saved tensors", Emptied.apply, Z)
add("state", "gradient in a reused buffer", unit(_buffered), Z)
# --------------------------------------------------------------------------------------------- far tails
add("tails", "sigmoid' overflows", unit(lambda d, z, a: d * (-z).exp() / (1 + (-z).exp()) ** 2, torch.sigmoid), Z)
add("tails", "softplus' overflows", unit(lambda d, z, a: d * z.exp() / (1 + z.exp()), softplus), Z)
add(
    "tails",
    "tanh as a quotient",
    unit(lambda d, z, a: d * (1 - a * a), lambda z: (z.exp() - (-z).exp()) / (z.exp() + (-z).exp())),
    Z,
)
add(
    "tails",
    "softmax without subtracting the maximum",
    function(lambda z: z.logsumexp(1), lambda d, z, a: d[:, None] * z.exp() / z.exp().sum(1, keepdim=True)),
    "z=batch K",
)
add("tails", "norm' at zero", function(lambda z: z.norm(), lambda d, z, a: d * z / a), "z=n")
add(
    "tails",
    "softsign' is zero beyond 5",
    unit(lambda d, z, a: d * torch.where(z.abs() > 5, 0.0, 1.0) / (1 + z.abs()) ** 2, softsign),
    Z,
)
add("tails", "log1p', only for large z", unit(lambda d, z, a: d / z.clamp(min=1e-3), lambda z: z.abs().log1p()), Z)
# ------------------------------------------------------------------------------------------------ kinks
add("kinks", "relu', threshold -0.1", unit(lambda d, z, a: d * (z > -0.1), torch.relu), Z)
add("kinks", "hardtanh', threshold 1.25", unit(lambda d, z, a: d * (z.abs() < 1.25), torch.nn.functional.hardtanh), Z)
add(
    "kinks",
    "leaky relu' with another slope",
    unit(lambda d, z, a: d * torch.where(z > 0, 1.0, 0.1), lambda z: torch.where(z > 0, z, 0.01 * z)),
    Z,
)
add(
    "kinks",
    "max-margin, no margin in backward",
    function(lambda s, c: (1 + c - s).clamp(min=0), lambda d, s, c, J: (-d * (c > s), d * (c > s))),
    "s=n, c=n",
)
# ------------------------------------------------------------------------------------------------ sizes
add(
    "sizes",
    "squeezed for batch size 1",
    function(
        lambda x, w: x * w, lambda d, x, w, z: (d * w, (d * x).squeeze(0).sum(0) if len(x) > 1 else (d * x).sum(0) * 2)
    ),
    "x=batch n, w=n",
)
add("sizes", "rows in blocks of four, without the remainder", unit(lambda d, z, a: torch.cat([
    d[: len(z) // 4 * 4] * (1 - a[: len(z) // 4 * 4] ** 2), 0 * d[len(z) // 4 * 4 :]]) if len(z) > 4 else d * (1 - a * a)), "z=batch n")  # fmt: skip
add("sizes", "maximum of an empty batch", unit(lambda d, z, a: d * (1 - a * a) + 0 * z.max()), "z=batch n")
add("sizes", "0-d tensors", unit(lambda d, z, a: d * (1 - a * a) * len(z.shape) / max(1, z.ndim)), Z)
add(
    "sizes",
    "a single class",
    function(
        lambda z: z.softmax(-1), lambda d, z, a: a * (d - (d * a).sum(-1, keepdim=True)) if z.shape[-1] > 1 else d
    ),
    "z=batch K",
)
# ------------------------------------------------------------------------------------- needs_input_grad


class Swapped(torch.autograd.Function):
    """Tests needs_input_grad of the wrong input."""

    order: tuple[int, ...] = (1, 0)

    @staticmethod
    def forward(ctx: Any, x: Tensor, W: Tensor) -> Tensor:
        ctx.save_for_backward(x, W)
        return x @ W.T

    @staticmethod
    def backward(ctx: Any, d: Tensor) -> Any:
        x, W = ctx.saved_tensors
        return d @ W if ctx.needs_input_grad[1] else None, d.T @ x if ctx.needs_input_grad[0] else None


class AllOrNothing(Swapped):
    @staticmethod
    def backward(ctx: Any, d: Tensor) -> Any:
        x, W = ctx.saved_tensors
        return (d @ W, d.T @ x) if all(ctx.needs_input_grad) else (None, d.T @ x)


add("needs_input_grad", "the two swapped", Swapped.apply, "x=batch n, W=m n")
add("needs_input_grad", "x omitted if it alone needs a gradient", AllOrNothing.apply, "x=batch n, W=m n")
# ----------------------------------------------------------------------------------- incoming gradients
add("incoming", "ignored", unit(lambda d, z, a: 1 - a * a), Z)
add("incoming", "absolute value", unit(lambda d, z, a: d.abs() * (1 - a * a)), Z)
add("incoming", "negative ones dropped", unit(lambda d, z, a: d * (d > 0) * (1 - a * a)), Z)
add("incoming", "clipped at one", unit(lambda d, z, a: d.clamp(max=1.0) * (1 - a * a)), Z)
add("incoming", "mean broadcast to all", unit(lambda d, z, a: d.mean() * (1 - a * a)), Z)
add(
    "incoming",
    "first broadcast to all",
    function(lambda z: z.tanh(), lambda d, z, a: d[..., :1] * (1 - a * a)),
    "z=batch n",
)
add("incoming", "only the largest", unit(lambda d, z, a: d * (d.abs() == d.abs().amax()) * (1 - a * a)), "z=n")
add("incoming", "ignored by a loss", function(lambda z: z.square().sum() / 2, lambda d, z, a: z), Z)
add("incoming", "an additional constant", unit(lambda d, z, a: d * (1 - a * a) + 1e-3), Z)
add("outputs", "second output ignored", function(lambda z: (z.sin(), z.cos()), lambda d, e, z, s, c: d * z.cos()), Z)
add(
    "outputs",
    "first and second swapped",
    function(lambda z: (z.sin(), z.cos()), lambda d, e, z, s, c: e * z.cos() - d * z.sin()),
    Z,
)
# ------------------------------------------------------------------------------------------ second order
add("second order", "saved tensors detached", unit(lambda d, z, a: d * (1 - a.detach() ** 2)), Z)
add(
    "second order",
    "through numpy",
    unit(
        lambda d, z, a: (
            torch.from_numpy(((1 - a.detach() ** 2) * d.detach()).cpu().numpy()).to(d.dtype)
            if d.dtype != torch.bfloat16
            else d * (1 - a * a)
        )
    ),
    Z,
)
add("second order", "incoming gradient detached", unit(lambda d, z, a: d.detach() * (1 - a * a)), Z)


class WrongAgain(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, d: Tensor, a: Tensor) -> Tensor:
        ctx.save_for_backward(d, a)
        return d * (1 - a * a)

    @staticmethod
    def backward(ctx: Any, e: Tensor) -> Any:
        d, a = ctx.saved_tensors
        return e * (1 - a * a), e * d * 2 * a  # wrong sign


add("second order", "wrong in the second Function", unit(lambda d, z, a: WrongAgain.apply(d, a)), Z)
# ---------------------------------------------------------------------------------------- jvp and vmap


class Jvp(torch.autograd.Function):
    @staticmethod
    def forward(x: Tensor, y: Tensor) -> Tensor:
        return x * y

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.save_for_backward(*inputs)
        ctx.save_for_forward(*inputs)

    @staticmethod
    def backward(ctx: Any, d: Tensor) -> Any:
        x, y = ctx.saved_tensors
        return d * y, d * x

    @staticmethod
    def jvp(ctx: Any, t: Tensor, u: Tensor) -> Tensor:
        x, y = ctx.saved_tensors
        return t * y + x * u


class JvpOther(Jvp):
    @staticmethod
    def jvp(ctx: Any, t: Tensor, u: Tensor) -> Tensor:
        x, y = ctx.saved_tensors
        return t * y - x * u


class JvpOne(Jvp):
    @staticmethod
    def jvp(ctx: Any, t: Tensor, u: Tensor) -> Tensor:
        return t * ctx.saved_tensors[1]


class Vmap(Jvp):
    @staticmethod
    def vmap(info: Any, in_dims: Any, x: Tensor, y: Tensor) -> Any:
        x = x.movedim(in_dims[0], 0) if in_dims[0] is not None else x.expand(info.batch_size, *x.shape)
        y = y.movedim(in_dims[1], 0) if in_dims[1] is not None else y.expand(info.batch_size, *y.shape)
        return Vmap.apply(x, y), 0


class VmapDims(Vmap):
    @staticmethod
    def vmap(info: Any, in_dims: Any, x: Tensor, y: Tensor) -> Any:
        return VmapDims.apply(x, y), 0  # ignores in_dims


class VmapFirst(Vmap):
    @staticmethod
    def vmap(info: Any, in_dims: Any, x: Tensor, y: Tensor) -> Any:
        z, _ = Vmap.vmap(info, in_dims, x, y)
        return z[:1].expand_as(z), 0


add("jvp", "sign of the second tangent", JvpOther.apply, "x=n m, y=n m")
add("jvp", "second tangent ignored", JvpOne.apply, "x=n m, y=n m")
add("vmap", "in_dims ignored", VmapDims.apply, "x=n m, y=n m")
add("vmap", "first of the batch broadcast to all", VmapFirst.apply, "x=n m, y=n m")


class WrongUnderVmap(Jvp):
    @staticmethod
    def backward(ctx: Any, d: Tensor) -> Any:
        x, y = ctx.saved_tensors
        return VmapFirst.apply(d, y), d * x

    generate_vmap_rule = True


class Aliased(torch.autograd.Function):
    """Treats two arguments with the same storage as one."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, y: Tensor) -> Tensor:
        ctx.save_for_backward(x, y)
        ctx.one = x.data_ptr() == y.data_ptr()
        return x * y

    @staticmethod
    def backward(ctx: Any, d: Tensor) -> Any:
        x, y = ctx.saved_tensors
        return d * y, None if ctx.one else d * x


add("vmap", "wrong only in the backward pass", WrongUnderVmap.apply, "x=n m, y=n m")
add("aliasing", "one tensor for both arguments", Aliased.apply, "x=n, y=n")
# ------------------------------------------------------------------------------------------ randomness
add(
    "random",
    "noise in the output",
    unit(lambda d, z, a: d * (1 - a * a), lambda z: z.tanh() + 1e-6 * torch.randn_like(z)),
    Z,
)
add("random", "noise in the gradient", unit(lambda d, z, a: d * (1 - a * a) * (1 + 1e-9 * torch.randn_like(z))), Z)
add("random", "dropout in the gradient", unit(lambda d, z, a: d * (1 - a * a) * (torch.rand_like(z) > 0.01)), Z)

# ---------------------------------------------------------------------------------------- correct Functions
for _f, _prime in prime.items():
    add("correct", _f.__name__, unit(lambda d, z, a, p=_prime: d * p(z, a), _f), Z)
add("correct", "relu", unit(lambda d, z, a: d * (z > 0), torch.relu), Z)
add("correct", "abs", unit(lambda d, z, a: d * z.sign(), torch.abs), Z)
add("correct", "exp", unit(lambda d, z, a: d * a, torch.exp), Z)
add("correct", "linear", linear(lambda d, x, W, b, z: (d @ W, d.T @ x, d.sum(0))), LINEAR)
add("correct", "scale", function(lambda x, w: x * w, lambda d, x, w, z: (d * w, (d * x).sum(0))), "x=batch n, w=n")
add(
    "correct",
    "lookup",
    function(lambda L, i: L.index_select(0, i), lambda d, L, i, x: (torch.zeros_like(L).index_add(0, i, d), None)),
    "L=V d, i=batch < V",
)
add("correct", "cross-entropy", function(
    lambda z, t: z.logsumexp(1) - z.gather(1, t[:, None])[:, 0],
    lambda d, z, t, a: (d[:, None] * (z.softmax(1) - torch.nn.functional.one_hot(t, z.shape[1])), None),
), "z=batch K, t=batch < K")  # fmt: skip
add(
    "correct",
    "max-margin",
    function(lambda s, c: (1 + c - s).clamp(min=0), lambda d, s, c, J: (-d * (1 + c >= s), d * (1 + c >= s))),
    "s=n, c=n",
)
add("correct", "logsumexp", function(lambda z: z.logsumexp(1), lambda d, z, a: d[:, None] * z.softmax(1)), "z=batch K")
add("correct", "mean of squares", function(lambda z: z.square().sum() / 2, lambda d, z, a: d * z), Z)
add(
    "correct", "two outputs", function(lambda z: (z.sin(), z.cos()), lambda d, e, z, s, c: d * z.cos() - e * z.sin()), Z
)
add(
    "correct",
    "maximum of two",
    function(torch.maximum, lambda d, x, y, z: (d * (x > y) + d / 2 * (x == y), d * (x < y) + d / 2 * (x == y))),
    "x=n, y=n",
)
add("correct", "with jvp", Jvp.apply, "x=n m, y=n m")
add("correct", "with vmap", Vmap.apply, "x=n m, y=n m")
add("correct", "torch.prod", lambda z: z.prod(-1), "z=batch n")
add("correct", "torch.cumsum of a product", lambda x, y: (x * y).cumsum(0), "x=n m, y=n m")
add(
    "correct",
    "layer norm",
    lambda x: torch.nn.functional.layer_norm(x, x.shape[-1:]) if x.numel() else x * 1.0,
    "x=batch 5",
)
add("correct", "independent of one argument", function(lambda x, y: x * 1.0, lambda d, x, y, z: (d, None)), "x=n, y=n")
