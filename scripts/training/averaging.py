"""The mean of the weights over the last updates, which is evaluated and saved in place of the last weights."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

Tensors = tuple[Tensor, ...] | list[Tensor]


class Averaging:
    """Moving average of the weights over about the last ``horizon`` updates (Polyak and Juditsky, 1992).

        mean <- mean + (theta - mean) / min(n, horizon / every),    the n-th time, every so many updates

    so that the first ones are a plain mean.

    Args:
        model: the model in training.
        horizon: number of updates.
        every: updates from one to the next that is averaged; the fewer, the less it costs.
    """

    def __init__(self, model: nn.Module, horizon: float, every: int) -> None:
        def average(averaged: Tensors, current: Tensors, seen: Tensor | int) -> None:
            torch._foreach_lerp_(averaged, current, 1 / max(1.0, min(horizon / every, float(seen) + 1)))

        self.model, self.every, self.update = model, every, 0
        self.averaged = AveragedModel(model, multi_avg_fn=average)

    @property
    def mean(self) -> Any:
        """The model with the averaged weights."""
        return self.averaged.module

    def after_update(self) -> None:
        if self.update % self.every == 0:
            self.averaged.update_parameters(self.model)
        self.update += 1

    def state_dict(self) -> dict[str, Any]:
        return {"update": self.update, "averaged": self.averaged.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.update = state["update"]
        self.averaged.load_state_dict(state["averaged"])
