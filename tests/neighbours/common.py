"""What the programs share: a task, a network of our layers, and the settings with which torch's class does the same."""

from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from cs224d_l3 import Layer, init_xavier
from helpers import normal

SAME: dict[str, Any] = {
    "lr": 0.1,
    "initial_accumulator_value": 0.1,
    "eps": 0.0,
}  # no eps to stand in or out of the root


def loader(batch_size: int = 8) -> DataLoader:
    """32 points of four classes, always in the same order."""
    x = normal(32, 4, dtype=torch.float32, grad=False)
    return DataLoader(TensorDataset(x, x.argmax(1)), batch_size)


def network() -> nn.Module:
    """The same 4-6-4 network at each call."""
    net = nn.Sequential(Layer(4, 6), nn.Linear(6, 4))
    init_xavier(net, generator=torch.Generator().manual_seed(0))
    return net


def assert_equal(a: nn.Module, b: nn.Module) -> None:
    """The same parameters and buffers, bit for bit."""
    torch.testing.assert_close(a.state_dict(), b.state_dict(), rtol=0, atol=0)
