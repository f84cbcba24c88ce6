"""What the page shows of a one-stage network: where rows score, and the parts of those that do."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bottomup.boxes.fields import BoxFields
from bottomup.boxes.reference.reading import read_boxes, read_keypoints, read_scores
from bottomup.geometry import ImageSize
from bottomup.layers import Layers, Words, sample_decodes

__all__ = ["box_layers"]

_SLIDERS = {
    "score_threshold": (0.01, 0.05, 0.1, 0.25, 0.4, 0.6, 0.8),
    "iou_threshold": (0.3, 0.45, 0.6, 0.7, 0.8, 0.95),
}
_MOST_ROWS = 100  # whose parts are shown
_PITCH = 8  # input pixels of a cell of the map
_WORDS = Words(
    maps="The highest score of the boxes whose middle is in a cell.",
    peaks="The network's rows, each a finished guess at a person, at the middle of its box.",
    links="Each row's box and parts: of rows whose boxes overlap too much, the best stays.",
    is_above=True,
    limit="iou_threshold",
    near="dropped: its box shares {measure} of the union with {who}'s, more than iou_threshold {limit}",
    otherwise="dropped: max_poses better ones were found",
)


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
    best = shown[:_MOST_ROWS]
    peaks = [
        [-1, *_rounded(middle), round(float(min(scores[row], 1)), 5)]
        for row, middle in zip(best, middles, strict=False)
    ]
    traces = [
        [[part, *_rounded(place[:2])] for part, place in enumerate(keypoints[row]) if np.isfinite(place).all()]
        for row in best
    ]
    return Layers(
        family="boxes",
        skeleton=fields.skeleton,
        maps={"boxes": _scores_at(middles, scores[shown], fields.input_size)},
        map_origin=((_PITCH - 1) / 2, (_PITCH - 1) / 2),
        map_pitch=(float(_PITCH), float(_PITCH)),
        vectors=[],
        peaks=peaks,
        traces=traces,
        limbs=[],
        settings=settings,
        decodes=decodes,
        words=_WORDS,
        boxes=[_rounded(boxes[row]) for row in best],
        rivals=_rivals(boxes[best], settings, decoder),
    )


def _rounded(places: Any) -> list[float]:
    return [round(float(place), 1) for place in places]


def _rivals(boxes: NDArray[Any], settings: dict[str, tuple[float, ...]], decoder: Any) -> list[Any]:
    """Return the pairs of boxes that some step of the slider takes for one person's: worse, better, their share."""
    lowest = min(settings.get("iou_threshold", (1.0,)))
    left, top, right, bottom = boxes.astype(np.float64).T
    extra = float(getattr(decoder, "count_last_pixel", False))
    areas = (right - left + extra) * (bottom - top + extra)
    pairs = []
    for worse in range(1, len(boxes)):
        width = np.minimum(right[worse], right[:worse]) - np.maximum(left[worse], left[:worse]) + extra
        height = np.minimum(bottom[worse], bottom[:worse]) - np.maximum(top[worse], top[:worse]) + extra
        both = np.maximum(width, 0) * np.maximum(height, 0)
        with np.errstate(all="ignore"):
            shares = both / (areas[worse] + areas[:worse] - both)
        pairs += [[worse, int(better), round(float(shares[better]), 2)] for better in np.flatnonzero(shares > lowest)]
    return pairs


def _scores_at(middles: NDArray[Any], scores: NDArray[Any], size: ImageSize | None) -> NDArray[np.float32]:
    """Return a map of the highest score of the boxes whose middle is in a cell."""
    if size is None:  # the rows alone tell how large the input may have been
        size = ImageSize(*(int(side) + 1 for side in np.clip(middles.max(axis=0, initial=0), 0, 4096)))
    found = np.zeros((-(-size.height // _PITCH), -(-size.width // _PITCH)), np.float32)
    cells = np.clip(np.floor(middles / _PITCH), 0, np.array(found.shape)[::-1] - 1).astype(np.intp)
    np.maximum.at(found, (cells[:, 1], cells[:, 0]), np.clip(scores, 0, 1))
    return found
