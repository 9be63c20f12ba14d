"""Batches of the window trainers."""

from collections.abc import Sequence

import torch
from torch import Tensor

from cs224d_l3.text.arrays import Shuffled


class Epoch(Sequence[tuple[Tensor, ...]]):
    """Shuffled batches of window positions, one epoch: (positions,), or (positions, negatives).

    Args:
        positions: positions of the training windows, (N,), or N for 0 to N - 1.
        size: batch size.
        generator: random numbers of the order and of the negatives.
        negatives: positions of the corrupt windows, (M,), sampled with replacement, one per training window.
    """

    def __init__(
        self, positions: Tensor | int, size: int, generator: torch.Generator, negatives: Tensor | None = None
    ) -> None:
        self.positions, self.negatives = positions, negatives
        self.order = Shuffled(positions if isinstance(positions, int) else len(positions), size, generator)
        self.seed = int(torch.randint(2**62, (), generator=generator)) if negatives is not None else 0

    def __len__(self) -> int:
        return len(self.order)

    def __getitem__(self, i: int) -> tuple[Tensor, ...]:  # type: ignore[override]
        chosen = self.order[i]
        positions = chosen if isinstance(self.positions, int) else self.positions[chosen].long()
        if self.negatives is None:
            return (positions,)
        generator = torch.Generator().manual_seed(self.seed + i)
        sampled = torch.randint(len(self.negatives), chosen.shape, generator=generator)
        return positions, self.negatives[sampled].long()
