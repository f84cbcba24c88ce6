import numpy as np
import pytest

from bottomup.draw import blur_people
from bottomup.errors import InputError
from bottomup.poses import Poses
from bottomup.skeletons import COCO17
from bottomup.synthetic import random_poses

NOISE = np.random.default_rng(0).integers(0, 256, (481, 641, 3), np.uint8)


def changed(what, poses, **more):
    return (blur_people(NOISE, poses, what=what, **more) != NOISE).any(axis=2)


def test_every_keypoint_of_a_person_is_hidden_and_the_rest_is_as_it_was():
    poses = random_poses(2, seed=1)
    hidden = changed("people", poses)
    for x, y in poses.xy.reshape(-1, 2).round().astype(int):
        if 2 <= x < 639 and 2 <= y < 479:
            assert hidden[y - 2 : y + 3, x - 2 : x + 3].mean() > 0.9
    assert not hidden.all()


def test_faces_alone_are_hidden_where_asked():
    poses = random_poses(1, seed=1)
    faces, people = changed("faces", poses), changed("people", poses)
    assert faces.sum() < 0.4 * people.sum()
    for x, y in poses.xy[0, :5].round().astype(int):
        assert faces[y, x]
    x, y = poses.xy[0, 16].round().astype(int)
    assert not faces[y, x]


def test_somebody_seen_from_behind_loses_the_head():
    poses = random_poses(1, seed=1)
    poses.keypoints[0, :5] = np.nan, np.nan, 0
    shoulders = poses.xy[0, 5:7]
    x, y = (shoulders.mean(axis=0) - (0, 0.8 * np.linalg.norm(shoulders[0] - shoulders[1]))).round().astype(int)
    assert changed("faces", poses)[y, x]


def test_masks_are_hidden_with_a_margin():
    masks = np.zeros((1, 481, 641), bool)
    masks[0, 200:300, 200:300] = True
    hidden = changed("people", Poses.empty(COCO17), masks=masks)
    assert hidden[200:300, 200:300].mean() > 0.95
    assert hidden[195, 250]
    assert not hidden[150, 250]
    assert not changed("faces", Poses.empty(COCO17), masks=masks).any()
    with pytest.raises(InputError, match=r"masks must be bool \(M, 481, 641\), got bool \(1, 4, 4\)"):
        changed("people", Poses.empty(COCO17), masks=np.zeros((1, 4, 4), bool))


def test_positions_far_out_and_missing_ones_are_no_trouble():
    poses = random_poses(2)
    poses.keypoints[0, :9, :2] = 1e12
    poses.keypoints[1, 3] = np.inf, 4, 1
    poses.keypoints[1, 5] = np.nan, np.nan, 0
    blur_people(NOISE, poses)
    with pytest.raises(InputError, match="what must be 'people' or 'faces', got 'dogs'"):
        blur_people(NOISE, poses, what="dogs")
