"""Where in its cell a part lies, as OMZ, mmpose and HigherHRNet say."""

import math

import numpy as np

from bottomup.kernels.jit import helper
from bottomup.tags.kernels.filling import find_planes
from bottomup.tags.kernels.grouping import MMPOSE, OMZ
from bottomup.tags.kernels.peaks import score_at

_QUARTER = 0.25
_QUARTER32 = np.float32(0.25)
_HALF32 = np.float32(0.5)
_LEAST = np.float32(1e-3)
_MOST = np.float32(50)
_EPSILON = np.float64(np.finfo(np.float32).eps)


@helper
def place_part(tensors, part, cell, system_rules, delta, searching, blur_scales):
    """Return x and y of a part in cells, moved by a quarter towards the higher neighbour, or by UDP's Newton step."""
    (_heatmaps, _heat_reals, _tags, _tag_reals, _num_parts, _tag_size, height, width, _is_negated) = tensors
    (system, _max_people, _tag_threshold, _min_score, _delta, udp, _fill) = system_rules
    column = cell % width
    row = cell // width
    if udp:
        if blur_scales[part] < 0:
            blur_scales[part] = scale_of_blur(tensors, part, searching)
        return newton_step(tensors, part, row, column, blur_scales[part])
    right = slope(tensors, part, row, min(column + 1, width - 1), row, max(column - 1, 0))
    down = slope(tensors, part, min(row + 1, height - 1), column, max(row - 1, 0), column)
    if system == OMZ:
        if not (1 < column < width - 1 and 1 < row < height - 1):
            right = down = np.float32(0)
    elif system == MMPOSE:
        if not (1 < column < width - 1 and row > 0):
            right = np.float32(0)
        if not (1 < row < height - 1 and column > 0):
            down = np.float32(0)
    else:
        right = np.float32(1) if right > 0 else np.float32(-1)
        down = np.float32(1) if down > 0 else np.float32(-1)
    return column + _QUARTER * sign(right) + delta, row + _QUARTER * sign(down) + delta


@helper
def slope(tensors, part, row, column, other_row, other_column):
    """Return how much higher one cell is than another."""
    (heatmaps, heat_reals, _tags, _tag_reals, _num_parts, _tag_size, height, width, is_negated) = tensors
    base = part * height * width
    one = score_at(heatmaps, heat_reals, is_negated, base + row * width + column)
    other = score_at(heatmaps, heat_reals, is_negated, base + other_row * width + other_column)
    return one - other


@helper
def sign(value):
    """Return 1, 0 or -1; 0 of NaN."""
    if value > 0:
        return 1.0
    return -1.0 if value < 0 else 0.0


@helper
def newton_step(tensors, part, row, column, scale):
    """Return x and y of the top of the paraboloid through the logarithms of the blurred heatmap around a cell."""
    centre = log_of_blurred(tensors, part, row, column, scale)
    right = log_of_blurred(tensors, part, row, column + 1, scale)
    left = log_of_blurred(tensors, part, row, column - 1, scale)
    below = log_of_blurred(tensors, part, row + 1, column, scale)
    above = log_of_blurred(tensors, part, row - 1, column, scale)
    below_right = log_of_blurred(tensors, part, row + 1, column + 1, scale)
    above_left = log_of_blurred(tensors, part, row - 1, column - 1, scale)
    dx = 0.5 * (right - left)
    dy = 0.5 * (below - above)
    dxx = right - 2 * centre + left + _EPSILON
    dyy = below - 2 * centre + above + _EPSILON
    dxy = 0.5 * (below_right - right - below + centre + centre - left - above + above_left)
    determinant = dxx * dyy - dxy * dxy
    x = column - (dyy * dx - dxy * dy) / determinant
    y = row - (dxx * dy - dxy * dx) / determinant
    if math.isfinite(x) and math.isfinite(y):
        return x, y
    return np.float64(column), np.float64(row)


@helper
def log_of_blurred(tensors, part, row, column, scale):
    """Return the logarithm of the blurred heatmap, scaled and within [0.001, 50]; beyond the border, the border's."""
    (_heatmaps, _heat_reals, _tags, _tag_reals, _num_parts, _tag_size, height, width, _is_negated) = tensors
    row = min(max(row, 0), height - 1)
    column = min(max(column, 0), width - 1)
    value = blurred(tensors, part, row, column) * scale
    value = value if value > _LEAST else _LEAST  # NaN is least
    return math.log(np.float64(value if value < _MOST else _MOST))


@helper
def blurred(tensors, part, row, column):
    """Return the mean of a cell and its neighbours with weights 1 2 1 each way, 0 beyond the border."""
    (heatmaps, heat_reals, _tags, _tag_reals, _num_parts, _tag_size, height, width, is_negated) = tensors
    total = np.float32(0)
    for near_row in range(max(row - 1, 0), min(row + 2, height)):
        line = np.float32(0)
        for near_column in range(max(column - 1, 0), min(column + 2, width)):
            index = (part * height + near_row) * width + near_column
            score = score_at(heatmaps, heat_reals, is_negated, index)
            line += score * np.float32(0.5 if near_column == column else 0.25)
        total += line * np.float32(0.5 if near_row == row else 0.25)
    return total


@helper
def scale_of_blur(tensors, part, searching):
    """Return what brings the highest blurred cell of a part back to its highest score; 1 where that is none."""
    (_heatmaps, _heat_reals, _tags, _tag_reals, _num_parts, _tag_size, height, width, _is_negated) = tensors
    (planes, highs, is_known, _block_costs, lines, _blocks_left) = searching
    if not is_known[part]:
        find_planes(tensors, part, searching)
    high = np.float32(-np.inf)
    for block in range(highs.shape[1]):
        high = highs[part, block] if highs[part, block] > high else high
    scores = planes[part, 0]
    high_blurred = np.float32(-np.inf)
    for row in range(height + 1):
        above, middle, below = lines[(row + 1) % 3], lines[(row + 2) % 3], lines[row % 3]
        if row < height:
            blur_line(scores[row * width : (row + 1) * width], below)
        else:
            below[:] = 0
        if row == 0:
            middle[:] = 0
            continue
        if row == 1:
            above[:] = 0
        for column in range(width):
            mean = above[column] * _QUARTER32 + middle[column] * _HALF32 + below[column] * _QUARTER32
            high_blurred = mean if mean > high_blurred else high_blurred
    scale = high / high_blurred
    return scale if scale > 0 else np.float32(1)


@helper
def blur_line(scores, line):
    """Write the means of a row's cells and their neighbours with weights 1 2 1, 0 beyond the border."""
    last = len(scores) - 1
    for column in range(1, last):
        line[column] = scores[column - 1] * _QUARTER32 + scores[column] * _HALF32 + scores[column + 1] * _QUARTER32
    if last == 0:
        line[0] = scores[0] * _HALF32
    else:
        line[0] = scores[0] * _HALF32 + scores[1] * _QUARTER32
        line[last] = scores[last - 1] * _QUARTER32 + scores[last] * _HALF32
