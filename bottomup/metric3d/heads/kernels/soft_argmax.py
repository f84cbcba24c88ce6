"""Loops of soft-argmax.

Volumes are (B, H * W, C): in each cell of the image plane, from channel `first`
on, the N parts of depth 0, then those of depth 1. A *lane* is one of these D * N numbers.
"""

import numpy as np

from bottomup.kernels.jit import contracted_helper, helper, kernel

_F = np.float32
_LOG2_E = _F(1.4426950408889634)
_ROUNDER = _F(3 << 22)  # added to a number below 2^22, it leaves the nearest whole number in the low bits
_LOWEST = _F(-126)  # below, 2^y is no normal float32
_HIGHEST = _F(127)
# 2^y for y in [-0.5, 0.5], with a relative error below 1e-7: fitted by least squares, reweighted to the least maximum.
_C0, _C1, _C2 = _F(1.00000007), _F(0.69314697), _F(0.2402212)
_C3, _C4, _C5 = _F(0.05550713), _F(0.00967554), _F(0.00132765)
_MOST = 2.0**40  # a sum of exponentials up to here, and down to 1 / 2^40, loses nothing: nothing need be subtracted


@kernel
def soft_argmax(volumes, first, scale, zero, height, width, depth, shift, rows, first_moments, totals, means):
    """Write into `means` (B, N, 3) the mean column, row and depth of the softmax of (value - zero) * scale.

    Volumes are float32 or uint8. NaN where a part's logits hold NaN or +inf,
    or nothing but -inf. Logits of moderate size are exponentiated as they
    are, in one pass; else their maximum is subtracted first, in two.
    Workspaces: `shift`, `rows`, `first_moments` (D * N,) float32 and
    `totals` (4, N) float64.
    """
    factor = scale * _LOG2_E
    for image in range(volumes.shape[0]):
        shift[:] = zero
        add_volume(volumes[image], first, factor, height, width, depth, shift, rows, first_moments, totals)
        if not are_moderate(totals[0]):
            find_peaks(volumes[image], first, depth, shift)
            add_volume(volumes[image], first, factor, height, width, depth, shift, rows, first_moments, totals)
        write_means(totals, means[image])


@helper
def add_volume(volume, first, factor, height, width, depth, shift, rows, first_moments, totals):
    """Set `totals` (4, N) to the sum of a volume's exponentials, and of column, row and depth times them."""
    num_parts = totals.shape[1]
    totals[:] = 0
    for row in range(height):
        add_row(volume[row * width : (row + 1) * width], first, factor, shift, rows, first_moments)
        for layer in range(depth):
            for part in range(num_parts):
                lane = layer * num_parts + part
                share = np.float64(rows[lane])
                totals[0, part] += share
                totals[1, part] += first_moments[lane]
                totals[2, part] += row * share
                totals[3, part] += layer * share


@contracted_helper
def add_row(cells, first, factor, shift, rows, first_moments):
    """Set, lane by lane, the sum of 2^((value - shift) * factor) over a row's cells, and of column times it.

    2^y is a power of two, whose exponent goes straight into the bits, times a polynomial of the rest. Written so that
    it becomes vector instructions.
    """
    rows[:] = 0
    first_moments[:] = 0
    for column in range(cells.shape[0]):
        cell = cells[column, first : first + rows.size]
        number = _F(column)
        for lane in range(rows.size):
            power = (_F(cell[lane]) - shift[lane]) * factor
            power = _LOWEST if power < _LOWEST else power
            power = _HIGHEST if power > _HIGHEST else power
            rounded = _F(power + _ROUNDER)
            rest = power - (rounded - _ROUNDER)
            series = _F(((((_C5 * rest + _C4) * rest + _C3) * rest + _C2) * rest + _C1) * rest + _C0)
            bits = np.int32(series.view(np.int32) + (rounded.view(np.int32) << 23))
            share = bits.view(np.float32)
            rows[lane] += share
            first_moments[lane] += number * share


@helper
def find_peaks(volume, first, depth, peaks):
    """Set in every lane the highest logit that its part has at any depth; NaN is ignored."""
    num_parts = peaks.size // depth
    peaks[:] = -np.inf
    for cell in range(volume.shape[0]):
        values = volume[cell, first : first + peaks.size]
        for lane in range(peaks.size):
            value = _F(values[lane])
            peaks[lane] = value if value > peaks[lane] else peaks[lane]
    for layer in range(1, depth):
        for part in range(num_parts):
            value = peaks[layer * num_parts + part]
            peaks[part] = value if value > peaks[part] else peaks[part]
    for layer in range(1, depth):
        for part in range(num_parts):
            peaks[layer * num_parts + part] = peaks[part]


@helper
def are_moderate(sums):
    """Return whether every part's sum of exponentials is neither so large nor so small that float32 lost any."""
    num_moderate = 0
    for part in range(sums.size):
        num_moderate += 1 / _MOST < sums[part] < _MOST  # never NaN
    return num_moderate == sums.size


@helper
def write_means(totals, means):
    """Write the mean column, row and depth of each part."""
    for part in range(totals.shape[1]):
        for axis in range(3):
            means[part, axis] = totals[axis + 1, part] / totals[0, part]
