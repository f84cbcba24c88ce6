"""Loops of DEKR's decoder."""

import math

import numpy as np

from bottomup.centers.kernels.search import guess_of, insert_peak, read_score, write_part
from bottomup.kernels.jit import helper, kernel
from bottomup.kernels.sampling import clamp, find_corners
from bottomup.kernels.sorting import sort_descending

_U = np.uint64
_ZERO = np.float32(0)
_ONE = np.float32(1)
_HALF = np.float32(0.5)


@kernel
def decode_dekr(space, tiles, centers, heat, vectors, grid, rules):
    """Fill keypoints and scores with the people of DEKR's decoder, in its order; return how many."""
    (peaks, scores, found, _limits, areas, order, keypoints, pose_scores, _boxes_found) = space
    (center, center_scores) = centers
    (_heatmaps, _part_scores, _log_scores, logits, num_parts, width) = heat
    (height, _width, _output_stride, _shift_x, _shift_y) = grid
    (most, lowest, radius, nearness, is_official) = rules
    count = find_tops(center, height, width, lowest, radius, most, peaks)
    for person in range(count):
        center_score = read_score(center, center_scores, logits, peaks[person])
        total = _ZERO
        total_heat = _ZERO
        for part in range(num_parts):
            row, column = guess_of(vectors, num_parts, width, peaks[person], part)
            if is_official:
                score = score_below(heat, height, row, column, part)
            else:
                score = score_between(heat, height, row, column, part)
            found[person, part, 0] = row
            found[person, part, 1] = column
            found[person, part, 2] = center_score * score
            found[person, part, 3] = _ZERO  # becomes 1, in the first part, once the person is in a group
            total += center_score * score
            total_heat += score
        areas[person] = total / np.float32(num_parts)
        mean = total_heat / np.float32(num_parts)
        scores[person] = mean if mean == mean else -np.float32(np.inf)  # NaN would end up anywhere
    sort_descending(scores, count, order)
    kept = np.int64(0)
    for rank in range(count):
        person = rank if is_official else order[rank]
        if found[person, 0, 3] > _ZERO:
            continue
        reach = nearness * diagonal(found[person])
        chosen = np.int64(-1)
        for other in range(count):
            if are_near(found[person], found[other], reach) and (chosen < 0 or scores[other] > scores[chosen]):
                chosen = other
        if chosen < 0 or found[chosen, 0, 3] > _ZERO:
            continue
        for other in range(count):
            if are_near(found[person], found[other], reach):
                found[other, 0, 3] = _ONE
        for part in range(num_parts):
            row, column, score, _ = found[chosen, part]
            write_part(keypoints, kept, part, (row, column), score, grid)
        pose_scores[kept] = min(areas[chosen], _ONE) if areas[chosen] > _ZERO else _ZERO
        kept += 1
    return kept


@helper
def find_tops(center, height, width, lowest, radius, most, peaks):
    """Write the `most` best cells above `lowest` that no cell of their window exceeds, best first; return how many.

    Equal cells in one window are all peaks; of equal peaks the first comes first.
    """
    count = np.int64(0)
    for cell in range(height * width):
        value = center[_U(cell)]
        if not value > lowest or (count == most and not value > center[_U(peaks[count - 1])]):
            continue
        if exceeds(center, 1, 0, cell, value, height, width, radius):
            continue
        count = insert_peak(center, peaks, count, most, cell)
    return count


@helper
def exceeds(values, num_parts, part, cell, value, height, width, radius):
    """Tell whether any cell of a part's window around `cell` is above `value`."""
    row = cell // width
    column = cell - row * width
    for near_row in range(max(row - radius, 0), min(row + radius + 1, height)):
        for near_column in range(max(column - radius, 0), min(column + radius + 1, width)):
            if values[_U((near_row * width + near_column) * num_parts + part)] > value:
                return True
    return False


@helper
def score_below(heat, height, row, column, part):
    """Return the score of the cell at a place rounded down, clamped to the grid."""
    (heatmaps, part_scores, _log_scores, logits, num_parts, width) = heat
    near_row = np.int64(clamp(row, np.float32(height - 1)))
    near_column = np.int64(clamp(column, np.float32(width - 1)))
    return read_score(heatmaps, part_scores, logits, (near_row * width + near_column) * num_parts + part)


@helper
def score_between(heat, height, row, column, part):
    """Return the score at a place, bilinear, as mmpose's grid_sample reads it: half a cell off."""
    (heatmaps, part_scores, _log_scores, logits, num_parts, width) = heat
    last_row = np.float32(height - 1)
    last_column = np.float32(width - 1)
    row = clamp(row * np.float32(height) / max(last_row, _ONE) - _HALF, last_row)
    column = clamp(column * np.float32(width) / max(last_column, _ONE) - _HALF, last_column)
    top_left, top_right, bottom_left, bottom_right, down, right = find_corners(row, column, width)
    a = read_score(heatmaps, part_scores, logits, top_left * num_parts + part)
    b = read_score(heatmaps, part_scores, logits, top_right * num_parts + part)
    c = read_score(heatmaps, part_scores, logits, bottom_left * num_parts + part)
    d = read_score(heatmaps, part_scores, logits, bottom_right * num_parts + part)
    top = (_ONE - right) * a + right * b
    bottom = (_ONE - right) * c + right * d
    return (_ONE - down) * top + down * bottom


@helper
def diagonal(pose):
    """Return the diagonal of the box around a pose, in cells; NaN if a part is not finite."""
    low_row = high_row = pose[0, 0]
    low_column = high_column = pose[0, 1]
    for part in range(pose.shape[0]):
        row = pose[part, 0]
        column = pose[part, 1]
        if not (math.isfinite(row) and math.isfinite(column)):
            return np.float32(np.nan)
        low_row = min(low_row, row)
        high_row = max(high_row, row)
        low_column = min(low_column, column)
        high_column = max(high_column, column)
    tall = high_row - low_row
    wide = high_column - low_column
    return np.float32(math.sqrt(np.float64(tall * tall + wide * wide)))


@helper
def are_near(pose, other, reach):
    """Tell whether more than half of the parts of two poses lie nearer than `reach`."""
    number = 0
    for part in range(pose.shape[0]):
        down = pose[part, 0] - other[part, 0]
        right = pose[part, 1] - other[part, 1]
        number += down * down + right * right < reach * reach
    return number > pose.shape[0] // 2
