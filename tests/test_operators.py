"""No false alarm on torch's own operators, at the samples that torch tests them with."""

import random
import warnings

import numpy as np
import pytest
import torch

from compare_checkers import samples
from cs224d_l3 import check_gradients

# what is not differentiable as it stands, and fails slow gradcheck as well: randomness, casts to a coarser type that
# look like steps, overlapping memory
NOT_FUNCTIONS = {"normal", "normal.number_mean", "bfloat16", "half", "chalf", "as_strided_scatter"}
NOT_FUNCTIONS |= {f"nn.functional.max_unpool{n}d" for n in (1, 2, 3)}
# where torch's gradient really is off: a constant of float32; a backward pass that cancels; nan for a finite value
WRONG = {"nn.functional.hardsigmoid", "logcumsumexp", "matrix_exp"}
# y o (v - sum v y) in half precision, where one y rounds to 1: 0 for 3e-4
CANCELS = {"_softmax_backward_data"}


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_torchs_operators_raise_no_alarm(dtype: torch.dtype) -> None:
    for seed in (random.seed, np.random.seed, torch.manual_seed):  # torch draws its samples from all three
        seed(0)
    alarms, checked = [], 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, f, inputs in samples(dtype, 1):
            dense = all(x.layout == torch.strided for x in inputs)
            left_out = NOT_FUNCTIONS | WRONG | (CANCELS if dtype.itemsize == 2 else set())
            if name in left_out or not dense or sum(x.numel() for x in inputs) > 1000:
                continue
            report = check_gradients(f, inputs, raise_exception=False)
            checked += report.checked > 0
            if not report:
                alarms.append(f"{name}: {report.findings[0]}")
    assert not alarms
    assert checked > 300
