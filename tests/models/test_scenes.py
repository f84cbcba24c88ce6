"""Rendered scenes: the same every time, and what they say of themselves is true."""

import numpy as np
import pytest

import bottomup as bu
from models.train.figures import NUM_JOINTS, random_figure
from models.train.scenes import MOST_PEOPLE, render_scene

SEEDS = range(500, 510)


@pytest.fixture(scope="module")
def scenes():
    return [render_scene(seed, (320, 240)) for seed in SEEDS]


def test_the_same_seed_gives_the_same_scene(scenes):
    again = render_scene(SEEDS[0], (320, 240))
    np.testing.assert_array_equal(again.image, scenes[0].image)
    np.testing.assert_array_equal(again.keypoints, scenes[0].keypoints)
    assert not np.array_equal(scenes[0].image, scenes[1].image)


def test_a_scene_is_a_picture_with_keypoints_and_masks_of_its_size(scenes):
    for scene in scenes:
        assert scene.image.shape == (240, 320, 3)
        assert scene.image.dtype == np.uint8
        assert 1 <= len(scene.keypoints) == len(scene.masks) <= MOST_PEOPLE
        assert scene.masks.shape[1:] == (240, 320)


def test_the_number_of_people_may_be_chosen():
    assert len(render_scene(3, num_people=0).keypoints) == 0
    assert len(render_scene(3, num_people=2).keypoints) == 2


def test_labelled_keypoints_lie_inside_the_picture(scenes):
    for scene in scenes:
        x, y = scene.keypoints[scene.keypoints[..., 2] > 0][:, :2].T
        assert (x >= -0.5).all()
        assert (x < 319.5).all()
        assert (y >= -0.5).all()
        assert (y < 239.5).all()


def test_a_seen_keypoint_lies_on_the_mask_of_its_person(scenes):
    for scene in scenes:
        for keypoints, mask in zip(scene.keypoints, scene.masks, strict=True):
            for x, y, _ in keypoints[keypoints[:, 2] == 2]:
                column, row = round(x), round(y)
                assert mask[max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2].any()


def test_a_pixel_belongs_to_one_person_at_most(scenes):
    assert all(scene.masks.sum(axis=0).max() <= 1 for scene in scenes)


def test_poses_miss_the_parts_that_are_not_labelled(scenes):
    for scene in scenes:
        missing = scene.keypoints[..., 2] == 0
        assert scene.poses.skeleton is bu.COCO17
        assert scene.poses.image_size == (320, 240)
        assert np.isnan(scene.poses.xy[missing]).all()
        assert (scene.poses.keypoint_scores == ~missing).all()


def test_bones_keep_their_length_however_a_body_moves():
    figures = [random_figure(np.random.default_rng(seed)) for seed in range(20)]
    shins = [np.linalg.norm(figure.joints[13] - figure.joints[15]) for figure in figures]
    assert all(figure.joints.shape == (NUM_JOINTS, 3) for figure in figures)
    np.testing.assert_allclose(shins, shins[0])


def test_whoever_faces_the_camera_has_their_left_on_its_right():
    figures = [random_figure(np.random.default_rng(seed)) for seed in range(200)]
    upright = [figure for figure in figures if figure.joints[17, 1] < -0.27]
    for figure in upright:
        eyes = figure.joints[1, 0] - figure.joints[2, 0]
        if abs(figure.facing[2]) > 0.5:
            assert np.sign(eyes) == np.sign(figure.facing[2])
