"""torch's own functions, operators and Modules under the whole contract: where an alarm is expected, and why."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

import cs224d_l3
from cs224d_l3.gradient_check import GradientCheckError, check_call, check_function

# names as in torch's op_db, with the check that fails: what torch does there by intention
INTENDED = {
    "reads memory by strides": "as_strided as_strided.partial_views as_strided_copy as_strided_scatter stft",
    "refuses other strides": "view view_as view_as_complex native_group_norm nn.functional.max_unpool3d.grad",
    "casts": "float half bfloat16 cfloat chalf",
    "writes running statistics": "native_batch_norm _native_batch_norm_legit _batch_norm_with_update"
    " nn.functional.batch_norm nn.functional.instance_norm",
    "random": "normal normal.number_mean bernoulli nn.functional.dropout nn.functional.alpha_dropout"
    " nn.functional.fractional_max_pool2d nn.functional.fractional_max_pool3d",
    "the gradient is that of log_softmax before it": "nn.CTCLoss",
    "indices that stand twice": "nn.functional.max_unpool1d nn.functional.max_unpool2d nn.functional.max_unpool3d",
}

# faults of torch 2.13, each shown by a second way
FAULTS = {
    "nn.functional.hardsigmoid": "1/6 is a float32 constant in the backward pass",
    "kron": "a changed argument is not noticed: the gradient changes with it",
    "scatter_reduce.prod": "forward mode gives 0",
    "nn.functional.linear_cross_entropy.chunked": "second order and forward mode give 0",
    "nn.functional.linear_cross_entropy.chunked_none": "forward mode gives 0",
    "matrix_exp": "nan in bfloat16, where the value is 1e3 in float64",
    "logcumsumexp": "backward cancels",
    "nn.functional.soft_margin_loss": "the gradient overflows to nan in float16",
    "native_group_norm": "the gradient of the mean is lost where the other outputs are not used",
    "cdist": "the vmapped gradient is another",
    "cosine_similarity": "the gradient is wrong where a norm is below eps",
    "multi_margin_loss": "the mean of an empty batch is whatever stands in memory",
    "nn.NLLLoss": "backward refuses a strided input of three dimensions",
    "nn.CosineEmbeddingLoss": "float16 is off by a tenth",
    "nn.BatchNorm1d": "a strided weight is read wrongly in the backward pass",
    "hypot": "the gradient at (0, 0) is nan between slopes of -1 and 1",
    "masked.median": "nanmedian along a dimension reads an expanded tensor as if it were contiguous",
    "masked.logaddexp": "second order is nan where one of the two is masked",
    "det": "the gradient at a singular matrix of zeros is 0, not the cofactors",
}


class Function(NamedTuple):
    """A function, its declaration, and options of the check."""

    name: str
    fn: Callable[..., Any]
    declaration: str
    options: dict[str, Any]


FUNCTIONS: list[Function] = []


def add(fn: Callable[..., Any], declaration: str, name: str = "", **options: Any) -> None:
    FUNCTIONS.append(Function(name or fn.__name__.removeprefix("linalg_"), fn, declaration, options))


def add_all(module: Any, names: str, declaration: str) -> None:
    """Several functions of one declaration."""
    for name in names.split():
        add(getattr(module, name), declaration)


add_all(
    torch, "sin cos tan exp sinh cosh tanh sigmoid erf sinc abs neg square expm1 atan asinh relu sgn floor", "z=..."
)
add_all(F, "silu gelu elu selu celu softplus softsign mish hardtanh relu6 leaky_relu logsigmoid tanhshrink", "z=...")
add_all(torch, "log sqrt rsqrt log1p acos asin atanh lgamma digamma reciprocal", "z=...")
for name in "mean sum var std norm amax median logsumexp prod cumsum cumprod sort topk kthvalue".split():
    arguments = {"logsumexp": (-1,), "cumsum": (0,), "cumprod": (0,), "topk": (1,), "kthvalue": (1,)}.get(name, ())
    add(lambda z, name=name, arguments=arguments: getattr(z, name)(*arguments), "z=n", name)
add_all(torch, "add mul div maximum", "x=broadcast, y=broadcast")
add_all(torch, "atan2 hypot logaddexp", "x=n, y=n")
add(torch.pow, "x=n positive, y=n")
add(torch.fmod, "x=n, y=n positive")
add(torch.where, "c=n bool, x=n, y=n")
add(torch.lerp, "x=n, y=n, w=n")
add(torch.clamp, "x=...", constants={"min": -1, "max": 1})
add(torch.cat, "x=n m", make=lambda x: ([x, x],))
add(torch.gather, "x=n m, d=, i=n m < m", fixed={"d": 1})
add(torch.einsum, "e=, x=n m, y=m k", fixed={"e": "nm,mk->nk"})
add(torch.matmul, "A=n m, B=m k")
add(torch.bmm, "A=b n m, B=b m k")
add(torch.dot, "x=n, y=n")
add(torch.cross, "x=n 3, y=n 3")
add(torch.kron, "A=n m, B=k l")
add(torch.cdist, "x=n d, y=m d")
add(torch.linalg.inv, "A=n n")
add(torch.linalg.det, "A=n n")
add(torch.logdet, "A=n n spd")
add(torch.linalg.solve, "A=n n, b=n m")
add(torch.linalg.cholesky, "A=n n spd")
add(torch.linalg.eigvalsh, "A=n n symmetric")
add(torch.linalg.svdvals, "A=n m")
add(torch.linalg.pinv, "A=n m")
add(lambda A: torch.linalg.qr(A).R, "A=n n", "qr")
add(lambda A, b: torch.linalg.solve_triangular(A, b, upper=False), "A=n n triangular, b=n m", "solve_triangular")
add(torch.fft.rfft, "x=n")
add(torch.polar, "x=n positive, y=n")
add(F.softmax, "z=... K", constants={"dim": -1})
add(F.log_softmax, "z=... K", constants={"dim": -1})
add(lambda z: F.softmax(z, -1).sum(), "z=n K", "sum of softmax")
add(F.normalize, "z=n d")
add(F.linear, "x=... n, W=m n, b=m")
add(F.layer_norm, "x=batch 4, s=", fixed={"s": [4]})
add(lambda x: F.batch_norm(x, None, None, training=True), "x=n d", "batch_norm")
add(F.conv1d, "x=b c n, W=k c 3")
add(F.conv2d, "x=b c h w, W=k c 3 3")
add(F.max_pool2d, "x=b c h w", constants={"kernel_size": 2})
add(F.scaled_dot_product_attention, "q=b n d, k=b m d, v=b m d")
add(F.embedding, "i=... < V, W=V d")
add(F.cosine_similarity, "x=n d, y=n d")
add(F.pairwise_distance, "x=n d, y=n d")

add_all(F, "mse_loss l1_loss smooth_l1_loss huber_loss", "x=..., t=...")
add_all(F, "soft_margin_loss hinge_embedding_loss", "x=n, t=n data")
add(F.cross_entropy, "z=b K, t=b < K")
add(F.nll_loss, "z=b K, t=b < K")
add(F.binary_cross_entropy, "p=n unit, t=n unit data")
add(F.binary_cross_entropy_with_logits, "z=n, t=n unit data")
add(F.kl_div, "z=n K, t=n K simplex")
add(F.margin_ranking_loss, "x=n, y=n, t=n data")
add(F.triplet_margin_loss, "x=n d, y=n d, z=n d")
add(F.poisson_nll_loss, "x=n, t=n positive data")
add(F.gaussian_nll_loss, "x=n, t=n data, v=n positive")
add(F.multi_margin_loss, "x=n K, t=n < K")
add(cs224d_l3.max_margin_loss, "s=..., s_c=...")
add(cs224d_l3.softmax_cross_entropy, "z=... K, target=... < K")
add(cs224d_l3.affine_softmax_cross_entropy, "x=... n, W=K n, b=K, target=... < K")


def alarms(check: Callable[[], object], name: str) -> list[str]:
    """What a check finds, a line each; whether it is expected, and why."""
    try:
        check()
    except GradientCheckError as error:
        reasons = [reason for reason, names in INTENDED.items() if name in names.split()]
        expected = reasons[0] if reasons else f"fault: {FAULTS[name]}" if name in FAULTS else "NOT EXPECTED"
        failures = error.report.failures if error.report else {"call": str(error)}
        return [f"{name} [{check}] {expected}: {text.splitlines()[0][:160]}" for check, text in failures.items()]
    return []


def check_functions() -> Iterator[list[str]]:
    """The functions of the list, at their declarations."""
    for name, fn, declaration, options in FUNCTIONS:
        yield alarms(lambda: check_function(fn, declaration, name=name, **options), name)  # noqa: B023


def check_modules() -> Iterator[list[str]]:
    """torch's Modules at the samples of torch's own tests, in training and in evaluation."""
    from torch.testing._internal.common_modules import module_db

    for info in module_db:
        for training in (True, False):
            with contextlib.suppress(Exception):  # a few samples need what is not installed
                torch.manual_seed(0)
                samples = info.module_inputs_func(info, "cpu", torch.float64, requires_grad=True, training=training)
                for sample in samples[:2]:
                    module = info.module_cls(*sample.constructor_input.args, **sample.constructor_input.kwargs)
                    module = module.double().train(training)
                    inputs = sample.forward_input
                    if inputs is None or not all(map(_is_dense, inputs.args)):
                        continue
                    yield alarms(lambda: check_call(module, *inputs.args, **inputs.kwargs), info.name)  # noqa: B023


def _is_dense(x: Any) -> bool:
    return not isinstance(x, Tensor) or x.layout == torch.strided
