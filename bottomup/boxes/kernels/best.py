"""Loops of the decoder: which rows score high enough, best first, and which of them show somebody new."""

import math

import numpy as np

from bottomup.boxes.kernels.reading import best_class, clip, read_box, row_score, write_parts
from bottomup.kernels.jit import helper, kernel

_ZERO = np.float32(0)


@kernel
def decode_rows(rows, parts, cells, scoring, boxing, parting, is_final, rules, workspace, keypoints, boxes, scores):
    """Fill `keypoints` (P, N, 3), `boxes` (P, 4) and `scores` (P,) with people, best first; returns how many.

    Rows leave a heap one by one. Without votes, no more of them are read than people are asked for.
    """
    (max_poses, score_threshold, lowest, iou_threshold, vote_threshold, last_pixel, shift_x, shift_y) = rules
    (heap_scores, heap_rows, kept, shares, votes, voter) = workspace
    waiting = heap_candidates(rows, scoring, score_threshold, lowest, heap_scores, heap_rows)
    is_voted = vote_threshold < 1 and not is_final
    num_found = np.int64(0)
    while waiting > 0 and (num_found < max_poses or is_voted):
        score = heap_scores[0]
        row = heap_rows[0]
        waiting = drop_first(heap_scores, heap_rows, waiting)
        left, top, right, bottom = read_box(rows, cells, boxing, row)
        width = right - left
        height = bottom - top
        if not (math.isfinite(left) and math.isfinite(top) and math.isfinite(width) and math.isfinite(height)):
            continue
        if not is_final:
            number = best_class(rows, scoring, row)[0]
            box = left, top, right, bottom, (width + last_pixel) * (height + last_pixel), np.float32(number)
            if is_covered(kept, num_found, box, last_pixel, iou_threshold, shares):
                if is_voted:
                    other = first_highest(shares, num_found)
                    if shares[other] > vote_threshold:
                        write_parts(parts, cells, parting, row, score, voter)
                        add_votes(voter, clip(score), votes[other])
                continue
            if num_found == max_poses:
                continue
            for place in range(6):
                kept[place, num_found] = box[place]
        boxes[num_found, 0] = left + shift_x
        boxes[num_found, 1] = top + shift_y
        boxes[num_found, 2] = width
        boxes[num_found, 3] = height
        scores[num_found] = clip(score)
        write_parts(parts, cells, parting, row, score, keypoints[num_found])
        votes[num_found] = 0
        if is_voted:
            add_votes(keypoints[num_found], clip(score), votes[num_found])
        num_found += 1
    for pose in range(num_found):
        for part in range(keypoints.shape[1]):
            if votes[pose, part, 2] > 0:
                keypoints[pose, part, 0] = votes[pose, part, 0] / votes[pose, part, 2]
                keypoints[pose, part, 1] = votes[pose, part, 1] / votes[pose, part, 2]
            keypoints[pose, part, 0] += shift_x
            keypoints[pose, part, 1] += shift_y
    return num_found


@helper
def add_votes(keypoints, score, votes):
    """Add x, y and 1 of a row's parts to the votes (N, 3), each by the row's and the part's score."""
    for part in range(keypoints.shape[0]):
        weight = np.float64(keypoints[part, 2]) * np.float64(score)
        if weight > 0:
            votes[part, 0] += weight * keypoints[part, 0]
            votes[part, 1] += weight * keypoints[part, 1]
            votes[part, 2] += weight


@helper
def is_covered(kept, num_kept, box, last_pixel, iou_threshold, shares):
    """Tell whether a better box of the same class shares more than `iou_threshold` of the union with this one.

    Fills `shares` with what each shares, 0 where classes differ. All are looked at, without a way out, for so eight are
    compared at once.
    """
    (left, top, right, bottom, area, number) = box
    found = False
    for other in range(num_kept):
        width = min(right, kept[2, other]) - max(left, kept[0, other]) + last_pixel
        height = min(bottom, kept[3, other]) - max(top, kept[1, other]) + last_pixel
        common = max(width, _ZERO) * max(height, _ZERO)
        share = common / (area + kept[4, other] - common)
        share = share if kept[5, other] == number else _ZERO
        shares[other] = share
        found |= share > iou_threshold
    return found


@helper
def first_highest(shares, count):
    """Return the place of the highest share, the first of equal ones; NaN is none."""
    best = np.float32(-1)
    found = 0
    for other in range(count):
        if shares[other] > best:
            best = shares[other]
            found = other
    return found


@helper
def heap_candidates(rows, scoring, score_threshold, lowest, heap_scores, heap_rows):
    """Make a heap of the rows that score above the threshold, the best first; return how many.

    No value of a class below `lowest` can score so high.
    """
    (_elements, _reals, num_rows, _row_step, _value_step) = rows
    count = np.int64(0)
    for row in range(num_rows):
        _, value = best_class(rows, scoring, row)
        if value >= lowest:
            score = row_score(rows, scoring, row, value)
            if score > score_threshold:
                heap_scores[count] = score
                heap_rows[count] = row
                count += 1
    for place in range(count // 2 - 1, -1, -1):
        sift_down(heap_scores, heap_rows, count, place, heap_scores[place], heap_rows[place])
    return count


@helper
def drop_first(heap_scores, heap_rows, size):
    """Take the best row out of a heap; return how many are left."""
    size -= 1
    if size > 0:
        sift_down(heap_scores, heap_rows, size, 0, heap_scores[size], heap_rows[size])
    return size


@helper
def sift_down(heap_scores, heap_rows, size, hole, score, row):
    """Move a hole down until `row` may fill it. Higher scores come first, and of equal ones the first row."""
    child = 2 * hole + 1
    while child < size:
        if child + 1 < size and is_before(heap_scores, heap_rows, child + 1, heap_scores[child], heap_rows[child]):
            child += 1
        if not is_before(heap_scores, heap_rows, child, score, row):
            break
        heap_scores[hole] = heap_scores[child]
        heap_rows[hole] = heap_rows[child]
        hole = child
        child = 2 * hole + 1
    heap_scores[hole] = score
    heap_rows[hole] = row


@helper
def is_before(heap_scores, heap_rows, place, score, row):
    """Tell whether the row at a place of a heap comes before another."""
    own = heap_scores[place]
    return own > score or (own == score and heap_rows[place] < row)
