"""Reading fields between cells, and writing what was found.

Fields are flat: channel `channel` of cell (row, column) lies at
(row * width + column) * channels + channel. A *corner* is the number of a
cell, row * width + column. Quantised elements come with a table of the real
numbers of their 256 levels, floats with None.
"""

import math

import numpy as np

from bottomup.kernels.jit import helper

_ONE = np.float32(1)
_ZERO = np.float32(0)
_U = np.uint64  # unsigned indices cannot count from the end, so numba does not check for it


@helper
def clamp(value, high):
    """Return `value` inside [0, high]; NaN becomes 0, so that a position is always a place in the grid."""
    if not value > _ZERO:
        return _ZERO
    return value if value < high else high


@helper
def find_corners(row, column, width):
    """Return the four cells around a place inside the grid, and how far it lies from the first, down and right."""
    top = int(row)
    left = int(column)
    down = row - np.float32(top)
    right = column - np.float32(left)
    bottom_step = width if down > _ZERO else 0
    right_step = 1 if right > _ZERO else 0
    corner = top * width + left
    return corner, corner + right_step, corner + bottom_step, corner + bottom_step + right_step, down, right


@helper
def read(values, table, unit, index):
    """Return the real number of one element: its level's in the table, or without a table, the element times `unit`."""
    if table is None:
        return values[_U(index)] * unit
    return table[values[_U(index)]]


@helper
def sample(values, table, unit, channels, channel, corners):
    """Return the real number between four cells, bilinear, as float32 arithmetic gives it."""
    top_left, top_right, bottom_left, bottom_right, down, right = corners
    a = read(values, table, unit, top_left * channels + channel)
    b = read(values, table, unit, top_right * channels + channel)
    c = read(values, table, unit, bottom_left * channels + channel)
    d = read(values, table, unit, bottom_right * channels + channel)
    top = (_ONE - right) * a + right * b
    bottom = (_ONE - right) * c + right * d
    return (_ONE - down) * top + down * bottom


@helper
def sigmoid(logit):
    """Return the score of a float32 logit."""
    return _ONE / (_ONE + np.exp(-logit))


@helper
def write_keypoint(keypoints, pose, part, row, column, score, output_stride, shift_x, shift_y):
    """Write x, y, score of a part found at (row, column), in input pixels: the kernels' one swap of y, x to x, y."""
    x = np.float32(column * output_stride + shift_x)
    y = np.float32(row * output_stride + shift_y)
    if math.isfinite(x) and math.isfinite(y):
        keypoints[pose, part, 0] = x
        keypoints[pose, part, 1] = y
        keypoints[pose, part, 2] = min(score, 1) if score > 0 else 0  # NaN is no score
    else:
        keypoints[pose, part, 0] = np.nan
        keypoints[pose, part, 1] = np.nan
        keypoints[pose, part, 2] = 0
