"""Loops of MoveNet's own decoder of several people."""

import numpy as np

from bottomup.centers.kernels.search import (
    find_best_cell,
    forget,
    guess_of,
    place_of,
    read_score,
    weighted_score,
    write_box,
    write_part,
)
from bottomup.kernels.jit import helper, kernel
from bottomup.kernels.sampling import read

_U = np.uint64
_ZERO = np.float32(0)
_ONE = np.float32(1)
_HALF = np.float32(0.5)
_TIE = np.float32(1.0132789611816406e-06)  # 1e-6 as float16 holds it
_SPREAD = np.float32(0.300048828125)  # 0.3
_LEAST_PART = np.float32(0.126953125)  # 0.127


@kernel
def decode_movenet(space, tiles, centers, heat, vectors, grid, boxes, most):
    """Fill keypoints, scores and boxes with the people of the graph's decoder, in its order; return how many."""
    (peaks, scores, found, limits, _areas, _order, keypoints, pose_scores, boxes_found) = space
    (center, center_scores) = centers
    (_heatmaps, _part_scores, _log_scores, logits, num_parts, width) = heat
    (height, _width, _output_stride, _shift_x, _shift_y) = grid
    forget(tiles)
    count = find_centers(center, center_scores, logits, height, width, most, peaks, scores)
    everyone = add_nobodies(height * width, count, most, peaks, scores)
    weighting = _ONE / (_SPREAD * np.float32(min(height, width))), False
    for person in range(everyone):
        place_box(limits, person, peaks[person], height, width, boxes)
        window = window_of(limits, person, height, width)
        for part in range(num_parts):
            guess = guess_of(vectors, num_parts, width, peaks[person], part)
            cell, _ = find_best_cell(heat, tiles, part, guess, window, weighting)
            found[person, part, 0] = cell // width
            found[person, part, 1] = cell % width
    for person in range(count):
        total = _ZERO
        number = 0
        for part in range(num_parts):
            row = np.int64(found[person, part, 0])
            column = np.int64(found[person, part, 1])
            score = _ZERO
            for other in range(everyone):  # the person who wants this cell most decides the score
                top, left, bottom, right = window_of(limits, other, height, width)
                if top <= row < bottom and left <= column < right:
                    guess = guess_of(vectors, num_parts, width, peaks[other], part)
                    wanted = weighted_score(heat, row, column, part, guess, weighting)
                    if wanted > score:
                        score = wanted
            place = place_of(vectors, num_parts, width, height * width, row * width + column, part)
            write_part(keypoints, person, part, place, score, grid)
            if score > _LEAST_PART:
                total += score
                number += 1
        pose_scores[person] = min(min(scores[person], _ONE) * (total / np.float32(max(number, 1))), _ONE)
        write_box(boxes_found, person, limits[person], grid)
    return count


@helper
def find_centers(center, center_scores, logits, height, width, most, peaks, scores):
    """Write the `most` best peaks of centres, best first, the first of equals first; return how many there are.

    A peak is within a hair of the highest score of the 5 x 5 cells around it.
    """
    count = np.int64(0)
    worst = _ZERO
    for cell in range(height * width):
        if count == most and not center[_U(cell)] > center[_U(peaks[count - 1])]:
            continue
        score = read_score(center, center_scores, logits, cell)
        if not score > _ZERO or (count == most and not score > worst):
            continue
        if not is_center(center, center_scores, logits, cell, score, height, width):
            continue
        place = count if count < most else count - 1
        while place > 0 and scores[place - 1] < score:
            peaks[place] = peaks[place - 1]
            scores[place] = scores[place - 1]
            place -= 1
        peaks[place] = cell
        scores[place] = score
        count = min(count + 1, most)
        worst = scores[count - 1]
    return count


@helper
def is_center(center, center_scores, logits, cell, score, height, width):
    """Tell whether no cell of the 5 x 5 around a cell scores more than a hair above it."""
    row = cell // width
    column = cell - row * width
    for near_row in range(max(row - 2, 0), min(row + 3, height)):
        for near_column in range(max(column - 2, 0), min(column + 3, width)):
            near = near_row * width + near_column
            is_higher = center[_U(near)] > center[_U(cell)]
            if is_higher and not read_score(center, center_scores, logits, near) - score < _TIE:
                return False
    return True


@helper
def add_nobodies(num_cells, count, most, peaks, scores):
    """Fill up to `most` with the first cells that are not peaks, as the graph does: they compete for parts."""
    everyone = count
    cell = 0
    while everyone < most and cell < num_cells:
        is_taken = False
        for person in range(count):
            is_taken |= peaks[person] == cell
        if not is_taken:
            peaks[everyone] = cell
            scores[everyone] = _ZERO
            everyone += 1
        cell += 1
    return everyone


@helper
def place_box(limits, person, cell, height, width, boxes):
    """Write top, left, bottom and right of a person's box, inside the grid."""
    (sizes, size_table, places, place_table) = boxes
    row = cell // width
    tall = read(sizes, size_table, _ONE, 2 * cell)
    tall = tall if tall > _ZERO else _ZERO  # NaN too
    wide = read(sizes, size_table, _ONE, 2 * cell + 1)
    wide = wide if wide > _ZERO else _ZERO
    middle_row = np.float32(row) + read(places, place_table, _ONE, 2 * cell)
    middle_column = np.float32(cell - row * width) + read(places, place_table, _ONE, 2 * cell + 1)
    limits[person, 0] = clip(middle_row - tall * _HALF, height)
    limits[person, 1] = clip(middle_column - wide * _HALF, width)
    limits[person, 2] = clip(middle_row + tall * _HALF, height)
    limits[person, 3] = clip(middle_column + wide * _HALF, width)


@helper
def clip(place, size):
    """Return a place inside [0, size]; NaN becomes 0."""
    if not place > _ZERO:
        return _ZERO
    return min(place, np.float32(size))


@helper
def window_of(limits, person, height, width):
    """Return the cells inside a person's box: first row and column, and those past the last."""
    return (
        int(np.ceil(limits[person, 0])),
        int(np.ceil(limits[person, 1])),
        min(int(np.ceil(limits[person, 2])), height),
        min(int(np.ceil(limits[person, 3])), width),
    )
