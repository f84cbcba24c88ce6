"""Poses as plain Python values, ready for `json.dumps`."""

import json
import math
from typing import Any

from bottomup.errors import InputError
from bottomup.export.conversion import normalised as normalised_poses
from bottomup.poses import Poses, as_poses
from bottomup.skeletons import Skeleton

__all__ = ["DECIMALS", "FINE", "json_line", "poses_json", "rounded", "skeleton_json", "to_json"]

DECIMALS = 3  # a thousandth of a pixel, or of a score
FINE = 6  # decimals of normalised positions


def poses_json(poses: Poses, *, normalised: bool = False) -> list[dict[str, Any]]:
    """Return one dict per pose: its score and its keypoints, each [x, y, score], or None for a part not found.

    Numbers are rounded to 3 decimals and never NaN or infinite, so the JSON is
    strict and any parser reads it. Keypoints are in the order of the
    skeleton's parts: `skeleton_json`. If the poses have ids, "id" is the first entry. If the network gives boxes, "box"
    is left, top, width, height. "filled" lists the indices of parts that were filled in without a peak.

    Parameters
    ----------
    poses : Poses
        The people in one image or frame.
    normalised : bool
        Divide positions by the image's width and height, and round them to 6 decimals.

    Raises
    ------
    InputError
        If `normalised` is set and the poses have no image size.

    Examples
    --------
    >>> arm = Skeleton("arm", ("elbow", "wrist"), ((0, 1),))
    >>> poses_json(Poses([[(1.5, 2.0, 0.9), (math.nan, math.nan, 0)]], [0.45], arm))
    [{'score': 0.45, 'keypoints': [[1.5, 2.0, 0.9], None]}]
    """
    poses = normalised_poses(poses) if normalised else as_poses(poses)
    decimals = FINE if normalised else DECIMALS
    ids = [{}] * len(poses) if poses.ids is None else [{"id": number} for number in poses.ids.tolist()]
    entries = []
    for pose, keypoints in enumerate(poses.keypoints.tolist()):
        entry: dict[str, Any] = {**ids[pose], "score": rounded(float(poses.scores[pose]))}
        if poses.own_boxes is not None:
            entry["box"] = [rounded(side, decimals) for side in poses.own_boxes[pose].tolist()]
        entry["keypoints"] = [_keypoint(keypoint, decimals) for keypoint in keypoints]
        if poses.filled[pose].any():
            entry["filled"] = poses.filled[pose].nonzero()[0].tolist()
        entries.append(entry)
    return entries


def to_json(poses: Poses) -> str:
    """Return the skeleton, image size and poses as one JSON object, as `bottomup predict` writes it.

    Examples
    --------
    >>> arm = Skeleton("arm", ("elbow", "wrist"), ((0, 1),))
    >>> to_json(Poses([[(1.5, 2.0, 0.9), (math.nan, math.nan, 0)]], [0.45], arm))[:60]
    '{"skeleton": {"name": "arm", "parts": ["elbow", "wrist"], "e'
    """
    size = as_poses(poses).image_size
    about = {} if size is None else {"width": size.width, "height": size.height}
    return json.dumps({"skeleton": skeleton_json(poses.skeleton), **about, "poses": poses_json(poses)}, allow_nan=False)


def json_line(poses: Poses, *, normalised: bool = False, **about: Any) -> str:
    r"""Return one image's poses as a line of JSON Lines, newline included, for files that grow frame by frame.

    Parameters
    ----------
    poses : Poses
        The people in one image or frame, written as in `poses_json`.
    normalised : bool
        Divide positions by the image's width and height.
    **about
        More entries, in front of the poses: `frame=7, time=0.28`.

    Raises
    ------
    InputError
        If `about` contains a value that JSON cannot hold, such as NaN or infinity.

    Examples
    --------
    >>> from bottomup.skeletons import COCO17
    >>> json_line(Poses.empty(COCO17), frame=7, time=0.28)
    '{"frame": 7, "time": 0.28, "skeleton": "coco_17", "poses": []}\n'
    """
    document = {**about, "skeleton": as_poses(poses).skeleton.name, "poses": poses_json(poses, normalised=normalised)}
    try:
        return json.dumps(document, allow_nan=False, default=lambda value: value.item()) + "\n"  # NumPy's numbers
    except (AttributeError, TypeError, ValueError) as error:
        raise InputError(
            f"entries of a line must be text, finite numbers, or lists and dicts of these, got {about}: {error}"
        ) from error


def skeleton_json(skeleton: Skeleton) -> dict[str, Any]:
    """Return a skeleton's name, part names and edges.

    Examples
    --------
    >>> skeleton_json(Skeleton("arm", ("elbow", "wrist"), ((0, 1),)))
    {'name': 'arm', 'parts': ['elbow', 'wrist'], 'edges': [[0, 1]]}
    """
    return {"name": skeleton.name, "parts": list(skeleton.parts), "edges": [list(edge) for edge in skeleton.edges]}


def _keypoint(keypoint: list[float], decimals: int) -> list[float | None] | None:
    """Return a rounded keypoint; None if it was not found."""
    x, y, score = keypoint
    if not (math.isfinite(x) and math.isfinite(y)):
        return None
    return [rounded(x, decimals), rounded(y, decimals), rounded(score)]


def rounded(number: float, decimals: int = DECIMALS) -> float | None:
    """Return a rounded number; None for NaN and infinity, which JSON cannot hold."""
    return round(number, decimals) if math.isfinite(number) else None
