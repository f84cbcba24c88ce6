"""Poses in the file formats of COCO and of OpenPose."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bottomup.export.conversion import convert
from bottomup.export.conversion import normalised as normalised_poses
from bottomup.export.plain import DECIMALS, FINE
from bottomup.poses import Poses, as_poses
from bottomup.skeletons import BODY25, COCO17, MPI15, OPENPOSE18, Skeleton

__all__ = ["coco_results", "openpose_json"]

_EMPTY_LISTS = (
    "face_keypoints_2d",
    "hand_left_keypoints_2d",
    "hand_right_keypoints_2d",
    "pose_keypoints_3d",
    "face_keypoints_3d",
    "hand_left_keypoints_3d",
    "hand_right_keypoints_3d",
)


def coco_results(
    poses: Poses, image_id: int, *, category_id: int = 1, skeleton: Skeleton = COCO17
) -> list[dict[str, Any]]:
    """Return one COCO keypoint result per pose, ready for pycocotools and faster-coco-eval.

    Collect the results of many images in one list and `json.dump` it. A part
    that was not found is 0, 0, 0. Ids become "track_id", as in PoseTrack.

    Parameters
    ----------
    poses : Poses
        Poses in image pixels; their skeleton must have the parts of the annotations.
    image_id : int
        The image's id in the annotation file.
    category_id : int
        Category of people; the default is COCO's.
    skeleton : Skeleton
        Parts of the annotations, in order; the default is COCO's 17.

    Raises
    ------
    InputError
        If the poses lack one of these parts.

    Examples
    --------
    >>> (result,) = coco_results(Poses(np.ones((1, 17, 3)), [0.5], COCO17), image_id=7)
    >>> result["image_id"], result["category_id"], result["score"], len(result["keypoints"])
    (7, 1, 0.5, 51)
    """
    poses = as_poses(poses).to_skeleton(skeleton)
    results = [
        {"image_id": _plain(image_id), "category_id": _plain(category_id), "keypoints": keypoints, "score": score}
        for keypoints, score in zip(_flat(poses.keypoints), np.nan_to_num(poses.scores).tolist(), strict=True)
    ]
    if poses.ids is None:
        return results
    return [{**result, "track_id": number} for result, number in zip(results, poses.ids.tolist(), strict=True)]


def openpose_json(poses: Poses, *, normalised: bool = False) -> dict[str, Any]:
    """Return one image or frame as OpenPose 1.3 writes it; `json.dump` it into a file of its own.

    Readers of these files recognise OpenPose's models by the number of parts.
    So poses with OpenPose's 25, 18 or 15 parts stay as they are, and poses
    with COCO's 17 become OpenPose's 18: `convert` adds a neck if there is
    none. Parts of other skeletons keep their order. A part that was not found
    is 0, 0, 0; `person_id` is the pose's id, or -1. `normalised` divides positions by the image's width and height, as
    OpenPose's `--keypoint_scale 3` does.

    Examples
    --------
    >>> document = openpose_json(Poses(np.ones((1, 17, 3)), [0.5], COCO17))
    >>> document["version"], document["people"][0]["person_id"], len(document["people"][0]["pose_keypoints_2d"])
    (1.3, [-1], 54)
    """
    poses = normalised_poses(poses) if normalised else as_poses(poses)
    numbers = [-1] * len(poses) if poses.ids is None else poses.ids.tolist()
    people = [
        {"person_id": [number], "pose_keypoints_2d": keypoints, **{name: [] for name in _EMPTY_LISTS}}
        for number, keypoints in zip(
            numbers, _flat(_as_openpose(poses).keypoints, FINE if normalised else DECIMALS), strict=True
        )
    ]
    return {"version": 1.3, "people": people}


def _as_openpose(poses: Poses) -> Poses:
    """Return poses with OpenPose's 18 parts, if they have COCO's 17 and are not OpenPose's already."""
    parts = poses.skeleton.parts
    if parts in (BODY25.parts, MPI15.parts) or not set(COCO17.parts) <= set(parts):
        return poses
    return convert(poses, OPENPOSE18)


def _flat(keypoints: NDArray[np.float32], decimals: int = DECIMALS) -> list[list[float]]:
    """Return the 3N numbers of each pose; zeros for parts that were not found."""
    is_somewhere = np.isfinite(keypoints).all(axis=2, keepdims=True)
    numbers = np.where(is_somewhere, keypoints, 0).reshape(len(keypoints), 3 * keypoints.shape[1])
    return [[round(number, decimals) for number in row] for row in numbers.tolist()]


def _plain(number: Any) -> Any:
    """Return a NumPy number as a Python number, for JSON."""
    return number.item() if isinstance(number, np.generic) else number
