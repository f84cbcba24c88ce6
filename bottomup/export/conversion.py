"""Convert poses from one skeleton to another."""

import dataclasses

import numpy as np
from numpy.typing import NDArray

from bottomup.errors import InputError
from bottomup.poses import Poses, as_poses
from bottomup.skeletons import Skeleton, as_skeleton

__all__ = ["convert", "normalised"]

#: Parts in the middle of the body, and the two parts that each lies between.
_BETWEEN = {
    "neck": ("left_shoulder", "right_shoulder"),
    "mid_hip": ("left_hip", "right_hip"),
    "chest": ("neck", "mid_hip"),
}


def convert(poses: Poses, skeleton: Skeleton) -> Poses:
    """Convert poses to another skeleton.

    Parts are matched by name. If the poses lack a neck, mid hip or chest, it
    is placed halfway between the two shoulders, the two hips, or neck and mid
    hip: with the lower of the two scores, filled if either is filled, and not
    found if either is not. Other parts that the poses lack, such as feet, or
    the top of MPI's head in COCO's poses, are not found: (nan, nan, 0). Pose
    scores, boxes and ids stay the same.

    Parameters
    ----------
    poses : Poses
        Poses of any skeleton.
    skeleton : Skeleton
        The skeleton to convert to: COCO17, OPENPOSE18, BODY25, MPI15 or your own.

    Raises
    ------
    InputError
        If the two skeletons have no part in common.

    Examples
    --------
    >>> from bottomup.skeletons import BODY25, COCO17
    >>> body = convert(Poses(np.ones((1, 17, 3)), [0.5], COCO17), BODY25)
    >>> [part for part in BODY25.parts if np.isnan(body.xy[0, BODY25.index(part), 0])][:2]
    ['left_big_toe', 'left_small_toe']
    """
    parts = as_poses(poses).skeleton.parts
    if not set(parts) & set(as_skeleton(skeleton).parts):
        raise InputError(f"skeletons {poses.skeleton.name!r} and {skeleton.name!r} have no part in common")
    keypoints = np.full((len(poses), len(skeleton.parts), 3), (np.nan, np.nan, 0), np.float32)
    filled = np.zeros(keypoints.shape[:2], np.bool_)
    for number, part in enumerate(skeleton.parts):
        source = _place(poses, part)
        if source is not None:
            keypoints[:, number], filled[:, number] = source
    return dataclasses.replace(poses, keypoints=keypoints, skeleton=skeleton, filled=filled)


def _place(poses: Poses, part: str) -> "tuple[np.ndarray, np.ndarray] | None":
    """Return a part's (M, 3) keypoints and (M,) filled flags; None if the skeleton lacks it."""
    if part in poses.skeleton.parts:
        number = poses.skeleton.index(part)
        return poses.keypoints[:, number], poses.filled[:, number]
    ends = [_place(poses, end) for end in _BETWEEN.get(part, ())]
    if len(ends) != 2 or ends[0] is None or ends[1] is None:
        return None
    (one, one_filled), (other, other_filled) = ends[0], ends[1]
    xy, score = (one[:, :2] + other[:, :2]) / 2, np.minimum(one[:, 2], other[:, 2])
    score = np.where(np.isfinite(xy).all(axis=1), score, 0)
    return np.concatenate([xy, score[:, None]], axis=1), one_filled | other_filled


def normalised(poses: Poses) -> Poses:
    """Divide x by the image's width and y by its height, boxes too: positions inside the image are 0 to 1.

    Raises
    ------
    InputError
        If the poses have no image size.
    """
    size = as_poses(poses).image_size
    if size is None:
        raise InputError("these poses have no image size, which normalised positions need")
    sides: NDArray[np.float32] = np.array(size, np.float32)
    keypoints = poses.keypoints.copy()
    keypoints[..., :2] /= sides
    boxes = None if poses.own_boxes is None else poses.own_boxes.copy()
    if boxes is not None:
        boxes /= np.tile(sides, 2)
    return dataclasses.replace(poses, keypoints=keypoints, own_boxes=boxes)
