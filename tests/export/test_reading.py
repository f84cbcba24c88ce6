import json

import numpy as np
import pytest

import bottomup as bu
from bottomup.errors import InputError
from bottomup.export import (
    coco_results,
    json_line,
    openpose_json,
    read_coco_results,
    read_json_lines,
    read_openpose_json,
    reading,
)
from bottomup.geometry import ImageSize
from bottomup.poses import Poses
from bottomup.skeletons import BODY25, COCO17, MPI15, OPENPOSE18, Skeleton
from bottomup.synthetic import random_poses

MISSING = (np.nan, np.nan, 0)


def some(skeleton=COCO17, **more):
    keypoints = np.random.default_rng(0).uniform(1, 400, (3, len(skeleton.parts), 3)).astype(np.float32)
    keypoints[..., 2] = np.random.default_rng(1).uniform(0.2, 1, keypoints.shape[:2])
    keypoints[1, 1] = MISSING
    return Poses(keypoints, [0.9, 0.6, 0.3], skeleton, ImageSize(400, 400), **more)


def assert_same(one, other, scores=True):
    np.testing.assert_allclose(one.keypoints, other.keypoints, atol=6e-4)
    assert one.skeleton.parts == other.skeleton.parts
    assert (one.ids is None) == (other.ids is None)
    if one.ids is not None:
        assert one.ids.tolist() == other.ids.tolist()
    if scores:
        np.testing.assert_allclose(one.scores, other.scores, atol=6e-4)


# OpenPose


@pytest.mark.parametrize("skeleton", [BODY25, OPENPOSE18, MPI15])
@pytest.mark.parametrize("ids", [None, [5, 1, 7]])
def test_openposes_files_come_back_with_missing_parts_as_nan(tmp_path, skeleton, ids):
    poses = some(skeleton, ids=ids)
    (tmp_path / "a.json").write_text(json.dumps(openpose_json(poses)))
    for source in (tmp_path / "a.json", openpose_json(poses)):
        read = read_openpose_json(source, image_size=(400, 400))
        assert_same(read, poses, scores=False)
        assert read.image_size == (400, 400)
    assert read.scores[1] == pytest.approx(np.delete(poses.keypoint_scores[1], 1).mean(), abs=1e-3)


def test_openpose_of_nobody_and_of_a_skeleton_of_your_own():
    assert len(read_openpose_json({"people": []})) == 0
    arm = Skeleton("arm", ("elbow", "wrist"), ((0, 1),))
    assert_same(read_openpose_json(openpose_json(some(arm)[[0]]), skeleton=arm), some(arm)[[0]], scores=False)


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ([], "is not an OpenPose file"),
        ({"people": 3}, "is not an OpenPose file"),
        ({"people": [{}]}, "must have an entry 'pose_keypoints_2d'"),
        ({"people": [{"pose_keypoints_2d": "abc"}]}, "must have lists of numbers"),
        (
            {"people": [{"pose_keypoints_2d": [1, 2, 3]}]},
            "people with 1 parts, unlike any OpenPose skeleton",
        ),
        ({"people": [{"pose_keypoints_2d": [1] * 75}, {"pose_keypoints_2d": [1] * 54}]}, "pass skeleton="),
        ({"people": [{"pose_keypoints_2d": [10**400] * 75}]}, "a number too large for a float"),
    ],
)
def test_what_is_no_openpose_file_is_told_in_one_line(tmp_path, told, why):
    (tmp_path / "a.json").write_text(json.dumps(told))
    with pytest.raises(InputError, match=why) as error:
        read_openpose_json(tmp_path / "a.json")
    assert "\n" not in str(error.value)


# Our own


@pytest.mark.parametrize("more", [{}, {"ids": [5, 1, 7]}, {"own_boxes": np.arange(12).reshape(3, 4)}])
def test_json_lines_come_back(tmp_path, more):
    filled = np.zeros((3, 17), bool)
    filled[2, 4] = True
    poses = some(filled=filled, **more)
    path = tmp_path / "a.jsonl"
    path.write_text(json_line(poses, image="a.jpg", width=400, height=400) + "\n" + json_line(poses[[0]], frame=1))
    for source in (path, path.read_text().splitlines()):
        first, second = read_json_lines(source)
        assert (first.about, second.about) == ({"image": "a.jpg", "width": 400, "height": 400}, {"frame": 1})
        assert_same(first.poses, poses)
        assert first.poses.skeleton is COCO17 or first.poses.skeleton == COCO17
        assert first.poses.image_size == (400, 400)
        np.testing.assert_array_equal(first.poses.filled, filled)
        np.testing.assert_allclose(first.poses.boxes, poses.boxes, atol=2e-3)


def test_documents_of_predict_and_of_poses_come_back(tmp_path):
    (line,) = read_json_lines([some().to_json()])
    assert_same(line.poses, some())
    told = json.loads(some().to_json())
    document = {"skeleton": told["skeleton"], "images": [{"image": "a.jpg", "poses": told["poses"]}] * 2}
    (tmp_path / "poses.json").write_text(json.dumps(document))
    assert [read.about["image"] for read in read_json_lines(tmp_path / "poses.json")] == ["a.jpg"] * 2


def test_a_skeleton_of_your_own_is_in_the_document_or_passed():
    arm = Skeleton("arm", ("elbow", "wrist"), ((0, 1),))
    (line,) = read_json_lines([some(arm).to_json()])
    assert (line.poses.skeleton.parts, line.poses.skeleton.edges) == (arm.parts, arm.edges)
    with pytest.raises(InputError, match="there is no skeleton 'arm'"):
        list(read_json_lines([json_line(some(arm))]))
    (line,) = read_json_lines([json_line(some(arm))], skeleton=arm)
    assert_same(line.poses, some(arm))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "line 1 of .* is not JSON"),
        ("[" * 100_000, "line 1 of .* is not JSON"),
        ("[1]", "must be a JSON object with 'poses', got list"),
        ("{}", "names no skeleton: pass skeleton="),
        ('{"skeleton": "coco_17"}', "must have an entry 'poses'"),
        ('{"skeleton": "coco_17", "poses": 3}', "must have a list 'poses', got int"),
        ('{"skeleton": "coco_17", "poses": [{"score": 1, "keypoints": [null]}]}', "must have 17 keypoints per pose"),
        ('{"skeleton": {"parts": ["a"]}, "poses": [{"score": 1, "keypoints": [[1, 2]]}]}', r"\[x, y, score\] or null"),
        (
            '{"skeleton": {"parts": ["a"]}, "poses": [{"score": "x", "keypoints": [null]}]}',
            "must have lists of numbers",
        ),
        ('{"skeleton": {"parts": ["a"]}, "poses": [{"score": 1, "id": "x", "keypoints": [null]}]}', "ids must be"),
    ],
)
def test_what_are_no_lines_of_poses_is_told_with_the_line(text, why):
    with pytest.raises(InputError, match=why):
        list(read_json_lines(["", text] if text == "" else [text]))


# COCO


@pytest.mark.parametrize("ids", [None, [5, 1, 7]])
def test_coco_results_come_back_by_image(tmp_path, ids):
    poses = some(ids=ids)
    results = coco_results(poses, 7)[::-1] + coco_results(poses[[0]], 9)
    (tmp_path / "results.json").write_text(json.dumps(results))
    for source in (tmp_path / "results.json", results):
        read = read_coco_results(source)
        assert list(read) == [7, 9]
        assert_same(read[7], poses)
        assert_same(read[9], poses[[0]])


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ({}, "must be a list of COCO results, got dict"),
        ([3], "result 0 of .* must have an entry 'keypoints'"),
        ([{"keypoints": [1] * 51}], "must have an entry 'image_id'"),
        ([{"keypoints": [1] * 51, "image_id": "a", "score": 1}], "must have a whole number 'image_id', got 'a'"),
        ([{"keypoints": [1] * 50, "image_id": 1, "score": 1}], "must have 51 numbers in 'keypoints', got 50"),
        ([{"keypoints": [1] * 51, "image_id": 1, "score": "high"}], "must have lists of numbers"),
    ],
)
def test_what_are_no_coco_results_is_told_with_the_result(tmp_path, told, why):
    (tmp_path / "a.json").write_text(json.dumps(told))
    with pytest.raises(InputError, match=why):
        read_coco_results(tmp_path / "a.json")


def test_files_are_read_up_to_a_stated_size(tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "MAX_BYTES", 10)
    (tmp_path / "a.json").write_text("[1, 2, 3, 4, 5]")
    with pytest.raises(InputError, match=r"has more than 10 bytes: set bottomup\.export\.reading\.MAX_BYTES"):
        read_coco_results(tmp_path / "a.json")
    with pytest.raises(InputError, match="has more than 10 bytes"):
        list(read_json_lines("/dev/zero"))
    with pytest.raises(InputError, match="cannot be opened: No such file"):
        read_openpose_json(tmp_path / "none.json")


def test_bytes_that_are_no_text_are_told(tmp_path):
    (tmp_path / "a.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="it is not UTF-8 text"):
        read_coco_results(tmp_path / "a.json")


def test_the_package_offers_them():
    assert_same(bu.export.read_coco_results(coco_results(random_poses(2), 1))[1], random_poses(2))
