"""The variances of every layer's weights and biases, as an initializer sets them."""

from collections.abc import Sequence

from ..axes.initializers import Initializer, Variances, WeightContext
from .edge import edge_of_chaos
from .functions import Function


def layer_variances(
    initializer: Initializer, function: Function, fans: Sequence[tuple[int, int]], input_square: float
) -> list[Variances]:
    """Return the variances of every layer's weights and biases, lowest layer first.

    Args:
        initializer: the entry.
        function: the activation of the hidden layers.
        fans: see `weight_contexts`.
        input_square: mean square of a feature.

    Raises:
        FunctionError: ``critical``, and the function has no stable edge of chaos.
    """
    return [initializer.law(layer).variances for layer in weight_contexts(function, fans, input_square)]


def weight_contexts(function: Function, fans: Sequence[tuple[int, int]], input_square: float) -> list[WeightContext]:
    """Return what an initializer may know of every layer.

    Args:
        function: the activation of the hidden layers.
        fans: fan-in and fan-out of every weight matrix, the first one's that takes the network's input first.
        input_square: mean square of a feature.
    """
    return [
        WeightContext(
            fan_in, fan_out, layer == 0, layer == len(fans) - 1, input_square, lambda: edge_of_chaos(function)
        )
        for layer, (fan_in, fan_out) in enumerate(fans)
    ]
