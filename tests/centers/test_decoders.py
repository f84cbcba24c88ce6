import dataclasses
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bottomup.centers import reference
from bottomup.centers.best import CenterDecoder
from bottomup.centers.family import CENTERS
from bottomup.centers.fields import CenterFields
from bottomup.centers.reference.best import calibrate
from bottomup.errors import InputError
from bottomup.geometry import ImageSize
from bottomup.poses import Poses
from bottomup.similarity import pose_similarities
from bottomup.skeletons import COCO17
from bottomup.synthetic import center_fields, random_poses
from bottomup.tensors import Quantized

SIZE = ImageSize(256, 192)
CHANNELS = {"center": 1, "heatmaps": 17, "regressions": 34, "offsets": 34, "box_sizes": 2, "box_offsets": 2}
DECODERS = {
    "best": CenterDecoder(),
    "best, strict": CenterDecoder(score_threshold=0.4, max_poses=3, local_maximum_radius=2, nms_similarity=0.3),
    "best, plain": CenterDecoder(vote_radius=0, window=0.3, min_vote_score=0.5, position_error=0),
    "movenet": CenterDecoder.movenet(),
    "movenet, nine": CenterDecoder.movenet(max_poses=9),
    "movenet_single": CenterDecoder.movenet_single(),
    "centernet": CenterDecoder.centernet(),
    "centernet, many": CenterDecoder.centernet(max_poses=4, score_threshold=0.05, peak_threshold=0.3, reach=0.9),
    "dekr": CenterDecoder.dekr(),
    "dekr, official": CenterDecoder.dekr(flavour="official"),
    "dekr, wide": CenterDecoder.dekr(flavour="official", max_poses=8, nearness=0.3),
}
every_decoder = pytest.mark.parametrize("decoder", DECODERS.values(), ids=DECODERS)


def random_fields(seed, grid=(7, 9), levels=5, spread=4.0, **settings):
    """Return fields of few levels, so that ties and plateaus are the rule."""
    generator = np.random.default_rng(seed)
    tensors = {
        name: ((generator.integers(0, levels, (*grid, count)) - levels // 2) * (spread / levels)).astype(np.float32)
        for name, count in CHANNELS.items()
    }
    tensors["box_sizes"] = np.abs(tensors["box_sizes"]) * 2
    return CenterFields(**tensors, **settings)


def assert_same(poses, expected):
    np.testing.assert_array_equal(poses.keypoints, expected.keypoints)
    np.testing.assert_array_equal(poses.scores, expected.scores)
    np.testing.assert_allclose(poses.boxes, expected.boxes, rtol=0, atol=1e-4)


@every_decoder
@given(
    seed=st.integers(0, 2**32 - 1),
    grid=st.tuples(st.integers(1, 12), st.integers(1, 12)),
    levels=st.sampled_from([2, 3, 9, 100]),
    logits=st.booleans(),
)
@settings(max_examples=25, deadline=None)
def test_kernels_answer_as_the_definition(decoder, seed, grid, levels, logits):
    fields = random_fields(seed, grid, levels, spread=6.0 if logits else 1.0, logits=True)
    fields = dataclasses.replace(fields, logits=logits)
    assert_same(decoder.decode(fields), reference.decode(fields, decoder))


@every_decoder
@given(seed=st.integers(0, 2**32 - 1), grid=st.tuples(st.integers(1, 12), st.integers(1, 12)))
@settings(max_examples=12, deadline=None)
def test_kernels_of_levels_answer_as_the_definition(decoder, seed, grid):
    generator = np.random.default_rng(seed)
    tensors = {
        name: Quantized(generator.integers(-6, 7, (*grid, count)).astype(np.int8), 0.5, -1)
        for name, count in CHANNELS.items()
    }
    fields = CenterFields(**tensors)
    assert fields.is_quantized
    assert_same(decoder.decode(fields), reference.decode(fields, decoder))


@every_decoder
def test_kernels_answer_as_the_definition_on_known_people(decoder):
    for quantized in (False, True):
        fields = center_fields(random_poses(6, SIZE, seed=3, overlapping=True), SIZE, quantized=quantized)
        assert_same(decoder.decode(fields), reference.decode(fields, decoder))


@pytest.mark.parametrize("boxes", [True, False])
@pytest.mark.parametrize("quantized", [True, False])
@pytest.mark.parametrize("count", [0, 1, 4, 9])
def test_our_decoder_gives_known_people_back(count, quantized, boxes):
    size = (512, 384)
    known = random_poses(count, size, seed=count)
    poses = CenterDecoder().decode(center_fields(known, size, quantized=quantized, boxes=boxes))
    assert len(poses) == count
    assert (poses.scores > 0.9).all()
    assert (poses.own_boxes is not None) == boxes
    if count:
        assert (pose_similarities(known.xy, poses.xy, COCO17).max(axis=1) > 0.98).all()


def test_six_people_in_the_graph_and_all_seven_in_ours():
    known = random_poses(7, (512, 384), seed=1)
    fields = center_fields(known, (512, 384))
    assert len(CenterDecoder.movenet().decode(fields)) == 6
    assert len(CenterDecoder().decode(fields)) == 7


def test_two_centres_within_two_cells_are_one_person():
    fields = center_fields(random_poses(1, SIZE), SIZE)
    center = np.array(fields.center)
    row, column = np.unravel_index(center[..., 0].argmax(), fields.grid)
    center[row, column + 2] = center[row, column]
    double = dataclasses.replace(fields, center=center)
    assert len(CenterDecoder().decode(double)) == 1


def test_a_plateau_of_centres_all_pass_in_the_graph():
    fields = random_fields(0, (9, 9))
    flat = dataclasses.replace(fields, center=np.full((9, 9, 1), 2.0))
    poses = CenterDecoder.movenet().decode(flat)
    assert len(poses) == 6
    assert_same(poses, reference.decode(flat, CenterDecoder.movenet()))


def test_an_empty_box_sends_the_graphs_parts_to_the_first_cell():
    fields = center_fields(random_poses(1, SIZE), SIZE)
    empty = dataclasses.replace(fields, box_sizes=np.full((48, 64, 2), -1.0), offsets=None)
    poses = CenterDecoder.movenet().decode(empty)
    assert (poses.keypoints[0] == 0).all()
    assert poses.scores[0] == 0


@every_decoder
@pytest.mark.parametrize("name", CHANNELS)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e30, -1e30, 3e38])
def test_hostile_tensors_end_in_poses(decoder, name, value):
    fields = random_fields(1, (9, 11))
    generator = np.random.default_rng(2)
    for share, logits in ((0.3, True), (1.0, True), (0.3, False)):
        values = np.array(getattr(fields, name))
        values[generator.random(values.shape) < share] = value
        values[0, 0] = 0.5  # no channel is nothing but that
        poses = decoder.decode(dataclasses.replace(fields, **{name: values}, logits=logits))
        is_found = np.isfinite(poses.xy).all(axis=2)
        assert (poses.keypoint_scores[~is_found] == 0).all()
        assert ((poses.keypoint_scores >= 0) & (poses.keypoint_scores <= 1)).all()
        assert ((poses.scores >= 0) & (poses.scores <= 1)).all()


@every_decoder
@pytest.mark.parametrize("grid", [(0, 0), (0, 5), (1, 1), (1, 7)])
def test_fields_of_hardly_any_cells(decoder, grid):
    fields = random_fields(3, grid)
    assert_same(decoder.decode(fields), reference.decode(fields, decoder))


@every_decoder
def test_four_threads_agree_with_one(decoder):
    several = [random_fields(seed, (12, 10)) for seed in range(8)]
    expected = [decoder.decode(fields) for fields in several]
    with ThreadPoolExecutor(4) as pool:
        for poses, one in zip(pool.map(decoder.decode, several * 4), expected * 4, strict=True):
            assert_same(poses, one)
    for poses, one in zip(decoder.decode_batch(several, threads=2), expected, strict=True):
        assert_same(poses, one)


@every_decoder
def test_decoding_twice_gives_the_same(decoder):
    fields = random_fields(5)
    first = decoder.decode(fields)
    decoder.decode(random_fields(6, (20, 20)))
    assert_same(decoder.decode(fields), first)


@every_decoder
def test_strides_and_shifts_move_positions(decoder):
    fields = random_fields(7, (12, 12), levels=100)
    poses = decoder.decode(fields)
    moved = decoder.decode(dataclasses.replace(fields, shift=(3.0, -2.0)))
    np.testing.assert_allclose(moved.xy, poses.xy + (3, -2), atol=1e-4)
    if poses.own_boxes is not None:
        np.testing.assert_allclose(moved.boxes, poses.boxes + (3, -2, 0, 0), atol=1e-4)


def test_a_score_just_at_the_threshold_counts():
    fields = center_fields(random_poses(1, SIZE), SIZE)
    scores = {name: 1 / (1 + np.exp(-np.asarray(getattr(fields, name), np.float64))) for name in ("center", "heatmaps")}
    scores = dataclasses.replace(
        fields, **{name: values.astype(np.float32) for name, values in scores.items()}, logits=False
    )
    highest = float(scores.center.max())
    assert len(CenterDecoder(score_threshold=highest).decode(scores)) == 1
    assert len(CenterDecoder(score_threshold=np.nextafter(np.float32(highest), np.float32(2))).decode(scores)) == 0


@pytest.mark.parametrize("alike", [True, False])
def test_people_are_one_above_the_similarity(alike):
    known = random_poses(1, SIZE, seed=4)
    both = Poses(np.concatenate([known.keypoints, known.keypoints + (14, 0, 0)]), [1, 1], COCO17)
    poses = CenterDecoder(nms_similarity=1).decode(center_fields(both, SIZE))
    assert len(poses) == 2
    likeness = float(pose_similarities(poses.xy[:1], poses.xy[1:], COCO17)[0, 0])
    limit = likeness - 0.01 if alike else likeness + 0.01
    assert len(CenterDecoder(nms_similarity=limit).decode(center_fields(both, SIZE))) == (1 if alike else 2)


@pytest.mark.parametrize("decoder", [CenterDecoder.movenet(), CenterDecoder.centernet()])
def test_decoders_of_boxes_refuse_fields_without(decoder):
    fields = center_fields(random_poses(1, SIZE), SIZE, boxes=False)
    for decode in (decoder.decode, lambda fields: reference.decode(fields, decoder)):
        with pytest.raises(InputError, match="have no box_sizes and box_offsets"):
            decode(fields)


@every_decoder
def test_other_fields_are_refused(decoder):
    with pytest.raises(InputError, match="fields must be CenterFields, got dict"):
        decoder.decode({})


@pytest.mark.parametrize(
    ("make", "change"),
    [
        (CenterDecoder, {"max_poses": 0}),
        (CenterDecoder, {"max_poses": 1001}),
        (CenterDecoder, {"score_threshold": 1.5}),
        (CenterDecoder, {"window": -0.1}),
        (CenterDecoder, {"vote_radius": np.nan}),
        (CenterDecoder, {"nms_similarity": "half"}),
        (CenterDecoder.movenet, {"max_poses": 101}),
        (CenterDecoder.centernet, {"reach": np.inf}),
        (CenterDecoder.dekr, {"flavour": "dekr"}),
    ],
)
def test_parameters_that_cannot_be_are_refused(make, change):
    with pytest.raises(InputError, match=next(iter(change))):
        make(**change)


def test_the_reference_takes_these_decoders_alone():
    with pytest.raises(InputError, match="must be a decoder of centres"):
        reference.decode(random_fields(0), "best")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["constant", "noise", "far"])
@every_decoder
def test_fields_made_to_be_slow_end_in_poses(decoder, kind):
    grid = (120, 160)
    generator = np.random.default_rng(0)
    fields = random_fields(0, grid, levels=100)
    if kind == "constant":
        fields = dataclasses.replace(fields, center=np.full((*grid, 1), 3.0), heatmaps=np.full((*grid, 17), 3.0))
    if kind == "far":  # nothing near where centres point to, everything far away
        heatmaps = np.full((*grid, 17), -60.0)
        heatmaps[::9, ::9] = generator.normal(size=(14, 18, 17))
        fields = dataclasses.replace(fields, heatmaps=heatmaps, box_sizes=np.full((*grid, 2), 1e6))
    poses = decoder.decode(fields)  # within 20 passes over the field and 50 ms
    assert np.isfinite(poses.scores).all()


def test_warming_up_finds_somebody():
    for quantized in (False, True):
        for make in CENTERS.decoders.values():
            assert len(make().decode(CENTERS.example(quantized))) >= 1


def test_inspect_shows_centres_regressions_and_windows():
    fields = center_fields(random_poses(2, SIZE), SIZE)
    shown = CENTERS.layers(fields, CenterDecoder())
    assert shown.maps["center"].shape == fields.grid
    assert shown.maps["window: nose"].max() == pytest.approx(1, abs=0.01)
    assert {"center to nose", "offsets: nose"} <= {field.name for field in shown.vectors}
    assert [len(trace) for trace in shown.traces] == [17, 17]
    assert [peak[0] for peak in shown.peaks] == [-1, -1]
    assert all(len(poses) == 2 for poses in shown.decodes.values())
    assert CENTERS.layers(fields, CenterDecoder.movenet()).settings == {}


STORED = {  # of `blurred_people`: scores of the best three, and x, y and score of the first one's left wrist
    "best": ([0.987, 0.984, 0.9837], [248.01, 6.07, 0.92]),
    "movenet": ([0.8152, 0.808, 0.7874], [160.68, 84.58, 0.91]),
    "movenet_single": ([0.8712], [160.71, 85.26, 0.91]),
    "centernet": ([0.9201, 0.9111, 0.8869], [160.68, 84.58, 0.92]),
    "dekr": ([0.802, 0.1574, 0.1569], [161.21, 83.43, 0.8]),
    "dekr, official": ([0.1582, 0.1587, 0.155], [160.69, 85.18, 0.17]),
}


def blurred_people():
    """Return fields of three people with weak peaks under ripples: constants that change move these answers."""
    fields = center_fields(random_poses(3, SIZE, seed=5), SIZE)
    tensors = {}
    for name, values in fields.as_floats.items():
        ripples = 0.5 * np.sin(1.7 * np.arange(values.size)).reshape(values.shape)
        tensors[name] = (0.25 if name in ("center", "heatmaps") else 1) * values + ripples
    return CenterFields(**tensors)


@pytest.mark.parametrize("name", STORED)
def test_stored_answers_hold(name):
    scores, wrist = STORED[name]
    poses = DECODERS[name].decode(blurred_people())
    assert poses.scores[:3].tolist() == pytest.approx(scores, abs=2e-4)
    assert poses.keypoints[0, 9].tolist() == pytest.approx(wrist, abs=0.02)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_poses", 30),
        ("score_threshold", 0.03),
        ("local_maximum_radius", 1),
        ("window", 0.05),
        ("vote_radius", 1.1),
        ("min_vote_score", 0.1),
        ("position_error", 2.8),
        ("nms_similarity", 0.6),
    ],
)
def test_defaults_are_the_settings_that_were_measured(name, value):
    assert getattr(CenterDecoder(), name) == value


def test_scores_are_the_calibrated_probabilities():
    """A pose of expected similarity 0.121 is right half of the time, one of twice that in five of six cases."""
    assert calibrate(np.float32(0.121)) == pytest.approx(0.5)
    assert calibrate(np.float32(0.242)) == pytest.approx(2**2.33 / (1 + 2**2.33))
