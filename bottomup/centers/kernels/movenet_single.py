"""Loops of MoveNet's own decoder of one person."""

import numpy as np

from bottomup.centers.kernels.search import (
    find_best_cell,
    forget,
    guess_of,
    place_of,
    read_score,
    weigh,
    write_part,
)
from bottomup.kernels.jit import helper, kernel

_ZERO = np.float32(0)
_ONE = np.float32(1)
_NEAR = np.float32(1.8)
_LEAST_PART = np.float32(0.2)


@kernel
def decode_movenet_single(space, tiles, centers, heat, vectors, grid):
    """Fill keypoints and scores with the person nearest to the middle of the image; return 1."""
    (_peaks, _scores, _found, _limits, _areas, _order, keypoints, pose_scores, _boxes_found) = space
    (center, center_scores) = centers
    (heatmaps, part_scores, _log_scores, logits, num_parts, width) = heat
    (height, _width, _output_stride, _shift_x, _shift_y) = grid
    window = 0, 0, height, width
    weighting = _NEAR, True
    forget(tiles)
    person = find_middle(center, center_scores, logits, height, width, weighting)
    total = _ZERO
    number = 0
    for part in range(num_parts):
        guess = guess_of(vectors, num_parts, width, person, part)
        cell, _ = find_best_cell(heat, tiles, part, guess, window, weighting)
        score = read_score(heatmaps, part_scores, logits, cell * num_parts + part)
        write_part(keypoints, 0, part, place_of(vectors, num_parts, width, height * width, cell, part), score, grid)
        if score > _LEAST_PART:
            total += min(score, _ONE)
            number += 1
    pose_scores[0] = total / np.float32(max(number, 1))
    return 1


@helper
def find_middle(center, center_scores, logits, height, width, weighting):
    """Return the cell whose score, weighted by nearness to the middle of the grid, is highest; 0 if none is above 0.

    Weights are at most 1, so a cell that scores less than the best weighted score so far needs none.
    """
    middle_row = np.float32(height) / np.float32(2)
    middle_column = np.float32(width) / np.float32(2)
    best = _ZERO
    best_cell = np.int64(0)
    for cell in range(height * width):
        score = read_score(center, center_scores, logits, cell)
        if score > best:
            down = np.float32(cell // width) - middle_row
            right = np.float32(cell % width) - middle_column
            score *= weigh(down * down + right * right, weighting)
            if score > best:
                best = score
                best_cell = cell
    return best_cell
