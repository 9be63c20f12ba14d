r"""2.4 Xavier initialisation: weights that preserve the variances of activations and gradients across layers.

$$W \sim U\left[-\sqrt{\frac{6}{n^{(l)} + n^{(l+1)}}}, \sqrt{\frac{6}{n^{(l)} + n^{(l+1)}}}\right]$$

Glorot and Bengio, Understanding the difficulty of training deep feedforward neural networks, AISTATS 2010.
"""

import math

import torch
from torch import Tensor, nn

from ._checks import check_floating, check_number
from ._parameters import Roles, fans, parameter_roles, weight_norms


def xavier_uniform_(tensor: Tensor, gain: float = 1.0, generator: torch.Generator | None = None) -> Tensor:
    r"""Fill W with samples of $U[-r, r]$, $r = g \sqrt{6 / (n_{in} + n_{out})}$, where g is the gain.

    As ``torch.nn.init.xavier_uniform_``.

    Args:
        tensor: W, (n_out, n_in); for a convolution ``(out, in, *kernel)``, with both fans times the kernel size.
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
    return _fill(tensor, *fans(tensor.shape), gain, generator)


def _fill(W: Tensor, fan_in: int, fan_out: int, gain: float, generator: torch.Generator | None) -> Tensor:
    r = gain * math.sqrt(6 / max(fan_in + fan_out, 1))
    with torch.no_grad():
        return W.uniform_(-r, r, generator=generator)


def init_xavier(
    module: nn.Module,
    gain: float = 1.0,
    generator: torch.Generator | None = None,
    roles: Roles | None = None,
) -> dict[str, str]:
    """Initialise a module and its submodules in place: weights by Xavier's rule, biases 0.

    What a parameter is follows from the layer that holds it, and so do the fans of a weight: those of one matrix where
    several are stacked (gates of LSTM and GRU; query, key and value of attention), of one group of a convolution, also
    where that is transposed; and of the layer itself under ``weight_norm``. Embeddings and the scales of normalisations
    keep their values, and so do parameters of other modules that are not recognised.

    Args:
        module: the module.
        gain: scaling factor, at least 0.
        generator: random number generator; torch's default one if None.
        roles: roles by name or pattern in place of the recognised ones: "weight", "bias", "scale", "vector", or the
            pair (fan_in, fan_out) of a weight: ``{"adapter": "weight", "*.gamma": "scale", "experts": (64, 256)}``.

    Returns:
        the action for each parameter, by name: "xavier", "zero", "kept", or "unknown", which is kept too.

    Raises:
        ValueError: a gain that is negative or not finite, lazy layers that have no shapes yet, or roles that do not
            fit; nothing is changed.
    """
    check_number("gain", gain, at_least=0)
    found = parameter_roles(module, roles)
    lengths = {g: v for part in module.modules() for g, v in weight_norms(part)}
    done: dict[str, str] = {}
    for name, theta in module.named_parameters():
        role = found[lengths.get(theta, theta)]
        done[name] = {"weight": "xavier", "bias": "zero", "unknown": "unknown"}.get(role.kind, "kept")
        if role.kind == "bias":
            nn.init.zeros_(theta)
        elif role.kind == "weight" and theta not in lengths:
            _fill(theta, role.fan_in, role.fan_out, gain, generator)
    with torch.no_grad():
        for g, v in lengths.items():
            if found[v].kind == "weight":  # g = ||v||, so that the weight g v / ||v|| is v
                along = [k for k in range(v.ndim) if g.ndim == 0 or g.shape[k] == 1]
                g.copy_(v.norm(dim=along, keepdim=True).reshape(g.shape))
    return done
