"""Local maxima of a stack of heatmaps, found on the tensor as the network gives it."""

import numpy as np

from bottomup.kernels.jit import kernel
from bottomup.kernels.sampling import sigmoid

# One bit or seven in each byte of a word: eight levels are compared in a few instructions.
_ONES = np.uint64(0x0101010101010101)
_HIGH = np.uint64(0x8080808080808080)
_LOW = np.uint64(0x7F7F7F7F7F7F7F7F)
_BLOCK = 64


@kernel
def find_peaks_u8(levels, words, height, width, num_parts, lowest, radius, peaks):
    """Write to `peaks` the flat indices of cells that reach level `lowest` and that no cell of their window exceeds.

    Row-major order. Returns how many there are, of which `peaks` holds as many as fit.
    """
    count = 0
    if lowest > 255:
        return count
    add = _ONES * np.uint64(128 - lowest) if lowest <= 128 else _ONES * np.uint64(256 - lowest)
    for word in range(words.size):
        eight = words[word]
        sums = (eight & _LOW) + add
        reached = (sums | eight) if lowest <= 128 else (sums & eight)
        if reached & _HIGH:
            start = 8 * word
            count = collect_peaks(
                levels, start, start + 8, height, width, num_parts, lowest, radius, False, count, peaks
            )
    start = 8 * words.size
    return collect_peaks(levels, start, levels.size, height, width, num_parts, lowest, radius, False, count, peaks)


@kernel
def find_peaks_f32(values, height, width, num_parts, lowest, radius, compare_scores, peaks):
    """Do as `find_peaks_u8` on real numbers. NaN is no peak, and exceeds nothing.

    `compare_scores` says that values are logits and that equal float32 scores tie, however different the logits.
    """
    count = 0
    for start in range(0, values.size, _BLOCK):
        stop = min(start + _BLOCK, values.size)
        block = values[start:stop]
        reached = np.int32(0)
        for index in range(block.size):  # this form of the loop becomes vector instructions, others do not
            reached += np.int32(block[index] >= lowest)
        if reached:
            count = collect_peaks(
                values, start, stop, height, width, num_parts, lowest, radius, compare_scores, count, peaks
            )
    return count


@kernel
def collect_peaks(
    values, start, stop, height, width, num_parts, lowest, radius, compare_scores, count, peaks
):  # fmt: skip
    """Append the peaks among the elements from `start` to `stop` to the `count` there are; return the new count."""
    for index in range(start, stop):
        value = values[index]
        if value >= lowest:
            cell = np.uint32(index) // np.uint32(num_parts)
            row = np.int64(cell // np.uint32(width))
            column = np.int64(cell) - row * width
            if is_peak(values, index, value, row, column, height, width, num_parts, radius, compare_scores):
                if count < peaks.size:
                    peaks[count] = index
                count += 1
    return count


@kernel
def is_peak(values, index, value, row, column, height, width, num_parts, radius, compare_scores):
    """Tell whether no cell of the window around flat `index` exceeds its `value` in its channel."""
    first = max(column - radius, 0)
    last = min(column + radius, width - 1)
    for near_row in range(max(row - radius, 0), min(row + radius + 1, height)):
        near = index + ((near_row - row) * width + first - column) * num_parts
        for _ in range(first, last + 1):
            if values[near] > value and not (compare_scores and sigmoid(values[near]) <= sigmoid(value)):
                return False
            near += num_parts
    return True
