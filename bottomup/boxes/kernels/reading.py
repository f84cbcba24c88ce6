"""Reading one row: its scores, its box, its parts, in input pixels."""

import math

import numpy as np

from bottomup.kernels.jit import helper
from bottomup.kernels.sampling import read

_ONE = np.float32(1)
_HALF = np.float32(0.5)
_CENTRE, _CORNERS, _BINS = 0, 1, 2  # as in form.py; what is none of them is a POINT
_NUM_BINS = 16


@helper
def best_class(rows, scoring, row):
    """Return the class of a row's highest score, the first of equal ones, and that value."""
    (elements, reals, _num_rows, row_step, value_step) = rows
    (first_class, num_classes, _objectness, _is_logits) = scoring
    index = row * row_step + first_class * value_step
    if num_classes == 1:
        return 0, read(elements, reals, _ONE, index)
    best = np.float32(-np.inf)
    found = -1
    for number in range(num_classes):
        value = read(elements, reals, _ONE, index)
        if value > best:
            best = value
            found = number
        index += value_step
    return found, best


@helper
def row_score(rows, scoring, row, value):
    """Return the score of a row whose best class has that value; perhaps times the score of that anything is there.

    That factor is in [0, 1], so no score is above its class's.
    """
    (elements, reals, _num_rows, row_step, value_step) = rows
    (_first_class, _num_classes, objectness, is_logits) = scoring
    score = sigmoid(value) if is_logits else value
    if objectness >= 0:
        factor = read(elements, reals, _ONE, row * row_step + objectness * value_step)
        score *= sigmoid(factor) if is_logits else clip(factor)
    return score


@helper
def read_box(rows, cells, boxing, row):
    """Return left, top, right and bottom of a row's box."""
    (elements, reals, _num_rows, row_step, value_step) = rows
    (priors, prior_step) = cells
    (kind, box_unit_x, box_unit_y) = boxing
    x, y, stride = priors[row * prior_step]
    start = row * row_step
    if kind == _BINS:
        side = _NUM_BINS * value_step
        left = x + (_HALF - expect_distance(elements, reals, start, value_step)) * stride
        top = y + (_HALF - expect_distance(elements, reals, start + side, value_step)) * stride
        right = x + (_HALF + expect_distance(elements, reals, start + 2 * side, value_step)) * stride
        bottom = y + (_HALF + expect_distance(elements, reals, start + 3 * side, value_step)) * stride
        return left, top, right, bottom
    first = read(elements, reals, _ONE, start) * box_unit_x
    second = read(elements, reals, _ONE, start + value_step) * box_unit_y
    third = read(elements, reals, _ONE, start + 2 * value_step)
    fourth = read(elements, reals, _ONE, start + 3 * value_step)
    if kind == _CORNERS:
        return first, second, third * box_unit_x, fourth * box_unit_y
    if kind == _CENTRE:
        half_width = third * box_unit_x * _HALF
        half_height = fourth * box_unit_y * _HALF
    else:
        first = first * stride + x
        second = second * stride + y
        half_width = exp(third) * stride * _HALF
        half_height = exp(fourth) * stride * _HALF
    return first - half_width, second - half_height, first + half_width, second + half_height


@helper
def expect_distance(elements, reals, start, step):
    """Return the mean of the distances 0 to 15 by the softmax of their logits."""
    highest = read(elements, reals, _ONE, start)
    for number in range(1, _NUM_BINS):
        logit = read(elements, reals, _ONE, start + number * step)
        highest = logit if logit > highest else highest
    total = 0.0
    moment = 0.0
    for number in range(_NUM_BINS):
        weight = np.exp(np.float64(read(elements, reals, _ONE, start + number * step)) - np.float64(highest))
        total += weight
        moment += weight * number
    return np.float32(moment / total)


@helper
def write_parts(parts, cells, parting, row, score, keypoints):
    """Write x, y and score of a row's parts; parts without a score have the row's."""
    (elements, reals, row_step, value_step) = parts
    (priors, prior_step) = cells
    (first_part, num_parts, num_values, are_logits, part_unit_x, part_unit_y) = parting
    cell_x, cell_y, stride = priors[row * prior_step]
    index = row * row_step + first_part * value_step
    for part in range(num_parts):
        x = read(elements, reals, _ONE, index) * part_unit_x * stride + cell_x
        y = read(elements, reals, _ONE, index + value_step) * part_unit_y * stride + cell_y
        own = score
        if num_values == 3:
            own = read(elements, reals, _ONE, index + 2 * value_step)
            own = sigmoid(own) if are_logits else own
        index += num_values * value_step
        if math.isfinite(x) and math.isfinite(y):
            keypoints[part, 0] = x
            keypoints[part, 1] = y
            keypoints[part, 2] = clip(own)
        else:
            keypoints[part, 0] = np.nan
            keypoints[part, 1] = np.nan
            keypoints[part, 2] = 0


@helper
def clip(score):
    """Return a score in [0, 1]; NaN is 0."""
    if not score > 0:
        return np.float32(0)
    return score if score < _ONE else _ONE


@helper
def exp(power):
    """Return the exponential of a float32, rounded once: the same to the last bit wherever it is taken."""
    return np.float32(np.exp(np.float64(power)))


@helper
def sigmoid(logit):
    """Return the score of a float32 logit, rounded once."""
    return np.float32(1 / (1 + np.exp(-np.float64(logit))))
