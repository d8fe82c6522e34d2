"""Layers of one network beside dense layers and activations; arrays are ``[row, unit]``, in single precision."""

from typing import Any

import numpy as np

from .native import copy, exp, fma, inner, log
from .sums import column_sums, tree_sum

ZERO, ONE = np.float32(0), np.float32(1)
MASK = np.uint32(0xFFFFFFFF)


@inner
def add_bias(z: Any, bias: Any) -> None:
    """Add a bias to every row."""
    for row in range(z.shape[0]):
        for unit in range(z.shape[1]):
            z[row, unit] += bias[unit]


@inner
def _towards(old: Any, new: Any, share: Any) -> Any:
    """Return (1 - share) · old + share · new, as ``Tensor.lerp`` rounds it."""
    if share < np.float32(0.5):
        return fma(share, new - old, old)
    return fma(old - new, ONE - share, new)


@inner
def batch_norm(x: Any, out: Any, normalized: Any, inverse: Any, moving: Any, scale: Any, shift: Any, eps: Any,
               new: Any) -> None:  # fmt: skip
    """Normalise by the batch's mean and variance, and let the moving ones follow.

    Args:
        x: the batch.
        out: takes what the layer gives.
        normalized: takes the batch with mean 0 and variance 1.
        inverse: takes 1 / sd of each unit.
        moving: mean and variance, ``[2, unit]``.
        scale: of each unit.
        shift: of each unit.
        eps: added to the variance.
        new: the batch's share of the new moving mean and variance.
    """
    rows, units = x.shape
    size = np.float32(rows)
    mean = np.empty(units, np.float32)
    column_sums(x, mean)
    for unit in range(units):
        mean[unit] /= size
        moving[0, unit] = _towards(moving[0, unit], mean[unit], new)
    for row in range(rows):
        for unit in range(units):
            centred = x[row, unit] - mean[unit]
            normalized[row, unit] = centred
            out[row, unit] = centred * centred
    column_sums(out, mean)
    for unit in range(units):
        variance = mean[unit] / size
        moving[1, unit] = _towards(moving[1, unit], variance, new)
        inverse[unit] = ONE / np.sqrt(variance + eps)
    for row in range(rows):
        for unit in range(units):
            normalized[row, unit] *= inverse[unit]
            out[row, unit] = fma(normalized[row, unit], scale[unit], shift[unit])


@inner
def batch_norm_gradient(grad: Any, normalized: Any, inverse: Any, scale: Any, grad_scale: Any, grad_shift: Any,
                        out: Any) -> None:  # fmt: skip
    """Write the gradients of scale, shift and, where it has rows, of the input."""
    rows, units = grad.shape
    size = np.float32(rows)
    column_sums(grad, grad_shift)
    for row in range(rows):
        for unit in range(units):
            out[row, unit] = grad[row, unit] * normalized[row, unit]
    column_sums(out, grad_scale)
    for row in range(rows):
        for unit in range(units):
            centred = grad[row, unit] - grad_shift[unit] / size
            out[row, unit] = fma(normalized[row, unit], grad_scale[unit] / -size, centred) * (
                inverse[unit] * scale[unit]
            )


@inner
def batch_norm_by_moving(x: Any, out: Any, moving: Any, scale: Any, shift: Any, eps: Any) -> None:
    """Normalise by the moving mean and variance."""
    for unit in range(x.shape[1]):
        slope = scale[unit] * (ONE / np.sqrt(moving[1, unit] + eps))
        start = shift[unit] - moving[0, unit] * slope
        for row in range(x.shape[0]):
            out[row, unit] = fma(x[row, unit], slope, start)


@inner
def layer_norm(x: Any, out: Any, normalized: Any, inverse: Any, scale: Any, shift: Any, eps: Any) -> None:
    """Normalise each row over its units; ``inverse`` takes 1 / sd of each row."""
    rows, units = x.shape
    size = np.float32(units)
    scratch = np.empty(units + 1, np.float32)
    for row in range(rows):
        mean = tree_sum(x[row], scratch) / size
        for unit in range(units):
            centred = x[row, unit] - mean
            normalized[row, unit] = centred
            out[row, unit] = centred * centred
        inverse[row] = ONE / np.sqrt(tree_sum(out[row], scratch) / size + eps)
        for unit in range(units):
            normalized[row, unit] *= inverse[row]
            out[row, unit] = fma(normalized[row, unit], scale[unit], shift[unit])


@inner
def layer_norm_gradient(grad: Any, normalized: Any, inverse: Any, scale: Any, grad_scale: Any, grad_shift: Any,
                        out: Any) -> None:  # fmt: skip
    """Write the gradients of scale, shift and the input."""
    rows, units = grad.shape
    size = np.float32(units)
    scratch = np.empty(units + 1, np.float32)
    product = np.empty(units, np.float32)
    column_sums(grad, grad_shift)
    for row in range(rows):
        for unit in range(units):
            out[row, unit] = grad[row, unit] * normalized[row, unit]
    column_sums(out, grad_scale)
    for row in range(rows):
        for unit in range(units):
            out[row, unit] = grad[row, unit] * scale[unit]
            product[unit] = out[row, unit] * normalized[row, unit]
        mean = tree_sum(out[row], scratch) / size
        along = tree_sum(product, scratch) / -size
        for unit in range(units):
            out[row, unit] = fma(normalized[row, unit], along, out[row, unit] - mean) * inverse[row]


@inner
def _mix(x: Any) -> Any:
    """Hash 32 bits to 32 bits; see `pipeline.networks.seeds`."""
    x = (x ^ (x >> np.uint32(16))) * np.uint32(0x7FEB352D)
    x = np.uint32(x)
    x = (x ^ (x >> np.uint32(15))) * np.uint32(0x846CA68B)
    x = np.uint32(x)
    return np.uint32(x ^ (x >> np.uint32(16)))


@inner
def uniform(key: Any, step: Any, out: Any) -> None:
    """Write draws from U[0, 1), as `pipeline.networks.seeds.counter_uniform` gives them."""
    start = _mix(np.uint32(_mix(np.uint32(step)) ^ np.uint32(key)))
    for place in range(out.size):
        bits = _mix(np.uint32(np.uint32(place) ^ start))
        out[place] = np.float32(np.int32(bits & np.uint32(0xFFFFFF))) * np.float32(2.0**-24)


@inner
def kept_mask(key: Any, step: Any, rate: Any, out: Any) -> None:
    """Write 1 for what dropout keeps, and 0 for what it drops."""
    uniform(key, step, out)
    for i in range(out.size):
        out[i] = ONE if out[i] - rate > ZERO else ZERO


@inner
def cross_entropy(logits: Any, labels: Any, terms: Any, totals: Any, losses: Any, right: Any) -> int:
    """Write each row's cross-entropy, in nats; return how many rows have their largest logit at their label.

    Args:
        logits: ``[row, class]``.
        labels: of each row.
        terms: takes exp(logit - the row's largest).
        totals: takes their sums.
        losses: takes the cross-entropies.
        right: takes 1 for each row that is right, else 0.
    """
    rows, classes = logits.shape
    correct = 0
    for row in range(rows):
        largest = 0
        for one in range(1, classes):
            if logits[row, one] > logits[row, largest]:
                largest = one
        right[row] = largest == labels[row]
        correct += right[row]
        for one in range(classes):
            terms[row, one] = logits[row, one] - logits[row, largest]
        losses[row] = terms[row, labels[row]]
    exp(terms.reshape(-1))
    pairs = np.empty(classes, np.float32)
    for row in range(rows):
        size = classes
        for one in range(classes):
            pairs[one] = terms[row, one]
        while size > 1:
            half = size // 2
            last = pairs[size - 1]
            for one in range(half):
                pairs[one] += pairs[half + one]
            if size % 2:
                pairs[0] += last
            size = half
        totals[row] = pairs[0]
    logs = np.empty(rows, np.float32)
    copy(totals, logs)
    log(logs)
    for row in range(rows):
        losses[row] = logs[row] - losses[row]
    return correct


@inner
def cross_entropy_gradient(labels: Any, terms: Any, totals: Any, share: Any, out: Any) -> None:
    """Write the gradient with respect to the logits, the softmax less 1 for the label, times each row's share."""
    rows, classes = out.shape
    for row in range(rows):
        factor = share / totals[row]
        for one in range(classes):
            out[row, one] = terms[row, one] * factor
        out[row, labels[row]] -= share
