"""torch's own neighbours of an optimizer: averaged weights, bags of sparse vectors, packed sequences."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence
from torch.optim.swa_utils import SWALR, AveragedModel, get_ema_multi_avg_fn, update_bn

from cs224d_l3 import AdaGrad, InverseDecay, fan_in_groups, sigmoid, softmax_cross_entropy
from helpers import normal
from neighbours.common import SAME, assert_equal, loader, network

BOTH = (AdaGrad, torch.optim.Adagrad)


@pytest.mark.parametrize("average", [None, get_ema_multi_avg_fn(0.9)], ids=["mean", "ema"])
def test_averaged_weights_and_their_rate(average: object) -> None:
    nets, averages, rates = [], [], []
    for make in BOTH:
        net = nn.Sequential(network(), nn.BatchNorm1d(4))
        optimizer = make(net.parameters(), **SAME)
        mean = AveragedModel(net, multi_avg_fn=average)
        decay, constant = InverseDecay(optimizer, tau=2), SWALR(optimizer, swa_lr=0.02, anneal_epochs=3)
        for epoch in range(8):
            for x, target in loader():
                optimizer.zero_grad()
                softmax_cross_entropy(net(x), target).backward()
                optimizer.step()
            if epoch < 4:
                decay.step()
            else:
                mean.update_parameters(net)
                constant.step()
        update_bn(loader(), mean)
        nets.append(net)
        averages.append(mean)
        rates.append(optimizer.param_groups[0]["lr"])
    torch.testing.assert_close(nets[0].state_dict(), nets[1].state_dict())
    torch.testing.assert_close(averages[0].state_dict(), averages[1].state_dict())
    assert rates[0] == rates[1] == pytest.approx(0.02)
    assert not averages[0].module[0][0].W.equal(nets[0][0][0].W)


class Bags(nn.Module):
    """Two tables of a recommender: bags of features, with weights of their own in the second, to a score."""

    def __init__(self, sparse: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.user = nn.EmbeddingBag(1000, 4, mode="mean", sparse=sparse)
        self.item = nn.EmbeddingBag(500, 4, mode="sum", sparse=sparse)
        self.top = nn.Linear(8, 1)

    def forward(self, users: Tensor, items: Tensor, offsets: Tensor, weights: Tensor) -> Tensor:
        return sigmoid(self.top(torch.cat([self.user(users, offsets), self.item(items, offsets, weights)], 1))).squeeze(
            1
        )


def train_bags(net: Bags, optimizer: torch.optim.Optimizer) -> set[int]:
    """Some steps; returns the users that were seen."""
    generator, offsets, seen = torch.Generator().manual_seed(0), torch.tensor([0, 3, 4, 8]), set()
    for _ in range(6):
        users, items = torch.randint(40, (10,), generator=generator), torch.randint(30, (10,), generator=generator)
        weights = torch.rand(10, generator=generator)
        optimizer.zero_grad()
        nn.functional.mse_loss(net(users, items, offsets, weights), torch.tensor([0.0, 1.0, 1.0, 0.0])).backward()
        optimizer.step()
        seen |= set(users.tolist())
    return seen


def test_bags_of_sparse_vectors() -> None:
    sparse, torchs, dense = Bags(True), Bags(True), Bags(False)
    start = sparse.user.weight.detach().clone()
    seen = train_bags(sparse, AdaGrad(sparse.parameters(), **SAME))
    train_bags(torchs, torch.optim.Adagrad(torchs.parameters(), **SAME))
    train_bags(dense, AdaGrad(dense.parameters(), **SAME))
    torch.testing.assert_close(sparse.state_dict(), torchs.state_dict())
    torch.testing.assert_close(sparse.state_dict(), dense.state_dict())
    assert set((sparse.user.weight != start).any(1).nonzero().flatten().tolist()) == seen
    rates = {theta: group["lr"] for group in fan_in_groups(sparse, lr=1.0) for theta in group["params"]}
    assert rates[sparse.user.weight] == rates[sparse.item.weight] == 1.0


def test_a_closure_of_lbfgs_after_adagrad_and_weights_in_one_vector() -> None:
    net = network().double()
    x, target = normal(32, 4, grad=False), torch.arange(32) % 4
    first = AdaGrad(fan_in_groups(net, lr=0.3))
    second = torch.optim.LBFGS(net.parameters(), max_iter=10, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        net.zero_grad()
        J = softmax_cross_entropy(net(x), target)
        J.backward()
        return J

    losses = [float(optimizer.step(closure)) for optimizer in (first, second, first, second)]
    assert losses == sorted(losses, reverse=True)
    again = network().double()
    nn.utils.vector_to_parameters(nn.utils.parameters_to_vector(net.parameters()), again.parameters())
    assert_equal(again, net)


class Sentences(nn.Module):
    """The last state of an LSTM over sentences of different lengths."""

    def __init__(self, sparse: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.vectors = nn.Embedding(300, 4, sparse=sparse, padding_idx=0)
        self.lstm, self.out = nn.LSTM(4, 5, batch_first=True, bidirectional=True), nn.Linear(10, 2)

    def forward(self, words: Tensor, lengths: Tensor) -> Tensor:
        packed = pack_padded_sequence(self.vectors(words), lengths, batch_first=True, enforce_sorted=False)
        states, _ = pad_packed_sequence(self.lstm(packed)[0], batch_first=True)
        return self.out(states.sum(1) / lengths[:, None])


def train_sentences(net: Sentences, optimizer: torch.optim.Optimizer) -> Tensor:
    lengths = torch.tensor([2, 5, 3])
    words = torch.randint(1, 300, (3, 5), generator=torch.Generator().manual_seed(0))
    words[torch.arange(5) >= lengths[:, None]] = 0
    for _ in range(8):
        optimizer.zero_grad()
        softmax_cross_entropy(net(words, lengths), torch.tensor([0, 1, 1])).backward()
        nn.utils.clip_grad_value_(net.lstm.parameters(), 0.5)
        optimizer.step()
    return words.unique()


def test_packed_sequences_of_sparse_vectors() -> None:
    ours, torchs, dense = Sentences(True), Sentences(True), Sentences(False)
    start = ours.vectors.weight.detach().clone()
    words = train_sentences(ours, AdaGrad(ours.parameters(), **SAME))
    train_sentences(torchs, torch.optim.Adagrad(torchs.parameters(), **SAME))
    train_sentences(dense, AdaGrad(dense.parameters(), **SAME))
    torch.testing.assert_close(ours.state_dict(), torchs.state_dict())
    torch.testing.assert_close(ours.state_dict(), dense.state_dict())
    moved = (ours.vectors.weight != start).any(1).nonzero().flatten()
    assert moved.tolist() == words[words > 0].tolist()
