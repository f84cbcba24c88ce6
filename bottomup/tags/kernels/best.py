"""Loops of our own tag decoder."""

import math

import numpy as np

from bottomup.kernels.jit import helper, kernel
from bottomup.tags.kernels.assignment import assign
from bottomup.tags.kernels.peaks import find_candidates, score_at, tag_at

_U = np.uint64
_MOST_SCORE = 1e6  # a score that is infinite has no mean
_LEAST_GAIN = 1e-6  # what a pair of close tags is worth that is far apart
_LEAST_LOG = np.float32(1e-3)
_CELLS_A_TAG = 8  # so many cells are looked at in the time that it takes to compare a tag


@kernel
def decode_best(tensors, candidates, crowd, matching, standings, seeking, order, rules, falloffs, lowest, frame, found):
    """Fill `found` with the people of our own decoder, best first; return how many.

    `order` is that in which parts are grouped, `lowest` what the elements of peaks are above, `falloffs` what distances
    of each part are compared with, per area of the box around a person.
    """
    (_heatmaps, _heat_reals, _tags, _tag_reals, num_parts, _tag_size, height, width, _is_negated) = tensors
    (members, _tag_sums, weights, sizes) = crowd
    (evidence, ranks, boxes, person_tag) = standings
    (radius, _tag_threshold, _nearness, fill, _fill_threshold, _fill_window, _min_fill_window, min_parts, half_size,
     half_score, slope, max_overlap, filling_passes, filling_cells) = rules  # fmt: skip
    (_bright, _starts, is_known) = seeking
    (keypoints, scores, filled) = found
    find_candidates(tensors, lowest, radius, True, candidates)
    num_people = group_best(tensors, candidates, crowd, matching, order, rules)
    num_kept = np.int64(0)
    for person in range(num_people):
        if sizes[person] < min_parts:
            continue
        find_box(candidates, members[person], num_parts, width, boxes[person])
        extent = max(boxes[person, 2] - boxes[person, 0], boxes[person, 3] - boxes[person, 1])
        shrinking = extent / (extent + half_size) if extent + half_size > 0 else 1.0
        evidence[person] = weights[person] / math.sqrt(sizes[person]) * shrinking
        place = num_kept
        while place > 0 and evidence[ranks[place - 1]] < evidence[person]:
            ranks[place] = ranks[place - 1]
            place -= 1
        ranks[place] = person
        num_kept += 1
    is_known[:] = False
    cells_left = (filling_passes * num_parts * height * width + filling_cells) // (1 + (height * width >> 17))
    num_found = np.int64(0)
    for rank in range(num_kept):
        person = ranks[rank]
        write_found(tensors, candidates, members[person], keypoints[num_found], filled[num_found])
        if fill:
            cells_left = fill_parts(
                tensors, crowd, person, boxes[person], rules, cells_left, seeking, keypoints[num_found],
                filled[num_found], person_tag,
            )  # fmt: skip
        if max_overlap < 1 and is_fragment(keypoints, filled, num_found, falloffs, max_overlap):
            continue
        scores[num_found] = 1.0 / (1.0 + math.exp(slope * (half_score - evidence[person])))
        num_found += 1
    for person in range(num_found):
        to_pixels(keypoints[person], frame)
    return num_found


@helper
def group_best(tensors, candidates, crowd, matching, order, rules):
    """Fill `crowd` with the candidates of all parts, in this order of parts; return how many people there are.

    Each part's candidates and the people so far are paired so that the gain is greatest: a pair whose tags are less
    than `tag_threshold` apart gains the candidate's score, less the further apart tags and places are; none gains
    nothing, and its candidate opens a new person as long as there is room.
    """
    (_heatmaps, _heat_reals, tags, tag_reals, num_parts, tag_size, height, width, _is_negated) = tensors
    (cells, scores, counts) = candidates
    (members, tag_sums, weights, sizes) = crowd
    (costs, chosen, solver) = matching
    (_radius, tag_threshold, nearness, _fill, _fill_threshold, _fill_window, _min_fill_window, _min_parts, _half_size,
     _half_score, _slope, _max_overlap, _filling_passes, _filling_cells) = rules  # fmt: skip
    per_cell = nearness / math.sqrt(float(height * height + width * width))
    num_people = np.int64(0)
    for part in order:
        num_candidates = counts[part]
        for candidate in range(num_candidates):
            cell = cells[part, candidate]
            score = min(np.float64(scores[part, candidate]), _MOST_SCORE)
            for person in range(num_people):
                total = 0.0
                for number in range(tag_size):
                    tag = tag_at(tags, tag_reals, (number * num_parts + part) * height * width + cell)
                    apart = np.float64(tag) - tag_sums[person, number] / weights[person]
                    total += apart * apart
                distance = math.sqrt(total) / tag_threshold
                cost = 0.0
                if distance < 1:
                    distance += per_cell * distance_to_person(candidates, members[person], num_parts, width, cell)
                    cost = -score * max(1.0 - distance * distance, _LEAST_GAIN)
                costs[candidate, person] = cost
            for person in range(num_people, num_people + num_candidates):
                costs[candidate, person] = 0.0
        assign(costs, num_candidates, num_people + num_candidates, chosen, solver)
        first_new = num_people
        for candidate in range(num_candidates):
            person = chosen[candidate]
            if not (person < first_new and costs[candidate, person] < 0):
                if num_people == len(sizes):
                    continue
                person = num_people
                num_people += 1
                members[person] = -1
                tag_sums[person] = 0
                weights[person] = 0
                sizes[person] = 0
            score = min(np.float64(scores[part, candidate]), _MOST_SCORE)
            for number in range(tag_size):
                index = (number * num_parts + part) * height * width + cells[part, candidate]
                tag_sums[person, number] += score * np.float64(tag_at(tags, tag_reals, index))
            members[person, part] = candidate
            weights[person] += score
            sizes[person] += 1
    return num_people


@helper
def distance_to_person(candidates, members, num_parts, width, cell):
    """Return how far a cell is from the nearest part of a person, in cells."""
    (cells, _scores, _counts) = candidates
    row = cell // width
    column = cell % width
    nearest = np.int64(2) ** 60
    for part in range(num_parts):
        if members[part] >= 0:
            other = cells[part, members[part]]
            down = other // width - row
            right = other % width - column
            nearest = min(nearest, down * down + right * right)
    return math.sqrt(nearest)


@helper
def find_box(candidates, members, num_parts, width, box):
    """Write the least row and column of a person's parts, and the greatest."""
    (cells, _scores, _counts) = candidates
    box[0] = box[1] = 2**40
    box[2] = box[3] = -1
    for part in range(num_parts):
        if members[part] >= 0:
            cell = cells[part, members[part]]
            box[0] = min(box[0], cell // width)
            box[1] = min(box[1], cell % width)
            box[2] = max(box[2], cell // width)
            box[3] = max(box[3], cell % width)


@helper
def write_found(tensors, candidates, members, keypoints, filled):
    """Write x and y in cells and the score of each part of a person, nan of those not found."""
    (_heatmaps, _heat_reals, _tags, _tag_reals, num_parts, _tag_size, _height, _width, _is_negated) = tensors
    (cells, scores, _counts) = candidates
    for part in range(num_parts):
        filled[part] = False
        keypoints[part, 0] = np.nan
        keypoints[part, 1] = np.nan
        keypoints[part, 2] = 0
        if members[part] >= 0:
            write_part(tensors, part, cells[part, members[part]], scores[part, members[part]], keypoints)


@helper
def write_part(tensors, part, cell, score, keypoints):
    """Write a part at the top of the parabolas through its cell's neighbours."""
    (_heatmaps, _heat_reals, _tags, _tag_reals, _num_parts, _tag_size, height, width, _is_negated) = tensors
    row = cell // width
    column = cell % width
    left = column - 1 if column > 0 else column
    right = column + 1 if column < width - 1 else column
    above = row - 1 if row > 0 else row
    below = row + 1 if row < height - 1 else row
    keypoints[part, 0] = column + top_between(tensors, part, row * width + left, cell, row * width + right)
    keypoints[part, 1] = row + top_between(tensors, part, above * width + column, cell, below * width + column)
    keypoints[part, 2] = min(score, np.float32(1))


@helper
def top_between(tensors, part, before, cell, behind):
    """Return where the parabola through the logarithms of three cells' scores is highest, within half a cell."""
    (heatmaps, heat_reals, _tags, _tag_reals, _num_parts, _tag_size, height, width, is_negated) = tensors
    base = part * height * width
    low = log_of(score_at(heatmaps, heat_reals, is_negated, base + before))
    middle = log_of(score_at(heatmaps, heat_reals, is_negated, base + cell))
    high = log_of(score_at(heatmaps, heat_reals, is_negated, base + behind))
    curvature = low - 2 * middle + high
    if not curvature < 0:
        return 0.0
    top = 0.5 * (low - high) / curvature
    if not math.isfinite(top):
        return 0.0
    return min(max(top, -0.5), 0.5)


@helper
def log_of(score):
    """Return the logarithm of a score, as of 0.001 where it is less or no number."""
    return math.log(np.float64(score if score > _LEAST_LOG else _LEAST_LOG))


@helper
def fill_parts(tensors, crowd, person, box, rules, cells_left, seeking, keypoints, filled, person_tag):
    """Put each missing part where the score, less the further its tag is from the person's, is highest near them.

    Returns how many cells may still be looked at: less than 0 ends all filling.
    """
    (heatmaps, heat_reals, tags, tag_reals, num_parts, tag_size, height, width, is_negated) = tensors
    (members, tag_sums, weights, _sizes) = crowd
    (bright, starts, is_known) = seeking
    (_radius, tag_threshold, _nearness, _fill, fill_threshold, fill_window, min_fill_window, _min_parts, _half_size,
     _half_score, _slope, _max_overlap, _filling_passes, _filling_cells) = rules  # fmt: skip
    reach = max(fill_window * max(box[2] - box[0], box[3] - box[1]), min_fill_window)
    first_row = np.int64(max(box[0] - reach, 0.0))
    first_column = np.int64(max(box[1] - reach, 0.0))
    end_row = np.int64(min(box[2] + reach, height - 1.0)) + 1
    end_column = np.int64(min(box[3] + reach, width - 1.0)) + 1
    for number in range(tag_size):
        person_tag[number] = tag_sums[person, number] / weights[person]
    for part in range(num_parts):
        if members[person, part] >= 0:
            continue
        if not is_known[part]:
            find_bright(tensors, part, fill_threshold, bright[part], starts[part])
            is_known[part] = True
        cells_left -= starts[part, end_row] - starts[part, first_row]
        if cells_left < 0:
            return cells_left
        best = fill_threshold
        found = np.int64(-1)
        compared = np.int64(0)
        for row in range(first_row, end_row):
            start = (part * height + row) * width
            for place in range(starts[part, row], starts[part, row + 1]):
                column = np.int64(bright[part, place])
                if column < first_column or column >= end_column:
                    continue
                score = np.float64(score_at(heatmaps, heat_reals, is_negated, start + column))
                if score > best:
                    compared += 1
                    total = 0.0
                    for number in range(tag_size):
                        index = number * num_parts * height * width + start + column
                        apart = np.float64(tag_at(tags, tag_reals, index)) - person_tag[number]
                        total += apart * apart
                    worth = min(score, _MOST_SCORE) * (1.0 - total / (tag_threshold * tag_threshold))
                    if worth > best:
                        best = worth
                        found = row * width + column
        cells_left -= _CELLS_A_TAG * compared
        if found >= 0:
            write_part(tensors, part, found, np.float32(best), keypoints)
            filled[part] = True
    return cells_left


@helper
def find_bright(tensors, part, threshold, bright, starts):
    """Write the columns of a part's cells above `threshold`, row after row, and where each row's begin."""
    (heatmaps, heat_reals, _tags, _tag_reals, _num_parts, _tag_size, height, width, is_negated) = tensors
    count = np.int64(0)
    for row in range(height):
        starts[row] = count
        for column in range(width):
            bright[count] = column
            index = (part * height + row) * width + column
            count += np.int64(score_at(heatmaps, heat_reals, is_negated, index) > threshold)
    starts[height] = count


@helper
def is_fragment(keypoints, filled, number, falloffs, max_overlap):
    """Tell whether the parts found of one person are on average too near those of a better one."""
    num_parts = len(falloffs)
    for better in range(number):
        left = top = np.inf
        right = bottom = -np.inf
        for part in range(num_parts):
            x, y, _score = keypoints[better, part]
            if not math.isnan(x):
                left = min(left, np.float64(x))
                right = max(right, np.float64(x))
                top = min(top, np.float64(y))
                bottom = max(bottom, np.float64(y))
        area = (right - left) * (bottom - top)
        total = 0.0
        count = 0
        for part in range(num_parts):
            if filled[number, part] or math.isnan(keypoints[number, part, 0]):
                continue
            count += 1
            across = np.float64(keypoints[number, part, 0]) - np.float64(keypoints[better, part, 0])
            down = np.float64(keypoints[number, part, 1]) - np.float64(keypoints[better, part, 1])
            squared = across * across + down * down
            if area > 0 and squared >= 0:
                total += math.exp(-squared / (area * falloffs[part]))
        if total > max_overlap * count:
            return True
    return False


@helper
def to_pixels(keypoints, frame):
    """Turn x and y in cells into input pixels."""
    (scale_x, scale_y, shift_x, shift_y) = frame
    for part in range(len(keypoints)):
        keypoints[part, 0] = np.float32(np.float64(keypoints[part, 0]) * scale_x + shift_x)
        keypoints[part, 1] = np.float32(np.float64(keypoints[part, 1]) * scale_y + shift_y)
