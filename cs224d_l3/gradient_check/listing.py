"""A failing call as Python code that can be pasted."""

import inspect
from collections.abc import Callable, Container, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map

from .inputs import Inputs

LONGEST = 200  # elements of a tensor that is printed

# what a check does with {y} = f(...) and grad_output {v}; {x} is the first differentiable argument, {leaves} are all
ACTIONS = {
    "gradients": ["torch.autograd.grad({y}, {leaves}, {v})"],
    "returned_gradients": ["torch.autograd.grad({y}, {leaves}, {v})  # what backward itself returns"],
    "incoming_gradients": ["torch.autograd.grad({y}, {leaves}, {v})  # and for -{v}, 0 {v}, other layouts of {v}"],
    "input_layouts": ["torch.autograd.grad({y}, {leaves}, {v})  # and the same for other strides of the arguments"],
    "subsets": ["torch.autograd.grad({y}, {leaves}, {v})  # and with requires_grad of some of them alone"],
    "repeated_arguments": ["torch.autograd.grad({y}, {leaves}, {v})  # and with one tensor for both arguments"],
    "no_mutation": ["torch.autograd.grad({y}, {leaves}, {v})  # the arguments and {v} before and after"],
    "saving": [
        "{x}.detach().mul_(-0.5).add_(0.7)  # or another argument, or {y}",
        "torch.autograd.grad({y}, {leaves}, {v})",
    ],
    "repetition": [
        "torch.autograd.grad({y}, {leaves}, {v}, retain_graph=True)",
        "torch.autograd.grad({y}, {leaves}, {v})  # and with another call in between, and under torch.no_grad()",
    ],
    "finiteness": ["torch.autograd.grad({y}, {leaves}, {v})"],
    "precisions": ["torch.autograd.grad({y}, {leaves}, {v})  # and with the arguments in float32, bfloat16, float16"],
    "second_order": [
        "{v}.requires_grad_()",
        "{g} = torch.autograd.grad({y}, {leaves}, {v}, create_graph=True)",
        "torch.autograd.grad(sum(t.sum() for t in {g}), {leaves}, allow_unused=True)",
    ],
    "forward_mode": ["torch.func.jvp({name}, ({arguments}), ({arguments}))"],
    "batching": ["torch.func.vmap({name})(*(torch.stack([t, t]) for t in ({arguments})))"],
    "batched_incoming_gradients": [
        "torch.func.vmap(torch.func.vjp({name}, {arguments})[1])(torch.stack([{v}, 2 * {v}]))"
    ],
}


def name_of(fn: Callable[..., Any]) -> str:
    """ "Cube.apply", "tanh", "torch.ops.aten.sin", or the name of a class of callables."""
    owner = getattr(fn, "__self__", None)
    if isinstance(owner, type):
        return f"{owner.__qualname__.rpartition('<locals>.')[2]}.{fn.__name__}"
    if operator := getattr(fn, "_qualname", getattr(fn, "_qualified_op_name", "")):  # "aten::sin"
        return f"torch.ops.{operator.replace('::', '.')}"
    return str(getattr(fn, "__name__", type(fn).__name__))


def _defined(fn: Callable[..., Any]) -> Any:
    """What stands in a file: a Function, the implementation of a ``torch.library.custom_op``, or the function."""
    owner = getattr(fn, "__self__", None)
    return owner if isinstance(owner, type) else getattr(fn, "_init_fn", fn)


def where_defined(fn: Callable[..., Any]) -> str:
    """File and line of a function, or of a Function."""
    target = _defined(fn)
    try:
        return f"{inspect.getsourcefile(target)}:{inspect.getsourcelines(target)[1]}"
    except (TypeError, OSError):
        return ""


def import_line(fn: Callable[..., Any], name: str) -> str:
    """How to come by a function of this name, or where it is defined."""
    target, where = _defined(fn), where_defined(fn)
    module, first = getattr(target, "__module__", None), name.partition(".")[0]
    known = module and module != "__main__"
    if known and first == "torch":
        return f"import {module}" + (f"  # {where}" if where else "")
    if known and "<" not in getattr(target, "__qualname__", "<") and first.isidentifier():
        return f"from {module} import {first}" + (f"  # {where}" if where else "")
    return f"# {name} is defined at {where}" if where else f"# {name} is the function that was given"


def as_code(
    fn: Callable[..., Any],
    name: str,
    inputs: Inputs,
    differentiable: set[int],
    constants: Mapping[str, Any],
    check: str,
    v: Tensor | None,
) -> list[str]:
    """Lines of Python that make a call again, and do with it what a check does.

    Args:
        differentiable: the ids of the tensors that require a gradient.
        v: grad_output, of a function with one output.
    """
    called = name if all(part.isidentifier() for part in name.split(".")) else "fn"
    lines, leaves = ["import torch", import_line(fn, name)], []
    for key, value in inputs.values.items():
        tensors = [x for x in tree_leaves(value) if isinstance(x, Tensor)]
        if inputs.where and sum(x.numel() for x in tensors) > LONGEST:
            lines.append(f"# {key}: as in {inputs.where}")
        else:
            lines.append(f"{key} = {_literal(value, differentiable)}")
        if isinstance(value, Tensor) and id(value) in differentiable:
            leaves.append(key)
    arguments = ", ".join(key for key in inputs.values if key not in inputs.keywords)
    by_name = [f"{key}={key}" for key in inputs.values if key in inputs.keywords]
    keywords = "".join(f", {text}" for text in [*by_name, *(f"{key}={value!r}" for key, value in constants.items())])
    y, v_, g = (_unused(word, {*inputs.values, *constants}) for word in ("y", "v", "g"))
    lines.append(f"{y} = {called}({arguments}{keywords})".replace("(, ", "("))
    if v is not None and v.numel() <= LONGEST and leaves:
        lines.append(f"{v_} = {_literal(v, set())}")
        parts = {"x": leaves[0], "leaves": f"[{', '.join(leaves)}]", "name": called, "arguments": f"{arguments},"}
        parts |= {"y": y, "v": v_, "g": g}
        lines += [line.format(**parts) for line in ACTIONS.get(check, [])]
    return lines


def _unused(name: str, used: Container[str]) -> str:
    """The name, with underscores behind it until it is not that of an argument."""
    while name in used:
        name += "_"
    return name


class _Code(str):
    """Printed without quotes."""

    def __repr__(self) -> str:
        return str(self)


def _literal(value: Any, differentiable: set[int]) -> str:
    def tensor(x: Any) -> Any:
        if not isinstance(x, Tensor):
            return x
        needs = id(x) in differentiable
        if x.layout != torch.strided:
            layout = "" if x.layout == torch.sparse_coo else f"layout={x.layout}"
            return _Code(f"{tensor(x.to_dense())}.to_sparse({layout}){'.requires_grad_()' if needs else ''}")
        grad = ", requires_grad=True" if needs else ""
        numbers = repr(x.tolist()).replace("nan", "torch.nan").replace("inf", "torch.inf")
        made = f"tensor({numbers}" if x.numel() else f"empty({tuple(x.shape)}"
        return _Code(f"torch.{made}, dtype={x.dtype}{grad})")

    return repr(tree_map(tensor, value))
