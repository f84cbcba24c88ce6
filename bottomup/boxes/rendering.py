"""Known poses -> the rows that a perfect one-stage network would give for them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bottomup.boxes.fields import BoxFields
from bottomup.boxes.form import NUM_BINS
from bottomup.boxes.grid import STRIDES, find_priors
from bottomup.errors import InputError
from bottomup.geometry import ImageSize, as_size
from bottomup.poses import Poses, as_poses
from bottomup.tensors import Quantized

__all__ = ["box_fields"]

_STRIDES = STRIDES[0]
_HIGH, _LOW = 0.95, 0.001  # scores at the best cell of a person, and far from all
_MARGIN = 0.1  # of a box around the keypoints, by its sides
_CELLS = 8  # a person is at most so many cells long on their own grid, the coarsest excepted
_REACH = 1.5  # strides around a person's middle within which cells see them
_NOTHING = -12.0  # a logit


def box_fields(
    poses: Poses, input_size: tuple[int, int] = (640, 640), *, heads: bool = False, quantized: bool = False
) -> BoxFields:
    """Render the rows that a perfect YOLO-pose network would give for known poses.

    Each person is seen by the cells around the middle of their box, on the
    grid whose stride suits their size; all of them give the same box and
    parts, with a score that falls from 0.95 with the distance. Where people
    meet, a cell belongs to the one whose middle is nearest, but everybody has
    one.

    Parameters
    ----------
    poses : Poses
        People in input pixels, each with a keypoint or more. Boxes are the
        poses' `own_boxes`, or go around the keypoints with a margin. Parts
        that are nan lie in the middle of the box, with score 0; scores are not looked at.
    input_size : (int, int)
        Width and height of the network's input, whole multiples of 32.
    heads : bool
        Give the raw heads that `BoxFields.from_yolo_heads` takes, not the rows of `BoxFields.from_yolo`.
    quantized : bool
        Give uint8 `Quantized` tensors. Rows are then shares of the input, a
        level is 0.0055 of them, as in 8-bit files.

    Raises
    ------
    InputError
        If the size cannot be, or a pose has no keypoint.

    Examples
    --------
    >>> from bottomup import synthetic
    >>> box_fields(synthetic.random_poses(3, (320, 320)), (320, 320)).rows.shape
    (2100, 56)
    """
    size = as_size(input_size)
    if size.width % _STRIDES[-1] or size.height % _STRIDES[-1]:
        raise InputError(f"input_size must be whole multiples of {_STRIDES[-1]} pixels, got {tuple(size)}")
    counts = np.isfinite(as_poses(poses).xy).all(axis=2).sum(axis=1)
    if not counts.all():
        raise InputError("poses must have a keypoint each, got one without: leave it out")
    boxes, priors = _boxes(poses), find_priors(size, _STRIDES).astype(np.float64)
    owners, scores = _owners(boxes, priors)
    keypoints = _keypoints(poses, boxes)
    if heads:
        return _heads(poses, size, boxes, keypoints, priors, owners, scores, quantized)
    unit = np.array(size if quantized else (1, 1), np.float64)
    rows = np.zeros((len(priors), 5 + 3 * keypoints.shape[1]))
    rows[:, 4] = scores
    rows[:, :2] = (priors[:, :2] + priors[:, 2:] / 2) / unit
    is_owned = owners >= 0
    whose = owners[is_owned]
    rows[is_owned, :2] = (boxes[whose, :2] + boxes[whose, 2:] / 2) / unit
    rows[is_owned, 2:4] = boxes[whose, 2:] / unit
    rows[is_owned, 5:] = (keypoints / (*unit, 1)).reshape(len(poses), rows.shape[1] - 5)[whose]
    output: Any = Quantized(np.clip(np.round(rows / 0.0055) + 18, 0, 255).astype(np.uint8), 0.0055, 18)
    output = output if quantized else rows
    shares = {"normalized_boxes": quantized, "normalized_parts": quantized}
    return BoxFields.from_yolo(output, input_size=size, skeleton=poses.skeleton, classes=1, **shares)


def _boxes(poses: Poses) -> NDArray[np.float64]:
    """Return left, top, width and height of the people."""
    if poses.own_boxes is not None:
        return poses.own_boxes.astype(np.float64)
    low, high = np.nanmin(poses.xy, axis=1, initial=np.inf), np.nanmax(poses.xy, axis=1, initial=-np.inf)
    margin = np.maximum(_MARGIN * (high - low), 1)
    return np.concatenate([low - margin, high - low + 2 * margin], axis=1).astype(np.float64)


def _keypoints(poses: Poses, boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return x, y and score of all parts; those that are not there lie in the middle."""
    is_there = np.isfinite(poses.xy).all(axis=2, keepdims=True)
    middles = np.broadcast_to((boxes[:, :2] + boxes[:, 2:] / 2)[:, None], poses.xy.shape)
    return np.concatenate([np.where(is_there, poses.xy, middles), np.where(is_there, _HIGH, 0)], axis=2)


def _owners(boxes: NDArray[np.float64], priors: NDArray[np.float64]) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return whom each row shows, -1 for nobody, and its score."""
    owners, nearest = np.full(len(priors), -1), np.full(len(priors), np.inf)
    if not len(boxes):
        return owners, np.full(len(priors), _LOW)
    middles, longest = boxes[:, :2] + boxes[:, 2:] / 2, boxes[:, 2:].max(axis=1)
    strides = [next((stride for stride in _STRIDES if side <= _CELLS * stride), _STRIDES[-1]) for side in longest]
    cells = priors[:, :2] + priors[:, 2:] / 2
    distances = np.linalg.norm(cells - middles[:, None], axis=2) / priors[:, 2]
    distances[np.array(strides)[:, None] != priors[:, 2]] = np.inf
    for person, own in enumerate(distances):
        is_nearer = (own < _REACH) & (own < nearest)
        owners[is_nearer], nearest[is_nearer] = person, own[is_nearer]
    firsts: set[int] = set()
    for person, own in enumerate(distances):
        first = next(int(row) for row in np.argsort(own) if int(row) not in firsts)
        owners[first], nearest[first] = person, 0
        firsts.add(first)
    return owners, np.where(owners >= 0, _HIGH * np.exp(-(np.minimum(nearest, 9) ** 2)), _LOW)


def _heads(
    poses: Poses,
    size: ImageSize,
    boxes: NDArray[np.float64],
    keypoints: NDArray[np.float64],
    priors: NDArray[np.float64],
    owners: NDArray[np.intp],
    scores: NDArray[np.float64],
    quantized: bool,
) -> BoxFields:
    """Return the fields of raw heads."""
    is_owned = owners >= 0
    whose, corners, strides = owners[is_owned], priors[is_owned, :2], priors[is_owned, 2:]
    rows = np.zeros((len(priors), 4 * NUM_BINS + 1))
    rows[:, -1] = _logits(scores)
    before = (corners - boxes[whose, :2]) / strides + 0.5
    behind = (boxes[whose, :2] + boxes[whose, 2:] - corners) / strides - 0.5
    sides = np.clip(np.concatenate([before, behind], axis=1), 0, NUM_BINS - 1)[..., None]
    floor = np.exp(_NOTHING if quantized else -30)
    weights = np.maximum(1 - np.abs(sides - np.arange(NUM_BINS)), floor)  # between the two nearest distances
    rows[is_owned, :-1] = np.log(weights).reshape(len(whose), 4 * NUM_BINS)
    parts = np.zeros((len(priors), *keypoints.shape[1:]))
    parts[is_owned, :, :2] = (keypoints[whose, :, :2] - corners[:, None]) / strides[:, None] / 2
    parts[..., 2] = _NOTHING
    parts[is_owned, :, 2] = _logits(keypoints[whose, :, 2])
    flat = parts.reshape(len(parts), 3 * parts.shape[1])
    tensors: Any = (_levels(rows, 0.1), _levels(flat, 0.1)) if quantized else (rows, flat)
    return BoxFields.from_yolo_heads(*tensors, input_size=size, skeleton=poses.skeleton)


def _logits(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    with np.errstate(divide="ignore"):
        return np.maximum(np.log(scores / (1 - scores)), _NOTHING)


def _levels(values: NDArray[np.float64], scale: float) -> Quantized:
    """Quantise values around 0."""
    return Quantized(np.clip(np.round(values / scale) + 128, 0, 255).astype(np.uint8), scale, 128)
