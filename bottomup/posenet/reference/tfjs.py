"""tfjs's decoders: nearest cells, greedy along the tree. Positions are (y, x) in input pixels, in double precision."""

from collections.abc import Callable

import numpy as np

from bottomup.posenet import roots
from bottomup.posenet.fields import PoseNetFields
from bottomup.posenet.reference.heaps import TfjsHeap
from bottomup.posenet.reference.tree import (
    Array,
    as_poses,
    f32,
    find_roots,
    is_near,
    scaled,
    taken_parts,
    walk_tree,
)
from bottomup.posenet.tfjs import TfjsDecoder
from bottomup.posenet.trees import tree_of
from bottomup.poses import Poses

__all__ = ["decode_tfjs", "decode_tfjs_single"]


def decode_tfjs(fields: PoseNetFields, decoder: TfjsDecoder) -> Poses:
    """Return what `TfjsDecoder.decode` returns for several people."""
    scores, offsets, displacements, stride = _in_pixels(fields)
    nearest = _nearest_cell(scores, stride)
    num_parts, edges = len(fields.skeleton.parts), tree_of(fields.skeleton)
    patience = roots.PATIENCE + fields.grid[0] * fields.grid[1]
    poses: list[Array] = []
    pose_scores: list[float] = []
    heap = TfjsHeap()
    for row, column, part in find_roots(scores, decoder.score_threshold, decoder.local_maximum_radius):
        heap.push(scores[row, column, part], (row, column, part))
    while heap and len(poses) < decoder.max_poses and patience > 0:
        row, column, root = heap.pop()
        pose = np.zeros((num_parts, 3))
        pose[root] = *(np.array([row, column]) * stride + offsets[row, column, root]), scores[row, column, root]
        if any(is_near(pose[root], other[root], decoder.nms_radius) for other in poses):
            patience -= 1
            continue
        for source, target, edge, is_bwd in walk_tree(root, edges):
            position = pose[source, :2] + displacements[(*nearest(pose[source]), int(is_bwd), edge)]
            for _ in range(decoder.refinement_steps):
                cell = nearest(position)
                position = np.array(cell) * stride + offsets[(*cell, target)]
            pose[target] = *position, scores[(*nearest(position), target)]
        taken = taken_parts(pose, poses, decoder.nms_radius)
        valid = np.isfinite(pose.astype(f32)).all(axis=1) & (pose[:, 2] > 0)
        free = [min(pose[part, 2], 1.0) for part in np.flatnonzero(valid) if part not in taken]
        pose_scores.append(sum(free) / num_parts)
        poses.append(pose)
    return as_poses(poses, pose_scores, 1.0, fields)


def decode_tfjs_single(fields: PoseNetFields) -> Poses:
    """Return each part where its heatmap is highest, as one pose."""
    scores, offsets, _, stride = _in_pixels(fields)
    num_parts = len(fields.skeleton.parts)
    if scores.size == 0:
        return Poses.empty(fields.skeleton)
    raw = scaled(fields.heatmaps, f32(1))
    pose = np.zeros((num_parts, 3))
    for part in range(num_parts):
        known = np.where(np.isnan(raw[..., part]), -np.inf, raw[..., part])
        row, column = np.unravel_index(np.argmax(known), known.shape)
        pose[part] = *(np.array([row, column]) * stride + offsets[row, column, part]), scores[row, column, part]
    poses = as_poses([pose], [0.0], 1.0, fields)
    return Poses(poses.keypoints, poses.keypoint_scores.mean(axis=1), fields.skeleton)


def _in_pixels(fields: PoseNetFields) -> tuple[Array, Array, Array, float]:
    """Return scores (H, W, N), offsets (H, W, N, 2), displacements (H, W, 2, N - 1, 2) in pixels, and the stride."""
    (height, width), num_parts = fields.grid, len(fields.skeleton.parts)
    heatmaps = scaled(fields.heatmaps, f32(1))
    scores = f32(1) / (f32(1) + np.exp(-heatmaps)) if fields.logits else heatmaps
    offsets = scaled(fields.offsets, f32(1)).astype(np.float64).reshape(height, width, 2, num_parts)
    both = [scaled(field, f32(1)) for field in (fields.displacements_fwd, fields.displacements_bwd)]
    displacements = np.stack(both, axis=2).astype(np.float64).reshape(height, width, 2, 2, num_parts - 1)
    return scores, np.moveaxis(offsets, 2, 3), np.moveaxis(displacements, 3, 4), fields.output_stride


def _nearest_cell(grid: Array, stride: float) -> Callable[[Array], tuple[int, int]]:
    """Return the function from a position (y, x) to the cell nearest to it: halves up, inside the grid; NaN is 0."""

    def nearest(position: Array) -> tuple[int, int]:
        cell = np.floor(position[:2] / stride + 0.5)
        row, column = np.minimum(np.where(cell > 0, cell, 0), np.array(grid.shape[:2]) - 1)
        return int(row), int(column)

    return nearest
