import numpy as np
import pytest

import bottomup as bu
from bottomup.errors import InputError
from bottomup.images import read_image
from bottomup.poses import Poses
from bottomup.similarity import pose_similarities
from bottomup.skeletons import COCO17, Skeleton
from bottomup.synthetic import random_poses
from bottomup.tracking import ConstantVelocity, OneEuro, Tracker, similarities

PERSON = random_poses(1, seed=3).keypoints[0]
PERSON = (PERSON - (*PERSON[:, :2].mean(axis=0), 0)) * (200 / np.ptp(PERSON[:, 1]), 200 / np.ptp(PERSON[:, 1]), 1)
NOBODY = Poses.empty(COCO17)


def people(*places, scores=None):
    """Persons 200 px tall with their middles at these x, on one line."""
    keypoints = np.reshape([PERSON + (x, 300, 0) for x in places], (len(places), 17, 3))
    return Poses(keypoints, scores or [0.9] * len(places), COCO17)


def ids_over(frames, fps=25, **settings):
    tracker = Tracker(**settings)
    return [tracker.update(poses, number / fps).ids.tolist() for number, poses in enumerate(frames)]


def test_people_keep_their_ids_whatever_their_order():
    assert ids_over([people(100, 400, 700), people(702, 103, 399), people(400, 100, 700)]) == [
        [1, 2, 3],
        [3, 1, 2],
        [2, 1, 3],
    ]


def test_who_comes_is_new_and_no_id_is_given_twice():
    assert ids_over([people(100), people(400), people(100, 400, 700)], max_gap=0) == [[1], [2], [3, 2, 4]]


def test_two_people_who_cross_keep_their_ids():
    right, left = np.linspace(100, 500, 41), np.linspace(500, 100, 41)
    frames = [people(a, b) for a, b in zip(right, left, strict=True)]
    frames[19] = people(right[19])  # one hides the other for three frames
    frames[20] = people(left[20])
    frames[21] = people(right[21])
    ids = ids_over(frames)
    assert ids[:19] == [[1, 2]] * 19
    assert ids[22:] == [[1, 2]] * 19


@pytest.mark.parametrize(("gap", "expected"), [(20, 1), (30, 2)])
def test_who_is_out_of_sight_for_longer_than_max_gap_is_new(gap, expected):
    frames = [people(300)] * 5 + [NOBODY] * (gap - 1) + [people(300)]
    assert ids_over(frames, fps=25, max_gap=1.0)[-1] == [expected]


def test_a_walk_goes_on_out_of_sight():
    places = np.arange(0, 800, 8)
    frames = [people(x) for x in places]
    frames[50:58] = [NOBODY] * 8
    ids = ids_over(frames)
    assert ids[:50] + ids[58:] == [[1]] * 92


def test_unsure_poses_continue_people_and_start_none():
    frames = [people(100, 400, scores=[0.9, 0.15]), people(100, 400, scores=[0.15, 0.15])]
    assert ids_over(frames, start_score=0.2) == [[1], [1]]
    assert ids_over(frames, start_score=0.2, keep_score=0.2) == [[1], []]


def test_a_sure_pose_comes_before_an_unsure_one_that_lies_nearer():
    frames = [people(100), people(110, 100, scores=[0.9, 0.15])]
    assert ids_over(frames) == [[1], [1]]
    tracker = Tracker()
    tracker.update(frames[0], 0.0)
    assert tracker.update(frames[1], 0.04).scores.tolist() == pytest.approx([0.9])


def test_parts_that_come_and_go_are_no_new_person():
    rng = np.random.default_rng(0)
    frames = []
    for number in range(30):
        poses = people(100 + 3 * number)
        poses.keypoints[0, rng.random(17) < 0.5] = np.nan, np.nan, 0
        frames.append(poses)
    assert ids_over(frames) == [[1]] * 30


def test_the_poses_that_come_out_are_those_that_went_in():
    poses = people(400, 100, scores=[0.9, 0.3])
    before = poses.keypoints.copy()
    tracker = Tracker(smoothing=OneEuro())
    tracker.update(people(410, 110), 0.0)
    tracked = tracker.update(poses, 0.1)
    np.testing.assert_array_equal(poses.keypoints, before)
    assert tracked.scores.tolist() == poses.scores.tolist()
    assert tracked.keypoints.dtype == np.float32
    np.testing.assert_array_equal(Tracker().update(poses, 0).keypoints, before)


def test_nobody_and_nonsense_are_taken():
    tracker = Tracker(smoothing=OneEuro())
    nonsense = people(100, 400)
    nonsense.keypoints[0] = np.nan, np.nan, 0
    nonsense.keypoints[1, :5] = np.inf, -np.inf, 1
    for number, poses in enumerate([NOBODY, nonsense, NOBODY, people(100), nonsense]):
        tracked = tracker.update(poses, float(number))
        assert len(tracked) == len(tracked.ids) == len(poses)


def test_every_skeleton_is_tracked():
    arm = Skeleton("arm", ("elbow", "wrist"), ((0, 1),))
    tracker = Tracker()
    for number in range(3):
        ids = tracker.update(Poses([[(10 + number, 10, 1), (90, 50, 1)]], [0.9], arm), number / 25).ids
        assert ids.tolist() == [1]


@pytest.mark.parametrize("time", [0.0, -1.0, np.nan, np.inf])
def test_time_must_move_on(time):
    tracker = Tracker()
    tracker.update(NOBODY, 0.0)
    with pytest.raises(InputError, match="time must increase"):
        tracker.update(NOBODY, time)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"keep_score": 0.5}, "keep_score must not exceed"),
        ({"min_similarity": 0}, "min_similarity must be"),
        ({"max_gap": -1}, "max_gap must be"),
        ({"max_gap": np.nan}, "max_gap must be"),
        ({"start_score": "high"}, "start_score must be one number"),
        ({"max_overlap": 0}, "max_overlap must be"),
        ({"spread": np.inf}, "spread must be"),
        ({"motion": 3}, "motion must be a ConstantVelocity, got 3"),
        ({"smoothing": 3}, "smoothing must be a OneEuro or None, got 3"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(InputError, match=message):
        Tracker(**settings)


# Similarity


def test_similarity_is_1_where_two_are_one_and_0_where_nothing_is_common():
    poses = people(100, 400)
    halves = people(100, 100)
    halves.keypoints[0, :8] = np.nan, np.nan, 0
    halves.keypoints[1, 8:] = np.nan, np.nan, 0
    np.testing.assert_allclose(np.diag(similarities(poses.xy, poses.xy, COCO17)), 1)
    assert similarities(poses.xy, poses.xy, COCO17)[0, 1] < 1e-3
    assert similarities(halves.xy[:1], halves.xy[1:], COCO17) == 0


def test_similarity_is_the_same_from_both_sides_and_at_any_scale():
    one, other = people(100, 110, 300), people(95, 320)
    alike = similarities(one.xy, other.xy, COCO17)
    np.testing.assert_allclose(alike, similarities(other.xy, one.xy, COCO17).T)
    np.testing.assert_allclose(alike, similarities(7 * one.xy, 7 * other.xy, COCO17), rtol=1e-4)


# Smoothing


def walk(speed, noise, smoothing, fps=30, seconds=4):
    """Return how far the smoothed and the raw keypoints of a walk are from the truth, after the first second."""
    rng = np.random.default_rng(0)
    tracker = Tracker(smoothing=smoothing)
    errors = []
    for number in range(fps * seconds):
        truth = people(100 + speed * number / fps)
        noisy = people(100 + speed * number / fps)
        noisy.keypoints[..., :2] += rng.normal(0, noise, (1, 17, 2))
        tracked = tracker.update(noisy, number / fps)
        errors.append((tracked.xy - truth.xy, noisy.xy - truth.xy))
    smooth, raw = np.moveaxis(np.array(errors)[fps:], 1, 0)
    return smooth, raw


def test_who_stands_still_stops_trembling():
    smooth, raw = walk(0, 2, OneEuro())
    assert smooth.std() < 0.6 * raw.std()
    assert np.diff(smooth, axis=0).std() < 0.4 * np.diff(raw, axis=0).std()


def test_who_walks_is_not_left_behind():
    smooth, _ = walk(150, 0, OneEuro())
    lazy, _ = walk(150, 0, OneEuro(beta=0))
    assert np.abs(smooth).max() < 5  # of 200 px, at 150 px a second
    assert np.abs(lazy[-1]).max() > 15


def test_without_noise_or_movement_nothing_changes():
    smooth, _ = walk(0, 0, OneEuro())
    assert np.abs(smooth).max() < 1e-3


def test_smoothing_does_not_depend_on_the_resolution():
    rng = np.random.default_rng(0)
    small, large = Tracker(smoothing=OneEuro()), Tracker(smoothing=OneEuro())
    for number in range(20):
        poses = people(100 + 5 * number)
        poses.keypoints[..., :2] += rng.normal(0, 2, (1, 17, 2))
        grown = people(0)
        grown.keypoints[...] = poses.keypoints * (4, 4, 1)
        one, other = small.update(poses, number / 30), large.update(grown, number / 30)
    np.testing.assert_allclose(4 * one.xy, other.xy, rtol=1e-4)


def test_missing_parts_stay_missing_and_come_back_where_they_are():
    tracker = Tracker(smoothing=OneEuro())
    for number in range(10):
        poses = people(100)
        if 3 <= number < 6:
            poses.keypoints[0, 9] = np.nan, np.nan, 0
        tracked = tracker.update(poses, number / 25)
        assert np.isnan(tracked.xy[0, 9]).all() == (3 <= number < 6)
    np.testing.assert_allclose(tracked.xy, poses.xy, atol=1e-3)


@pytest.mark.parametrize("settings", [{"min_cutoff": 0}, {"beta": -1}, {"speed_cutoff": 0}, {"min_cutoff": np.nan}])
def test_filters_out_of_range_are_refused(settings):
    with pytest.raises(InputError, match="must be a finite number"):
        OneEuro(**settings)
    with pytest.raises(InputError, match="must be one number"):
        OneEuro(**dict.fromkeys(settings, "slow"))


# Duplicates, cameras, crowds


def crowd(seed=0, count=8):
    rng = np.random.default_rng(seed)
    places = 130 * np.arange(count) + rng.uniform(-20, 20, count)
    return places, rng


def test_worse_duplicates_neither_take_an_id_nor_get_one():
    places, rng = crowd()
    tracker, seen = Tracker(), []
    for number in range(40):
        found = people(*places, *places + rng.normal(0, 5, len(places)), scores=[0.9] * 8 + [0.6] * 8)
        order = rng.permutation(16)
        found.keypoints[..., :2] += rng.normal(0, 1.5, found.xy.shape)
        tracked = tracker.update(found[order], number / 25)
        assert len(tracked) == 8
        seen.append(dict(zip(np.argsort(np.argsort(tracked.boxes[:, 0])).tolist(), tracked.ids.tolist(), strict=True)))
    assert all(ids == seen[0] for ids in seen)
    assert tracker.num_people == 8


def test_half_a_second_pose_on_somebody_makes_no_new_person():
    keypoints = people(100, 100).keypoints
    keypoints[1, 5:, :2] += 60  # half of it elsewhere: not alike enough to be a duplicate
    poses = Poses(keypoints, [0.9, 0.5], COCO17)
    assert len(poses.without_duplicates()) == 2
    assert len(Tracker(max_overlap=0.2).update(poses, 0)) == 1
    assert len(Tracker(max_overlap=1).update(poses, 0)) == 2


def test_a_camera_that_starts_and_stops_takes_nobodys_id():
    near = PERSON + np.array([(x, 150, 0) for x in (150, 450, 750, 1050)])[:, None]
    far = PERSON * (0.2, 0.2, 1) + np.array([(40 * k, 400, 0) for k in range(20)])[:, None]
    keypoints = np.concatenate([near, far])
    shifts = np.cumsum([0] * 3 + [20] * 5 + [0] * 3)  # half as far as people in the distance stand apart
    for motion, are_kept in ((ConstantVelocity(), True), (ConstantVelocity(camera=False), False)):
        frames = [Poses(keypoints + (shift, 0, 0), np.full(24, 0.9), COCO17) for shift in shifts]
        assert (ids_over(frames, motion=motion) == [list(range(1, 25))] * len(shifts)) == are_kept


def test_who_turns_round_between_two_frames_is_found_where_they_were():
    places = [*range(100, 500, 40), *range(420, 100, -40)]  # 80 px beside the prediction at the turn
    assert ids_over([people(x) for x in places]) == [[1]] * len(places)
    ids = ids_over([people(x, x + 700) for x in places])
    assert ids == [[1, 2]] * len(places)


def test_one_close_match_beats_two_loose_ones():
    poses = PERSON + np.array([(0, 0, 0), (25, 0, 0)])[:, None]
    tracker = Tracker(max_overlap=1)
    first = tracker.update(Poses(poses, np.full(2, 0.9), COCO17), 0)
    table = similarities(first.xy, PERSON[None, :, :2] + np.array([(4, 0), (-25, 0)])[:, None], COCO17)
    assert table.trace() < table[0, 1] + table[1, 0]
    moved = Poses(PERSON + np.array([(4, 0, 0), (-25, 0, 0)])[:, None], np.full(2, 0.9), COCO17)
    assert tracker.update(moved, 0.04).ids.tolist()[0] == 1


def test_two_people_alone_are_no_camera():
    frames = [people(100, 400)] * 3 + [people(100 + 8 * k, 400 - 8 * k) for k in range(38)]
    ids = ids_over(frames)
    assert ids[:16] + ids[-16:] == [[1, 2]] * 32


@pytest.mark.parametrize(("motion", "expected"), [({}, 1), ({"horizon": 0}, 2), ({"memory": 1}, 2)])
def test_motion_carries_people_through_a_gap(motion, expected):
    places = np.arange(0, 400, 20)
    frames = [people(x) for x in places[:10]] + [NOBODY] * 5 + [people(places[15])]
    assert ids_over(frames, motion=ConstantVelocity(**motion))[-1] == [expected]


@pytest.mark.parametrize("settings", [{"memory": 1.5}, {"memory": -0.1}, {"horizon": -1}, {"camera": 2}])
def test_motion_out_of_range_is_refused(settings):
    with pytest.raises(InputError, match=next(iter(settings))):
        ConstantVelocity(**settings)


def test_the_defaults_are_those_that_were_measured():
    tracker = Tracker()
    assert (tracker.start_score, tracker.keep_score, tracker.min_similarity) == (0.2, 0.1, 0.2)
    assert (tracker.spread, tracker.max_overlap, tracker.max_gap) == (2.0, 0.4, 1.0)
    assert (tracker.motion, tracker.smoothing) == (ConstantVelocity(memory=0.5, horizon=0.5, camera=True), None)


@pytest.mark.parametrize("time", [None, "now", [1, 2]])
def test_a_time_that_is_none_is_refused(time):
    with pytest.raises(InputError, match="time must be one number"):
        Tracker().update(NOBODY, time)


def test_other_things_than_poses_and_another_skeleton_are_refused():
    tracker = Tracker()
    tracker.update(people(100), 0)
    with pytest.raises(InputError, match="poses must be Poses, got list"):
        tracker.update([], 1)
    arm = Skeleton("arm", ("elbow", "wrist"), ((0, 1),))
    with pytest.raises(InputError, match="must have the 17 parts of the frames before, got arm, which has 2"):
        tracker.update(Poses.empty(arm), 1)


def test_a_thousand_people_keep_their_ids():
    rows, columns = np.divmod(np.arange(1000), 40)
    keypoints = PERSON + np.stack([110 * columns, 230 * rows, 0 * rows], axis=1)[:, None]
    tracker = Tracker()
    for number in range(3):
        poses = Poses(keypoints + (3 * number, 0, 0), np.full(1000, 0.9), COCO17)
        assert tracker.update(poses, number / 25).ids.tolist() == list(range(1, 1001))


def test_under_a_panning_camera_no_sure_pose_changes_its_id(shared):
    model = shared / "models" / "coral" / "posenet_mobilenet_v1_075_481_641_quant_decoder.tflite"
    photos = [shared / "photos" / "dev" / f"{name}.jpg" for name in ("000000084031", "000000122962", "000000363188")]
    if not all(path.is_file() for path in (model, *photos)):
        pytest.skip("needs ../shared/models/coral and ../shared/photos/dev")
    estimator, pairs = bu.load(model, decoder=bu.PoseNetDecoder()), 0
    for photo in photos:
        image = read_image(photo)
        width = round(0.7 * image.shape[1])
        tracker, before = Tracker(), None
        for number, left in enumerate(range(0, 80, 9)):
            view = np.ascontiguousarray(image[:, left : left + width])
            poses = tracker.update(estimator(view), number / 25).above(0.4)
            xy = poses.xy + (left, 0)
            if before is not None:
                table = pose_similarities(before[0], xy, COCO17)
                for one, other in np.argwhere(table > 0.7):
                    assert before[1][one] == poses.ids[other]
                    pairs += 1
            before = xy, poses.ids
    assert pairs > 60


@pytest.mark.parametrize(("shift", "is_same"), [(41.5, True), (42.0, False)])
def test_people_seen_from_the_side_are_a_quarter_as_wide_as_tall(shift, is_same):
    """Were they lines, without an area, no shift at all would be theirs; these are 200 pixels tall."""
    keypoints = np.ones((1, 17, 3))
    keypoints[0, :, 0], keypoints[0, :, 1] = 300, np.linspace(100, 300, 17)
    tracker = Tracker()
    [first] = tracker.update(Poses(keypoints, [1], COCO17), 0).ids
    [second] = tracker.update(Poses(keypoints + (shift, 0, 0), [1], COCO17), 0.04).ids
    assert (first == second) == is_same
