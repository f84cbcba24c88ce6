"""The decoder of one-stage networks against its definition, and on rows that no network should give."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import bottomup as bu
from bottomup.boxes import reference

D = bu.BoxDecoder
SIZE = (64, 32)  # 32 + 8 + 2 rows
ROWS = 42
ARM = bu.Skeleton("arm", ("shoulder", "wrist"), ((0, 1),))
decoders = st.builds(
    D,
    score_threshold=st.sampled_from([0.0, 0.25, 0.5, 0.9995, 1.0]),
    iou_threshold=st.sampled_from([0.0, 0.45, 0.5, 0.7, 1.0]),
    max_poses=st.sampled_from([1, 3, 300]),
    vote_threshold=st.sampled_from([0.0, 0.5, 0.8, 1.0]),
    ranking=st.sampled_from(["box", "parts"]),
    count_last_pixel=st.booleans(),
    shift=st.sampled_from([0.0, (-0.25, 1.0)]),
)


@st.composite
def box_fields(draw):
    """Rows of few levels: equal scores and boxes are the rule."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    num_levels = draw(st.sampled_from([2, 5, 200]))

    def table(num_values, scale, zero_point):
        levels = random.integers(0, num_levels, (ROWS, num_values)) * (250 // num_levels)
        tensor = bu.Quantized(levels.astype(np.uint8), scale, zero_point)
        return tensor if is_quantized else tensor.dequantize()

    is_quantized, kind = draw(st.booleans()), draw(st.sampled_from(["yolo", "heads", "yolox", "yolox_heads", "picked"]))
    sizes = {"input_size": SIZE, "skeleton": ARM}
    if kind == "yolo":
        classes = draw(st.integers(1, 3))
        return bu.BoxFields.from_yolo(table(10 + classes, 0.006, 18), classes=classes, **sizes)
    if kind == "heads":
        scale = draw(st.sampled_from([0.05, 0.3]))
        boxes = table(64 + draw(st.integers(1, 2)), scale, 100)
        return bu.BoxFields.from_yolo_heads(boxes, table(draw(st.sampled_from([4, 6])), 0.04, 120), **sizes)
    if kind == "yolox":
        return bu.BoxFields.from_yolox(table(12, 0.1, 8), **sizes)
    if kind == "yolox_heads":
        heads = [table(number, 0.03, 120) for number in (1, 1, 4, 4, 2)]
        return bu.BoxFields.from_yolox_heads(*heads, **sizes)
    keypoints = table(6, 0.3, 0)
    values = bu.Quantized(keypoints.values.reshape(ROWS, 2, 3), 0.3, 0) if is_quantized else keypoints.reshape(-1, 2, 3)
    return bu.BoxFields.from_rtmo(table(5, 0.02, 50), values, skeleton=ARM)


def assert_same(poses, expected):
    assert len(poses) == len(expected)
    np.testing.assert_allclose(poses.scores, expected.scores, rtol=1e-6, atol=0)
    np.testing.assert_allclose(poses.keypoints, expected.keypoints, rtol=1e-6, atol=1e-5)
    np.testing.assert_allclose(poses.boxes, expected.boxes, rtol=1e-6, atol=1e-5)


@settings(max_examples=200, deadline=None)
@given(box_fields(), decoders)
def test_kernels_answer_as_the_definition(fields, decoder):
    assert_same(decoder.decode(fields), reference.decode(fields, decoder))


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([np.nan, np.inf, -np.inf, 3e38, -3e38, 1e-40]), decoders)
def test_kernels_answer_as_the_definition_on_numbers_that_are_none(seed, odd, decoder):
    random = np.random.default_rng(seed)
    rows = random.integers(0, 4, (ROWS, 11)).astype(np.float32) / 4
    rows[random.random(rows.shape) < 0.1] = odd
    heads = random.normal(size=(ROWS, 66)).astype(np.float32)
    heads[random.random(heads.shape) < 0.02] = odd
    sizes = {"input_size": SIZE, "skeleton": ARM}
    for fields in (
        bu.BoxFields.from_yolo(rows, normalized_boxes=True, normalized_parts=True, **sizes),
        bu.BoxFields.from_yolo_heads(heads, rows[:, :6], **sizes),
    ):
        poses = decoder.decode(fields)
        assert_same(poses, reference.decode(fields, decoder))
        assert np.isfinite(poses.scores).all()
        assert ((poses.keypoint_scores >= 0) & (poses.keypoint_scores <= 1)).all()


def one_row(number=0, **values):
    """Return (42, 56) rows of which one, or several, score."""
    rows = np.zeros((ROWS, 56), np.float32)
    rows[number] = 10, 10, 8, 8, 0.9, *[10, 10, 0.5] * 17
    for name, value in values.items():
        rows[number, {"x": 0, "y": 1, "width": 2, "height": 3, "score": 4}[name]] = value
    return rows


def decode(rows, **parameters):
    fields = bu.BoxFields.from_yolo(rows, input_size=SIZE, normalized_boxes=False, normalized_parts=False)
    return D(**parameters).decode(fields)


def test_a_row_becomes_a_pose_with_its_box():
    poses = decode(one_row(7, x=20, y=12, width=10, height=6))
    assert poses.boxes.tolist() == [[15, 9, 10, 6]]
    assert poses.scores.tolist() == [np.float32(0.9)]
    assert poses.keypoints[0, 16].tolist() == [10, 10, 0.5]
    assert poses.skeleton == bu.COCO17


def test_a_score_at_the_threshold_is_too_low():
    threshold = float(np.float32(0.3))
    assert len(decode(one_row(score=threshold), score_threshold=threshold)) == 0
    assert (
        len(decode(one_row(score=np.nextafter(np.float32(threshold), np.float32(1))), score_threshold=threshold)) == 1
    )


@pytest.mark.parametrize(("shift", "count"), [(0.0, 1), (1.999, 1), (2.001, 2)])
def test_two_boxes_are_one_person_above_the_overlap(shift, count):
    rows = np.maximum(one_row(3, width=10), one_row(5, width=10, score=0.8))
    rows[5, 0] += shift  # overlap is (10 - shift) / (10 + shift): 2/3 at 2
    assert len(decode(rows, iou_threshold=2 / 3)) == count


def test_an_overlap_at_the_threshold_is_two_people():
    rows = np.maximum(one_row(3), one_row(5, score=0.8))
    rows[5, 2] = 4  # half of the other's width: 0.5
    assert len(decode(rows, iou_threshold=0.5)) == 2
    assert len(decode(rows, iou_threshold=0.49)) == 1


def test_the_last_pixel_counts_where_it_is_asked_for():
    rows = np.maximum(one_row(3), one_row(5, score=0.8))
    rows[5, 2] = 4
    assert len(decode(rows, iou_threshold=0.54, count_last_pixel=True)) == 1  # 5 * 9 of 9 * 9


def test_of_equal_scores_the_first_row_stays():
    rows = np.maximum(one_row(3), one_row(5))
    rows[5, 5] = 11
    assert decode(rows).keypoints[0, 0, 0] == 10


def test_a_row_that_a_dropped_one_covers_stays():
    rows = np.maximum(
        np.maximum(one_row(1, width=10), one_row(2, width=10, score=0.8)), one_row(3, width=10, score=0.7)
    )
    rows[[2, 3], 0] += 2, 4
    assert len(decode(rows, iou_threshold=0.6)) == 2


def test_boxes_of_other_classes_do_not_exclude_each_other():
    rows = np.zeros((ROWS, 12), np.float32)
    rows[:2] = [[10, 10, 8, 8, 0.9, 0.1, *[10, 10, 1] * 2], [10, 10, 8, 8, 0.1, 0.8, *[10, 10, 1] * 2]]
    fields = bu.BoxFields.from_yolo(rows, input_size=SIZE, skeleton=ARM, classes=2)
    assert len(D().decode(fields)) == 2


def test_rows_that_the_network_picked_all_stay():
    row = [10, 10, 20, 20, 0.9, 0, *[10, 10, 1] * 17]
    fields = bu.BoxFields.from_yolo(np.array([[row, row, [0] * 57]]), input_size=SIZE)
    assert fields.form.is_final
    poses = D().decode(fields)
    assert poses.boxes.tolist() == [[10, 10, 10, 10]] * 2


def test_parts_without_a_score_have_that_of_the_pose():
    rows = np.zeros((ROWS, 9), np.float32)
    rows[4] = 10, 10, 8, 8, 0.9, 1, 2, 30, 4
    poses = D().decode(bu.BoxFields.from_yolo(rows, input_size=SIZE, skeleton=ARM))
    np.testing.assert_allclose(poses.keypoints, [[[1, 2, 0.9], [30, 4, 0.9]]])


def test_scores_beyond_one_are_one():
    rows = one_row(score=1.07)
    rows[0, 7] = 1.2
    poses = decode(rows)
    assert poses.scores[0] == poses.keypoints[0, 0, 2] == 1


def test_a_part_that_is_nowhere_is_not_found_and_a_box_that_is_nowhere_nobody():
    rows = np.maximum(one_row(3), one_row(20, x=50))
    rows[3, 5] = np.nan
    rows[20, 2] = np.inf
    poses = decode(rows)
    assert len(poses) == 1
    assert np.isnan(poses.keypoints[0, 0, :2]).all()
    assert poses.keypoints[0, 0, 2] == 0


def two_rows(**others):
    """Return a row at (10, 10) and a worse one of half its score, by default of the same box, whose parts are at 16."""
    rows = np.maximum(one_row(3), one_row(5, score=0.45))
    rows[5, 5:] = [16, 16, 0.5] * 17
    for name, value in others.items():
        rows[5, {"width": 2}[name]] = value
    return rows


def test_rows_that_are_left_out_vote_by_their_scores():
    poses = decode(two_rows(), vote_threshold=0.8)
    np.testing.assert_allclose(poses.xy, [[[12, 12]] * 17], rtol=1e-6)  # (10 * 0.9 + 16 * 0.45) / 1.35
    assert poses.boxes.tolist() == [[6, 6, 8, 8]]
    assert poses.keypoint_scores[0, 0] == 0.5
    rows = two_rows()
    rows[5, 7::3] = 0
    np.testing.assert_allclose(decode(rows, vote_threshold=0.8).xy, [[[10, 10]] * 17])


@pytest.mark.parametrize(("width", "is_heard"), [(6.41, True), (6.39, False)])
def test_rows_that_share_too_little_have_no_vote(width, is_heard):
    poses = decode(two_rows(width=width), vote_threshold=0.8)  # shares width / 8
    assert len(poses) == 1
    assert (poses.xy[0, 0, 0] > 10) == is_heard


def test_rows_that_stay_vote_for_themselves_alone():
    poses = decode(two_rows(width=4), vote_threshold=0.0)
    assert len(poses) == 2
    assert poses.xy[:, 0, 0].tolist() == [10, 16]


def test_a_row_votes_for_the_pose_that_it_shares_most_with():
    rows = np.maximum(
        np.maximum(one_row(1, width=10), one_row(2, width=10, score=0.8)), one_row(3, width=10, score=0.7)
    )
    rows[[2, 3], 0] += 4, 3
    rows[3, 5:] = [20, 20, 0.5] * 17
    poses = decode(rows, iou_threshold=0.5, vote_threshold=0.5)
    assert len(poses) == 2
    assert poses.xy[0, 0, 0] == 10
    assert poses.xy[1, 0, 0] > 10


def test_nobody_votes_after_the_last_pose_but_for_those_there_are():
    rows = np.maximum(two_rows(), one_row(20, x=50, score=0.6))
    poses = decode(rows, max_poses=1, vote_threshold=0.8)
    np.testing.assert_allclose(poses.xy, [[[12, 12]] * 17], rtol=1e-6)


def test_ranking_by_parts_puts_people_whose_parts_are_sure_first():
    rows = np.maximum(one_row(3), one_row(20, x=50, score=0.8))
    rows[3, 7::3] = 0.25
    rows[20, 7::3] = 0.81
    poses = decode(rows, ranking="parts")
    np.testing.assert_allclose(poses.scores, [0.8 * 0.9, 0.9 * 0.5])
    np.testing.assert_allclose(poses.boxes[:, 0], [46, 6])
    np.testing.assert_allclose(poses.keypoint_scores[:, 0], [0.81, 0.25])


def test_no_more_poses_than_asked_for_the_best_first():
    random = np.random.default_rng(0)
    rows = np.zeros((ROWS, 56), np.float32)
    rows[:, 4] = random.random(ROWS)
    rows[:, 0] = np.arange(ROWS) * 10
    rows[:, 2:4] = 5
    poses = decode(rows, max_poses=7, score_threshold=0.0)
    assert poses.scores.tolist() == sorted(rows[:, 4].tolist(), reverse=True)[:7]


@pytest.mark.parametrize("value", [0.0, 1.0, np.nan, np.inf])
def test_constant_rows_end_in_a_few_poses(value):
    rows = np.full((ROWS, 56), value, np.float32)
    rows[0] = 0  # else refused
    assert len(decode(rows)) <= 1


@pytest.mark.slow
@pytest.mark.parametrize("side", [3, 20])
def test_rows_without_end_end_in_the_most_poses(side):
    number = np.arange(33600) % 500
    rows = np.full((33600, 56), 0.5, np.float32)
    rows[:, 0], rows[:, 1], rows[:, 2:4] = number % 32 * 24, number // 32 * 24, side  # all people are there 67 times
    fields = bu.BoxFields.from_yolo(rows, input_size=(1280, 1280))
    decoder = D(score_threshold=0.0, max_poses=500, vote_threshold=0.8)
    assert len(decoder.decode(fields)) == 500  # in about 40 ms


@pytest.mark.parametrize("heads", [False, True])
@pytest.mark.parametrize("quantized", [False, True])
@pytest.mark.parametrize("count", [0, 1, 3, 30])
def test_known_people_come_back(heads, quantized, count):
    people = bu.synthetic.random_poses(count, (640, 480), seed=count)
    poses = D().decode(bu.synthetic.box_fields(people, (640, 480), heads=heads, quantized=quantized))
    assert len(poses) == count
    for person in people.xy:
        errors = np.abs(poses.xy - person).max(axis=(1, 2))
        assert errors.min() < (3.5 if quantized else 1e-3)


@pytest.mark.slow
def test_four_threads_agree_with_one():
    fields = [
        bu.synthetic.box_fields(
            bu.synthetic.random_poses(count, (320, 320), seed=count), (320, 320), heads=count % 2 == 0
        )
        for count in range(8)
    ]
    decoder = D(score_threshold=0.0001)
    expected = [decoder.decode(item) for item in fields]
    with ThreadPoolExecutor(4) as pool:
        for poses, other in zip(pool.map(decoder.decode, fields * 8), expected * 8, strict=True):
            np.testing.assert_array_equal(poses.keypoints, other.keypoints)
    for poses, other in zip(decoder.decode_batch(fields, threads=3), expected, strict=True):
        np.testing.assert_array_equal(poses.boxes, other.boxes)


def test_inputs_are_not_written_to_and_layouts_do_not_matter():
    rows = bu.synthetic.box_fields(bu.synthetic.random_poses(3, (320, 320)), (320, 320)).rows
    rows.flags.writeable = False
    before = rows.copy()
    looks = [rows, rows[None], rows.T, rows.T[None], np.asfortranarray(rows), np.repeat(rows, 2, axis=1)[:, ::2]]
    decoded = [D().decode(bu.BoxFields.from_yolo(look, input_size=(320, 320))) for look in looks]
    for poses in decoded:
        np.testing.assert_array_equal(poses.keypoints, decoded[0].keypoints)
    np.testing.assert_array_equal(rows, before)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"score_threshold": 1.5}, r"score_threshold must be a finite number in \[0, 1\], got 1.5"),
        ({"iou_threshold": -1}, "iou_threshold must be"),
        ({"max_poses": 0}, "max_poses must be a whole number from 1 to 500, got 0"),
        ({"max_poses": 501}, "max_poses must be"),
        ({"count_last_pixel": 1}, "count_last_pixel must be True or False, got 1"),
    ],
)
def test_parameters_that_cannot_be_are_refused(parameters, message):
    with pytest.raises(bu.InputError, match=message):
        D(**parameters)


def test_fields_of_another_family_are_refused():
    other = bu.synthetic.posenet_fields(bu.synthetic.random_poses(1))
    with pytest.raises(bu.InputError, match=r"fields must be BoxFields, got PoseNetFields: build them with BoxFields"):
        D().decode(other)
    with pytest.raises(bu.InputError, match="decoder must be a BoxDecoder"):
        reference.decode(bu.synthetic.box_fields(bu.synthetic.random_poses(1)), bu.PoseNetDecoder())


def test_the_defaults_are_those_of_ultralytics_and_rtmlib():
    assert D() == D(0.25, 0.7, 300, vote_threshold=1.0, ranking="box", count_last_pixel=False, shift=0.0)
    assert D.rtmlib() == D(0.7, 0.45, 300, count_last_pixel=True)
