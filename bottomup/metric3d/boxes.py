"""Boxes around people, and the detectors that find them."""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bottomup.errors import InputError
from bottomup.metric3d.plausibility import as_boxes
from bottomup.poses import Poses

__all__ = ["Detector", "boxes_from_poses", "detect_boxes", "suppress_overlapping"]

#: Takes a BGR (H, W, 3) uint8 image; returns Poses, or (M, 4) or (M, 5) boxes: left, top, width, height, score.
Detector: TypeAlias = Callable[[NDArray[np.uint8]], Any]


def boxes_from_poses(
    poses: Poses, image_size: tuple[int, int], *, expansion: float = 1.25, keypoint_threshold: float = 0.1
) -> NDArray[np.float64]:
    """Return (M, 5) boxes around 2D poses: left, top, width, height, score.

    Each box encloses the keypoints that score enough, is enlarged about its
    centre and clipped to the image. A pose with fewer than two such keypoints has no box: (nan, nan, nan, nan, score).

    Parameters
    ----------
    poses : Poses
        In image pixels.
    image_size : (int, int)
        Width and height.
    expansion : float
        How much wider and higher the box is than its keypoints: bodies extend beyond their joints.
    keypoint_threshold : float
        Lowest score of a keypoint that counts.
    """
    xy = np.where((poses.keypoint_scores >= keypoint_threshold)[..., None], poses.xy, np.nan).astype(np.float64)
    boxes = np.full((len(poses), 5), np.nan)
    boxes[:, 4] = poses.scores
    for person, places in enumerate(xy):
        found = places[np.isfinite(places).all(axis=1)]
        if len(found) >= 2:
            middle, half = (found.max(axis=0) + found.min(axis=0)) / 2, np.ptp(found, axis=0) / 2 * expansion
            low, high = (middle - half).clip(0, image_size), (middle + half).clip(0, image_size)
            boxes[person, :4] = *low, *(high - low)
    return boxes


def suppress_overlapping(boxes: ArrayLike, *, threshold: float = 0.7) -> NDArray[np.bool_]:
    """Return which boxes to keep: those that overlap no better one by more than `threshold`.

    Parameters
    ----------
    boxes : (M, 5) array
        Left, top, width, height in pixels, and score.
    threshold : float
        Intersection over union above which the worse box is dropped.

    Raises
    ------
    InputError
        If boxes have no score.
    """
    places = as_boxes(boxes)
    if places.shape[1] != 5:
        raise InputError(f"boxes must be (M, 5), with a score each, got {places.shape}")
    kept = np.zeros(len(places), np.bool_)
    for box in np.argsort(-places[:, 4], kind="stable"):
        kept[box] = all(_overlap(places[box], places[other]) <= threshold for other in np.flatnonzero(kept))
    return kept


def _overlap(box: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Return the intersection over union of two boxes."""
    low, high = np.maximum(box[:2], other[:2]), np.minimum(box[:2] + box[2:4], other[:2] + other[2:4])
    shared = float((high - low).clip(0).prod())
    total = float(box[2] * box[3] + other[2] * other[3]) - shared
    return shared / total if total > 0 else 0.0


def detect_boxes(
    detector: Detector,
    image: NDArray[np.uint8],
    *,
    score_threshold: float,
    nms_iou_threshold: float,
    max_detections: int,
    flip: bool,
) -> NDArray[np.float64]:
    """Return (M, 5) boxes of the people in a BGR image, best first.

    Parameters
    ----------
    detector : callable
        Takes the image and returns `Poses`, or (M, 4) or (M, 5) boxes.
    image : (H, W, 3) uint8 array
        BGR.
    score_threshold : float
        Lowest score of a box.
    nms_iou_threshold : float
        Intersection over union above which only the better of two boxes is kept.
    max_detections : int
        Keep at most this many boxes; -1 keeps all.
    flip : bool
        Also run the detector on the mirrored image.

    Raises
    ------
    InputError
        If the detector returns neither `Poses` nor boxes.
    """
    boxes = _boxes(detector(image), image)
    if flip:
        mirrored = _boxes(detector(np.ascontiguousarray(image[:, ::-1])), image)
        mirrored[:, 0] = image.shape[1] - mirrored[:, 0] - mirrored[:, 2]
        boxes = np.concatenate([boxes, mirrored])
    boxes = boxes[np.isfinite(boxes).all(axis=1) & (boxes[:, 4] >= score_threshold)]
    boxes = boxes[np.argsort(-boxes[:, 4], kind="stable")]
    boxes = boxes[suppress_overlapping(boxes, threshold=nms_iou_threshold)]
    return boxes if max_detections < 0 else boxes[:max_detections]


def _boxes(found: Any, image: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Convert a detector's result to (M, 5) boxes; a missing score becomes 1."""
    if isinstance(found, Poses):
        return boxes_from_poses(found, (image.shape[1], image.shape[0]))
    try:
        boxes = as_boxes(found)
    except InputError as error:
        raise InputError(f"the detector must return Poses or boxes: {error}") from error
    return boxes.copy() if boxes.shape[1] == 5 else np.concatenate([boxes, np.ones((len(boxes), 1))], axis=1)
