"""2.5 Learning rates by fan-in and in time."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.optim.lr_scheduler import ExponentialLR, LambdaLR

from cs224d_l3 import InverseDecay, Layer, WindowScorer, fan_in_groups


def rates(module: nn.Module, lr: float) -> dict[str, float]:
    by_id = {id(p): group["lr"] for group in fan_in_groups(module, lr) for p in group["params"]}
    return {name: by_id[id(p)] for name, p in module.named_parameters()}


def test_rates_are_divided_by_the_root_of_the_fan_in() -> None:
    assert rates(WindowScorer(7, d=5, m=9), 0.3) == {
        "U": pytest.approx(0.3 / 3),
        "input.L.weight": 0.3,
        "hidden.W": pytest.approx(0.3 / 5),
        "hidden.b": 0.3,
    }
    assert rates(nn.Conv2d(3, 2, (3, 1)), 1.0) == {"weight": pytest.approx(1 / 3), "bias": 1.0}


def test_groups_hold_each_parameter_once_and_fit_any_optimizer() -> None:
    shared = nn.Linear(4, 4)
    net = nn.Sequential(shared, shared, nn.Linear(4, 2).requires_grad_(False))
    groups = fan_in_groups(net, 0.1)
    assert sum(len(group["params"]) for group in groups) == 2
    torch.optim.SGD(groups, lr=1.0)
    with pytest.raises(ValueError, match="module.*Sequential"):
        fan_in_groups(net.requires_grad_(False), 0.1)


def test_vectors_tied_to_a_layer_learn_as_vectors() -> None:
    layer, vectors = nn.Linear(4, 9, bias=False), nn.Embedding(9, 4)
    layer.weight = vectors.weight
    for net in (nn.Sequential(layer, vectors), nn.Sequential(vectors, layer)):
        assert [group["lr"] for group in fan_in_groups(net, 0.2)] == [0.2]


def optimizer(*lrs: float) -> torch.optim.Optimizer:
    return torch.optim.SGD([{"params": [nn.Parameter(torch.zeros(1))], "lr": lr} for lr in lrs])


def run(scheduler: torch.optim.lr_scheduler.LRScheduler, steps: int) -> list[list[float]]:
    seen = [[group["lr"] for group in scheduler.optimizer.param_groups]]
    for _ in range(steps):
        scheduler.optimizer.step()
        scheduler.step()
        seen.append([group["lr"] for group in scheduler.optimizer.param_groups])
    return seen


@given(lr=st.floats(1e-4, 10), tau=st.floats(0.1, 20))
def test_rate_is_the_formula_for_every_group(lr: float, tau: float) -> None:
    for t, (first, second) in enumerate(run(InverseDecay(optimizer(lr, 2 * lr), tau), 30)):
        assert first == pytest.approx(lr * tau / max(t, tau))
        assert second == pytest.approx(2 * first)


def test_decay_goes_on_from_its_state() -> None:
    whole = run(InverseDecay(optimizer(1.0), 3), 12)
    first = InverseDecay(optimizer(1.0), 3)
    run(first, 5)
    again = optimizer(1.0)
    second = InverseDecay(again, 3)
    second.load_state_dict(first.state_dict())
    again.load_state_dict(first.optimizer.state_dict())
    assert run(second, 7) == whole[5:]


@pytest.mark.parametrize("t", [1, 2, 3, 10])
def test_decay_resumed_by_its_t_alone_is_that_of_a_run_in_one_go(t: int) -> None:
    """As LambdaLR, which is given the same formula; the optimizer's own rates may be any."""
    tau, whole = 2, run(InverseDecay(optimizer(1.0, 0.5), 2), 20)
    for rate in (None, 7.0):
        seen = []
        for make in (InverseDecay, lambda o, tau, last_epoch: LambdaLR(o, lambda t: tau / max(t, tau), last_epoch)):
            first, second = optimizer(1.0, 0.5), optimizer(3.0, 3.0)
            run(InverseDecay(first, tau), t)
            second.load_state_dict(first.state_dict())
            for group in second.param_groups:
                group["lr"] = group["lr"] if rate is None else rate
            seen.append(run(make(second, tau, last_epoch=t - 1), 20 - t))
        torch.testing.assert_close(torch.tensor(seen), torch.tensor([whole[t:]] * 2))


def test_decay_multiplies_with_another_scheduler() -> None:
    shared = optimizer(1.0)
    decay, exponential = InverseDecay(shared, 2), ExponentialLR(shared, 0.5)
    for t in range(1, 8):
        shared.step()
        decay.step()
        exponential.step()
        assert shared.param_groups[0]["lr"] == pytest.approx(0.5**t * 2 / max(t, 2))


def test_decay_can_be_asked_for_any_time() -> None:
    scheduler = InverseDecay(optimizer(1.0), 5)
    with pytest.warns(UserWarning, match=r"epoch parameter in `scheduler.step\(\)`|lr_scheduler.step"):
        scheduler.step(20)
    assert scheduler.get_last_lr() == [pytest.approx(0.25)]


@pytest.mark.parametrize("wrong", [0.0, -1.0, math.nan, math.inf])
def test_rates_name_what_is_wrong(wrong: float) -> None:
    with pytest.raises(ValueError, match=f"tau.*{wrong}"):
        InverseDecay(optimizer(1.0), wrong)
    with pytest.raises(ValueError, match=rf"\blr\b.*{wrong}"):
        fan_in_groups(Layer(2, 2), wrong)
