"""DEKR's decoder, as mmpose and its own code define it."""

import math
from typing import Any

import numpy as np

from bottomup.centers.dekr import DekrDecoder, window_radius
from bottomup.centers.fields import CenterFields
from bottomup.centers.reference.fields import Array, as_poses, f32, read, top_cells
from bottomup.centers.running import above_element
from bottomup.poses import Poses

__all__ = ["decode_dekr"]


def decode_dekr(fields: CenterFields, decoder: DekrDecoder) -> Poses:
    """Return what `DekrDecoder.decode` returns."""
    maps = read(fields)
    is_official = decoder.flavour == "official"
    lowest = above_element(fields, "center", decoder.score_threshold)
    if lowest is None:
        return Poses.empty(fields.skeleton)
    center = fields.tensors[0][0].reshape(fields.grid)
    radius = window_radius(fields.grid) if is_official else 2
    people: list[Array] = []
    ranks: list[Any] = []
    for cell in top_cells(center, lowest, radius, decoder.max_poses):
        pose = np.zeros((maps.parts.shape[2], 3), f32)
        total_heat = f32(0)
        for part in range(len(pose)):
            place = np.array(cell, f32) + maps.regressions[(*cell, part)]
            heat = (_below if is_official else _between)(maps.parts[..., part], place)
            pose[part] = *place, maps.centers[cell] * heat
            total_heat += heat
        people.append(pose)
        mean = total_heat / f32(len(pose))
        ranks.append(f32(-np.inf) if np.isnan(mean) else mean)
    order = range(len(people)) if is_official else sorted(range(len(people)), key=lambda each: -ranks[each])
    taken: set[int] = set()
    kept = []
    for person in order:
        reach = f32(decoder.nearness) * _diagonal(people[person])
        group = [other for other in range(len(people)) if _are_near(people[person], people[other], reach)]
        chosen = max(group, key=lambda each: (ranks[each], -each), default=None)
        if person not in taken and chosen is not None and chosen not in taken:
            kept.append(chosen)
            taken.update(group)
    means = [_mean(people[each]) for each in kept]
    scores = [min(mean, f32(1)) if mean > 0 else f32(0) for mean in means]
    return as_poses([people[each] for each in kept], scores, fields)


def _mean(pose: Array) -> Any:
    """Return the mean of a pose's keypoint scores."""
    total = f32(0)
    for score in pose[:, 2]:
        total += score
    return total / f32(len(pose))


def _inside(place: Any, grid: tuple[int, ...]) -> Any:
    """Return a place clamped to the grid; NaN becomes 0."""
    last = np.array(grid, f32) - f32(1)
    return np.where(place > 0, np.minimum(place, last), f32(0))


def _below(heat: Array, place: Array) -> Any:
    """Return the score of the cell at a place rounded down, clamped to the grid."""
    row, column = _inside(place, heat.shape).astype(int)
    return heat[row, column]


def _between(heat: Array, place: Array) -> Any:
    """Return the score at a place, bilinear, as mmpose's grid_sample reads it: half a cell off."""
    sizes = np.array(heat.shape, f32)
    row, column = _inside(place * sizes / np.maximum(sizes - f32(1), f32(1)) - f32(0.5), heat.shape)
    top, left = int(row), int(column)
    down, right = row - f32(top), column - f32(left)
    bottom, other = top + (down > 0), left + (right > 0)
    upper = (f32(1) - right) * heat[top, left] + right * heat[top, other]
    lower = (f32(1) - right) * heat[bottom, left] + right * heat[bottom, other]
    return (f32(1) - down) * upper + down * lower


def _diagonal(pose: Array) -> Any:
    """Return the diagonal of the box around a pose, in cells; NaN if a part is not finite."""
    if not np.isfinite(pose[:, :2]).all():
        return f32(np.nan)
    tall, wide = pose[:, :2].max(axis=0) - pose[:, :2].min(axis=0)
    return f32(math.sqrt(np.float64(tall * tall + wide * wide)))


def _are_near(pose: Array, other: Array, reach: Any) -> bool:
    """Tell whether more than half of the parts of two poses lie nearer than `reach`."""
    down, right = (pose[:, :2] - other[:, :2]).T
    return bool((down * down + right * right < reach * reach).sum() > len(pose) // 2)
