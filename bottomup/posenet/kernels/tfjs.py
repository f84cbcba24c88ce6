"""Loops of tfjs's decoder."""

import math

import numpy as np

from bottomup.kernels.heaps import pop_tfjs, push_tfjs
from bottomup.kernels.jit import helper, kernel
from bottomup.kernels.sampling import sigmoid, write_keypoint
from bottomup.posenet.kernels.tree import count_parts, is_near_any


@kernel
def decode_tfjs(tensors, tree, search, rules, keypoints, pose_scores):
    """Fill `keypoints` (M, N, 3) and `pose_scores` (M,) with the poses of tfjs's decoder; return how many.

    `peaks` (P,) become a heap.
    """
    (
        heatmaps, heatmap_scale, heatmap_zero, _offsets, _offset_scale, _offset_zero, displacements, fwd_scale,
        fwd_zero, bwd_scale, bwd_zero, _is_quantized, is_logits, height, width, output_stride, shift_x, shift_y,
    ) = tensors  # fmt: skip
    (walks, num_parts, _squared_kappas) = tree
    (peaks, heap_scores, found) = search
    (score_threshold, squared_radius, refinement_steps, patience) = rules
    parts = count_parts(num_parts)
    edges = parts - 1
    waiting = 0
    value = heatmaps[0]
    score = read_score(heatmaps, heatmap_scale, heatmap_zero, is_logits, 0)
    for peak in range(peaks.size):
        if heatmaps[peaks[peak]] != value:  # a constant map, all of whose cells are peaks, has one score
            value = heatmaps[peaks[peak]]
            score = read_score(heatmaps, heatmap_scale, heatmap_zero, is_logits, peaks[peak])
        if score >= score_threshold:
            push_tfjs(heap_scores, peaks, waiting, score, peaks[peak])
            waiting += 1
    patience += height * width
    num_found = np.int64(0)
    while waiting > 0 and num_found < found.shape[0] and patience > 0:
        root = pop_tfjs(heap_scores, peaks, waiting)
        waiting -= 1
        part = root % parts
        cell = root // parts
        pose = found[num_found]
        y, x = anchor(tensors, num_parts, cell // width, cell % width, part)
        if is_near_any(found, num_found, part, y, x, squared_radius):
            patience -= 1
            continue
        pose[part, 0] = y
        pose[part, 1] = x
        pose[part, 2] = read_score(heatmaps, heatmap_scale, heatmap_zero, is_logits, root)
        for step in range(edges):
            source, part, channel, is_bwd, _ = walks[root % parts, step]
            scale = bwd_scale if is_bwd else fwd_scale
            zero = bwd_zero if is_bwd else fwd_zero
            y = pose[source, 0]
            x = pose[source, 1]
            vector = (
                nearest(y, output_stride, height) * width + nearest(x, output_stride, width)
            ) * 4 * edges + channel
            y += (np.float32(displacements[vector]) - zero) * scale
            x += (np.float32(displacements[vector + edges]) - zero) * scale
            for _ in range(refinement_steps):
                row = nearest(y, output_stride, height)
                column = nearest(x, output_stride, width)
                y, x = anchor(tensors, num_parts, row, column, part)
            cell = nearest(y, output_stride, height) * width + nearest(x, output_stride, width)
            pose[part, 0] = y
            pose[part, 1] = x
            pose[part, 2] = read_score(heatmaps, heatmap_scale, heatmap_zero, is_logits, cell * parts + part)
        total = 0.0
        for part in range(parts):
            y, x, score = pose[part]
            write_keypoint(keypoints, num_found, part, y, x, score, 1.0, shift_x, shift_y)
            if keypoints[num_found, part, 2] > 0 and not is_near_any(found, num_found, part, y, x, squared_radius):
                total += min(score, 1.0)
        pose_scores[num_found] = total / parts
        num_found += 1
    return num_found


@kernel
def decode_tfjs_single(tensors, tree, best, keypoints, pose_scores):
    """Fill one pose as tfjs's single-pose decoder: parts where they are highest. `best` (N,) is workspace."""
    (
        heatmaps, heatmap_scale, heatmap_zero, _offsets, _offset_scale, _offset_zero, _displacements,
        _fwd_scale, _fwd_zero, _bwd_scale, _bwd_zero, _is_quantized, is_logits, _height, width, _output_stride,
        shift_x, shift_y,
    ) = tensors  # fmt: skip
    (_walks, num_parts, _squared_kappas) = tree
    parts = count_parts(num_parts)
    for part in range(parts):
        best[part] = part
    for index in range(parts, heatmaps.size):
        part = index % parts
        if heatmaps[index] > heatmaps[best[part]] or math.isnan(np.float32(heatmaps[best[part]])):
            best[part] = index
    total = 0.0
    for part in range(parts):
        cell = best[part] // parts
        y, x = anchor(tensors, num_parts, cell // width, cell % width, part)
        score = read_score(heatmaps, heatmap_scale, heatmap_zero, is_logits, best[part])
        write_keypoint(keypoints, 0, part, y, x, score, 1.0, shift_x, shift_y)
        total += keypoints[0, part, 2]
    pose_scores[0] = total / parts


@helper
def read_score(heatmaps, scale, zero, is_logits, index):
    """Return the score of one heatmap element as tfjs computes it: float32, then widened."""
    value = (np.float32(heatmaps[index]) - zero) * scale
    return np.float64(sigmoid(value) if is_logits else value)


@helper
def anchor(tensors, num_parts, row, column, part):
    """Return y and x, in input pixels from the first cell, of the part that a cell's offset points to."""
    (
        _heatmaps, _heatmap_scale, _heatmap_zero, offsets, offset_scale, offset_zero, _displacements, _fwd_scale,
        _fwd_zero, _bwd_scale, _bwd_zero, _is_quantized, _is_logits, _height, width, output_stride, _shift_x, _shift_y,
    ) = tensors  # fmt: skip
    parts = count_parts(num_parts)
    vector = 2 * parts * (row * width + column) + part
    y = np.float64(row * output_stride) + (np.float32(offsets[vector]) - offset_zero) * offset_scale
    x = np.float64(column * output_stride) + (np.float32(offsets[vector + parts]) - offset_zero) * offset_scale
    return np.float64(y), np.float64(x)


@helper
def nearest(position, output_stride, size):
    """Return the row or column nearest to a position in pixels, halves up, inside the grid; NaN is 0."""
    place = np.floor(position / output_stride + 0.5)
    if not place > 0:
        return 0
    return int(place) if place < size - 1 else size - 1
