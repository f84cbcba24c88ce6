"""The PersonLab paper's decoder: roots by Hough votes, scores by expected similarity, NMS over poses."""

from typing import Any

import numpy as np

from bottomup.posenet import roots
from bottomup.posenet.fields import PoseNetFields
from bottomup.posenet.personlab import PersonLabDecoder
from bottomup.posenet.reference.heaps import CoralHeap
from bottomup.posenet.reference.tree import (
    Array,
    as_poses,
    best_first,
    f32,
    find_roots,
    in_cells,
    is_near,
    logit,
    sample,
    sigmoid,
    taken_parts,
    trace,
)  # fmt: skip
from bottomup.posenet.trees import tree_of
from bottomup.poses import Poses

__all__ = ["box_area", "cast_votes", "decode_personlab", "expect_closeness", "find_fineness", "similarity"]


def decode_personlab(fields: PoseNetFields, decoder: PersonLabDecoder) -> Poses:
    """Return what `PersonLabDecoder.decode` returns."""
    heatmaps, offsets, displacements, stride = in_cells(fields)
    if heatmaps.size == 0:
        return Poses.empty(fields.skeleton)
    kappas = np.square(fields.skeleton.kappas).astype(f32)
    edges, patience = tree_of(fields.skeleton), roots.PATIENCE + fields.grid[0] * fields.grid[1]
    radius = f32(decoder.nms_radius) / stride
    fineness = find_fineness(fields, decoder)
    hough = cast_votes(heatmaps, offsets, fineness, fields.output_stride, decoder)
    poses: list[Array] = []
    heap = CoralHeap()
    for row, column, part in find_roots(hough, f32(decoder.score_threshold), decoder.local_maximum_radius):
        heap.push(hough[row, column, part], (row, column, part))
    while heap and len(poses) < decoder.max_poses and patience > 0:
        row, column, part = heap.pop()
        position = np.array([row, column], f32) / fineness
        if any(is_near(pose[part], position, radius) for pose in poses):
            patience -= 1
            continue
        pose = trace(part, position, offsets, displacements, edges, decoder.refinement_steps)
        for part in range(len(kappas)):
            score = sigmoid(sample(heatmaps[..., part], pose[part]))
            spread = box_area(pose) * kappas[part]
            disk = f32(decoder.hough_radius) / stride
            pose[part, 2] = score * expect_closeness(pose[part], hough[..., part], fineness, disk, spread)
        if sum(pose[:, 2], f32(0)) > 0:
            poses.append(pose)
        else:
            patience -= 400
    order = best_first([sum(pose[:, 2], f32(0)) for pose in poses])
    scores: list[Any] = [0.0] * len(poses)
    for rank, index in enumerate(order):  # soft NMS over keypoints
        taken = taken_parts(poses[index], [poses[other] for other in order[:rank]], radius)
        free = [poses[index][part, 2] for part in range(len(kappas)) if part not in taken]
        scores[index] = sum(free, f32(0)) / f32(len(kappas))
    kept: list[int] = []
    for index in best_first(scores):  # NMS over poses
        similar = any(similarity(poses[index], poses[other], kappas) > f32(decoder.nms_similarity) for other in kept)
        if scores[index] > 0 and not similar:
            kept.append(index)
    return as_poses([poses[index] for index in kept], [scores[index] for index in kept], stride, fields)


def find_fineness(fields: PoseNetFields, decoder: PersonLabDecoder) -> Any:
    """Return how many places per cell, each way, gather votes: a quarter of a million in all, at most."""
    finest = max((2**18 / (fields.grid[0] * fields.grid[1])) ** 0.5, 1.0)
    return f32(min(max(fields.output_stride / decoder.hough_step, 1.0), finest))


def cast_votes(heatmaps: Array, offsets: Array, fineness: Any, stride: float, decoder: PersonLabDecoder) -> Array:
    """Return Hough scores (fine H, fine W, N): each cell adds its score where its offset points, bilinear."""
    height, width, num_parts = heatmaps.shape
    fine = [int((size - 1) * float(fineness)) + 1 for size in (height, width)]
    hough = np.zeros((*fine, num_parts), f32)
    share = f32(stride**2 / (np.pi * decoder.hough_radius**2))
    for row, column, part in np.argwhere(heatmaps >= f32(logit(decoder.min_vote_score))).tolist():
        down, right = (np.array([row, column], f32) + offsets[row, column, part]) * fineness
        if 0 <= down <= fine[0] - 1 and 0 <= right <= fine[1] - 1:
            top, left = int(down), int(right)
            below, beside = down - f32(top), right - f32(left)
            bottom, far = top + int(below > 0), left + int(beside > 0)
            weight = share * sigmoid(heatmaps[row, column, part])
            hough[top, left, part] += weight * (1 - below) * (1 - beside)
            hough[top, far, part] += weight * (1 - below) * beside
            hough[bottom, left, part] += weight * below * (1 - beside)
            hough[bottom, far, part] += weight * below * beside
    return hough


def expect_closeness(keypoint: Array, votes: Array, fineness: Any, disk: Any, spread: Any) -> Any:
    """Return the mean of exp(-d^2 / (2 * spread)) over the votes in the disk around a keypoint; 0 without votes."""
    rows, columns = np.indices(votes.shape, f32)
    down, right = rows - keypoint[0] * fineness, columns - keypoint[1] * fineness
    squared = down * down + right * right
    near = votes * (squared <= (disk * fineness) * (disk * fineness))
    closeness = exp(-squared / (fineness * fineness) / (f32(2) * spread)) if spread > 0 else np.zeros_like(near)
    return total(near * closeness) / total(near) if near.any() else f32(0)


def exp(powers: Array) -> Array:
    """Return exponentials, rounded once: if people are alike, the last bit decides which of them is kept."""
    return np.exp(powers, dtype=np.float64).astype(f32)


def total(values: Array) -> Any:
    """Return the sum of all values, added one by one."""
    return np.cumsum(values, dtype=f32)[-1]


def box_area(pose: Array) -> Any:
    """Return the area of the box around a pose's keypoints."""
    height, width = np.ptp(pose[:, :2], axis=0)
    return height * width


def similarity(pose: Array, other: Array, squared_kappas: Array) -> Any:
    """Return the object keypoint similarity of a pose to another."""
    down, right = (pose[:, :2] - other[:, :2]).T
    spread = f32(2) * box_area(other) * squared_kappas
    return total(exp(-(down * down + right * right) / spread)) / f32(len(pose)) if spread.min() > 0 else f32(0)
