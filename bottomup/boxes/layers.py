"""What the page shows of a one-stage network: where rows score, and the parts of those that do."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bottomup.boxes.fields import BoxFields
from bottomup.boxes.reference.reading import read_boxes, read_keypoints, read_scores
from bottomup.geometry import ImageSize
from bottomup.layers import Layers, sample_decodes

__all__ = ["box_layers"]

_SLIDERS = {
    "score_threshold": (0.01, 0.05, 0.1, 0.25, 0.4, 0.6, 0.8),
    "iou_threshold": (0.3, 0.45, 0.6, 0.7, 0.8, 0.95),
}
_MOST_ROWS = 100  # whose parts are shown
_PITCH = 8  # input pixels of a cell of the map


def box_layers(fields: BoxFields, decoder: Any) -> Layers:
    """Return everything to show of a network's rows, in input pixels."""
    settings, decodes = sample_decodes(decoder, fields, _SLIDERS)
    with np.errstate(all="ignore"):  # whatever the tensors hold
        scores, _ = read_scores(fields)
        boxes, keypoints = read_boxes(fields), read_keypoints(fields, scores)
    lowest = min(settings.get("score_threshold", (0.01,)))
    is_shown = (scores > lowest) & np.isfinite(boxes).all(axis=1)
    shown = np.flatnonzero(is_shown)
    shown = shown[np.argsort(-scores[shown], kind="stable")]
    middles = (boxes[shown, :2] + boxes[shown, 2:]) / 2
    peaks = [
        [part, *(round(float(place), 1) for place in keypoint[:2]), round(float(keypoint[2]), 3)]
        for pose in keypoints[shown[:_MOST_ROWS]]
        for part, keypoint in enumerate(pose)
        if np.isfinite(keypoint).all()
    ]
    return Layers(
        family="boxes",
        skeleton=fields.skeleton,
        maps={"boxes": _scores_at(middles, scores[shown], fields.input_size)},
        map_origin=((_PITCH - 1) / 2, (_PITCH - 1) / 2),
        map_pitch=(float(_PITCH), float(_PITCH)),
        vectors=[],
        peaks=peaks,
        traces=[],
        limbs=[],
        settings=settings,
        decodes=decodes,
    )


def _scores_at(middles: NDArray[Any], scores: NDArray[Any], size: ImageSize | None) -> NDArray[np.float32]:
    """Return a map of the highest score of the boxes whose middle is in a cell."""
    if size is None:  # the rows alone tell how large the input may have been
        size = ImageSize(*(int(side) + 1 for side in np.clip(middles.max(axis=0, initial=0), 0, 4096)))
    found = np.zeros((-(-size.height // _PITCH), -(-size.width // _PITCH)), np.float32)
    cells = np.clip(np.floor(middles / _PITCH), 0, np.array(found.shape)[::-1] - 1).astype(np.intp)
    np.maximum.at(found, (cells[:, 1], cells[:, 0]), np.clip(scores, 0, 1))
    return found
