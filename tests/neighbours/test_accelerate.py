"""Accelerate: prepare, gradient accumulation, and a state saved and loaded."""

from pathlib import Path
from typing import Any

import pytest
import torch

from cs224d_l3 import AdaGrad, InverseDecay, fan_in_groups, softmax_cross_entropy
from neighbours.common import SAME, assert_equal, loader, network

accelerate = pytest.importorskip("accelerate")


def accelerator(**options: Any) -> Any:
    accelerate.state.AcceleratorState._reset_state(reset_partial_state=True)
    accelerate.state.GradientState._reset_state()
    return accelerate.Accelerator(cpu=True, **options)


def prepared(accelerator: Any, make: Any = None) -> tuple[Any, ...]:
    net = network()
    optimizer = make(net.parameters(), **SAME) if make else AdaGrad(fan_in_groups(net, lr=0.5))
    return accelerator.prepare(net, optimizer, loader(), InverseDecay(optimizer, tau=2))


def epochs(accelerator: Any, n: int, net: Any, optimizer: Any, batches: Any, scheduler: Any) -> None:
    for _ in range(n):
        for x, target in batches:
            with accelerator.accumulate(net):
                accelerator.backward(softmax_cross_entropy(net(x), target))
                if accelerator.sync_gradients:
                    accelerator.clip_grad_norm_(net.parameters(), 1.0)
                optimizer.step()
                scheduler.step()
                optimizer.zero_grad()


@pytest.mark.parametrize("options", [{}, {"mixed_precision": "bf16"}], ids=str)
def test_accumulated_steps_are_those_of_torchs_adagrad(options: dict[str, Any]) -> None:
    nets, rates = [], []
    for make in (AdaGrad, torch.optim.Adagrad):
        ours = accelerator(gradient_accumulation_steps=3, **options)
        parts = prepared(ours, make)
        epochs(ours, 3, *parts)
        nets.append(parts[0])
        rates.append(parts[3].get_last_lr())
    torch.testing.assert_close(nets[0].state_dict(), nets[1].state_dict())
    assert rates[0] == rates[1] == [pytest.approx(0.1 * 2 / 6)]  # two updates an epoch: the last batch ends one


def test_a_loaded_state_goes_on_as_one_that_was_not_stopped(tmp_path: Path) -> None:
    one = accelerator()
    whole = prepared(one)
    epochs(one, 5, *whole)

    one = accelerator()
    first = prepared(one)
    epochs(one, 2, *first)
    one.save_state(tmp_path / "state")

    one = accelerator()
    second = prepared(one)
    one.load_state(tmp_path / "state")
    epochs(one, 3, *second)
    assert_equal(second[0], whole[0])
    assert second[3].get_last_lr() == whole[3].get_last_lr()
