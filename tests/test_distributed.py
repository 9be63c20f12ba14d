"""AdaGrad in two processes on the CPU: the same parameters as one process that sees the whole batch."""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from torch import Tensor, nn

from cs224d_l3 import AdaGrad
from running import LIMIT

WORLD, STEPS = 2, 4

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not dist.is_available() or not dist.is_gloo_available() or sys.platform == "win32", reason="needs gloo"
    ),
]


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 2))


def batch() -> Tensor:
    return torch.randn(8, 4, generator=torch.Generator().manual_seed(1))


def train(model: nn.Module, optimizer: torch.optim.Optimizer, x: Tensor) -> None:
    for _ in range(STEPS):
        optimizer.zero_grad()
        model(x).square().mean().backward()
        optimizer.step()


def alone() -> list[Tensor]:
    model = network()
    train(model, AdaGrad(model.parameters(), lr=0.1, lr_decay=0.1), batch())
    return [theta.detach() for theta in model.parameters()]


def ddp(rank: int) -> list[Tensor]:
    model = nn.parallel.DistributedDataParallel(network())
    train(model, AdaGrad(model.parameters(), lr=0.1, lr_decay=0.1), batch()[rank::WORLD])
    return [theta.detach() for theta in model.parameters()]


def zero_redundancy(rank: int) -> list[Tensor]:
    from torch.distributed.optim import ZeroRedundancyOptimizer

    model = nn.parallel.DistributedDataParallel(network())
    optimizer = ZeroRedundancyOptimizer(model.parameters(), optimizer_class=AdaGrad, lr=0.1, lr_decay=0.1)
    train(model, optimizer, batch()[rank::WORLD])
    optimizer.consolidate_state_dict(to=0)
    if rank == 0:
        assert all(state["sum"].dtype == torch.float32 for state in optimizer.state_dict()["state"].values())
    return [theta.detach() for theta in model.parameters()]


def fully_sharded(rank: int) -> list[Tensor]:
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    model = network()
    fully_shard(model, mesh=init_device_mesh("cpu", (WORLD,)))
    optimizer = AdaGrad(model.parameters(), lr=0.1, lr_decay=0.1)
    train(model, optimizer, batch()[rank::WORLD])
    sums = [optimizer.state[theta]["sum"] for theta in model.parameters()]
    assert all(type(G) is type(theta.data) for G, theta in zip(sums, model.parameters(), strict=True))  # sharded too
    return [theta.full_tensor().detach() for theta in model.parameters()]


WAYS: dict[str, Callable[[int], list[Tensor]]] = {
    "DDP": ddp,
    "ZeroRedundancyOptimizer": zero_redundancy,
    "FSDP2": fully_sharded,
}


def work(rank: int, way: str, folder: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=WORLD)
    torch.save(WAYS[way](rank), f"{folder}/{rank}.pt")
    Path(folder, f"{rank}.done").touch()
    while not all(Path(folder, f"{other}.done").exists() for other in range(WORLD)):
        time.sleep(0.01)  # spawn ends the waiting one if the other fails
    os._exit(0)  # gloo's threads now and then abort a process that tears them down


@pytest.mark.parametrize("way", WAYS)
def test_two_processes_are_one(way: str, tmp_path: Path) -> None:
    if way == "FSDP2" and not hasattr(__import__("torch.distributed.fsdp", fromlist=["x"]), "fully_shard"):
        pytest.skip("this torch has no fully_shard")
    context = torch.multiprocessing.spawn(work, (way, str(tmp_path)), nprocs=WORLD, join=False)
    end = time.monotonic() + LIMIT
    while not context.join(timeout=1):  # it raises where one of them fails, and ends the other
        if time.monotonic() > end:
            for process in context.processes:
                process.kill()
            pytest.fail(f"{way} has not ended within {LIMIT} s")
    expected = alone()
    for rank in range(WORLD):
        for found, right in zip(torch.load(tmp_path / f"{rank}.pt", weights_only=True), expected, strict=True):
            torch.testing.assert_close(found, right)
