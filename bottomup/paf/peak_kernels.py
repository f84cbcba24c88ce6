"""Peaks of heatmaps on the grid that the network gives: one a plateau, refined below a cell."""

import math

import numpy as np

from bottomup.kernels.jit import kernel

_FLOOR = 1e-3  # the lowest value whose logarithm is taken


@kernel
def find_peaks(
    heatmaps, height, width, num_parts, lowest, scale, zero, seen, plateau, counts, cells, rows, columns, scores
):
    """Find the peaks of every part: (N,) `counts`, and (N, K) `cells`, `rows`, `columns`, `scores`.

    A peak is a cell, or a plateau of equal cells, that reaches `lowest` and has nothing higher beside it. Where a part
    has more than K, the weakest are left out. Workspaces: `seen` (N, H * W), zeros, and `plateau` (H * W,).
    """
    for part in range(num_parts):
        counts[part] = 0
    for row in range(height):
        up = width if row > 0 else 0
        down = width if row < height - 1 else 0
        for column in range(width):
            cell = row * width + column
            if any_reaches(heatmaps, cell, num_parts, lowest):
                left = 1 if column > 0 else 0
                right = 1 if column < width - 1 else 0
                if any_is_highest(heatmaps, cell, up, down, left, right, num_parts, lowest):
                    for part in range(num_parts):
                        if heatmaps[cell, part] >= lowest:
                            top = find_top(heatmaps, height, width, part, row, column, seen, plateau)
                            if top >= 0:
                                keep_strongest(heatmaps, part, top, counts, cells)
    for part in range(num_parts):
        for peak in range(counts[part]):
            cell = cells[part, peak]
            row = cell // width
            column = cell - row * width
            rows[part, peak] = refine(heatmaps, scale, zero, part, cell, row, height, width)
            columns[part, peak] = refine(heatmaps, scale, zero, part, cell, column, width, 1)
            scores[part, peak] = read_score(heatmaps, scale, zero, part, cell)


@kernel
def any_reaches(heatmaps, cell, num_parts, lowest):
    """Tell whether any part reaches `lowest` in a cell; sums, not branches: parts are compared eight at a time."""
    reached = 0
    for part in range(num_parts):
        reached += heatmaps[cell, part] >= lowest
    return reached > 0


@kernel
def any_is_highest(heatmaps, cell, up, down, left, right, num_parts, lowest):
    """Tell whether any part reaches `lowest` in a cell and is not lower there than in the eight around it."""
    highest = 0
    for part in range(num_parts):
        value = heatmaps[cell, part]
        is_lower = (  # never than NaN
            (heatmaps[cell - up - left, part] > value)
            | (heatmaps[cell - up, part] > value)
            | (heatmaps[cell - up + right, part] > value)
            | (heatmaps[cell - left, part] > value)
            | (heatmaps[cell + right, part] > value)
            | (heatmaps[cell + down - left, part] > value)
            | (heatmaps[cell + down, part] > value)
            | (heatmaps[cell + down + right, part] > value)
        )
        highest += (value >= lowest) > is_lower
    return highest > 0


@kernel
def find_top(heatmaps, height, width, part, row, column, seen, plateau):
    """Return the cell of the peak that (row, column) belongs to, -1 if it is no peak or its plateau was seen before."""
    cell = row * width + column
    value = heatmaps[cell, part]
    equal = 0
    for near_row in range(max(row - 1, 0), min(row + 2, height)):
        for near_column in range(max(column - 1, 0), min(column + 2, width)):
            near = heatmaps[near_row * width + near_column, part]
            if near > value:
                return -1
            equal += near == value
    if equal == 1:
        return cell
    if seen[part, cell]:
        return -1
    return flood(heatmaps, height, width, part, cell, seen[part], plateau)


@kernel
def flood(heatmaps, height, width, part, cell, seen, plateau):
    """Return the cell nearest to the middle of the plateau around `cell`, -1 if anything beside it is higher."""
    value = heatmaps[cell, part]
    plateau[0] = cell
    seen[cell] = 1
    size = 1
    done = 0
    is_peak = True
    row_sum = 0
    column_sum = 0
    while done < size:
        row = plateau[done] // width
        column = plateau[done] - row * width
        row_sum += row
        column_sum += column
        done += 1
        for near_row in range(max(row - 1, 0), min(row + 2, height)):
            for near_column in range(max(column - 1, 0), min(column + 2, width)):
                near = near_row * width + near_column
                if heatmaps[near, part] > value:
                    is_peak = False
                elif heatmaps[near, part] == value and not seen[near]:
                    seen[near] = 1
                    plateau[size] = near
                    size += 1
    if not is_peak:
        return -1
    best = -1
    least = 0
    for index in range(size):
        row = plateau[index] // width
        column = plateau[index] - row * width
        distance = (size * row - row_sum) ** 2 + (size * column - column_sum) ** 2
        if best < 0 or distance < least or (distance == least and plateau[index] < best):
            best = plateau[index]
            least = distance
    return best


@kernel
def keep_strongest(heatmaps, part, cell, counts, cells):
    """Append a peak; where there is no room, in place of the weakest, the last of several equal ones."""
    size = counts[part]
    if size == cells.shape[1]:
        weakest = 0
        for peak in range(1, size):
            if heatmaps[cells[part, peak], part] <= heatmaps[cells[part, weakest], part]:
                weakest = peak
        if not heatmaps[cell, part] > heatmaps[cells[part, weakest], part]:
            return
        size -= 1
        for peak in range(weakest, size):
            cells[part, peak] = cells[part, peak + 1]
    cells[part, size] = cell
    counts[part] = size + 1


@kernel
def refine(heatmaps, scale, zero, part, cell, place, size, stride):
    """Return where, along one axis, the peak at `place` is highest: the top of a parabola through logarithms.

    Exact for a Gaussian. Cells beside `place` that are equal to it widen the parabola. At a border, it goes through the
    next two cells inside. At most half a cell from the middle. Cells of the axis are `stride` apart.
    """
    low = place
    high = place
    while low > 0 and heatmaps[cell + (low - 1 - place) * stride, part] == heatmaps[cell, part]:
        low -= 1
    while high < size - 1 and heatmaps[cell + (high + 1 - place) * stride, part] == heatmaps[cell, part]:
        high += 1
    middle = 0.5 * (low + high)
    centre = log_value(heatmaps, scale, zero, part, cell)
    if low > 0 and high < size - 1:
        before = log_value(heatmaps, scale, zero, part, cell + (low - 1 - place) * stride)
        after = log_value(heatmaps, scale, zero, part, cell + (high + 1 - place) * stride)
        curvature = before - 2.0 * centre + after
        reach = 0.5 * (high - low) + 1.0
        return middle + (half_clamp(0.5 * reach * (before - after) / curvature) if curvature < 0.0 else 0.0)
    if low == high and size >= 3:
        inwards = 1 if low == 0 else -1
        near = log_value(heatmaps, scale, zero, part, cell + inwards * stride)
        far = log_value(heatmaps, scale, zero, part, cell + 2 * inwards * stride)
        curvature = centre - 2.0 * near + far
        if curvature < 0.0:
            return middle + inwards * half_clamp(1.0 + 0.5 * (centre - far) / curvature)
    return middle


@kernel
def log_value(heatmaps, scale, zero, part, cell):
    """Return the logarithm of a part's value in a cell, as of 0.001 where it is less."""
    value = np.float64((np.float32(heatmaps[cell, part]) - zero) * scale)
    return math.log(value if value > _FLOOR else _FLOOR)


@kernel
def half_clamp(shift):
    """Return `shift` inside [-0.5, 0.5]; NaN becomes 0."""
    if shift > 0.5:
        return 0.5
    if shift < -0.5:
        return -0.5
    return shift if shift == shift else 0.0


@kernel
def read_score(heatmaps, scale, zero, part, cell):
    """Return a part's value in a cell as a score in [0, 1]."""
    value = np.float64((np.float32(heatmaps[cell, part]) - zero) * scale)
    if not value > 0.0:
        return 0.0
    return value if value < 1.0 else 1.0
