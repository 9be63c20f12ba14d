"""Lightning: the Trainer with its monitor and checkpoints, and Fabric's loop."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from cs224d_l3 import AdaGrad, InverseDecay, SoftmaxCrossEntropyLoss, fan_in_groups
from neighbours.common import SAME, assert_equal, loader, network

lightning = pytest.importorskip("lightning")


class Task(lightning.LightningModule):
    """A classifier, trained by whatever optimizer and scheduler the test wants."""

    def __init__(self, make: Callable[[Any], Any]) -> None:
        super().__init__()
        self.net, self.loss, self.make = network(), SoftmaxCrossEntropyLoss(), make

    def training_step(self, batch: Any, index: int) -> Tensor:
        x, target = batch
        return self.loss(self.net(x), target)

    def configure_optimizers(self) -> Any:
        return self.make(self)


def decaying(task: Task) -> dict[str, Any]:
    optimizer = AdaGrad(fan_in_groups(task, lr=0.5))
    return {"optimizer": optimizer, "lr_scheduler": {"scheduler": InverseDecay(optimizer, tau=3), "interval": "step"}}


def fit(task: Task, epochs: int, folder: Path, resumed: Any = None, **options: Any) -> Any:
    trainer = lightning.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        default_root_dir=folder,
        enable_progress_bar=False,
        enable_model_summary=False,
        log_every_n_steps=1,
        **{"logger": False, "enable_checkpointing": False, **options},
    )
    trainer.fit(task, loader(), ckpt_path=resumed)
    return trainer


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"accumulate_grad_batches": 2, "gradient_clip_val": 0.3},
        {"precision": "bf16-mixed"},
        {"precision": "bf16-true"},
    ],
    ids=str,
)
def test_training_is_that_of_torchs_adagrad(tmp_path: Path, options: dict[str, Any]) -> None:
    ours, torchs = (
        Task(lambda task, one=optimizer: one(task.parameters(), **SAME)) for optimizer in (AdaGrad, torch.optim.Adagrad)
    )
    for task in (ours, torchs):
        fit(task, 3, tmp_path, **options)
    close = {"rtol": 0.1, "atol": 0.05} if options.get("precision") == "bf16-true" else {}  # our sums are float32
    torch.testing.assert_close(ours.state_dict(), torchs.state_dict(), **close)


def test_the_monitor_logs_the_rate_of_every_group(tmp_path: Path) -> None:
    from lightning.pytorch.callbacks import LearningRateMonitor
    from lightning.pytorch.loggers import CSVLogger

    monitor = LearningRateMonitor("step")
    trainer = fit(Task(decaying), 2, tmp_path, logger=CSVLogger(tmp_path), callbacks=[monitor])
    starts = [group["initial_lr"] for group in trainer.optimizers[0].param_groups]
    assert len(starts) == 3
    assert list(monitor.lrs.values()) == [pytest.approx([lr * 3 / max(t, 3) for t in range(8)]) for lr in starts]


def test_a_resumed_run_ends_as_one_that_was_not_stopped(tmp_path: Path) -> None:
    from lightning.pytorch.callbacks import ModelCheckpoint

    whole, first, second = Task(decaying), Task(decaying), Task(decaying)
    fit(whole, 4, tmp_path)
    fit(first, 2, tmp_path, enable_checkpointing=True, callbacks=[ModelCheckpoint(tmp_path, filename="half")])
    trainer = fit(second, 4, tmp_path, resumed=tmp_path / "half.ckpt")
    assert trainer.global_step == 16
    assert_equal(second, whole)


def fabric_steps(fabric: Any, model: Any, optimizer: Any, scheduler: Any, steps: int) -> None:
    for _, (x, target) in zip(range(steps), fabric.setup_dataloaders(loader()), strict=False):
        optimizer.zero_grad()
        fabric.backward(SoftmaxCrossEntropyLoss()(model(x), target))
        fabric.clip_gradients(model, optimizer, max_norm=1.0)
        optimizer.step()
        scheduler.step()


def test_fabric_saves_and_loads(tmp_path: Path) -> None:
    fabric = lightning.Fabric(accelerator="cpu", devices=1)

    def start() -> tuple[Any, Any, Any]:
        net = network()
        model, optimizer = fabric.setup(net, AdaGrad(fan_in_groups(net, lr=0.5)))
        return model, optimizer, InverseDecay(optimizer, tau=1)

    def names(parts: tuple[Any, Any, Any]) -> dict[str, Any]:
        return dict(zip(("model", "optimizer", "scheduler"), parts, strict=True))

    whole, first, second = start(), start(), start()
    fabric_steps(fabric, *whole, steps=4)
    fabric_steps(fabric, *whole, steps=2)
    fabric_steps(fabric, *first, steps=4)
    fabric.save(tmp_path / "state.ckpt", names(first))
    fabric.load(tmp_path / "state.ckpt", names(second))
    fabric_steps(fabric, *second, steps=2)
    assert_equal(second[0], whole[0])
