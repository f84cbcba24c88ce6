"""Training targets: decoded, they are the people they were made of."""

import numpy as np
import pytest

import bottomup as bu
from models.train.data import Window, vary
from models.train.targets import REACH, long_targets, openpose_targets, posenet_targets

SIDE = 385


@pytest.fixture
def people():
    """Three people who stand apart."""
    return bu.synthetic.random_poses(3, (SIDE, SIDE), seed=4).keypoints


def channels_last(vectors):
    """Return (C, 2, H, W) vectors as (H, W, 2C), y of every channel, then x."""
    return np.moveaxis(np.concatenate([vectors[:, 0], vectors[:, 1]]), 0, 2)


def posenet_fields(keypoints):
    heat, offsets, _, displacements, _ = posenet_targets(keypoints, SIDE)
    mid = np.concatenate([channels_last(displacements[:16]), channels_last(displacements[16:])], axis=2)
    scores = np.clip(np.moveaxis(heat, 0, 2), 0.01, 0.99)
    return bu.PoseNetFields.from_mid_offsets(scores, channels_last(offsets), mid, logits=False)


def assert_same_people(poses, keypoints, tolerance):
    assert len(poses) == len(keypoints)
    for person in keypoints:
        distances = np.linalg.norm(poses.xy - person[:, :2], axis=2).max(axis=1)
        assert distances.min() < tolerance


def test_decoding_posenet_targets_returns_the_people(people):
    poses = bu.PoseNetDecoder.coral(score_threshold=0.5).decode(posenet_fields(people))
    assert_same_people(poses, people, tolerance=0.5)


def test_decoding_openpose_targets_returns_the_people(people):
    fields = bu.PafFields.from_concatenated(np.moveaxis(openpose_targets(people, SIDE), 0, 2))
    assert_same_people(bu.PafDecoder(fill=False).decode(fields).to_coco17(), people, tolerance=2)


def test_long_offsets_lead_from_every_cell_of_a_person_to_their_parts(people):
    owners = np.full((25, 25), -1)
    owners[3, 7], owners[10, 2] = 0, 2
    vectors, known = long_targets(people, owners)
    assert known.sum() == 2 * 17
    np.testing.assert_allclose(vectors[:, :, 3, 7] + [3 * 16, 7 * 16], people[0, :, 1::-1], rtol=1e-5)
    np.testing.assert_allclose(vectors[:, :, 10, 2] + [10 * 16, 2 * 16], people[2, :, 1::-1], rtol=1e-5)


def test_offsets_are_known_farther_from_a_part_than_scores_and_lead_to_it(people):
    heat, offsets, weights, _, _ = posenet_targets(people, SIDE)
    assert np.all(weights >= heat)
    rows, columns = np.nonzero(weights[0])
    places = np.stack([rows, columns], axis=1) * 16
    noses = people[:, 0, 1::-1]
    distances = np.linalg.norm(places[:, None] - noses, axis=2)
    assert 2.1 * 16 < distances.min(axis=1).max() <= REACH * 16
    np.testing.assert_allclose(places + offsets[0][:, rows, columns].T, noses[distances.argmin(axis=1)], rtol=1e-5)


def test_parts_without_label_leave_no_trace(people):
    people[:, 9:, 2] = 0
    heat, _, offset_weights, _, displacement_weights = posenet_targets(people, SIDE)
    assert heat[:9].any(axis=(1, 2)).all()
    assert not heat[9:].any()
    assert not offset_weights[9:].any()
    assert not displacement_weights[16 + 6].any()  # from a left wrist
    assert not displacement_weights[6].any()  # to one


def test_the_neck_needs_both_shoulders(people):
    people[0, 5, 2] = 0
    neck = openpose_targets(people, SIDE)[1]
    columns, rows = (people[:, [5, 6], :2].mean(axis=1) / 8).astype(int).T
    assert neck[rows[0], columns[0]] < 0.05
    assert (neck[rows[1:], columns[1:]] > 0.7).all()


def test_nobody_gives_background_alone():
    nobody = np.empty((0, 17, 3), np.float32)
    heat, _, weights, _, _ = posenet_targets(nobody, 65)
    maps = openpose_targets(nobody, 65)
    assert not heat.any()
    assert not weights.any()
    assert (maps[18] == 1).all()
    assert not np.delete(maps, 18, axis=0).any()


def test_a_mirrored_window_swaps_left_and_right(people):
    whole = Window(0, 0, SIDE, is_mirrored=True).place(people)
    mirrored = bu.Poses(people, np.ones(3), bu.COCO17).mirrored(width=SIDE, swap_sides=True).keypoints
    np.testing.assert_allclose(whole, mirrored, rtol=1e-5)


def test_what_lies_outside_a_window_is_not_labelled(people):
    placed = Window(2, 3, 161, is_mirrored=False).place(people)
    inside = ((people[..., 0] >= 48) & (people[..., 0] <= 208)) & ((people[..., 1] >= 32) & (people[..., 1] <= 192))
    np.testing.assert_array_equal(placed[..., 2] > 0, inside)
    np.testing.assert_allclose(placed[inside][:, :2], people[inside][:, :2] - (48, 32), rtol=1e-5)


def test_varied_images_differ_and_the_original_stays():
    image = np.full((33, 33, 3), 100, np.uint8)
    first, second = (vary(image, np.random.default_rng(seed)) for seed in (1, 2))
    assert first.shape == image.shape
    assert first.dtype == np.uint8
    assert not np.array_equal(first, second)
    assert (image == 100).all()
