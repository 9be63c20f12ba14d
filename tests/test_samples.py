"""torch's own sample inputs for its operators, given to ours: values, gradients and second-order gradients agree."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.testing._internal.common_methods_invocations import op_db

import cs224d_l3
from evidence.conformance import DTYPES, Error, spacings


def cross_entropy(z: Tensor, target: Tensor, **options: Any) -> Tensor:
    """torch's classes stand second, ours last."""
    if target.shape == z.shape and target.is_floating_point():
        target = target.movedim(1, -1)
    return cs224d_l3.softmax_cross_entropy(z.movedim(1, -1), target, **options)


def margin_ranking_loss(s: Tensor, s_c: Tensor, y: Tensor, **options: Any) -> Tensor:
    """torch's y = -1 exchanges the two. Its samples hold other numbers, which have no meaning: their sign is taken."""
    return cs224d_l3.max_margin_loss(y.sign() * s, y.sign() * s_c, **options)


OURS: dict[str, Callable[..., Tensor]] = {
    "nn.functional.linear": cs224d_l3.affine,
    "nn.functional.embedding": lambda L, indices, **options: cs224d_l3.embedding(indices, L, **options),
    "nn.functional.margin_ranking_loss": margin_ranking_loss,
    "nn.functional.cross_entropy": cross_entropy,
}
TORCHS = {
    "nn.functional.margin_ranking_loss": lambda s, s_c, y, **options: F.margin_ranking_loss(s, s_c, y.sign(), **options)
}
SAMPLED = {op.name: op for op in op_db if op.name in OURS and not op.variant_test_name}


def tensors(args: Any, dtype: torch.dtype) -> Any:
    """The same numbers in another type, as leaves."""
    return torch.utils._pytree.tree_map_only(
        Tensor,
        lambda t: t.detach().to(dtype).requires_grad_(t.requires_grad) if t.is_floating_point() else t,
        args,
    )


def derivatives(f: Callable[..., Tensor], args: Any, kwargs: Any) -> list[Tensor]:
    """The value, its gradients, and the gradients of their sum of squares."""
    leaves = [t for t in torch.utils._pytree.tree_leaves((args, kwargs)) if isinstance(t, Tensor) and t.requires_grad]
    out = f(*args, **kwargs)
    first = torch.autograd.grad(out.sum(), leaves, create_graph=True, materialize_grads=True)
    if not any(g.requires_grad for g in first):
        return [out, *first, *map(torch.zeros_like, leaves)]
    total = torch.stack([(g * g).sum() for g in first]).sum()
    return [out, *first, *torch.autograd.grad(total, leaves, materialize_grads=True)]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", OURS)
def test_agrees_on_torchs_samples(name: str, dtype: torch.dtype) -> None:
    op, tried = SAMPLED[name], 0
    for sample in op.sample_inputs("cpu", dtype, requires_grad=True):
        given = ([sample.input, *sample.args], sample.kwargs)
        torchs = TORCHS.get(name, op.op)
        right = derivatives(torchs, *tensors(given, torch.float64))
        mine, theirs = (spacings(derivatives(f, *tensors(given, dtype)), right, dtype) for f in (OURS[name], torchs))
        largest = max(1.0, sample.input.abs().max().item() if sample.input.numel() else 0.0)  # samples go up to 9
        assert Error(mine / largest, theirs / largest).ok, (sample, mine, theirs)
        tried += 1
    assert tried > 0
