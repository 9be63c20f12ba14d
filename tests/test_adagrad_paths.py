"""AdaGrad's paths, fused, foreach, sparse and plain: in every type and layout the same steps."""

import copy
import importlib.util
import math
import warnings
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.optim import lr_scheduler as S
from torch.utils._python_dispatch import TorchDispatchMode

from cs224d_l3 import AdaGrad, WordVectors, _adagrad_kernels, _torch
from helpers import normal, seeds
from stepping import WAYS, descend, layouts, net, notes, run, sparse


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


@pytest.mark.slow
@pytest.mark.parametrize("settings", [{}, {"fused": False}, {"lr_decay": 0.1}])
def test_a_compiled_step_takes_sparse_gradients(settings: dict[str, Any]) -> None:
    """As torch's class does: compiled around them."""
    found = []
    for kind, compiled in ((AdaGrad, True), (AdaGrad, False), (torch.optim.Adagrad, True)):
        L, bags = WordVectors(10, 4, sparse=True), nn.EmbeddingBag(10, 4, sparse=True, mode="sum")
        layer = nn.Linear(4, 3)
        parts = nn.ModuleList([L, bags, layer])
        with torch.no_grad():
            for k, theta in enumerate(parts.parameters()):
                theta.copy_(normal(*theta.shape, seed=k, grad=False))
        theirs = {k: v for k, v in settings.items() if k != "fused"} if kind is torch.optim.Adagrad else settings
        optimizer: Any = kind(parts.parameters(), lr=0.1, **theirs)
        step = torch.compile(optimizer.step, backend="aot_eager") if compiled else optimizer.step
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for seed in range(3):
                i = torch.randint(10, (6,), generator=torch.Generator().manual_seed(seed))
                optimizer.zero_grad()
                layer(L(i) + bags(i[:, None])).square().sum().backward()
                step()
        found.append([theta.detach() for theta in parts.parameters()])
    torch.testing.assert_close(found[0], found[1])
    torch.testing.assert_close(found[0], found[2])


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
