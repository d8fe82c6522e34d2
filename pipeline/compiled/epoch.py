"""An epoch of a network, and its scores."""

from typing import Any, NamedTuple

import numpy as np

from pipeline.compiled import layers
from pipeline.compiled.elementwise import ONE, ZERO, at_least, at_most
from pipeline.compiled.machine import Memory, One, backward, forward
from pipeline.compiled.native import copy, entry, fill, fma, inner, matrix, vector
from pipeline.compiled.sums import column_sums, norm, tree_sum

SGD, MOMENTUM, NESTEROV, RMSPROP, ADAM, ADAMW = range(6)
NO_CLIPPING, BY_VALUE, BY_NORM, BY_GLOBAL_NORM = range(4)
NO_PENALTY, L1, L2, MAX_NORM = range(4)
MAX_NORM_EPS = np.float32(1e-7)


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


class Watch(NamedTuple):
    """What is seen of training steps, see `pipeline.training.health`: ``[network, measure, place]``."""

    counts: bool
    """Whether to see how often gradients are clipped."""
    at_first: bool
    """Whether to keep what the first step shows."""
    at_last: bool
    first: Any
    last: Any


@entry
def train(program: Any, tensors: Any, logits: Any, first: int, memory: Memory, one: One, rules: Rules, clipping: int,
          threshold: Any, down: Any, alive: bool, x: Any, labels: Any, order: Any, watch: Watch) -> Any:  # fmt: skip
    """Train a network for an epoch.

    Args:
        program: instructions.
        tensors: the parameters'.
        logits: their buffer, and how many they are.
        first: the input's buffer.
        memory: to compute in.
        one: the network; it changes.
        rules: how all networks of its stack learn.
        clipping: of its gradients.
        threshold: of the clipping.
        down: minus the learning rate.
        alive: whether its loss is finite so far.
        x: ``[sample, feature]``.
        labels: ``[sample]``.
        order: of the samples.
        watch: takes what is seen.

    Returns:
        the sum of its losses, how many samples it got right, and whether its loss is still finite.
    """
    features = x.shape[1]
    matrices = watch.first.shape[1]
    before = np.empty_like(one.parameters)
    norms = np.empty((2, matrices), np.float32)
    clipped = np.zeros(matrices, np.float32)
    targets = np.empty(memory.rows, np.int64)
    scratch = np.empty(memory.rows + tensors.size + 1, np.float32)
    loss_sum, correct = ZERO, 0
    steps = (order.size + rules.batch - 1) // rules.batch
    for step in range(steps):
        begin = step * rules.batch
        rows = min(rules.batch, order.size - begin)
        for row in range(rows):
            sample = order[begin + row]
            copy(x[sample], vector(memory.values, first * memory.rows + row * features, features))
            targets[row] = labels[sample]
        forward(program, memory, rows, one, rules.first_step + step, True)
        own = vector(targets, 0, rows)
        loss, right = _loss(memory, logits, rows, own, scratch)
        loss_sum += loss
        correct += right
        if not np.isfinite(loss):
            alive = False
        keeps = (watch.at_first and step == 0) or (watch.at_last and step == steps - 1)
        sees = keeps or watch.counts
        if not (alive or keeps):
            _forget(one.moments)
            continue
        out = matrix(memory.gradients, logits[0] * memory.rows, rows, logits[1])
        terms = matrix(memory.terms, 0, rows, logits[1])
        layers.cross_entropy_gradient(own, terms, memory.totals, ONE / np.float32(rows), out)
        backward(program, memory, rows, one)
        _penalize(tensors, one, rules)
        if sees:
            _matrix_norms(tensors, one.gradients, norms[0])
            copy(one.parameters, before)
        if alive:
            _clip(tensors, one, clipping, threshold, scratch)
            _update(tensors, one, down, rules, step)
            if rules.penalty == MAX_NORM:
                _constrain(tensors, one, rules.strength)
        else:  # it has diverged, and stays as it is
            fill(one.gradients, ZERO)
            _forget(one.moments)
        if sees:
            _matrix_norms(tensors, one.gradients, norms[1])
            for place in range(matrices):
                clipped[place] += ONE if norms[1, place] < norms[0, place] else ZERO
            if watch.at_first and step == 0:
                _keep(watch.first, tensors, one, before, norms, clipped, ONE)
            if watch.at_last and step == steps - 1:
                _keep(watch.last, tensors, one, before, norms, clipped, np.float32(step + 1))
    return loss_sum, correct, alive


@inner
def _forget(moments: Any) -> None:
    for moment in range(moments.shape[0]):
        fill(moments[moment], ZERO)


@inner
def _loss(memory: Memory, logits: Any, rows: int, targets: Any, scratch: Any) -> Any:
    """Return the sum of the rows' losses, and how many are right."""
    outputs = logits[1]
    given = matrix(memory.values, logits[0] * memory.rows, rows, outputs)
    terms = matrix(memory.terms, 0, rows, outputs)
    totals, losses = vector(memory.totals, 0, rows), vector(memory.losses, 0, rows)
    right = layers.cross_entropy(given, targets, terms, totals, losses)
    return tree_sum(losses, scratch), right


@inner
def _of(tensor: Any, values: Any) -> Any:
    return vector(values, tensor.start, tensor.rows * tensor.columns)


@inner
def _penalize(tensors: Any, one: One, rules: Rules) -> None:
    if rules.penalty != L1 and rules.penalty != L2:
        return
    for number in range(tensors.size):
        if tensors[number].kernel and tensors[number].learns:
            weights, gradients = _of(tensors[number], one.parameters), _of(tensors[number], one.gradients)
            for i in range(weights.size):
                term = weights[i] if rules.penalty == L2 else np.sign(weights[i])
                gradients[i] = fma(term, rules.strength, gradients[i])


@inner
def _constrain(tensors: Any, one: One, limit: Any) -> None:
    for number in range(tensors.size):
        tensor = tensors[number]
        if tensor.kernel and tensor.learns:
            weights = matrix(one.parameters, tensor.start, tensor.rows, tensor.columns)
            factor = np.empty(tensor.columns, np.float32)
            column_sums(weights * weights, factor)
            for unit in range(factor.size):
                length = np.sqrt(factor[unit])
                factor[unit] = at_most(length, limit) / (length + MAX_NORM_EPS)
            for row in range(tensor.rows):
                for unit in range(factor.size):
                    weights[row, unit] *= factor[unit]


@inner
def _matrix_norms(tensors: Any, values: Any, out: Any) -> None:
    """Write the L2 norm of each weight matrix's part."""
    place = 0
    for number in range(tensors.size):
        if tensors[number].kernel:
            out[place] = norm(_of(tensors[number], values))
            place += 1


@inner
def _keep(record: Any, tensors: Any, one: One, before: Any, norms: Any, clipped: Any, steps: Any) -> None:
    """Write gradient norms before and after clipping, the share of clipped steps, and the update's relative norm."""
    copy(norms[0], record[0])
    copy(norms[1], record[1])
    _matrix_norms(tensors, before, record[2])
    for i in range(before.size):
        before[i] = one.parameters[i] - before[i]
    _matrix_norms(tensors, before, record[3])
    for place in range(clipped.size):
        record[3, place] /= record[2, place]
        record[2, place] = clipped[place] / steps


@inner
def _shrink(length: Any, threshold: Any) -> Any:
    """Return the factor that brings a norm down to the threshold; NaN where it is beyond float32."""
    return np.float32(np.nan) if np.isinf(length) else ONE / at_least(length, threshold) * threshold


@inner
def _clip(tensors: Any, one: One, clipping: int, threshold: Any, scratch: Any) -> None:
    if clipping == NO_CLIPPING:
        return
    factor = ONE
    if clipping == BY_GLOBAL_NORM:
        squares = np.empty(tensors.size, np.float32)
        wide, count = 0.0, 0
        for number in range(tensors.size):
            if tensors[number].learns:
                length = norm(_of(tensors[number], one.gradients))
                squares[count] = length * length
                wide += np.float64(length) * np.float64(length)
                count += 1
        length = np.sqrt(tree_sum(vector(squares, 0, count), scratch))
        factor = _shrink(np.float32(np.sqrt(wide)) if np.isinf(length) else length, threshold)
    for number in range(tensors.size):
        if not tensors[number].learns:
            continue
        gradients = _of(tensors[number], one.gradients)
        if clipping == BY_VALUE:
            for i in range(gradients.size):
                gradients[i] = at_most(at_least(gradients[i], -threshold), threshold)
        else:
            if clipping == BY_NORM:
                factor = _shrink(norm(gradients), threshold)
            for i in range(gradients.size):
                gradients[i] *= factor


@inner
def _update(tensors: Any, one: One, down: Any, rules: Rules, step: int) -> None:
    """Take a step of the optimizer; see `pipeline.axes.optimizers`."""
    for number in range(tensors.size):
        tensor = tensors[number]
        if not tensor.learns:
            continue
        w, g, c = _of(tensor, one.parameters), _of(tensor, one.gradients), rules.constants
        if rules.optimizer == SGD:
            for i in range(w.size):
                w[i] = fma(g[i], down, w[i])
            continue
        m = _of(tensor, one.moments[0])
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
            s = _of(tensor, one.moments[1])
            correction = rules.corrections[step]
            for i in range(w.size):
                if rules.optimizer == ADAMW:
                    w[i] = fma(w[i] * c[5], down, w[i])
                m[i] = fma(g[i], c[1], m[i] * c[0])
                s[i] = fma(g[i] * c[3], g[i], s[i] * c[2])
                w[i] += m[i] / (np.sqrt(s[i]) + c[4]) * correction * down


@entry
def score(program: Any, logits: Any, first: int, memory: Memory, one: One, x: Any, y: Any) -> Any:
    """Score a network.

    Args:
        program: instructions.
        logits: their buffer, and how many they are.
        first: the input's buffer.
        memory: to compute in.
        one: the network.
        x: ``[sample, feature]``.
        y: ``[sample]``: the labels.

    Returns:
        its mean loss, and how many samples it gets right.
    """
    features = x.shape[1]
    losses = np.empty(y.size, np.float32)
    scratch = np.empty(y.size + memory.rows + 1, np.float32)
    correct = 0
    for begin in range(0, y.size, memory.rows):
        rows = min(memory.rows, y.size - begin)
        for row in range(rows):
            copy(x[begin + row], vector(memory.values, first * memory.rows + row * features, features))
        forward(program, memory, rows, one, 0, False)
        correct += _loss(memory, logits, rows, vector(y, begin, rows), scratch)[1]
        copy(memory.losses, vector(losses, begin, rows))
    return tree_sum(losses, scratch) / np.float32(y.size), correct
