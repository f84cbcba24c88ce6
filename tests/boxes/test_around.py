"""Around the decoder: rows of mirrored inputs, means of rows, what a page shows, rendering."""

import numpy as np
import pytest

import bottomup as bu
from bottomup.boxes.augment import average_fields, mirror_fields
from bottomup.boxes.family import BOXES
from bottomup.boxes.layers import box_layers
from bottomup.boxes.reference import read_boxes, read_keypoints, read_scores

SIZE = bu.ImageSize(320, 256)
LOOKS = {
    "rows": lambda people: bu.synthetic.box_fields(people, SIZE),
    "heads": lambda people: bu.synthetic.box_fields(people, SIZE, heads=True),
    "picked": lambda people: picked(people),
}
of_looks = pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)


def people(count=3, seed=0):
    return bu.synthetic.random_poses(count, SIZE, seed)


def picked(poses):
    """Return the end-to-end rows of people."""
    rows = np.zeros((1, 300, 57), np.float32)
    low, high = poses.xy.min(axis=1), poses.xy.max(axis=1)
    rows[0, : len(poses)] = np.column_stack(
        [low, high, np.linspace(0.9, 0.5, len(poses)), np.zeros(len(poses)), poses.keypoints.reshape(len(poses), 51)]
    )
    return bu.BoxFields.from_yolo(rows, input_size=SIZE)


@of_looks
def test_the_mirrored_rows_are_those_of_mirrored_people(look):
    poses = bu.BoxDecoder().decode(look(people()))
    mirrored = bu.BoxDecoder().decode(mirror_fields(look(people()), SIZE))
    assert len(mirrored) == len(poses) == 3
    expected = poses.mirrored(width=SIZE.width + 1, swap_sides=True)  # x becomes width - x
    for keypoints in expected.keypoints:
        errors = np.abs(mirrored.keypoints - keypoints).max(axis=(1, 2))
        assert errors.min() < 1e-3
    np.testing.assert_allclose(np.sort(mirrored.boxes, axis=0), np.sort(expected.boxes, axis=0), atol=1e-3)


@of_looks
def test_mirroring_twice_changes_nothing(look):
    fields = look(people())
    twice = mirror_fields(mirror_fields(fields, SIZE), SIZE)
    np.testing.assert_allclose(read_boxes(twice), read_boxes(fields), atol=1e-3)
    np.testing.assert_allclose(read_scores(twice)[0], read_scores(fields)[0], atol=1e-6)
    scores = read_scores(fields)[0]
    np.testing.assert_allclose(read_keypoints(twice, scores), read_keypoints(fields, scores), atol=1e-3)


def test_a_mean_of_rows_is_taken_cell_by_cell():
    one, other = (bu.synthetic.box_fields(people(seed=seed), SIZE, heads=seed == 1) for seed in (0, 1))
    mean = average_fields([one, other])
    np.testing.assert_allclose(read_boxes(mean), (read_boxes(one) + read_boxes(other)) / 2, atol=1e-4)
    np.testing.assert_allclose(read_scores(mean)[0], (read_scores(one)[0] + read_scores(other)[0]) / 2, atol=1e-6)
    assert mean.strides == (8, 16, 32)


def test_picked_rows_are_put_together_and_the_decoder_sorts_them_out():
    both = average_fields([picked(people()), picked(people())])
    assert both.rows.shape[0] == 600
    assert not both.form.is_final
    assert len(bu.BoxDecoder().decode(both)) == 3


def test_rows_of_other_networks_have_no_mean():
    fields = bu.synthetic.box_fields(people(), SIZE)
    with pytest.raises(bu.InputError, match="rows of different networks have no mean"):
        average_fields([fields, picked(people())])
    with pytest.raises(bu.InputError, match="1680 and 2100 rows have no mean: pass those of one input size"):
        average_fields([fields, bu.synthetic.box_fields(people(), (320, 320))])


@of_looks
def test_a_page_shows_where_rows_score_and_their_parts(look):
    layers = box_layers(look(people()), bu.BoxDecoder(score_threshold=0.3))
    assert layers.family == BOXES.name
    assert layers.maps["boxes"].shape == (32, 40)
    assert layers.maps["boxes"].max() > 0.3
    assert len(layers.peaks) == len(layers.traces) == len(layers.boxes) >= 3
    assert all(len(trace) == 17 for trace in layers.traces)
    assert all(better < worse and share > 0.3 for worse, better, share in layers.rivals)
    assert 0.3 in layers.settings["score_threshold"]
    assert len(layers.decodes[0.3, 0.7]) == 3
    part, x, y, score = layers.peaks[0]
    assert (part, len(layers.decodes)) == (
        -1,
        len(layers.settings["score_threshold"]) * len(layers.settings["iou_threshold"]),
    )
    assert 0 <= x < 320
    assert 0 <= y < 256
    assert 0 < score <= 1


def test_a_page_of_rows_without_a_size_or_without_people_is_shown_too():
    fields = bu.BoxFields.from_rtmo(np.array([[[10, 20, 30, 60, 0.9]]]), np.full((1, 1, 17, 3), 0.5))
    assert box_layers(fields, bu.BoxDecoder()).maps["boxes"].shape == (6, 3)
    empty = bu.BoxFields.from_rtmo(np.zeros((1, 0, 5)), np.zeros((1, 0, 17, 3)))
    assert box_layers(empty, bu.BoxDecoder()).peaks == []


def test_a_page_of_hostile_rows_is_shown_too():
    random = np.random.default_rng(0)
    rows = random.normal(size=(1680, 56)).astype(np.float32)
    rows[random.random(rows.shape) < 0.2] = np.nan
    rows[random.random(rows.shape) < 0.1] = np.inf
    layers = box_layers(bu.BoxFields.from_yolo(rows, input_size=SIZE), bu.BoxDecoder())
    assert np.isfinite(layers.maps["boxes"]).all()


def test_rendered_people_have_their_own_boxes_where_they_bring_some():
    poses = people(1)
    with_boxes = bu.Poses(poses.keypoints, poses.scores, poses.skeleton, own_boxes=np.array([[40, 50, 60, 70]]))
    for heads in (False, True):
        found = bu.BoxDecoder().decode(bu.synthetic.box_fields(with_boxes, SIZE, heads=heads))
        np.testing.assert_allclose(found.boxes, [[40, 50, 60, 70]], atol=1e-2)


def test_a_missing_part_is_in_the_middle_without_a_score():
    poses = people(1)
    keypoints = poses.keypoints.copy()
    keypoints[0, 9] = np.nan, np.nan, 0
    found = bu.BoxDecoder().decode(bu.synthetic.box_fields(bu.Poses(keypoints, poses.scores, poses.skeleton), SIZE))
    left, top, width, height = found.boxes[0]
    np.testing.assert_allclose(found.keypoints[0, 9], [left + width / 2, top + height / 2, 0], atol=1e-3)


def test_people_at_one_place_have_a_cell_each():
    poses = people(1)
    three = bu.Poses(np.repeat(poses.keypoints, 3, axis=0), np.ones(3), poses.skeleton)
    assert len(bu.BoxDecoder(iou_threshold=1.0).decode(bu.synthetic.box_fields(three, SIZE))) >= 3


def test_what_cannot_be_rendered_is_refused():
    with pytest.raises(bu.InputError, match="input_size must be whole multiples of 32 pixels"):
        bu.synthetic.box_fields(people(), (641, 481))
    nobody = bu.Poses(np.full((1, 17, 3), np.nan), [1], bu.COCO17)
    with pytest.raises(bu.InputError, match="poses must have a keypoint each"):
        bu.synthetic.box_fields(nobody, SIZE)
