"""Peaks of heatmaps on the grid that the network gives: one a plateau, refined below a cell.

Heatmaps are flat: part `part` of cell `row * width + column` is element `cell * channels + part`; channels from
`num_parts` on are none of our business. Quantised elements come with a table of the real numbers of their 256 levels
and one of the logarithms of these, others with None.
"""

import numpy as np

from bottomup.kernels.jit import helper
from bottomup.paf.kernels.refining import as_score, log_value, real, refine
from bottomup.paf.kernels.sorting import sort_best_first

STRETCH = 128  #: elements of a row that are looked at together

# Rows of `places`.
ROW = 0  # of a peak, in cells of the heatmaps, with fractions
COLUMN = 1
SCORE = 2  # in [0, 1]
FIELD_ROW = 3  # the same place in cells of the fields, inside their grid
FIELD_COLUMN = 4

_LARGEST_PLATEAU = np.int64(4096)  # cells
_SEEN, _TOO_LARGE = np.uint8(1), np.uint8(2)  # what is known of a cell's plateau
_LOOKED_AT = np.int64(64)  # peaks, to tell whether maps were enlarged
_FLAT = 0.31  # as `bottomup.paf.enlarged` has it
_ZERO, _ONE, _NONE = np.int64(0), np.int64(1), np.int64(-1)  # plain ones are types, each compiled for again
_U = np.uint64  # an index that never counts from the end needs no test for that


@helper
def find_peaks(heat, floor, floors, most, peaks, peak_space):
    """Find the peaks of every part: (N,) `counts`, (N, 2K) `cells` and the first three rows of `places` (5, N, K).

    A peak is a cell, or a plateau of equal cells, that is above `floor` and has nothing higher beside it. Where a part
    has more than `most`, at most K, the weakest are left out. `floors` is `floor` for every element of a row that may
    be a peak with a neighbour on both sides, and for all others, and a stretch behind them, what nothing exceeds.
    Workspaces: `flags`, bytes of a stretch, which `words` shows eight at a time, `flagged`, as many numbers, `seen`
    (N, H * W), `plateau` (H * W,), and see `keep_strongest`.
    """
    (heatmaps, heat_table, logs, channels, heat_height, heat_width, num_parts) = heat
    (counts, cells, places) = peaks
    (flags, words, flagged, seen, plateau, weakest, _strengths, _order, _keys) = peak_space
    height = heat_height
    width = heat_width
    for part in range(num_parts):
        counts[part] = 0
        weakest[part] = -1
        for cell in range(height * width):
            seen[part, cell] = 0
    row_size = width * channels
    for row in range(height):
        start = row * row_size
        end = start + row_size
        up = row_size if row > 0 else 0
        down = row_size if row < height - 1 else 0
        if has_above(heatmaps, start, num_parts, floor):
            collect_cell(heat, floor, most, row, _ZERO, peaks, peak_space)
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
                if top >= 0 and exceeds_weakest(heatmaps, channels, weakest, part, top):
                    if counts[part] == cells.shape[1]:
                        keep_strongest(heat, most, part, peaks, peak_space)
                    cells[part, counts[part]] = top
                    counts[part] += 1
        if width > 1 and has_above(heatmaps, end - channels, num_parts, floor):
            collect_cell(heat, floor, most, row, width - 1, peaks, peak_space)
    for part in range(num_parts):
        if counts[part] > most:
            keep_strongest(heat, most, part, peaks, peak_space)
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
    """Set `flags` for elements above their floor that exceed the four neighbours before them, and none behind exceeds.

    Of a plateau, few cells are left so, its first among them. Neighbours lie `up` before an element, `down` behind it,
    `right` to each side. In the first row, whose row above is itself, equal ones do as well.
    """
    first, offset, up, down, right = _U(first), _U(offset), _U(up), _U(down), _U(right)
    if up == 0:
        for place in range(_U(size)):
            index = first + place
            value = heatmaps[index]
            flags[place] = (
                (value > floors[offset + place])
                & (not any_exceeds(heatmaps, index, right, value))
                & (not any_exceeds(heatmaps, index + down, right, value))
            )
        return
    for place in range(_U(size)):
        index = first + place
        value = heatmaps[index]
        above = index - up
        flags[place] = (
            (value > floors[offset + place])
            & (not heatmaps[above - right] >= value)
            & (not heatmaps[above] >= value)
            & (not heatmaps[above + right] >= value)
            & (not heatmaps[index - right] >= value)
            & (not heatmaps[index + right] > value)
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
def collect_cell(heat, floor, most, row, column, peaks, peak_space):
    """Keep the peaks of all parts in one cell."""
    (heatmaps, _heat_table, _logs, channels, heat_height, heat_width, num_parts) = heat
    (counts, cells, _places) = peaks
    (_flags, _words, _flagged, seen, plateau, weakest, _strengths, _order, _keys) = peak_space
    first = (row * heat_width + column) * channels
    for part in range(num_parts):
        if heatmaps[_U(first + part)] > floor:
            top = find_top(heatmaps, channels, heat_height, heat_width, part, row, column, seen, plateau)
            if top >= 0 and exceeds_weakest(heatmaps, channels, weakest, part, top):
                if counts[part] == cells.shape[1]:
                    keep_strongest(heat, most, part, peaks, peak_space)
                cells[part, counts[part]] = top
                counts[part] += 1


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
    """Return the cell nearest to the middle of the plateau around `cell`, -1 if anything beside it is higher.

    A plateau of more than `_LARGEST_PLATEAU` cells is no peak; cells that were seen of one are marked as such.
    """
    value = heatmaps[_U(cell * channels + part)]
    plateau[0] = cell
    seen[part, cell] = _SEEN
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
                elif near_value == value and seen[part, near] != _SEEN:
                    if seen[part, near] == _TOO_LARGE or size > _LARGEST_PLATEAU:
                        for index in range(size):
                            seen[part, plateau[index]] = _TOO_LARGE
                        return -1
                    seen[part, near] = _SEEN
                    plateau[size] = near
                    size += 1
    if higher > 0 or size > _LARGEST_PLATEAU:
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
def exceeds_weakest(heatmaps, channels, weakest, part, cell):
    """Tell whether a peak is stronger than the weakest of those that a part with too many keeps."""
    last = weakest[part]
    return last < 0 or heatmaps[_U(cell * channels + part)] > heatmaps[_U(last * channels + part)]


@helper
def keep_strongest(heat, most, part, peaks, peak_space):
    """Keep a part's `most` strongest peaks, of equal ones the first, in their order; those to come must exceed them.

    Workspaces: `weakest` (N,), `strengths` (2K,), and those of sorting, (2, 2K).
    """
    (heatmaps, heat_table, _logs, channels, _heat_height, _heat_width, _num_parts) = heat
    (counts, cells, places) = peaks
    (_flags, _words, _flagged, _seen, _plateau, weakest, strengths, order, keys) = peak_space
    size = counts[part]
    for peak in range(size):
        strengths[peak] = real(heatmaps, heat_table, cells[part, peak] * channels + part)
    sort_best_first(strengths, size, order, keys)
    weakest[part] = cells[part, order[0, most - 1]]
    for peak in range(size):
        order[1, peak] = 0
    for rank in range(most):
        order[1, order[0, rank]] = 1
    kept = _ZERO
    for peak in range(size):
        if order[1, peak]:
            cells[part, kept] = cells[part, peak]
            if peak < places.shape[2]:
                for row in range(places.shape[0]):
                    places[row, part, kept] = places[row, part, peak]
            kept += 1
    counts[part] = kept


@helper
def looks_enlarged(heat, peaks):
    """Tell whether the first peaks look as if their map had been enlarged, smoothly or by repeating cells.

    They are then much flatter than any network's own, or plateaus both ways.
    """
    (heatmaps, heat_table, _logs, channels, heat_height, heat_width, num_parts) = heat
    (counts, cells, _places) = peaks
    number = _ZERO
    repeated = _ZERO
    drop = 0.0
    total = 0.0
    for part in range(num_parts):
        for peak in range(min(counts[part], _LOOKED_AT - number)):
            number += 1
            index = cells[part, peak] * channels + part
            row = quotient(cells[part, peak], heat_width)
            column = cells[part, peak] - row * heat_width
            value = real(heatmaps, heat_table, index)
            up = real(heatmaps, heat_table, index - (heat_width * channels if row > 0 else 0))
            down = real(heatmaps, heat_table, index + (heat_width * channels if row < heat_height - 1 else 0))
            left = real(heatmaps, heat_table, index - (channels if column > 0 else 0))
            right = real(heatmaps, heat_table, index + (channels if column < heat_width - 1 else 0))
            drop += (value - up) + (value - down) + (value - left) + (value - right)
            total += 2.0 * value
            is_flat_down = (row > 0 and up == value) or (row < heat_height - 1 and down == value)
            is_flat_across = (column > 0 and left == value) or (column < heat_width - 1 and right == value)
            repeated += np.int64(is_flat_down and is_flat_across)
    return drop < _FLAT * total or 2 * repeated > number
