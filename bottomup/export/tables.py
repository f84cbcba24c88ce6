"""Poses as CSV, and 3D poses as JSON and CSV."""

import csv
import io
import math
from collections.abc import Iterator
from typing import Any

from bottomup.errors import InputError
from bottomup.export.plain import rounded, skeleton_json
from bottomup.poses import Poses, as_poses
from bottomup.skeletons import Skeleton, as_skeleton

__all__ = ["csv_header", "csv_rows", "poses3d_csv", "poses3d_json"]

_COLUMNS = ("pose", "id", "pose_score", "part", "x", "y", "score", "filled")
_COLUMNS_3D = ("pose", "part", "x_mm", "y_mm", "z_mm", "x", "y", "problem")


def csv_header(*about: str) -> str:
    """Return the header line for the rows of `csv_rows`."""
    return _line([*about, *_COLUMNS])


def csv_rows(poses: Poses, **about: Any) -> str:
    r"""Return poses as lines of CSV, one per keypoint: pose, id, pose_score, part, x, y, score, filled.

    A part that was not found has empty x and y. `csv_header` gives the first line of the file.

    Parameters
    ----------
    poses : Poses
        The people in one image or frame.
    **about
        More columns, in front of these: `image="street.jpg"`.

    Examples
    --------
    >>> arm = Skeleton("arm", ("elbow", "wrist"), ((0, 1),))
    >>> csv_header("frame") + csv_rows(Poses([[(1.5, 2, 0.75), (math.nan, math.nan, 0)]], [0.5], arm), frame=7)
    'frame,pose,id,pose_score,part,x,y,score,filled\n7,0,,0.5,elbow,1.5,2.0,0.75,0\n7,0,,0.5,wrist,,,0.0,0\n'
    """
    as_poses(poses)
    lines = []
    for pose, keypoints in enumerate(poses.keypoints.tolist()):
        number = None if poses.ids is None else int(poses.ids[pose])
        score = rounded(float(poses.scores[pose]))
        for part, (x, y, keypoint_score) in enumerate(keypoints):
            is_somewhere = math.isfinite(x) and math.isfinite(y)
            place = (rounded(x), rounded(y)) if is_somewhere else (None, None)
            filled = int(poses.filled[pose, part])
            name = poses.skeleton.parts[part]
            lines.append(_line([*about.values(), pose, number, score, name, *place, rounded(keypoint_score), filled]))
    return "".join(lines)


def poses3d_json(result: Any, skeleton: Skeleton) -> dict[str, Any]:
    """Return the 3D poses of one image as plain values, ready for `json.dumps`.

    {"skeleton": ..., "unit": "mm", "poses": [{"box", "joints3d", "joints2d", "problem"}]}, in the order of
    `skeleton.parts`; a part that was not found is None.

    Parameters
    ----------
    result : metric3d.Poses3D
        The 3D poses of one image.
    skeleton : Skeleton
        Names the N parts.

    Raises
    ------
    InputError
        If the result has other parts, or augmentations that are not averaged.
    """
    _check_3d(result, skeleton)
    people = []
    for box, in_space, in_image, problem in zip(
        result.boxes.tolist(), result.poses3d.tolist(), result.poses2d.tolist(), result.problems, strict=True
    ):
        people.append(
            {
                "box": [rounded(side) for side in box],
                "joints3d": [_place(joint) for joint in in_space],
                "joints2d": [_place(joint) for joint in in_image],
                "problem": problem,
            }
        )
    return {"skeleton": skeleton_json(skeleton), "unit": "mm", "poses": people}


def poses3d_csv(result: Any, skeleton: Skeleton) -> str:
    """Return the 3D poses of one image as CSV, one line per joint: pose, part, x_mm, y_mm, z_mm, x, y, problem.

    Arguments as for `poses3d_json`.
    """
    _check_3d(result, skeleton)
    return _line(_COLUMNS_3D) + "".join(_joints_3d(result, skeleton))


def _joints_3d(result: Any, skeleton: Skeleton) -> Iterator[str]:
    for pose, problem in enumerate(result.problems):
        for part, name in enumerate(skeleton.parts):
            in_space = _place(result.poses3d[pose, part].tolist()) or [None] * 3
            in_image = _place(result.poses2d[pose, part].tolist()) or [None] * 2
            yield _line([pose, name, *in_space, *in_image, problem])


def _check_3d(result: Any, skeleton: Skeleton) -> None:
    expected = (len(result), len(as_skeleton(skeleton).parts), 3)
    if result.poses3d.shape != expected:
        raise InputError(
            f"poses3d must have shape (M, N, 3) = {expected} for skeleton {skeleton.name!r}, "
            f"got {result.poses3d.shape}: average the augmentations, and pass the network's skeleton"
        )


def _place(numbers: list[float]) -> list[float | None] | None:
    return [rounded(number) for number in numbers] if all(math.isfinite(number) for number in numbers) else None


def _line(values: Any) -> str:
    """Return one line of CSV."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(["" if value is None else value for value in values])
    return text.getvalue()
