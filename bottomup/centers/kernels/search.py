"""Reading scores, and looking for a part's best cell around where a person's centre points.

A score is an exponential, and a tenth of a microsecond. Most cells need none: one whose heatmap alone cannot beat the
best so far is passed over, and rings of cells around the guess end where the weight alone rules out all that is left.
"""

import math

import numpy as np

from bottomup.kernels.jit import helper
from bottomup.kernels.sampling import read

_U = np.uint64
_ZERO = np.float32(0)
_ONE = np.float32(1)
_SLACK = 1 - 1e-6  # what rounding may hide


@helper
def read_score(values, scores, logits, index):
    """Return the score of one element: what the table says of its level, or of a float itself."""
    if scores is None:
        value = values[_U(index)]
        return np.float32(1 / (1 + math.exp(-np.float64(value)))) if logits else value
    return scores[values[_U(index)]]


@helper
def least_value(score, scores, logits):
    """Return a number that every float element reaches whose score is at least `score`."""
    wanted = np.float64(score) * _SLACK
    if not logits:
        return np.float32(wanted)
    return np.float32(math.log(wanted / (1 - wanted)) - 1e-6) if wanted > 0 else np.float32(-np.inf)


@helper
def reaches(values, scores, index, score, least):
    """Tell whether an element may have `score`: as a level by its table, as a float by the least that has it."""
    if scores is None:
        return values[_U(index)] >= least
    return scores[values[_U(index)]] >= score


@helper
def weigh(squared, spread, inverse):
    """Return a cell's weight: a Gaussian of its squared distance over `spread`, or one over distance + `spread`."""
    if inverse:
        return _ONE / (np.float32(math.sqrt(np.float64(squared))) + spread)
    return np.float32(math.exp(-np.float64(squared) / np.float64(spread)))


@helper
def guess_of(regressions, table, num_parts, cell, width, part):
    """Return the row and column that the centre at `cell` points to for a part."""
    index = 2 * (cell * num_parts + part)
    row = cell // width
    return (
        np.float32(row) + read(regressions, table, _ONE, index),
        np.float32(cell - row * width) + read(regressions, table, _ONE, index + 1),
    )


@helper
def offset_of(offsets, table, num_parts, cell, part, num_cells):
    """Return the vector from a cell to a part in it; fields may have one for all parts."""
    index = 2 * cell if offsets.size == 2 * num_cells else 2 * (cell * num_parts + part)
    return read(offsets, table, _ONE, index), read(offsets, table, _ONE, index + 1)


@helper
def weighted_score(heatmaps, scores, logits, num_parts, width, row, column, part, guess, kind):
    """Return the weighted score of one cell for a person whose guess of the part is (row, column)."""
    spread, inverse = kind
    down = np.float32(row) - guess[0]
    right = np.float32(column) - guess[1]
    weight = weigh(down * down + right * right, spread, inverse)
    return read_score(heatmaps, scores, logits, (row * width + column) * num_parts + part) * weight


@helper
def find_best_cell(heatmaps, scores, logits, num_parts, width, part, guess, window, kind):
    """Return the cell of the window with the highest weighted score, the first of several, and that score.

    A window is first row and column, and the row and column past the last. Where nothing in it is above 0, cell 0.
    """
    top, left, bottom, right = window
    spread, inverse = kind
    best = _ZERO
    best_cell = np.int64(0)
    if not (top < bottom and left < right and math.isfinite(guess[0]) and math.isfinite(guess[1])):
        return best_cell, best
    middle_row = int(min(max(guess[0] + np.float32(0.5), np.float32(top)), np.float32(bottom - 1)))
    middle_column = int(min(max(guess[1] + np.float32(0.5), np.float32(left)), np.float32(right - 1)))
    least = np.float32(-np.inf)
    last = max(max(middle_row - top, bottom - 1 - middle_row), max(middle_column - left, right - 1 - middle_column))
    for ring in range(last + 1):
        if ring > 1:
            near = np.float32(ring) - np.float32(0.5)
            if np.float64(weigh(near * near, spread, inverse)) < np.float64(best) * _SLACK:
                break
        for row in range(max(middle_row - ring, top), min(middle_row + ring + 1, bottom)):
            step = 1 if row == middle_row - ring or row == middle_row + ring else 2 * ring
            first = middle_column - ring
            if step == 1 and first < left:
                first = left
            for column in range(first, min(middle_column + ring + 1, right), max(step, 1)):
                cell = row * width + column
                if column < left or not reaches(heatmaps, scores, cell * num_parts + part, best, least):
                    continue
                score = weighted_score(
                    heatmaps, scores, logits, num_parts, width, row, column, part, guess, kind
                )  # fmt: skip
                if score > best or (score == best and score > _ZERO and cell < best_cell):
                    best = score
                    best_cell = cell
                    least = least_value(best, scores, logits)
    return best_cell, best


@helper
def write_part(keypoints, person, part, row, column, score, cells):
    """Write x, y and score of a part, input pixels; NaN where it is nowhere."""
    stride, shift_row, shift_column = cells
    x = np.float32((column + shift_column) * stride)
    y = np.float32((row + shift_row) * stride)
    is_found = math.isfinite(x) and math.isfinite(y)
    keypoints[person, part, 0] = x if is_found else np.float32(np.nan)
    keypoints[person, part, 1] = y if is_found else np.float32(np.nan)
    keypoints[person, part, 2] = min(score, _ONE) if is_found and score > _ZERO else _ZERO  # NaN is no score


@helper
def write_box(boxes, person, top, left, bottom, right, cells):
    """Write left, top, width and height of a box, input pixels."""
    stride, shift_row, shift_column = cells
    boxes[person, 0] = (left + shift_column) * stride
    boxes[person, 1] = (top + shift_row) * stride
    boxes[person, 2] = (right - left) * stride
    boxes[person, 3] = (bottom - top) * stride
