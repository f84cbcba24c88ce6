"""All rows in input pixels: scores, boxes, keypoints. Single precision; exponentials are rounded once."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bottomup.boxes.fields import BoxFields
from bottomup.boxes.form import BINS, CENTRE, CORNERS, NUM_BINS
from bottomup.boxes.grid import find_priors
from bottomup.boxes.rows import real
from bottomup.geometry import ImageSize

__all__ = ["Array", "clip", "exp", "f32", "read_boxes", "read_class_scores", "read_keypoints", "read_scores", "sigmoid"]

Array = NDArray[np.float32]
f32 = np.float32


def read_class_scores(fields: BoxFields) -> Array:
    """Return the (R, C) scores of all rows' classes."""
    form, rows = fields.form.scoring, real(fields.rows)
    scores = rows[:, form.first_class : form.first_class + form.num_classes]
    scores = sigmoid(scores) if form.is_logits else scores
    if form.objectness >= 0:
        factors = rows[:, form.objectness, None]
        scores = scores * (sigmoid(factors) if form.is_logits else clip(factors))
    return scores


def read_scores(fields: BoxFields) -> tuple[Array, NDArray[Any]]:
    """Return the (R,) scores of all rows and the (R,) numbers of their classes; a row without a number has NaN."""
    form = fields.form.scoring
    classes = real(fields.rows)[:, form.first_class : form.first_class + form.num_classes]
    numbers = np.where(np.isnan(classes), -np.inf, classes).argmax(axis=1)
    return read_class_scores(fields)[np.arange(len(numbers)), numbers], numbers


def read_boxes(fields: BoxFields) -> Array:
    """Return left, top, right and bottom of all rows, (R, 4)."""
    form, rows = fields.form.boxing, real(fields.rows)
    unit = np.array([form.box_unit_x, form.box_unit_y], f32)
    if form.kind == CORNERS:
        return rows[:, :4] * np.tile(unit, 2)
    corner, stride = _priors(fields)
    if form.kind == BINS:
        bins = rows[:, : 4 * NUM_BINS].reshape(len(rows), 4, NUM_BINS).astype(np.float64)
        weights = np.exp(bins - bins.max(axis=2, keepdims=True))
        totals = np.zeros((2, len(rows), 4))
        for number in range(NUM_BINS):  # in this order, for the last bit
            totals += weights[:, :, number], weights[:, :, number] * number
        sides = (totals[1] / totals[0]).astype(f32)
        return np.concatenate(
            [corner + (f32(0.5) - sides[:, :2]) * stride, corner + (f32(0.5) + sides[:, 2:]) * stride], axis=1
        )
    if form.kind == CENTRE:
        centre, half = rows[:, :2] * unit, rows[:, 2:4] * unit * f32(0.5)
    else:
        centre, half = rows[:, :2] * unit * stride + corner, exp(rows[:, 2:4]) * stride * f32(0.5)
    return np.concatenate([centre - half, centre + half], axis=1)


def read_keypoints(fields: BoxFields, scores: Array) -> Array:
    """Return x, y and score of all rows' parts, (R, N, 3); a part without a score has its row's."""
    form = fields.form.parting
    parts = real(fields.rows if fields.parts is None else fields.parts)
    last = form.first_part + form.num_parts * form.num_values
    parts = parts[:, form.first_part : last].reshape(len(parts), form.num_parts, form.num_values)
    corner, stride = _priors(fields)
    unit = np.array([form.part_unit_x, form.part_unit_y], f32)
    xy = parts[..., :2] * unit * stride[:, None] + corner[:, None]
    own = np.broadcast_to(scores[:, None], xy.shape[:2])
    if form.num_values == 3:
        own = sigmoid(parts[..., 2]) if form.are_logits else parts[..., 2]
    is_somewhere = np.isfinite(xy).all(axis=2, keepdims=True)
    return np.where(
        is_somewhere, np.concatenate([xy, clip(own)[..., None]], axis=2), np.array([np.nan, np.nan, 0])
    ).astype(f32)


def _priors(fields: BoxFields) -> tuple[Array, Array]:
    """Return the (R, 2) corners of the rows' cells and their (R, 1) strides; 0 and 1 of rows in units of their own."""
    if fields.form.boxing.kind in (CENTRE, CORNERS):
        return np.zeros((fields.rows.shape[0], 2), f32), np.ones((fields.rows.shape[0], 1), f32)
    priors = find_priors(fields.input_size or ImageSize(0, 0), fields.strides)
    return priors[:, :2], priors[:, 2:]


def clip(scores: Array) -> Array:
    """Return scores in [0, 1]; NaN is 0."""
    return np.clip(np.where(np.isnan(scores), f32(0), scores), f32(0), f32(1))


def exp(powers: Array) -> Array:
    """Return exponentials, rounded once."""
    return np.exp(powers.astype(np.float64)).astype(f32)


def sigmoid(logits: Array) -> Array:
    """Return scores of logits, rounded once."""
    return (1 / (1 + np.exp(-logits.astype(np.float64)))).astype(f32)
