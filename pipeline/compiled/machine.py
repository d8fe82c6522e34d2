"""Runs a program: forwards, backwards, and through an epoch of training, network after network.

What a network needs lies close together and stays in the processor's cache for the whole epoch; there is no Python
between the steps, and a network's bits cannot depend on its neighbours, since each is trained by itself.
"""

from typing import Any, NamedTuple

from . import elementwise as f
from . import layers
from .native import (
    add,
    copy,
    fma,
    inner,
    matmul,
    matmul_second_transposed,
    matrix,
    outer_product,
    vector,
)
from .program import Kind
from .rules import One, Rules, penalize, update
from .sums import column_sums, logit_sums

DENSE, ADD, JOIN, BATCH_NORM, LAYER_NORM, DROPOUT, ALPHA_DROPOUT = (int(kind) for kind in list(Kind)[:7])
SIGMOID, TANH, RELU, LEAKY_RELU, RRELU, PRELU, ELU, SWISH, MISH, SOFTPLUS, HARD_SIGMOID, GELU = (
    int(kind) for kind in list(Kind)[7:]
)


BLOCK_SIZE = 2**15
"""Numbers of a gradient that stay in the cache until the update has used them: larger matrices are taken in blocks."""
BLOCK_ROWS = 96
"""Of a block. A multiple of 12: OpenBLAS's kernel takes so many at a time, and rounds what is left otherwise."""


class Memory(NamedTuple):
    """Where one network computes; used again by the next."""

    values: Any
    """``[column · rows]``: the buffers, one after the other."""
    gradients: Any
    """Of these."""
    scratch: Any
    """As large as the largest buffer."""
    terms: Any
    """``[row · output]``: of the loss."""
    totals: Any
    """``[row]``."""
    losses: Any
    """``[row]``."""
    right: Any
    """``[row]``: 1 where the largest logit is the label's."""
    block: Any
    """Takes the gradient of a block of a weight matrix."""
    rows: int
    """That there is room for."""
    training: bool
    """Whether batch norm goes by the batch, and random layers draw."""


@inner
def forward(program: Any, memory: Memory, rows: int, one: One, step: int) -> None:
    """Compute every buffer from the input's."""
    values, room, training = memory.values, memory.rows, memory.training
    for number in range(program.size):
        op = program[number]
        kind, units = op.kind, op.units
        y = vector(values, op.y * room, rows * units)
        if kind == DENSE:
            x = matrix(values, op.x * room, rows, op.fan_in)
            weight = matrix(one.parameters, op.weight, op.fan_in, units)
            z = matrix(y, 0, rows, units)
            matmul(x, weight, z)
            if op.bias >= 0:
                layers.add_bias(z, vector(one.parameters, op.bias, units))
            continue
        if kind == JOIN:
            others = units - op.fan_in
            for row in range(rows):
                copy(vector(values, op.x * room + row * op.fan_in, op.fan_in), vector(y, row * units, op.fan_in))
                copy(vector(values, op.other * room + row * others, others), vector(y, row * units + op.fan_in, others))
            continue
        x = vector(values, op.x * room, rows * units)
        if kind == RELU:
            f.relu(x, y)
        elif kind == LEAKY_RELU:
            f.leaky_relu(x, y, op.a)
        elif kind == ELU:
            f.elu(x, y, op.a, op.b)
        elif kind == TANH:
            f.tanh_of(x, y)
        elif kind == SIGMOID:
            f.sigmoid(x, y)
        elif kind == HARD_SIGMOID:
            f.hard_sigmoid(x, y)
        elif kind == PRELU:
            f.sloped_relu(x, y, vector(one.parameters, op.weight, units))
        elif kind == ADD:
            add(x, y)
        else:
            kept = vector(values, op.kept * room, rows * units)
            if kind == SWISH:
                f.swish(x, y, kept, op.a)
            elif kind == MISH:
                f.mish(x, y, kept)
            elif kind == SOFTPLUS:
                f.softplus(x, y, kept)
            elif kind == GELU:
                f.gelu(x, y, kept)
            elif kind == RRELU:
                _rrelu(op, x, y, kept, one, step, training)
            elif kind in (DROPOUT, ALPHA_DROPOUT):
                _dropout(op, x, y, kept, one, step, training)
            else:
                _normalize(op, x, y, kept, vector(values, op.other * room, max(rows, units)), one, rows, training)


@inner
def _rrelu(op: Any, x: Any, y: Any, kept: Any, one: One, step: int, training: bool) -> None:
    if not training:
        f.leaky_relu(x, y, op.c)
        return
    layers.uniform(one.keys[op.stream], step, kept)
    for i in range(kept.size):
        kept[i] = kept[i] * op.b + op.a
    f.sloped_relu(x, y, kept)


@inner
def _dropout(op: Any, x: Any, y: Any, kept: Any, one: One, step: int, training: bool) -> None:
    if not training:
        copy(x, y)
        return
    layers.kept_mask(one.keys[op.stream], step, op.a, kept)
    if op.kind == DROPOUT:
        for i in range(kept.size):
            kept[i] /= op.b
            y[i] = x[i] * kept[i]
    else:
        for i in range(kept.size):
            dropped = (f.ONE - kept[i]) * op.c + op.d
            y[i] = fma(x[i] * op.b, kept[i], dropped)


@inner
def _normalize(op: Any, x: Any, y: Any, kept: Any, inverse: Any, one: One, rows: int, training: bool) -> None:
    units = op.units
    x, y, kept = matrix(x, 0, rows, units), matrix(y, 0, rows, units), matrix(kept, 0, rows, units)
    scale, shift = vector(one.parameters, op.weight, units), vector(one.parameters, op.bias, units)
    if op.kind == LAYER_NORM:
        layers.layer_norm(x, y, kept, inverse, scale, shift, op.a)
        return
    moving = matrix(one.moving, op.moving, 2, units)
    if training and op.learns:
        layers.batch_norm(x, y, kept, inverse, moving, scale, shift, op.a, op.b)
    else:
        layers.batch_norm_by_moving(x, y, moving, scale, shift, op.a)


@inner
def backward(program: Any, memory: Memory, rows: int, one: One, rules: Rules, step: int, learns: bool) -> None:
    """Compute the gradients of the parameters, and of every buffer, from the logits'.

    Args:
        program: instructions.
        memory: with all buffers, and the logits' gradient.
        rows: samples.
        one: the network.
        rules: how it learns.
        step: of the epoch.
        learns: whether to update each parameter at once, while its gradient is at hand, and not to keep gradients.
    """
    values, gradients, room = memory.values, memory.gradients, memory.rows
    for back in range(program.size):
        op = program[program.size - 1 - back]
        kind, units = op.kind, op.units
        grad = vector(gradients, op.y * room, rows * units)
        if kind == DENSE:
            _dense_gradient(op, memory, rows, one, matrix(grad, 0, rows, units), rules, step, learns)
            continue
        if kind == JOIN:
            others = units - op.fan_in
            for row in range(rows):
                below = vector(gradients, op.x * room + row * op.fan_in, op.fan_in)
                copy(vector(grad, row * units, op.fan_in), below)
                below = vector(gradients, op.other * room + row * others, others)
                copy(vector(grad, row * units + op.fan_in, others), below)
            continue
        if not (op.wanted or op.learns):
            continue
        x, y = vector(values, op.x * room, rows * units), vector(values, op.y * room, rows * units)
        given = vector(gradients, op.x * room, rows * units)
        out = vector(memory.scratch, 0, x.size) if op.adds else given
        if kind == RELU:
            f.relu_gradient(y, grad, out)
        elif kind == LEAKY_RELU:
            f.leaky_relu_gradient(x, grad, out, op.a)
        elif kind == ELU:
            f.elu_gradient(y, grad, out, op.c, op.d)
        elif kind == TANH:
            f.tanh_gradient(y, grad, out)
        elif kind == SIGMOID:
            f.sigmoid_gradient(y, grad, out)
        elif kind == HARD_SIGMOID:
            f.hard_sigmoid_gradient(x, grad, out)
        elif kind == PRELU:
            slope = vector(one.parameters, op.weight, units)
            if op.learns:
                for i in range(x.size):
                    out[i] = grad[i] * f.at_most(x[i], f.ZERO)
                column_sums(matrix(out, 0, rows, units), vector(one.gradients, op.weight, units))
            f.sloped_relu_gradient(x, grad, out, slope)
        elif kind == ADD:
            copy(grad, out)
        else:
            kept = vector(values, op.kept * room, rows * units)
            if kind == SWISH:
                f.swish_gradient(x, kept, grad, out, op.a)
            elif kind == MISH:
                f.mish_gradient(x, kept, grad, out)
            elif kind == SOFTPLUS:
                f.softplus_gradient(x, kept, grad, out)
            elif kind == GELU:
                f.gelu_gradient(x, kept, grad, out)
            elif kind == RRELU:
                f.sloped_relu_gradient(x, grad, out, kept)
            elif kind == DROPOUT:
                for i in range(x.size):
                    out[i] = grad[i] * kept[i]
            elif kind == ALPHA_DROPOUT:
                for i in range(x.size):
                    out[i] = grad[i] * (kept[i] * op.b)
            else:
                _normalize_gradient(op, grad, kept, vector(values, op.other * room, max(rows, units)), one, rows, out)
        if op.adds:
            add(out, given)
        if learns and op.learns and not op.fixed:
            update(one, op.weight, vector(one.gradients, op.weight, units), rules, step)
            if op.bias >= 0:
                update(one, op.bias, vector(one.gradients, op.bias, units), rules, step)


@inner
def _dense_gradient(
    op: Any, memory: Memory, rows: int, one: One, grad: Any, rules: Rules, step: int, learns: bool
) -> None:
    units, fan_in, room = op.units, op.fan_in, memory.rows
    if op.wanted:
        weight = matrix(one.parameters, op.weight, fan_in, units)
        given = vector(memory.gradients, op.x * room, rows * fan_in)
        out = vector(memory.scratch, 0, given.size) if op.adds else given
        matmul_second_transposed(grad, weight, matrix(out, 0, rows, fan_in))
        if op.adds:
            add(out, given)
    if not op.learns:
        return
    if op.bias >= 0:
        of_bias = vector(one.gradients, op.bias, units)
        if op.outermost:
            logit_sums(grad, of_bias)
        else:
            column_sums(grad, of_bias)
        if learns:
            update(one, op.bias, of_bias, rules, step)
    x = vector(memory.values, op.x * room, rows * fan_in)
    together = fan_in if fan_in * units <= BLOCK_SIZE else BLOCK_ROWS
    for first in range(0, fan_in, together):
        some = min(together, fan_in - first)
        start, size = op.weight + first * units, some * units
        gradient = vector(memory.block, 0, size) if learns else vector(one.gradients, start, size)
        outer_product(x, grad, fan_in, first, matrix(gradient, 0, some, units))
        if learns:
            penalize(vector(one.parameters, start, size), gradient, rules)
            update(one, start, gradient, rules, step)


@inner
def _normalize_gradient(op: Any, grad: Any, kept: Any, inverse: Any, one: One, rows: int, out: Any) -> None:
    units = op.units
    grad, kept, out = matrix(grad, 0, rows, units), matrix(kept, 0, rows, units), matrix(out, 0, rows, units)
    scale = vector(one.parameters, op.weight, units)
    of_scale, of_shift = vector(one.gradients, op.weight, units), vector(one.gradients, op.bias, units)
    if op.kind == BATCH_NORM:
        layers.batch_norm_gradient(grad, kept, inverse, scale, of_scale, of_shift, out)
    else:
        layers.layer_norm_gradient(grad, kept, inverse, scale, of_scale, of_shift, out)
