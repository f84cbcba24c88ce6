"""What the reference decoders share: roots, the walk along the tree, sampling. Cells are (row, column)."""

import math
from collections.abc import Iterator
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bottomup.geometry import cell_to_input
from bottomup.posenet.fields import EDGES, PoseNetFields
from bottomup.poses import Poses
from bottomup.tensors import Field, Quantized

__all__ = [
    "Array",
    "as_poses",
    "best_first",
    "f32",
    "find_roots",
    "follow",
    "in_cells",
    "is_near",
    "logit",
    "sample",
    "scaled",
    "sigmoid",
    "taken_parts",
    "trace",
    "walk_tree",
]

Array: TypeAlias = NDArray[Any]
f32 = np.float32


def find_roots(heatmaps: Array, threshold: Any, radius: int) -> list[tuple[int, int, int]]:
    """List (row, column, part) of the cells that reach `threshold` and that no cell of their window exceeds."""
    roots = []
    for row, column, part in np.argwhere(heatmaps >= threshold).tolist():
        window = heatmaps[max(row - radius, 0) : row + radius + 1, max(column - radius, 0) : column + radius + 1, part]
        if not (window > heatmaps[row, column, part]).any():
            roots.append((row, column, part))
    return roots


def walk_tree(root: int, edges: tuple[tuple[int, int], ...] = EDGES) -> Iterator[tuple[int, int, int, bool]]:
    """Yield (source, target, edge, whether it is walked from child to parent) from a root part outward."""
    reached = [root]
    for source in reached:
        for edge, (parent, child) in enumerate(edges):
            for near, far, is_bwd in ((parent, child, False), (child, parent, True)):
                if source == near and far not in reached:
                    yield source, far, edge, is_bwd
                    reached.append(far)


def is_near(one: Array, other: Array, radius: Any) -> bool:
    """Tell whether two positions lie within `radius` of each other."""
    down, right = one[0] - other[0], one[1] - other[1]
    return bool(down * down + right * right <= radius * radius)


def taken_parts(pose: Array, better: list[Array], radius: Any) -> list[int]:
    """List the parts that a better pose has within `radius`."""
    return [part for part in range(len(pose)) if any(is_near(pose[part], other[part], radius) for other in better)]


def sigmoid(logit: float) -> Any:
    """Return the single-precision score of a logit."""
    power = math.exp(min(-logit, 700.0))
    return f32(1) / (f32(1) + f32(math.inf if power > np.finfo(f32).max else power))  # 0 below -88.7


def best_first(scores: list[Any]) -> list[int]:
    """Return the order of descending scores; equal ones keep their order."""
    return sorted(range(len(scores)), key=lambda index: -scores[index])


def logit(score: float) -> float:
    """Return the logit of a score in [0, 1]."""
    if score <= 0:
        return -np.inf
    return math.log(score / (1 - score)) if score < 1 else np.inf


def in_cells(fields: PoseNetFields) -> tuple[Array, Array, Array, Any]:
    """Return logits (H, W, N), offsets (H, W, N, 2), displacements (H, W, 2, N - 1, 2) in cells, and the stride."""
    fields, num_parts = fields.as_logits, len(fields.skeleton.parts)
    stride = f32(fields.output_stride)
    height, width = fields.grid
    offsets = scaled(fields.offsets, f32(1) / stride).reshape(height, width, 2, num_parts)
    both = [scaled(field, f32(1) / stride) for field in (fields.displacements_fwd, fields.displacements_bwd)]
    displacements = np.stack(both, axis=2).reshape(height, width, 2, 2, num_parts - 1)
    return scaled(fields.heatmaps, f32(1)), np.moveaxis(offsets, 2, 3), np.moveaxis(displacements, 3, 4), stride


def scaled(field: Field, factor: np.float32) -> Array:
    """Return real numbers times `factor`, rounded as libcoral rounds them."""
    if isinstance(field, Quantized):
        return (field.values.astype(f32) - f32(field.zero_point)) * (f32(field.scale) * factor)
    return field * factor


def trace(
    root: int,
    position: Array,
    offsets: Array,
    displacements: Array,
    edges: tuple[tuple[int, int], ...],
    refinement_steps: int,
) -> Array:
    """Return a pose (N, 3) of row, column, 0: displacements lead from part to part, offsets refine each."""
    pose = np.zeros((len(edges) + 1, 3), f32)
    pose[root, :2] = position
    for source, target, edge, is_bwd in walk_tree(root, edges):
        vectors = displacements[:, :, int(is_bwd), edge]
        position = follow(pose[source, :2], sample(vectors, pose[source]), vectors)
        for _ in range(refinement_steps):
            vector = sample(offsets[:, :, target], position)
            position = follow(position, vector, offsets)
        pose[target, :2] = position
    return pose


def follow(position: Array, vector: Array, grid: Array) -> Array:
    """Return `position` moved by `vector`, kept inside the grid; NaN is 0."""
    moved = position + vector
    last = np.array(grid.shape[:2], f32) - f32(1)
    moved = np.where(moved > 0, moved, f32(0))
    inside: Array = np.where(moved < last, moved, last)
    return inside


def sample(values: Array, position: Array) -> Any:
    """Return the bilinear value of an (H, W, ...) map at (row, column)."""
    top, left = int(position[0]), int(position[1])
    down, right = position[0] - f32(top), position[1] - f32(left)
    bottom, far = top + int(down > 0), left + int(right > 0)
    upper = (f32(1) - right) * values[top, left] + right * values[top, far]
    lower = (f32(1) - right) * values[bottom, left] + right * values[bottom, far]
    return (f32(1) - down) * upper + down * lower


def as_poses(poses: list[Array], scores: list[Any], output_stride: float, fields: PoseNetFields) -> Poses:
    """Return poses of (row, column, score) as Poses."""
    if not poses:
        return Poses.empty(fields.skeleton)
    keypoints = np.array(poses, np.float64)
    keypoints[..., :2] = cell_to_input(keypoints[..., :2], output_stride) + fields.shift
    keypoints[..., 2] = np.where(keypoints[..., 2] > 0, np.minimum(keypoints[..., 2], 1), 0)
    pixels = keypoints.astype(f32)
    pixels[~np.isfinite(pixels).all(axis=2)] = (np.nan, np.nan, 0)
    return Poses(pixels, np.array(scores, f32), fields.skeleton)
