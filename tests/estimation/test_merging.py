import numpy as np
import pytest

import bottomup as bu
from bottomup.estimation.merging import merge_poses
from bottomup.similarity import AREA_OF_BOX

PEOPLE = bu.synthetic.random_poses(3, seed=3)


def rescored(poses, scores):
    return bu.Poses(poses.keypoints, scores, poses.skeleton, poses.image_size)


def test_a_person_seen_twice_is_one_person_the_better_time():
    merged = merge_poses([rescored(PEOPLE, [0.5, 0.9, 0.4]), rescored(PEOPLE, [0.8, 0.6, 0.7])])
    np.testing.assert_allclose(merged.scores, [0.9, 0.8, 0.7])


def test_people_of_different_places_are_all_kept_best_first():
    merged = merge_poses([rescored(PEOPLE[:1], [0.5]), rescored(PEOPLE[1:], [0.9, 0.4])])
    np.testing.assert_array_equal(merged.keypoints, PEOPLE.keypoints[[1, 0, 2]])


def test_a_half_claimed_pose_keeps_half_its_score():
    person = PEOPLE.keypoints[0].copy()
    person[:, 2] = 1
    other = person.copy()
    other[:8, :2] += 400
    merged = merge_poses([bu.Poses(person[None], [0.9], bu.COCO17), bu.Poses(other[None], [0.8], bu.COCO17)])
    np.testing.assert_allclose(merged.scores, [0.9, 0.8 * 8 / 17], rtol=1e-5)


def test_no_more_than_max_poses_are_kept():
    assert len(merge_poses([PEOPLE], max_poses=2)) == 2


def test_nobody_and_nobody_is_nobody():
    assert len(merge_poses([bu.Poses.empty(bu.COCO17)] * 2)) == 0


def test_parts_that_were_not_found_claim_nothing():
    keypoints = np.full((1, 17, 3), np.nan)
    keypoints[..., 2] = 0
    keypoints[0, :2] = [[5, 5, 1], [50, 50, 1]]
    merged = merge_poses([bu.Poses(keypoints, [0.9], bu.COCO17), PEOPLE])
    assert len(merged) == 4
    assert merged.scores[0] == pytest.approx(max(0.9, PEOPLE.scores.max()))


def test_filled_keypoints_stay_marked():
    filled = np.zeros((3, 17), bool)
    filled[1, 4] = True
    marked = bu.Poses(PEOPLE.keypoints, [0.3, 0.6, 0.5], PEOPLE.skeleton, PEOPLE.image_size, filled)
    assert merge_poses([marked, bu.Poses.empty(bu.COCO17)]).filled.tolist() == filled[[1, 2, 0]].tolist()


def test_what_cannot_be_merged_is_refused():
    with pytest.raises(bu.InputError, match="at least one set of poses"):
        merge_poses([])
    with pytest.raises(bu.InputError, match="one skeleton"):
        merge_poses([PEOPLE, bu.Poses.empty(bu.skeletons.get("smpl_24"))])


def test_boxes_of_the_network_stay_with_their_poses_where_all_have_them():
    boxes = np.arange(12, dtype=np.float32).reshape(3, 4)
    boxed = bu.Poses(PEOPLE.keypoints, [0.4, 0.9, 0.6], bu.COCO17, own_boxes=boxes)
    np.testing.assert_array_equal(merge_poses([boxed]).boxes, boxes[[1, 2, 0]])
    assert merge_poses([boxed, PEOPLE]).own_boxes is None


@pytest.mark.parametrize(("share", "count"), [(0.98, 1), (1.02, 2)])
def test_a_keypoint_is_claimed_above_a_similarity_of_a_half(share, count):
    person = PEOPLE.keypoints[:1].copy()
    width, height = np.ptp(person[0, :, :2], axis=0)
    reach = np.sqrt(2 * np.log(2) * AREA_OF_BOX * width * height) * bu.COCO17.kappas[9]
    other = person.copy()
    other[0, 9, 0] += share * reach
    assert len(merge_poses([bu.Poses(each, [0.9], bu.COCO17) for each in (person, other)])) == count
