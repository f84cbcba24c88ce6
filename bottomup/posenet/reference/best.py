"""Our own decoder: traced, moved by votes, ranked by expected similarity."""

from typing import Any

import numpy as np

from bottomup.posenet import roots
from bottomup.posenet.best import PoseNetDecoder
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
    logit,
    sample,
    sigmoid,
    taken_parts,
    trace,
)
from bottomup.posenet.trees import tree_of
from bottomup.poses import Poses
from bottomup.similarity import AREA_OF_BOX

__all__ = ["calibrate", "decode_best", "expected_similarity", "vote"]


def decode_best(fields: PoseNetFields, decoder: PoseNetDecoder) -> Poses:
    """Return what `PoseNetDecoder.decode` returns."""
    heatmaps, offsets, displacements, stride = in_cells(fields)
    radius = f32(decoder.nms_radius) / stride
    edges, patience = tree_of(fields.skeleton), roots.PATIENCE + fields.grid[0] * fields.grid[1]
    poses: list[Array] = []
    densities: list[Array] = []
    heap = CoralHeap()
    for row, column, part in find_roots(heatmaps, logit(decoder.score_threshold), decoder.local_maximum_radius):
        heap.push(heatmaps[row, column, part], (row, column, part))
    while heap and len(poses) < decoder.max_poses and patience > 0:
        row, column, part = heap.pop()
        position = follow(np.array([row, column], f32), offsets[row, column, part], offsets)
        if any(is_near(pose[part, :2], position, radius) for pose in poses):
            patience -= 1
            continue
        pose = trace(part, position, offsets, displacements, edges, decoder.refinement_steps)
        density = np.zeros(len(pose), f32)
        for part in range(len(pose)):
            for step in range(max(decoder.vote_passes, 1)):
                place, density[part] = vote(pose[part, :2], heatmaps[..., part], offsets[:, :, part], decoder)
                if step < decoder.vote_passes:
                    pose[part, :2] = place
            pose[part, 2] = sigmoid(sample(heatmaps[..., part], pose[part]))
        if sum(pose[:, 2], f32(0)) > f32(decoder.min_pose_score) * f32(len(pose)):
            poses.append(pose)
            densities.append(density)
        else:
            patience -= 25
    order = best_first([sum(pose[:, 2], f32(0)) for pose in poses])
    scores: list[Any] = [0.0] * len(poses)
    for rank, index in enumerate(order):
        better = [poses[other] for other in order[:rank]]
        scores[index] = expected_similarity(poses[index], densities[index], better, radius, decoder, fields)
    order = [index for index in best_first(scores) if scores[index] > 0]
    return as_poses([poses[index] for index in order], [calibrate(scores[index]) for index in order], stride, fields)


def calibrate(similarity: Any) -> Any:
    """Return the probability that a pose of this expected similarity is right."""
    ratio = f32(4) / similarity
    return f32(1) / (f32(1) + ratio * np.sqrt(ratio))


def vote(position: Array, logits: Array, offsets: Array, decoder: PoseNetDecoder) -> tuple[Array, Any]:
    """Return the weighted mean of the places that the 5 x 5 cells around `position` point to, and their density.

    A cell of score p pointing to v weighs p * max(0, 1 - |v - position|^2 / b^2)^2, b being the vote radius.
    """
    per_reach = f32(1) / (f32(decoder.vote_radius) * f32(decoder.vote_radius))
    centre_row, centre_column = int(position[0] + f32(0.5)), int(position[1] + f32(0.5))
    total, weighted = f32(0), np.zeros(2, f32)
    for row in range(max(centre_row - 2, 0), min(centre_row + 3, logits.shape[0])):
        for column in range(max(centre_column - 2, 0), min(centre_column + 3, logits.shape[1])):
            if logits[row, column] >= f32(logit(decoder.min_vote_score)):
                voted = np.array([row, column], f32) + offsets[row, column]
                down, right = voted - position
                closeness = f32(1) - (down * down + right * right) * per_reach
                if closeness > 0:
                    weight = sigmoid(logits[row, column]) * closeness * closeness
                    total += weight
                    weighted += weight * voted
    density = total * per_reach / f32(np.pi / 3)
    return (follow(weighted / total, np.zeros(2, f32), logits) if total > 0 else position), density


def expected_similarity(
    pose: Array, density: Array, better: list[Array], radius: Any, decoder: PoseNetDecoder, fields: PoseNetFields
) -> Any:
    """Return the mean over free parts of score * density^2 * A k^2 / (A k^2 + e^2); see the kernel of that name."""
    height, width = np.ptp(pose[:, :2], axis=0)
    area = f32(AREA_OF_BOX) * height * width
    error = f32(decoder.position_error) / f32(fields.output_stride)
    taken = taken_parts(pose, better, radius)
    total = f32(0)
    for part, kappa in enumerate(fields.skeleton.kappas):
        if part not in taken:
            spread = area * f32(kappa**2)
            total += pose[part, 2] * density[part] * density[part] * spread / (spread + error * error)
    return total / f32(len(pose))
