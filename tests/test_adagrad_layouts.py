"""AdaGrad looks at a layout once: what changes after that is noticed."""

from typing import Any

import pytest
import torch
from torch import nn

from cs224d_l3 import AdaGrad
from helpers import normal
from stepping import layouts


def _transposed_data(theta: nn.Parameter) -> None:
    theta.data = theta.data.mT.contiguous().mT


def _half_as_long(theta: nn.Parameter, state: dict[str, Any]) -> None:
    theta.data = theta.data[:1].clone()
    state["sum"] = state["sum"][:1].clone()


CHANGES: dict[str, Any] = {
    "gradient transposed": lambda a, b, state: setattr(a, "grad", layouts(a.grad)[1]),
    "gradient with gaps": lambda a, b, state: setattr(a, "grad", layouts(a.grad)[2]),
    "gradient expanded": lambda a, b, state: setattr(a, "grad", a.grad[:1].expand_as(a)),
    "gradient sparse": lambda a, b, state: setattr(a, "grad", a.grad.to_sparse(1)),
    "gradient left out": lambda a, b, state: setattr(a, "grad", None),
    "data transposed": lambda a, b, state: _transposed_data(a),
    "data exchanged": lambda a, b, state: setattr(a, "data", a.data + 1),
    "parameter shorter": lambda a, b, state: _half_as_long(a, state),
    "sum replaced": lambda a, b, state: state.update(sum=state["sum"].clone() + 1),
    "sum transposed": lambda a, b, state: state.update(sum=layouts(state["sum"])[1]),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_changes_between_two_steps_is_noticed(change: str) -> None:
    """Two optimizers, one of which takes the plain path: the same change before the third step, the same steps."""
    found = []
    for way in ({}, {"foreach": False}):
        a, b = (nn.Parameter(normal(2, 3, seed=k, dtype=torch.float32, grad=False)) for k in range(2))
        optimizer = AdaGrad([a, b], lr=0.1, **way)
        for step in range(5):
            for k, theta in enumerate((a, b)):
                theta.grad = normal(*theta.shape, seed=10 * step + k, dtype=torch.float32, grad=False)
            if step == 2:
                if change == "parameter shorter":
                    a.grad = None
                CHANGES[change](a, b, optimizer.state[a])
                if change == "parameter shorter":
                    a.grad = torch.ones(1, 3)
            optimizer.step()
        found.append((a.detach(), b.detach(), optimizer.state[a]["sum"]))
    torch.testing.assert_close(found[0], found[1])
