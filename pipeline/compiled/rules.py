"""How a gradient becomes an update: penalties and optimizers, see `pipeline.axes`."""

from typing import Any, NamedTuple

import numpy as np

from .native import fma, inner, vector

SGD, MOMENTUM, NESTEROV, RMSPROP, ADAM, ADAMW = range(6)
NO_PENALTY, L1, L2, MAX_NORM = range(4)


class One(NamedTuple):
    """One network of a stack."""

    parameters: Any
    """``[number]``."""
    gradients: Any
    """``[number]``: takes those of the parameters."""
    moving: Any
    """``[number]``: means and variances of batch norms."""
    moments: Any
    """``[moment, number]``: what the optimizer remembers."""
    keys: Any
    """``[stream]``: of random numbers."""
    down: Any
    """Minus the learning rate."""


class Rules(NamedTuple):
    """How all networks of a stack learn."""

    optimizer: int
    constants: Any
    """The optimizer's."""
    corrections: Any
    """``[step]``: Adam's, for moments that began at 0."""
    penalty: int
    strength: Any
    batch: int
    first_step: int
    """That random layers draw for."""


@inner
def penalize(weights: Any, gradients: Any, rules: Rules) -> None:
    """Add the penalty's gradient to that of a weight matrix."""
    if rules.penalty == L1:
        for i in range(weights.size):
            gradients[i] = fma(np.sign(weights[i]), rules.strength, gradients[i])
    elif rules.penalty == L2:
        for i in range(weights.size):
            gradients[i] = fma(weights[i], rules.strength, gradients[i])


@inner
def update(one: One, start: int, g: Any, rules: Rules, step: int) -> None:
    """Let the optimizer change parameters, from a start on, by their gradients."""
    w, down, c = vector(one.parameters, start, g.size), one.down, rules.constants
    if rules.optimizer == SGD:
        for i in range(w.size):
            w[i] = fma(g[i], down, w[i])
        return
    m = vector(one.moments[0], start, g.size)
    if rules.optimizer == MOMENTUM:
        for i in range(w.size):
            m[i] = fma(g[i], down, m[i] * c[0])
            w[i] += m[i]
    elif rules.optimizer == NESTEROV:
        for i in range(w.size):
            m[i] = fma(g[i], down, m[i] * c[0])
            w[i] = fma(g[i], down, fma(m[i], c[0], w[i]))
    elif rules.optimizer == RMSPROP:
        for i in range(w.size):
            m[i] = fma(g[i] * c[1], g[i], m[i] * c[0])
            w[i] += g[i] / np.sqrt(m[i] + c[2]) * down
    else:
        if rules.optimizer == ADAMW:
            for i in range(w.size):
                w[i] = fma(w[i] * c[5], down, w[i])
        s = vector(one.moments[1], start, g.size)
        correction = rules.corrections[step]
        for i in range(w.size):
            m[i] = fma(g[i], c[1], m[i] * c[0])
            s[i] = fma(g[i] * c[3], g[i], s[i] * c[2])
            w[i] += m[i] / (np.sqrt(s[i]) + c[4]) * correction * down
