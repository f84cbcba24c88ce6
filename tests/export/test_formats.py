import json

import numpy as np
import pytest

from bottomup.errors import InputError
from bottomup.export import coco_results, openpose_json
from bottomup.poses import Poses
from bottomup.skeletons import BODY25, COCO17, MPI15, OPENPOSE18, TRTPOSE18, Skeleton

MISSING = (np.nan, np.nan, 0)


def numbered(skeleton, count=2, **more):
    """Poses whose part k of pose m lies at (100 m + k, 1000 + k)."""
    keypoints = [
        [(100 * pose + part, 1000 + part, 0.5) for part in range(len(skeleton.parts))] for pose in range(count)
    ]
    return Poses(np.reshape(keypoints, (count, -1, 3)), np.linspace(0.9, 0.3, count), skeleton, **more)


def people_of(poses):
    """Read OpenPose's JSON as its users do: a row of x, y, score a part."""
    told = json.loads(json.dumps(openpose_json(poses), allow_nan=False))
    assert told["version"] == 1.3
    return [np.reshape(person["pose_keypoints_2d"], (-1, 3)) for person in told["people"]]


# COCO


def truth_of(poses, image_id, scale=200.0):
    """Annotations that are exactly the poses."""
    people = []
    for number, keypoints in enumerate(poses.keypoints):
        visible = np.isfinite(keypoints[:, 0])
        flat = np.where(visible[:, None], np.column_stack([keypoints[:, :2], np.full(17, 2)]), 0)
        people.append(
            {
                "id": number + 1,
                "image_id": image_id,
                "category_id": 1,
                "keypoints": flat.ravel().tolist(),
                "num_keypoints": int(visible.sum()),
                "area": scale**2,
                "bbox": [0, 0, scale, scale],
                "iscrowd": 0,
            }
        )
    return {
        "info": {},
        "images": [{"id": image_id, "width": 641, "height": 481}],
        "categories": [{"id": 1, "name": "person", "keypoints": list(COCO17.parts), "skeleton": []}],
        "annotations": people,
    }


def test_pycocotools_loads_the_results_and_finds_them_right(tmp_path, capsys):
    coco = pytest.importorskip("pycocotools.coco", reason="pycocotools is not installed")
    from pycocotools.cocoeval import COCOeval

    poses = numbered(COCO17)
    poses.keypoints[0, 3] = MISSING
    (tmp_path / "truth.json").write_text(json.dumps(truth_of(poses, 7)))
    (tmp_path / "results.json").write_text(json.dumps(coco_results(poses, np.int64(7)), allow_nan=False))
    truth = coco.COCO(tmp_path / "truth.json")
    evaluation = COCOeval(truth, truth.loadRes(str(tmp_path / "results.json")), "keypoints")
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    assert evaluation.stats[0] == pytest.approx(1)
    assert evaluation.stats[5] == pytest.approx(1)


def test_missing_parts_are_zeros_in_coco_and_numbers_are_pythons():
    poses = numbered(COCO17, 1)
    poses.keypoints[0, 1] = MISSING
    poses.keypoints[0, 2] = np.inf, 5, 1
    (result,) = coco_results(poses, np.int64(7))
    assert result["keypoints"][:9] == [0.0, 1000.0, 0.5, 0, 0, 0, 0, 0, 0]
    assert len(result["keypoints"]) == 51
    assert (result["image_id"], result["category_id"]) == (7, 1)
    assert json.loads(json.dumps(result)) == result


def test_coco_scores_keep_their_order():
    poses = Poses(np.zeros((3, 17, 3)), [0.50002, 0.50001, 0.5], COCO17)
    scores = [result["score"] for result in coco_results(poses, 1)]
    assert scores == poses.scores.tolist()


def test_coco_takes_other_skeletons_by_the_names_of_their_parts():
    (result,) = coco_results(numbered(OPENPOSE18, 1), 1)
    x = np.reshape(result["keypoints"], (17, 3))[:, 0]
    assert [OPENPOSE18.parts[int(part)] for part in x] == list(COCO17.parts)
    with pytest.raises(InputError, match="has no part"):
        coco_results(numbered(MPI15), 1)


def test_ids_are_track_ids_in_coco():
    assert [result["track_id"] for result in coco_results(numbered(COCO17, ids=[9, 4]), 1)] == [9, 4]
    assert all("track_id" not in result for result in coco_results(numbered(COCO17), 1))


# OpenPose


@pytest.mark.parametrize("skeleton", [BODY25, OPENPOSE18, MPI15])
def test_openposes_own_parts_stay_as_they_are(skeleton):
    poses = numbered(skeleton)
    np.testing.assert_array_equal(people_of(poses), poses.keypoints)


def test_poses_of_17_parts_become_openposes_18_with_the_neck_between_the_shoulders():
    poses = numbered(COCO17, 1)
    poses.keypoints[0, COCO17.index("left_shoulder")] = 10, 20, 0.75
    poses.keypoints[0, COCO17.index("right_shoulder")] = 30, 30, 0.25
    (person,) = people_of(poses)
    assert person[OPENPOSE18.index("neck")].tolist() == [20, 25, 0.25]
    for part in COCO17.parts:
        assert person[OPENPOSE18.index(part)].tolist() == poses.keypoints[0, COCO17.index(part)].tolist()


def test_without_a_shoulder_there_is_no_neck():
    poses = numbered(COCO17, 1)
    poses.keypoints[0, COCO17.index("left_shoulder")] = MISSING
    (person,) = people_of(poses)
    assert person[OPENPOSE18.index("neck")].tolist() == person[OPENPOSE18.index("left_shoulder")].tolist() == [0, 0, 0]


def test_a_neck_that_the_network_gives_is_kept():
    (person,) = people_of(numbered(TRTPOSE18, 1))
    assert [TRTPOSE18.parts[int(x)] for x in person[:, 0]] == list(OPENPOSE18.parts)


def test_other_bodies_keep_their_parts_in_openposes_file():
    arm = Skeleton("arm", ("elbow", "wrist"), ((0, 1),))
    np.testing.assert_array_equal(people_of(numbered(arm)), numbered(arm).keypoints)


def test_person_ids_are_those_of_the_tracker_or_minus_1():
    assert [person["person_id"] for person in openpose_json(numbered(COCO17, ids=[9, 4]))["people"]] == [[9], [4]]
    assert [person["person_id"] for person in openpose_json(numbered(COCO17))["people"]] == [[-1], [-1]]


def test_nobody_is_an_empty_list_everywhere():
    assert coco_results(Poses.empty(COCO17), 1) == []
    assert openpose_json(Poses.empty(COCO17)) == {"version": 1.3, "people": []}
