"""AdaGrad's state: saved, loaded, copied, counted, and changed by hand."""

import copy
import io
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from cs224d_l3 import AdaGrad
from helpers import normal
from stepping import descend, net, run


def test_a_state_dict_goes_on_where_it_was() -> None:
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
    assert torch.equal(q.detach(), whole)


@pytest.mark.parametrize("to", [AdaGrad, torch.optim.Adagrad])
@pytest.mark.parametrize("of", [AdaGrad, torch.optim.Adagrad])
def test_states_travel_between_torchs_class_and_ours(of: type[Any], to: type[Any]) -> None:
    """At a large G the place of eps does not show, so that the path does not depend on who went where."""
    settings: dict[str, Any] = {"lr": 0.1, "lr_decay": 0.2, "eps": 1e-10, "initial_accumulator_value": 1.0}
    gradients = [normal(4, seed=i, grad=False) for i in range(6)]
    p = nn.Parameter(normal(4))
    first = of([p], **settings)
    right = run(p.detach(), gradients, **settings)
    for g in gradients[:3]:
        p.grad = g
        first.step()
    q = nn.Parameter(p.detach().clone())
    second = to([q])
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    for g in gradients[3:]:
        q.grad = g
        second.step()
    torch.testing.assert_close(q.detach(), right)
    assert second.state[q]["step"] == 6


def test_torchs_sums_get_the_eps_they_lack() -> None:
    q = nn.Parameter(torch.ones(2))
    torchs = torch.optim.Adagrad([q], eps=1e-8)
    q.grad = torch.tensor([0.0, 2.0])
    torchs.step()
    ours = AdaGrad([q])
    ours.load_state_dict(torchs.state_dict())
    assert ours.state[q]["sum"].tolist() == pytest.approx([1e-8, 4.0])
    ours.step()
    assert q.isfinite().all()


def test_an_older_state_is_completed() -> None:
    model = net()
    optimizer = AdaGrad(model.parameters())
    descend(model, optimizer)
    saved = copy.deepcopy(optimizer.state_dict())
    for group in saved["param_groups"]:
        for name in ("foreach", "maximize", "differentiable", "fused"):
            del group[name]
    for state in saved["state"].values():
        state["step"] = state["step"].item()
    optimizer.load_state_dict(saved)
    descend(model, optimizer)
    assert all(state["step"] == 10 for state in optimizer.state.values())


def test_a_state_of_other_shapes_changes_nothing() -> None:
    theta, other = nn.Parameter(torch.zeros(2)), nn.Parameter(torch.zeros(3))
    optimizer = AdaGrad([theta], lr=0.5)
    before = copy.deepcopy(optimizer.state_dict())
    with pytest.raises(ValueError, match=r"parameter 0.*\(3,\)"):
        optimizer.load_state_dict(AdaGrad([other]).state_dict())
    assert str(optimizer.state_dict()) == str(before)


OTHERS: dict[str, Callable[[Any], torch.optim.Optimizer]] = {
    "Adam": torch.optim.Adam,
    "Adamax": torch.optim.Adamax,
    "NAdam": torch.optim.NAdam,
    "RMSprop": torch.optim.RMSprop,
    "Rprop": torch.optim.Rprop,
    "Adadelta": torch.optim.Adadelta,
    "ASGD": torch.optim.ASGD,
    "SGD": lambda params: torch.optim.SGD(params, lr=0.3),
    "SGD with momentum": lambda params: torch.optim.SGD(params, lr=0.3, momentum=0.9),
}


@pytest.mark.parametrize("steps", [0, 2])
@pytest.mark.parametrize("name", OTHERS)
def test_the_state_of_another_optimizer_changes_nothing(name: str, steps: int) -> None:
    model, theirs = net(), net()
    ours, other = AdaGrad(model.parameters(), lr=0.1), OTHERS[name](theirs.parameters())
    descend(model, ours)
    for _ in range(steps):
        descend(theirs, other)
    before, options = copy.deepcopy(ours.state_dict()), copy.deepcopy(other.state_dict())
    with pytest.raises(ValueError, match=r"state_dict.*(lr_decay|initial_accumulator_value)"):
        ours.load_state_dict(options)
    for state, group in zip(options["state"].values(), options["param_groups"], strict=False):
        group.update({name: before["param_groups"][0][name] for name in ("lr_decay", "eps", "weight_decay")})
        group["initial_accumulator_value"] = 0.0
        if "sum" not in state:  # the options of AdaGrad, and another's state
            with pytest.raises(ValueError, match=rf"state_dict.*{next(iter(state))}"):
                ours.load_state_dict(options)
    assert str(ours.state_dict()) == str(before)
    twin = copy.deepcopy((model, ours))
    assert all(map(torch.equal, descend(model, ours), descend(*twin)))


def test_options_that_are_none_are_not_loaded() -> None:
    ours = AdaGrad([nn.Parameter(torch.ones(2))], lr=0.1)
    saved = ours.state_dict()
    saved["param_groups"][0]["lr"] = -1.0
    with pytest.raises(ValueError, match="learning rate: -1"):
        ours.load_state_dict(saved)
    assert ours.param_groups[0]["lr"] == 0.1


@pytest.mark.parametrize("flat", [False, True])
@pytest.mark.parametrize("eps", [1e-10, 1e-2])
@pytest.mark.parametrize("to", [AdaGrad, torch.optim.Adagrad])
@pytest.mark.parametrize("of", [AdaGrad, torch.optim.Adagrad])
@pytest.mark.filterwarnings("ignore:torch.distributed")
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_checkpoints_of_torch_distributed_travel_both_ways(
    of: type[Any], to: type[Any], eps: float, flat: bool, tmp_path: Path
) -> None:
    checkpoint = pytest.importorskip("torch.distributed.checkpoint")
    api = pytest.importorskip("torch.distributed.checkpoint.state_dict")
    options = api.StateDictOptions(flatten_optimizer_state_dict=flat)
    model, other = net(), net()
    first = of(model.parameters(), lr=0.1, lr_decay=0.1, eps=eps)
    second = to(other.parameters(), lr=0.1, lr_decay=0.1, eps=1e-8)
    descend(model, first)
    saved = dict(zip(("model", "optimizer"), api.get_state_dict(model, first, options=options), strict=True))
    checkpoint.save(saved, checkpoint_id=tmp_path, no_dist=True)
    loaded = dict(zip(("model", "optimizer"), api.get_state_dict(other, second, options=options), strict=True))
    checkpoint.load(loaded, checkpoint_id=tmp_path, no_dist=True)
    api.set_state_dict(
        other, second, model_state_dict=loaded["model"], optim_state_dict=loaded["optimizer"], options=options
    )
    assert second.param_groups[0]["eps"] == eps
    pairs = zip(model.parameters(), other.parameters(), strict=True)
    for a, b in pairs:
        expected = first.state[a]["sum"] + (eps if (of, to) == (torch.optim.Adagrad, AdaGrad) else 0)
        torch.testing.assert_close(second.state[b]["sum"], expected)
    if of is to:
        assert all(map(torch.equal, descend(model, first), descend(other, second)))


def test_eps_may_change_before_a_state_is_saved() -> None:
    model = net()
    optimizer = AdaGrad(model.parameters(), lr=0.1, eps=1e-8)
    descend(model, optimizer)
    optimizer.param_groups[0]["eps"] = 1e-3
    other = copy.deepcopy(model)
    second = AdaGrad(other.parameters(), lr=0.1)
    second.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    twin = pickle.loads(pickle.dumps((model, optimizer)))
    expected = descend(model, optimizer)
    assert all(map(torch.equal, descend(other, second), expected))
    assert all(map(torch.equal, descend(*twin), expected))


def _descend_there(model: nn.Module, optimizer: AdaGrad) -> None:
    descend(model, optimizer)


@pytest.mark.slow
def test_counts_are_shared_with_a_process_that_gets_the_optimizer_by_pickle() -> None:
    model, alone = net().share_memory(), net()
    optimizer, plain = (AdaGrad(m.parameters(), lr=0.1, lr_decay=0.5) for m in (model, alone))
    optimizer.share_memory()
    process = torch.multiprocessing.get_context("spawn").Process(target=_descend_there, args=(model, optimizer))
    process.start()
    process.join(300)
    assert process.exitcode == 0
    descend(model, optimizer)
    descend(alone, plain)
    descend(alone, plain)
    torch.testing.assert_close(list(model.parameters()), list(alone.parameters()))
    steps = [optimizer.state[theta]["step"].item() for theta in model.parameters()]
    assert steps == [plain.state[theta]["step"].item() for theta in alone.parameters()]


def test_copies_and_pickles_go_on_alike() -> None:
    model = net()
    optimizer = AdaGrad(model.parameters(), lr=0.1)
    descend(model, optimizer)
    optimizer.share_memory()
    assert all(value.is_shared() for state in optimizer.state.values() for value in state.values())
    twin, twins = copy.deepcopy((model, optimizer))
    third, thirds = pickle.loads(pickle.dumps((model, optimizer)))
    file = io.BytesIO()
    torch.save(optimizer.state_dict(), file)
    file.seek(0)
    fourth = copy.deepcopy(model)
    fourths = AdaGrad(fourth.parameters())
    saved = torch.load(file, weights_only=True)
    before = copy.deepcopy(saved)
    fourths.load_state_dict(saved)
    expected = descend(model, optimizer)
    for m, o in ((twin, twins), (third, thirds), (fourth, fourths)):
        assert all(map(torch.equal, descend(m, o), expected))
    assert str(saved) == str(before)  # the dictionary is not written to


@pytest.mark.skipif(torch.__version__ < "2.6", reason="torch has no named parameters in optimizers before 2.6")
def test_parameters_may_have_names() -> None:
    optimizer = AdaGrad(net().named_parameters())
    assert optimizer.state_dict()["param_groups"][0]["param_names"] == ["0.weight", "0.bias", "2.weight", "2.bias"]


def test_parameters_that_stay_behind_keep_their_count() -> None:
    a, b = nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(2))
    c, d = nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(2))
    ours = AdaGrad([a, b], lr_decay=0.5, eps=0)
    torchs = torch.optim.Adagrad([c, d], lr_decay=0.5, eps=0)
    for step in range(12):
        for p, q, moves in ((a, c, step % 3 > 0), (b, d, step % 4 > 0)):
            p.grad, q.grad = (torch.ones(2), torch.ones(2)) if moves else (None, None)
        ours.step()
        torchs.step()
    for p, q in ((a, c), (b, d)):
        torch.testing.assert_close(p.detach(), q.detach())
        assert ours.state[p]["step"] == torchs.state[q]["step"]


def test_counts_are_each_parameters_own() -> None:
    a, b = nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(2))
    optimizer = AdaGrad([a, b])
    a.grad, b.grad = torch.ones(2), torch.ones(2)
    optimizer.step()
    for state in optimizer.state.values():
        state["step"] += 1
    assert [optimizer.state[p]["step"].item() for p in (a, b)] == [2, 2]
    optimizer.state[a]["step"].zero_()
    optimizer.step()
    optimizer.state[b]["step"] = torch.tensor(7.0)
    optimizer.step()
    assert [optimizer.state[p]["step"].item() for p in (a, b)] == [2, 8]


def test_eps_can_be_changed_under_way() -> None:
    theta = nn.Parameter(torch.zeros(1))
    optimizer = AdaGrad([theta], lr=1.0, eps=3.0)
    theta.grad = torch.ones(1)
    optimizer.step()
    assert theta.item() == pytest.approx(-1 / 2)
    optimizer.param_groups[0]["eps"] = 7.0
    optimizer.step()
    assert theta.item() == pytest.approx(-1 / 2 - 1 / 3)


def test_an_accumulator_of_another_size_is_refused() -> None:
    """A vocabulary that has grown under the optimizer: the fused kernel would read past the accumulator."""
    theta = nn.Parameter(torch.ones(64, 4))
    optimizer = AdaGrad([theta])
    theta.data = torch.ones(100, 4)
    theta.grad = torch.ones(100, 4)
    with pytest.raises(RuntimeError, match="size of tensor a"):
        optimizer.step()


def test_groups_and_sums_set_by_hand() -> None:
    theta = nn.Parameter(torch.ones(2))
    optimizer = AdaGrad([theta])
    optimizer.param_groups = [{"params": [theta], **optimizer.defaults}]
    optimizer.state[theta]["sum"].zero_()
    theta.grad = torch.tensor([0.0, 1.0])
    with torch.device("meta"):  # where new tensors would be made
        optimizer.step()
    assert theta.tolist() == pytest.approx([1.0, 0.99])
