"""Ignite: its trainer, its checkpoints, its wrapper of schedulers, its finder of learning rates."""

from pathlib import Path
from typing import Any

import pytest
import torch

from cs224d_l3 import AdaGrad, InverseDecay, SoftmaxCrossEntropyLoss, fan_in_groups
from neighbours.common import SAME, assert_equal, loader, network

pytest.importorskip("ignite")
from ignite.engine import Events, create_supervised_evaluator, create_supervised_trainer
from ignite.handlers import Checkpoint, DiskSaver, FastaiLRFinder, LRScheduler
from ignite.metrics import Accuracy, Loss


def parts() -> dict[str, Any]:
    """Network, optimizer, scheduler and the trainer of all three, as a checkpoint names them."""
    net = network()
    optimizer = AdaGrad(fan_in_groups(net, lr=0.5))
    scheduler = LRScheduler(InverseDecay(optimizer, tau=2))
    trainer = create_supervised_trainer(net, optimizer, SoftmaxCrossEntropyLoss())
    trainer.add_event_handler(Events.ITERATION_STARTED, scheduler)
    return {"trainer": trainer, "net": net, "optimizer": optimizer, "scheduler": scheduler}


def test_training_is_that_of_torchs_adagrad() -> None:
    nets = [network(), network()]
    for net, make in zip(nets, (AdaGrad, torch.optim.Adagrad), strict=True):
        trainer = create_supervised_trainer(
            net, make(net.parameters(), **SAME), SoftmaxCrossEntropyLoss(), gradient_accumulation_steps=2
        )
        trainer.run(loader(), max_epochs=3)
    torch.testing.assert_close(nets[0].state_dict(), nets[1].state_dict())
    evaluator = create_supervised_evaluator(
        nets[0], metrics={"accuracy": Accuracy(), "loss": Loss(SoftmaxCrossEntropyLoss())}
    )
    assert evaluator.run(loader()).metrics["loss"] < 1.4


def test_rates_are_those_of_the_formula() -> None:
    run, seen = parts(), []

    def record() -> None:
        seen.append([group["lr"] for group in run["optimizer"].param_groups])

    run["trainer"].add_event_handler(Events.ITERATION_STARTED, record)
    run["trainer"].run(loader(), max_epochs=2)
    starts = [group["initial_lr"] for group in run["optimizer"].param_groups]
    assert seen == [pytest.approx([lr * 2 / max(t, 2) for lr in starts]) for t in range(8)]
    simulated = LRScheduler.simulate_values(8, InverseDecay(AdaGrad(network().parameters(), lr=starts[0]), tau=2))
    assert [lr for _, lr in simulated] == pytest.approx([row[0] for row in seen])


def test_a_resumed_run_ends_as_one_that_was_not_stopped(tmp_path: Path) -> None:
    whole, first, second = parts(), parts(), parts()
    whole["trainer"].run(loader(), max_epochs=4)
    saver = Checkpoint(first, DiskSaver(str(tmp_path), create_dir=False), n_saved=1)
    first["trainer"].add_event_handler(Events.EPOCH_COMPLETED, saver)
    first["trainer"].run(loader(), max_epochs=2)
    state = torch.load(tmp_path / saver.last_checkpoint, weights_only=True)
    Checkpoint.load_objects(second, state)
    second["trainer"].run(loader(), max_epochs=4)
    assert second["trainer"].state.iteration == 16
    assert_equal(second["net"], whole["net"])


def test_the_finder_of_rates_leaves_everything_as_it_was() -> None:
    net = network()
    optimizer = AdaGrad(net.parameters(), lr=1e-3)
    trainer = create_supervised_trainer(net, optimizer, SoftmaxCrossEntropyLoss())
    finder = FastaiLRFinder()
    with finder.attach(trainer, {"model": net, "optimizer": optimizer}, end_lr=10.0, num_iter=40) as training:
        training.run(loader(), max_epochs=10)
    assert len(finder.get_results()["lr"]) > 10
    assert_equal(net, network())
    assert optimizer.param_groups[0]["lr"] == 1e-3
    assert all(state["step"] == 0 and state["sum"].eq(1e-8).all() for state in optimizer.state.values())
