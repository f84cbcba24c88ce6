"""Peaks of heatmaps on the grid that the network gives: one a plateau, refined below a cell.

Heatmaps are flat: part `part` of cell `row * width + column` is element `cell * channels + part`; channels from
`num_parts` on are none of our business. Quantised elements come with a table of the real numbers of their 256 levels
and one of the logarithms of these, others with None.
"""

import math

import numpy as np

from bottomup.kernels.jit import helper

STRETCH = 128  #: elements of a row that are looked at together

# Rows of `places`.
ROW = 0  # of a peak, in cells of the heatmaps, with fractions
COLUMN = 1
SCORE = 2  # in [0, 1]
FIELD_ROW = 3  # the same place in cells of the fields, inside their grid
FIELD_COLUMN = 4

_FLOOR = 1e-3  # the lowest value whose logarithm is taken
_LOG_FLOOR = math.log(_FLOOR)
_ZERO, _ONE, _NONE = np.int64(0), np.int64(1), np.int64(-1)  # plain ones are types, each compiled for again
_U = np.uint64  # an index that never counts from the end needs no test for that


@helper
def find_peaks(heat, floor, floors, most, peaks, peak_space):
    """Find the peaks of every part: (N,) `counts`, and (N, K) `cells` and the first three rows of `places` (5, N, K).

    A peak is a cell, or a plateau of equal cells, that is above `floor` and has nothing higher beside it. Where a part
    has more than `most`, the weakest are left out. `floors` is `floor` for every element of a row that may be a peak
    with a neighbour on both sides, and for all others, and a stretch behind them, what nothing exceeds. Workspaces:
    `flags`, bytes of a stretch, which `words` shows eight at a time, `flagged`, as many numbers, `seen` (N, H * W) and
    `plateau` (H * W,).
    """
    (heatmaps, heat_table, logs, channels, heat_height, heat_width, num_parts) = heat
    (counts, cells, places) = peaks
    (flags, words, flagged, seen, plateau) = peak_space
    height = heat_height
    width = heat_width
    for part in range(num_parts):
        counts[part] = 0
        for cell in range(height * width):
            seen[part, cell] = 0
    row_size = width * channels
    for row in range(height):
        start = row * row_size
        end = start + row_size
        up = row_size if row > 0 else 0
        down = row_size if row < height - 1 else 0
        if has_above(heatmaps, start, num_parts, floor):
            collect_cell(heat, floor, most, row, _ZERO, peaks, seen, plateau)
        for first in range(start + channels, end - channels, STRETCH):
            is_inside = first + STRETCH + down + channels <= heatmaps.size
            size = STRETCH if is_inside else end - channels - first
            if not any_above(heatmaps, floors, first, first - start, size):
                continue
            flag_peaks(heatmaps, floors, first, first - start, size, up, down, channels, flags)
            for index in range(_U(list_flagged(flags, words, size, flagged))):
                place = first - start + flagged[index]
                column = quotient(place, channels)
                part = place - column * channels
                top = row * width + column
                if up == 0 or down == 0 or has_equal(heatmaps, start + place, up, channels):
                    top = find_top(heatmaps, channels, height, width, part, row, column, seen, plateau)
                if top >= 0:
                    keep_strongest(heatmaps, channels, most, part, top, counts, cells)
        if width > 1 and has_above(heatmaps, end - channels, num_parts, floor):
            collect_cell(heat, floor, most, row, width - 1, peaks, seen, plateau)
    for part in range(num_parts):
        for peak in range(counts[part]):
            cell = cells[part, peak]
            row = quotient(cell, width)
            index = cell * channels + part
            centre = log_value(heatmaps, heat_table, logs, index)
            places[ROW, part, peak] = refine(heatmaps, heat_table, logs, index, centre, row, height, width * channels)
            places[COLUMN, part, peak] = refine(
                heatmaps, heat_table, logs, index, centre, cell - row * width, width, channels
            )
            places[SCORE, part, peak] = as_score(real(heatmaps, heat_table, index))


@helper
def any_above(heatmaps, floors, first, offset, size):
    """Tell whether any of `size` elements from `first` is above its floor; sums, not branches, run side by side."""
    above = np.int32(0)
    for place in range(_U(size)):
        above += np.int32(heatmaps[_U(first) + place] > floors[_U(offset) + place])
    return above > 0


@helper
def has_above(heatmaps, first, num_parts, floor):
    """Tell whether any part of the cell that begins at `first` is above `floor`."""
    above = np.int32(0)
    for part in range(_U(num_parts)):
        above += np.int32(heatmaps[_U(first) + part] > floor)
    return above > 0


@helper
def flag_peaks(heatmaps, floors, first, offset, size, up, down, right, flags):
    """Set `flags` for the elements above their floor that none of eight neighbours exceeds.

    These lie `up` before it, `down` behind it, `right` to each side; the row above the first is the first.
    """
    first, offset, up, down, right = _U(first), _U(offset), _U(up), _U(down), _U(right)
    for place in range(_U(size)):
        index = first + place
        value = heatmaps[index]
        flags[place] = (
            (value > floors[offset + place])
            & (not any_exceeds(heatmaps, index - up, right, value))
            & (not any_exceeds(heatmaps, index, right, value))
            & (not any_exceeds(heatmaps, index + down, right, value))
        )


@helper
def any_exceeds(heatmaps, index, right, value):
    """Tell whether an element or one of the two beside it is higher than a value."""
    return (heatmaps[index - right] > value) | (heatmaps[index] > value) | (heatmaps[index + right] > value)


@helper
def list_flagged(flags, words, size, flagged):
    """List the places that are flagged among the first `size` of a stretch; return how many."""
    for place in range(size, STRETCH):
        flags[_U(place)] = 0
    count = _ZERO
    for word in range(STRETCH // 8):
        if words[_U(word)]:
            for place in range(8 * word, 8 * word + 8):  # without a branch, which would often be guessed wrong
                flagged[_U(count)] = place
                count += np.int64(flags[_U(place)])
    return count


@helper
def quotient(number, by):
    """Return how often `by` fits into a number, both below 2^50: half the time of a division of integers."""
    return int((number + 0.5) / by)


@helper
def has_equal(heatmaps, index, down, right):
    """Tell whether any of the eight neighbours of an element inside the grid is equal to it."""
    index, down, right = _U(index), _U(down), _U(right)
    value = heatmaps[index]
    equal = count_equal(heatmaps, index - down, right, value)
    equal += count_equal(heatmaps, index, right, value)
    equal += count_equal(heatmaps, index + down, right, value)
    return equal > 1


@helper
def count_equal(heatmaps, index, right, value):
    """Return how many of an element and the two beside it are equal to a value."""
    equal = np.int64(heatmaps[index - right] == value) + np.int64(heatmaps[index] == value)
    return equal + np.int64(heatmaps[index + right] == value)


@helper
def collect_cell(heat, floor, most, row, column, peaks, seen, plateau):
    """Keep the peaks of all parts in one cell."""
    (heatmaps, _heat_table, _logs, channels, heat_height, heat_width, num_parts) = heat
    (counts, cells, _places) = peaks
    first = (row * heat_width + column) * channels
    for part in range(num_parts):
        if heatmaps[_U(first + part)] > floor:
            top = find_top(heatmaps, channels, heat_height, heat_width, part, row, column, seen, plateau)
            if top >= 0:
                keep_strongest(heatmaps, channels, most, part, top, counts, cells)


@helper
def find_top(heatmaps, channels, height, width, part, row, column, seen, plateau):
    """Return the cell of the peak that (row, column) belongs to, -1 if it is no peak or its plateau was seen before."""
    cell = row * width + column
    value = heatmaps[_U(cell * channels + part)]
    equal = _ZERO
    for near_row in range(max(row - 1, 0), min(row + 2, height)):
        for near_column in range(max(column - 1, 0), min(column + 2, width)):
            near = heatmaps[_U((near_row * width + near_column) * channels + part)]
            if near > value:
                return -1
            equal += near == value
    if equal == 1:
        return cell
    if seen[part, cell]:
        return -1
    return flood(heatmaps, channels, height, width, part, cell, seen, plateau)


@helper
def flood(heatmaps, channels, height, width, part, cell, seen, plateau):
    """Return the cell nearest to the middle of the plateau around `cell`, -1 if anything beside it is higher."""
    value = heatmaps[_U(cell * channels + part)]
    plateau[0] = cell
    seen[part, cell] = 1
    size = _ONE
    done = _ZERO
    higher = _ZERO
    row_sum = _ZERO
    column_sum = _ZERO
    while done < size:
        row = plateau[done] // width
        column = plateau[done] - row * width
        row_sum += row
        column_sum += column
        done += 1
        for near_row in range(max(row - 1, 0), min(row + 2, height)):
            for near_column in range(max(column - 1, 0), min(column + 2, width)):
                near = near_row * width + near_column
                near_value = heatmaps[_U(near * channels + part)]
                if near_value > value:
                    higher += 1
                elif near_value == value and not seen[part, near]:
                    seen[part, near] = 1
                    plateau[size] = near
                    size += 1
    if higher > 0:
        return -1
    best = _NONE
    least = _ZERO
    for index in range(size):
        row = plateau[index] // width
        column = plateau[index] - row * width
        down = size * row - row_sum
        right = size * column - column_sum
        distance = down * down + right * right
        if best < 0 or distance < least or (distance == least and plateau[index] < best):
            best = plateau[index]
            least = distance
    return best


@helper
def keep_strongest(heatmaps, channels, most, part, cell, counts, cells):
    """Append a peak; where there is no room, in place of the weakest, the last of several equal ones."""
    if counts[part] == most and not drop_weakest(heatmaps, channels, part, cell, counts, cells):
        return
    cells[part, counts[part]] = cell
    counts[part] += 1


@helper
def drop_weakest(heatmaps, channels, part, cell, counts, cells):
    """Drop a part's weakest peak, the last of several equal ones; return False where a new one is no stronger."""
    size = counts[part]
    weakest = 0
    for peak in range(1, size):
        if heatmaps[_U(cells[part, peak] * channels + part)] <= heatmaps[_U(cells[part, weakest] * channels + part)]:
            weakest = peak
    if not heatmaps[_U(cell * channels + part)] > heatmaps[_U(cells[part, weakest] * channels + part)]:
        return False
    for peak in range(weakest, size - 1):
        cells[part, peak] = cells[part, peak + 1]
    counts[part] = size - 1
    return True


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
