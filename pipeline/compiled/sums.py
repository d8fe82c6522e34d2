"""Sums and norms of one network, in torch's order of additions (2.13, AVX2), whatever the processor."""

from typing import Any

import numpy as np

from .native import add, copy, fill, fma, inner, vector

LANES = 8
"""Numbers in a vector of AVX2."""
LEVELS, BLOCK = 4, 16


@inner
def column_sums(values: Any, out: Any) -> None:
    """Write the sum of each column of ``[row, unit]``.

    Most columns are summed in blocks of 16 rows, blocks of blocks, …; the last ones, which do not fill four vectors,
    in four interleaved parts.
    """
    rows, units = values.shape
    whole = units - units % 32 if units >= LANES else units - units % 4
    if whole:
        _cascade(values, 0, 1, rows, vector(out, 0, whole), 0)
    if whole < units:
        rest = vector(out, whole, units - whole)
        quarter = rows // 4
        _cascade(values, 0, 4, quarter, rest, whole)
        for row in range(quarter * 4, rows):
            add(vector(values[row], whole, units - whole), rest)
        part = np.empty(units - whole, np.float32)
        for number in range(1, 4):
            _cascade(values, number, 4, quarter, part, whole)
            add(part, rest)


@inner
def _cascade(values: Any, first: int, step: int, count: int, out: Any, column: int) -> None:
    """Write sums over ``count`` rows from ``first``, ``step`` apart, of the columns from ``column``."""
    units = out.size
    sums = np.zeros((LEVELS, units), np.float32)
    for done in range(1, count + 1):
        row = values[first + (done - 1) * step]
        for unit in range(units):
            sums[0, unit] += row[column + unit]
        blocks = done
        level = 1
        while blocks % BLOCK == 0 and level < LEVELS:
            for unit in range(units):
                sums[level, unit] += sums[level - 1, unit]
                sums[level - 1, unit] = np.float32(0)
            blocks //= BLOCK
            level += 1
    copy(sums[0], out)
    for level in range(1, LEVELS):
        add(sums[level], out)


@inner
def logit_sums(values: Any, out: Any) -> None:
    """Write the sum of each column of ``[row, unit]``, in the order for what lies column by column in torch's memory.

    There a column is summed in vectors of eight rows, and at last across the vector.
    """
    rows, units = values.shape
    vectors = rows // LANES
    if vectors == 0:
        _cascade(values, 0, 4, rows // 4, out, 0)
        for row in range(rows // 4 * 4, rows):
            add(values[row], out)
        part = np.empty(units, np.float32)
        for number in range(1, 4):
            _cascade(values, number, 4, rows // 4, part, 0)
            add(part, out)
        return
    lanes = np.empty((vectors, LANES * units), np.float32)
    for row in range(vectors * LANES):
        copy(values[row], vector(lanes[row // LANES], row % LANES * units, units))
    sums, part = np.empty(LANES * units, np.float32), np.empty(LANES * units, np.float32)
    quarter = vectors // 4
    _cascade(lanes, 0, 4, quarter, sums, 0)
    for number in range(quarter * 4, vectors):
        add(lanes[number], sums)
    for number in range(1, 4):
        _cascade(lanes, number, 4, quarter, part, 0)
        add(part, sums)
    fill(out, np.float32(0))
    for row in range(vectors * LANES, rows):
        add(values[row], out)
    for lane in range(LANES):
        add(vector(sums, lane * units, units), out)


@inner
def tree_sum(values: Any, scratch: Any) -> Any:
    """Return the sum, pair by pair: the first half and the second, again and again.

    Args:
        values: as many as there are.
        scratch: room for as many, and one more.
    """
    size = values.size
    copy(values, vector(scratch, 0, size))
    while size > 1:
        if size % 2:
            scratch[size] = np.float32(0)
            size += 1
        size //= 2
        for i in range(size):
            scratch[i] += scratch[size + i]
    return scratch[0]


@inner
def norm(values: Any) -> Any:
    """Return the L2 norm; where the squares are beyond float32, by way of float64."""
    lanes = np.zeros(LANES, np.float32)
    whole = values.size - values.size % LANES
    for start in range(0, whole, LANES):
        for lane in range(LANES):
            value = values[start + lane]
            lanes[lane] += value * value
    total = lanes[0]
    for lane in range(1, LANES):
        total += lanes[lane]
    four = whole + 4 * ((values.size - whole) // 4)
    for i in range(whole, four):
        total += values[i] * values[i]
    for i in range(four, values.size):
        total = fma(values[i], values[i], total)
    if total == np.inf:
        wide = 0.0
        for value in values:
            wide += np.float64(value) * np.float64(value)
        return np.float32(np.sqrt(wide))
    return np.sqrt(total)
