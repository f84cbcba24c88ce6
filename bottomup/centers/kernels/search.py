"""Reading scores, and looking for a part's best cell around where a person's centre points.

A score is an exponential, and costs ten times what a comparison does. Most cells need none: one whose heatmap alone
cannot beat the best so far is passed over, and rings of cells around the guess end where the weight alone rules out
all that is left.
"""

import math

import numpy as np

from bottomup.kernels.jit import helper
from bottomup.kernels.sampling import read, write_keypoint

_U = np.uint64
_ZERO = np.float32(0)
_ONE = np.float32(1)
_HALF = np.float32(0.5)
_SLACK = 1 - 1e-6  # what rounding may hide


@helper
def read_score(values, scores, logits, index):
    """Return the score of one element: what the table says of its level, or of a float itself."""
    if scores is None:
        value = values[_U(index)]
        return np.float32(1 / (1 + math.exp(-np.float64(value)))) if logits else value
    return scores[values[_U(index)]]


@helper
def least_value(score, logits):
    """Return a number that every float element reaches whose score is at least `score`."""
    wanted = np.float64(score) * _SLACK
    if not logits:
        return np.float32(wanted)
    return np.float32(math.log(wanted / (1 - wanted)) - 1e-6) if wanted > 0 else np.float32(-np.inf)


@helper
def may_reach(values, scores, index, score, least):
    """Tell whether an element may have `score`: as a level by its table, as a float by the least that has it."""
    if scores is None:
        return values[_U(index)] >= least
    return scores[values[_U(index)]] >= score


@helper
def weigh(squared, weighting):
    """Return a cell's weight: a Gaussian of its squared distance over `spread`, or one over distance + `spread`."""
    (spread, is_inverse) = weighting
    if is_inverse:
        return _ONE / (np.float32(math.sqrt(np.float64(squared))) + spread)
    return np.float32(math.exp(-np.float64(squared) / np.float64(spread)))


@helper
def guess_of(tensors, width, cell, part):
    """Return the row and column that the centre at `cell` points to for a part."""
    (
        _center, _center_scores, _heatmaps, _part_scores, _logits, regressions, regression_table, _offsets,
        _offset_table, num_parts,
    ) = tensors  # fmt: skip
    index = 2 * (cell * num_parts + part)
    row = cell // width
    return (
        np.float32(row) + read(regressions, regression_table, _ONE, index),
        np.float32(cell - row * width) + read(regressions, regression_table, _ONE, index + 1),
    )


@helper
def place_of(tensors, width, num_cells, cell, part):
    """Return the row and column of a part that is in `cell`; fields may have one offset for all parts."""
    (
        _center, _center_scores, _heatmaps, _part_scores, _logits, _regressions, _regression_table, offsets,
        offset_table, num_parts,
    ) = tensors  # fmt: skip
    index = 2 * cell if offsets.size == 2 * num_cells else 2 * (cell * num_parts + part)
    row = cell // width
    return (
        np.float32(row) + read(offsets, offset_table, _ONE, index),
        np.float32(cell - row * width) + read(offsets, offset_table, _ONE, index + 1),
    )


@helper
def weighted_score(heat, row, column, part, guess, weighting):
    """Return the weighted score of one cell for a person whose guess of the part is `guess`."""
    (values, scores, logits, num_parts, width) = heat
    (guess_row, guess_column) = guess
    down = np.float32(row) - guess_row
    right = np.float32(column) - guess_column
    weight = weigh(down * down + right * right, weighting)
    return read_score(values, scores, logits, (row * width + column) * num_parts + part) * weight


@helper
def find_best_cell(heat, part, guess, window, weighting):
    """Return the cell of the window with the highest weighted score, the first of several, and that score.

    Where nothing in it is above 0, cell 0.
    """
    (values, scores, logits, num_parts, width) = heat
    (guess_row, guess_column) = guess
    (top, left, bottom, right) = window
    best = _ZERO
    best_cell = np.int64(0)
    if not (top < bottom and left < right and math.isfinite(guess_row) and math.isfinite(guess_column)):
        return best_cell, best
    middle_row = int(min(max(guess_row + _HALF, np.float32(top)), np.float32(bottom - 1)))
    middle_column = int(min(max(guess_column + _HALF, np.float32(left)), np.float32(right - 1)))
    least = np.float32(-np.inf)
    last = max(max(middle_row - top, bottom - 1 - middle_row), max(middle_column - left, right - 1 - middle_column))
    for ring in range(last + 1):
        if ring > 1:
            near = np.float32(ring) - _HALF
            if np.float64(weigh(near * near, weighting)) < np.float64(best) * _SLACK:
                break
        for row in range(max(middle_row - ring, top), min(middle_row + ring + 1, bottom)):
            is_whole = row == middle_row - ring or row == middle_row + ring
            first = max(middle_column - ring, left) if is_whole else middle_column - ring
            step = 1 if is_whole else 2 * ring
            for column in range(first, min(middle_column + ring + 1, right), step):
                if column < left:
                    continue
                cell = row * width + column
                if not may_reach(values, scores, cell * num_parts + part, best, least):
                    continue
                score = weighted_score(heat, row, column, part, guess, weighting)
                if score > best or (score == best and score > _ZERO and cell < best_cell):
                    best = score
                    best_cell = cell
                    least = least_value(best, logits)
    return best_cell, best


@helper
def write_part(keypoints, person, part, place, score, grid):
    """Write x, y and score of a part, input pixels; NaN where it is nowhere."""
    (_height, _width, output_stride, shift_x, shift_y) = grid
    (row, column) = place
    write_keypoint(keypoints, person, part, row, column, min(score, _ONE), output_stride, shift_x, shift_y)


@helper
def write_box(boxes_found, person, limits, grid):
    """Write left, top, width and height of a person's box, input pixels."""
    (_height, _width, output_stride, shift_x, shift_y) = grid
    (top, left, bottom, right) = limits
    boxes_found[person, 0] = left * output_stride + shift_x
    boxes_found[person, 1] = top * output_stride + shift_y
    boxes_found[person, 2] = (right - left) * output_stride
    boxes_found[person, 3] = (bottom - top) * output_stride
