"""Loops of our own PoseNet decoder."""

import numpy as np

from bottomup.kernels.heaps import pop_std
from bottomup.kernels.jit import helper, kernel
from bottomup.kernels.sampling import clamp, find_corners, read, sample, sigmoid, write_keypoint
from bottomup.kernels.sorting import sort_descending
from bottomup.posenet.kernels.tree import (
    REJECTED,
    count_parts,
    heap_roots,
    inlined_helper,
    is_near_any,
    is_taken,
    place_root,
    trace,
)

_ZERO = np.float32(0)
_U = np.uint64  # unsigned indices cannot count from the end, so numba does not check for it
_HALF = np.float32(0.5)
_ONE = np.float32(1)
_DISK = np.float32(np.pi / 3)  # integral of (1 - r^2)^2 over the unit disk
_EVEN_ODDS = np.float32(4)  # expected similarity at which half of the poses are right; it and the power 1.5 are fitted
_AREA_OF_BOX = np.float32(0.64)  # COCO's segment area over the area of the box around all 17 keypoints, measured


@kernel
def decode_best(cells, tree, workspace, rules, max_poses, lowest, keypoints, pose_scores):
    """Fill `keypoints` (P, N, 3) and `pose_scores` (P,) with the poses of our own decoder.

    Returns how many, or minus the number of roots if `peaks` is too small for them. `lowest` is a root's lowest value,
    of the heatmaps' own type. Vectors and `vote_radius` are in cells, the two other lengths in input pixels.
    """
    (
        heatmaps, logits, _scores, _offsets, _offset_table, _displacements, _fwd_table, _bwd_table, _unit, height,
        width, output_stride, shift_x, shift_y,
    ) = cells  # fmt: skip
    (walks, num_parts, squared_kappas) = tree
    (_flags, _words, peaks, heap_scores, found, found_scores, order, per_keypoint) = workspace
    (
        local_maximum_radius, nms_radius, refinement_steps, vote_passes, vote_radius, lowest_vote, min_mean_score,
        position_error, patience,
    ) = rules  # fmt: skip
    parts = count_parts(num_parts)
    waiting = heap_roots(cells, num_parts, lowest, local_maximum_radius, workspace)
    if waiting > peaks.size:
        return -waiting
    radius = nms_radius / output_stride
    error = position_error / output_stride
    squared_radius = radius * radius
    squared_error = error * error
    patience += height * width
    num_found = np.int64(0)
    means = pose_scores
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
        total = _ZERO
        for part in range(parts):
            for step in range(max(vote_passes, 1)):  # the density is needed even where nothing moves
                row, column, per_keypoint[num_found, part] = vote(
                    pose[part, 0], pose[part, 1], part, cells, num_parts, vote_radius, lowest_vote
                )
                if step < vote_passes:
                    pose[part, 0] = row
                    pose[part, 1] = column
            corners = find_corners(pose[part, 0], pose[part, 1], width)
            pose[part, 2] = sigmoid(sample(heatmaps, logits, _ONE, parts, part, corners))
            total += pose[part, 2]
        if total > min_mean_score * np.float32(parts):
            means[num_found] = total
            num_found += 1
        else:
            patience -= REJECTED
    sort_descending(means, num_found, order)
    for rank in range(num_found):
        found_scores[order[rank]] = expected_similarity(
            found, per_keypoint, order, rank, num_parts, squared_radius, squared_kappas, squared_error
        )
    sort_descending(found_scores, num_found, order)
    for rank in range(num_found):
        if not found_scores[order[rank]] > _ZERO:  # a better pose has every part of it
            return rank
        pose_scores[rank] = calibrate(found_scores[order[rank]])
        for part in range(parts):
            row, column, score = found[order[rank], part]
            write_keypoint(keypoints, rank, part, row, column, score, output_stride, shift_x, shift_y)
    return num_found


@inlined_helper
def vote(row, column, part, cells, num_parts, vote_radius, lowest_vote):
    """Return the weighted mean of the places that the 5 x 5 cells around point to, near here, and their density.

    One step of mean shift on the Hough votes. A cell votes with its score, less the farther its place is from here.
    """
    (
        heatmaps, logits, scores, offsets, offset_table, _displacements, _fwd_table, _bwd_table, unit, height, width,
        _output_stride, _shift_x, _shift_y,
    ) = cells  # fmt: skip
    parts = count_parts(num_parts)
    centre_row = int(row + _HALF)
    centre_column = int(column + _HALF)
    first_row = max(centre_row - 2, 0)
    first_column = max(centre_column - 2, 0)
    last_column = min(centre_column + 2, width - 1)
    total = _ZERO
    total_row = _ZERO
    total_column = _ZERO
    per_reach = _ONE / (vote_radius * vote_radius)
    for near_row in range(first_row, min(centre_row + 3, height)):
        cell = near_row * width + first_column
        for near_column in range(first_column, last_column + 1):
            logit = read(heatmaps, logits, _ONE, cell * parts + part)
            if logit >= lowest_vote:
                vector = 2 * parts * cell + part
                voted_row = np.float32(near_row) + read(offsets, offset_table, unit, vector)
                voted_column = np.float32(near_column) + read(offsets, offset_table, unit, vector + parts)
                down = voted_row - row
                right = voted_column - column
                closeness = _ONE - (down * down + right * right) * per_reach
                if closeness > _ZERO:
                    weight = score_of(heatmaps, scores, cell * parts + part, logit) * closeness * closeness
                    total += weight
                    total_row += weight * voted_row
                    total_column += weight * voted_column
            cell += 1
    if total > _ZERO:
        row = clamp(total_row / total, np.float32(height - 1))
        column = clamp(total_column / total, np.float32(width - 1))
    return row, column, total * per_reach / _DISK


@helper
def score_of(heatmaps, scores, index, logit):
    """Return the score of an element; from the table for levels, because 25 exponentials per keypoint are slow."""
    if scores is None:
        return sigmoid(logit)
    return scores[heatmaps[_U(index)]]


@helper
def expected_similarity(found, densities, order, rank, num_parts, squared_radius, squared_kappas, squared_error):
    """Return the score of the pose at `rank`: the expected object keypoint similarity of its free keypoints.

    A keypoint counts by score x density^2 x A k^2 / (A k^2 + e^2): the mean of exp(-d^2 / (2 A k^2)) when the error d
    is a Gaussian of deviation e, for a person of area A. A keypoint that a better pose has within the radius counts 0.
    """
    parts = count_parts(num_parts)
    pose = order[rank]
    top = bottom = found[pose, 0, 0]
    left = right = found[pose, 0, 1]
    for part in range(1, parts):
        top = min(top, found[pose, part, 0])
        bottom = max(bottom, found[pose, part, 0])
        left = min(left, found[pose, part, 1])
        right = max(right, found[pose, part, 1])
    area = _AREA_OF_BOX * (bottom - top) * (right - left)
    total = _ZERO
    for part in range(parts):
        row, column, score = found[pose, part]
        if not is_taken(found, order, rank, part, row, column, squared_radius):
            spread = area * squared_kappas[part]
            total += score * densities[pose, part] * densities[pose, part] * spread / (spread + squared_error)
    return total / np.float32(parts)


@helper
def calibrate(similarity):
    """Return the probability that a pose of this expected similarity is right: OKS to a person above 0.5."""
    ratio = _EVEN_ODDS / similarity
    return _ONE / (_ONE + ratio * np.sqrt(ratio))
