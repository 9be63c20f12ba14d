"""PyTorch Geometric: graph networks with our units, initialisation and optimizer."""

from typing import Any

import pytest
import torch
from torch import nn

from cs224d_l3 import (
    AdaGrad,
    InverseDecay,
    Softsign,
    Tanh,
    fan_in_groups,
    init_xavier,
    max_margin_loss,
    softmax_cross_entropy,
)
from helpers import normal
from neighbours.common import SAME

geometric = pytest.importorskip("torch_geometric")


def graph() -> Any:
    """Two rings of six nodes, joined by an edge; a node's class is its ring."""
    ring = [(i, (i + 1) % 6) for i in range(6)]
    edges = torch.tensor([*ring, *((a + 6, b + 6) for a, b in ring), (0, 6)]).T
    x = normal(12, 4, dtype=torch.float32, grad=False)
    data = geometric.data.Data(x=x, edge_index=torch.cat([edges, edges.flip(0)], 1), y=torch.arange(12) // 6)
    data.validate()
    return data


def network(kind: str, act: nn.Module) -> nn.Module:
    torch.manual_seed(0)
    return getattr(geometric.nn, kind)(4, 8, num_layers=2, out_channels=2, act=act)


def train(net: nn.Module, optimizer: torch.optim.Optimizer, steps: int) -> float:
    data, schedule = graph(), InverseDecay(optimizer, tau=50)
    for _ in range(steps):
        optimizer.zero_grad()
        J = softmax_cross_entropy(net(data.x, data.edge_index), data.y)
        J.backward()
        optimizer.step()
        schedule.step()
    return J.item()


@pytest.mark.parametrize("kind", ["GCN", "GraphSAGE", "GAT", "GIN"])
def test_training_is_that_of_torchs_adagrad_and_torchs_unit(kind: str) -> None:
    ours, torchs = network(kind, Tanh()), network(kind, nn.Tanh())
    train(ours, AdaGrad(ours.parameters(), **SAME), 5)
    train(torchs, torch.optim.Adagrad(torchs.parameters(), **SAME), 5)
    torch.testing.assert_close(ours.state_dict(), torchs.state_dict(), rtol=1e-4, atol=1e-5)


def test_a_gcn_learns_with_all_of_ours() -> None:
    net = network("GCN", Softsign())
    done = init_xavier(net, generator=torch.Generator().manual_seed(0))
    assert done == {
        "convs.0.bias": "zero",
        "convs.0.lin.weight": "xavier",
        "convs.1.bias": "zero",
        "convs.1.lin.weight": "xavier",
    }
    optimizer = AdaGrad(fan_in_groups(net, lr=0.3))
    assert {group["lr"] for group in optimizer.param_groups} == {0.3, 0.3 / 2, 0.3 / 8**0.5}
    assert train(net, optimizer, 100) < 0.05


def test_a_knowledge_graph_learns_its_rows_by_margins() -> None:
    torch.manual_seed(0)
    net = geometric.nn.DistMult(num_nodes=20, num_relations=3, hidden_channels=4, sparse=True)
    before = net.node_emb.weight.detach().clone()
    optimizer = AdaGrad(net.parameters(), lr=0.1)
    head, relation, tail, corrupt = torch.tensor([[0, 1, 2], [0, 0, 2], [7, 8, 9], [11, 12, 8]])
    for _ in range(50):
        optimizer.zero_grad()
        J = max_margin_loss(net(head, relation, tail), net(head, relation, corrupt))
        J.backward()
        optimizer.step()
    assert J == 0
    moved = (net.node_emb.weight != before).any(1).nonzero().flatten().tolist()
    assert moved == [0, 1, 2, 7, 8, 9, 11, 12]
