"""Rendering, mirroring, averaging and showing of associative embedding."""

import numpy as np
import pytest

import bottomup as bu
from bottomup.tags.augment import averaged, mirrored
from bottomup.tags.family import TAGS
from bottomup.tags.layers import layers
from bottomup.tags.rendering import tag_fields

SIZE = bu.ImageSize(192, 160)


@pytest.fixture
def people():
    poses = bu.synthetic.random_poses(3, (128, 96), seed=2)
    return bu.Poses(poses.keypoints + (32, 32, 0), poses.scores, poses.skeleton)


def assert_same(one, other, within):
    assert len(one) == len(other)
    distances = np.linalg.norm(one.xy[:, None] - other.xy[None], axis=3)
    assert (distances.max(axis=2).min(axis=1) < within).all()


def test_a_rendered_heatmap_is_highest_at_the_keypoint(people):
    fields = tag_fields(people, SIZE)
    assert fields.grid == (40, 48)
    for person, pose in enumerate(people.xy):
        for part, (x, y) in enumerate(pose):
            row, column = round((y + 0.5) / 4 - 0.5), round((x + 0.5) / 4 - 0.5)
            window = fields.heatmaps[row - 1 : row + 2, column - 1 : column + 2, part]
            assert window.max() > 0.9
            assert fields.tags[row, column, part, 0] in {2 * (other + 1) for other in range(3)}
        assert person < 3
    assert (fields.tags[0, 0] == 0).all()


def test_two_numbers_count_from_both_ends(people):
    tags = tag_fields(people, SIZE, tag_size=2).tags
    named = tags[(tags != 0).all(axis=3)]
    assert set(map(tuple, named.tolist())) == {(2, 6), (4, 4), (6, 2)}


def test_negated_cells_are_those_that_are_no_peaks(people):
    fields, plain = tag_fields(people, SIZE, negated=True), tag_fields(people, SIZE)
    assert fields.negated
    assert not plain.negated
    np.testing.assert_array_equal(np.abs(fields.heatmaps), plain.heatmaps)
    assert (fields.heatmaps > 0).sum() < 200


def test_absent_parts_are_not_rendered(people):
    keypoints = people.keypoints.copy()
    keypoints[:, 9] = np.nan
    fields = tag_fields(bu.Poses(keypoints, people.scores, people.skeleton), SIZE)
    assert fields.heatmaps[..., 9].max() == 0
    assert len(tag_fields(bu.Poses.empty(bu.COCO17), SIZE).heatmaps) == 40


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"output_stride": 0}, "output_stride, sigma and tag_distance must be above 0"),
        ({"sigma": np.inf}, "output_stride, sigma and tag_distance must be above 0"),
        ({"tag_size": 0}, "tag_size must be a whole number from 1 to 16"),
        ({"output_stride": 400}, "input_size must be at least 400 pixels each way"),
    ],
)
def test_what_cannot_be_rendered_is_refused(people, settings, message):
    with pytest.raises(bu.InputError, match=message):
        tag_fields(people, SIZE, **settings)


def test_mirroring_twice_changes_nothing(people):
    fields = tag_fields(people, SIZE, tag_size=2)
    back = mirrored(mirrored(fields, SIZE), SIZE)
    np.testing.assert_array_equal(back.heatmaps, fields.heatmaps)
    np.testing.assert_array_equal(back.tags, fields.tags)
    assert back.shift == fields.shift


@pytest.mark.parametrize("width", [192, 190])
@pytest.mark.slow
def test_fields_of_the_mirrored_input_give_mirrored_people(people, width):
    fields = tag_fields(people, SIZE)
    found = bu.TagDecoder().decode(mirrored(fields, bu.ImageSize(width, 160)))
    expected = bu.TagDecoder().decode(fields).mirrored(width=width, swap_sides=True)
    assert_same(found, expected, 0.1)


@pytest.mark.slow
def test_the_mean_keeps_the_tags_of_both(people):
    one = tag_fields(people, SIZE)
    backwards = bu.Poses(people.keypoints[::-1], people.scores, people.skeleton)
    other = tag_fields(backwards, SIZE, quantized=True)
    mean = averaged([one, other])
    assert mean.tag_size == 2
    np.testing.assert_allclose(mean.heatmaps, (one.heatmaps + other.heatmaps.dequantize()) / 2, atol=1e-6)
    assert_same(bu.TagDecoder().decode(mean), people, 1.5)
    assert not averaged([tag_fields(people, SIZE, negated=True)] * 2).negated


def test_fields_of_two_grids_have_no_mean(people):
    with pytest.raises(bu.InputError, match=r"\(40, 48\) and \(20, 24\) cells have no mean"):
        averaged([tag_fields(people, SIZE), tag_fields(people, SIZE, 8)])
    with pytest.raises(bu.InputError, match="at least one"):
        averaged([])


@pytest.mark.parametrize("decoder", [bu.TagDecoder(), bu.TagDecoder.omz()])
@pytest.mark.slow
def test_layers_show_peaks_where_people_are(people, decoder):
    shown = layers(tag_fields(people, SIZE), decoder)
    assert shown.family == "tags"
    assert list(shown.maps) == list(bu.COCO17.parts)
    assert len(shown.peaks) == 3 * 17
    for part, x, y, score in shown.peaks:
        assert np.linalg.norm(people.xy[:, part] - (x, y), axis=1).min() < 1
        assert 0 < score <= 1
    assert len(shown.limbs) == 3 * len(bu.COCO17.edges)
    assert all(limb[3] == pytest.approx(1) for limb in shown.limbs)
    assert set(shown.settings) == {"score_threshold", "tag_threshold"}
    assert len(shown.decodes) >= (77 if isinstance(decoder, bu.TagDecoder) else 70)


def test_layers_of_nothing_are_empty():
    shown = layers(bu.TagFields(np.zeros((0, 0, 17)), np.zeros((0, 0, 17))), bu.TagDecoder())
    assert shown.peaks == []


@pytest.mark.parametrize("quantized", [False, True])
@pytest.mark.slow
def test_the_familys_example_holds_one_person(quantized):
    for make in TAGS.decoders.values():
        assert len(make().decode(TAGS.example(quantized))) >= 1


@pytest.mark.slow
def test_a_page_shows_tag_fields(people):
    page = bu.inspection.inspect_fields(np.zeros((160, 192, 3), np.uint8), tag_fields(people, SIZE), bu.TagDecoder())
    assert page.startswith("<!doctype html>")
