"""Fields as the definitions read them, and the search that they share."""

from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bottomup.centers.fields import LARGEST_SCORE, CenterFields, score_of
from bottomup.poses import Poses

__all__ = [
    "Array",
    "Maps",
    "as_poses",
    "cells_of",
    "f32",
    "first_best",
    "gaussian",
    "inverse_distance",
    "read",
    "squared_distances",
    "top_cells",
]

Array: TypeAlias = NDArray[np.float32]
f32 = np.float32


class Maps(NamedTuple):
    """Scores and vectors of one image, float32, in cells, y before x."""

    centers: Array  #: (H, W)
    parts: Array  #: (H, W, N)
    regressions: Array  #: (H, W, N, 2)
    offsets: Array  #: (H, W, N, 2)
    box_sizes: Array  #: (H, W, 2), 0 if the network gives none
    box_offsets: Array  #: (H, W, 2)


def read(fields: CenterFields) -> Maps:
    """Return the maps of one image."""
    real = fields.as_floats
    height, width = fields.grid
    num_parts = len(fields.skeleton.parts)
    maps = (real["center"], real["heatmaps"])
    centers, parts = (score_of(each) if fields.logits else np.minimum(each, f32(LARGEST_SCORE)) for each in maps)
    none = np.zeros((height, width, 2), f32)
    offsets = real.get("offsets", none).reshape(height, width, -1, 2)
    return Maps(
        np.asarray(centers[..., 0], f32),
        np.asarray(parts, f32),
        real["regressions"].reshape(height, width, num_parts, 2),
        np.broadcast_to(offsets, (height, width, num_parts, 2)),
        real.get("box_sizes", none),
        real.get("box_offsets", none),
    )


def cells_of(grid: tuple[int, int]) -> Array:
    """Return (H, W, 2): row and column of every cell."""
    return np.moveaxis(np.indices(grid), 0, 2).astype(f32)


def gaussian(squared: Array, spread: Any) -> Array:
    """Return the weight of cells at these squared distances."""
    return np.exp(-(squared * (f32(1) / f32(spread))).astype(np.float64)).astype(f32)


def inverse_distance(squared: Array, spread: Any) -> Array:
    """Return the weight of cells at these squared distances: one over the distance plus `spread`."""
    return f32(1) / (np.sqrt(squared.astype(np.float64)).astype(f32) + f32(spread))


def squared_distances(grid: tuple[int, int], place: Array) -> Array:
    """Return every cell's squared distance from a place."""
    down, right = np.moveaxis(cells_of(grid) - place, 2, 0)
    return np.asarray(down * down + right * right)


def first_best(weighted: Array) -> tuple[int, int]:
    """Return the first cell with the highest score above 0; (0, 0) if there is none."""
    row, column = np.unravel_index(np.where(weighted > 0, weighted, 0).argmax(), weighted.shape)
    return int(row), int(column)


def top_cells(elements: Any, lowest: Any, radius: int, most: int) -> list[tuple[int, int]]:
    """Return the `most` best cells above `lowest` that no cell of their window exceeds, best first."""
    marked = []
    for row, column in np.argwhere(elements > lowest).tolist():
        window = elements[max(row - radius, 0) : row + radius + 1, max(column - radius, 0) : column + radius + 1]
        if not (window > elements[row, column]).any():
            marked.append((row, column))
    return sorted(marked, key=lambda cell: -float(elements[cell]))[:most]


def as_poses(people: list[Array], scores: list[Any], fields: CenterFields, boxes: list[Any] | None = None) -> Poses:
    """Return poses from (N, 3) rows, columns and scores, and boxes given as top, left, bottom and right."""
    if not people:
        return Poses.empty(fields.skeleton)
    found = np.array(people, f32)
    stride, shift = fields.cells[2], np.array(fields.shift, f32)
    keypoints = np.empty((*found.shape[:2], 3), f32)
    keypoints[..., :2] = (found[..., 1::-1] * stride).astype(f32) + shift
    part_scores = np.minimum(found[..., 2], f32(1))
    keypoints[..., 2] = np.where(part_scores > 0, part_scores, 0)
    keypoints[~np.isfinite(keypoints[..., :2]).all(axis=2)] = np.nan, np.nan, 0
    limits = None
    if boxes is not None:
        corners = np.array(boxes, f32).reshape(-1, 2, 2)
        starts = corners[:, 0, ::-1] * stride + shift
        limits = np.hstack([starts, (corners[:, 1] - corners[:, 0])[:, ::-1] * stride])
        limits[~np.isfinite(limits).all(axis=1)] = np.nan
    return Poses(keypoints, np.array(scores, f32), fields.skeleton, own_boxes=limits)
