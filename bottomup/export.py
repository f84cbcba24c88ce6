"""Poses as plain Python values, ready for `json.dumps` and other people's formats."""

import math
from typing import Any

from bottomup.poses import Poses
from bottomup.skeletons import Skeleton

_DECIMALS = 3  # a thousandth of a pixel, or of a score


def poses_json(poses: Poses) -> list[dict[str, Any]]:
    """Return one dict a pose: its score and its keypoints, which are [x, y, score], or None where a part was not found.

    Numbers are rounded to 3 decimals. There is neither NaN nor infinity in
    them, so that the JSON is strict and any parser reads it. The skeleton says
    which keypoint is what: `skeleton_json`.

    Examples
    --------
    >>> arm = Skeleton("arm", ("elbow", "wrist"), ((0, 1),))
    >>> poses_json(Poses([[(1.5, 2.0, 0.9), (math.nan, math.nan, 0)]], [0.45], arm))
    [{'score': 0.45, 'keypoints': [[1.5, 2.0, 0.9], None]}]
    """
    return [
        {"score": _rounded(score), "keypoints": [_keypoint(keypoint) for keypoint in keypoints]}
        for score, keypoints in zip(poses.scores.tolist(), poses.keypoints.tolist(), strict=True)
    ]


def skeleton_json(skeleton: Skeleton) -> dict[str, Any]:
    """Return a skeleton's name, part names and edges.

    Examples
    --------
    >>> skeleton_json(Skeleton("arm", ("elbow", "wrist"), ((0, 1),)))
    {'name': 'arm', 'parts': ['elbow', 'wrist'], 'edges': [[0, 1]]}
    """
    return {"name": skeleton.name, "parts": list(skeleton.parts), "edges": [list(edge) for edge in skeleton.edges]}


def _keypoint(keypoint: list[float]) -> list[float | None] | None:
    """Return a rounded keypoint; None for one that is nowhere."""
    x, y, score = keypoint
    return [_rounded(x), _rounded(y), _rounded(score)] if math.isfinite(x) and math.isfinite(y) else None


def _rounded(number: float) -> float | None:
    return round(number, _DECIMALS) if math.isfinite(number) else None
