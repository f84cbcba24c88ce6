"""Loops of MoveNet's own decoder of one person."""

import numpy as np

from bottomup.centers.kernels.search import find_best_cell, guess_of, place_of, read_score, write_part
from bottomup.kernels.jit import kernel

_ZERO = np.float32(0)
_ONE = np.float32(1)
_NEAR = np.float32(1.8)
_LEAST_PART = np.float32(0.2)


@kernel
def decode_movenet_single(space, tensors, grid):
    """Fill keypoints and scores with the person nearest to the middle of the image; return 1."""
    (_peaks, _scores, _found, _limits, _areas, _order, keypoints, pose_scores, _boxes_found) = space
    (
        center, center_scores, heatmaps, part_scores, logits, _regressions, _regression_table, _offsets, _offset_table,
        num_parts,
    ) = tensors  # fmt: skip
    (height, width, _output_stride, _shift_x, _shift_y) = grid
    heat = heatmaps, part_scores, logits, num_parts, width
    middle = np.float32(height) / np.float32(2), np.float32(width) / np.float32(2)
    window = 0, 0, height, width
    weighting = _NEAR, True
    person, _ = find_best_cell((center, center_scores, logits, 1, width), 0, middle, window, weighting)
    total = _ZERO
    number = 0
    for part in range(num_parts):
        guess = guess_of(tensors, width, person, part)
        cell, _ = find_best_cell(heat, part, guess, window, weighting)
        score = read_score(heatmaps, part_scores, logits, cell * num_parts + part)
        write_part(keypoints, 0, part, place_of(tensors, width, height * width, cell, part), score, grid)
        if score > _LEAST_PART:
            total += min(score, _ONE)
            number += 1
    pose_scores[0] = total / np.float32(max(number, 1))
    return 1
