r"""2.4 Xavier initialisation: weights that preserve the variances of activations and gradients across layers.

$$W \sim U\left[-\sqrt{\frac{6}{n^{(l)} + n^{(l+1)}}}, \sqrt{\frac{6}{n^{(l)} + n^{(l+1)}}}\right]$$

Glorot and Bengio, Understanding the difficulty of training deep feedforward neural networks, AISTATS 2010.
"""

import math

import torch
from torch import Tensor, nn

from ._checks import check_floating, check_number
from ._parameters import embedding_parameters


def xavier_uniform_(tensor: Tensor, gain: float = 1.0, generator: torch.Generator | None = None) -> Tensor:
    """Fill W with samples of U[-r, r], r = gain sqrt(6 / (fan_in + fan_out)). As ``torch.nn.init.xavier_uniform_``.

    Args:
        tensor: W, (fan_out, fan_in); for a convolution (out, in, *kernel), with fans multiplied by the kernel size.
        gain: scaling factor, at least 0.
        generator: random number generator; torch's default one if None.

    Returns:
        tensor.

    Raises:
        ValueError: fewer than two dimensions, or a gain that is negative or not finite.
        TypeError: a tensor that is not floating-point.
    """
    check_floating("tensor", tensor)
    check_number("gain", gain, at_least=0)
    if tensor.ndim < 2:
        raise ValueError(f"tensor must have a fan-in and a fan-out, at least two dimensions, got {tuple(tensor.shape)}")
    cells = tensor[0, 0].numel() if tensor.numel() else 0
    fan_out, fan_in = tensor.shape[0] * cells, tensor.shape[1] * cells
    r = gain * math.sqrt(6 / max(fan_in + fan_out, 1))
    with torch.no_grad():
        return tensor.uniform_(-r, r, generator=generator)


def init_xavier(module: nn.Module, gain: float = 1.0, generator: torch.Generator | None = None) -> dict[str, str]:
    """Initialise a module and its submodules in place: weights by Xavier's rule, biases 0.

    Weights are the parameters with at least two dimensions, biases those named ``b``, ``bias...`` or ``...bias``.
    Embeddings and all other vectors, such as the scales of a normalisation layer, are left unchanged.

    Returns:
        the action for each parameter, by name: "xavier", "zero" or "kept".
    """
    vectors = embedding_parameters(module)
    done: dict[str, str] = {}
    for name, theta in module.named_parameters():
        leaf = name.rpartition(".")[2]
        if theta in vectors:
            done[name] = "kept"
        elif leaf == "b" or leaf.startswith("bias") or leaf.endswith("bias"):
            done[name] = "zero"
            nn.init.zeros_(theta)
        elif theta.ndim >= 2:
            done[name] = "xavier"
            xavier_uniform_(theta, gain, generator)
        else:
            done[name] = "kept"
    return done
