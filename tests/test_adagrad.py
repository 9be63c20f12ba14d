"""2.6 AdaGrad, against the notes' formula and torch's optimizer."""

import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from cs224d_l3 import AdaGrad
from cs224d_l3.adagrad import update
from helpers import normal, seeds
from stepping import notes, run, sparse


@given(seed=seeds, steps=st.integers(1, 6), lr=st.floats(1e-3, 10), eps=st.floats(1e-10, 1))
def test_update_is_the_notes_two_lines_with_eps_in_G_from_the_start(
    seed: int, steps: int, lr: float, eps: float
) -> None:
    theta, *gradients = (normal(3, 2, seed=seed + i, grad=False) for i in range(steps + 1))
    found, G = theta.clone(), torch.full_like(theta, eps)
    for g in gradients:
        update(found, g, G, lr)
    torch.testing.assert_close(found, notes(theta, gradients, lr, eps))
    torch.testing.assert_close(found, run(theta, gradients, lr=lr, eps=eps))


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
    with pytest.raises(ValueError, match=f"{name}.*{value}"):
        AdaGrad([theta], **{name: value})
    with pytest.raises(ValueError, match=f"{name}.*{value}"):
        AdaGrad([{"params": [theta], name: value}])


def test_weight_decay_with_a_sparse_gradient_is_refused_before_any_update() -> None:
    a, b = nn.Parameter(torch.zeros(2, 2)), nn.Parameter(torch.zeros(3, 2))
    optimizer = AdaGrad([a, b], weight_decay=0.1)
    a.grad, b.grad = torch.ones(2, 2), sparse(torch.ones(3, 2), torch.tensor([0]))
    with pytest.raises(RuntimeError, match=r"weight_decay.*0\.1"):
        optimizer.step()
    assert not a.any()
    assert optimizer.state[a]["step"] == 0


def test_an_empty_list_is_refused() -> None:
    with pytest.raises(ValueError, match="empty parameter list"):
        AdaGrad([])


def test_options_that_exclude_each_other() -> None:
    theta = nn.Parameter(torch.zeros(2))
    for wrong, match in (
        ({"fused": True, "differentiable": True}, "`fused` does not support `differentiable`"),
        ({"fused": True, "foreach": True}, "`fused` and `foreach` cannot be `True` together"),
    ):
        with pytest.raises(RuntimeError, match=match):
            AdaGrad([theta], **wrong)
    with pytest.raises(ValueError, match="Tensor lr must be 1-element"):
        AdaGrad([theta], lr=torch.ones(2))
    with pytest.raises(ValueError, match=r"Invalid learning rate: -1\.0"):
        AdaGrad([theta], lr=torch.tensor(-1.0))
    with pytest.raises(TypeError, match=r"params.*torch\.int64"):
        AdaGrad([torch.zeros(2, dtype=torch.int64)])
    with pytest.raises(ValueError, match="more than one parameter group"):
        AdaGrad([{"params": [theta]}, {"params": [theta]}])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_goes_on_growing_where_torchs_stalls(dtype: torch.dtype) -> None:
    p, q = nn.Parameter(torch.zeros(2, dtype=dtype)), nn.Parameter(torch.zeros(2, dtype=dtype))
    ours, torchs = AdaGrad([p]), torch.optim.Adagrad([q])
    for _ in range(3000):
        p.grad, q.grad = torch.ones_like(p), torch.ones_like(q)
        ours.step()
        torchs.step()
    assert ours.state[p]["sum"].tolist() == pytest.approx([3000.0] * 2)
    assert torchs.state[q]["sum"][0] < 2100
    again = AdaGrad([p])
    again.load_state_dict(ours.state_dict())
    assert again.state[p]["sum"].dtype == torch.float32
    assert torch.equal(again.state[p]["sum"], ours.state[p]["sum"])


def test_torchs_fused_kernel_ignores_strides_and_ours_does_not() -> None:
    theta = normal(3, 4, grad=False)
    g = normal(3, 4, seed=1, grad=False)
    right = run(theta, [g], foreach=False)
    torchs = nn.Parameter(theta.mT.contiguous().mT)
    torchs.grad = g
    torch.optim.Adagrad([torchs], fused=True).step()
    assert not torch.allclose(torchs.detach(), right, atol=1e-3)
    torch.testing.assert_close(run(theta.mT.contiguous().mT, [g], fused=True), right)


def test_torch_gives_nan_for_a_zero_gradient_in_half_precision_and_ours_stays() -> None:
    theta = nn.Parameter(torch.ones(1, dtype=torch.float16))
    theta.grad = torch.zeros_like(theta)
    torch.optim.Adagrad([theta]).step()
    assert theta.isnan()
    assert run(torch.ones(1, dtype=torch.float16), [torch.zeros(1, dtype=torch.float16)]).item() == 1


def test_torch_ignores_the_accumulator_of_a_group_and_ours_does_not() -> None:
    theta = nn.Parameter(torch.zeros(1))
    groups = [{"params": [theta], "initial_accumulator_value": 3.0}]
    assert torch.optim.Adagrad(groups).state[theta]["sum"].item() == 0
    assert AdaGrad(groups).state[theta]["sum"].item() == pytest.approx(3)


@pytest.mark.filterwarnings("ignore:Sparse invariant checks:UserWarning")  # in torch's own step
def test_torch_gets_complex_sparse_gradients_wrong_and_ours_right() -> None:
    """The first step is lr in the direction of both parts."""
    found = []
    for kind in (torch.optim.Adagrad, AdaGrad):
        theta = nn.Parameter(torch.zeros(2, 1, dtype=torch.complex64))
        values = torch.tensor([[3 + 4j]])
        theta.grad = torch.sparse_coo_tensor(torch.tensor([[1]]), values, (2, 1), check_invariants=False)
        kind([theta], lr=0.1).step()
        found.append(theta.detach()[1, 0])
    right = torch.tensor(-0.1 - 0.1j)
    assert not torch.isclose(found[0], right, atol=1e-3)
    torch.testing.assert_close(found[1], right)


def test_torch_leaves_the_count_behind_when_it_shares_memory_and_ours_does_not() -> None:
    theta = nn.Parameter(torch.zeros(1))
    torchs, ours = torch.optim.Adagrad([theta]), AdaGrad([theta])
    torchs.share_memory()
    ours.share_memory()
    assert not torchs.state[theta]["step"].is_shared()
    assert ours.state[theta]["step"].is_shared()


def test_torch_casts_a_loaded_sum_to_the_type_of_its_parameter() -> None:
    theta = nn.Parameter(torch.zeros(1, dtype=torch.bfloat16))
    saved = {"step": torch.tensor(9.0), "sum": torch.tensor([1001.0])}
    for kind, expected in ((torch.optim.Adagrad, 1000.0), (AdaGrad, 1001.0)):
        optimizer = kind([theta])
        optimizer.load_state_dict({**optimizer.state_dict(), "state": {0: saved}})
        assert optimizer.state[theta]["sum"].item() == expected
