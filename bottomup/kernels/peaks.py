"""Local maxima of a stack of heatmaps, found on the tensor as the network gives it."""

import numpy as np

from bottomup.kernels.jit import kernel
from bottomup.kernels.sampling import sigmoid

# One bit or seven in each byte of a word: eight levels are compared in a few instructions.
_ONES = np.uint64(0x0101010101010101)
_HIGH = np.uint64(0x8080808080808080)
_LOW = np.uint64(0x7F7F7F7F7F7F7F7F)


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
            for index in range(8 * word, 8 * word + 8):
                if levels[index] >= lowest and is_peak(levels, index, height, width, num_parts, radius, False):
                    if count < peaks.size:
                        peaks[count] = index
                    count += 1
    for index in range(8 * words.size, levels.size):
        if levels[index] >= lowest and is_peak(levels, index, height, width, num_parts, radius, False):
            if count < peaks.size:
                peaks[count] = index
            count += 1
    return count


@kernel
def find_peaks_f32(values, height, width, num_parts, lowest, radius, compare_scores, peaks):
    """Do as `find_peaks_u8` on real numbers. NaN is no peak, and exceeds nothing.

    `compare_scores` says that values are logits and that equal float32 scores tie, however different the logits.
    """
    count = 0
    num_blocks = values.size // 16
    for block in range(num_blocks + 1):
        start = 16 * block
        stop = start + 16 if block < num_blocks else values.size
        reached = 0
        for index in range(start, stop):
            reached += values[index] >= lowest
        if reached:
            for index in range(start, stop):
                if values[index] >= lowest and is_peak(values, index, height, width, num_parts, radius, compare_scores):
                    if count < peaks.size:
                        peaks[count] = index
                    count += 1
    return count


@kernel
def is_peak(values, index, height, width, num_parts, radius, compare_scores):
    """Tell whether no cell of the window around flat `index` exceeds it in its channel."""
    cell = index // num_parts
    row = cell // width
    column = cell - row * width
    value = values[index]
    for near_row in range(max(row - radius, 0), min(row + radius + 1, height)):
        for near_column in range(max(column - radius, 0), min(column + radius + 1, width)):
            near = index + ((near_row - row) * width + near_column - column) * num_parts
            if values[near] > value and not (compare_scores and sigmoid(values[near]) <= sigmoid(value)):
                return False
    return True
