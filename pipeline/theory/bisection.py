"""Bisection: it takes no derivative and cannot miss. SciPy's solvers take longer to import than advice may."""

from collections.abc import Callable


def bisect(holds: Callable[[float], bool], inside: float, outside: float, width: float) -> tuple[float, float]:
    """Return the last point at which a condition holds and the first at which it does not, at most a width apart.

    Args:
        holds: the condition.
        inside: where it holds.
        outside: where it does not; on either side of inside.
        width: how near to come.
    """
    while abs(outside - inside) > width:
        middle = (inside + outside) / 2
        if holds(middle):
            inside = middle
        else:
            outside = middle
    return inside, outside
