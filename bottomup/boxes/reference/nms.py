"""Greedy non-maximum suppression, and the votes of rows that it leaves out."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bottomup.boxes.best import BoxDecoder

__all__ = ["area", "f32", "find_owners", "let_vote", "overlap"]

f32 = np.float32


def find_owners(boxes: NDArray[np.float32], classes: NDArray[Any], decoder: BoxDecoder) -> NDArray[np.intp]:
    """Return to which box each belongs, of boxes that come best first: to itself if it stays, -1 if it is one too many.

    A box stays unless a better one that stays, of its class, covers it; then it belongs to the one that covers most.

    Parameters
    ----------
    boxes : (M, 4) array
        Left, top, right, bottom.
    classes : (M,) int array
    decoder : BoxDecoder
        Whose `iou_threshold`, `max_poses` and `count_last_pixel` count.
    """
    kept: list[int] = []
    owners = np.full(len(boxes), -1)
    for index in range(len(boxes)):
        shares = [
            overlap(boxes[index], boxes[other], decoder) if classes[other] == classes[index] else f32(0)
            for other in kept
        ]
        if any(share > f32(decoder.iou_threshold) for share in shares):
            owners[index] = kept[int(np.nanargmax(shares))]
        elif len(kept) < decoder.max_poses:
            kept.append(index)
            owners[index] = index
    return owners


def let_vote(
    keypoints: NDArray[np.float32],
    scores: NDArray[np.float32],
    boxes: NDArray[np.float32],
    owners: NDArray[np.intp],
    decoder: BoxDecoder,
) -> NDArray[np.float32]:
    """Return keypoints whose positions are means over the rows that belong to a box and share enough with it."""
    voted = keypoints.copy()
    weights = keypoints[..., 2].astype(np.float64) * np.clip(scores, 0, 1).astype(np.float64)[:, None]
    for pose in np.flatnonzero(owners == np.arange(len(owners))):
        voters = [
            index
            for index in np.flatnonzero(owners == pose)
            if index == pose or overlap(boxes[index], boxes[pose], decoder) > f32(decoder.vote_threshold)
        ]
        for part in range(keypoints.shape[1]):
            counted = [index for index in voters if weights[index, part] > 0]
            if counted:
                total = sum(weights[index, part] for index in counted)
                for axis in range(2):
                    mean = (
                        sum(weights[index, part] * np.float64(keypoints[index, part, axis]) for index in counted)
                        / total
                    )
                    voted[pose, part, axis] = mean
    return voted


def overlap(one: NDArray[np.float32], other: NDArray[np.float32], decoder: BoxDecoder) -> np.float32:
    """Return the share of their union that two boxes have in common; NaN of two that are empty."""
    more = f32(decoder.count_last_pixel)
    width = min(one[2], other[2]) - max(one[0], other[0]) + more
    height = min(one[3], other[3]) - max(one[1], other[1]) + more
    common = max(width, f32(0)) * max(height, f32(0))
    return f32(common / (area(one, more) + area(other, more) - common))


def area(box: NDArray[np.float32], more: np.float32) -> np.float32:
    """Return the area of a box whose sides are so much longer than its corners say."""
    return f32((box[2] - box[0] + more) * (box[3] - box[1] + more))
