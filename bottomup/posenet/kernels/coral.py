"""Loops of libcoral's decoder."""

import numpy as np

from bottomup.kernels.heaps import pop_std
from bottomup.kernels.jit import helper, kernel
from bottomup.kernels.sampling import find_corners, sample, sigmoid, write_keypoint
from bottomup.kernels.sorting import sort_descending
from bottomup.posenet.kernels.tree import (
    REJECTED,
    count_parts,
    heap_roots,
    is_near_any,
    is_taken,
    place_root,
    trace,
)

_ZERO = np.float32(0)
_ONE = np.float32(1)


@kernel
def decode_coral(cells, tree, workspace, rules, max_poses, lowest, keypoints, pose_scores):
    """Fill `keypoints` (P, N, 3) and `pose_scores` (P,) with the poses of libcoral's decoder.

    Returns how many, or minus the number of roots if `peaks` is too small for them. `lowest` is a root's lowest value,
    of the heatmaps' own type. Vectors are in cells, the radius in input pixels.
    """
    (
        heatmaps, logits, _scores, _offsets, _offset_table, _displacements, _fwd_table, _bwd_table, _unit, height,
        width, output_stride, shift_x, shift_y,
    ) = cells  # fmt: skip
    (walks, num_parts, _squared_kappas) = tree
    (_flags, _words, peaks, heap_scores, found, found_scores, order, per_keypoint) = workspace
    (local_maximum_radius, nms_radius, refinement_steps, score_threshold, patience) = rules
    parts = count_parts(num_parts)
    waiting = heap_roots(cells, num_parts, lowest, local_maximum_radius, workspace)
    if waiting > peaks.size:
        return -waiting
    radius = nms_radius / output_stride
    squared_radius = radius * radius
    patience += height * width
    num_found = np.int64(0)
    while waiting > 0 and num_found < max_poses and patience > 0:
        root = pop_std(heap_scores, peaks, waiting)
        waiting -= 1
        pose = found[num_found]
        part = root % parts
        place_root(pose, root, cells, num_parts)
        if is_near_any(found, num_found, part, pose[part, 0], pose[part, 1], squared_radius):
            patience -= 1
            continue
        trace(pose, walks[part], cells, num_parts, refinement_steps)
        for part in range(parts):
            corners = find_corners(pose[part, 0], pose[part, 1], width)
            pose[part, 2] = sigmoid(sample(heatmaps, logits, _ONE, parts, part, corners))
        score = sum_of_free(found, num_found, order, np.int64(0), num_parts, squared_radius, per_keypoint) / np.float32(
            parts
        )
        if score >= score_threshold:
            found_scores[num_found] = score
            num_found += 1
        else:
            patience -= REJECTED
    sort_descending(found_scores, num_found, order)
    for rank in range(num_found):
        total = sum_of_free(found, order[rank], order, rank, num_parts, squared_radius, per_keypoint)
        found_scores[order[rank]] = total / np.float32(parts)
    sort_descending(found_scores, num_found, order)
    for rank in range(num_found):
        if not found_scores[order[rank]] >= score_threshold:
            return rank
        pose_scores[rank] = found_scores[order[rank]]
        for part in range(parts):
            row, column, score = found[order[rank], part]
            write_keypoint(keypoints, rank, part, row, column, score, output_stride, shift_x, shift_y)
    return num_found


@helper
def sum_of_free(found, pose, order, rank, num_parts, squared_radius, ranks):
    """Sum a pose's keypoint scores, best first, without keypoints near the same part of the `rank` poses in `order`.

    The order matters to the last bit. A score's place in it is the number of those above it, counted for all at once;
    those left out count as zeros at the end. Workspace: two rows of `ranks`.
    """
    parts = count_parts(num_parts)
    total = _ZERO
    for part in range(parts):
        row, column, score = found[pose, part]
        if is_taken(found, order, rank, part, row, column, squared_radius):
            score = _ZERO
        ranks[0, part] = score
        ranks[1, part] = _ZERO
        total += score
    if not total >= _ZERO:  # NaN
        return total
    for part in range(parts):
        score = ranks[0, part]
        place = 0
        for other in range(parts):
            place += np.int32(ranks[0, other] > score)
        while ranks[1, place] == score and place < parts - 1:
            place += 1
        ranks[1, place] = score
    total = _ZERO
    for place in range(parts):
        total += ranks[1, place]
    return total
