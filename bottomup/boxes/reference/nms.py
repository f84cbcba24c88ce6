"""Greedy non-maximum suppression."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bottomup.boxes.best import BoxDecoder


def keep_best(boxes: NDArray[np.float32], classes: NDArray[Any], decoder: BoxDecoder) -> list[int]:
    """Return which boxes stay, of boxes that come best first: those that no better one of their class covers.

    Parameters
    ----------
    boxes : (M, 4) array
        Left, top, right, bottom.
    classes : (M,) int array
    decoder : BoxDecoder
        Whose `iou_threshold` and `count_last_pixel` count.
    """
    more = np.float32(decoder.count_last_pixel)
    kept: list[int] = []
    for index in range(len(boxes)):
        rivals = [other for other in kept if classes[other] == classes[index]]
        if not any(overlap(boxes[index], boxes[other], more) > np.float32(decoder.iou_threshold) for other in rivals):
            kept.append(index)
        if len(kept) == decoder.max_poses:
            break
    return kept


def overlap(one: NDArray[np.float32], other: NDArray[np.float32], more: np.float32) -> np.float32:
    """Return the share of their union that two boxes have in common; NaN of two that are empty."""
    width = min(one[2], other[2]) - max(one[0], other[0]) + more
    height = min(one[3], other[3]) - max(one[1], other[1]) + more
    common = max(width, np.float32(0)) * max(height, np.float32(0))
    return np.float32(common / (area(one, more) + area(other, more) - common))


def area(box: NDArray[np.float32], more: np.float32) -> np.float32:
    """Return the area of a box whose sides are so much longer than its corners say."""
    return np.float32((box[2] - box[0] + more) * (box[3] - box[1] + more))
