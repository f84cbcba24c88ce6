"""What was fitted or copied stays: stored answers, defaults, what is just inside and just outside of each threshold."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from posenet_answers import answers

import bottomup as bu
from bottomup.posenet import reference, roots
from bottomup.posenet.masks import CoralMasks, PoseNetMasks, TfjsMasks

P = bu.PoseNetDecoder
STORED = Path(__file__).parents[1] / "golden" / "answers_posenet.npz"


@pytest.mark.slow
@pytest.mark.parametrize("quantized", [True, False])
def test_every_decoder_and_mask_rule_answers_as_it_was_stored(quantized):
    stored = np.load(STORED)
    found = answers(stored, quantized)
    assert len(found) >= 68
    for name, array in found.items():
        if array.dtype == np.bool_:
            assert (array == stored[name]).all() if quantized else (array == stored[name]).mean() > 0.999, name
        else:
            np.testing.assert_allclose(array, stored[name], rtol=1e-5, atol=1e-4, err_msg=name)


@pytest.mark.parametrize(
    ("made", "defaults"),
    [
        (P(), (20, 0.1, 20, 3, 1, 1.1, 0.02, 0.05, 10, 1)),  # measured on photos
        (P.coral(), (10, 0.2, 10, 5, 1)),  # libcoral's operator in project-posenet's models
        (P.tfjs(), (5, 0.5, 20, 2, 1)),  # posenet 2.2
        (P.personlab(), (20, 0.01, 10, 2, 32, 4, 0.01, 0.5, 1)),  # sections 3.1 and 3.2, steps of 4 pixels
        (PoseNetMasks(), (0.5, 0.25, 4, 2)),
        (PoseNetMasks.personlab(), (0.5, 0.25, 0, 2)),  # section 3.3
        (CoralMasks(), (0.5, 2)),
        (TfjsMasks(), (0.7, 0.3, 0.2, 8)),  # body-pix 2.2
    ],
    ids=lambda made: type(made).__name__,
)
def test_defaults_are_those_of_the_papers_and_systems_or_measured(made, defaults):
    assert dataclasses.astuple(made) == defaults


@pytest.mark.parametrize("make", [P, P.coral, P.tfjs, P.personlab])
@pytest.mark.parametrize("name", ["max_poses", "nms_radius", "refinement_steps", "local_maximum_radius"])
def test_parameters_have_honest_upper_limits(make, name):
    highest = {"max_poses": 1000, "nms_radius": 10_000, "refinement_steps": 64, "local_maximum_radius": 4}[name]
    make(**{name: highest})
    with pytest.raises(bu.InputError, match=f"{name} must be"):
        make(**{name: highest + 1})


@pytest.mark.parametrize(
    "wrong", [{"hough_step": 0.05}, {"hough_step": 1e-9}, {"hough_radius": 257}, {"hough_radius": 0}], ids=str
)
def test_votes_are_gathered_no_finer_than_pixels_and_no_wider_than_people(wrong):
    with pytest.raises(bu.InputError, match=f"{next(iter(wrong))} must be a finite number"):
        P.personlab(**wrong)


# Just inside, just outside


def shown(logit):
    """Fields of somebody all of whose parts have this logit, in the middle of cells."""
    x = np.array([4, 5, 3, 6, 2, 6, 2, 7, 1, 8, 0, 6, 2, 6, 2, 6, 2]) * 16
    y = np.array([1, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7]) * 16
    known = bu.Poses(np.stack([x, y, np.ones(17)], axis=1)[None].astype(np.float32), np.ones(1, np.float32), bu.COCO17)
    fields = bu.synthetic.posenet_fields(known, (145, 129))
    heatmaps = np.where(fields.heatmaps > 5.9, logit, -30)
    return bu.PoseNetFields.from_mid_offsets(heatmaps, fields.offsets, fields._mid_offsets, logits=True)


def logit(score):
    return np.log(score / (1 - score))


@pytest.mark.parametrize(
    ("decoder", "threshold"),
    [
        (P(min_pose_score=0), 0.1),
        (P(score_threshold=0.3, min_pose_score=0), 0.3),
        (P(score_threshold=0), 0.05),  # min_pose_score
        (P(score_threshold=0, min_pose_score=0), 0.02),  # min_vote_score
        (P(score_threshold=0, min_pose_score=0, min_vote_score=0.2), 0.2),
        (P.coral(), 0.2),
        (P.coral(score_threshold=0.6), 0.6),
        (P.tfjs(), 0.5),
        (P.tfjs(score_threshold=0.1), 0.1),
        (P.personlab(score_threshold=0), 0.01),  # min_vote_score
        (P.personlab(score_threshold=0, min_vote_score=0.3), 0.3),
    ],
    ids=str,
)
def test_somebody_is_found_from_the_threshold_on(decoder, threshold):
    assert len(decoder.decode(shown(logit(threshold * 1.01)))) == 1
    assert len(decoder.decode(shown(logit(threshold * 0.99)))) == 0


LINE = bu.Skeleton("line", ("head", "tail"), ((0, 1),))


def apart(distance):
    """Fields of two who are so many pixels from one another, each with a head and a tail."""
    tensors = heatmaps, offsets, mid_offsets = [np.zeros((9, 9, size), np.float32) for size in (2, 4, 4)]
    heatmaps[:] = -30
    mid_offsets[:] = 64, 32, -64, -32  # forward y and x, backward y and x
    for row, column, part in ((1, 3, 0), (5, 5, 1)):
        heatmaps[row, column : column + 3, part] = 3, 2.9, 3
        offsets[row, column, 2 + part] = (32 - distance) / 2
        offsets[row, column + 1, 2 + part] = 1000  # whose votes count nowhere
        offsets[row, column + 2, 2 + part] = -(32 - distance) / 2
    return bu.PoseNetFields.from_mid_offsets(*tensors, skeleton=LINE)


@pytest.mark.parametrize(
    ("decoder", "radius", "margin"),
    [
        (P(refinement_steps=0, vote_passes=0, min_pose_score=0), 20, 0.1),
        (P.coral(refinement_steps=0), 10, 0.1),
        (P.coral(refinement_steps=0, nms_radius=15), 15, 0.1),
        (P.tfjs(refinement_steps=0), 20, 0.1),
        (P.personlab(refinement_steps=0), 10, 2.1),  # votes meet at places 4 pixels apart
    ],
    ids=str,
)
def test_two_within_the_radius_are_one(decoder, radius, margin):
    if isinstance(decoder, bu.PoseNetDecoder):
        decoder = dataclasses.replace(decoder, vote_passes=1, vote_radius=0.1)
    outside = decoder.decode(apart(radius + margin))
    assert len(outside) == 2
    assert len(decoder.decode(apart(radius - margin))) == 1


def test_half_of_the_poses_of_an_expected_similarity_of_4_are_right():
    assert reference.best.calibrate(np.float32(4)) == 0.5
    np.testing.assert_allclose(reference.best.calibrate(np.float32(1)), 1 / (1 + 4**1.5), rtol=1e-6)


# Time


@pytest.mark.parametrize(
    "decoder", [P(), P.coral(), P.tfjs(), P.personlab()], ids=lambda decoder: type(decoder).__name__
)
@pytest.mark.parametrize("patience", [-50, -15, 0, 60, 500, 2000])
@pytest.mark.parametrize("kind", ["noise", "near", "lure"])
def test_a_search_that_finds_nobody_new_ends_where_the_definition_does(monkeypatch, decoder, patience, kind):
    monkeypatch.setattr(roots, "PATIENCE", patience)
    random = np.random.default_rng(7)
    heatmaps, offsets, mid_offsets = (np.zeros((7, 8, size), np.float32) for size in (17, 34, 64))
    if kind == "noise":
        heatmaps, mid_offsets = random.normal(size=(7, 8, 17)) * 2, random.normal(size=(7, 8, 64)) * 30
    elif kind == "lure":
        heatmaps[:] = -20
        heatmaps[::2, ::2] = random.uniform(3, 5, (4, 4, 17))
        offsets[:] = 16
    else:
        heatmaps[:] = random.integers(1, 3, (7, 8, 17))
    fields = bu.PoseNetFields.from_mid_offsets(heatmaps, offsets, mid_offsets, logits=True)
    decoder = dataclasses.replace(decoder, max_poses=30)
    poses, expected = decoder.decode(fields), reference.decode(fields, decoder)
    assert len(poses) == len(expected)
    np.testing.assert_allclose(poses.keypoints, expected.keypoints, rtol=1e-5, atol=1e-3)


def test_without_patience_a_search_ends_at_once(monkeypatch):
    monkeypatch.setattr(roots, "PATIENCE", -(9 * 9))
    assert len(dataclasses.replace(P.coral(), max_poses=9).decode(apart(30))) == 0


def test_photos_take_a_tenth_of_the_patience_at_most():
    assert roots.PATIENCE == 100_000
    known = bu.synthetic.random_poses(30, (641, 481), seed=2)
    fields = bu.synthetic.posenet_fields(known, (641, 481), quantized=True)
    expected = P.coral(max_poses=100, score_threshold=0.01).decode(fields)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(roots, "PATIENCE", 10_000)
        fewer = P.coral(max_poses=100, score_threshold=0.01).decode(fields)
    np.testing.assert_array_equal(fewer.keypoints, expected.keypoints)


def test_a_lone_cells_votes_weigh_its_share_of_the_disk():
    share = 16**2 / (np.pi * 32**2)
    decoder = P.personlab(score_threshold=0.05)
    assert len(decoder.decode(shown(logit(0.05 / share * 1.01)))) == 1
    assert len(decoder.decode(shown(logit(0.05 / share * 0.99)))) == 0


def test_keypoints_count_above_the_threshold_and_poses_from_it_on():
    known = bu.synthetic.random_poses(1, (129, 129), seed=1)
    fields = bu.synthetic.posenet_fields(known, (129, 129), masks=np.ones((1, 129, 129), bool))

    def painted(score, pose_score):
        keypoints = known.keypoints.copy()
        keypoints[..., 2] = score
        poses = bu.Poses(keypoints, np.array([pose_score], np.float32), bu.COCO17)
        return TfjsMasks(keypoint_threshold=0.5, pose_threshold=0.25).masks(fields, poses).any()

    assert painted(0.51, 0.25)
    assert not painted(0.5, 0.25)
    assert not painted(0.51, 0.24)
