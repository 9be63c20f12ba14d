"""torch's private names: without any one of them the package imports, and gives the same values and gradients."""

import importlib
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch import Tensor
from torch.func import hessian, jacfwd, vmap

import cs224d_l3
from helpers import normal

PRIVATE = [
    "_C._are_functorch_transforms_active",
    "_C._is_any_autocast_enabled",
    "_C._functorch.is_legacy_batchedtensor",
    "_C._functorch.get_interpreter_stack",
    "_C._functorch.TransformType",
    "_C._functorch",
    "_C._FunctionBase",
    "autograd.forward_ad._current_level",
]
EACH = [[name] for name in PRIVATE]


def ours() -> list[str]:
    return [name for name in sys.modules if name.split(".")[0] == "cs224d_l3"]


@pytest.fixture
def without(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """A second copy of the package, imported while the names are gone."""
    for name in ours():
        monkeypatch.delitem(sys.modules, name)
    with monkeypatch.context() as patch:
        for path in request.param:
            patch.delattr(f"torch.{path}", raising=False)  # _functorch takes its names along
        package = importlib.import_module("cs224d_l3")
    yield package
    for name in ours():
        del sys.modules[name]


def calls(package: ModuleType) -> list[tuple[Callable[..., Tensor], list[Tensor]]]:
    """One of every kind of Function, and its inputs."""
    words, target = torch.tensor([[0, 1], [2, 3]]), torch.tensor([0, 2])
    X, W, b, U = normal(2, 3), normal(4, 3, seed=1), normal(4, seed=2), normal(1, 3, seed=3)
    return [
        *((unit.f, [X]) for unit in package.UNITS.values()),
        (package.affine, [X, W, b]),
        (lambda L: package.embedding(words, L, sparse=True), [W]),
        (lambda z: package.softmax_cross_entropy(z, target), [X]),
        (lambda x, W, b: package.affine_softmax_cross_entropy(x, W, b, target), [X, W, b]),
        (lambda L, W, b: package.window_margin_loss(words, words.flip(0), L, W, b, U), [W, normal(3, 6), normal(3)]),
        (
            lambda L, W, b, c: package.window_softmax_loss(words, target, L, W, b, X.T, c),
            [W, W[:2].repeat(1, 2), b[:2], b[:3]],
        ),
        (lambda x, W, H, b: package.elman(x, W, H, b, clip=0.1), [normal(2, 5, 3), W, normal(4, 4, seed=4), b]),
    ]


@pytest.mark.parametrize("without", [*EACH, PRIVATE], indirect=True, ids=str)
def test_a_name_that_is_gone_changes_no_value_and_no_gradient(without: ModuleType) -> None:
    assert without is not cs224d_l3
    for (f, inputs), (right, _) in zip(calls(without), calls(cs224d_l3), strict=True):
        J, expected = f(*inputs), right(*inputs)
        torch.testing.assert_close(J, expected)
        for create_graph in (False, True):
            found = torch.autograd.grad(J.square().sum(), inputs, create_graph=create_graph, retain_graph=True)
            grads = torch.autograd.grad(expected.square().sum(), inputs, create_graph=create_graph, retain_graph=True)
            torch.testing.assert_close(found, grads)


@pytest.mark.parametrize("without", EACH, indirect=True, ids=str)
@pytest.mark.parametrize("name", cs224d_l3.UNITS)
def test_nor_what_torch_func_makes_of_it(without: ModuleType, name: str) -> None:
    f, right, z = without.UNITS[name].f, cs224d_l3.UNITS[name].f, normal(3, grad=False)
    for transform in (vmap, lambda f: hessian(lambda z: f(z).sum()), lambda f: jacfwd(jacfwd(f))):
        torch.testing.assert_close(transform(f)(z), transform(right)(z))


def test_private_names_are_in_one_file() -> None:
    home = Path(cs224d_l3.__file__).parent
    private = r"\btorch\._(?!_)|forward_ad|_foreach_|_fused_|\._(?:indices|values)\("
    found = {path.name for path in home.glob("*.py") if re.search(private, path.read_text("utf-8"))}
    assert found == {"_torch.py"}
