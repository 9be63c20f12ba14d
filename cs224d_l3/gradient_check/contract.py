"""What a differentiable function owes its users, one check each, in the order they are run.

None of them needs a tolerance of its own making: either a difference judges, with its bound, or two ways to the same
numbers are compared to rounding.
"""

from collections.abc import Callable

from . import conduct, derivatives, incoming
from .case import Case

CHECKS: dict[str, Callable[[Case], None]] = {
    "gradients": derivatives.gradients,
    "returned_gradients": conduct.returned_gradients,
    "incoming_gradients": incoming.incoming_gradients,
    "input_layouts": incoming.input_layouts,
    "subsets": incoming.subsets,
    "repeated_arguments": incoming.repeated_arguments,
    "no_mutation": conduct.no_mutation,
    "saving": conduct.saving,
    "repetition": conduct.repetition,
    "finiteness": conduct.finiteness,
    "precisions": conduct.precisions,
    "second_order": derivatives.second_order_gradients,
    "forward_mode": derivatives.forward_mode,
    "batching": derivatives.batching,
    "batched_incoming_gradients": derivatives.batched_incoming_gradients,
    "reference": conduct.reference,
}
