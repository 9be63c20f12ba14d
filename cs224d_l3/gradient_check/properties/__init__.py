"""The properties of a differentiable function, in the order they are checked: one function each, named as its check.

Each asks one thing of one call, and its docstring says what. It returns an
:class:`~cs224d_l3.gradient_check.report.Outcome`, and raises GradientCheckError where the property does not hold.
None of them guesses a tolerance: either finite differences decide, with their error bound, or two ways to the same
numbers are compared to rounding.
"""

from collections.abc import Callable

from ..call import Call
from ..report import Outcome
from . import derivatives, incoming, inputs, side_effects, values

Property = Callable[[Call], Outcome]

PROPERTIES: dict[str, Property] = {
    "gradients": derivatives.gradients,
    "returned_gradients": values.returned_gradients,
    "incoming_gradients": incoming.incoming_gradients,
    "input_layouts": inputs.input_layouts,
    "subsets": inputs.subsets,
    "repeated_arguments": inputs.repeated_arguments,
    "no_mutation": side_effects.no_mutation,
    "saving": side_effects.saving,
    "repetition": side_effects.repetition,
    "finiteness": values.finiteness,
    "precisions": values.precisions,
    "second_order": derivatives.second_order,
    "forward_mode": derivatives.forward_mode,
    "batching": inputs.batching,
    "batched_incoming_gradients": incoming.batched_incoming_gradients,
    "reference": values.reference,
}
