"""One process or several: ``torchrun --nproc-per-node 2 scripts/train_window.py ...`` trains in two.

Every process has the whole network. Of a batch each takes its share of the examples, weighted so that the mean of the
gradients, which DistributedDataParallel forms, is the gradient of the whole batch: the number of processes changes the
result by roundings alone (and dropout by its random numbers). Word vectors send the rows that were read, not the table.

How far it pays. Let one process take C seconds to compute a batch, R be the bytes of gradients that each sends, and w
the bytes a second that arrive after a delay of l. With p processes a step takes about

    F + (C - F) / p + (p - 1) R / w + k l,

where F is the time of Python, which does not shrink with the batch, and k the messages of a step: one of the dense
gradients, 0.1 MB, and two of the rows. Measured on the two cores of one machine, over gloo: of 64 windows the whole
step is 2.3 ms, 1.5 of which are F, and one with messages 8 to 10, so that k l is 6 ms and more (the processes wait
for each other on busy cores): two processes train 0.2 to 0.3 times as fast as one. At 1,024 windows they reach 0.4 to
0.8 times, at 8,192 0.7 to 1.2. On a cluster with l = 20 us and w = 10 GB/s the messages of 8 processes with 1,024
windows each (rows of words that were read, 1 MB) take 7 x 0.1 + 0.06 ms, beside 8 ms of computing: 7 times one
process. The batch is then 8,192 windows, of which AdaGrad needs more epochs; that is the limit, not the network.
"""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, NoReturn

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
        if dist.is_initialized() and dist.get_backend() != "gloo":
            dist.destroy_process_group()


def leave(status: int) -> NoReturn:
    """Ends the program. One of several processes ends as it stands: where gloo is torn down, it waits for its threads
    and holds Python's lock meanwhile, for which a thread may wait that lets go of a tensor."""
    if dist.is_available() and dist.is_initialized():
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    sys.exit(status)
