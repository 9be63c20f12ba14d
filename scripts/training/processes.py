"""Data-parallel training: ``torchrun --nproc-per-node 2 scripts/train_window.py ...`` trains in two processes.

Every process has the whole network and takes a shard of each batch. The loss is weighted by the size of the shard, so
that the mean of the gradients, which DistributedDataParallel forms, is the gradient of the whole batch: the number of
processes changes the result by rounding only (and dropout by its random numbers). Gradients of word vectors are
exchanged as sparse rows, not as tables.

Scaling. Let one process take C seconds to compute a batch, R be the bytes of gradients that each sends, w the
bandwidth in bytes a second and l the latency. With p processes a step takes about

    F + (C - F) / p + (p - 1) R / w + k l,

where F is the overhead of Python, which does not depend on the batch size, and k the number of messages a step: one of
the dense gradients, 0.1 MB, and two of the sparse rows. Measured on two cores of one machine, with gloo: for 64
windows a step takes 2.3 ms, 1.5 of which are F, and 8 to 10 ms with messages, so that k l is 6 ms and more (the
processes wait for each other on busy cores): two processes have 0.2 to 0.3 times the speed of one. For 1,024 windows
it is 0.4 to 0.8 times, for 8,192 it is 0.7 to 1.2. On a cluster with l = 20 us and w = 10 GB/s the messages of 8
processes with 1,024 windows each (sparse rows of 1 MB) take 7 x 0.1 + 0.06 ms, and the computation 8 ms: a speed-up of
7. The batch is then 8,192 windows, with which AdaGrad needs more epochs; that is the limit, not the network.
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

PER_THREAD = 30_000_000  # multiplications of a matrix product from which on a thread is worth its synchronization


class Processes:
    """Collective operations among the processes of a run; without torchrun there is one process, and they do nothing.

    Attributes:
        rank, count: rank of this process, and world size.
        is_first: whether this is rank 0, which prints and writes files.
        device: device of this process.
        cores: CPU cores of this process.
    """

    def __init__(self, device: torch.device) -> None:
        self.cores = max(1, torch.get_num_threads() // int(os.environ.get("LOCAL_WORLD_SIZE", 1)))
        self.count, self.rank = int(os.environ.get("WORLD_SIZE", 1)), int(os.environ.get("RANK", 0))
        self.is_first = self.rank == 0
        self.device = device
        if self.count > 1:
            if device.type == "cuda":
                self.device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
                torch.cuda.set_device(self.device)
            backend, timeout = "nccl" if device.type == "cuda" else "gloo", timedelta(days=1)
            dist.init_process_group(backend, timeout=timeout, store=_store(), rank=self.rank, world_size=self.count)

    def threads(self, multiplications: int) -> int:
        """Number of CPU threads that pay for a step whose largest matrix product has so many multiplications."""
        return min(max(1, multiplications // (self.count * PER_THREAD)), self.cores)

    def shard(self, batch: Sequence[Tensor]) -> tuple[tuple[Tensor, ...], float]:
        """Shard of a batch for this process, and the weight of its mean loss in the average over the processes."""
        if self.count == 1:
            return tuple(batch), 1.0
        rows = len(batch[0])
        shard = tuple(t[self.rank :: self.count] for t in batch)
        if not len(shard[0]):  # fewer rows than processes: weight 0, as every process must take part in the all-reduce
            return tuple(t[:1] for t in batch), 0.0
        return shard, self.count * len(shard[0]) / rows

    def data_parallel(self, module: nn.Module) -> nn.Module:
        """Wrap a module so that its backward pass averages the dense gradients over the processes."""
        if self.count == 1:
            return module
        sparse = [f"{name}.weight" for name, part in module.named_modules() if getattr(part, "sparse", False)]
        nn.parallel.DistributedDataParallel._set_params_and_buffers_to_ignore_for_model(module, sparse)
        return nn.parallel.DistributedDataParallel(module)

    def average_sparse_gradients(self, module: nn.Module) -> None:
        """Average the sparse gradients of a module over the processes: an all-gather of their rows."""
        if self.count == 1:
            return
        for theta in module.parameters():
            if theta.grad is None or not theta.grad.is_sparse:
                continue
            g = theta.grad.coalesce()
            # indices and values in one message
            rows = torch.cat([g.indices().mT.int(), g.values().float().view(torch.int32)], 1)
            counts = [int(count) for count in self._all_gather_tensor(torch.tensor([len(rows)], device=self.device))]
            padded = self._all_gather_tensor(nn.functional.pad(rows, [0, 0, 0, max(counts) - len(rows)]))
            rows = torch.cat([shard[:n] for shard, n in zip(padded, counts, strict=True)])
            values = rows[:, 1:].contiguous().view(torch.float32).to(theta.dtype) / self.count
            theta.grad = torch.sparse_coo_tensor(rows[:, 0].long()[None], values, theta.shape, check_invariants=False)

    def _all_gather_tensor(self, t: Tensor) -> list[Tensor]:
        """Tensors of the same shape from all processes, by rank."""
        gathered = [torch.empty_like(t) for _ in range(self.count)]
        dist.all_gather(gathered, t.contiguous())
        return gathered

    def all_reduce(self, *numbers: float) -> list[float]:
        """Sum of each number over the processes."""
        if self.count == 1:
            return list(numbers)
        total = torch.tensor(numbers, dtype=torch.float64, device=self.device)
        dist.all_reduce(total)
        return total.tolist()

    def broadcast(self, compute: Callable[[], Any]) -> Any:
        """Result of a computation on rank 0, broadcast to all processes; an exception is raised in all of them."""
        if self.count == 1:
            return compute()
        result: list[Any] = [None]
        if self.is_first:
            try:
                result = [compute()]
            except Exception as error:
                dist.broadcast_object_list([error])
                raise
        dist.broadcast_object_list(result)
        if isinstance(result[0], Exception):
            raise result[0]
        return result[0]

    def all_gather(self, value: Any) -> list[Any]:
        """Picklable values from all processes, by rank."""
        if self.count == 1:
            return [value]
        gathered: list[Any] = [None] * self.count
        dist.all_gather_object(gathered, value)
        return gathered


def _store() -> Any:
    """torchrun's store, under a prefix of its own for every restart.

    The store outlives the processes, and their addresses in it: gloo in those that take their place would wait for
    them. Only on one machine is the number of restarts the same in all processes.
    """
    c10d: Any = dist
    store, *_ = next(c10d.rendezvous("env://"))
    is_one_machine = os.environ.get("LOCAL_WORLD_SIZE") == os.environ["WORLD_SIZE"]
    return c10d.PrefixStore(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0") if is_one_machine else "", store)


@contextmanager
def process_group(device: torch.device) -> Iterator[Processes]:
    """Initialize torch's process group, and destroy it at the end; for gloo see :func:`exit_process`."""
    try:
        yield Processes(device)
    finally:
        if dist.is_initialized() and dist.get_backend() != "gloo":
            dist.destroy_process_group()


def exit_process(status: int) -> NoReturn:
    """Exit; in a process group without cleanup, as gloo's destructor can deadlock: it joins its threads while holding
    the GIL, for which a thread that releases a tensor may wait."""
    if dist.is_available() and dist.is_initialized():
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    sys.exit(status)
