"""Transformers: its Trainer on a small network of random weights, with our unit under a name of its own."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.data import Dataset

from cs224d_l3 import AdaGrad, InverseDecay, Tanh, fan_in_groups, init_xavier
from neighbours.common import SAME, assert_equal

transformers = pytest.importorskip("transformers")


class Words(Dataset):
    """Sixteen sentences of eight words, each word the one before it plus its own first."""

    def __len__(self) -> int:
        return 16

    def __getitem__(self, i: int) -> dict[str, torch.Tensor]:
        words = (i + i * torch.arange(8)) % 12
        return {"input_ids": words, "labels": words}


def model() -> Any:
    transformers.activations.ACT2FN["notes_tanh"] = Tanh
    config = transformers.LlamaConfig(
        vocab_size=12,
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=8,
        hidden_act="notes_tanh",
    )
    torch.manual_seed(0)
    return transformers.LlamaForCausalLM(config)


def trainer(folder: Path, net: Any, optimizer: torch.optim.Optimizer, **options: Any) -> Any:
    arguments = transformers.TrainingArguments(
        folder,
        use_cpu=True,
        per_device_train_batch_size=4,
        report_to="none",
        disable_tqdm=True,
        logging_steps=1,
        **{"num_train_epochs": 2, "save_strategy": "no", **options},
    )
    schedule = InverseDecay(optimizer, tau=2)
    return transformers.Trainer(net, arguments, train_dataset=Words(), optimizers=(optimizer, schedule))


def test_training_is_that_of_torchs_adagrad(tmp_path: Path) -> None:
    nets = [model(), model()]
    for net, make in zip(nets, (AdaGrad, torch.optim.Adagrad), strict=True):
        run = trainer(tmp_path, net, make(net.parameters(), **SAME), gradient_accumulation_steps=2)
        run.train()
    torch.testing.assert_close(nets[0].state_dict(), nets[1].state_dict())
    losses = [row for row in run.state.log_history if "loss" in row]
    assert [row["learning_rate"] for row in losses] == pytest.approx([0.1, 0.1, 0.1, 0.1 * 2 / 3])
    assert losses[-1]["loss"] < losses[0]["loss"]


def test_a_resumed_run_ends_as_one_that_was_not_stopped(tmp_path: Path) -> None:
    nets = [model(), model()]
    for net in nets:
        init_xavier(net, generator=torch.Generator().manual_seed(1))
    options = {"save_strategy": "steps", "save_steps": 3}
    trainer(tmp_path, nets[0], AdaGrad(fan_in_groups(nets[0], lr=0.5)), **options).train()
    resumed = trainer(tmp_path / "again", nets[1], AdaGrad(fan_in_groups(nets[1], lr=0.5)), **options)
    resumed.train(resume_from_checkpoint=str(tmp_path / "checkpoint-3"))
    assert resumed.state.global_step == 8
    assert_equal(nets[1], nets[0])


def test_initialisation_and_rates_of_a_llama() -> None:
    net = model()
    done = init_xavier(net)
    assert {name.split(".")[-2] for name, what in done.items() if what == "kept"} == {
        "embed_tokens",
        "input_layernorm",
        "post_attention_layernorm",
        "norm",
    }
    assert sum(what == "xavier" for what in done.values()) == 2 * 7 + 1
    rates = {theta: group["lr"] for group in fan_in_groups(net, lr=1.0) for theta in group["params"]}
    assert {rates[theta] for name, theta in net.named_parameters() if done[name] == "kept"} == {1.0}
    assert rates[net.model.layers[0].mlp.down_proj.weight] == pytest.approx(24**-0.5)


def test_a_gpt2_holds_its_weights_transposed() -> None:
    config = transformers.GPT2Config(
        vocab_size=12, n_positions=8, n_embd=16, n_layer=1, n_head=2, bos_token_id=None, eos_token_id=None
    )
    net = transformers.GPT2LMHeadModel(config)
    up = net.transformer.h[0].mlp.c_fc.weight
    assert up.shape == (16, 64)
    assert init_xavier(net)["transformer.h.0.mlp.c_fc.weight"] == "xavier"
    rates = {theta: group["lr"] for group in fan_in_groups(net, lr=1.0) for theta in group["params"]}
    assert rates[up] == 1 / 4
    assert rates[net.lm_head.weight] == 1.0  # tied to the vectors
