"""Masks, spelled out: embed every cell, measure, and interpolate between cells. Single precision, as the kernels."""

from typing import Any

import numpy as np

from bottomup.geometry import Placement, input_to_cell
from bottomup.posenet.fields import BODY_PARTS, PoseNetFields
from bottomup.posenet.masks import CoralMasks, MaskRule, PoseNetMasks, Size, TfjsMasks
from bottomup.posenet.masks.pixels import pixels_in_cells
from bottomup.posenet.masks.rule import needed
from bottomup.posenet.reference.tree import Array, f32, follow, logit, sample, scaled
from bottomup.poses import Poses
from bottomup.tensors import Field

__all__ = ["as_vectors", "embed", "find_masks", "find_parts", "measure", "person_logits"]


def find_masks(
    fields: PoseNetFields, poses: Poses, rule: MaskRule, size: Size = None, placement: Placement | None = None
) -> Array:
    """Return what `rule.masks(fields, poses, size, placement=placement)` returns."""
    with np.errstate(all="ignore"):  # whatever the tensors hold
        segments = person_logits(fields)
        counts = np.ones(fields.grid, bool) if isinstance(rule, CoralMasks) else segments >= f32(_lowest(rule))
        if isinstance(rule, CoralMasks):
            segments = np.zeros(fields.grid, f32)
        distances = np.full((len(poses), *fields.grid), np.inf, f32)
        stride = f32(fields.output_stride)
        long_offsets, short_offsets = (
            as_vectors(field, fields.output_stride) for field in (needed(fields, "long_offsets"), fields.offsets)
        )
        for row, column in np.argwhere(counts).tolist():
            places = embed(long_offsets, short_offsets, stride, rule, row, column)
            for number in range(len(poses)):
                distances[number, row, column] = measure(
                    places, poses[number], rule, fields.output_stride, fields.shift
                )
        furthest = f32(rule.max_distance) if isinstance(rule, PoseNetMasks) else f32(np.inf)
        is_owned = np.asarray(((distances <= furthest) & (distances < np.inf)).any(axis=0))
        near: Array = np.minimum(distances, furthest)
        rows, columns = pixels_in_cells(fields, size, placement)
        masks = np.zeros((len(poses), len(rows), len(columns)), bool)
        for y, x in np.ndindex(len(rows), len(columns)):
            corners = _corners(rows[y], columns[x])
            if isinstance(rule, CoralMasks) or _between(segments, corners) >= f32(_lowest(rule)):
                nearest = [_sum_over(counts, near[number], corners) for number in range(len(poses))]
                best = int(np.argmin(nearest)) if nearest else 0
                share = _sum_over(counts, is_owned.astype(f32), corners)
                if nearest and nearest[best] <= furthest * share and nearest[best] < np.inf:
                    masks[best, y, x] = True
        return masks


def find_parts(fields: PoseNetFields, rule: MaskRule, size: Size = None, placement: Placement | None = None) -> Array:
    """Return what `rule.parts(fields, None, size, placement=placement)` returns."""
    with np.errstate(all="ignore"):
        segments, heatmaps = person_logits(fields), _cut(scaled(needed(fields, "part_heatmaps"), f32(1)))
        rows, columns = pixels_in_cells(fields, size, placement)
        parts = np.full((len(rows), len(columns)), -1, np.int8)
        for y, x in np.ndindex(len(rows), len(columns)):
            corners = _corners(rows[y], columns[x])
            if _between(segments, corners) >= f32(_lowest(rule)):
                logits = [_between(heatmaps[..., part], corners) for part in range(len(BODY_PARTS))]
                parts[y, x] = np.argmax(logits)
        return parts


def person_logits(fields: PoseNetFields) -> Array:
    """Return (H, W) person logits; NaN is nobody."""
    if fields.segments is None:
        return np.zeros(fields.grid, f32)
    return _cut(scaled(fields.segments, f32(1))[..., 0])


def as_vectors(field: Field, output_stride: float) -> Array:
    """Return an offset tensor as (H, W, N, 2) vectors in cells, down and right."""
    tensor = scaled(field, f32(1) / f32(output_stride))
    return np.asarray(np.moveaxis(tensor.reshape(*tensor.shape[:2], 2, -1), 2, 3))


def embed(long_offsets: Array, short_offsets: Array, stride: Any, rule: MaskRule, row: int, column: int) -> list[Array]:
    """Return all (N, 2) places that count, row and column, of those that a cell's offsets (in cells) lead to."""
    at_once = np.array([row, column], f32) + long_offsets[row, column]
    if not isinstance(rule, TfjsMasks):
        at_once = np.array([_inside(place, long_offsets) for place in at_once])
    visited, places, is_moving = [], at_once, np.ones(len(at_once), bool)
    for _ in range(rule.long_steps):
        visited.append(places)
        places = places.copy()
        for part in np.flatnonzero(is_moving).tolist():
            places[part] = _follow_long(places[part], part, rule, long_offsets, stride)
        if isinstance(rule, PoseNetMasks):
            is_moving &= np.square(places - visited[-1]).sum(axis=1) > f32(1 / 16)
            if not is_moving.any():
                break
    if not isinstance(rule, PoseNetMasks):
        return [places]
    for _ in range(rule.refinement_steps):
        vectors = [sample(short_offsets[:, :, part], place) for part, place in enumerate(places)]
        places = np.array([follow(place, vector, short_offsets) for place, vector in zip(places, vectors, strict=True)])
    return [*visited, places]


def _follow_long(place: Array, part: int, rule: MaskRule, long_offsets: Array, stride: Any) -> Array:
    """Return where a part's long offset leads from a place; tfjs's is read at a whole pixel and may leave the grid."""
    if isinstance(rule, TfjsMasks):
        pixel = _inside(np.floor(place * stride + f32(0.5)) / stride, long_offsets)
        return np.asarray(place + sample(long_offsets[:, :, part], pixel))
    return follow(place, sample(long_offsets[:, :, part], place), long_offsets)


def measure(
    places: list[Array], pose: Poses, rule: MaskRule, output_stride: float, shift: tuple[float, float] = (0.0, 0.0)
) -> Any:
    """Return how far a pose's parts are from the nearest places: the rule's mean or sum; infinity if not finite."""
    keypoints, score = pose.keypoints[0], pose.scores[0]
    parts = input_to_cell(keypoints[:, :2] - np.array(shift, f32), output_stride).astype(f32)
    counts = np.isfinite(keypoints).all(axis=1)
    if isinstance(rule, PoseNetMasks):
        counts &= keypoints[:, 2] > 0
        weights = keypoints[:, 2]
        size = np.sqrt(np.prod(np.maximum(np.ptp(parts[counts], axis=0), 1), dtype=f32)) if counts.any() else f32(1)
        whole = sum(weights[counts], f32(0)) * size
    elif isinstance(rule, TfjsMasks):
        counts &= (keypoints[:, 2] > f32(rule.keypoint_threshold)) & (score >= f32(rule.pose_threshold))
        weights, whole = np.ones(len(keypoints), f32), f32(counts.sum())
    else:
        weights, whole = np.ones(len(keypoints), f32), f32(1)
    total = f32(0)
    for part in np.flatnonzero(counts):
        squared = min(np.square(place[part] - parts[part]).sum() for place in places)
        total += weights[part] / whole * (np.sqrt(squared) if isinstance(rule, PoseNetMasks) else squared)
    return total if counts.any() and total < np.inf else np.inf


def _inside(place: Array, grid: Array) -> Array:
    """Return the place inside the grid that is nearest; NaN is 0."""
    return follow(place, np.zeros(2, f32), grid)


def _cut(logits: Array) -> Array:
    """Return logits cut at plus and minus 88, beyond which no float32 score tells them apart; NaN is the lowest."""
    return np.asarray(np.minimum(np.where(logits > f32(-88), logits, f32(-88)), f32(88)))


def _lowest(rule: MaskRule) -> float:
    return logit(rule.segment_threshold)


def _corners(row: Any, column: Any) -> list[tuple[int, int, Any, Any]]:
    """Return row, column and both shares of the four cells around a place."""
    top, left = int(row), int(column)
    below, beside = row - f32(top), column - f32(left)
    bottom, far = top + int(below > 0), left + int(beside > 0)
    upper, lower = f32(1) - below, below
    near, across = f32(1) - beside, beside
    return [
        (top, left, upper, near),
        (top, far, upper, across),
        (bottom, left, lower, near),
        (bottom, far, lower, across),
    ]


def _between(values: Array, corners: list[tuple[int, int, Any, Any]]) -> Any:
    """Return the bilinear value between four cells: first down, then across."""
    (top, left, upper, near), (_, far, _, across), (bottom, _, lower, _), _ = corners
    first = upper * values[top, left] + lower * values[bottom, left]
    second = upper * values[top, far] + lower * values[bottom, far]
    return near * first + across * second


def _sum_over(counts: Array, values: Array, corners: list[tuple[int, int, Any, Any]]) -> Any:
    """Return the sum of four cells' values by their shares, of those that count."""
    total = f32(0)
    for row, column, down, across in corners:
        if counts[row, column] and down * across > 0:
            total += down * across * values[row, column]
    return total
