"""The package as a whole: its names, its imports, its documentation, what is installed with it."""

import ast
import inspect
import os
import sys
import sysconfig
from importlib.metadata import distributions, version
from pathlib import Path

import pytest
import torch
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

import cs224d_l3
from running import start

HOME = Path(cs224d_l3.__file__).parent
ROOT = Path(__file__).parents[1]
ROOMS = {"gradient_check", "text"}
MODULES = [*sorted(path.stem for path in HOME.glob("[a-z]*.py")), *sorted(ROOMS)]

# what each module may import of the package; the arrows all point one way
IMPORTS = {
    "_torch": set(),
    "_checks": {"_torch"},
    "_function": {"_torch"},
    "_in_place": {"_torch"},
    "_dropout": {"_checks", "_torch"},
    "units": {"_checks", "_function", "_in_place"},
    "_parameters": set(),
    "xavier": {"_checks", "_parameters"},
    "neuron": {"_checks", "_function", "units"},
    "layer": {"_checks", "_function", "_in_place", "units", "xavier"},
    "windows": {"_checks"},
    "fused_window_margin": {
        *("_checks", "_dropout", "_function", "_in_place", "_torch", "_window_input"),
        *("layer", "max_margin", "units", "windows"),
    },
    "_window_input": {"_checks", "_in_place", "layer", "units"},
    "fused_window_softmax": {
        *("_checks", "_dropout", "_function", "_in_place", "_torch", "_window_input"),
        *("layer", "softmax", "units", "windows"),
    },
    "feed_forward": {
        *("_checks", "_dropout", "fused_window_margin", "fused_window_softmax", "layer", "max_margin", "softmax"),
        *("units", "windows", "xavier"),
    },
    "max_margin": {"_checks", "_function"},
    "softmax": {"_checks", "_function", "_in_place"},
    "fused_softmax": {"_checks", "_function", "_in_place", "_torch", "layer", "softmax"},
    "recurrent": {"_checks", "_function", "units", "xavier"},
    "language_model": {"_checks", "_dropout", "fused_softmax", "layer", "recurrent", "units"},
    "backprop": {"_checks"},
    "through_time": {"_checks"},
    "gradient_check": {"_checks"},
    "regularization": {"_checks", "_function", "_parameters"},
    "learning_rate": {"_checks", "_parameters"},
    "_adagrad_kernels": {"_torch"},
    "_adagrad_state": {"_checks"},
    "adagrad": {"_adagrad_kernels", "_adagrad_state", "_torch"},
    "text": {"__version__", "_checks", "feed_forward", "language_model", "units"},
}


def imports(path: Path, inside: str = "") -> set[str]:
    """The package's modules that a file imports, those of its own folder left out."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            if node.level == (2 if inside else 1):
                found |= {node.module.split(".")[0]} if node.module else {name.name for name in node.names}
            elif node.level == 0 and (node.module or "").startswith("cs224d_l3"):
                found.add((node.module or "").removeprefix("cs224d_l3").strip(".") or "cs224d_l3")
        elif isinstance(node, ast.Import):
            found |= {name.name for name in node.names if name.name.startswith("cs224d_l3")}
    return found


@pytest.mark.parametrize("module", IMPORTS)
def test_imports_point_one_way(module: str) -> None:
    if (HOME / module).is_dir():
        found = set().union(*(imports(path, module) for path in (HOME / module).glob("*.py")))
    else:
        found = imports(HOME / f"{module}.py")
    assert found == IMPORTS[module]


def test_every_module_is_on_the_list() -> None:
    assert {path.stem for path in HOME.glob("*.py")} - {"__init__"} | ROOMS == IMPORTS.keys()


def test_the_package_needs_torch_alone() -> None:
    needed = set()
    for path in HOME.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                needed |= {name.name.split(".")[0] for name in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                needed.add((node.module or "cs224d_l3").split(".")[0])
    assert needed - set(sys.stdlib_module_names) == {"torch", "hypothesis"}


@pytest.mark.long
def test_hypothesis_is_imported_by_what_needs_it_alone(tmp_path: Path) -> None:
    code = "import sys, cs224d_l3.gradient_check as g; g.check_gradients; print('hypothesis' in sys.modules)"
    assert start("-c", code, cwd=tmp_path) == (0, "False\n", "")


def test_all_lists_what_the_package_exports() -> None:
    public = {
        name for name, value in vars(cs224d_l3).items() if not name.startswith("_") and not inspect.ismodule(value)
    }
    assert set(cs224d_l3.__all__) == public
    assert len(cs224d_l3.__all__) == len(public)


def test_no_name_hides_a_module() -> None:
    assert not set(cs224d_l3.__all__) & set(MODULES)


@pytest.mark.parametrize("name", [name for name in cs224d_l3.__all__ if name != "UNITS"])
def test_everything_public_says_what_it_is(name: str) -> None:
    thing = getattr(cs224d_l3, name)
    assert thing.__doc__
    assert thing.__module__.startswith("cs224d_l3.")


def test_every_function_of_the_lecture_has_a_module_of_its_own_kind() -> None:
    for name, unit in cs224d_l3.UNITS.items():
        assert unit.f is getattr(cs224d_l3, name)
        assert unit.f_prime is getattr(cs224d_l3, f"{name}_prime")
        assert issubclass(unit.module, torch.nn.Module)
        assert unit.module.__name__ in cs224d_l3.__all__


def test_version() -> None:
    assert version("cs224d_l3") == cs224d_l3.__version__
    changelog = (ROOT / "CHANGELOG.md").read_text()
    assert f"## {cs224d_l3.__version__}" in changelog


def test_types_are_shipped() -> None:
    assert (HOME / "py.typed").exists()


# ------------------------------------------------------------------------------------------------ the lock


def locked() -> dict[str, Requirement]:
    """What constraints.txt pins for this Python and system, by name."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    found = [Requirement(line) for line in lines if not line.startswith("#")]
    return {canonicalize_name(one.name): one for one in found if one.marker is None or one.marker.evaluate()}


def test_the_lock_pins_one_version_of_each() -> None:
    pins = [list(requirement.specifier) for requirement in locked().values()]
    assert len(pins) > 100
    assert all(len(pin) == 1 and pin[0].operator == "==" for pin in pins)


@pytest.mark.skipif("LOCKED" not in os.environ, reason="not in an environment that nox made from the lock")
def test_nothing_is_installed_that_the_lock_does_not_pin() -> None:
    pins = locked()
    here = [sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]  # libraries may carry others inside of them
    installed = {canonicalize_name(found.metadata["Name"]): found.version for found in distributions(path=here)}
    assert installed.pop("cs224d-l3") == cs224d_l3.__version__
    assert len(installed) > 40
    loose = {
        f"{name} {found}"
        for name, found in installed.items()
        if name not in pins or not pins[name].specifier.contains(Version(found).public)
    }
    assert loose == set()
