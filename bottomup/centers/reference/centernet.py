"""CenterNet's decoder of poses."""

import math
from typing import Any

import numpy as np

from bottomup.centers.centernet import CenterNetDecoder
from bottomup.centers.fields import CenterFields
from bottomup.centers.reference.fields import Array, Maps, as_poses, f32, read, top_cells
from bottomup.centers.running import above_element
from bottomup.poses import Poses

__all__ = ["decode_centernet"]


def decode_centernet(fields: CenterFields, decoder: CenterNetDecoder) -> Poses:
    """Return what `CenterNetDecoder.decode` returns."""
    maps = read(fields)
    lowest = above_element(fields, "center", decoder.score_threshold)
    lowest_part = above_element(fields, "heatmaps", decoder.peak_threshold)
    if lowest is None:
        return Poses.empty(fields.skeleton)
    center = fields.tensors[0][0].reshape(fields.grid)
    heat = fields.tensors[1][0].reshape(maps.parts.shape)
    tops = [
        [] if lowest_part is None else top_cells(heat[..., part], lowest_part, 1, decoder.max_poses)
        for part in range(heat.shape[2])
    ]
    chosen = top_cells(center, lowest, 1, decoder.max_poses)
    boxes = [_box(maps, cell) for cell in chosen]
    people = [_pose(maps, cell, box, tops, f32(decoder.reach)) for cell, box in zip(chosen, boxes, strict=True)]
    return as_poses(people, [min(maps.centers[cell], f32(1)) for cell in chosen], fields, boxes)


def _box(maps: Maps, cell: tuple[int, int]) -> Array:
    """Return top, left, bottom and right of the box of the person whose centre is at a cell."""
    half = maps.box_sizes[cell] * f32(0.5)
    middle = np.array(cell, f32) + maps.box_offsets[cell]
    return np.concatenate([middle - half, middle + half])


def _pose(maps: Maps, cell: tuple[int, int], box: Array, tops: list[list[tuple[int, int]]], reach: Any) -> Array:
    """Return row, column and score of every part."""
    top, left, bottom, right = box
    pose = np.zeros((len(tops), 3), f32)
    for part, peaks in enumerate(tops):
        guess = np.array(cell, f32) + maps.regressions[(*cell, part)]
        pose[part] = *guess, _score_at(maps.parts[..., part], guess)
        places = [np.array(peak, f32) + maps.offsets[(*peak, part)] for peak in peaks]
        squares = [_square(place - guess) for place in places]
        nearest = int(np.argmin([np.inf if np.isnan(each) else each for each in squares])) if squares else None
        if nearest is None or not np.isfinite(squares[nearest]):
            continue
        row, column = places[nearest]
        is_near = f32(math.sqrt(np.float64(squares[nearest]))) <= reach * max(bottom - top, right - left)
        if is_near and top <= row <= bottom and left <= column <= right:
            pose[part] = row, column, maps.parts[(*peaks[nearest], part)]
    return pose


def _square(vector: Array) -> Any:
    down, right = vector
    return down * down + right * right


def _score_at(heat: Array, place: Array) -> Any:
    """Return the score of the cell that a place lies in; 0 outside the grid."""
    if not ((place >= 0) & (place < np.array(heat.shape, f32))).all():
        return f32(0)
    row, column = place.astype(int)
    return heat[row, column]
