"""MoveNet's decoder for one person, as the SinglePose graphs define it."""

import numpy as np

from bottomup.centers.fields import CenterFields
from bottomup.centers.reference.fields import (
    as_poses,
    f32,
    first_best,
    inverse_distance,
    read,
    squared_distances,
)
from bottomup.poses import Poses

__all__ = ["decode_movenet_single"]

_NEAR = f32(1.8)
_LEAST_PART = f32(0.2)


def decode_movenet_single(fields: CenterFields) -> Poses:
    """Return what `MoveNetSingleDecoder.decode` returns."""
    maps = read(fields)
    grid = fields.grid
    middle = np.array(grid, f32) / f32(2)
    cell = first_best(maps.centers * inverse_distance(squared_distances(grid, middle), _NEAR))
    pose = np.zeros((maps.parts.shape[2], 3), f32)
    for part in range(len(pose)):
        guess = np.array(cell, f32) + maps.regressions[(*cell, part)]
        row, column = 0, 0
        if np.isfinite(guess).all():
            weights = inverse_distance(squared_distances(grid, guess), _NEAR)
            row, column = first_best(maps.parts[..., part] * weights)
        pose[part, :2] = np.array([row, column], f32) + maps.offsets[row, column, part]
        pose[part, 2] = maps.parts[row, column, part]
    total = f32(0)
    sure = [min(score, f32(1)) for score in pose[:, 2] if score > _LEAST_PART]
    for score in sure:
        total += score
    return as_poses([pose], [total / f32(max(len(sure), 1))], fields)
