"""From a design to a stack of networks."""

from collections.abc import Sequence

from ..axes.initializers import Initializer
from .feedforward import FeedForward
from .recurrent import Recurrent
from .stack import Design, StackedNetwork


def build_networks(
    design: Design, initializers: Sequence[Initializer], seeds: Sequence[int], input_squares: Sequence[float]
) -> StackedNetwork:
    """Return a stack of networks before training.

    Args:
        design: of all of them.
        initializers: each network's.
        seeds: each network's.
        input_squares: each network's mean square of a feature, to which ``critical`` fits its first layer.

    Raises:
        FunctionError: ``critical``, and the activation has no stable edge of chaos.
    """
    kind = Recurrent if design.architecture.recurrent else FeedForward
    return kind(design, initializers, seeds, input_squares)


def parameter_count(design: Design) -> int:
    """Return how many weights and biases a network has, but for those of normalization."""
    fans = design.architecture.fans(design.shape, design.hidden, design.outputs)
    return sum(fan_in * fan_out + fan_out for fan_in, fan_out in fans)
