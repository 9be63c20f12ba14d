"""An epoch of the trainers of windows."""

from collections.abc import Sequence

import torch
from torch import Tensor

from cs224d_l3.text.arrays import Shuffled


class Epoch(Sequence[tuple[Tensor, ...]]):
    """The places of the windows of an epoch in random order, ``size`` at a time: (places,), or (places, other places)
    where ``others`` are given, from which they are drawn anew each epoch.

    Args:
        places: the places, (N,), or a number N for 0 to N - 1.
        others: the places to draw from, (M,).
    """

    def __init__(
        self, places: Tensor | int, size: int, generator: torch.Generator, others: Tensor | None = None
    ) -> None:
        self.places, self.others = places, others
        self.order = Shuffled(places if isinstance(places, int) else len(places), size, generator)
        self.seed = int(torch.randint(2**62, (), generator=generator)) if others is not None else 0

    def __len__(self) -> int:
        return len(self.order)

    def __getitem__(self, i: int) -> tuple[Tensor, ...]:  # type: ignore[override]
        chosen = self.order[i]
        places = chosen if isinstance(self.places, int) else self.places[chosen].long()
        if self.others is None:
            return (places,)
        drawn = torch.randint(len(self.others), chosen.shape, generator=torch.Generator().manual_seed(self.seed + i))
        return places, self.others[drawn].long()
