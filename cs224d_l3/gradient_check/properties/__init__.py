"""The properties of a differentiable function, in the order they are checked: one function each, named as its check.

Each asks one thing of one call, and its docstring says what. It returns an
:class:`~cs224d_l3.gradient_check.report.Outcome`, and raises GradientCheckError where the property does not hold.
None of them guesses a tolerance: either finite differences decide, with their error bound, or two ways to the same
numbers are compared to rounding.

================ ==============================================================================
``derivatives``  first and second order by the backward pass, and forward mode
``incoming``     grad_output: the gradient is linear in it, whatever its layout
``inputs``       their strides, which of them require a gradient, a batch of them
``side_effects`` what a function writes to, what it keeps, what one call does to the next
``values``       of the right shape and dtype, finite, right in every precision
================ ==============================================================================
"""

from collections.abc import Callable

from ..call import Call
from ..report import Outcome
from . import derivatives, incoming, inputs, side_effects, values

__all__ = ["EXCUSES", "PROPERTIES", "Property"]

Property = Callable[[Call], Outcome]

PROPERTIES: dict[str, Property] = {
    p.__name__: p
    for p in (
        derivatives.gradients,
        values.returned_gradients,
        incoming.incoming_gradients,
        inputs.input_layouts,
        inputs.subsets,
        inputs.repeated_arguments,
        side_effects.no_mutation,
        side_effects.saving,
        side_effects.repetition,
        values.finiteness,
        values.precisions,
        derivatives.second_order,
        derivatives.forward_mode,
        inputs.batching,
        incoming.batched_incoming_gradients,
        values.reference,
    )
}

# what to do where the deviation is meant
EXCUSES = {name: f"skip=[{name!r}]" for name in PROPERTIES} | {
    "gradients": "surrogate= a function whose gradient it is, tolerance= where it is approximate, or"
    " skip=['gradients'], for a gradient that is no function's together with skip=['incoming_gradients']",
    "returned_gradients": "allow=['unreduced'] for a sum that is left to autograd, or skip=['returned_gradients']",
    "precisions": "allow=['dtype'] where the caller chooses the output's dtype, dtype= for a function of one dtype, or"
    " skip=['precisions']",
    "second_order": "@once_differentiable on the backward pass, or skip=['second_order']",
    "backward": "declare sizes that it takes: n>=2, 3d, n+1",
    "call": "seed=0 for a random function; 't=n data' for an argument that is not differentiated by",
}
