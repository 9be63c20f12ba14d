"""The notes' worked examples, number by number."""

import math

import torch
from torch import Tensor

from cs224d_l3 import (
    AdaGrad,
    activation,
    augmented_activation,
    corrupt,
    elementwise_gradients,
    max_margin_loss,
    numerical_gradient,
    score,
    sigmoid,
    sigmoid_prime,
    sliding_windows,
    vectorized_gradients,
)
from helpers import normal


def f(z: float) -> float:
    return 1 / (1 + math.exp(-z))


def f_prime(z: float) -> float:
    return f(z) * (1 - f(z))


# Figure 5, the 4-2-1 network: x_1 to x_4, W^(1) in R^(2 x 4), W^(2) = U in R^(1 x 2)
X = [1.0, -2.0, 0.5, 3.0]
W1 = [[0.1, 0.2, -0.3, 0.4], [-0.5, 0.6, 0.7, -0.8]]
B1 = [0.05, -0.15]
W2 = [[2.0, -3.0]]


def tensor(values: object) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def figure_5(backprop):
    return backprop(tensor(X), [tensor(W1), tensor(W2)], [tensor(B1), tensor([0.0])], sigmoid, sigmoid_prime)


def test_1_1_neuron() -> None:
    """w^T x + b = 0.1 - 0.4 - 0.15 + 1.2 + 0.05 = 0.8."""
    x, w, b = tensor(X), tensor(W1[0]), tensor(B1[0])
    expected = tensor(1 / (1 + math.exp(-0.8)))
    torch.testing.assert_close(activation(x, w, b), expected)
    torch.testing.assert_close(augmented_activation(x, tensor([*W1[0], B1[0]])), expected)


def test_1_3_museums_in_paris_are_amazing() -> None:
    """Five words of 4 dimensions: x in R^20, W in R^(8 x 20), b in R^8, U in R^(8 x 1), s in R."""
    words = {word: i for i, word in enumerate("Museums in Paris are amazing <pad>".split())}
    L = normal(6, 4, grad=False)
    window = sliding_windows(torch.arange(5), size=5, pad=words["<pad>"])[words["Paris"]]
    x = L[window].flatten()
    W, b, U = normal(8, 20, grad=False), normal(8, grad=False), normal(1, 8, grad=False)
    assert x.shape == (20,)
    s = score(x, W, b, U)
    assert s.shape == ()
    by_hand = sum(
        U[0, i].item() * f(b[i].item() + sum(W[i, j].item() * x[j].item() for j in range(20))) for i in range(8)
    )
    assert math.isclose(s.item(), by_hand, rel_tol=1e-12)


def test_1_4_the_objective_is_zero_once_the_margin_is_there() -> None:
    s_c = tensor([0.25])
    for s, J in [(0.0, 1.25), (0.25, 1.0), (1.0, 0.25), (1.25, 0.0), (3.0, 0.0)]:
        assert max_margin_loss(tensor([s]), s_c).item() == J
    # without a margin it stops as soon as the true window is ahead
    assert max_margin_loss(tensor([0.25]), s_c, margin=0).item() == 0


def test_1_4_a_corrupt_window_has_another_centre() -> None:
    window = torch.arange(5)[None]
    assert (corrupt(window, 9)[0, 2] != window[0, 2]).item()


def test_1_5_the_score_of_figure_5() -> None:
    """z^(2) = (0.8, -4.1 - 0.15 + 0.2...): worked out in Python's own floats, layer by layer."""
    z = [B1[i] + sum(W1[i][j] * X[j] for j in range(4)) for i in range(2)]
    assert math.isclose(z[0], 0.8)
    assert math.isclose(z[1], -0.5 - 1.2 + 0.35 - 2.4 - 0.15)
    s = W2[0][0] * f(z[0]) + W2[0][1] * f(z[1])
    for backprop in (elementwise_gradients, vectorized_gradients):
        torch.testing.assert_close(figure_5(backprop).output, tensor([s]))


def test_1_5_the_error_walks_back_to_w14() -> None:
    """Steps 1 to 8 of the notes: from delta_1^(3) = 1 to dJ/dW_14^(1) = delta_1^(2) a_4^(1)."""
    delta_3 = 1.0  # 1, 2: the error at a_1^(3), times the local gradient 1 of neuron (3)
    at_a_2 = delta_3 * W2[0][0]  # 3, 4: shared out along W_1^(2)
    delta_2 = f_prime(0.8) * at_a_2  # 5, 6: times the local gradient f'(z_1^(2))
    w14 = delta_2 * X[3]  # 7, 8: times a_4^(1) = x_4
    for backprop in (elementwise_gradients, vectorized_gradients):
        found = figure_5(backprop)
        assert found.delta[2].item() == 1
        torch.testing.assert_close(found.delta[1][0], tensor(delta_2))
        torch.testing.assert_close(found.W[0][0, 3], tensor(w14))


def test_1_5_the_bias_b1_has_the_gradient_of_its_neurons_error() -> None:
    """f'(z_1^(2)) W_1^(2), the formula of W_14^(1) with 1 in place of a_4^(1)."""
    for backprop in (elementwise_gradients, vectorized_gradients):
        torch.testing.assert_close(figure_5(backprop).b[0][0], tensor(f_prime(0.8) * W2[0][0]))


def test_1_5_under_the_objective_the_errors_are_minus_one_and_one() -> None:
    """When J > 0, dJ/ds = -dJ/ds_c = -1."""
    s, s_c = tensor([0.2]).requires_grad_(), tensor([0.1]).requires_grad_()
    J = max_margin_loss(s, s_c)
    assert J > 0
    assert [g.item() for g in torch.autograd.grad(J, [s, s_c])] == [-1, 1]


def test_1_6_delta_is_shared_out_by_the_transpose() -> None:
    found = figure_5(vectorized_gradients)
    z = tensor(W1) @ tensor(X) + tensor(B1)
    torch.testing.assert_close(found.delta[1], sigmoid_prime(z) * (tensor(W2).T @ found.delta[2]))
    torch.testing.assert_close(found.W[0], torch.outer(found.delta[1], tensor(X)))


def test_2_1_the_gradient_of_figure_5_by_differences() -> None:
    def s(W: Tensor) -> Tensor:
        return score(tensor(X), W, tensor(B1), tensor(W2))

    torch.testing.assert_close(
        numerical_gradient(s, tensor(W1)), figure_5(elementwise_gradients).W[0], rtol=1e-8, atol=1e-9
    )


def test_2_6_the_notes_two_lines_of_adagrad() -> None:
    x, cache, learning_rate = [1.0, -2.0], [0.0, 0.0], 0.1
    theta = tensor(x).requires_grad_()
    optimizer = AdaGrad([theta], lr=learning_rate)
    for dx in ([0.5, -3.0], [0.25, 0.0], [-4.0, 1e-3]):
        for i in range(2):
            cache[i] += dx[i] ** 2
            x[i] += -learning_rate * dx[i] / math.sqrt(cache[i] + 1e-8)
        theta.grad = tensor(dx)
        optimizer.step()
    torch.testing.assert_close(theta.detach(), tensor(x), rtol=1e-14, atol=0)
