"""Reading scores, and looking for a part's best cell around where a person's centre points.

A score is an exponential and costs ten times as much as a comparison, and most cells need none. The grid is divided
into tiles of 8 x 8 cells, and each part's highest score in a tile is found once, when a window first reaches the tile.
The search for a part visits the few tiles that can beat the best so far at their distance, and compares logarithms from
a table, accurate to 1e-5. Scores are computed only for the one or two cells that come out best.
"""

import math
from functools import partial

import numpy as np

from bottomup.kernels.jit import helper
from bottomup.kernels.sampling import read, write_keypoint

inlined_helper = partial(helper, forceinline=True)  # called for every cell, where copying bundles takes time

_U = np.uint64
_ZERO = np.float32(0)
_ONE = np.float32(1)
_HALF = np.float32(0.5)
_SLACK = np.float32(1e-4)  # of logarithms: errors of rounding and of the table
_FAR_OUT = np.float32(16)  # beyond this logit, the logarithm of a sigmoid is a straight line
_STEPS = np.float32(64)  # of the table, per unit of a logit
_SIDE = 8  # cells of a tile
_LAST = np.float32(_SIDE - 1)
_LOWEST = np.float32(-3e38)
_FAINT = np.float32(-80)  # logarithm below which float32 rounds weights coarsely, or to 0
_WIDE_SLACK = np.float32(25)  # of these
_LARGEST = np.float32(1000)  # what greater scores count as, as in bottomup.centers.fields
_LOG_LARGEST = math.log(_LARGEST)


@inlined_helper
def read_score(values, scores, logits, index):
    """Return the score of one element, from the table if it is a level."""
    if scores is None:
        value = values[_U(index)]
        if logits:
            return np.float32(1 / (1 + np.exp(-np.float64(value))))
        return value if not value > _LARGEST else _LARGEST
    return scores[values[_U(index)]]


@inlined_helper
def log_bound(value, scores, log_scores, logits):
    """Return a tight upper bound on the logarithm of an element's score."""
    if scores is not None:
        return log_scores[value]
    if not logits:
        return np.float32(math.log(np.float64(min(value, _LARGEST)))) if value > _ZERO else np.float32(-np.inf)
    if not -_FAR_OUT < value < _FAR_OUT:
        return min(value, _ZERO)
    place = (value + _FAR_OUT) * _STEPS
    step = np.int64(place)
    low = log_scores[_U(step)]
    return low + (place - np.float32(step)) * (log_scores[_U(step + 1)] - low)


@inlined_helper
def weigh(squared, weighting):
    """Return a cell's weight: exp(-squared distance * scale), or one over distance + scale."""
    (scale, is_inverse) = weighting
    if is_inverse:
        return _ONE / (np.float32(math.sqrt(np.float64(squared))) + scale)
    return np.float32(np.exp(-np.float64(squared * scale)))


@inlined_helper
def log_weight(squared, weighting):
    """Return the logarithm of `weigh`."""
    (scale, is_inverse) = weighting
    if is_inverse:
        return -np.float32(math.log(math.sqrt(np.float64(squared)) + np.float64(scale)))
    return -squared * scale


@inlined_helper
def guess_of(vectors, num_parts, width, cell, part):
    """Return the row and column that the centre at `cell` points to for a part."""
    (regressions, regression_table, _offsets, _offset_table) = vectors
    index = 2 * (cell * num_parts + part)
    row = cell // width
    return (
        np.float32(row) + read(regressions, regression_table, _ONE, index),
        np.float32(cell - row * width) + read(regressions, regression_table, _ONE, index + 1),
    )


@inlined_helper
def place_of(vectors, num_parts, width, num_cells, cell, part):
    """Return the row and column of a part in `cell`; fields may have one offset for all parts."""
    (_regressions, _regression_table, offsets, offset_table) = vectors
    index = 2 * cell if offsets.size == 2 * num_cells else 2 * (cell * num_parts + part)
    row = cell // width
    return (
        np.float32(row) + read(offsets, offset_table, _ONE, index),
        np.float32(cell - row * width) + read(offsets, offset_table, _ONE, index + 1),
    )


@inlined_helper
def weighted_score(heat, row, column, part, guess, weighting):
    """Return the weighted score of one cell for a person whose guess of the part is `guess`."""
    (heatmaps, part_scores, _log_scores, logits, num_parts, width) = heat
    (guess_row, guess_column) = guess
    down = np.float32(row) - guess_row
    right = np.float32(column) - guess_column
    weight = weigh(down * down + right * right, weighting)
    return read_score(heatmaps, part_scores, logits, (row * width + column) * num_parts + part) * weight


@helper
def find_best_cell(heat, tiles, part, guess, window, weighting):
    """Return the cell of the window with the highest weighted score, the first of equal ones, and that score.

    If nothing in the window is above 0, the cell is 0.
    """
    (bounds, _are_known, _highest, tiles_across) = tiles
    (guess_row, guess_column) = guess
    (top, left, bottom, right) = window
    if not (top < bottom and left < right and math.isfinite(guess_row) and math.isfinite(guess_column)):
        return np.int64(0), _ZERO
    row = int(min(max(guess_row + _HALF, np.float32(top)), np.float32(bottom - 1)))
    column = int(min(max(guess_column + _HALF, np.float32(left)), np.float32(right - 1)))
    best = np.int64(0), _ZERO, _LOWEST
    reach = 1
    for side in range(1, 3):  # 3 x 3 cells, which are mostly enough, then 5 x 5
        if reach >= side:
            upper, first = max(row - side, top), max(column - side, left)
            near = upper, first, min(row + side + 1, bottom), min(column + side + 1, right)
            best = search_cells(heat, part, guess, near, weighting, *best)
            reach = farthest(best[2], weighting, bottom + right, heat[3])
    if reach <= 2:
        return best[0], best[1]
    top = max(top, row - reach)
    left = max(left, column - reach)
    bottom = min(bottom, row + reach + 1)
    right = min(right, column + reach + 1)
    for tile_row in range(top // _SIDE, (bottom - 1) // _SIDE + 1):
        for tile_column in range(left // _SIDE, (right - 1) // _SIDE + 1):
            know_tile(heat, tiles, tile_row, tile_column)
            bound = bounds[tile_row * tiles_across + tile_column, part]
            least = least_beside(best[2])
            if bound >= least and bound + log_weight(nearest_squared(tile_row, tile_column, guess), weighting) >= least:
                cells = (
                    max(tile_row * _SIDE, top),
                    max(tile_column * _SIDE, left),
                    min((tile_row + 1) * _SIDE, bottom),
                    min((tile_column + 1) * _SIDE, right),
                )
                best = search_cells(heat, part, guess, cells, weighting, *best)
    return best[0], best[1]


@inlined_helper
def least_beside(highest):
    """Return the lowest bound of a cell that may be better than one whose bound is `highest`."""
    return highest - (_SLACK if highest > _FAINT else _WIDE_SLACK)


@inlined_helper
def farthest(highest, weighting, most, logits):
    """Return how many cells away from a guess a weight can still reach `highest`, a logarithm; at most `most`."""
    (scale, is_inverse) = weighting
    if is_inverse or not highest > _LOWEST:
        return most
    best = 0.0 if logits else _LOG_LARGEST  # logarithm of the highest score there may be
    distance = math.sqrt(max(best - np.float64(least_beside(highest)), 0.0) / np.float64(scale))
    return int(min(distance + 0.6, np.float64(most)))


@helper
def forget(tiles):
    """Mark all tiles as unknown."""
    (_bounds, are_known, _highest, _tiles_across) = tiles
    for tile in range(are_known.size):
        are_known[tile] = False


@helper
def search_cells(heat, part, guess, window, weighting, best_cell, best_score, highest):
    """Return the best cell so far or the best of a window, whichever is better, its score, and the highest bound.

    Scores are computed only for the few cells whose bounds come near the highest.
    """
    (_heatmaps, _part_scores, _log_scores, _logits, _num_parts, width) = heat
    (top, left, bottom, right) = window
    first = np.int64(-1)
    second = _LOWEST
    for row in range(top, bottom):
        for column in range(left, right):
            bound = weighted_bound(heat, row, column, part, guess, weighting, least_beside(highest))
            if bound > highest:
                second = highest
                highest = bound
                first = row * width + column
            elif bound > second:
                second = bound
    least = least_beside(highest)
    if not second >= least:  # one cell at most is near the highest
        if first < 0:
            return best_cell, best_score, highest
        top = first // width
        left = first - top * width
        bottom = top + 1
        right = left + 1
    for row in range(top, bottom):
        for column in range(left, right):
            if weighted_bound(heat, row, column, part, guess, weighting, least) >= least:
                score = weighted_score(heat, row, column, part, guess, weighting)
                cell = row * width + column
                if score > best_score or (score == best_score and score > _ZERO and cell < best_cell):
                    best_score = score
                    best_cell = cell
    return best_cell, best_score, highest


@inlined_helper
def weighted_bound(heat, row, column, part, guess, weighting, least):
    """Return an upper bound on the logarithm of a cell's weighted score; -inf if the score alone is below `least`."""
    (heatmaps, part_scores, log_scores, logits, num_parts, width) = heat
    (guess_row, guess_column) = guess
    bound = log_bound(heatmaps[_U((row * width + column) * num_parts + part)], part_scores, log_scores, logits)
    if not bound >= least:
        return np.float32(-np.inf)
    down = np.float32(row) - guess_row
    across = np.float32(column) - guess_column
    return bound + log_weight(down * down + across * across, weighting)


@inlined_helper
def nearest_squared(tile_row, tile_column, guess):
    """Return the squared distance from a guess to the nearest cell of a tile."""
    (guess_row, guess_column) = guess
    top = np.float32(tile_row * _SIDE)
    left = np.float32(tile_column * _SIDE)
    down = max(max(top - guess_row, guess_row - top - _LAST), _ZERO)
    across = max(max(left - guess_column, guess_column - left - _LAST), _ZERO)
    return down * down + across * across


@inlined_helper
def insert_peak(center, peaks, count, most, cell):
    """Insert a cell into the best `count` so far, best first, equal ones in order; return how many there are now.

    With `most` there already, the last one drops out.
    """
    value = center[_U(cell)]
    place = count if count < most else count - 1
    while place > 0 and center[_U(peaks[place - 1])] < value:
        peaks[place] = peaks[place - 1]
        place -= 1
    peaks[place] = cell
    return min(count + 1, most)


@helper
def know_tile(heat, tiles, tile_row, tile_column):
    """Write the bounds on the scores of all parts in one tile, unless they are known."""
    (heatmaps, part_scores, log_scores, logits, num_parts, width) = heat
    (bounds, are_known, highest, tiles_across) = tiles
    tile = tile_row * tiles_across + tile_column
    if are_known[tile]:
        return
    are_known[tile] = True
    height = heatmaps.size // (num_parts * width)
    left = tile_column * _SIDE
    size = (min(left + _SIDE, width) - left) * num_parts
    first = (tile_row * _SIDE * width + left) * num_parts
    for index in range(_U(size)):
        highest[index] = heatmaps[_U(first) + index]
    for row in range(tile_row * _SIDE + 1, min((tile_row + 1) * _SIDE, height)):
        first = (row * width + left) * num_parts
        for index in range(_U(size)):
            value = heatmaps[_U(first) + index]
            highest[index] = highest[index] if highest[index] >= value or value != value else value
    for part in range(num_parts):
        value = highest[part]
        for index in range(part + num_parts, size, num_parts):
            if highest[index] > value or value != value:
                value = highest[index]
        bounds[tile, part] = log_bound(value, part_scores, log_scores, logits)


@inlined_helper
def write_part(keypoints, person, part, place, score, grid):
    """Write x, y and score of a part, input pixels; NaN if its place is not finite."""
    (_height, _width, output_stride, shift_x, shift_y) = grid
    (row, column) = place
    write_keypoint(keypoints, person, part, row, column, min(score, _ONE), output_stride, shift_x, shift_y)


@inlined_helper
def write_box(boxes_found, person, limits, grid):
    """Write left, top, width and height of a person's box, input pixels; four times NaN if it is not finite."""
    (_height, _width, output_stride, shift_x, shift_y) = grid
    (top, left, bottom, right) = limits
    boxes_found[person, 0] = left * output_stride + shift_x
    boxes_found[person, 1] = top * output_stride + shift_y
    boxes_found[person, 2] = (right - left) * output_stride
    boxes_found[person, 3] = (bottom - top) * output_stride
    if not (
        math.isfinite(boxes_found[person, 0])
        and math.isfinite(boxes_found[person, 1])
        and math.isfinite(boxes_found[person, 2])
        and math.isfinite(boxes_found[person, 3])
    ):
        for side in range(4):
            boxes_found[person, side] = np.nan
