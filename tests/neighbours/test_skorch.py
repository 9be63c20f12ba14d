"""skorch: classifiers of scikit-learn's interface, with our optimizer, loss and scheduler."""

import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from cs224d_l3 import AdaGrad, InverseDecay, Layer, SoftmaxCrossEntropyLoss, fan_in_groups
from neighbours.common import SAME, assert_equal, loader, network

skorch = pytest.importorskip("skorch")


def data() -> tuple[Any, Any]:
    x, target = loader().dataset.tensors
    return x.numpy(), target.numpy()


def classifier(**options: Any) -> Any:
    settings = {
        "module": network,
        "criterion": SoftmaxCrossEntropyLoss,
        "optimizer": AdaGrad,
        "lr": 0.1,
        "batch_size": 8,
        "train_split": None,
        "verbose": 0,
    }
    return skorch.NeuralNet(**{**settings, **options})


def test_training_is_that_of_torchs_adagrad() -> None:
    options = {f"optimizer__{name}": value for name, value in SAME.items()}
    ours, torchs = (
        classifier(optimizer=one, max_epochs=3, **options).fit(*data()) for one in (AdaGrad, torch.optim.Adagrad)
    )
    torch.testing.assert_close(ours.module_.state_dict(), torchs.module_.state_dict())
    assert ours.optimizer_.defaults["eps"] == 0


def test_the_callback_takes_our_scheduler() -> None:
    decay = skorch.callbacks.LRScheduler(InverseDecay, tau=2, step_every="epoch")
    net = classifier(callbacks=[("decay", decay)], max_epochs=4).fit(*data())
    assert net.history[:, "event_lr"] == pytest.approx([0.1, 0.1, 0.1, 0.1 * 2 / 3])


def test_saved_parameters_go_on_as_a_run_that_was_not_stopped(tmp_path: Path) -> None:
    files = {f"f_{part}": tmp_path / part for part in ("params", "optimizer", "history")}
    whole, first, second = classifier(), classifier(), classifier()
    whole.fit(*data(), epochs=4)
    first.fit(*data(), epochs=2)
    first.save_params(**files)
    second.initialize()
    second.load_params(**files)
    second.partial_fit(*data(), epochs=2)
    assert_equal(second.module_, whole.module_)


class GroupedNet(skorch.NeuralNet):
    """Rates by fan-in, which skorch's names of parameters do not express."""

    def initialize_optimizer(self, *_: Any, **__: Any) -> Any:
        self.optimizer_ = AdaGrad(fan_in_groups(self.module_, self.lr))
        return self


class TwoLayers(nn.Sequential):
    """A network whose number of hidden units is searched for."""

    def __init__(self, hidden: int = 2) -> None:
        super().__init__(Layer(4, hidden), nn.Linear(hidden, 4))


def test_a_grid_search_clones_and_a_pickle_keeps() -> None:
    from sklearn.model_selection import GridSearchCV

    net = skorch.NeuralNetClassifier(
        TwoLayers,
        criterion=SoftmaxCrossEntropyLoss,
        optimizer=AdaGrad,
        lr=0.3,
        max_epochs=60,
        batch_size=8,
        train_split=None,
        verbose=0,
    )
    torch.manual_seed(0)
    search = GridSearchCV(net, {"module__hidden": [1, 8], "optimizer__weight_decay": [0.0, 1e-4]}, cv=2)
    search.fit(*data())
    assert search.best_params_["module__hidden"] == 8
    assert search.best_score_ > 0.5
    again = pickle.loads(pickle.dumps(search.best_estimator_))
    assert_equal(again.module_, search.best_estimator_.module_)
    for one in (again, search.best_estimator_):
        one.partial_fit(*data(), epochs=2)
    assert_equal(again.module_, search.best_estimator_.module_)


def test_rates_by_fan_in_need_one_method() -> None:
    net = GroupedNet(network, criterion=SoftmaxCrossEntropyLoss, lr=0.5, train_split=None, verbose=0, max_epochs=4)
    net.fit(*data())
    assert {group["lr"] for group in net.optimizer_.param_groups} == {0.5, 0.5 / 2, 0.5 / 6**0.5}
    assert net.history[-1, "train_loss"] < net.history[0, "train_loss"]
