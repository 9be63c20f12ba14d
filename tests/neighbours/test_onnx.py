"""ONNX: our units, layers and window network, exported and run by the reference evaluator of the standard."""

from io import BytesIO
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cs224d_l3 import UNITS, Elman, Hardtanh, Layer, LeakyReLU, WindowClassifier
from helpers import normal

pytest.importorskip("onnx")
pytest.importorskip("onnxscript")


def evaluate(net: nn.Module, x: Tensor, dynamic: bool = True) -> Tensor:
    """The net, exported for any batch size, at x."""
    from onnx.reference import ReferenceEvaluator

    shapes: Any = ({0: torch.export.Dim("batch")},) if dynamic else None
    program = torch.onnx.export(net.eval(), (x[:3],), dynamic_shapes=shapes, dynamo=True, verbose=False)
    model = program.model_proto
    (result,) = ReferenceEvaluator(model).run(None, {model.graph.input[0].name: (x if dynamic else x[:3]).numpy()})
    return torch.tensor(result)


@pytest.mark.parametrize(
    "unit", [*(unit.module() for unit in UNITS.values()), LeakyReLU(0.3), Hardtanh(-0.5, 2)], ids=str
)
def test_units(unit: nn.Module) -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 6), unit, Layer(6, 3))
    x = 3 * normal(5, 4, dtype=torch.float32, grad=False)
    torch.testing.assert_close(evaluate(net, x), net(x), check_device=False)


@pytest.mark.parametrize("name", UNITS)
def test_units_by_the_older_exporter(name: str) -> None:
    from onnx import load_from_string
    from onnx.reference import ReferenceEvaluator

    net, x = UNITS[name].module(), 3 * normal(5, 4, dtype=torch.float32, grad=False)
    torch.onnx.export(net, (x,), file := BytesIO(), dynamo=False, input_names=["x"])
    (result,) = ReferenceEvaluator(load_from_string(file.getvalue())).run(None, {"x": x.numpy()})
    torch.testing.assert_close(torch.tensor(result), net(x))


def test_a_window_network() -> None:
    torch.manual_seed(0)
    net = WindowClassifier(20, num_tags=3, d=4, m=5)
    windows = torch.randint(20, (7, 5))
    torch.testing.assert_close(evaluate(net, windows), net(windows))


def test_a_recurrent_layer() -> None:
    torch.manual_seed(0)
    net = Elman(4, 5)
    x = normal(3, 6, 4, dtype=torch.float32, grad=False)
    torch.testing.assert_close(evaluate(net, x, dynamic=False), net(x))
