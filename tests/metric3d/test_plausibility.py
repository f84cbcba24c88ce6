"""Which poses to believe, boxes, and how far off poses are."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

import bottomup as bu
from bottomup.errors import InputError
from bottomup.metric3d import (
    align,
    auc,
    boxes_from_poses,
    median_bone_lengths,
    mpjpe,
    ncps,
    pa_mpjpe,
    pck,
    plausibility,
    suppress_implausible_poses,
)
from bottomup.metric3d.boxes import detect_boxes, suppress_overlapping

EDGES = [(0, 1), (1, 2)]
LENGTHS = [400.0, 300.0]
BODY = np.array([[0, 0, 4000], [0, 400, 4000], [0, 700, 4000], [0, 900, 4100], [50, 900, 4000.0]])


def poses(*shifts):
    return np.stack([BODY + shift for shift in shifts])


def test_a_bone_of_absurd_length_is_implausible():
    longer, shorter, odd = BODY.copy(), BODY.copy(), BODY.copy()
    longer[0, 1] -= 900  # 1300 mm: more than three times 400
    shorter[1:] -= [0, 380, 0]  # 20 mm: less than a tenth, and 380 off
    odd[0, 1] -= 600  # 1000 mm: less than three times
    missing = BODY.copy()
    missing[0] = np.nan
    every = np.stack([BODY, longer, shorter, odd, missing])
    assert plausibility.has_plausible_bones(every, EDGES, LENGTHS).tolist() == [True, False, False, True, True]


@pytest.mark.parametrize(
    ("length", "known", "expected"),
    [
        (1201, 400, False),  # more than three times as long, and more than 300 mm off
        (1199, 400, True),
        (39, 400, False),  # less than a tenth
        (41, 400, True),
        (450, 149, False),
        (440, 146, True),  # more than three times, but less than 300 mm off
        (31, 332, False),
        (29, 328, True),
    ],
)
def test_bones_are_absurd_beyond_their_limits_and_not_before(length, known, expected):
    bone = np.array([[[0, 0, 4000], [0, length, 4000.0]]])
    assert plausibility.has_plausible_bones(bone, [(0, 1)], [known]).tolist() == [expected]


@pytest.mark.parametrize(("off", "agree"), [(199.0, True), (201.0, False)])
def test_augmentations_agree_on_parts_within_200_mm(off, agree):
    two = np.array([[[0.0, side, 4000]] * 5 for side in (off, -off)])
    assert plausibility.is_consistent(two[None]).tolist() == [agree]


@pytest.mark.parametrize(("steady", "agree"), [(3, True), (2, False)])
def test_augmentations_must_agree_on_more_than_a_quarter_of_the_parts(steady, agree):
    two = np.array([[[0.0, 0, 4000]] * steady + [[0.0, side, 4000]] * (8 - steady) for side in (900, -900)])
    assert plausibility.is_consistent(two[None]).tolist() == [agree]


@pytest.mark.parametrize(("share", "fills"), [(0.51, True), (0.49, False)])
def test_a_pose_fills_its_box_from_half_of_it_on(share, fills):
    pose = [[[0, 0], [100 * share, 50.0]]]
    assert plausibility.fills_box(pose, [[0, 0, 100, 50]]).tolist() == [fills]


@pytest.mark.parametrize(("off", "kept"), [(179.0, False), (181.0, True)])
def test_poses_are_doubles_up_to_a_similarity_of_two_fifths(off, kept):
    """1 - 180 / 300 = 0.4, of the quarter of the parts that lie furthest apart."""
    large = np.array([[1e7, 0, 0], [-1e7, 0, 0], [0, 1e7, 0], [0, 0, 1e7]])
    moved = large.copy()
    moved[3] += [off, 0, 0]
    found = plausibility.suppress_similar(np.stack([large, moved]), [1, 0.5])
    assert found.tolist() == [True, kept]


def test_augmentations_that_disagree_are_inconsistent():
    near = BODY + np.random.default_rng(0).normal(0, 30, (5, 5, 3))
    apart = BODY + np.random.default_rng(0).normal(0, 600, (5, 5, 3))
    further = BODY * np.linspace(0.8, 1.2, 5)[:, None, None]  # the same, at other distances
    assert plausibility.is_consistent(np.stack([near, apart, further])).tolist() == [True, False, True]
    assert plausibility.is_consistent(BODY[None, None]).tolist() == [True]
    assert plausibility.is_consistent(np.full((1, 2, 5, 3), np.nan)).tolist() == [False]


def test_a_pose_must_fill_its_box():
    pose = np.array([[10, 10], [20, 30], [15, 20.0]])
    boxes = [[10, 10, 10, 20], [10, 10, 10, 50], [90, 90, 5, 5], [10, 10, 10, 20]]
    found = plausibility.fills_box([pose, pose, pose, pose * np.nan], boxes)
    assert found.tolist() == [True, False, False, False]


def test_the_double_of_a_better_pose_goes():
    every = poses((0, 0, 0), (30, 0, 0), (900, 0, 0), (0, 0, 0))
    every[3] *= 1.1  # the same person, taken to be further off
    assert plausibility.suppress_similar(every, [0.5, 0.9, 0.1, 0.3]).tolist() == [False, True, True, False]
    assert plausibility.suppress_similar(every[:2, :2], [1, 2]).tolist() == [False, True]  # fewer than four parts


def test_all_tests_together_and_nobody():
    every = poses((0, 0, 0), (20, 0, 0), (1500, 0, 0))[:, None]
    seen = every[..., :2] / every[..., 2:] * 1000
    low, high = seen.min(axis=(1, 2)), seen.max(axis=(1, 2))
    boxes = np.column_stack([low, high - low, [0.4, 0.9, 0.8]])
    kept = suppress_implausible_poses(every, seen, boxes, edges=EDGES, bone_lengths=LENGTHS)
    assert kept.tolist() == [False, True, True]
    assert suppress_implausible_poses(every, seen, boxes[:, :4]).tolist() == [True, False, True]
    boxes[2, 2:4] *= 10
    assert suppress_implausible_poses(every, seen, boxes).tolist() == [False, True, False]
    nobody = suppress_implausible_poses(np.zeros((0, 5, 5, 3)), np.zeros((0, 5, 5, 2)), np.zeros((0, 5)))
    assert nobody.shape == (0,)


def test_bone_lengths_of_a_sequence_are_medians():
    every = poses(*np.zeros((5, 3)))
    every[0, 0, 1] = -5000
    every[1, 0] = np.nan
    np.testing.assert_allclose(median_bone_lengths(every, EDGES), LENGTHS)
    with pytest.raises(InputError, match="each bone"):
        median_bone_lengths(every[[1]], EDGES)


def two_d(scores=(0.9, 0.4)):
    keypoints = np.zeros((len(scores), 17, 3))
    keypoints[:, :4] = [[100, 100, 0.9], [140, 180, 0.9], [120, 120, 0.5], [500, 500, 0.01]]
    keypoints[:, 4:, :2] = np.nan
    return bu.Poses(keypoints, scores, bu.COCO17)


def test_boxes_are_around_keypoints_that_score():
    boxes = boxes_from_poses(two_d(), (1000, 170), expansion=1.5)
    np.testing.assert_allclose(boxes[0], [90, 80, 60, 90, 0.9], atol=1e-5)  # cut at the lower border
    lonely = two_d()
    lonely.keypoints[1, 1:] = np.nan, np.nan, 0
    assert np.isnan(boxes_from_poses(lonely, (1000, 1000))[1, :4]).all()


def test_boxes_grow_by_a_quarter_around_keypoints_of_a_tenth():
    keypoints = np.full((1, 17, 3), np.nan)
    keypoints[0, :, 2] = 0
    keypoints[0, :3] = [[100, 100, 0.11], [180, 140, 0.1], [500, 500, 0.099]]
    [box] = boxes_from_poses(bu.Poses(keypoints, [0.7], bu.COCO17), (1000, 1000))
    np.testing.assert_allclose(box, [90, 95, 100, 50, 0.7], atol=1e-5)


@pytest.mark.parametrize(("width", "kept"), [(71, [True, False]), (69, [True, True])])
def test_boxes_are_one_from_seven_tenths_of_their_union_on(width, kept):
    boxes = np.array([[0, 0, 100, 10, 0.9], [0, 0, width, 10, 0.5]])
    assert suppress_overlapping(boxes).tolist() == kept


def test_overlapping_boxes_go_and_thresholds_hold():
    boxes = np.array([[0, 0, 10, 10, 0.5], [0, 0, 10, 9, 0.9], [20, 0, 10, 10, 0.2], [np.nan, 0, 1, 1, 0.9]])
    assert suppress_overlapping(boxes[:3]).tolist() == [False, True, True]
    image = np.zeros((50, 100, 3), np.uint8)
    rest = {"score_threshold": 0.3, "nms_iou_threshold": 0.7, "max_detections": -1}
    assert detect_boxes(lambda _: boxes, image, **rest, flip=False).tolist() == [boxes[1].tolist()]
    flipped = detect_boxes(lambda _: boxes, image, **rest, flip=True)
    assert flipped[:, 0].tolist() == [0, 90]
    assert len(detect_boxes(lambda _: boxes, image, **{**rest, "max_detections": 1}, flip=True)) == 1
    large = np.zeros((500, 500, 3), np.uint8)
    assert len(detect_boxes(lambda _: two_d(), large, **rest, flip=False)) == 1  # of two poses in one place
    assert detect_boxes(lambda _: boxes[:3, :4], image, **rest, flip=False)[:, 4].tolist() == [1, 1]
    with pytest.raises(InputError, match="detector"):
        detect_boxes(lambda _: "nobody", image, **rest, flip=False)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10**6), st.floats(0.1, 10))
def test_procrustes_undoes_turns_scales_and_shifts_but_no_mirroring(seed, scale):
    random = np.random.default_rng(seed)
    truth = random.normal(0, 400, (3, 12, 3))
    turns = Rotation.random(3, random_state=random).as_matrix()
    moved = scale * truth @ turns + random.normal(0, 3000, (3, 1, 3))
    assert pa_mpjpe(moved, truth) < 1e-6
    np.testing.assert_allclose(align(moved, truth), truth, atol=1e-6)
    assert pa_mpjpe(moved * [-1, 1, 1], truth) > 10


def test_measures_are_what_they_say():
    truth = np.zeros((2, 4, 3))
    found = truth + [[[0, 0, 0]], [[0, 0, 100]]]
    assert mpjpe(found, truth) == 50
    assert mpjpe(found, truth, root=0) == 0
    assert pck(found, truth, threshold=99) == 0.5
    assert pck(found, truth, threshold=100) == 1
    assert auc(found, truth, highest=150) == pytest.approx((1 + 11 / 31) / 2)  # 100, 105, ... 150 of 31 thresholds
    body = np.random.default_rng(0).normal(0, 400, (2, 12, 3))
    off = body.copy()
    off[1, 3] += 2000
    assert ncps(off, body) == 0.5


def test_unlabelled_parts_do_not_count_and_missing_ones_are_wrong():
    truth, found = np.zeros((2, 4, 3)), np.zeros((2, 4, 3))
    truth[0, 0] = np.nan
    found[0, 0] = 7
    assert mpjpe(found, truth) == 0
    found[1, 1] = np.nan
    assert np.isnan(mpjpe(found, truth))
    assert pck(found, truth) == pytest.approx(6 / 7)
    with pytest.raises(InputError, match="truth"):
        mpjpe(found, truth * np.nan)
    with pytest.raises(InputError, match="both be"):
        mpjpe(found[:1], truth)
