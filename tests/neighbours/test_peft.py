"""PEFT: LoRA beside frozen weights."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from cs224d_l3 import AdaGrad, InverseDecay, Tanh, fan_in_groups, softmax_cross_entropy
from neighbours.common import SAME, loader, network

peft = pytest.importorskip("peft")


def adapted(r: int = 2) -> Any:
    net = nn.Sequential(*network(), Tanh(), nn.Linear(4, 4).requires_grad_(False))
    nn.init.eye_(net[-1].weight)
    nn.init.zeros_(net[-1].bias)
    torch.manual_seed(1)
    return peft.get_peft_model(net, peft.LoraConfig(r=r, target_modules=["1", "3"], lora_dropout=0.0))


def train(net: Any, optimizer: torch.optim.Optimizer) -> None:
    schedule = InverseDecay(optimizer, tau=10)
    for _ in range(5):
        for x, target in loader():
            optimizer.zero_grad()
            softmax_cross_entropy(net(x), target).backward()
            optimizer.step()
            schedule.step()


def test_training_is_that_of_torchs_adagrad() -> None:
    ours, torchs = adapted(), adapted()
    train(ours, AdaGrad((theta for theta in ours.parameters() if theta.requires_grad), **SAME))
    train(torchs, torch.optim.Adagrad((theta for theta in torchs.parameters() if theta.requires_grad), **SAME))
    torch.testing.assert_close(ours.state_dict(), torchs.state_dict())


def test_groups_hold_the_adapters_alone_and_the_rest_stays(tmp_path: Path) -> None:
    net = adapted()
    before = {name: theta.detach().clone() for name, theta in net.named_parameters()}
    groups = fan_in_groups(net, lr=0.5)
    rates = {theta: group["lr"] for group in groups for theta in group["params"]}
    for name, theta in net.named_parameters():
        assert (theta in rates) == ("lora_" in name)
        if "lora_" in name:
            assert rates[theta] == pytest.approx(0.5 / theta.shape[1] ** 0.5)
    train(net, AdaGrad(groups))
    for name, theta in net.named_parameters():
        assert theta.equal(before[name]) == ("lora_" not in name)

    x, _ = next(iter(loader()))
    z = net(x)
    net.save_pretrained(tmp_path)
    bare = adapted().unload()
    torch.testing.assert_close(peft.PeftModel.from_pretrained(bare, tmp_path)(x), z)
    torch.testing.assert_close(net.merge_and_unload()(x), z)
