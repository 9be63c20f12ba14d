"""A failing call as Python code that can be pasted."""

import contextlib
import inspect
from collections.abc import Callable, Container, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import keystr, tree_flatten_with_path, tree_leaves, tree_map

from .call import Call
from .inputs import PROJECTIONS_AS_CODE
from .judgement import dense_and_single

LONGEST = 200  # elements of a tensor that is printed

# what a check does with {y} = f(...) and grad_output {v}; {leaves} require a gradient
ACTIONS = {
    "repetition": [
        "torch.autograd.grad({y}, {leaves}, {v}, retain_graph=True)",
        "torch.autograd.grad({y}, {leaves}, {v})  # and with another call in between, and under torch.no_grad()",
    ],
    "returned_gradients": ["torch.autograd.grad({y}, {leaves}, {v})  # what backward itself returns"],
    "no_mutation": ["torch.autograd.grad({y}, {leaves}, {v})  # the arguments and {v} before and after"],
    "forward_mode": ["torch.func.jvp({name}, ({arguments}), ({arguments}))"],
    "batching": ["torch.func.vmap({name})(*(torch.stack([t, t]) for t in ({arguments})))"],
    "batched_incoming_gradients": [
        "torch.func.vmap(torch.func.vjp({name}, {arguments})[1])(torch.stack([{v}, 2 * {v}]))"
    ],
}
ALONG_KINDS = ("gradients", "second_order", "forward_mode")  # these stay within symmetric matrices, unit vectors, ...


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
    fn: Callable[..., Any], name: str, failure: Any, call: Call, constants: Mapping[str, Any], check: str
) -> list[str]:
    """Lines of Python that make a call again, and do with it what a check does.

    Args:
        failure: the inputs of the call, and what of it shows the fault.
    """
    inputs, shown = failure.inputs, failure.shown
    called = name if all(part.isidentifier() for part in name.split(".")) else "fn"
    lines = ["import torch", import_line(fn, name)]
    differentiable = {id(x) for i, x in enumerate(tree_leaves(inputs.values)) if i in call.differentiable}
    for key, value in inputs.values.items():
        if inputs.where and sum(x.numel() for x in tree_leaves(value) if isinstance(x, Tensor)) > LONGEST:
            lines.append(f"# {key}: as in {inputs.where}")
        else:
            lines.append(f"{key} = {_literal(value, differentiable)}")
    lines += shown.before
    onto = {call.names[i]: call.kinds[i] for i in range(len(call.kinds))} if check in ALONG_KINDS else {}
    passed = {key: PROJECTIONS_AS_CODE.get(onto.get(key, ""), "{x}").format(x=key) for key in inputs.values}
    arguments = ", ".join(text for key, text in passed.items() if key not in inputs.keywords)
    by_name = [f"{key}={text}" for key, text in passed.items() if key in inputs.keywords]
    keywords = "".join(f", {text}" for text in [*by_name, *(f"{key}={value!r}" for key, value in constants.items())])
    y, v, g, w = (_unused(word, {*inputs.values, *constants}) for word in ("y", "v", "g", "w"))
    if isinstance(fn, nn.Module):  # its parameters are given by name
        state = {key.replace(".", "_"): key for key, _ in fn.named_parameters()}
        theta = ", ".join(f"{state[key]!r}: {key}" for key in inputs.keywords & state.keys())
        lines.append(f"{y} = torch.func.functional_call({called}.double(), {{{theta}}}, ({arguments},))")
    else:
        lines.append(f"{y} = {called}({arguments}{keywords})".replace("(, ", "("))
    with contextlib.suppress(Exception):  # of a function that fails already
        given = call.arguments()
        outputs = [(path, t) for path, t in _outputs(call.fn(*given), y) if t.requires_grad]
        grad_outputs = dense_and_single([t for _, t in outputs])[0 if check == "second_order" else failure.grad_output]
        if sum(t.numel() for t in grad_outputs) <= LONGEST:
            leaves = [call.names[i] for i in call.differentiable]
            parts = {"y": _listed([path for path, _ in outputs]), "v": v, "leaves": f"[{', '.join(leaves)}]"}
            lines.append(f"{v} = {_literal(grad_outputs if len(grad_outputs) > 1 else grad_outputs[0], set())}")
            parts |= {"name": called, "arguments": f"{arguments},"}
            actions = shown.after or ACTIONS.get(check, ["torch.autograd.grad({y}, {leaves}, {v}, allow_unused=True)"])
            if check == "second_order":
                gradients = call.gradients(given, call.outputs(given))
                weights = dense_and_single(gradients)[failure.grad_output]
                of_v = [f"t.requires_grad_() for t in {v}"] if len(grad_outputs) > 1 else [f"{v}.requires_grad_()"]
                actions = [
                    f"{v} = [{of_v[0]}]",
                    f"{g} = torch.autograd.grad({{y}}, {{leaves}}, {v}, create_graph=True)",
                    f"{w} = {_literal(weights, set())}",
                    f"torch.autograd.grad({g}, [*{{leaves}}, *{v}], {w}, allow_unused=True)",
                ]
            lines += [line.format(**parts) for line in actions]
    return lines


def _outputs(out: Any, y: str) -> list[tuple[str, Tensor]]:
    """The floating-point tensors of a result y, each as code: y, y[0], y['h']; complex ones as pairs."""
    found = []
    for path, t in tree_flatten_with_path(out)[0]:
        if isinstance(t, Tensor) and (t.is_floating_point() or t.is_complex()):
            code = y + keystr(path)
            found.append((f"torch.view_as_real({code})", torch.view_as_real(t)) if t.is_complex() else (code, t))
    return found


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"[{', '.join(names)}]"


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
