"""Poses as others take them: JSON, COCO results, OpenPose's files, pandas, supervision.

Whatever poses carry ids, as a `tracking.Tracker` gives them, are exported with them.
"""

from bottomup.export.formats import coco_results, openpose_json
from bottomup.export.libraries import data_frame, supervision_key_points
from bottomup.export.masks import coco_rle
from bottomup.export.plain import json_line, poses_json, skeleton_json, to_json

__all__ = [
    "coco_results",
    "coco_rle",
    "data_frame",
    "json_line",
    "openpose_json",
    "poses_json",
    "skeleton_json",
    "supervision_key_points",
    "to_json",
]
