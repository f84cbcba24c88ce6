import csv
import io
import json

import numpy as np
import pytest

from bottomup.errors import InputError
from bottomup.export import csv_header, csv_rows, poses3d_csv, poses3d_json
from bottomup.metric3d.results import Poses3D
from bottomup.poses import Poses
from bottomup.skeletons import COCO17, Skeleton

ARM = Skeleton("arm", ("elbow", 'the "wrist", left'), ((0, 1),))


def test_csv_has_a_line_a_keypoint_that_any_reader_takes():
    poses = Poses([[(1, 2, 0.5), (np.nan, np.nan, 0)]], [0.25], ARM, filled=[[True, False]], ids=[7])
    rows = list(csv.DictReader(io.StringIO(csv_header("image") + csv_rows(poses, image='a,"b".jpg'))))
    assert rows[0] == {
        **{"image": 'a,"b".jpg', "pose": "0", "id": "7", "pose_score": "0.25", "part": "elbow"},
        **{"x": "1.0", "y": "2.0", "score": "0.5", "filled": "1"},
    }
    assert (rows[1]["part"], rows[1]["x"], rows[1]["score"]) == (ARM.parts[1], "", "0.0")
    assert csv_rows(Poses.empty(COCO17)) == ""


def result():
    return Poses3D(
        np.array([[1.0, 2, 3, 4, 0.9], [5, 6, 7, 8, 0.8]]),
        np.array([[[1.23456, 2, 3000], [4, 5, 6]], [[np.nan] * 3] * 2]),
        np.array([[[10.0, 20], [30, 40]], [[np.nan] * 2] * 2]),
        (None, "too far"),
    )


def test_3d_poses_become_strict_json():
    told = json.loads(json.dumps(poses3d_json(result(), ARM), allow_nan=False))
    assert told["unit"] == "mm"
    assert told["skeleton"]["parts"] == list(ARM.parts)
    assert told["poses"][0]["joints3d"] == [[1.235, 2, 3000], [4, 5, 6]]
    assert told["poses"][1] == {
        "box": [5, 6, 7, 8, 0.8], "joints3d": [None, None], "joints2d": [None, None], "problem": "too far",
    }  # fmt: skip


def test_3d_poses_become_csv():
    rows = list(csv.DictReader(io.StringIO(poses3d_csv(result(), ARM))))
    assert len(rows) == 4
    assert (rows[0]["z_mm"], rows[0]["x"], rows[0]["problem"]) == ("3000.0", "10.0", "")
    assert (rows[3]["x_mm"], rows[3]["problem"]) == ("", "too far")


def test_3d_poses_of_another_skeleton_are_refused():
    for write in (poses3d_json, poses3d_csv):
        with pytest.raises(InputError, match=r"poses3d must have shape \(M, N, 3\) = \(2, 17, 3\)"):
            write(result(), COCO17)
