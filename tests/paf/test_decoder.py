"""The part affinity field decoder on people who are known."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numba
import numpy as np
import pytest
from paf_scenes import SIZE, assert_same, crowd, errors, moved, together, truth

import bottomup as bu
from bottomup.paf.family import PAF

BODYPOSENET = {"size": (384, 288), "paf_repeat": 4}
FLAVOURS = {
    "default": bu.PafDecoder(),
    "strict": bu.PafDecoder.strict(),
    "greedy": bu.PafDecoder(matching="greedy"),
    "hungarian": bu.PafDecoder(matching="hungarian"),
    "openpose": bu.PafDecoder.openpose(),
    "bodyposenet": bu.PafDecoder.bodyposenet(),
    "trt_pose": bu.PafDecoder.trt_pose(),
}


@pytest.fixture(params=FLAVOURS)
def decoder(request):
    return FLAVOURS[request.param]


@pytest.mark.parametrize("quantized", [False, True], ids=["float32", "uint8"])
@pytest.mark.parametrize("network", [{}, BODYPOSENET], ids=["46x54", "36x48 and 144x192"])
@pytest.mark.parametrize("count", [0, 1, 2, 10, 30])
def test_finds_everybody_and_nobody_else(count, network, quantized):
    expected, fields = crowd(count, quantized=quantized, **network)
    poses = bu.PafDecoder().decode(fields)
    assert len(poses) == count
    if count:
        assert errors(expected, poses).mean() < 0.05
    assert (np.diff(poses.scores) <= 0).all()
    assert ((poses.scores > 0) & (poses.scores < 1)).all()


def test_every_flavour_finds_ten_people(decoder):
    expected, fields = crowd(10, seed=3)
    assert errors(expected, decoder.decode(fields)).max() < 0.3


def test_people_who_touch_are_two():
    one = moved(bu.synthetic.random_poses(1, SIZE, 5), scale=0.7)
    poses = together(one, moved(one, right=40))
    found = bu.PafDecoder().decode(bu.synthetic.paf_fields(poses, SIZE))
    assert errors(truth(poses), found).mean() < 0.3


def test_crossed_limbs_stay_whose_they_are(decoder):
    person = moved(bu.synthetic.random_poses(1, SIZE, 2), scale=0.8)
    poses = together(moved(person, right=-60), moved(person, right=90))
    arms = [person.skeleton.index(part) for part in ("left_elbow", "left_wrist")]
    shoulders = poses.xy[:, person.skeleton.index("left_shoulder")]
    middle = shoulders.mean(axis=0)
    poses.keypoints[0, arms, :2] = middle + [[-15, 25], [25, 60]]
    poses.keypoints[1, arms, :2] = middle + [[20, 20], [-20, 70]]
    assert errors(truth(poses), decoder.decode(bu.synthetic.paf_fields(poses, SIZE))).mean() < 0.3


@pytest.mark.parametrize("corner", [(0, 0), (1, 0), (0, 1), (1, 1)])
def test_a_person_in_a_corner_is_found_to_the_last_joint(corner):
    person = bu.synthetic.random_poses(1, SIZE, 7)
    low, high = person.xy.min(axis=(0, 1)), person.xy.max(axis=(0, 1))
    to_corner = np.where(corner, np.array(SIZE) - 1 - high, -low)
    person = moved(person, *to_corner)
    for quantized in (False, True):
        found = bu.PafDecoder().decode(bu.synthetic.paf_fields(person, SIZE, quantized=quantized))
        distances = errors(truth(person), found)
        assert distances.mean() < 0.3
        assert distances.max() < 3


def test_half_hidden_people_keep_the_half_that_shows():
    poses = bu.synthetic.random_poses(2, SIZE, 1)
    legs = [poses.skeleton.index(f"{side}_{part}") for side in ("left", "right") for part in ("knee", "ankle")]
    poses.keypoints[0, legs] = np.nan, np.nan, 0
    found = bu.PafDecoder().decode(bu.synthetic.paf_fields(poses, SIZE))
    distances = errors(truth(poses), found)
    assert np.isnan(distances[0]).sum() == len(legs)
    assert not np.isnan(distances[1]).any()
    assert np.nanmean(distances) < 0.3


def test_joints_that_coincide_make_neither_limb_nor_loss():
    poses = bu.synthetic.random_poses(1, SIZE)
    poses.keypoints[0, 9] = poses.keypoints[0, 7]  # a wrist upon its elbow
    fields = bu.synthetic.paf_fields(poses, SIZE)
    expected = truth(poses)
    assert np.isnan(errors(expected, bu.PafDecoder().decode(fields))[0, 7])
    assert errors(expected, bu.PafDecoder(touching=0.3).decode(fields)).max() < 0.3
    assert errors(expected, bu.PafDecoder.openpose().decode(fields)).max() < 0.3


@pytest.mark.parametrize(
    "skeleton", [bu.OPENPOSE18, bu.BODYPOSE18, bu.TRTPOSE18, bu.BODY25], ids=lambda skeleton: skeleton.name
)
def test_the_same_people_in_every_channel_order(skeleton):
    people = bu.synthetic.random_poses(4, SIZE, 2)
    fields = bu.synthetic.paf_fields(people, SIZE, skeleton=skeleton)
    poses = bu.PafDecoder().decode(fields)
    assert poses.skeleton is skeleton
    expected = bu.PafDecoder().decode(bu.synthetic.paf_fields(people, SIZE)).to_coco17()
    by_x = [np.argsort(found.to_coco17().xy[:, 0, 0]) for found in (poses, expected)]
    np.testing.assert_allclose(poses.to_coco17().xy[by_x[0]], expected.xy[by_x[1]], atol=0.02)


def test_a_skeleton_of_ones_own():
    snake = bu.Skeleton("snake", ("head", "middle", "tail"), ((0, 1), (1, 2)), paf_channels=((3, 2), (1, 0)))
    keypoints = np.array([[[40, 50, 1], [80, 90, 1], [140, 70, 1]], [[200, 50, 1], [240, 20, 1], [300, 70, 1]]])
    poses = bu.Poses(keypoints, [1, 1], snake)
    found = bu.PafDecoder().decode(bu.synthetic.paf_fields(poses, SIZE))
    assert errors(poses.xy, found).max() < 0.3


def test_another_stride():
    expected, fields = crowd(3, size=(224, 224), output_stride=4, skeleton=bu.OPENPOSE18, sigma=3.5)
    assert errors(expected, bu.PafDecoder().decode(fields)).max() < 0.1


def test_moving_the_maps_by_a_cell_moves_the_poses_by_a_stride():
    _, fields = crowd(6, seed=4, size=(384, 320))
    inner = bu.PafDecoder().decode(_padded(fields, 2, 3))
    outer = bu.PafDecoder().decode(_padded(fields, 3, 5))
    np.testing.assert_allclose(outer.xy - inner.xy, np.broadcast_to((16, 8), inner.xy.shape), atol=1e-3)
    np.testing.assert_allclose(outer.scores, inner.scores, atol=1e-6)


def _padded(fields, top, left):
    pads = ((top, 8 - top), (left, 8 - left), (0, 0))
    return bu.PafFields(np.pad(fields.heatmaps, pads), np.pad(fields.pafs, pads))


def test_mirroring_the_maps_swaps_left_and_right():
    _, fields = crowd(8, seed=5)
    skeleton = fields.skeleton
    heatmaps = fields.heatmaps[:, ::-1, [*skeleton.mirror, 18]]
    pafs = np.empty_like(fields.pafs)
    for edge, (parent, child) in enumerate(skeleton.edges):
        other = skeleton.edges.index((skeleton.mirror[parent], skeleton.mirror[child]))
        (x, y), (other_x, other_y) = skeleton.paf_channels[edge], skeleton.paf_channels[other]
        pafs[:, :, x], pafs[:, :, y] = -fields.pafs[:, ::-1, other_x], fields.pafs[:, ::-1, other_y]
    mirrored = bu.PafDecoder().decode(bu.PafFields(heatmaps, pafs))
    expected = bu.PafDecoder().decode(fields).mirrored(width=SIZE[0], swap_sides=True)
    assert_same(mirrored, expected)


def test_the_order_of_people_changes_nothing():
    poses = bu.synthetic.random_poses(9, SIZE, 8)
    backwards = bu.synthetic.paf_fields(poses[::-1], SIZE)
    assert_same(bu.PafDecoder().decode(bu.synthetic.paf_fields(poses, SIZE)), bu.PafDecoder().decode(backwards))


def test_the_shift_is_added():
    _, fields = crowd(2)
    plain, moved_poses = bu.PafDecoder().decode(fields), bu.PafDecoder(shift=(-0.5, 2)).decode(fields)
    np.testing.assert_allclose(moved_poses.xy - plain.xy, np.broadcast_to((-0.5, 2), plain.xy.shape), atol=1e-4)


def test_parts_without_a_peak_are_filled_in_where_the_maps_are_weak():
    expected, fields = crowd(2, seed=6)
    heatmaps = fields.heatmaps.copy()
    heatmaps[..., 4] *= 0.04  # right wrists: below the threshold of peaks
    weak = bu.PafFields(heatmaps, fields.pafs)
    poses = bu.PafDecoder().decode(weak)
    assert poses.filled[:, 4].all()
    assert poses.filled.sum() == 2
    assert (poses.keypoint_scores[:, 4] < 0.05).all()
    assert (poses.keypoint_scores[:, 4] > 0).all()
    by_x = [np.argsort(xy[:, 1, 0]) for xy in (poses.xy, expected)]
    assert np.linalg.norm(poses.xy[by_x[0], 4] - expected[by_x[1], 4], axis=-1).max() < 8
    assert np.isnan(poses.without_filled().xy[:, 4]).all()
    assert np.isnan(bu.PafDecoder(fill=False).decode(weak).xy[:, 4]).all()


def face_fields(ear_at, ear_score=0.03):
    """Somebody upright whose left ear has no peak, but a weak place where the field of the edge from the eye leads."""
    fields = PAF.example()
    skeleton = bu.OPENPOSE18
    heatmaps, pafs = fields.heatmaps.copy(), fields.pafs.copy()
    ear = skeleton.index("left_ear")
    heatmaps[..., ear] = 0
    row, column = ear_at
    heatmaps[row, column, ear] = ear_score
    for edge, (_, child) in enumerate(skeleton.edges):
        if child == ear:
            pafs[..., list(skeleton.paf_channels[edge])] = 1, 0
    return bu.PafFields(heatmaps, pafs)


@pytest.mark.parametrize(("column", "is_found"), [(9, True), (11, True), (12, False), (13, False)])
def test_an_ear_is_filled_in_near_the_nose_alone(column, is_found):
    poses = bu.PafDecoder(fill_window=3).decode(face_fields((2, column)))
    assert len(poses) == 1
    assert poses.filled[0, bu.OPENPOSE18.index("left_ear")] == is_found
    assert np.isnan(poses.xy[0, bu.OPENPOSE18.index("left_ear"), 0]) != is_found


def test_a_better_place_for_an_ear_but_too_far_away_does_not_hide_a_near_one():
    fields = face_fields((2, 11), 0.015)
    heatmaps = fields.heatmaps.copy()
    ear = bu.OPENPOSE18.index("left_ear")
    heatmaps[4, 11, ear] = 0.04  # 1.13 sizes of the face from the nose
    poses = bu.PafDecoder(fill_window=3).decode(bu.PafFields(heatmaps, fields.pafs))
    assert poses.filled[0, ear]
    assert poses.xy[0, ear, 1] < 28


def test_an_ear_is_never_filled_in_upon_anothers():
    _, fields = crowd(2, seed=6)
    first = bu.PafDecoder().decode(fields)
    ear = bu.OPENPOSE18.index("left_ear")
    heatmaps = fields.heatmaps.copy()
    x, y = first.xy[0, ear]
    column, row = round((x - 3.5) / 8), round((y - 3.5) / 8)
    heatmaps[row - 3 : row + 4, column - 3 : column + 4, ear] = 0
    poses = bu.PafDecoder(fill_window=50).decode(bu.PafFields(heatmaps, fields.pafs))
    assert len(poses) == 2
    assert np.isnan(poses.xy[:, ear, 0]).sum() == 1
    assert not poses.filled[:, ear].any()


def test_a_filled_part_does_not_make_a_person():
    poses = bu.synthetic.random_poses(1, SIZE)
    fields = bu.synthetic.paf_fields(poses, SIZE)
    heatmaps = fields.heatmaps.copy()
    heatmaps[..., 4:18] *= 0.04
    assert len(bu.PafDecoder(min_parts=5).decode(bu.PafFields(heatmaps, fields.pafs))) == 0
    assert len(bu.PafDecoder(min_parts=4).decode(bu.PafFields(heatmaps, fields.pafs))) == 1


def test_toes_and_heels_alone_are_nobody():
    feet = [bu.BODY25.index(part) for part in bu.BODY25.parts if part.endswith(("toe", "heel"))]
    keypoints = np.full((1, 25, 3), np.nan, np.float32)
    keypoints[0, [14, 19, 20, 21], :2] = (100, 100), (130, 110), (145, 105), (90, 125)
    fields = bu.synthetic.paf_fields(bu.Poses(keypoints, [1], bu.BODY25), SIZE)
    assert len(feet) == 6
    assert len(bu.PafDecoder(min_parts=2).decode(fields)) == 0
    assert len(bu.PafDecoder(min_parts=1).decode(fields)) == 1


def test_the_cap_keeps_the_strongest_peaks_wherever_they_are():
    people = bu.synthetic.random_poses(4, SIZE)
    fields = bu.synthetic.paf_fields(people, SIZE)
    faint = bu.synthetic.paf_fields(moved(people[:1], down=0), SIZE).heatmaps[..., :18] > 0.01
    heatmaps = np.where(faint, fields.heatmaps[..., :18] * 0.3, fields.heatmaps[..., :18])
    poses = bu.PafDecoder(max_peaks=3, fill=False).decode(bu.PafFields(heatmaps, fields.pafs))
    assert errors(truth(people[1:]), poses).max() < 0.5


def test_a_plateau_is_one_peak():
    heatmaps, pafs = np.zeros((20, 30, 3)), np.zeros((20, 30, 4))
    skeleton = bu.Skeleton("line", ("a", "b", "c"), ((0, 1), (1, 2)))
    for part, column in enumerate((5, 12, 20)):
        heatmaps[9:12, column : column + 2 + part, part] = 0.8
    pafs[..., 0] = pafs[..., 2] = 1
    poses = bu.PafDecoder().decode(bu.PafFields(heatmaps, pafs, skeleton))
    assert len(poses) == 1
    np.testing.assert_allclose(poses.xy[0], [(8 * x + 3.5, 83.5) for x in (5.5, 13, 21.5)], atol=1e-3)


def test_a_step_on_a_slope_is_no_peak():
    heatmaps = np.zeros((5, 9, 2))
    heatmaps[2, :, 0] = [0, 0.9, 0.5, 0.5, 0.3, 0, 0, 0, 0]
    heatmaps[2, 7, 1] = 0.9
    skeleton = bu.Skeleton("pair", ("a", "b"), ((0, 1),))
    pafs = np.zeros((5, 9, 2))
    pafs[..., 0] = 1
    poses = bu.PafDecoder(min_parts=2).decode(bu.PafFields(heatmaps, pafs, skeleton))
    assert len(poses) == 1
    assert poses.xy[0, 0, 0] < 8 * 1.6 + 3.5


@pytest.mark.slow
def test_four_threads_agree_with_one(decoder):
    scenes = [crowd(count, seed)[1] for seed, count in enumerate((1, 3, 8))] * 3
    expected = [decoder.decode(fields) for fields in scenes]
    with ThreadPoolExecutor(4) as pool:
        for one, other in zip(expected, pool.map(decoder.decode, scenes), strict=True):
            assert_same(one, other)
    for one, other in zip(expected, decoder.decode_batch(scenes, threads=3), strict=True):
        assert_same(one, other)


def test_grids_and_skeletons_take_turns_on_one_thread():
    scenes = [
        crowd(2)[1],
        crowd(9, size=(240, 320), quantized=True)[1],
        bu.synthetic.paf_fields(bu.synthetic.random_poses(3, SIZE), SIZE, skeleton=bu.BODY25),
    ]
    with ThreadPoolExecutor(1) as fresh:
        expected = [fresh.submit(bu.PafDecoder().decode, fields).result() for fields in scenes]
    kept = [bu.PafDecoder().decode(fields) for fields in scenes * 2]
    for poses, again, after in zip(expected, kept, kept[3:], strict=False):
        assert_same(poses, again)
        assert_same(poses, after)


@pytest.mark.slow
def test_more_limbs_than_there_was_room_for(decoder):
    generator = np.random.default_rng(3)
    heatmaps = np.zeros((24, 26, 19))
    heatmaps[::2, ::2] = generator.uniform(0.3, 0.9, (12, 13, 19))
    pafs = np.ones((24, 26, 38))
    poses = decoder.decode(bu.PafFields(heatmaps, pafs))
    _check(poses, (24, 26))
    assert_same(poses, decoder.decode(bu.PafFields(heatmaps, pafs)))


def test_poses_stay_when_the_next_image_is_decoded():
    first = bu.PafDecoder().decode(crowd(3)[1])
    before = first.keypoints.copy()
    bu.PafDecoder().decode(crowd(3, seed=1)[1])
    np.testing.assert_array_equal(first.keypoints, before)


def test_inputs_are_never_written_to():
    _, fields = crowd(3, quantized=True)
    heatmaps, pafs = fields.heatmaps.dequantize(), fields.pafs.dequantize()
    before = heatmaps.copy(), pafs.copy()
    given = bu.PafFields(heatmaps, pafs)
    assert given.heatmaps is heatmaps
    first = bu.PafDecoder().decode(given)
    np.testing.assert_array_equal(heatmaps, before[0])
    np.testing.assert_array_equal(pafs, before[1])
    heatmaps.flags.writeable = pafs.flags.writeable = False
    assert_same(bu.PafDecoder().decode(bu.PafFields(heatmaps, pafs)), first)


HOSTILE = {
    "nan": np.nan,
    "infinite": np.inf,
    "minus infinite": -np.inf,
    "enormous": 1e30,
    "constant": 0.5,
    "zero": 0.0,
    "negative": -3.0,
}


@pytest.mark.parametrize("value", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("grid", [(1, 1), (2, 3), pytest.param((9, 7), marks=pytest.mark.slow)], ids=str)
def test_whatever_the_maps_hold_poses_are_numbers_in_the_picture(value, grid, decoder):
    generator = np.random.default_rng(0)
    heatmaps, pafs = generator.uniform(0, 1, (*grid, 18)), generator.uniform(-1, 1, (*grid, 38))
    heatmaps_of_it, pafs_of_it = np.full((*grid, 18), value), np.full((*grid, 38), value)
    here_and_there = np.where(generator.random((*grid, 18)) < 0.3, value, heatmaps)
    for tensor in (heatmaps_of_it, pafs_of_it, here_and_there):
        tensor[0, 0] = 0.5  # a channel of nothing but NaN was not computed, and is refused
    for maps in ((here_and_there, pafs), (heatmaps, pafs_of_it), (heatmaps_of_it, pafs_of_it)):
        _check(decoder.decode(bu.PafFields(*maps)), grid)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_maps_that_were_not_computed_are_refused(value):
    heatmaps, pafs = np.zeros((4, 5, 18)), np.zeros((4, 5, 38))
    with pytest.raises(bu.InputError, match="pafs holds nothing but"):
        bu.PafFields(heatmaps, np.full_like(pafs, value))
    pafs[..., 7] = np.nan
    with pytest.raises(bu.InputError, match="channel 7 of pafs holds nothing but NaN"):
        bu.PafFields(heatmaps, pafs)


def _check(poses, grid):
    height, width = grid
    assert np.isfinite(poses.scores).all()
    assert ((poses.scores >= 0) & (poses.scores <= 1)).all()
    found = ~np.isnan(poses.xy[..., 0])
    x, y = poses.xy[found].T
    assert ((x >= -0.5) & (x <= 8 * width - 0.5) & (y >= -0.5) & (y <= 8 * height - 0.5)).all()
    assert ((poses.keypoint_scores[found] >= 0) & (poses.keypoint_scores[found] <= 1)).all()
    assert (poses.keypoint_scores[~found] == 0).all()


@pytest.mark.parametrize("quantized", [False, True], ids=["float32", "uint8"])
def test_noise_ends_in_time_and_stays_in_bounds(quantized, decoder):
    generator = np.random.default_rng(1)
    heatmaps, pafs = (generator.integers(0, 256, (13, 15, channels), dtype=np.uint8) for channels in (19, 38))
    tensors = bu.Quantized(heatmaps, 1 / 255, 0), bu.Quantized(pafs, 1 / 127, 128)
    if not quantized:
        tensors = tuple(tensor.dequantize() for tensor in tensors)
    _check(decoder.decode(bu.PafFields(*tensors)), (13, 15))


def every_other_cell(generator, shape):
    heatmaps = np.zeros(shape)
    heatmaps[::2, ::2] = generator.uniform(0.3, 0.9, heatmaps[::2, ::2].shape)
    return heatmaps


SLOW_TO_DECODE = {
    "noise": lambda generator, shape: generator.random(shape),
    "every other cell": every_other_cell,
    "constant": lambda generator, shape: np.full(shape, 0.5),
}


@pytest.mark.skipif(numba.config.DISABLE_JIT, reason="kernels are compiled, or it takes hours")
@pytest.mark.parametrize("field", [0.8, 0.001, None])
@pytest.mark.parametrize("kind", SLOW_TO_DECODE)
@pytest.mark.parametrize("flavour", ["default", "openpose", "trt_pose"])
def test_maps_made_to_be_slow_end_in_poses(flavour, kind, field):
    generator = np.random.default_rng(0)
    heatmaps = SLOW_TO_DECODE[kind](generator, (46, 82, 25)).astype(np.float32)
    pafs = np.full((46, 82, 52), field, np.float32) if field else generator.normal(size=(46, 82, 52)).astype(np.float32)
    fields = bu.PafFields(heatmaps, pafs, bu.BODY25)
    decoder = replace(FLAVOURS[flavour], max_peaks=4096)
    _check(decoder.decode(fields), (46, 82))  # in about 50 ms; without bounds in 2 to 15 s


def test_three_hundred_people_are_three_hundred():
    poses = bu.synthetic.random_poses(300, (1280, 960), 0)
    fields = bu.synthetic.paf_fields(poses, (1280, 960))
    assert len(bu.PafDecoder().decode(fields)) == 300
    assert len(bu.PafDecoder.openpose().decode(fields)) == 300


def test_a_plateau_of_half_the_map_is_no_peak():
    heatmaps, pafs = np.zeros((70, 130, 2), np.float32), np.zeros((70, 130, 2), np.float32)
    pafs[..., 0] = 1
    skeleton = bu.Skeleton("pair", ("a", "b"), ((0, 1),))
    heatmaps[1:65, 1:65, 0] = heatmaps[10, 100, 1] = 0.9
    decoder = bu.PafDecoder(min_parts=2, usual_length=0)
    assert len(decoder.decode(bu.PafFields(heatmaps, pafs, skeleton))) == 1  # 4096 cells
    heatmaps[65, 1, 0] = 0.9
    assert len(decoder.decode(bu.PafFields(heatmaps, pafs, skeleton))) == 0


@pytest.mark.parametrize("grid", [(0, 0), (0, 5), (5, 0)], ids=str)
def test_maps_without_cells_hold_nobody(grid, decoder):
    poses = decoder.decode(bu.PafFields(np.zeros((*grid, 19)), np.zeros((*grid, 38))))
    assert poses.keypoints.shape == (0, 18, 3)
    assert poses.filled.shape == (0, 18)


def test_a_level_that_never_reaches_the_threshold_finds_nobody():
    heatmaps = bu.Quantized(np.full((4, 4, 18), 255, np.uint8), 0.0001, 0)
    assert len(bu.PafDecoder().decode(bu.PafFields(heatmaps, np.zeros((4, 4, 38))))) == 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"peak_threshold": 1.5}, r"peak_threshold must be a finite number in \[0, 1\], got 1.5"),
        ({"fill_window": np.nan}, "fill_window must be a finite number in .0, 1000000.0., got nan"),
        ({"fill": 1}, "fill must be True or False, got 1"),
        ({"max_peaks": 2**31 - 1}, "max_peaks must be a whole number from 1 to 4096, got 2147483647"),
        ({"fill_samples": 10**6}, "fill_samples must be a whole number from 2 to 256"),
        ({"max_peaks": 0}, "max_peaks must be a whole number from 1 to 4096, got 0"),
        ({"max_samples": 3}, "max_samples must be at least min_samples, 5, got 3"),
        ({"matching": "best"}, "matching must be one of global, greedy, hungarian, got 'best'"),
        ({"ranking": None}, "ranking must be one of evidence, mean, tao"),
        ({"half_score": -1}, "half_score must be a finite number in"),
        ({"shift": (1, 2, 3)}, "shift must be one number or two"),
        ({"shift": np.inf}, "shift must be finite numbers in"),
    ],
)
def test_parameters_that_cannot_be_are_refused(changes, message):
    with pytest.raises(bu.InputError, match=message):
        bu.PafDecoder(**changes)


def test_other_fields_are_refused_with_the_way_out():
    with pytest.raises(bu.InputError, match="fields must be PafFields, got ndarray: build them with PafFields"):
        bu.PafDecoder().decode(np.zeros((46, 54, 57)))
