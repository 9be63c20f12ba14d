"""Error bounds of finite differences and of gradients: the tolerances of the checker, none of them guessed.

A finite difference errs by truncation, $O(h^4)$ after Richardson's extrapolation, and by the rounding of f over h. A
gradient is rounded in its own dtype. The checker's tolerance is the sum of these bounds.
"""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

EPS = torch.finfo(torch.float64).eps
LOW_PRECISION_ULPS = 32  # of the largest derivative: what a chain of rounded operations may be off by
SPECIAL_FUNCTIONS = 2.0**-30  # relative: what lgamma, digamma and their kind are computed to
ROUGH = 2.0**-13  # relative to values and inputs: noise above it is no rounding, but a function that is not smooth


def function_noise(f: Callable[[Tensor], Tensor], point: Tensor, value: Tensor, eps: float = EPS) -> Tensor:
    """How far f's outputs are rounded, one number each, from seven points closer than f bends.

    The differences of order k of a smooth f vanish there; what is left is rounding, amplified by a known factor
    (Hamming; Moré and Wild, Estimating computational noise, SIAM J. Sci. Comput. 2011).

    Args:
        f: from points (B, inputs) to values (B, outputs).
        point: (inputs,).
        value: of f at the point, (outputs,).
        eps: of the coarsest dtype that f works in.
    """
    if not len(point):
        return 2 * eps * value.abs()
    # f may round on the scale of its inputs and show nothing of it, where it is flat
    least = eps * (2 * value.abs() + point.abs().amax().clamp(min=1.0))
    generator = torch.Generator().manual_seed(len(point))
    direction = torch.rand(len(point), generator=generator, dtype=torch.float64) - 0.5
    step = eps**0.69 * point.abs().clamp(min=1.0)  # 2^-36 in float64, 2^-16 in float32
    table = f(point + torch.arange(7.0, dtype=torch.float64)[:, None] * step * direction)
    factor, levels = 1.0, [least]
    for k in range(1, 6):
        table = table.diff(dim=0)
        factor *= k / (4 * k - 2)  # (k!)^2 / (2k)!
        if k >= 2:
            levels.append((factor * table.square().mean(0)).sqrt())
    noise = torch.stack(levels).nan_to_num(torch.inf).amax(0)
    return noise if eps > EPS else noise.where(noise <= ROUGH / EPS * least, torch.inf)


def rounding_of_differences(noise: Tensor, reach: Tensor, slope: Tensor, h: Tensor, eps: float = EPS) -> Tensor:
    """The rounding of f, and of x + h where it is not exact, over h."""
    return 32 * noise / h + 2 * eps * reach * slope.abs() / h


def first_step(eps: float) -> float:
    """The step at which truncation, $O(h^4)$, and rounding, eps / h, are alike, where f works in a coarser dtype."""
    return 0.0 if eps <= EPS else 2.0 ** round(math.log2(eps) / 5)


def richardson_bound(D: Tensor, slope_gap: Tensor, rounding: Tensor) -> tuple[Tensor, Tensor]:
    """A bound of the error of $(4 D(h/4) - D(h/2)) / 3$, and whether smaller steps would not improve it.

    Where f is smooth, halving h brings D(h) four times as close to the limit, and the slopes on the left and on the
    right twice as close to each other; $|D(h/4) - D(h/2)| / 3$ is then the error of D(h/4), and more than that of the
    extrapolation. Three times as much holds where f'' jumps, as that of the Huber loss. The bound is inf where f is
    not smooth: at a kink or a jump, or where h is too large.

    Args:
        D: centred differences with the steps h, h/2, h/4, stacked.
        slope_gap: the size of right slope - left slope, with the same steps.
        rounding: the rounding of f over h.
    """
    first, second = (D[1] - D[0]).abs(), (D[2] - D[1]).abs()
    smooth = (second <= 0.4 * first + rounding) & (slope_gap[2] <= 0.6 * slope_gap[1] + rounding)
    bound = torch.where(smooth, second + rounding, torch.inf)
    return bound, smooth & ((second <= rounding) | (bound <= 1e-7 * D[2].abs()))


def one_sided_slopes(right: Tensor, left: Tensor, rounding: Tensor) -> tuple[Tensor, Tensor]:
    """The lowest and the highest slope of the two sides of a kink; all numbers where a side has no slope.

    Args:
        right: slopes with the steps h, h/2, h/4, stacked. Halving h halves their errors where f is smooth on that side.
        left: likewise.
        rounding: the rounding of f over h.
    """
    low = torch.full_like(rounding, torch.inf)
    high = torch.full_like(rounding, -torch.inf)
    for slope in (right, left):
        first, second = (slope[1] - slope[0]).abs(), (slope[2] - slope[1]).abs()
        error = torch.where(second <= 0.6 * first + rounding, 2 * second + rounding, torch.inf)
        low, high = torch.minimum(low, slope[2] - error), torch.maximum(high, slope[2] + error)
    return low.nan_to_num(-torch.inf), high.nan_to_num(torch.inf)


def gradient_rounding(
    eps: float,
    dtypes: Sequence[torch.dtype],
    point: Tensor,
    value: Tensor,
    grad_outputs: Tensor,
    gradients: Tensor,
    directions: Tensor,
    terms: Tensor,
) -> Tensor:
    r"""How far gradients are rounded, (grad_outputs, directions): in the units of the terms that they sum.

    Args:
        eps: of the coarsest dtype that f works in.
        dtypes: of the inputs.
        point: in float64.
        value: of f there.
        grad_outputs: a row each.
        gradients: a row for each of them.
        directions: along which the gradients are compared, a row each.
        terms: $\sum_k |v_k \, df_k|$, (grad_outputs, directions).
    """
    # of v o x as well, where the terms cancel
    v_x = grad_outputs.abs().amax(1, keepdim=True) * point.abs().amax().clamp(min=1.0)
    summed = terms + gradients.abs().where(gradients.isfinite(), 0.0) @ directions.abs().T
    bound = 64 * EPS * (summed + v_x) + SPECIAL_FUNCTIONS * summed
    # x^2 is lost beside 1, and with it a derivative in the order of x
    lost = torch.where(point.abs() < EPS**0.5, 8 * point.abs(), 0.0)
    bound = bound + grad_outputs.abs().amax(1, keepdim=True) * (directions.abs() @ lost)
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
