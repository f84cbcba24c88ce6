"""Heatmap peaks, the best of each part, and what a cell's score and tag are."""

import numpy as np

from bottomup.kernels.jit import helper

_U = np.uint64


@helper
def score_at(heatmaps, heat_reals, is_negated, index):
    """Return the score of one element, float32."""
    if heat_reals is None:
        value = heatmaps[_U(index)]
        return np.float32(abs(value)) if is_negated else value
    return heat_reals[heatmaps[_U(index)]]


@helper
def tag_at(tags, tag_reals, index):
    """Return one number of a tag, float32."""
    if tag_reals is None:
        return tags[_U(index)]
    return tag_reals[tags[_U(index)]]


@helper
def find_candidates(tensors, lowest, radius, first_of_plateau, candidates):
    """Keep the highest peaks of each part, best first; of equal ones the first in the grid.

    A peak's element is above `lowest`, and no cell of the window of `radius` around it exceeds it. Where the network
    marks peaks by their sign, its marks count. With `first_of_plateau`, of neighbours that are equal the first alone
    is a peak.
    """
    (heatmaps, heat_reals, _tags, _tag_reals, num_parts, _tag_size, height, width, is_negated) = tensors
    (cells, scores, counts) = candidates
    most = cells.shape[1]
    for part in range(num_parts):
        count = np.int64(0)
        for row in range(height):
            start = (part * height + row) * width
            reached = np.int32(0)
            for index in range(_U(start), _U(start + width)):  # in this form many elements are compared at once
                reached += np.int32(heatmaps[index] > lowest)
            if not reached:
                continue
            for column in range(width):
                value = heatmaps[_U(start + column)]
                if not value > lowest:
                    continue
                score = score_at(heatmaps, heat_reals, is_negated, start + column)
                if count == most and not score > scores[part, most - 1]:
                    continue
                if is_negated or is_highest(
                    heatmaps, start, value, row, column, height, width, radius, first_of_plateau
                ):
                    place = min(count, most - 1)
                    while place > 0 and scores[part, place - 1] < score:
                        cells[part, place] = cells[part, place - 1]
                        scores[part, place] = scores[part, place - 1]
                        place -= 1
                    cells[part, place] = row * width + column
                    scores[part, place] = score
                    count = min(count + 1, most)
        counts[part] = count


@helper
def is_highest(heatmaps, start, value, row, column, height, width, radius, first_of_plateau):
    """Tell whether no cell of the window around (row, column), whose row begins at `start`, exceeds `value`."""
    here = start + column
    if radius > 0:  # most cells are on a slope, and one of these two is higher
        if column > 0 and heatmaps[_U(here - 1)] > value:
            return False
        if column < width - 1 and heatmaps[_U(here + 1)] > value:
            return False
    for near_row in range(max(row - radius, 0), min(row + radius + 1, height)):
        line = start + (near_row - row) * width
        for near_column in range(max(column - radius, 0), min(column + radius + 1, width)):
            near = heatmaps[_U(line + near_column)]
            if near > value:
                return False
            is_earlier = near_row < row or (near_row == row and near_column < column)
            if first_of_plateau and is_earlier and near == value:
                return False
    return True
