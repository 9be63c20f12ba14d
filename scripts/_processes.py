"""One process or several: ``torchrun --nproc-per-node 2 scripts/train_window.py ...`` trains in two.

Every process has the whole network. Of a batch each takes its share of the examples, weighted so that the mean of the
gradients, which DistributedDataParallel forms, is the gradient of the whole batch: the number of processes changes the
result by roundings alone (and dropout by its random numbers). Word vectors send the rows that were read, not the table.

How far it pays. Let one process take C seconds to compute a batch, and let R be the bytes of gradients that are sent,
row-sparse ones with all that the processes have read, at a rate of w bytes a second after a delay of l. With p
processes a step takes about

    C / p + 2 (R / w) (p - 1) / p + k l,

with k messages a step (here one for the dense parameters, three for the rows). On the two cores of one machine, over
gloo, l is some 0.2 ms: the window network's step of 64 windows is 1.7 ms, of which half is the time of Python that does
not shrink with the batch, so that two processes are slower than one; at 1,024 windows they gain, see the README. On a
cluster with w = 10 GB/s and l = 20 us the dense 0.1 MB of the window network are nothing, and the rows of 1,024
windows, 1 MB, take 0.2 ms: eight processes with batches of 1,024 each stay above 90 % of eight times one. What limits
it is the batch: AdaGrad needs more epochs the larger it is.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn


class Processes:
    """The processes of a run: one, unless torchrun started them.

    Attributes:
        rank, count: which of how many this one is.
        is_first: the one that prints and writes.
    """

    def __init__(self, device: torch.device) -> None:
        self.count, self.rank = int(os.environ.get("WORLD_SIZE", 1)), int(os.environ.get("RANK", 0))
        self.is_first = self.rank == 0
        self.device = device
        if self.count > 1:
            if device.type == "cuda":
                self.device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
                torch.cuda.set_device(self.device)
            dist.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=timedelta(days=1))

    def share(self, batch: Sequence[Tensor]) -> tuple[tuple[Tensor, ...], float]:
        """This process's rows of a batch, and the weight of their mean in the mean over the processes' means."""
        if self.count == 1:
            return tuple(batch), 1.0
        rows = len(batch[0])
        own = tuple(t[self.rank :: self.count] for t in batch)
        if not len(own[0]):  # fewer rows than processes: all must take part in the sum, this one with nothing
            return tuple(t[:1] for t in batch), 0.0
        return own, self.count * len(own[0]) / rows

    def together(self, module: nn.Module) -> nn.Module:
        """The module, its dense gradients averaged over the processes as the backward pass makes them."""
        if self.count == 1:
            return module
        rows = [f"{name}.weight" for name, part in module.named_modules() if getattr(part, "sparse", False)]
        nn.parallel.DistributedDataParallel._set_params_and_buffers_to_ignore_for_model(module, rows)
        return nn.parallel.DistributedDataParallel(module)

    def average_rows(self, module: nn.Module) -> None:
        """The same for sparse gradients: every process gets the rows of all."""
        if self.count == 1:
            return
        for theta in module.parameters():
            if theta.grad is None or not theta.grad.is_sparse:
                continue
            g = theta.grad.coalesce()
            rows = torch.cat([g.indices().mT.int(), g.values().float().view(torch.int32)], 1)  # one message of both
            counts = [int(count) for count in self._gather(torch.tensor([len(rows)], device=self.device))]
            found = self._gather(nn.functional.pad(rows, [0, 0, 0, max(counts) - len(rows)]))
            rows = torch.cat([own[:n] for own, n in zip(found, counts, strict=True)])
            values = rows[:, 1:].contiguous().view(torch.float32).to(theta.dtype) / self.count
            theta.grad = torch.sparse_coo_tensor(rows[:, 0].long()[None], values, theta.shape, check_invariants=False)

    def _gather(self, t: Tensor) -> list[Tensor]:
        """The tensors of all processes, by rank, each of the same shape."""
        found = [torch.empty_like(t) for _ in range(self.count)]
        dist.all_gather(found, t.contiguous())
        return found

    def sums(self, *numbers: float) -> list[float]:
        """Each number summed over the processes."""
        if self.count == 1:
            return list(numbers)
        total = torch.tensor(numbers, dtype=torch.float64, device=self.device)
        dist.all_reduce(total)
        return total.tolist()

    def from_first(self, make: Callable[[], Any]) -> Any:
        """What the first process makes, in all of them; its error, too, ends them all."""
        if self.count == 1:
            return make()
        found: list[Any] = [None]
        if self.is_first:
            try:
                found = [make()]
            except Exception as error:
                dist.broadcast_object_list([error])
                raise
        dist.broadcast_object_list(found)
        if isinstance(found[0], Exception):
            raise found[0]
        return found[0]

    def of_all(self, value: Any) -> list[Any]:
        """The values of all processes, by rank."""
        if self.count == 1:
            return [value]
        found: list[Any] = [None] * self.count
        dist.all_gather_object(found, value)
        return found


@contextmanager
def processes(device: torch.device) -> Iterator[Processes]:
    try:
        yield Processes(device)
    finally:
        if dist.is_initialized():
            dist.destroy_process_group()
