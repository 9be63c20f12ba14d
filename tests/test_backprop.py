"""1.5 and 1.6 The two ways to backpropagate: what they refuse, and the file's one rule."""

from pathlib import Path

import pytest
import torch

import cs224d_l3
from cs224d_l3 import elementwise_gradients, sigmoid, sigmoid_prime, vectorized_gradients
from helpers import normal

both_ways = pytest.mark.parametrize("backprop", [elementwise_gradients, vectorized_gradients])


def test_autograd_does_not_appear_in_the_file() -> None:
    source = Path(cs224d_l3.backprop.__file__).read_text(encoding="utf-8")
    for word in ("autograd", "backward", "requires_grad", "torch.func"):
        assert word not in source


@both_ways
def test_gradients_have_the_shapes_of_what_they_belong_to(backprop) -> None:
    sizes = [3, 4, 2, 5]
    W = [normal(m, n) for n, m in zip(sizes, sizes[1:], strict=False)]
    b = [normal(m) for m in sizes[1:]]
    found = backprop(normal(3), W, b, sigmoid, sigmoid_prime)
    assert [g.shape for g in found.W] == [w.shape for w in W]
    assert [g.shape for g in found.b] == [c.shape for c in b]
    assert [len(delta) for delta in found.delta] == sizes
    assert found.output.shape == (5,)


@both_ways
def test_one_layer_alone_is_affine(backprop) -> None:
    x, W, b = normal(3, grad=False), normal(2, 3, grad=False), normal(2, grad=False)
    found = backprop(x, [W], [b], sigmoid, sigmoid_prime, delta=torch.tensor([2.0, -1.0], dtype=torch.float64))
    torch.testing.assert_close(found.output, W @ x + b)
    torch.testing.assert_close(found.delta[0], 2 * W[0] - W[1])
    torch.testing.assert_close(found.W[0], torch.stack([2 * x, -x]))


@both_ways
def test_wrong_networks_are_refused(backprop) -> None:
    x, W, b = normal(3), [normal(2, 3), normal(1, 2)], [normal(2), normal(1)]
    with pytest.raises(ValueError, match=r"\bW and b\b.*0 and 0"):
        backprop(x, [], [], sigmoid, sigmoid_prime)
    with pytest.raises(ValueError, match=r"\bW and b\b.*2 and 1"):
        backprop(x, W, b[:1], sigmoid, sigmoid_prime)
    with pytest.raises(ValueError, match=r"W\[1\].*\(1, 3\)"):
        backprop(x, [W[0], normal(1, 3)], b, sigmoid, sigmoid_prime)
    with pytest.raises(ValueError, match=r"b\[0\].*\(3,\)"):
        backprop(x, W, [normal(3), b[1]], sigmoid, sigmoid_prime)
    with pytest.raises(ValueError, match=r"delta.*\(2,\)"):
        backprop(x, W, b, sigmoid, sigmoid_prime, normal(2))
    with pytest.raises(ValueError, match=r"\bx\b.*\(2, 3\)"):
        backprop(normal(2, 3), W, b, sigmoid, sigmoid_prime)
    with pytest.raises(TypeError, match="f_prime.*None"):
        backprop(x, W, b, sigmoid, None)
