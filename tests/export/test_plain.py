import json

import numpy as np
import pytest

import bottomup as bu
from bottomup.export import json_line, poses_json, skeleton_json
from bottomup.poses import Poses
from bottomup.skeletons import COCO17, Skeleton

ARM = Skeleton("arm", ("elbow", "wrist"), ((0, 1),))


def test_parts_that_were_not_found_are_none():
    (pose,) = poses_json(Poses([[(1, 2, 0.5), (np.nan, np.nan, 0)]], [0.25], ARM))
    assert pose == {"score": 0.25, "keypoints": [[1.0, 2.0, 0.5], None]}


def test_numbers_have_three_decimals_and_no_float32_tail():
    (pose,) = poses_json(Poses([[(100.12345, 0.1, 1 / 3), (1, 2, 1)]], [2 / 3], ARM))
    assert json.dumps(pose) == '{"score": 0.667, "keypoints": [[100.123, 0.1, 0.333], [1.0, 2.0, 1.0]]}'


def test_the_json_is_strict_whatever_the_numbers():
    odd = [(np.inf, 1, 1), (1, 1, np.nan)]
    text = json.dumps(poses_json(Poses([odd], [np.nan], ARM)), allow_nan=False)
    assert json.loads(text) == [{"score": None, "keypoints": [None, [1.0, 1.0, None]]}]


def test_nobody_is_an_empty_list():
    assert poses_json(Poses.empty(COCO17)) == []


def test_a_skeleton_tells_its_parts_and_edges():
    told = skeleton_json(COCO17)
    assert told["name"] == "coco_17"
    assert told["parts"][0] == "nose"
    assert [5, 6] in told["edges"]
    assert json.loads(json.dumps(told)) == told


def test_ids_are_told_where_there_are_some():
    keypoints = np.zeros((2, 2, 3))
    assert [pose["id"] for pose in poses_json(Poses(keypoints, [0.5, 0.4], ARM, ids=[4, 2]))] == [4, 2]
    assert all("id" not in pose for pose in poses_json(Poses(keypoints, [0.5, 0.4], ARM)))


def test_a_json_line_is_one_line_that_says_whose_poses_it_has():
    line = json_line(Poses([[(1, 2, 0.5), (np.nan, np.nan, 0)]], [0.25], ARM, ids=[3]), video="a\nb.mp4", frame=0)
    assert line.count("\n") == 1
    assert line.endswith("\n")
    assert json.loads(line) == {
        "video": "a\nb.mp4",
        "frame": 0,
        "skeleton": "arm",
        "poses": [{"id": 3, "score": 0.25, "keypoints": [[1.0, 2.0, 0.5], None]}],
    }


@pytest.mark.parametrize("poses", [None, [1, 2], np.zeros((1, 17, 3))], ids=["none", "list", "array"])
def test_what_is_no_poses_is_refused(poses):
    for write in (bu.export.poses_json, bu.export.json_line, bu.export.openpose_json, bu.synthetic.paf_fields):
        with pytest.raises(bu.InputError, match="poses must be Poses, got"):
            write(poses)
    with pytest.raises(bu.InputError, match="poses must be Poses, got"):
        bu.export.coco_results(poses, image_id=1)


def test_a_line_takes_numpys_numbers_and_refuses_what_json_cannot_say():
    poses = bu.synthetic.random_poses(1)
    told = json.loads(bu.export.json_line(poses, frame=np.int64(3), time=np.float32(0.5)))
    assert (told["frame"], told["time"]) == (3, 0.5)
    for value in (np.nan, object(), np.zeros(2)):
        with pytest.raises(bu.InputError, match="entries of a line must be text, finite numbers, or lists"):
            bu.export.json_line(poses, time=value)
