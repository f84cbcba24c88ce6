"""libcoral's decoder: bilinear samples, best root first, soft NMS. Single precision, as upstream."""

import math
from typing import Any

import numpy as np

from bottomup.posenet import roots
from bottomup.posenet.coral import CoralDecoder
from bottomup.posenet.fields import PoseNetFields
from bottomup.posenet.reference.heaps import CoralHeap
from bottomup.posenet.reference.tree import (
    Array,
    as_poses,
    best_first,
    f32,
    find_roots,
    follow,
    in_cells,
    is_near,
    sample,
    sigmoid,
    taken_parts,
    trace,
)
from bottomup.posenet.trees import tree_of
from bottomup.poses import Poses

__all__ = ["decode_coral"]


def decode_coral(fields: PoseNetFields, decoder: CoralDecoder) -> Poses:
    """Return what `CoralDecoder.decode` returns."""
    heatmaps, offsets, displacements, stride = in_cells(fields)
    radius, threshold = f32(decoder.nms_radius) / stride, f32(decoder.score_threshold)
    lowest = f32(-math.log(1 / (decoder.score_threshold + 1e-6) - 1)) if decoder.score_threshold < 1 else np.inf
    edges, patience = tree_of(fields.skeleton), roots.PATIENCE + fields.grid[0] * fields.grid[1]
    poses: list[Array] = []
    heap = CoralHeap()
    for row, column, part in find_roots(heatmaps, lowest, decoder.local_maximum_radius):
        heap.push(heatmaps[row, column, part], (row, column, part))
    while heap and len(poses) < decoder.max_poses and patience > 0:
        row, column, part = heap.pop()
        position = follow(np.array([row, column], f32), offsets[row, column, part], offsets)
        if any(is_near(pose[part, :2], position, radius) for pose in poses):
            patience -= 1
            continue
        pose = trace(part, position, offsets, displacements, edges, decoder.refinement_steps)
        pose[:, 2] = [sigmoid(sample(heatmaps[..., part], pose[part])) for part in range(len(pose))]
        if _mean_score(pose, []) >= threshold:
            poses.append(pose)
        else:
            patience -= 25
    scores: list[Any] = [_mean_score(pose, []) for pose in poses]
    order = best_first(scores)
    for rank, index in enumerate(order):  # soft NMS
        better = [poses[other] for other in order[:rank]]
        scores[index] = _mean_score(poses[index], taken_parts(poses[index], better, radius))
    order = [index for index in best_first(scores) if scores[index] >= threshold]
    return as_poses([poses[index] for index in order], [scores[index] for index in order], stride, fields)


def _mean_score(pose: Array, taken: list[int]) -> Any:
    """Return the sum of the keypoint scores that are not taken, best first as upstream adds them, over N."""
    total = f32(0)
    for score in sorted((pose[part, 2] for part in range(len(pose)) if part not in taken), reverse=True):
        total += score
    return total / f32(len(pose))
