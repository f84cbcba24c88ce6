"""Write poses in other programs' formats and read them: JSON, CSV, COCO results, OpenPose, pandas, supervision.

Ids from a `tracking.Tracker` are exported too.
"""

from bottomup.export.conversion import convert, normalised
from bottomup.export.formats import coco_results, openpose_json
from bottomup.export.libraries import data_frame, supervision_edges, supervision_key_points
from bottomup.export.masks import coco_rle
from bottomup.export.plain import json_line, poses_json, skeleton_json, to_json
from bottomup.export.reading import Line, read_coco_results, read_json_lines, read_openpose_json
from bottomup.export.tables import csv_header, csv_rows, poses3d_csv, poses3d_json

__all__ = [
    "Line",
    "coco_results",
    "coco_rle",
    "convert",
    "csv_header",
    "csv_rows",
    "data_frame",
    "json_line",
    "normalised",
    "openpose_json",
    "poses3d_csv",
    "poses3d_json",
    "poses_json",
    "read_coco_results",
    "read_json_lines",
    "read_openpose_json",
    "skeleton_json",
    "supervision_edges",
    "supervision_key_points",
    "to_json",
]
