"""torchvision and timm: initialisation and rates of real networks, and some steps with each."""

import math
from typing import Any

import pytest
import torch
from torch import nn

from cs224d_l3 import (
    AdaGrad,
    InverseDecay,
    LeakyReLU,
    Tanh,
    fan_in_groups,
    init_xavier,
    l2_penalty,
    softmax_cross_entropy,
    weight_matrices,
)
from helpers import normal
from neighbours.common import SAME

NETWORKS = [
    "torchvision resnet18",  # BatchNorm
    "torchvision shufflenet_v2_x0_5",  # depthwise convolutions
    "torchvision swin_t",  # attention in windows
    "timm test_resnet",
    "timm resnext26ts",  # grouped convolutions
    "torchvision convnext_tiny",  # LayerScale, of three dimensions
    "timm convnext_atto",  # and of one
    "timm test_vit",  # attention, a class token, vectors of positions
]


def make(name: str, **options: Any) -> nn.Module:
    library, architecture = name.split()
    torch.manual_seed(0)
    if library == "timm":
        return pytest.importorskip("timm").create_model(architecture, **options)
    return getattr(pytest.importorskip("torchvision").models, architecture)(**options)


def layers(net: nn.Module) -> list[tuple[str, nn.Module]]:
    """Convolutions and linear layers, whose parameters have the meaning of the notes' W and b."""
    return [(name, part) for name, part in net.named_modules() if isinstance(part, nn.Conv2d | nn.Linear)]


@pytest.mark.parametrize("name", NETWORKS)
def test_initialisation_of_a_real_network(name: str) -> None:
    net = make(name)
    before = {key: theta.detach().clone() for key, theta in net.named_parameters()}
    done = init_xavier(net)
    assert done.keys() == before.keys()
    for prefix, layer in layers(net):
        assert done[f"{prefix}.weight"] == "xavier"
        n, m = nn.init._calculate_fan_in_and_fan_out(layer.weight)
        r = math.sqrt(6 / (n + m // getattr(layer, "groups", 1)))
        assert layer.weight.abs().max() <= r
        if layer.weight.numel() > 400:
            assert layer.weight.std().item() == pytest.approx(r / math.sqrt(3), rel=0.1)
        if layer.bias is not None:
            assert done[f"{prefix}.bias"] == "zero"
            assert not layer.bias.any()
    others = before.keys() - {f"{prefix}.{key}" for prefix, layer in layers(net) for key, _ in layer.named_parameters()}
    assert len(others) > 10  # scales and biases of normalisations, LayerScale, class tokens, vectors of positions
    for key in others:
        zeroed = done[key] == "zero"
        assert zeroed == key.endswith("bias")
        assert net.get_parameter(key).equal(torch.zeros_like(before[key]) if zeroed else before[key])


@pytest.mark.parametrize("name", NETWORKS)
def test_rates_of_a_real_network(name: str) -> None:
    net = make(name)
    rates = {theta: group["lr"] for group in fan_in_groups(net, lr=1.0) for theta in group["params"]}
    assert rates.keys() == set(net.parameters())
    for _, layer in layers(net):
        n = layer.weight[0].numel()  # with groups too: what one output reads
        assert rates[layer.weight] == pytest.approx(1 / math.sqrt(n))
    weights = {layer.weight for _, layer in layers(net)}
    assert {rates[theta] for theta in set(net.parameters()) - weights} == {1.0}
    assert set(weight_matrices(net)) == weights


def steps(net: nn.Module, optimizer: torch.optim.Optimizer, size: int, n: int) -> list[float]:
    x, target = normal(4, 3, size, size, dtype=torch.float32, grad=False), torch.arange(4)
    schedule, losses = InverseDecay(optimizer, tau=5), []
    for _ in range(n):
        optimizer.zero_grad()
        J = softmax_cross_entropy(net(x), target)
        (J + l2_penalty(weight_matrices(net), 1e-5)).backward()
        optimizer.step()
        schedule.step()
        losses.append(J.item())
    return losses


@pytest.mark.parametrize("name", ["torchvision resnet18", "timm test_resnet"])
def test_steps_of_a_real_network_are_those_of_torchs_adagrad(name: str) -> None:
    ours, torchs = make(name, num_classes=4).double(), make(name, num_classes=4).double()
    x = normal(4, 3, 32, 32, grad=False)
    for net, one in ((ours, AdaGrad), (torchs, torch.optim.Adagrad)):
        optimizer = one(net.parameters(), **{**SAME, "lr": 0.01})
        for _ in range(3):
            optimizer.zero_grad()
            softmax_cross_entropy(net(x), torch.arange(4)).backward()
            optimizer.step()
    torch.testing.assert_close(ours.state_dict(), torchs.state_dict())


@pytest.mark.parametrize(("name", "size"), [("timm test_resnet", 64), ("timm test_vit", 160)])
def test_a_real_network_learns_four_pictures(name: str, size: int) -> None:
    net = make(name, num_classes=4, act_layer=lambda inplace=False: Tanh())  # some networks ask for inplace=True
    assert any(isinstance(part, Tanh) for part in net.modules())
    init_xavier(net)
    losses = steps(net, AdaGrad(fan_in_groups(net, lr=0.1)), size, 25)
    assert losses[-1] < losses[0] / 3


def test_features_are_extracted_around_our_units() -> None:
    features = pytest.importorskip("torchvision.models.feature_extraction")
    net = nn.Sequential(nn.Conv2d(3, 4, 3), LeakyReLU(0.1), nn.Flatten(), nn.Linear(4 * 36, 5), Tanh()).eval()
    x = normal(2, 3, 8, 8, dtype=torch.float32, grad=False)
    found = features.create_feature_extractor(net, ["1", "4"])(x)
    torch.testing.assert_close(found["4"], net(x))
    torch.testing.assert_close(found["1"], net[:2](x))
