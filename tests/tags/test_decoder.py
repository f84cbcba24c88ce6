"""What the tag decoders find, keep and refuse."""

import dataclasses
import threading

import numpy as np
import pytest

import bottomup as bu
from bottomup.tags import reference

OURS = bu.TagDecoder()
DECODERS = {
    "ours": OURS,
    "omz": bu.TagDecoder.omz(delta=0.375),
    "mmpose": bu.TagDecoder.mmpose(delta=0.375),
    "udp": bu.TagDecoder.mmpose(udp=True),
    "higherhrnet": bu.TagDecoder.higherhrnet(),
}
every_decoder = pytest.mark.parametrize("name", DECODERS)
PAIR = bu.Skeleton("pair", ("head", "foot"), ((0, 1),), sigmas=(0.08, 0.08))
TRIO = bu.Skeleton("trio", ("one", "two", "three"), ((0, 1), (1, 2)), sigmas=(0.08, 0.08, 0.08))


def crowd(count, size=(320, 256), seed=1, **settings):
    """Return people away from the border and their fields."""
    poses = bu.synthetic.random_poses(count, (size[0] - 64, size[1] - 64), seed)
    poses = bu.Poses(poses.keypoints + (32, 32, 0), poses.scores, poses.skeleton)
    return poses, bu.synthetic.tag_fields(poses, size, **settings)


def spots(skeleton, places, size=(24, 32)):
    """Return fields with (part, row, column, score, tag) peaks of one cell each."""
    heatmaps = np.zeros((*size, len(skeleton.parts)), np.float32)
    tags = np.full(heatmaps.shape, 50, np.float32)
    for part, row, column, score, tag in places:
        heatmaps[row, column, part], tags[row, column, part] = score, tag
    return bu.TagFields(heatmaps, tags, 1, skeleton=skeleton)


def assert_same_people(poses, expected, within):
    assert len(poses) >= len(expected)
    poses = poses[: len(expected)]  # other systems make people of the further cells of a plateau
    distances = np.linalg.norm(poses.xy[:, None] - expected.xy[None], axis=3)
    assert (np.nanmax(distances, axis=2).min(axis=1) < within).all()


@every_decoder
@pytest.mark.parametrize("quantized", [False, True], ids=["float32", "uint8"])
@pytest.mark.parametrize("count", [1, 5])
@pytest.mark.slow
def test_people_come_back(name, quantized, count):
    poses, fields = crowd(count, quantized=quantized)
    found = DECODERS[name].decode(fields)
    assert not found.filled[:count].any()
    assert_same_people(found, poses, 6 if name != "ours" else 2.5 if quantized else 0.5)
    assert name != "ours" or len(found) == count


@pytest.mark.parametrize("settings", [{"tag_size": 2}, {"negated": True}, {"output_stride": 2}, {"sigma": 1.0}])
@pytest.mark.slow
def test_people_come_back_of_every_kind_of_fields(settings):
    poses, fields = crowd(4, **settings)
    assert_same_people(OURS.decode(fields), poses, 1.5)


@every_decoder
def test_nobody_is_found_in_nothing(name):
    for shape in ((0, 0), (0, 9), (9, 0), (1, 1), (24, 32)):
        found = DECODERS[name].decode(bu.TagFields(np.zeros((*shape, 17)), np.zeros((*shape, 17))))
        assert len(found) == 0
        assert found.keypoints.shape == (0, 17, 3)
        assert found.filled.shape == (0, 17)


@every_decoder
@pytest.mark.parametrize("threshold", ["inside", "outside"])
def test_a_peak_is_above_the_threshold(name, threshold):
    decoder = dataclasses.replace(DECODERS[name], score_threshold=0.25, fill=False)
    if name == "omz":
        decoder = dataclasses.replace(decoder, min_score=0)
    score = np.nextafter(np.float32(0.25), np.float32(1)) if threshold == "inside" else 0.25
    fields = spots(PAIR, [(0, 4, 5, score, 1), (1, 9, 5, score, 1)])
    assert len(decoder.decode(fields)) == (threshold == "inside")


@every_decoder
@pytest.mark.parametrize(("apart", "people"), [(0.98, 1), (1.02, 2)])
def test_tags_a_threshold_apart_are_two_people(name, apart, people):
    decoder = dataclasses.replace(DECODERS[name], fill=False)
    decoder = dataclasses.replace(decoder, min_parts=1, nearness=0) if name == "ours" else decoder
    fields = spots(PAIR, [(0, 4, 5, 0.9, 1), (1, 9, 5, 0.9, 1 + apart)])
    assert len(decoder.decode(fields)) == people


@every_decoder
def test_people_of_equal_tags_are_two(name):
    """In mmpose's and HigherHRNet's dictionaries of tags, the second one would replace the first."""
    decoder = dataclasses.replace(DECODERS[name], fill=False)
    places = [(0, 4, 5, 0.9, 1), (0, 4, 25, 0.8, 1), (1, 9, 5, 0.9, 1), (1, 9, 25, 0.8, 1)]
    found = decoder.decode(spots(PAIR, places))
    assert len(found) == 2
    assert np.isfinite(found.xy).all()


def test_people_of_equal_tags_are_told_apart_by_place():
    places = [(0, 4, 5, 0.8, 1), (0, 4, 25, 0.9, 1), (1, 9, 5, 0.9, 1), (1, 9, 25, 0.8, 1)]
    found = OURS.decode(spots(PAIR, places))
    assert (np.abs(found.xy[:, 0, 0] - found.xy[:, 1, 0]) < 1).all()


def test_tags_of_quantised_people_are_compared_exactly():
    """Rounded to whole distances, all four pairs would cost the same."""
    places = [(0, 4, 5, 0.8, 1.0), (0, 4, 12, 0.8, 1.3), (1, 9, 5, 0.8, 1.3), (1, 9, 12, 0.8, 1.0)]
    found = dataclasses.replace(OURS, nearness=0).decode(spots(PAIR, places))
    assert sorted(np.rint(found.xy[:, :, 0]).tolist()) == [[5, 12], [12, 5]]


def test_pairs_gain_most_together():
    """The nearest pair alone would leave the other peak without anybody."""
    places = [(0, 4, 5, 0.8, 1.0), (0, 9, 5, 0.8, 1.9), (1, 4, 9, 0.8, 1.45), (1, 9, 9, 0.8, 2.7)]
    found = dataclasses.replace(OURS, nearness=0).decode(spots(PAIR, places))
    assert len(found) == 2


def test_far_pairs_do_not_displace_near_ones():
    """Munkres' sum of distances pairs two people with each other's peak where one of both has none."""
    places = [(0, 4, 5, 0.9, 0.0), (0, 4, 25, 0.9, 3.0), (1, 9, 5, 0.9, 0.1), (1, 20, 25, 0.9, -2.9)]
    found = dataclasses.replace(OURS, min_parts=1, fill=False).decode(spots(PAIR, places))
    assert len(found) == 3
    assert np.isfinite(found.xy[0]).all()


def test_of_a_plateau_the_first_cell_is_a_peak():
    heatmaps, tags = np.zeros((12, 12, 2), np.float32), np.zeros((12, 12, 2), np.float32)
    heatmaps[4:6, 4:7, 0] = 0.75
    heatmaps[9, 4, 1] = 0.75
    fields = bu.TagFields(heatmaps, tags, 1, skeleton=PAIR)
    assert len(OURS.decode(fields)) == 1
    assert len(bu.TagDecoder.mmpose(fill=False).decode(fields)) == 6  # all stay there


def test_missing_parts_are_filled_from_the_persons_tag():
    places = [(0, 4, 5, 0.9, 1), (1, 9, 5, 0.9, 1), (2, 12, 8, 0.04, 1.2), (2, 12, 4, 0.045, 3)]
    found = OURS.decode(spots(TRIO, places))
    assert found.filled.tolist() == [[False, False, True]]
    assert found.xy[0, 2].tolist() == [8, 12]
    assert found.keypoints[0, 2, 2] == pytest.approx(0.04 * (1 - 0.2**2), abs=1e-6)
    assert np.isnan(dataclasses.replace(OURS, fill=False).decode(spots(TRIO, places)).xy[0, 2]).all()


@pytest.mark.parametrize(("score", "filled"), [(0.0199, False), (0.0201, True)])
def test_cells_below_the_threshold_fill_nothing(score, filled):
    found = OURS.decode(spots(TRIO, [(0, 4, 5, 0.9, 1), (1, 9, 5, 0.9, 1), (2, 12, 8, score, 1)]))
    assert found.filled[0, 2] == filled


@pytest.mark.parametrize(("column", "filled"), [(9, True), (10, False)])
def test_parts_are_filled_near_the_person(column, filled):
    """The person is 5 cells high, so that four cells beyond the box are looked at."""
    found = OURS.decode(spots(TRIO, [(0, 4, 5, 0.9, 1), (1, 9, 5, 0.9, 1), (2, 12, column, 0.04, 1)]))
    assert found.filled[0, 2] == filled


def test_omz_fills_by_the_persons_own_tag():
    """The original takes the tag of whoever came as many places before as people were dropped."""
    weak, strong = [(0, 2, 2, 0.2, 9)], [(0, 8, 8, 0.9, 1), (1, 12, 8, 0.9, 1)]
    hidden = [(2, 16, 8, 0.05, 1), (2, 2, 20, 0.06, 9)]
    found = bu.TagDecoder.omz(min_score=0.1).decode(spots(TRIO, weak + strong + hidden))
    assert len(found) == 1
    assert np.rint(found.xy[0, 2]).tolist() == [8, 16]


@pytest.mark.slow
def test_omz_fills_by_tags_of_two_numbers():
    """The original raises."""
    poses, fields = crowd(2, tag_size=2)
    heatmaps = np.array(fields.heatmaps)
    heatmaps[..., 10] *= 0.09  # below the threshold of peaks
    found = bu.TagDecoder.omz(delta=0.375).decode(bu.TagFields(heatmaps, fields.tags))
    assert found.filled[:, 10].all()
    assert_same_people(found, poses, 3)


@pytest.mark.slow
def test_mmpose_fills_by_scores_after_udp():
    """The original looks among logarithms, and writes one as the score."""
    poses, fields = crowd(2)
    heatmaps = np.array(fields.heatmaps)
    heatmaps[..., 10] *= 0.09
    found = bu.TagDecoder.mmpose(udp=True).decode(bu.TagFields(heatmaps, fields.tags))
    assert found.filled[:, 10].all()
    assert ((found.keypoints[:, 10, 2] > 0.05) & (found.keypoints[:, 10, 2] <= 0.09)).all()
    assert_same_people(found, poses, 3)


@pytest.mark.slow
def test_mmpose_shifts_what_it_fills():
    poses, fields = crowd(2)
    heatmaps = np.array(fields.heatmaps)
    plain = bu.TagDecoder.mmpose().decode(fields)
    heatmaps[..., 10] *= 0.09
    filled = bu.TagDecoder.mmpose().decode(bu.TagFields(heatmaps, fields.tags))
    assert_same_people(filled, plain, 1e-3)
    assert_same_people(filled, poses, 4)


@pytest.mark.slow
def test_more_people_than_peaks_of_a_part_are_found():
    _, fields = crowd(40, (1024, 768), tag_distance=1.0)
    assert len(OURS.decode(fields)) == 40
    assert len(bu.TagDecoder.mmpose().decode(fields)) == 30
    assert len(bu.TagDecoder(max_peaks=10, min_parts=3).decode(fields)) <= 30


@pytest.mark.parametrize(("apart", "people"), [(5, 1), (6, 2)])
def test_fragments_of_a_person_are_dropped(apart, people):
    """OKS of parts that far apart is 0.76 and 0.67."""
    triangle = [(0, 5, 30), (1, 60, 5), (2, 80, 50)]
    near = [(part, row, column, 0.9, 1) for part, row, column in triangle]
    near += [(part, row, column + apart, 0.3, 4) for part, row, column in triangle]
    fields = spots(TRIO, near, (90, 60))
    assert len(OURS.decode(fields)) == people
    assert len(dataclasses.replace(OURS, max_overlap=1).decode(fields)) == 2


def test_people_of_one_part_are_left_out_unless_asked_for():
    fields = spots(PAIR, [(0, 4, 5, 0.9, 1)])
    assert len(OURS.decode(fields)) == 0
    assert len(dataclasses.replace(OURS, min_parts=1).decode(fields)) == 1


@pytest.mark.slow
def test_scores_are_probabilities_that_fall():
    _, fields = crowd(7)
    generator = np.random.default_rng(0)
    heatmaps = np.array(fields.heatmaps) * generator.uniform(0.05, 1, fields.heatmaps.shape[2])
    scores = OURS.decode(bu.TagFields(heatmaps, fields.tags)).scores
    assert (np.diff(scores) <= 0).all()
    assert ((scores > 0) & (scores < 1)).all()


@every_decoder
def test_scores_are_within_0_and_1_whatever_heatmaps_hold(name):
    fields = spots(PAIR, [(0, 4, 5, 7.0, 1), (1, 9, 5, 1.5, 1)])
    found = DECODERS[name].decode(fields)
    assert 0 <= found.scores[0] <= 1
    assert found.keypoint_scores.tolist() == [[1, 1]]


@every_decoder
@pytest.mark.slow
def test_a_shift_of_the_cells_shifts_people(name):
    _, fields = crowd(3)
    moved = bu.TagFields(fields.heatmaps, fields.tags, shift=(3.5, -2))
    np.testing.assert_allclose(DECODERS[name].decode(moved).xy, DECODERS[name].decode(fields).xy + (3.5, -2), atol=1e-4)


@every_decoder
@pytest.mark.slow
def test_rolling_fields_by_a_cell_moves_people_by_a_stride(name):
    _, one = crowd(2)
    other = bu.TagFields(np.roll(one.heatmaps, (1, 2), (0, 1)), np.roll(one.tags, (1, 2), (0, 1)))
    scale = 1.0 if name != "udp" else np.array([319 / 79 / 4, 255 / 63 / 4])
    moved = DECODERS[name].decode(one).xy + np.array([8, 4]) * scale
    np.testing.assert_allclose(DECODERS[name].decode(other).xy, moved, atol=1e-3)


@every_decoder
@pytest.mark.slow
def test_permuted_people_are_the_same_people(name):
    poses, _ = crowd(5)
    back = bu.Poses(poses.keypoints[::-1], poses.scores, poses.skeleton)
    one, other = (DECODERS[name].decode(bu.synthetic.tag_fields(each, (256, 192))) for each in (poses, back))
    assert_same_people(one, other, 1e-3)


@every_decoder
@pytest.mark.slow
def test_four_threads_find_what_one_does(name):
    fields = [crowd(count, seed=count)[1] for count in range(1, 9)]
    alone = [DECODERS[name].decode(each) for each in fields]
    wrong = []

    def work():
        for _ in range(20):
            for each, expected in zip(fields, alone, strict=True):
                if not np.array_equal(DECODERS[name].decode(each).keypoints, expected.keypoints, equal_nan=True):
                    wrong.append(each)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    together = DECODERS[name].decode_batch(fields, threads=2)
    assert all(np.array_equal(a.keypoints, b.keypoints, equal_nan=True) for a, b in zip(alone, together, strict=True))


@every_decoder
@pytest.mark.parametrize("kind", ["constant", "noise", "checks", "nan", "ramp"])
@pytest.mark.slow
def test_whatever_the_tensors_hold_it_ends_in_poses(name, kind):
    generator = np.random.default_rng(3)
    heatmaps = generator.random((96, 128, 17)).astype(np.float32)
    tags = generator.normal(0, 30, (96, 128, 17)).astype(np.float32)
    if kind == "constant":
        heatmaps[:], tags[:] = 0.5, generator.normal(0, 3, (96, 128, 1))
    elif kind == "checks":
        heatmaps[:] = (np.indices((96, 128)).sum(axis=0) % 2)[..., None]
    elif kind == "nan":
        heatmaps[generator.random(heatmaps.shape) < 0.5] = np.nan
        tags[generator.random(tags.shape) < 0.5] = np.inf
    elif kind == "ramp":
        heatmaps[:] = np.linspace(0.2, 1, 96 * 128 * 17).reshape(17, 96, 128).transpose(1, 2, 0)
        heatmaps[:, ::2] = 0
    fields = bu.TagFields(heatmaps, tags)
    found = DECODERS[name].decode(fields)  # within 20 passes and 50 ms
    assert np.isfinite(found.scores).all()
    inside = found.xy[np.isfinite(found.xy).all(axis=2)]
    if name != "udp":
        assert (inside > -4).all()
        assert (inside < (516, 388)).all()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"score_threshold": 1.5}, "score_threshold must be"),
        ({"max_peaks": 0}, "max_peaks must be a whole number"),
        ({"max_peaks": 10**6}, "max_peaks must be a whole number"),
        ({"tag_threshold": 0}, "tag_threshold must be"),
        ({"nearness": -1}, "nearness must be"),
        ({"fill": 1}, "fill must be True or False"),
        ({"min_parts": 0}, "min_parts must be"),
        ({"shift": (1, 2, 3)}, "shift must be one number or two"),
        ({"half_score": np.nan}, "half_score must be"),
    ],
)
def test_parameters_out_of_range_are_refused(settings, message):
    with pytest.raises(bu.InputError, match=message):
        bu.TagDecoder(**settings)


@pytest.mark.parametrize("make", [bu.TagDecoder.omz, bu.TagDecoder.mmpose, bu.TagDecoder.higherhrnet])
def test_other_systems_parameters_out_of_range_are_refused(make):
    for settings in ({"max_people": 0}, {"score_threshold": -0.1}, {"tag_threshold": np.inf}, {"fill": None}):
        with pytest.raises(bu.InputError, match=f"{next(iter(settings))} must be"):
            make(**settings)


@every_decoder
def test_other_fields_are_refused(name):
    with pytest.raises(bu.InputError, match="fields must be TagFields, got None"):
        DECODERS[name].decode(None)


def test_the_defaults_are_those_of_the_systems():
    assert bu.TagDecoder.omz() == type(bu.TagDecoder.omz())(0.0, 30, 0.1, 1.0, 0.1, True)
    assert bu.TagDecoder.mmpose() == type(bu.TagDecoder.mmpose())(False, 0.5, 30, 0.1, 1.0, True)
    assert bu.TagDecoder.higherhrnet() == type(bu.TagDecoder.higherhrnet())(30, 0.1, 1.0, True)


def noisy_crowd():
    """Return fields whose people are unsure, near each other and partly hidden."""
    poses = bu.synthetic.random_poses(9, (256, 192), seed=5, overlapping=True)
    generator = np.random.default_rng(8)
    fields = bu.synthetic.tag_fields(poses, (256, 192), tag_distance=0.7)
    rows, columns = np.indices(fields.grid)
    sure = 0.5 + 0.5 * np.sin(rows[..., None] / 5 + columns[..., None] / 7 + np.arange(17))  # faint here, clear there
    heatmaps = fields.heatmaps * sure + generator.normal(0, 0.01, fields.heatmaps.shape)
    return bu.TagFields(heatmaps, fields.tags + generator.normal(0, 0.2, fields.tags.shape))


@pytest.mark.slow
def test_fitted_constants_give_the_stored_answers():
    """Pins thresholds, nearness, window, ranking and calibration: a change of any shows here, and wants a reason."""
    found = OURS.decode(noisy_crowd())
    assert found.scores.tolist() == pytest.approx(STORED_SCORES, abs=1e-4)
    assert found.filled.sum(axis=1).tolist() == STORED_FILLED
    assert np.nansum(found.xy) == pytest.approx(STORED_SUM, abs=0.5)


@pytest.mark.parametrize(
    "change",
    [
        {"score_threshold": 0.07}, {"nearness": 1.2}, {"fill_window": 0.3}, {"half_size": 2},
        {"half_score": 0.65}, {"slope": 4.8}, {"min_parts": 14}, {"tag_threshold": 0.7}, {"max_overlap": 0.2},
    ],
    ids=str,
)  # fmt: skip
@pytest.mark.slow
def test_stored_answers_would_notice_a_change(change):
    found, changed = OURS.decode(noisy_crowd()), dataclasses.replace(OURS, **change).decode(noisy_crowd())
    same = len(found) == len(changed) and np.allclose(found.scores, changed.scores, atol=1e-4)
    same = same and found.filled.sum(axis=1).tolist() == changed.filled.sum(axis=1).tolist()
    assert not same or abs(np.nansum(found.xy) - np.nansum(changed.xy)) > 0.5


@pytest.mark.slow
def test_kernels_and_definition_agree_on_what_is_stored():
    np.testing.assert_allclose(
        OURS.decode(noisy_crowd()).keypoints, reference.decode(noisy_crowd(), OURS).keypoints, atol=1e-3
    )


STORED_SCORES = [0.999699, 0.999608, 0.999142, 0.998759, 0.998735, 0.997632, 0.997613, 0.996775, 0.858141]
STORED_FILLED = [4, 2, 3, 4, 1, 9, 2, 1, 11]
STORED_SUM = 28894.5
