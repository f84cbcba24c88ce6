"""Convert poses to objects of other libraries, which are imported on use."""

from typing import TYPE_CHECKING, Any

import numpy as np

from bottomup.errors import MissingRuntimeError
from bottomup.poses import Poses, as_poses
from bottomup.skeletons import Skeleton, as_skeleton

if TYPE_CHECKING:
    import pandas as pd
    import supervision as sv

__all__ = ["data_frame", "supervision_edges", "supervision_key_points"]


def data_frame(poses: Poses, **about: Any) -> "pd.DataFrame":
    """Return a pandas DataFrame, a row per keypoint: pose, pose_score, part, x, y, score; and id, if poses have ids.

    A part that was not found has NaN, NaN and score 0. If any keypoint was
    filled in, there is a column "filled". For a wide table:
    `frame.pivot(index="pose", columns="part", values=["x", "y"])`. For a video,
    concatenate the DataFrames of its frames.

    Parameters
    ----------
    poses : Poses
        The people in one image or frame.
    **about
        More columns, with one value each, in front of these: `frame=7, time=0.28`.

    Raises
    ------
    MissingRuntimeError
        If pandas is not installed.

    Examples
    --------
    >>> from bottomup.skeletons import Skeleton
    >>> arm = Skeleton("arm", ("elbow", "wrist"), ((0, 1),))
    >>> data_frame(Poses([[(1.5, 2, 0.75), (np.nan, np.nan, 0)]], [0.5], arm), frame=7)  # doctest: +SKIP
       frame  pose  pose_score   part    x    y  score
    0      7     0         0.5  elbow  1.5  2.0   0.75
    1      7     0         0.5  wrist  NaN  NaN   0.00
    """
    try:
        import pandas as pd
    except ImportError as error:
        raise MissingRuntimeError(f"pandas cannot be imported, {error}: pip install 'bottomup[pandas]'") from error
    num_poses, num_parts = as_poses(poses).keypoints.shape[:2]
    columns: dict[str, Any] = {name: np.full(num_poses * num_parts, value) for name, value in about.items()}
    columns["pose"] = np.repeat(np.arange(num_poses), num_parts)
    if poses.ids is not None:
        columns["id"] = np.repeat(poses.ids, num_parts)
    columns["pose_score"] = np.repeat(poses.scores, num_parts)
    columns["part"] = np.tile(poses.skeleton.parts, num_poses)
    flat = poses.keypoints.reshape(num_poses * num_parts, 3)
    filled = {"filled": poses.filled.reshape(-1)} if poses.filled.any() else {}
    return pd.DataFrame(columns | {"x": flat[:, 0], "y": flat[:, 1], "score": flat[:, 2]} | filled)


def supervision_key_points(poses: Poses) -> "sv.KeyPoints":
    """Return supervision's KeyPoints, for its annotators and other tools.

    Parts that were not found are 0, 0, as in that library, and not `visible`.
    Everybody has class 0, "class_name" "person" in `data`, and "tracker_id" if
    the poses have ids. supervision recognises COCO's 17 parts by their number;
    for other skeletons use `EdgeAnnotator(edges=supervision_edges(poses.skeleton))`.

    Raises
    ------
    MissingRuntimeError
        If supervision is not installed.
    """
    try:
        import supervision as sv
    except ImportError as error:
        raise MissingRuntimeError(
            f"supervision cannot be imported, {error}: pip install 'bottomup[supervision]'"
        ) from error
    poses = as_poses(poses)
    is_somewhere = np.isfinite(poses.xy[..., 0]) & np.isfinite(poses.xy[..., 1])
    data: dict[str, Any] = {"class_name": np.full(len(poses), "person")}
    if poses.ids is not None:
        data["tracker_id"] = poses.ids
    return sv.KeyPoints(
        xy=np.where(is_somewhere[..., None], poses.xy, np.float32(0)),
        class_id=np.zeros(len(poses), int),
        keypoint_confidence=poses.keypoint_scores.copy(),
        detection_confidence=poses.scores.copy(),
        visible=is_somewhere,
        data=data,
    )


def supervision_edges(skeleton: Skeleton) -> list[tuple[int, int]]:
    """Return a skeleton's edges as supervision's `EdgeAnnotator(edges=...)` takes them: 1-based.

    Examples
    --------
    >>> supervision_edges(Skeleton("arm", ("elbow", "wrist"), ((0, 1),)))
    [(1, 2)]
    """
    return [(parent + 1, child + 1) for parent, child in as_skeleton(skeleton).edges]
