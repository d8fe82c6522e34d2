"""An epoch of a network, and its scores."""

from typing import Any, NamedTuple

import numpy as np

from . import layers
from .elementwise import ONE, ZERO, at_least, at_most
from .machine import Memory, backward, forward
from .native import copy, entry, fill, inner, matrix, vector
from .rules import MAX_NORM, One, Rules, penalize, update
from .sums import column_sums, norm, tree_sum

NO_CLIPPING, BY_VALUE, BY_NORM, BY_GLOBAL_NORM = range(4)
MAX_NORM_EPS = np.float32(1e-7)


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
          threshold: Any, alive: bool, x: Any, labels: Any, order: Any, watch: Watch) -> Any:  # fmt: skip
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
        forward(program, memory, rows, one, rules.first_step + step)
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
        learns = clipping == NO_CLIPPING and not sees
        backward(program, memory, rows, one, rules, step, learns)
        if learns:
            if rules.penalty == MAX_NORM:
                _constrain(tensors, one, rules.strength)
            continue
        _penalize(tensors, one, rules)
        if sees:
            _matrix_norms(tensors, one.gradients, norms[0])
            copy(one.parameters, before)
        if alive:
            _clip(tensors, one, clipping, threshold, scratch)
            for number in range(tensors.size):
                if tensors[number].learns:
                    update(one, tensors[number].start, _of(tensors[number], one.gradients), rules, step)
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
    right = layers.cross_entropy(given, targets, terms, totals, losses, vector(memory.right, 0, rows))
    return tree_sum(losses, scratch), right


@inner
def _of(tensor: Any, values: Any) -> Any:
    return vector(values, tensor.start, tensor.rows * tensor.columns)


@inner
def _penalize(tensors: Any, one: One, rules: Rules) -> None:
    for number in range(tensors.size):
        if tensors[number].kernel and tensors[number].learns:
            penalize(_of(tensors[number], one.parameters), _of(tensors[number], one.gradients), rules)


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


@entry
def score(program: Any, logits: Any, first: int, memory: Memory, one: One, x: Any, y: Any, hits: Any) -> Any:
    """Score a network.

    Args:
        program: instructions.
        logits: their buffer, and how many they are.
        first: the input's buffer.
        memory: to compute in.
        one: the network.
        x: ``[sample, feature]``.
        y: ``[sample]``: the labels.
        hits: takes 1 for each sample that it gets right, else 0.

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
        forward(program, memory, rows, one, begin)
        correct += _loss(memory, logits, rows, vector(y, begin, rows), scratch)[1]
        copy(memory.losses, vector(losses, begin, rows))
        copy(memory.right, vector(hits, begin, rows))
    return tree_sum(losses, scratch) / np.float32(y.size), correct


@entry
def observe(program: Any, sites: Any, logits: Any, first: int, memory: Memory, one: One, rules: Rules, x: Any, y: Any,
            flat: Any, seen: Any, off: Any) -> None:  # fmt: skip
    """Write what some samples show of each site, see `pipeline.networks.observe`; moving averages change.

    Args:
        program: instructions.
        sites: ``[site, 4]``: buffers of z, of what the activation takes and gives, and the units.
        logits: their buffer, and how many they are.
        first: the input's buffer.
        memory: to compute in.
        one: the network.
        rules: how it learns.
        x: ``[sample, feature]``.
        y: ``[sample]``: labels.
        flat: ``[2]``: below and above what the activation is flat.
        seen: ``[measure, site]``.
        off: ``[site, unit]``: takes which units' activations take nothing above 0.
    """
    rows, features = x.shape
    room = memory.rows
    for row in range(rows):
        copy(x[row], vector(memory.values, first * room + row * features, features))
    scratch = np.empty(rows + 1, np.float32)
    forward(program, memory, rows, one, rules.first_step)
    _loss(memory, logits, rows, y, scratch)
    out = matrix(memory.gradients, logits[0] * room, rows, logits[1])
    layers.cross_entropy_gradient(y, matrix(memory.terms, 0, rows, logits[1]), memory.totals, ONE, out)
    learns = not memory.training  # no: a literal, or another step's type, would be compiled for anew
    backward(program, memory, rows, one, rules, rules.first_step, learns)
    for number in range(sites.shape[0]):
        units = sites[number, 3]
        size = rows * units
        shown = vector(memory.scratch, 0, size)
        seen[0, number] = _mean_square(vector(memory.values, sites[number, 0] * room, size))
        seen[1, number] = _mean_square(vector(memory.gradients, sites[number, 0] * room, size))
        given = matrix(memory.values, sites[number, 2] * room, rows, units)
        means = np.empty(units, np.float32)
        column_sums(given, means)
        for unit in range(units):
            means[unit] /= np.float32(rows)
        mean = tree_sum(means, np.empty(units + 1, np.float32)) / np.float32(units)
        dead = 0
        for unit in range(units):
            alive = False
            for row in range(rows):
                alive = alive or given[row, unit] != ZERO
                shown[row * units + unit] = given[row, unit] - mean
            dead += not alive
        seen[2, number] = mean
        seen[3, number] = np.sqrt(_mean_square(shown))
        seen[4, number] = np.float32(dead) / np.float32(units)
        taken = vector(memory.values, sites[number, 1] * room, size)
        for unit in range(units):
            off[number, unit] = True
            for row in range(rows):
                off[number, unit] = off[number, unit] and taken[row * units + unit] <= ZERO
        for i in range(size):
            beyond = taken[i] - at_most(at_least(taken[i], flat[0]), flat[1])
            shown[i] = ONE if beyond != ZERO and beyond == beyond else ZERO
        seen[5, number] = _mean_square(shown)


@inner
def _mean_square(values: Any) -> Any:
    length = norm(values)
    return length * length / np.float32(values.size)
