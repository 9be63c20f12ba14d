"""What a run trains: a model, its data, its loss and its score. Every trainer has a task of its own."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn


class Dev(NamedTuple):
    """How good the model is on dev: the larger the score the better."""

    score: float
    text: str
    numbers: dict[str, float]


class Task:
    """What is trained, and what a run cannot know of it. Trainers say what is their own.

    Attributes:
        noun: of what there are so many a second.
        model: the network.
        optimizer: its optimizer.
        state: what is carried from a batch to the next.
    """

    noun = "examples"
    model: Any
    optimizer: torch.optim.Optimizer
    state: Tensor | None = None

    def data(self) -> str:
        """A few words that other data would have otherwise."""
        raise NotImplementedError

    def batches(self, generator: torch.Generator) -> Sequence[Sequence[Tensor]]:
        """An epoch; the same for the same state of the generator."""
        raise NotImplementedError

    def loss(self, *batch: Tensor) -> Tensor:
        """The mean J of a batch."""
        raise NotImplementedError

    def penalty(self) -> Tensor | None:
        """What is added to it for the gradient."""
        return None

    def after_update(self) -> None:
        pass

    def after_epoch(self) -> None:
        pass

    def describe(self, J: float) -> str:
        """The mean J of an epoch, in words."""
        return f"loss {J:.4f}"

    def evaluate(self) -> Dev:
        raise NotImplementedError

    def save(self, path: Path) -> None:
        """The model, for use."""
        raise NotImplementedError

    def state_dict(self) -> dict[str, Any]:
        """All that training changes, beside model, optimizer and state."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        pass


class Objective(nn.Module):
    """The loss as a module, for wrappers such as DistributedDataParallel."""

    def __init__(self, task: Task) -> None:
        super().__init__()
        self.model, self.loss = task.model, task.loss

    def forward(self, *batch: Tensor) -> Tensor:
        return self.loss(*batch)
