"""MoveNet's decoder for several people, as the MultiPose graph defines it."""

from typing import Any

import numpy as np

from bottomup.centers.fields import CenterFields
from bottomup.centers.movenet import MoveNetDecoder
from bottomup.centers.reference.fields import (
    Array,
    Maps,
    as_poses,
    cells_of,
    f32,
    first_best,
    gaussian,
    read,
    squared_distances,
)
from bottomup.poses import Poses

__all__ = ["box_of", "decode_movenet", "mark_centers"]

_TIE = f32(np.float16(1e-6))
_SPREAD = f32(np.float16(0.3))
_LEAST_PART = f32(np.float16(0.127))


def decode_movenet(fields: CenterFields, decoder: MoveNetDecoder) -> Poses:
    """Return what `MoveNetDecoder.decode` returns."""
    maps = read(fields)
    width = fields.grid[1]
    peaks = np.where(mark_centers(maps.centers), maps.centers, f32(0)).reshape(-1)
    best = np.argsort(-peaks, kind="stable")[: decoder.max_poses]
    chosen = [divmod(int(cell), width) for cell in best]
    boxes = [box_of(maps, cell, fields.grid) for cell in chosen]
    wanted = [_weighted(maps, cell, box) for cell, box in zip(chosen, boxes, strict=True)]  # (H, W, N) each
    people: list[Array] = []
    scores: list[Any] = []
    for person, cell in enumerate(chosen):
        pose = np.zeros((maps.parts.shape[2], 3), f32)
        for part in range(len(pose)):
            row, column = first_best(wanted[person][..., part])
            pose[part, :2] = np.array([row, column], f32) + maps.offsets[row, column, part]
            pose[part, 2] = max(np.where(each[row, column, part] > 0, each[row, column, part], 0) for each in wanted)
        sure = [score for score in pose[:, 2] if score > _LEAST_PART]
        total = f32(0)
        for score in sure:
            total += score
        people.append(pose)
        scores.append(min(min(maps.centers[cell], f32(1)) * (total / f32(max(len(sure), 1))), f32(1)))
    number = int((peaks[best] > 0).sum())  # the graph fills up with the rest
    return as_poses(people[:number], scores[:number], fields, boxes[:number])


def mark_centers(centers: Array) -> Any:
    """Mark the cells that are within a hair of the highest score of the 5 x 5 cells around them."""
    height, width = centers.shape
    marked = np.zeros(centers.shape, bool)
    for row, column in np.ndindex(height, width):
        around = centers[max(row - 2, 0) : row + 3, max(column - 2, 0) : column + 3]
        is_higher = (around > centers[row, column]) & ~(around - centers[row, column] < _TIE)
        marked[row, column] = centers[row, column] > 0 and not is_higher.any()
    return marked


def box_of(maps: Maps, cell: tuple[int, int], grid: tuple[int, int]) -> Array:
    """Return top, left, bottom and right of the box of the person whose centre is at a cell."""
    size = np.where(maps.box_sizes[cell] > 0, maps.box_sizes[cell], f32(0))
    middle = np.array(cell, f32) + maps.box_offsets[cell]
    ends = np.concatenate([middle - size * f32(0.5), middle + size * f32(0.5)])
    return np.asarray(np.where(ends > 0, np.minimum(ends, np.array([*grid, *grid], f32)), f32(0)))


def _weighted(maps: Maps, cell: tuple[int, int], box: Array) -> Array:
    """Return the score of every cell as each part of a person: 0 outside their box."""
    grid = maps.centers.shape
    top, left, bottom, right = box
    rows, columns = np.moveaxis(cells_of(grid), 2, 0)
    inside = (top <= rows) & (rows < bottom) & (left <= columns) & (columns < right)
    weighted = np.zeros(maps.parts.shape, f32)
    for part in range(maps.parts.shape[2]):
        guess = np.array(cell, f32) + maps.regressions[(*cell, part)]
        if np.isfinite(guess).all():
            weights = gaussian(squared_distances(grid, guess), _SPREAD * f32(min(grid)))
            weighted[..., part] = np.where(inside, maps.parts[..., part] * weights, f32(0))
    return weighted
