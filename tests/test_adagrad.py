"""2.6 AdaGrad, against the notes' formula and torch's surface."""

import copy
import importlib.util
import io
import math
import pickle
import warnings
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.optim import lr_scheduler as S
from torch.utils._python_dispatch import TorchDispatchMode

from cs224d_l3 import AdaGrad, _adagrad_kernels, _torch
from cs224d_l3.adagrad import update
from helpers import normal, seeds


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


# ------------------------------------------------------------------------------- torch's whole surface

WAYS: list[dict[str, Any]] = [{}, {"fused": True}, {"foreach": True}, {"foreach": False}, {"fused": False}]


def layouts(t: Tensor) -> list[Tensor]:
    """The same numbers: contiguous, transposed in memory, with gaps."""
    return [t.clone(), t.mT.contiguous().mT, torch.stack([t, t], -1)[..., 0]]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16, torch.complex64])
@given(
    settings=st.fixed_dictionaries(
        {},
        optional={
            "lr_decay": st.just(0.3),
            "weight_decay": st.just(0.2),
            "maximize": st.booleans(),
            "initial_accumulator_value": st.just(0.5),
        },
    ),
    lay=st.tuples(st.integers(0, 2), st.integers(0, 2)),
    seed=seeds,
)
def test_all_paths_agree(
    way: dict[str, Any], dtype: torch.dtype, settings: dict[str, Any], lay: tuple[int, int], seed: int
) -> None:
    """Every path, for every layout of parameter and gradient, is the plain one on contiguous float64."""
    wide = torch.complex128 if dtype.is_complex else torch.float64
    generator = torch.Generator().manual_seed(seed)
    theta, *gs = (torch.randn(3, 4, generator=generator, dtype=wide).to(dtype) for _ in range(4))
    right, found = nn.Parameter(theta.to(wide)), nn.Parameter(layouts(theta)[lay[0]])
    plain, optimizer = AdaGrad([right], foreach=False, **settings), AdaGrad([found], **way, **settings)
    for g in gs:
        right.grad, found.grad = g.to(wide), layouts(g)[lay[1]]
        plain.step()
        optimizer.step()
    tolerance = 4 * torch.finfo(dtype).eps
    torch.testing.assert_close(found.detach().to(wide), right.detach(), rtol=tolerance, atol=tolerance)


def test_channels_last_and_expanded_gradients() -> None:
    theta, g = normal(2, 3, 4, 4, grad=False), normal(2, 3, 4, 4, seed=1, grad=False)
    last = theta.to(memory_format=torch.channels_last)
    for gradient in (g, g.to(memory_format=torch.channels_last), g[:1].expand_as(g), g[..., :1].expand_as(g)):
        expected = run(theta, [gradient.contiguous()] * 2, foreach=False)
        for parameter in (theta, last):
            torch.testing.assert_close(run(parameter, [gradient] * 2), expected)


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


@pytest.mark.parametrize("eps", [1e-8, 0.0, 1e-30])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16, torch.complex64])
def test_a_zero_gradient_is_no_move_in_any_type(dtype: torch.dtype, eps: float) -> None:
    for way in WAYS:
        assert torch.equal(
            run(torch.ones(2, dtype=dtype), [torch.zeros(2, dtype=dtype)] * 2, eps=eps, **way).real,
            torch.ones(2, dtype=dtype).real,
        )


def test_thousands_of_float32_steps_stay_near_the_formula_in_float64() -> None:
    theta = normal(50, grad=False)
    gradients = [normal(50, seed=i, grad=False) for i in range(3000)]
    found = run(theta.float(), [g.float() for g in gradients], lr=0.1)
    torch.testing.assert_close(found.double(), notes(theta, gradients, 0.1), rtol=1e-4, atol=1e-5)


def test_complex_sparse_gradients_are_the_real_and_imaginary_ones() -> None:
    z = nn.Parameter(torch.view_as_complex(normal(5, 3, 2, grad=False)))
    r = nn.Parameter(torch.view_as_real(z.detach()).clone())
    values = torch.view_as_complex(normal(3, 3, 2, seed=1, grad=False))
    optimizers = AdaGrad([z]), AdaGrad([r])
    for _ in range(3):
        z.grad = torch.sparse_coo_tensor(torch.tensor([[0, 3, 0]]), values, z.shape, check_invariants=False)
        r.grad = torch.view_as_real(z.grad.to_dense())
        for optimizer in optimizers:
            optimizer.step()
    torch.testing.assert_close(torch.view_as_real(z.detach()), r.detach())


def test_sparse_gradients_of_several_sparse_dimensions() -> None:
    theta, g = normal(4, 5, grad=False), normal(4, 5, seed=1, grad=False).relu()
    torch.testing.assert_close(run(theta, [g.to_sparse()] * 3), run(theta, [g] * 3))


def test_a_sparse_step_costs_what_its_rows_cost() -> None:
    """No operator of the step fills or reads as many numbers as the table has; to reserve memory costs nothing."""
    theta = nn.Parameter(torch.zeros(5000, 8))
    optimizer = AdaGrad([theta])
    theta.grad = sparse(torch.ones(5000, 8), torch.tensor([3, 4999]))

    class Largest(TorchDispatchMode):
        elements = 0

        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            out = func(*args, **(kwargs or {}))
            if func is torch.ops.aten.empty.memory_format:
                table.add(out.data_ptr())
            is_new = isinstance(out, Tensor) and out.layout == torch.strided and out.data_ptr() not in table
            self.elements = max(self.elements, out.numel() if is_new else 0)
            return out

    table = {theta.data_ptr(), optimizer.state[theta]["sum"].data_ptr()}
    with Largest() as largest:
        optimizer.step()
    assert 0 < largest.elements <= 4 * 8


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


def test_the_step_can_be_differentiated() -> None:
    def step(theta: Tensor, g: Tensor, G: Tensor, lr: Tensor) -> tuple[Tensor, Tensor]:
        theta = theta.clone()
        theta.grad = g
        optimizer = AdaGrad([theta], lr=lr, weight_decay=0.9, differentiable=True)
        optimizer.state[theta].update(step=torch.tensor(10.0), sum=G.clone())
        optimizer.step()
        return theta, optimizer.state[theta]["sum"]

    lr = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(step, (normal(5), normal(5, seed=1), normal(5, seed=2).abs(), lr))


def test_without_torchs_private_names_the_steps_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    theta, g = normal(5, 4, dtype=torch.float32, grad=False), normal(5, 4, seed=1, dtype=torch.float32, grad=False)
    gradients = [g, sparse(g, torch.tensor([0, 3])), g]
    settings: list[dict[str, Any]] = [*WAYS, {"lr_decay": 0.1}]
    expected = [run(theta, gradients, **way) for way in settings]
    decayed = run(theta, [g, g], foreach=True, maximize=True, weight_decay=0.1)

    for name in [name for name in dir(torch) if name.startswith(("_fused_adagrad", "_foreach_"))]:
        monkeypatch.delattr(torch, name)
    for name in ("_indices", "_values"):
        monkeypatch.setattr(Tensor, name, property(), raising=False)  # without a getter: no such attribute
    spec = importlib.util.spec_from_file_location("names", _torch.__file__)
    assert spec is not None
    assert spec.loader is not None
    names = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(names)
    assert names.fused_adagrad_ is None
    for name in vars(names).keys() & vars(_adagrad_kernels).keys():
        if name.startswith(("fused_", "foreach_", "stored_")):
            monkeypatch.setattr(_adagrad_kernels, name, getattr(names, name))

    torch.testing.assert_close([run(theta, gradients, **way) for way in settings], expected)
    torch.testing.assert_close(run(theta, [g, g], foreach=True, maximize=True, weight_decay=0.1), decayed)


def net() -> nn.Module:
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 1))


def descend(model: nn.Module, optimizer: Any, step: Any = None, scheduler: Any = None) -> list[Tensor]:
    x = normal(8, 4, dtype=torch.float32, grad=False)
    for _ in range(5):
        optimizer.zero_grad()
        model(x).square().sum().backward()
        (step or optimizer.step)()
        if scheduler is not None:
            scheduler.step()
    return [theta.detach() for theta in model.parameters()]


@pytest.mark.slow
@pytest.mark.parametrize("lr", [0.1, torch.tensor(0.1), torch.tensor([0.1])])
def test_a_compiled_step_is_the_step(lr: Any) -> None:
    model, other = net(), net()
    optimizer, plain = (
        AdaGrad(model.parameters(), lr=copy.copy(lr), lr_decay=0.1),
        AdaGrad(other.parameters(), lr=0.1, lr_decay=0.1),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's: the profiler's record is left out
        found = descend(model, optimizer, torch.compile(optimizer.step, backend="aot_eager"))
    torch.testing.assert_close(found, descend(other, plain))


SCHEDULERS: list[Any] = [
    lambda o: S.StepLR(o, 2),
    lambda o: S.MultiStepLR(o, [1, 3]),
    lambda o: S.LambdaLR(o, lambda t: 0.9**t),
    lambda o: S.MultiplicativeLR(o, lambda t: 0.9),
    lambda o: S.ConstantLR(o),
    lambda o: S.LinearLR(o),
    lambda o: S.ExponentialLR(o, 0.9),
    lambda o: S.PolynomialLR(o),
    lambda o: S.CosineAnnealingLR(o, 5),
    lambda o: S.CosineAnnealingWarmRestarts(o, 3),
    lambda o: S.OneCycleLR(o, 0.1, total_steps=20, cycle_momentum=False),
    lambda o: S.CyclicLR(o, 0.01, 0.1, cycle_momentum=False),
    lambda o: S.ChainedScheduler([S.ConstantLR(o), S.ExponentialLR(o, 0.9)]),
]


@pytest.mark.parametrize("tensor", [False, True])
@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_every_scheduler_of_torch_goes_with_it(scheduler: Any, tensor: bool) -> None:
    found = []
    for kind in (AdaGrad, torch.optim.Adagrad):
        model = net()
        optimizer = kind(model.parameters(), lr=torch.tensor(0.1) if tensor else 0.1, eps=1e-12)
        found.append(descend(model, optimizer, scheduler=scheduler(optimizer)))
    torch.testing.assert_close(found[0], found[1])


@pytest.mark.parametrize("way", [{}, {"fused": True}, {"foreach": True}])
def test_a_grad_scaler_skips_what_overflows(way: dict[str, Any]) -> None:
    model, other = net(), net()
    optimizer, plain = AdaGrad(model.parameters(), **way), AdaGrad(other.parameters())
    scaler, x = torch.amp.GradScaler("cpu", init_scale=128.0, growth_interval=2), torch.randn(8, 4)
    for i in range(6):
        optimizer.zero_grad()
        plain.zero_grad()
        J = model(x).square().sum() * (math.inf if i == 3 else 1)
        scaler.scale(J).backward()
        scaler.step(optimizer)
        scaler.update()
        if i != 3:
            other(x).square().sum().backward()
            plain.step()
    torch.testing.assert_close(list(model.parameters()), list(other.parameters()))


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


def test_eps_can_be_changed_under_way() -> None:
    theta = nn.Parameter(torch.zeros(1))
    optimizer = AdaGrad([theta], lr=1.0, eps=3.0)
    theta.grad = torch.ones(1)
    optimizer.step()
    assert theta.item() == pytest.approx(-1 / 2)
    optimizer.param_groups[0]["eps"] = 7.0
    optimizer.step()
    assert theta.item() == pytest.approx(-1 / 2 - 1 / 3)


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


def test_a_state_of_other_shapes_changes_nothing() -> None:
    theta, other = nn.Parameter(torch.zeros(2)), nn.Parameter(torch.zeros(3))
    optimizer = AdaGrad([theta], lr=0.5)
    before = copy.deepcopy(optimizer.state_dict())
    with pytest.raises(ValueError, match=r"parameter 0.*\(3,\)"):
        optimizer.load_state_dict(AdaGrad([other]).state_dict())
    assert str(optimizer.state_dict()) == str(before)


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


def test_an_accumulator_of_another_size_is_refused() -> None:
    """A vocabulary that has grown under the optimizer: the fused kernel would read past the accumulator."""
    theta = nn.Parameter(torch.ones(64, 4))
    optimizer = AdaGrad([theta])
    theta.data = torch.ones(100, 4)
    theta.grad = torch.ones(100, 4)
    with pytest.raises(RuntimeError, match="size of tensor a"):
        optimizer.step()


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


@pytest.mark.slow
def test_a_compiled_step_counts_what_comes_and_goes() -> None:
    found = []
    for compiled in (True, False):
        a, b = nn.Parameter(torch.ones(3)), nn.Parameter(torch.ones(2))
        optimizer = AdaGrad([a, b], lr=0.1, lr_decay=0.1)
        step = torch.compile(optimizer.step, backend="aot_eager") if compiled else optimizer.step
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for i in range(6):
                a.grad, b.grad = torch.ones(3), torch.ones(2) if i % 2 else None
                step()
        found.append((a.detach(), b.detach(), [optimizer.state[p]["step"].item() for p in (a, b)]))
    torch.testing.assert_close(found[0][:2], found[1][:2])
    assert found[0][2] == found[1][2] == [6, 3]


def test_groups_and_sums_set_by_hand() -> None:
    theta = nn.Parameter(torch.ones(2))
    optimizer = AdaGrad([theta])
    optimizer.param_groups = [{"params": [theta], **optimizer.defaults}]
    optimizer.state[theta]["sum"].zero_()
    theta.grad = torch.tensor([0.0, 1.0])
    with torch.device("meta"):  # where new tensors would be made
        optimizer.step()
    assert theta.tolist() == pytest.approx([1.0, 0.99])
