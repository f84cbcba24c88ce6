"""Loops of the named flavours: libcoral's decoder and tfjs's."""

import math

import numpy as np

from bottomup.kernels.heaps import pop_std, pop_tfjs, push_tfjs
from bottomup.kernels.jit import helper, kernel
from bottomup.kernels.sampling import find_corners, sample, sigmoid, write_keypoint
from bottomup.posenet.kernels import heap_roots, is_near_any, place_root, sort_descending, trace

_PARTS = 17
_EDGES = 16
_ZERO = np.float32(0)
_ONE = np.float32(1)
_U = np.uint64  # an index that never counts from the end needs no test for that


@kernel
def decode_coral(
    flags, words, peaks, heap_scores, found, found_scores, order, ranks, keypoints, pose_scores, walks, heatmaps,
    logits, offsets, offset_table, displacements, fwd_table, bwd_table, unit, height, width, output_stride, max_poses,
    lowest, local_maximum_radius, nms_radius, refinement_steps, score_threshold,
):  # fmt: skip
    """Fill `keypoints` (P, 17, 3) and `pose_scores` (P,) with the poses of libcoral's decoder.

    Returns how many, or minus the number of roots where `peaks` is too small for them. The first ten arrays are a
    workspace; vectors are in cells, the radius in input pixels.
    """
    waiting = heap_roots(
        heatmaps, logits, height, width, lowest, local_maximum_radius, flags, words, peaks, heap_scores
    )
    if waiting > peaks.size:
        return -waiting
    radius = nms_radius / output_stride
    squared_radius = radius * radius
    num_found = np.int64(0)
    while waiting > 0 and num_found < max_poses:
        root = pop_std(heap_scores, peaks, waiting)
        waiting -= 1
        pose = found[num_found]
        part = root % _PARTS
        place_root(pose, root, offsets, offset_table, unit, height, width)
        if is_near_any(found, num_found, part, pose[part, 0], pose[part, 1], squared_radius):
            continue
        trace(
            pose, walks[part], offsets, offset_table, displacements, fwd_table, bwd_table, unit, height, width,
            refinement_steps,
        )  # fmt: skip
        for part in range(_PARTS):
            corners = find_corners(pose[part, 0], pose[part, 1], width)
            pose[part, 2] = sigmoid(sample(heatmaps, logits, _ONE, _PARTS, part, corners))
        score = sum_of_free(found, num_found, order, np.int64(0), squared_radius, ranks) / np.float32(_PARTS)
        if score >= score_threshold:
            found_scores[num_found] = score
            num_found += 1
    sort_descending(found_scores, num_found, order)
    for rank in range(num_found):
        total = sum_of_free(found, order[rank], order, rank, squared_radius, ranks)
        found_scores[order[rank]] = total / np.float32(_PARTS)
    sort_descending(found_scores, num_found, order)
    for rank in range(num_found):
        if not found_scores[order[rank]] >= score_threshold:
            return rank
        pose_scores[rank] = found_scores[order[rank]]
        for part in range(_PARTS):
            row, column, score = found[order[rank], part]
            write_keypoint(keypoints, rank, part, row, column, score, output_stride)
    return num_found


@helper
def sum_of_free(found, pose, order, rank, squared_radius, ranks):
    """Sum a pose's keypoint scores, best first, without keypoints near the same part of the `rank` poses in `order`.

    The order matters to the last bit. A score's place in it is the number of those above it, counted for all at once;
    those left out are zeros behind the rest. Workspace: two rows of `ranks`.
    """
    total = _ZERO
    for part in range(_PARTS):
        row, column, score = found[pose, part]
        for better in range(rank):
            other = _U(order[better])
            down = found[other, part, 0] - row
            right = found[other, part, 1] - column
            if down * down + right * right <= squared_radius:
                score = _ZERO
                break
        ranks[0, part] = score
        ranks[1, part] = _ZERO
        total += score
    if not total >= _ZERO:  # NaN
        return total
    for part in range(_PARTS):
        score = ranks[0, part]
        place = 0
        for other in range(_PARTS):
            place += np.int32(ranks[0, other] > score)
        while ranks[1, place] == score and place < _PARTS - 1:
            place += 1
        ranks[1, place] = score
    total = _ZERO
    for place in range(_PARTS):
        total += ranks[1, place]
    return total


@kernel
def decode_tfjs(
    peaks, heap_scores, walks, heatmaps, heatmap_scale, heatmap_zero, offsets, offset_scale, offset_zero, displacements,
    fwd_scale, fwd_zero, bwd_scale, bwd_zero, height, width, is_logits, score_threshold, squared_radius,
    refinement_steps, output_stride, found, keypoints, pose_scores,
):  # fmt: skip
    """Fill `keypoints` (M, 17, 3) and `pose_scores` (M,) with the poses of tfjs's decoder; return how many.

    `peaks` (P,) become a heap. Workspaces: `heap_scores` (P,) and `found` (M, 17, 3), float64: y, x, score.
    """
    waiting = 0
    for peak in range(peaks.size):
        score = read_score(heatmaps, heatmap_scale, heatmap_zero, is_logits, peaks[peak])
        if score >= score_threshold:
            push_tfjs(heap_scores, peaks, waiting, score, peaks[peak])
            waiting += 1
    num_found = np.int64(0)
    while waiting > 0 and num_found < found.shape[0]:
        root = pop_tfjs(heap_scores, peaks, waiting)
        waiting -= 1
        part = root % _PARTS
        cell = root // _PARTS
        pose = found[num_found]
        y, x = anchor(cell // width, cell % width, part, offsets, offset_scale, offset_zero, width, output_stride)
        if is_near_any(found, num_found, part, y, x, squared_radius):
            continue
        pose[part, 0] = y
        pose[part, 1] = x
        pose[part, 2] = read_score(heatmaps, heatmap_scale, heatmap_zero, is_logits, root)
        for step in range(_EDGES):
            source, part, channel, is_bwd, _ = walks[root % _PARTS, step]
            scale = bwd_scale if is_bwd else fwd_scale
            zero = bwd_zero if is_bwd else fwd_zero
            y = pose[source, 0]
            x = pose[source, 1]
            vector = (
                nearest(y, output_stride, height) * width + nearest(x, output_stride, width)
            ) * 4 * _EDGES + channel
            y += (np.float32(displacements[vector]) - zero) * scale
            x += (np.float32(displacements[vector + _EDGES]) - zero) * scale
            for _ in range(refinement_steps):
                row = nearest(y, output_stride, height)
                column = nearest(x, output_stride, width)
                y, x = anchor(row, column, part, offsets, offset_scale, offset_zero, width, output_stride)
            cell = nearest(y, output_stride, height) * width + nearest(x, output_stride, width)
            pose[part, 0] = y
            pose[part, 1] = x
            pose[part, 2] = read_score(heatmaps, heatmap_scale, heatmap_zero, is_logits, cell * _PARTS + part)
        total = 0.0
        for part in range(_PARTS):
            y, x, score = pose[part]
            write_keypoint(keypoints, num_found, part, y, x, score, 1.0)
            if keypoints[num_found, part, 2] > 0 and not is_near_any(found, num_found, part, y, x, squared_radius):
                total += score
        pose_scores[num_found] = total / _PARTS
        num_found += 1
    return num_found


@kernel
def decode_tfjs_single(
    heatmaps, heatmap_scale, heatmap_zero, offsets, offset_scale, offset_zero, height, width, is_logits, output_stride,
    best, keypoints, pose_scores,
):  # fmt: skip
    """Fill one pose as tfjs's single-pose decoder: parts where they are highest. `best` (17,) is workspace."""
    for part in range(_PARTS):
        best[part] = part
    for index in range(_PARTS, heatmaps.size):
        part = index % _PARTS
        if heatmaps[index] > heatmaps[best[part]] or math.isnan(np.float32(heatmaps[best[part]])):
            best[part] = index
    total = 0.0
    for part in range(_PARTS):
        cell = best[part] // _PARTS
        y, x = anchor(cell // width, cell % width, part, offsets, offset_scale, offset_zero, width, output_stride)
        score = read_score(heatmaps, heatmap_scale, heatmap_zero, is_logits, best[part])
        write_keypoint(keypoints, 0, part, y, x, score, 1.0)
        total += keypoints[0, part, 2]
    pose_scores[0] = total / _PARTS


@helper
def read_score(heatmaps, scale, zero, is_logits, index):
    """Return the score of one heatmap element as tfjs knows it: float32, then widened."""
    value = (np.float32(heatmaps[index]) - zero) * scale
    return np.float64(sigmoid(value) if is_logits else value)


@helper
def anchor(row, column, part, offsets, scale, zero, width, output_stride):
    """Return y and x, in input pixels, of the part that a cell's offset points to."""
    vector = 2 * _PARTS * (row * width + column) + part
    y = row * output_stride + (np.float32(offsets[vector]) - zero) * scale
    x = column * output_stride + (np.float32(offsets[vector + _PARTS]) - zero) * scale
    return np.float64(y), np.float64(x)


@helper
def nearest(position, output_stride, size):
    """Return the row or column nearest to a position in pixels, halves up, inside the grid; NaN is 0."""
    place = np.floor(position / output_stride + 0.5)
    if not place > 0:
        return 0
    return int(place) if place < size - 1 else size - 1
