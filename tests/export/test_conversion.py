import numpy as np
import pytest

from bottomup.errors import InputError
from bottomup.export import convert, json_line, normalised, openpose_json, poses_json
from bottomup.geometry import ImageSize
from bottomup.poses import Poses
from bottomup.skeletons import BODY25, COCO17, MPI15, OPENPOSE18, TRTPOSE18, Skeleton

MISSING = (np.nan, np.nan, 0)


def numbered(skeleton, **more):
    count = len(skeleton.parts)
    return Poses([[(part, 100 + part, 0.5 + part / 100) for part in range(count)]], [0.9], skeleton, **more)


@pytest.mark.parametrize("source", [COCO17, OPENPOSE18, BODY25, MPI15, TRTPOSE18])
@pytest.mark.parametrize("target", [COCO17, OPENPOSE18, BODY25, MPI15, TRTPOSE18])
def test_parts_of_the_same_name_are_the_same_keypoints(source, target):
    before = numbered(source, ids=[4])
    after = convert(before, target)
    for part in set(source.parts) & set(target.parts):
        np.testing.assert_array_equal(after.keypoints[0, target.index(part)], before.keypoints[0, source.index(part)])
    assert (after.skeleton, after.ids.tolist(), after.scores.tolist()) == (target, [4], before.scores.tolist())


def test_neck_mid_hip_and_chest_lie_between_their_neighbours():
    keypoints = np.full((1, 17, 3), MISSING)
    for part, keypoint in (("left_shoulder", (10, 0, 0.9)), ("right_shoulder", (30, 10, 0.4))):
        keypoints[0, COCO17.index(part)] = keypoint
    for part, keypoint in (("left_hip", (10, 100, 0.8)), ("right_hip", (30, 110, 0.3))):
        keypoints[0, COCO17.index(part)] = keypoint
    filled = np.zeros((1, 17), bool)
    filled[0, COCO17.index("left_hip")] = True
    poses = Poses(keypoints, [1], COCO17, filled=filled)
    body, mpi = convert(poses, BODY25), convert(poses, MPI15)
    np.testing.assert_allclose(body.keypoints[0, BODY25.index("neck")], (20, 5, 0.4))
    np.testing.assert_allclose(body.keypoints[0, BODY25.index("mid_hip")], (20, 105, 0.3))
    np.testing.assert_allclose(mpi.keypoints[0, MPI15.index("chest")], (20, 55, 0.3))
    assert body.filled[0, BODY25.index("mid_hip")]
    assert not body.filled[0, BODY25.index("neck")]
    np.testing.assert_array_equal(mpi.keypoints[0, MPI15.index("head")], MISSING)
    np.testing.assert_array_equal(body.keypoints[0, BODY25.index("left_heel")], MISSING)


def test_a_middle_without_one_of_its_ends_is_not_found():
    poses = numbered(COCO17)
    poses.keypoints[0, COCO17.index("left_shoulder")] = MISSING
    np.testing.assert_array_equal(convert(poses, OPENPOSE18).keypoints[0, OPENPOSE18.index("neck")], MISSING)


def test_skeletons_without_a_common_part_are_refused():
    with pytest.raises(InputError, match="'coco_17' and 'hand' have no part in common"):
        convert(numbered(COCO17), Skeleton("hand", ("thumb", "index")))
    with pytest.raises(InputError, match="skeleton must be a Skeleton"):
        convert(numbered(COCO17), ["nose"])


def test_nobody_becomes_nobody():
    assert convert(Poses.empty(COCO17), BODY25).keypoints.shape == (0, 25, 3)


def test_shares_of_width_and_height():
    poses = numbered(COCO17, image_size=ImageSize(200, 400), own_boxes=[(20, 40, 100, 200)])
    np.testing.assert_allclose(normalised(poses).keypoints[0, 2], (0.01, 0.255, 0.52))
    np.testing.assert_allclose(normalised(poses).boxes, [(0.1, 0.1, 0.5, 0.5)])
    (told,) = poses_json(poses, normalised=True)
    assert told["keypoints"][1] == [0.005, 0.2525, 0.51]
    assert openpose_json(poses, normalised=True)["people"][0]["pose_keypoints_2d"][:2] == [0.0, 0.25]
    assert '"keypoints": [[0.0, 0.25, 0.5]' in json_line(poses, normalised=True)
    with pytest.raises(InputError, match="have no image size"):
        normalised(numbered(COCO17))
