"""Loops of MoveNet's own decoder of one person."""

import numpy as np

from bottomup.centers.kernels.search import find_best_cell, guess_of, offset_of, read_score, write_part
from bottomup.kernels.jit import kernel

_ZERO = np.float32(0)
_ONE = np.float32(1)
_NEAR = np.float32(1.8)
_LEAST_PART = np.float32(0.2)


@kernel
def decode_movenet_single(space, tensors, grid, most):
    """Fill keypoints and scores with the person nearest to the middle of the image; return 1."""
    peaks, scores, found, limits, order, keypoints, pose_scores, out_boxes = space
    (
        center, center_scores, heatmaps, part_scores, logits, regressions, regression_table, offsets, offset_table,
        num_parts,
    ) = tensors  # fmt: skip
    height, width, output_stride, shift_row, shift_column = grid
    middle = np.float32(height) / np.float32(2), np.float32(width) / np.float32(2)
    window = 0, 0, height, width
    kind = _NEAR, True
    person, _ = find_best_cell(center, center_scores, logits, 1, width, 0, middle, window, kind)
    total = _ZERO
    number = 0
    for part in range(num_parts):
        guess = guess_of(regressions, regression_table, num_parts, person, width, part)
        cell, _ = find_best_cell(heatmaps, part_scores, logits, num_parts, width, part, guess, window, kind)
        score = read_score(heatmaps, part_scores, logits, cell * num_parts + part)
        down, right = offset_of(offsets, offset_table, num_parts, cell, part, height * width)
        row = cell // width
        write_part(
            keypoints, 0, part, np.float32(row) + down, np.float32(cell - row * width) + right, score,
            (output_stride, shift_row, shift_column),
        )  # fmt: skip
        if score > _LEAST_PART:
            total += min(score, _ONE)
            number += 1
    pose_scores[0] = total / np.float32(max(number, 1))
    return 1
