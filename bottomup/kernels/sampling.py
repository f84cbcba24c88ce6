"""Reading fields between cells, and writing what was found.

Fields are flat: channel `channel` of cell (row, column) lies at
(row * width + column) * channels + channel. A *corner* is the number of a
cell, row * width + column.
"""

import math

import numpy as np

from bottomup.kernels.jit import kernel

_ONE = np.float32(1)
_ZERO = np.float32(0)


@kernel
def clamp(value, high):
    """Return `value` inside [0, high]; NaN becomes 0, so that a position is always a place in the grid."""
    if not value > _ZERO:
        return _ZERO
    return value if value < high else high


@kernel
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


@kernel
def sample(values, scale, zero, channels, channel, corners):
    """Return the real number between four cells, bilinear, as float32 arithmetic gives it."""
    top_left, top_right, bottom_left, bottom_right, down, right = corners
    a = (np.float32(values[top_left * channels + channel]) - zero) * scale
    b = (np.float32(values[top_right * channels + channel]) - zero) * scale
    c = (np.float32(values[bottom_left * channels + channel]) - zero) * scale
    d = (np.float32(values[bottom_right * channels + channel]) - zero) * scale
    top = (_ONE - right) * a + right * b
    bottom = (_ONE - right) * c + right * d
    return (_ONE - down) * top + down * bottom


@kernel
def sigmoid(logit):
    """Return the score of a float32 logit."""
    return _ONE / (_ONE + np.exp(-logit))


@kernel
def write_keypoint(keypoints, pose, part, row, column, score, output_stride):
    """Write x, y, score of a part found at (row, column), in input pixels: the kernels' one swap of y, x to x, y."""
    x = np.float32(column * output_stride)
    y = np.float32(row * output_stride)
    if math.isfinite(x) and math.isfinite(y):
        keypoints[pose, part, 0] = x
        keypoints[pose, part, 1] = y
        keypoints[pose, part, 2] = score if score > 0 else 0  # NaN is no score
    else:
        keypoints[pose, part, 0] = np.nan
        keypoints[pose, part, 1] = np.nan
        keypoints[pose, part, 2] = 0
