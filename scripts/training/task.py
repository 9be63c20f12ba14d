"""Interface between the training loop and a trainer: model, data, loss and evaluation."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn


class Dev(NamedTuple):
    """Evaluation on dev.

    Attributes:
        score: criterion of model selection; higher is better.
        text: printed form.
        numbers: metrics to record.
    """

    score: float
    text: str
    numbers: dict[str, float]


class Task:
    """Base class of the trainers' tasks.

    Attributes:
        noun: name of the examples, in the plural, for the printed throughput.
        model: the network.
        optimizer: its optimizer.
        rows: rows of the matrix products of a step.
        state: hidden state carried from batch to batch; None without.
    """

    noun = "examples"
    model: Any
    optimizer: torch.optim.Optimizer
    rows: int
    state: Tensor | None = None

    def data(self) -> str:
        """Summary and fingerprint of the data, compared on resume."""
        raise NotImplementedError

    def batches(self, generator: torch.Generator) -> Sequence[Sequence[Tensor]]:
        """Batches of an epoch, determined by the state of the generator."""
        raise NotImplementedError

    def loss(self, *batch: Tensor) -> Tensor:
        """Mean loss J of a batch."""
        raise NotImplementedError

    def penalty(self) -> Tensor | None:
        """Regularization term, added to the loss for the gradient; None without."""
        return None

    def after_update(self) -> None:
        """Hook after every optimizer step."""

    def after_epoch(self) -> None:
        """Hook after every epoch, before the evaluation."""

    def describe(self, J: float) -> str:
        """Printed form of the mean loss J."""
        return f"loss {J:.4f}"

    def evaluate(self) -> Dev:
        """Evaluate on dev."""
        raise NotImplementedError

    def save(self, path: Path) -> None:
        """Save the model for inference."""
        raise NotImplementedError

    def state_dict(self) -> dict[str, Any]:
        """Training state other than that of model, optimizer and hidden state."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the state of :meth:`state_dict`."""


class Objective(nn.Module):
    """The loss as a module, for wrappers such as DistributedDataParallel."""

    def __init__(self, task: Task) -> None:
        super().__init__()
        self.model, self.loss = task.model, task.loss

    def forward(self, *batch: Tensor) -> Tensor:
        return self.loss(*batch)
