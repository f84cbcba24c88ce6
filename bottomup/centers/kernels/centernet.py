"""Loops of CenterNet's pose decoder."""

import math

import numpy as np

from bottomup.centers.kernels.dekr import exceeds, find_tops
from bottomup.centers.kernels.search import guess_of, place_of, read_score, write_box, write_part
from bottomup.kernels.jit import helper, kernel
from bottomup.kernels.sampling import read

_U = np.uint64
_ZERO = np.float32(0)
_ONE = np.float32(1)
_HALF = np.float32(0.5)


@kernel
def decode_centernet(space, tiles, centers, heat, vectors, grid, boxes, rules):
    """Fill keypoints, scores and boxes with the people of CenterNet's decoder, best centre first; return how many."""
    (peaks, _scores, _found, limits, _areas, _order, keypoints, pose_scores, boxes_found) = space
    (center, center_scores) = centers
    (heatmaps, part_scores, _log_scores, logits, num_parts, width) = heat
    (height, _width, _output_stride, _shift_x, _shift_y) = grid
    (most, lowest, lowest_part, reach, tops, top_counts) = rules
    count = find_tops(center, height, width, lowest, 1, most, peaks)
    find_parts(heatmaps, num_parts, height, width, lowest_part, tops, top_counts)
    for person in range(count):
        cell = peaks[person]
        pose_scores[person] = min(read_score(center, center_scores, logits, cell), _ONE)
        box_around(limits, person, cell, width, boxes)
        top, left, bottom, right = limits[person]
        farthest = reach * max(bottom - top, right - left)
        for part in range(num_parts):
            row, column = guess_of(vectors, num_parts, width, cell, part)
            nearest = np.int64(-1)
            nearest_squared = np.float32(np.inf)
            for top_part in range(top_counts[part]):
                place = place_of(vectors, num_parts, width, height * width, tops[part, top_part], part)
                down = place[0] - row
                across = place[1] - column
                squared = down * down + across * across
                if squared < nearest_squared:
                    nearest = tops[part, top_part]
                    nearest_squared = squared
            score = score_at(heat, height, row, column, part)
            if nearest >= 0 and np.float32(math.sqrt(np.float64(nearest_squared))) <= farthest:
                place = place_of(vectors, num_parts, width, height * width, nearest, part)
                if top <= place[0] <= bottom and left <= place[1] <= right:
                    row, column = place
                    score = read_score(heatmaps, part_scores, logits, nearest * num_parts + part)
            write_part(keypoints, person, part, (row, column), score, grid)
        write_box(boxes_found, person, limits[person], grid)
    return count


@helper
def find_parts(heatmaps, num_parts, height, width, lowest, tops, top_counts):
    """Write each part's best peaks of 3 x 3 cells above `lowest`, best first, and their numbers."""
    for part in range(num_parts):
        top_counts[part] = 0
    most = tops.shape[1]
    for row in range(height):
        reached = np.int32(0)
        for index in range(_U(row * width * num_parts), _U((row + 1) * width * num_parts)):
            reached += np.int32(heatmaps[index] > lowest)
        if not reached:
            continue
        for index in range(row * width * num_parts, (row + 1) * width * num_parts):
            value = heatmaps[_U(index)]
            if not value > lowest:
                continue
            cell = index // num_parts
            part = index - cell * num_parts
            count = top_counts[part]
            if count == most and not value > heatmaps[_U(tops[part, count - 1] * num_parts + part)]:
                continue
            if exceeds(heatmaps, num_parts, part, cell, value, height, width, 1):
                continue
            place = count if count < most else count - 1
            while place > 0 and heatmaps[_U(tops[part, place - 1] * num_parts + part)] < value:
                tops[part, place] = tops[part, place - 1]
                place -= 1
            tops[part, place] = cell
            top_counts[part] = min(count + 1, most)


@helper
def box_around(limits, person, cell, width, boxes):
    """Write top, left, bottom and right of a person's box, unclipped."""
    (sizes, size_table, places, place_table) = boxes
    row = cell // width
    tall = read(sizes, size_table, _ONE, 2 * cell) * _HALF
    wide = read(sizes, size_table, _ONE, 2 * cell + 1) * _HALF
    middle_row = np.float32(row) + read(places, place_table, _ONE, 2 * cell)
    middle_column = np.float32(cell - row * width) + read(places, place_table, _ONE, 2 * cell + 1)
    limits[person, 0] = middle_row - tall
    limits[person, 1] = middle_column - wide
    limits[person, 2] = middle_row + tall
    limits[person, 3] = middle_column + wide


@helper
def score_at(heat, height, row, column, part):
    """Return the score of the cell that a place lies in; 0 outside the grid."""
    (heatmaps, part_scores, _log_scores, logits, num_parts, width) = heat
    if not (_ZERO <= row < np.float32(height) and _ZERO <= column < np.float32(width)):
        return _ZERO
    return read_score(heatmaps, part_scores, logits, (np.int64(row) * width + np.int64(column)) * num_parts + part)
