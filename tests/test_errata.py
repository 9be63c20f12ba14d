"""Errata of the notes: what a check finds in the page. The printed form fails, ours holds.

"Seed" is the Chinese translation of 2016, "2019" the later English edition, where the formulas can be read.
"""

import math

import pytest
import torch
from torch import Tensor

from cs224d_l3 import (
    AdaGrad,
    activation,
    elementwise_gradients,
    hardtanh,
    l2_penalty,
    numerical_gradient,
    sigmoid,
    sigmoid_prime,
    softsign,
    softsign_prime,
    tanh,
    tanh_prime,
)
from helpers import normal

Z = torch.linspace(-3, 3, 13, dtype=torch.float64) + 0.01


def slope(f, z: Tensor = Z) -> Tensor:
    return numerical_gradient(lambda z: f(z).sum(), z)


def agree(a: Tensor, b: Tensor) -> bool:
    return torch.allclose(a, b, rtol=1e-6, atol=1e-8)


def test_1_1_augmented_neuron() -> None:
    """2019: [w^T x] . [x 1]. The sizes fit only where x has one element, and there b is missing: [w^T b] . [x 1]."""
    x, w, b = normal(1), normal(1, seed=1), normal(seed=2)
    x1 = torch.cat([x, torch.ones(1, dtype=torch.float64)])
    printed = sigmoid((torch.cat([w, x]) * x1).sum())
    right = sigmoid((torch.cat([w, b[None]]) * x1).sum())
    assert agree(right, activation(x, w, b))
    assert not agree(printed, activation(x, w, b))


def test_1_2_sigmoid() -> None:
    """2019: 1 / (1 + exp(z)), which falls where the unit of 1.1 rises."""
    assert agree(1 / (1 + torch.exp(-Z)), sigmoid(Z))
    assert not agree(1 / (1 + torch.exp(Z)), sigmoid(Z))


def network() -> tuple[Tensor, list[Tensor], list[Tensor]]:
    return normal(2), [normal(3, 2), normal(4, 3, seed=1), normal(1, 4, seed=2)], [normal(m, seed=m) for m in (3, 4, 1)]


def output(x: Tensor, W: list[Tensor], b: list[Tensor]) -> Tensor:
    for W_k, b_k in zip(W[:-1], b[:-1], strict=True):
        x = sigmoid(W_k @ x + b_k)
    return (W[-1] @ x + b[-1]).sum()


def test_1_5_bias_index() -> None:
    """Seed and 2019: the bias of layer k, b^(k), has gradient delta^(k). It is b^(k-1) that feeds layer k."""
    x, W, b = network()
    delta = elementwise_gradients(x, W, b, sigmoid, sigmoid_prime).delta
    numerical = [numerical_gradient(lambda t, k=k: output(x, W, [*b[:k], t, *b[k + 1 :]]), b[k]) for k in range(3)]
    for k in range(3):  # b[k] is b^(k+1), delta[k] is delta^(k+1)
        assert agree(numerical[k], delta[k + 1])
        assert numerical[k].shape != delta[k].shape  # printed: not even of the same size


def test_1_5_passing_the_error_back_is_a_first_derivative() -> None:
    """Seed, the translator: "a higher-order derivative". delta^(k) is the first derivative of J by z^(k)."""
    x, W, b = network()
    delta = elementwise_gradients(x, W, b, sigmoid, sigmoid_prime).delta
    z = W[0] @ x + b[0]

    assert agree(numerical_gradient(lambda z: output_from(z, W, b), z), delta[1])
    second = torch.autograd.functional.hessian(lambda z: output_from(z, W, b), z.detach()).diagonal()
    assert not agree(second, delta[1])


def test_1_5_the_error_is_the_derivative_by_the_input() -> None:
    """Seed, the translator: "the derivative by the activation's output". delta^(k) is dJ/dz^(k), not dJ/da^(k)."""
    x, W, b = network()
    delta = elementwise_gradients(x, W, b, sigmoid, sigmoid_prime).delta
    z = W[0] @ x + b[0]
    by_output = numerical_gradient(lambda a: (W[2] @ sigmoid(W[1] @ a + b[1]) + b[2]).sum(), sigmoid(z))
    assert agree(numerical_gradient(lambda z: output_from(z, W, b), z), delta[1])
    assert not agree(by_output, delta[1])
    assert agree(by_output * sigmoid_prime(z), delta[1])


def test_1_6_weight_indices() -> None:
    """2019: dJ/dW_ij^(k) = delta_j^(k+1) a_j^(k). The error has the row's index: delta_i^(k+1) a_j^(k)."""
    x, W, b = network()
    W[0], b[0] = normal(2, 2), normal(2)  # square, so that both can be written down
    W[1] = normal(4, 2, seed=1)
    delta = elementwise_gradients(x, W, b, sigmoid, sigmoid_prime).delta[1]
    numerical = numerical_gradient(lambda t: output(x, [t, *W[1:]], b), W[0])
    assert agree(numerical, delta[:, None] * x[None, :])
    assert not agree(numerical, (delta * x)[None, :].expand(2, 2))


def test_1_6_delta_indices() -> None:
    """2019: delta_i^(k) = f'(z_j^(k)) sum_i delta_i^(k+1) W_ij^(k), with i summed over and left free at once."""
    x, W, b = network()
    found = elementwise_gradients(x, W, b, sigmoid, sigmoid_prime)
    z_2 = W[0] @ x + b[0]
    right = torch.stack([sigmoid_prime(z_2[j]) * (found.delta[2] * W[1][:, j]).sum() for j in range(3)])
    assert agree(right, numerical_gradient(lambda z: output_from(z, W, b), z_2))
    printed = torch.stack([sigmoid_prime(z_2[j]) * (found.delta[2] * W[1][:, j]).sum() for j in (1, 2, 0)])
    assert not agree(printed, found.delta[1])  # j tied to another i


def output_from(z_2: Tensor, W: list[Tensor], b: list[Tensor]) -> Tensor:
    return (W[2] @ sigmoid(W[1] @ sigmoid(z_2) + b[1]) + b[2]).sum()


def test_2_1_difference_quotient() -> None:
    """2019: (J(theta+) - theta-) / 2 eps. Both terms are values of J."""
    eps, theta = 1e-5, 0.7
    assert abs((math.sin(theta + eps) - math.sin(theta - eps)) / (2 * eps) - math.cos(theta)) < 1e-9
    assert abs((math.sin(theta + eps) - (theta - eps)) / (2 * eps) - math.cos(theta)) > 1e3


def test_2_1_snippet() -> None:
    """Seed: the quotient is one-sided, exact to O(h) alone; and the lines that fill grad stand outside the loop."""
    h, x = 1e-5, torch.tensor([0.5, 1.0, 2.0], dtype=torch.float64)

    def J(x: Tensor) -> Tensor:
        return (x**3).sum()

    exact = 3 * x**2
    one_sided = torch.stack([(J(x + h * e) - J(x)) / h for e in torch.eye(3, dtype=torch.float64)])
    assert (numerical_gradient(J, x, h) - exact).abs().max() < 1e-9
    assert (one_sided - exact).abs().max() > 1e-5

    grad, visited = torch.zeros(3, dtype=torch.float64), []
    for i in range(3):  # as printed, but for the endless while
        visited.append(i)
    grad[i] = one_sided[i]
    assert visited == [0, 1, 2]
    assert (grad != 0).tolist() == [False, False, True]
    assert (numerical_gradient(J, x) != 0).all()


def test_2_2_penalty() -> None:
    """Seed and 2019: lambda sum ||W||_F, called quadratic in the text. The square is missing."""
    W, lam = normal(3, 4, grad=False), 0.1
    for c in (2.0, 5.0):  # quadratic: c times the weights, c^2 times the penalty
        torch.testing.assert_close(l2_penalty([c * W], lam), c**2 * l2_penalty([W], lam))
        assert not agree(lam * torch.linalg.norm(c * W), c**2 * lam * torch.linalg.norm(W))


def test_2_3_sigmoid_derivative() -> None:
    """2019: -exp(-z) / (1 + exp(-z)): the sign is wrong and a square missing."""
    e = torch.exp(-Z)
    assert agree(slope(sigmoid), e / (1 + e) ** 2)
    assert agree(slope(sigmoid), sigmoid_prime(Z))
    assert not agree(slope(sigmoid), -e / (1 + e))


def test_2_3_tanh_derivative() -> None:
    """2019: ((e^z - e^-z) / (e^z + e^-z))^2 = 1 - tanh^2(z). The left side is tanh^2."""
    quotient = (Z.exp() - (-Z).exp()) / (Z.exp() + (-Z).exp())
    assert agree(slope(tanh), 1 - quotient**2)
    assert agree(slope(tanh), tanh_prime(Z))
    assert not agree(slope(tanh), quotient**2)


def test_2_3_hard_tanh() -> None:
    """2019: -1 if z < 1, which leaves the middle piece nothing. -1 if z < -1."""

    def pieces(low: float) -> Tensor:
        return torch.where(low > Z, -1.0, torch.where(Z > 1, 1.0, Z))

    assert agree(pieces(-1), hardtanh(Z))
    assert not agree(pieces(1), hardtanh(Z))


def test_2_3_hard_tanh_saturates_at_both_ends() -> None:
    """Seed: "saturates where z is greater than 1". So it does where z is less than -1: |z| > 1."""
    flat = slope(hardtanh) == 0
    assert torch.equal(flat, Z.abs() > 1)
    assert not torch.equal(flat, Z > 1)


def test_2_3_soft_sign_derivative() -> None:
    """Seed and 2019: sgn(z) / (1 + z)^2. The slope is positive everywhere: 1 / (1 + |z|)^2."""
    assert agree(slope(softsign), 1 / (1 + Z.abs()) ** 2)
    assert agree(slope(softsign), softsign_prime(Z))
    assert not agree(slope(softsign), Z.sign() / (1 + Z) ** 2)


def test_2_6_adagrad_without_eps() -> None:
    """Seed and 2019: lr / sqrt(sum g^2) is 0 / 0 where there has been no gradient. The code has eps in the root."""
    theta = torch.tensor([1.0, 1.0], requires_grad=True)
    theta.grad = torch.tensor([2.0, 0.0])
    printed = theta.detach() - 0.1 * theta.grad / theta.grad.square().sqrt()
    assert printed[1].isnan()
    AdaGrad([theta], lr=0.1).step()
    torch.testing.assert_close(theta.detach(), torch.tensor([0.9, 1.0]))


def test_2_6_the_root_of_a_sum_is_no_mean() -> None:
    """Seed and 2019: "RMS" of the history. The same gradient at every step makes ever smaller ones: lr / sqrt(t)."""
    theta = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    optimizer = AdaGrad([theta], lr=1.0)
    before, steps = 0.0, []
    for _ in range(4):
        theta.grad = torch.full_like(theta, 3.0)
        optimizer.step()
        steps.append(before - theta.item())
        before = theta.item()
    assert steps == pytest.approx([1 / math.sqrt(t) for t in (1, 2, 3, 4)])  # a mean would give 1, 1, 1, 1
