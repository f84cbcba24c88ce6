"""Local maxima of a stack of heatmaps, found on the tensor as the network gives it.

Unsigned indices cannot count from the end; without the check for that, the
processor compares many elements of a row at a time.
"""

import numpy as np

from bottomup.kernels.jit import helper, kernel
from bottomup.kernels.sampling import sigmoid

_U = np.uint64


@kernel
def find_peaks(values, height, width, num_parts, lowest, radius, compare_scores, flags, words, peaks):
    """Write to `peaks` the flat indices of cells that reach `lowest` and that no cell of their window exceeds.

    Row-major order. Returns how many there are; `peaks` holds as many as fit. NaN is never a peak and exceeds nothing.
    `lowest` has the type of `values`. With `compare_scores`, values are logits, and cells with equal float32 scores
    tie, however different the logits. Workspace: `flags`, bytes for at least a row of elements, which `words` shows
    eight at a time.
    """
    count = np.int64(0)  # a literal would be a type of its own, and compile everything below once more
    row_size = width * num_parts
    for row in range(height):
        start = row * row_size
        end = start + row_size
        if radius == 1 and not compare_scores and width > 2:
            inner, end = start + num_parts, end - num_parts
            up = row_size if row > 0 else 0
            down = row_size if row < height - 1 else 0
            count = collect_peaks(
                values, start, inner, row, height, width, num_parts, lowest, radius, False, count, peaks
            )  # fmt: skip
            flag_peaks(values, inner, end - inner, up, down, num_parts, lowest, flags)
            count = collect_flagged(flags, words, inner, end - inner, count, peaks)
            start, end = end, end + num_parts
        count = collect_peaks(
            values, start, end, row, height, width, num_parts, lowest, radius, compare_scores, count, peaks
        )  # fmt: skip
    return count


@helper
def flag_peaks(values, start, size, up, down, right, lowest, flags):
    """Flag those of the `size` elements from `start` that reach `lowest` and that none of eight neighbours exceeds.

    Neighbours lie `up` before, `down` behind and `right` to each side; `up` is 0 in the first row, `down` in the last.
    """
    first = _U(start)
    up, down, right = _U(up), _U(down), _U(right)
    for place in range(_U(size)):
        index = first + place
        value = values[index]
        flags[place] = (
            (value >= lowest)
            & (not values[index - right] > value)
            & (not values[index + right] > value)
            & (not values[index - up] > value)
            & (not values[index - up - right] > value)
            & (not values[index - up + right] > value)
            & (not values[index + down] > value)
            & (not values[index + down - right] > value)
            & (not values[index + down + right] > value)
        )


@helper
def collect_flagged(flags, words, start, size, count, peaks):
    """Append `start` plus each flagged place below `size` to the `count` peaks there are; return the new count."""
    end = (size + 31) // 32 * 32
    for place in range(size, end):
        flags[_U(place)] = 0
    for four in range(_U(0), _U(end // 8), _U(4)):
        if words[four] | words[four + _U(1)] | words[four + _U(2)] | words[four + _U(3)]:
            for word in range(four, four + _U(4)):
                if words[word]:
                    for place in range(8 * np.int64(word), 8 * np.int64(word) + 8):
                        if flags[_U(place)]:
                            if count < peaks.size:
                                peaks[_U(count)] = start + place
                            count += 1
    return count


@helper
def collect_peaks(
    values, start, stop, row, height, width, num_parts, lowest, radius, compare_scores, count, peaks
):  # fmt: skip
    """Append the peaks among elements `start` to `stop`, of `row`, to the `count` there are; return the new count."""
    reached = np.int32(0)
    for index in range(_U(start), _U(stop)):  # in this form many elements are compared at once
        reached += np.int32(values[index] >= lowest)
    if not reached:
        return count
    for index in range(start, stop):
        value = values[_U(index)]
        if value >= lowest:
            column = index // num_parts - row * width
            if is_peak(values, index, value, row, column, height, width, num_parts, radius, compare_scores):
                if count < peaks.size:
                    peaks[count] = index
                count += 1
    return count


@helper
def is_peak(values, index, value, row, column, height, width, num_parts, radius, compare_scores):
    """Tell whether no cell of the window around flat `index` exceeds its `value` in its channel."""
    first = max(column - radius, 0)
    last = min(column + radius, width - 1)
    highest = value
    for near_row in range(max(row - radius, 0), min(row + radius + 1, height)):
        near = index + ((near_row - row) * width + first - column) * num_parts
        for _ in range(first, last + 1):
            if values[near] > highest:
                # The first higher neighbour mostly has a higher score; if it ties, only the highest is compared again.
                if not compare_scores or (highest == value and sigmoid(values[near]) > sigmoid(value)):
                    return False
                highest = values[near]
            near += num_parts
    return not highest > value or sigmoid(highest) <= sigmoid(value)
