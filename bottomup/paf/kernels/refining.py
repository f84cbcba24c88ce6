"""Where, below a cell, a peak is highest; what one element means."""

import math

import numpy as np

from bottomup.kernels.jit import helper

_FLOOR = 1e-3  # the lowest value whose logarithm is taken
_LOG_FLOOR = math.log(_FLOOR)
_U = np.uint64  # an index that never counts from the end needs no test for that


@helper
def refine(heatmaps, table, logs, index, centre, place, size, step):
    """Return where, along one axis, the peak at `place` is highest: the top of a parabola through logarithms.

    Exact for a Gaussian. Cells beside `place` that are equal to it widen the parabola. At a border, it goes through the
    next two cells inside. At most half a cell from the middle. The axis has `size` cells, `step` elements apart;
    `centre` is the logarithm at the peak, element `index`.
    """
    low = place
    high = place
    value = heatmaps[_U(index)]
    while low > 0 and heatmaps[_U(index + (low - 1 - place) * step)] == value:
        low -= 1
    while high < size - 1 and heatmaps[_U(index + (high + 1 - place) * step)] == value:
        high += 1
    middle = 0.5 * (low + high)
    if low > 0 and high < size - 1:
        before = log_value(heatmaps, table, logs, index + (low - 1 - place) * step)
        after = log_value(heatmaps, table, logs, index + (high + 1 - place) * step)
        return middle + top_of_parabola(before, centre, after, 0.5 * (high - low) + 1.0)
    if low == high and size >= 3:
        inwards = 1 if low == 0 else -1
        near = log_value(heatmaps, table, logs, index + inwards * step)
        far = log_value(heatmaps, table, logs, index + 2 * inwards * step)
        curvature = centre - 2.0 * near + far
        if curvature < 0.0:
            return middle + inwards * half_clamp(1.0 + 0.5 * (centre - far) / curvature)
    return middle


@helper
def top_of_parabola(before, centre, after, reach):
    """Return how far from the middle of three values, `reach` apart, a parabola through them is highest."""
    curvature = before - 2.0 * centre + after
    return half_clamp(0.5 * reach * (before - after) / curvature) if curvature < 0.0 else 0.0


@helper
def log_value(heatmaps, table, logs, index):
    """Return the logarithm of an element's real number, as of 0.001 where it is less."""
    if logs is None:
        value = real(heatmaps, table, index)
        return math.log(value) if value > _FLOOR else _LOG_FLOOR
    return logs[heatmaps[_U(index)]]


@helper
def real(values, table, index):
    """Return one element's real number."""
    if table is None:
        return np.float64(values[_U(index)])
    return table[values[_U(index)]]


@helper
def half_clamp(shift):
    """Return `shift` inside [-0.5, 0.5]; NaN becomes 0."""
    if shift > 0.5:
        return 0.5
    if shift < -0.5:
        return -0.5
    return shift if shift == shift else 0.0


@helper
def as_score(value):
    """Return a real number inside [0, 1]; NaN becomes 0."""
    if not value > 0.0:
        return 0.0
    return value if value < 1.0 else 1.0
