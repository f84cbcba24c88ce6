"""Loops of our own decoder of centres."""

import math

import numpy as np

from bottomup.centers.kernels.movenet import place_box
from bottomup.centers.kernels.search import (
    find_best_cell,
    forget,
    guess_of,
    inlined_helper,
    insert_peak,
    place_of,
    read_score,
    write_box,
    write_part,
)
from bottomup.kernels.jit import helper, kernel
from bottomup.kernels.sorting import sort_descending

_U = np.uint64
_ZERO = np.float32(0)
_ONE = np.float32(1)
_HALF = np.float32(0.5)
_SMALLEST = np.float32(1e-6)  # squared cells
_FAR = np.float32(16)  # exp(-16) is negligible
_LARGEST_AREA = np.float32(1e30)  # squared cells, so that no spread is infinite
_ALMOST = np.float32(0.999)  # more than sums may be off
_DISTANCES = 1.5  # widths of the window's Gaussian within which cells count


@kernel
def decode_best(space, tiles, centers, heat, vectors, grid, boxes, rules):
    """Fill keypoints, scores and boxes with the people of our own decoder, best first; return how many."""
    (peaks, scores, found, limits, areas, order, keypoints, pose_scores, boxes_found) = space
    (center, center_scores) = centers
    (heatmaps, part_scores, _log_scores, logits, num_parts, width) = heat
    (height, _width, output_stride, _shift_x, _shift_y) = grid
    (
        most, lowest, radius, window_share, vote_radius, lowest_vote, position_error, nms_similarity, area_of_box,
        squared_kappas, even_odds, steepness, has_boxes,
    ) = rules  # fmt: skip
    forget(tiles)
    error = position_error / output_stride
    count = find_peaks(center, height, width, lowest, radius, most, peaks)
    for person in range(count):
        scores[person] = read_score(center, center_scores, logits, peaks[person])
        if has_boxes:
            place_box(limits, person, peaks[person], height, width, boxes)
        area = area_of_guess(vectors, num_parts, height, width, peaks[person], limits[person], has_boxes)
        spread = max(window_share * area, _ONE)
        reach = int(math.sqrt(np.float64(spread)) * _DISTANCES) + 1
        for part in range(num_parts):
            guess = guess_of(vectors, num_parts, width, peaks[person], part)
            window = window_around(guess, reach, height, width)
            cell, weighted = find_best_cell(heat, tiles, part, guess, window, (_ONE / spread, False))
            if weighted > _ZERO:
                row, column = place_of(vectors, num_parts, width, height * width, cell, part)
                if vote_radius > _ZERO and is_inside(row, column, height, width):
                    row, column = vote(heat, vectors, height, part, (row, column), vote_radius, lowest_vote)
                found[person, part, 0] = row
                found[person, part, 1] = column
                found[person, part, 2] = read_score(heatmaps, part_scores, logits, cell * num_parts + part)
            else:
                found[person, part, 0] = np.nan
                found[person, part, 1] = np.nan
                found[person, part, 2] = _ZERO
            found[person, part, 3] = weighted
        areas[person] = area_of(found, person, area_of_box)
        pose_scores[person] = expected_similarity(found, person, scores[person], areas[person], squared_kappas, error)
    sort_descending(pose_scores, count, order)
    kept = np.int64(0)
    for rank in range(count):
        person = order[rank]
        if not pose_scores[person] > _ZERO or is_known(
            found, areas, order, kept, person, squared_kappas, nms_similarity
        ):
            continue
        order[kept] = person
        kept += 1
    for rank in range(kept):
        person = order[rank]
        scores[rank] = calibrate(pose_scores[person], even_odds, steepness)
        for part in range(num_parts):
            place = found[person, part, 0], found[person, part, 1]
            write_part(keypoints, rank, part, place, found[person, part, 2], grid)
        if has_boxes:
            write_box(boxes_found, rank, limits[person], grid)
    for rank in range(kept):
        pose_scores[rank] = scores[rank]
    return kept


@helper
def calibrate(similarity, even_odds, steepness):
    """Return the probability that a pose of this expected similarity is right: OKS to a person above 0.5."""
    odds = np.float64(similarity) / np.float64(even_odds)
    return np.float32(1 / (1 + odds ** -np.float64(steepness)))


@helper
def find_peaks(center, height, width, lowest, radius, most, peaks):
    """Write the `most` best cells that no cell of their window exceeds, best first; return how many there are.

    Of equal cells in one window only the first is a peak; of equal peaks the first comes first.
    """
    count = np.int64(0)
    for row in range(height):
        reached = np.int32(0)
        for cell in range(_U(row * width), _U((row + 1) * width)):  # in this form many cells are compared at once
            reached += np.int32(center[cell] >= lowest)
        if not reached:
            continue
        for cell in range(row * width, (row + 1) * width):
            value = center[_U(cell)]
            if not value >= lowest or (count == most and not value > center[_U(peaks[count - 1])]):
                continue
            if not is_peak(center, cell, value, height, width, radius):
                continue
            count = insert_peak(center, peaks, count, most, cell)
    return count


@inlined_helper
def is_peak(center, cell, value, height, width, radius):
    """Tell whether no cell around this one exceeds it, and no earlier one equals it."""
    row = cell // width
    column = cell - row * width
    for near_row in range(max(row - radius, 0), min(row + radius + 1, height)):
        for near_column in range(max(column - radius, 0), min(column + radius + 1, width)):
            near = near_row * width + near_column
            if center[_U(near)] > value or (near < cell and center[_U(near)] == value):
                return False
    return True


@inlined_helper
def area_of_guess(vectors, num_parts, height, width, cell, limits, has_boxes):
    """Return a person's area, squared cells, at most the grid's: of their box, or of the box around all guesses."""
    if has_boxes:
        return (limits[2] - limits[0]) * (limits[3] - limits[1])
    top = np.float32(height)
    left = np.float32(width)
    bottom = _ZERO
    right = _ZERO
    for part in range(num_parts):
        row, column = guess_of(vectors, num_parts, width, cell, part)
        top = min(top, row) if row > _ZERO else _ZERO
        left = min(left, column) if column > _ZERO else _ZERO
        bottom = max(bottom, min(row, np.float32(height))) if row > _ZERO else bottom
        right = max(right, min(column, np.float32(width))) if column > _ZERO else right
    return max(bottom - top, _ZERO) * max(right - left, _ZERO)


@inlined_helper
def window_around(guess, reach, height, width):
    """Return the cells within `reach` of a guess; none if the guess is far off the grid."""
    (guess_row, guess_column) = guess
    far = np.float32(2 * (height + width) + reach)
    if not (abs(guess_row) < far and abs(guess_column) < far):
        return 0, 0, 0, 0
    row = np.int64(np.floor(np.float64(guess_row) + 0.5))
    column = np.int64(np.floor(np.float64(guess_column) + 0.5))
    top = min(max(row - reach, 0), height)
    left = min(max(column - reach, 0), width)
    return top, left, min(max(row + reach + 1, top), height), min(max(column + reach + 1, left), width)


@inlined_helper
def is_inside(row, column, height, width):
    """Tell whether a place lies in the grid; NaN does not."""
    return _ZERO <= row <= np.float32(height - 1) and _ZERO <= column <= np.float32(width - 1)


@inlined_helper
def vote(heat, vectors, height, part, place, vote_radius, lowest_vote):
    """Return the weighted mean of the nearby places that the surrounding 5 x 5 cells point to.

    This is one step of mean shift. Cells that reach `lowest_vote` count less, the farther away they point.
    """
    (heatmaps, _part_scores, _log_scores, _logits, num_parts, width) = heat
    (row, column) = place
    middle_row = int(row + _HALF)
    middle_column = int(column + _HALF)
    total = _ZERO
    total_row = _ZERO
    total_column = _ZERO
    per_reach = _ONE / (vote_radius * vote_radius)
    for near_row in range(max(middle_row - 2, 0), min(middle_row + 3, height)):
        for near_column in range(max(middle_column - 2, 0), min(middle_column + 3, width)):
            cell = near_row * width + near_column
            if not heatmaps[_U(cell * num_parts + part)] >= lowest_vote:
                continue
            voted_row, voted_column = place_of(vectors, num_parts, width, height * width, cell, part)
            down = voted_row - row
            right = voted_column - column
            closeness = _ONE - (down * down + right * right) * per_reach
            if closeness > _ZERO:
                weight = closeness * closeness
                total += weight
                total_row += weight * voted_row
                total_column += weight * voted_column
    if total > _ZERO:
        return total_row / total, total_column / total
    return row, column


@inlined_helper
def area_of(found, person, area_of_box):
    """Return a person's area, squared cells, from the box around the parts found."""
    top = np.float32(np.inf)
    left = np.float32(np.inf)
    bottom = -np.float32(np.inf)
    right = -np.float32(np.inf)
    for part in range(found.shape[1]):
        row = found[person, part, 0]
        column = found[person, part, 1]
        if math.isfinite(row) and math.isfinite(column):
            top = min(top, row)
            left = min(left, column)
            bottom = max(bottom, row)
            right = max(right, column)
    return min(area_of_box * (bottom - top) * (right - left), _LARGEST_AREA) if bottom > top and right > left else _ZERO


@inlined_helper
def expected_similarity(found, person, center_score, area, squared_kappas, error):
    """Return the root of the centre's score times the expected object keypoint similarity of the parts.

    A part counts by weighted score x A k^2 / (A k^2 + e^2): the mean of exp(-d^2 / (2 A k^2)) when the error d is a
    Gaussian of deviation e, for a person of area A.
    """
    total = _ZERO
    for part in range(found.shape[1]):
        spread = area * squared_kappas[part]
        weighted = found[person, part, 3]
        if weighted > _ZERO and spread > _ZERO:
            total += min(weighted, _ONE) * spread / (spread + error * error)
    mean = total / np.float32(found.shape[1])
    return np.float32(math.sqrt(np.float64(min(center_score, _ONE)))) * mean


@helper
def is_known(found, areas, order, kept, person, squared_kappas, nms_similarity):
    """Tell whether the object keypoint similarity of this person to one of those kept is above the threshold."""
    for rank in range(kept):
        other = order[rank]
        larger = max(areas[person], areas[other])
        total = _ZERO
        common = 0
        for part in range(found.shape[1]):
            down = found[person, part, 0] - found[other, part, 0]
            right = found[person, part, 1] - found[other, part, 1]
            squared = down * down + right * right
            if math.isfinite(squared):
                common += 1
                spread = max(np.float32(2) * larger * squared_kappas[part], _SMALLEST)
                if squared < _FAR * spread:
                    total += np.float32(np.exp(-np.float64(squared) / np.float64(spread)))
            rest = np.float32(found.shape[1] - part - 1)  # even if they coincide in all parts that follow
            if total + rest < _ALMOST * nms_similarity * (np.float32(common) + rest):
                break
        if total > nms_similarity * np.float32(common):
            return True
    return False
