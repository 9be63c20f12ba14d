"""2.6 AdaGrad, against the notes' formula and torch's surface."""

import copy
import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import normal, seeds
from torch import Tensor, nn

from cs224d_l3 import AdaGrad


def notes(theta: Tensor, gradients: list[Tensor], lr: float, eps: float = 1e-8, start: float = 0.0) -> Tensor:
    G = torch.full_like(theta, start)
    for g in gradients:
        G = G + g**2
        theta = theta - lr * g / torch.sqrt(G + eps)
    return theta


def run(theta: Tensor, gradients: list[Tensor], **settings: Any) -> Tensor:
    theta = nn.Parameter(theta.clone())
    optimizer = AdaGrad([theta], **settings)
    for g in gradients:
        theta.grad = g
        optimizer.step()
    return theta.detach()


def sparse(g: Tensor, rows: Tensor) -> Tensor:
    """Those rows of g, each in two halves: an uncoalesced sparse gradient."""
    return torch.sparse_coo_tensor(rows.repeat(2)[None], (g[rows] / 2).repeat(2, 1), g.shape, check_invariants=False)


@given(seed=seeds, steps=st.integers(1, 6), lr=st.floats(1e-3, 10), start=st.floats(0, 2), eps=st.floats(1e-10, 1))
def test_steps_are_the_notes_formula(seed: int, steps: int, lr: float, start: float, eps: float) -> None:
    theta, gradients = (
        normal(3, 2, seed=seed, grad=False),
        [normal(3, 2, seed=seed + i + 1, grad=False) for i in range(steps)],
    )
    found = run(theta, gradients, lr=lr, initial_accumulator_value=start, eps=eps)
    torch.testing.assert_close(found, notes(theta, gradients, lr, eps, start))


@given(
    seed=seeds,
    rows=st.lists(st.integers(0, 4), max_size=5, unique=True),
    settings=st.sampled_from([{}, {"lr_decay": 0.5}, {"maximize": True}, {"initial_accumulator_value": 1.0}]),
)
def test_sparse_steps_are_the_dense_steps_of_the_same_rows(
    seed: int, rows: list[int], settings: dict[str, Any]
) -> None:
    theta, index = normal(5, 3, seed=seed, grad=False), torch.tensor(rows, dtype=torch.int64)
    gs = [normal(5, 3, seed=seed + i + 1, grad=False) for i in range(3)]
    dense = [torch.zeros_like(g).index_copy(0, index, g[index]) for g in gs]
    torch.testing.assert_close(run(theta, [sparse(g, index) for g in gs], **settings), run(theta, dense, **settings))


def test_rows_without_a_gradient_are_not_touched() -> None:
    theta = normal(6, 2, grad=False)
    found = run(theta, [sparse(normal(6, 2, seed=1, grad=False), torch.tensor([1, 4]))])
    assert torch.equal(found[[0, 2, 3, 5]], theta[[0, 2, 3, 5]])
    assert (found[[1, 4]] != theta[[1, 4]]).all()


@given(seed=seeds, scale=st.floats(0.1, 1e6))
def test_scaling_the_loss_leaves_the_steps(seed: int, scale: float) -> None:
    theta, gradients = normal(4, seed=seed, grad=False), [normal(4, seed=seed + i, grad=False) for i in (1, 2, 3)]
    torch.testing.assert_close(
        run(theta, [scale * g for g in gradients], eps=0), run(theta, gradients, eps=0), rtol=1e-9, atol=1e-12
    )


def test_the_first_step_is_the_rate_whatever_the_gradient() -> None:
    found = run(torch.zeros(3), [torch.tensor([1e-3, 1.0, -1e6])], lr=0.1, eps=0)
    torch.testing.assert_close(found, torch.tensor([-0.1, -0.1, 0.1]))


def test_no_gradient_no_move() -> None:
    assert torch.equal(run(torch.ones(2), [torch.zeros(2)] * 3), torch.ones(2))


@pytest.mark.parametrize(
    "settings", [{"lr_decay": 0.1}, {"weight_decay": 0.3}, {"maximize": True}, {"initial_accumulator_value": 2.0}]
)
def test_the_other_settings_are_torchs(settings: dict[str, Any]) -> None:
    """At eps 0 the two formulas are one."""
    theta, gradients = normal(5, grad=False), [normal(5, seed=i, grad=False) for i in range(1, 5)]
    torchs = nn.Parameter(theta.clone())
    optimizer = torch.optim.Adagrad([torchs], lr=0.1, eps=0, **settings)
    for g in gradients:
        torchs.grad = g
        optimizer.step()
    torch.testing.assert_close(run(theta, gradients, lr=0.1, eps=0, **settings), torchs.detach())


def test_groups_have_settings_of_their_own() -> None:
    a, b = nn.Parameter(torch.zeros(1)), nn.Parameter(torch.zeros(1))
    optimizer = AdaGrad([{"params": [a]}, {"params": [b], "lr": 1.0, "initial_accumulator_value": 3.0}], lr=0.1, eps=0)
    a.grad, b.grad = torch.ones(1), torch.ones(1)
    optimizer.step()
    assert a.item() == pytest.approx(-0.1)
    assert b.item() == pytest.approx(-0.5)


def test_a_step_evaluates_the_closure_with_gradients() -> None:
    theta = nn.Parameter(torch.tensor([3.0]))
    optimizer = AdaGrad([theta], lr=0.5)

    def closure() -> float:
        optimizer.zero_grad()
        J = theta.square().sum()
        J.backward()
        return J.item()

    assert optimizer.step(closure) == 9
    assert theta.item() == pytest.approx(2.5)


def test_a_state_dict_goes_on_where_it_was_and_fits_torchs_class() -> None:
    theta, gradients = normal(4, grad=False), [normal(4, seed=i, grad=False) for i in range(1, 7)]
    whole = run(theta, gradients)
    p = nn.Parameter(theta.clone())
    first = AdaGrad([p])
    for g in gradients[:3]:
        p.grad = g
        first.step()
    q = nn.Parameter(p.detach().clone())
    second = AdaGrad([q])
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    for g in gradients[3:]:
        q.grad = g
        second.step()
    torch.testing.assert_close(q.detach(), whole)
    torchs = torch.optim.Adagrad([q], eps=0)
    torchs.load_state_dict(first.state_dict())
    for key in ("sum", "step"):
        assert torch.equal(torchs.state[q][key], first.state[p][key])


def test_a_bowl_is_descended() -> None:
    theta = nn.Parameter(torch.tensor([5.0, -3.0]))
    optimizer = AdaGrad([theta], lr=1.0)
    for _ in range(300):
        optimizer.zero_grad()
        (theta * torch.tensor([1.0, 10.0])).square().sum().backward()
        optimizer.step()
    assert theta.abs().max() < 1e-3


@pytest.mark.parametrize("name", ["lr", "lr_decay", "weight_decay", "initial_accumulator_value", "eps"])
@pytest.mark.parametrize("value", [-1e-3, math.nan, math.inf])
def test_settings_are_checked(name: str, value: float) -> None:
    theta = nn.Parameter(torch.zeros(2))
    with pytest.raises(ValueError, match=f"{name} must be a finite number at least 0, got"):
        AdaGrad([theta], **{name: value})
    with pytest.raises(ValueError, match=f"{name} must be a finite number at least 0, got"):
        AdaGrad([{"params": [theta], name: value}])


def test_weight_decay_with_a_sparse_gradient_is_refused_before_any_update() -> None:
    a, b = nn.Parameter(torch.zeros(2, 2)), nn.Parameter(torch.zeros(3, 2))
    optimizer = AdaGrad([a, b], weight_decay=0.1)
    a.grad, b.grad = torch.ones(2, 2), sparse(torch.ones(3, 2), torch.tensor([0]))
    with pytest.raises(RuntimeError, match="weight_decay must be 0 for a parameter with sparse gradients, got 0.1"):
        optimizer.step()
    assert not a.any()
    assert optimizer.state[a]["step"] == 0


def test_an_empty_list_is_refused() -> None:
    with pytest.raises(ValueError, match="empty parameter list"):
        AdaGrad([])
