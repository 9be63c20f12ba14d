"""What the parameters of other people's modules are: one answer for 2.2, 2.4 and 2.5."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from cs224d_l3 import fan_in_groups, init_xavier, weight_matrices


class Scaled(nn.Module):
    """A convolution with LayerScale beside it, and parameters that only their author knows."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(4, 8, 3)
        self.gamma = nn.Parameter(torch.full((8, 1, 1), 1e-5))
        self.other_gamma = nn.Parameter(torch.full((8,), 1e-5))
        self.experts = nn.Parameter(torch.ones(3, 4, 5))


def weight_norm(layer: nn.Module) -> nn.Module:
    return nn.utils.parametrizations.weight_norm(layer)


# module, its weights with fan-in and fan-out, the parameters that are neither weights nor biases
MODULES: dict[str, tuple[Callable[[], nn.Module], dict[str, tuple[int, int]], set[str]]] = {
    "linear": (lambda: nn.Linear(3, 5), {"weight": (3, 5)}, set()),
    "bilinear": (lambda: nn.Bilinear(3, 4, 5), {"weight": (12, 20)}, set()),
    "convolution": (lambda: nn.Conv2d(4, 6, (3, 2)), {"weight": (24, 36)}, set()),
    "grouped": (lambda: nn.Conv2d(4, 6, 3, groups=2), {"weight": (18, 27)}, set()),
    "depthwise": (lambda: nn.Conv1d(4, 8, 3, groups=4), {"weight": (3, 6)}, set()),
    "transposed": (lambda: nn.ConvTranspose1d(8, 4, 3), {"weight": (24, 12)}, set()),
    "transposed, grouped": (lambda: nn.ConvTranspose2d(8, 4, 3, groups=2), {"weight": (36, 18)}, set()),
    "layer norm": (lambda: nn.LayerNorm([3, 4]), {}, {"weight"}),
    "group norm": (lambda: nn.GroupNorm(2, 4), {}, {"weight"}),
    "batch norm": (lambda: nn.BatchNorm2d(4), {}, {"weight"}),
    "instance norm": (lambda: nn.InstanceNorm1d(4, affine=True), {}, {"weight"}),
    "prelu": (lambda: nn.PReLU(4), {}, {"weight"}),
    "embedding bag": (lambda: nn.EmbeddingBag(4, 3), {}, {"weight"}),
    "lstm": (lambda: nn.LSTM(3, 5), {"weight_ih_l0": (3, 5), "weight_hh_l0": (5, 5)}, set()),
    "lstm with projection": (
        lambda: nn.LSTM(3, 5, proj_size=2),
        {"weight_ih_l0": (3, 5), "weight_hh_l0": (2, 5), "weight_hr_l0": (5, 2)},
        set(),
    ),
    "gru": (lambda: nn.GRU(3, 5, bias=False), {"weight_ih_l0": (3, 5), "weight_hh_l0": (5, 5)}, set()),
    "gru cell": (lambda: nn.GRUCell(3, 5), {"weight_ih": (3, 5), "weight_hh": (5, 5)}, set()),
    "attention": (
        lambda: nn.MultiheadAttention(6, 2, add_bias_kv=True),
        {"in_proj_weight": (6, 6), "out_proj.weight": (6, 6)},
        {"bias_k", "bias_v"},
    ),
    "attention, other widths": (
        lambda: nn.MultiheadAttention(6, 2, kdim=3, vdim=4),
        {
            "q_proj_weight": (6, 6),
            "k_proj_weight": (3, 6),
            "v_proj_weight": (4, 6),
            "out_proj.weight": (6, 6),
        },
        set(),
    ),
    "weight norm": (
        lambda: weight_norm(nn.Linear(3, 5)),
        {"parametrizations.weight.original1": (3, 5)},
        {"parametrizations.weight.original0"},
    ),
    "weight norm of one output": (
        lambda: weight_norm(nn.Linear(1, 5)),
        {"parametrizations.weight.original1": (1, 5)},
        {"parametrizations.weight.original0"},
    ),
    "weight norm, transposed": (
        lambda: weight_norm(nn.ConvTranspose1d(8, 4, 3)),
        {"parametrizations.weight.original1": (24, 12)},
        {"parametrizations.weight.original0"},
    ),
    "spectral norm": (
        lambda: nn.utils.parametrizations.spectral_norm(nn.Linear(3, 5)),
        {"parametrizations.weight.original": (3, 5)},
        set(),
    ),
    "layer scale": (Scaled, {"conv.weight": (36, 72)}, {"gamma", "other_gamma", "experts"}),
}
if hasattr(nn, "RMSNorm"):
    MODULES["rms norm"] = (lambda: nn.RMSNorm([3, 4]), {}, {"weight"})


@pytest.mark.parametrize("name", MODULES)
def test_all_three_know_what_a_parameter_is(name: str, generator: torch.Generator) -> None:
    make, weights, others = MODULES[name]
    module = make()
    named = dict(module.named_parameters())
    before = {key: theta.detach().clone() for key, theta in named.items()}
    assert {id(theta) for theta in weight_matrices(module)} == {id(named[key]) for key in weights}
    rates = {id(theta): group["lr"] for group in fan_in_groups(module, 1.0) for theta in group["params"]}
    for key, theta in named.items():
        assert rates[id(theta)] == pytest.approx(1 / math.sqrt(weights.get(key, (1, 0))[0])), key
    done = init_xavier(module, generator=generator)
    assert done.keys() == named.keys()
    for key, theta in named.items():
        if key in weights:
            r = math.sqrt(6 / sum(weights[key]))
            assert 0.7 * r < theta.abs().max() <= r, key
            assert done[key] == "xavier"
        elif key in others:
            assert done[key] in ("kept", "unknown") or "original0" in key
            assert torch.equal(theta, before[key]) or "original0" in key
        else:
            assert done[key] == "zero"
            assert not theta.any()


@pytest.mark.filterwarnings("ignore:.*weight_norm")
@pytest.mark.parametrize("normalise", [nn.utils.parametrizations.weight_norm, nn.utils.weight_norm])
@pytest.mark.parametrize("dim", [0, 1, None])
def test_under_weight_norm_the_weight_itself_is_xaviers(
    normalise: Callable[..., nn.Linear], dim: int | None, generator: torch.Generator
) -> None:
    plain, layer = nn.Linear(40, 60), normalise(nn.Linear(40, 60), dim=dim)
    init_xavier(plain, generator=torch.Generator().manual_seed(1))
    assert set(init_xavier(layer, generator=torch.Generator().manual_seed(1)).values()) == {"zero", "xavier"}
    x = torch.randn(3, 40, generator=generator)
    torch.testing.assert_close(layer(x), plain(x))
    assert len(weight_matrices(layer)) == 1


def test_a_parameter_that_nobody_knows_is_said_so_and_can_be_named(generator: torch.Generator) -> None:
    module = Scaled()
    assert init_xavier(module, generator=generator)["experts"] == "unknown"
    assert (module.experts == 1).all()
    roles = {"experts": (4, 5), "*gamma": "bias"}
    done = init_xavier(module, generator=generator, roles=roles)
    assert (done["experts"], done["gamma"], done["other_gamma"]) == ("xavier", "zero", "zero")
    r = math.sqrt(6 / 9)
    assert 0.9 * r < module.experts.abs().max() <= r
    assert any(theta is module.experts for theta in weight_matrices(module, roles))
    rates = {id(theta): group["lr"] for group in fan_in_groups(module, 1.0, roles) for theta in group["params"]}
    assert rates[id(module.experts)] == 0.5
    assert [theta.shape for theta in weight_matrices(module, {"conv.weight": "scale"})] == []


FUNCTIONS: list[Callable[..., object]] = [
    weight_matrices,
    init_xavier,
    lambda module, **o: fan_in_groups(module, 1.0, **o),
]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_what_has_no_role_is_a_sentence(function: Callable[..., object]) -> None:
    lazy = nn.Sequential(nn.Linear(2, 3), nn.LazyLinear(4))
    before: Tensor = lazy[0].weight.detach().clone()
    with pytest.raises(ValueError, match=r"lazy.*1\.weight|1\.weight.*lazy"):
        function(lazy)
    assert torch.equal(lazy[0].weight, before)
    for roles, names in (
        ({"nothing": "bias"}, "'nothing'"),
        ({"bias": "weight"}, r"'weight'.*\(2,\)"),
        ({"bias": "W"}, "'W'"),
    ):
        with pytest.raises(ValueError, match=f"roles.*{names}"):
            function(nn.Linear(2, 2), roles=roles)
    assert function(nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 4)))
