"""Loops of the decoder: which rows score high enough, best first, and which of them show somebody new."""

import math

import numpy as np

from bottomup.boxes.kernels.reading import best_class, clip, read_box, row_score, write_parts
from bottomup.kernels.jit import helper, kernel

_ZERO = np.float32(0)


@kernel
def decode_rows(
    rows, parts, cells, scoring, boxing, parting, is_final, rules, workspace, keypoints, boxes, scores
):  # fmt: skip
    """Fill `keypoints` (P, N, 3), `boxes` (P, 4) and `scores` (P,) with people, best first; returns how many.

    Rows leave a heap one by one, so that no more of them are read than people are asked for.
    """
    (max_poses, score_threshold, lowest, iou_threshold, last_pixel, shift_x, shift_y) = rules
    (heap_scores, heap_rows, kept) = workspace
    waiting = heap_candidates(rows, scoring, score_threshold, lowest, heap_scores, heap_rows)
    num_found = np.int64(0)
    while waiting > 0 and num_found < max_poses:
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
            area = (width + last_pixel) * (height + last_pixel)
            if is_covered(kept, num_found, left, top, right, bottom, area, number, last_pixel, iou_threshold):
                continue
            kept[0, num_found] = left
            kept[1, num_found] = top
            kept[2, num_found] = right
            kept[3, num_found] = bottom
            kept[4, num_found] = area
            kept[5, num_found] = number
        boxes[num_found, 0] = left + shift_x
        boxes[num_found, 1] = top + shift_y
        boxes[num_found, 2] = width
        boxes[num_found, 3] = height
        scores[num_found] = clip(score)
        write_parts(parts, cells, parting, row, score, shift_x, shift_y, keypoints[num_found])
        num_found += 1
    return num_found


@helper
def is_covered(kept, num_kept, left, top, right, bottom, area, number, last_pixel, iou_threshold):
    """Tell whether a better box of the same class shares more than `iou_threshold` of the union with this one.

    All are looked at, without a way out, for so eight are compared at once.
    """
    found = False
    for other in range(num_kept):
        width = min(right, kept[2, other]) - max(left, kept[0, other]) + last_pixel
        height = min(bottom, kept[3, other]) - max(top, kept[1, other]) + last_pixel
        common = max(width, _ZERO) * max(height, _ZERO)
        found |= (common / (area + kept[4, other] - common) > iou_threshold) & (kept[5, other] == number)
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
