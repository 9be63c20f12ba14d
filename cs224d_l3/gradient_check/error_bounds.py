"""Error bounds of finite differences and of gradients: the tolerances of the checker, none of them guessed.

A finite difference errs by truncation, O(h^4) after Richardson's extrapolation, and by the rounding of f over h. A
gradient is rounded in its own dtype. The checker's tolerance is the sum of these bounds.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

EPS = torch.finfo(torch.float64).eps
LOW_PRECISION_ULPS = 32  # of the largest derivative: what a chain of rounded operations may be off by


def function_noise(f: Callable[[Tensor], Tensor], point: Tensor, value: Tensor) -> Tensor:
    """How far f's outputs are rounded, one number each, from seven points closer than f can resolve.

    The differences of order k of a smooth f vanish there; what is left is rounding, amplified by a known factor
    (Hamming; Moré and Wild, Estimating computational noise, SIAM J. Sci. Comput. 2011).

    Args:
        f: from points (B, inputs) to values (B, outputs).
        point: (inputs,).
        value: of f at the point, (outputs,).
    """
    if not len(point):
        return 2 * EPS * value.abs()
    # f may round on the scale of its inputs and show nothing of it, where it is flat
    least = EPS * (2 * value.abs() + point.abs().amax().clamp(min=1.0))
    generator = torch.Generator().manual_seed(len(point))
    direction = torch.rand(len(point), generator=generator, dtype=torch.float64) - 0.5
    step = 2.0**-36 * point.abs().clamp(min=1.0)
    table = f(point + torch.arange(7.0, dtype=torch.float64)[:, None] * step * direction)
    factor, levels = 1.0, [least]
    for k in range(1, 6):
        table = table.diff(dim=0)
        factor *= k / (4 * k - 2)  # (k!)^2 / (2k)!
        if k >= 2:
            levels.append((factor * table.square().mean(0)).sqrt())
    return torch.stack(levels).nan_to_num(torch.inf).amax(0)


def rounding_of_differences(noise: Tensor, reach: Tensor, slope: Tensor, h: Tensor) -> Tensor:
    """The rounding of f, and of x + h where it is not exact, over h."""
    return 32 * noise / h + 2 * EPS * reach * slope.abs() / h


def richardson_bound(D: Tensor, slope_gap: Tensor, rounding: Tensor) -> tuple[Tensor, Tensor]:
    """A bound of the error of (4 D(h/4) - D(h/2)) / 3, and whether smaller steps would not improve it.

    Where f is smooth, halving h brings D(h) four times as close to the limit, and the slopes on the left and on the
    right twice as close to each other; |D(h/4) - D(h/2)| / 3 is then the error of D(h/4), and more than that of the
    extrapolation. The bound is inf where f is not smooth: at a kink or a jump, or where h is too large.

    Args:
        D: centred differences with the steps h, h/2, h/4, stacked.
        slope_gap: |right slope - left slope| with the same steps.
        rounding: the rounding of f over h.
    """
    first, second = (D[1] - D[0]).abs(), (D[2] - D[1]).abs()
    smooth = (second <= 0.4 * first + rounding) & (slope_gap[2] <= 0.6 * slope_gap[1] + rounding)
    bound = torch.where(smooth, second / 3 + rounding, torch.inf)
    return bound, smooth & ((second <= rounding) | (bound <= 1e-7 * D[2].abs()))


def gradient_rounding(
    dtypes: Sequence[torch.dtype],
    point: Tensor,
    value: Tensor,
    grad_outputs: Tensor,
    gradients: Tensor,
    directions: Tensor,
    terms: Tensor,
) -> Tensor:
    """How far gradients are rounded, (grad_outputs, directions): in the units of the terms that they sum.

    Args:
        dtypes: of the inputs; the coarsest decides.
        point, value: of f, in float64.
        grad_outputs, gradients: a row each.
        directions: along which the gradients are compared, a row each.
        terms: sum |v_k df_k|, (grad_outputs, directions).
    """
    # of v o x as well, where the terms cancel
    v_x = grad_outputs.abs().amax(1, keepdim=True) * point.abs().amax().clamp(min=1.0)
    bound = 64 * EPS * (terms + gradients.abs().where(gradients.isfinite(), 0.0) @ directions.abs().T + v_x)
    eps = max((torch.finfo(dtype).eps for dtype in dtypes), default=EPS)
    if eps > EPS:
        # rounding in the units of a gradient: of the largest derivative, and of v o y over x
        y = value.abs().nan_to_num().amax()
        y_over_x = grad_outputs.abs().amax(1) * y / point.abs().amax().clamp(min=1e-30)
        scale = torch.maximum(gradients.nan_to_num().abs().amax(1), y_over_x)[:, None]
        count = max(1.0, float(len(point))) ** 0.5
        bound = bound + LOW_PRECISION_ULPS * eps * count * scale * directions.square().sum(1).sqrt()
        bound = bound + 4 * count * max(torch.finfo(dtype).smallest_normal * eps for dtype in dtypes)
    return bound


def overflows(derivatives: Tensor, dtypes: Sequence[torch.dtype]) -> Tensor:
    """Derivatives beyond the largest number of a gradient's dtype."""
    return derivatives.abs() > 0.5 * min(torch.finfo(dtype).max for dtype in dtypes)
