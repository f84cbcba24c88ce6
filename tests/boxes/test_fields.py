"""What a tensor of rows is: axes, classes, parts, units; and what it is not."""

import numpy as np
import pytest

import bottomup as bu
from bottomup.boxes.grid import find_priors

F = bu.BoxFields
SIZE = (64, 32)  # 32 + 8 + 2 rows
ROWS = 42
ARM = bu.Skeleton("arm", ("shoulder", "wrist"), ((0, 1),))
HAND = bu.Skeleton("hand", ("palm", "thumb", "tip"))


def known(fields):
    """Return number of classes, of parts, of a part's values, and whether the network picked the rows."""
    scoring, _, parting, is_final = fields.form
    return scoring.num_classes, parting.num_parts, parting.num_values, is_final


@pytest.mark.parametrize("shape", [(1, 56, ROWS), (56, ROWS), (1, ROWS, 56), (ROWS, 56), (1, 56, ROWS, 1)])
def test_the_axis_of_rows_is_as_long_as_the_input_has_cells(shape):
    fields = F.from_yolo(np.zeros(shape), input_size=SIZE)
    assert fields.rows.shape == (ROWS, 56)
    assert fields.strides == (8, 16, 32)
    assert known(fields) == (1, 17, 3, False)


@pytest.mark.parametrize(("size", "strides"), [((128, 128), (8, 16, 32, 64)), ((64, 32), (4, 8, 16, 32))])
def test_networks_of_four_grids_are_read(size, strides):
    num_rows = sum(size[0] * size[1] // stride**2 for stride in strides)
    assert F.from_yolo(np.zeros((1, 56, num_rows)), input_size=size).strides == strides


def test_where_both_axes_fit_the_number_of_values_tells():
    size = (96, 32)  # 48 + 12 + 3 = 63 rows; and 63 values: 17 parts and 8 classes
    with pytest.raises(bu.InputError, match="63 values a row"):
        F.from_yolo(np.zeros((1, 63, 63)), input_size=size)
    assert known(F.from_yolo(np.zeros((1, 63, 63)), input_size=size, skeleton=bu.COCO17, classes=8)) == (
        8,
        17,
        3,
        False,
    )


def test_priors_are_the_corners_of_cells_finest_grid_first():
    priors = find_priors(bu.ImageSize(*SIZE), (8, 16, 32))
    assert priors[[0, 1, 8, 32, 36, 40, 41]].tolist() == [
        [0, 0, 8], [8, 0, 8], [0, 8, 8], [0, 0, 16], [0, 16, 16], [0, 0, 32], [32, 0, 32],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("values", "given", "expected"),
    [
        (56, {}, (1, 17, 3)),
        (56, {"skeleton": bu.COCO17}, (1, 17, 3)),
        (57, {"classes": 2}, (2, 17, 3)),
        (57, {"skeleton": bu.COCO17, "classes": 2}, (2, 17, 3)),
        (39, {"skeleton": bu.COCO17}, (1, 17, 2)),
        (11, {"skeleton": ARM}, (1, 2, 3)),
        (9, {"skeleton": ARM}, (1, 2, 2)),
        (14, {"skeleton": HAND}, (1, 3, 3)),
        (14, {"skeleton": HAND, "classes": 4}, (4, 3, 2)),
        (20, {"classes": 1}, (1, 5, 3)),
        (22, {"classes": 3}, (3, 5, 3)),
        (22, {"classes": 2}, (2, 8, 2)),
    ],
)
def test_classes_and_parts_share_what_is_left_of_a_row(values, given, expected):
    fields = F.from_yolo(np.zeros((1, values, ROWS)), input_size=SIZE, **given)
    assert known(fields)[:3] == expected
    assert len(fields.skeleton.parts) == expected[1]


@pytest.mark.parametrize(
    ("values", "given", "question"),
    [
        (
            22,
            {},
            "output has 22 values a row, and not the 56 of COCO's 17 parts: 4 and then 18 of classes and parts, for "
            "example 3 classes and 5 parts of x, y and score or 2 classes and 8 parts of x and y: pass skeleton=, "
            "classes= or both",
        ),
        (
            57,
            {"skeleton": bu.COCO17},
            "2 classes and 17 parts of x, y and score or 19 classes and 17 parts of x and y: pass c",
        ),
        (30, {"skeleton": bu.COCO17}, "not 4, the scores of some classes, and 3 .or 2. for each of the 17 parts"),
        (56, {"classes": 52}, "not 4, the scores of 52 classes"),
        (56, {"classes": 0}, "classes must be a whole number from 1 on, got 0"),
        (56, {"classes": True}, "classes must be a whole number"),
    ],
)
def test_a_number_that_leaves_them_open_is_asked_about(values, given, question):
    with pytest.raises(bu.InputError, match=question):
        F.from_yolo(np.zeros((1, values, ROWS)), input_size=SIZE, **given)


def test_end_to_end_rows_are_told_by_their_values():
    fields = F.from_yolo(np.zeros((1, 300, 57)), input_size=(640, 640))
    assert known(fields) == (1, 17, 3, True)
    assert fields.strides == ()
    assert known(F.from_yolo(np.zeros((1, 9, 12)), input_size=(640, 640), skeleton=ARM)) == (1, 2, 3, True)


def test_57_values_of_every_cell_are_not_end_to_end():
    with pytest.raises(bu.InputError, match="57 values a row"):
        F.from_yolo(np.zeros((1, 57, ROWS)), input_size=SIZE)


def rows(box=(32, 16, 8, 8), part=(30, 12), score=0.9):
    array = np.zeros((ROWS, 56), np.float32)
    array[5] = *box, score, *[*part, 0.7] * 17
    return array


@pytest.mark.parametrize("box", [(32, 16, 8, 8), (0.5, 0.5, 0.125, 0.25)])
@pytest.mark.parametrize("part", [(30, 12), (30 / 64, 12 / 32)])
def test_units_of_boxes_and_parts_are_told_apart(box, part):
    poses = bu.BoxDecoder().decode(F.from_yolo(rows(box, part), input_size=SIZE))
    np.testing.assert_allclose(poses.boxes, [[28, 12, 8, 8]])
    np.testing.assert_allclose(poses.xy, [[[30, 12]] * 17])


@pytest.mark.parametrize(("largest", "is_share"), [(3.99, True), (4.0, False)])
def test_four_is_where_pixels_begin(largest, is_share):
    fields = F.from_yolo(rows((largest, 1, 1, 1), (1, largest)), input_size=SIZE)
    assert fields.form.boxing.box_unit_x == (64 if is_share else 1)
    assert fields.form.parting.part_unit_y == (32 if is_share else 1)


def test_rows_without_a_score_do_not_tell_units():
    array = rows((0.5, 0.5, 0.1, 0.2), (0.5, 0.4))
    array[0, :4] = 40
    array[0, 4] = 0.01
    assert F.from_yolo(array, input_size=SIZE).form.boxing.box_unit_x == 64
    array[0, 4] = 0.0101
    assert F.from_yolo(array, input_size=SIZE).form.boxing.box_unit_x == 1


def test_where_nothing_scores_all_rows_tell_units():
    assert F.from_yolo(rows(score=0) + 20, input_size=SIZE).form.boxing.box_unit_x == 1
    assert F.from_yolo(rows(score=0) / 64, input_size=SIZE).form.boxing.box_unit_x == 64


def test_units_that_are_given_are_believed():
    fields = F.from_yolo(rows(), input_size=SIZE, normalized_boxes=True, normalized_parts=True)
    assert fields.form.boxing.box_unit_x == fields.form.parting.part_unit_x == 64
    with pytest.raises(bu.InputError, match="normalized_boxes must be True, False or None, got 1"):
        F.from_yolo(rows(), input_size=SIZE, normalized_boxes=1)


def test_levels_of_a_small_range_are_shares_whatever_they_hold():
    levels = bu.Quantized(np.full((ROWS, 56), 255, np.uint8), 0.0067, 20)
    assert F.from_yolo(levels, input_size=SIZE).form.boxing.box_unit_x == 64
    assert F.from_yolo(bu.Quantized(levels.values, 1.1, 20), input_size=SIZE).form.boxing.box_unit_x == 1


def test_signed_levels_are_read_as_they_are():
    array = rows((0.5, 0.5, 0.125, 0.25), (0.4, 0.4))
    signed = np.clip(np.round(array / 0.005) - 105, -128, 127).astype(np.int8)
    poses = bu.BoxDecoder().decode(F.from_yolo(bu.Quantized(signed, 0.005, -105), input_size=SIZE))
    np.testing.assert_allclose(poses.boxes, [[28, 12, 8, 8]], atol=0.4)
    np.testing.assert_allclose(poses.scores, [0.9], atol=0.003)


def heads():
    """Return (42, 65) and (42, 51) logits of one person, seen by the second cell of the middle grid."""
    boxes, parts = np.full((ROWS, 65), -9.0), np.zeros((ROWS, 51))
    for side, distance in enumerate((1, 2, 3, 0)):
        boxes[33, 16 * side + distance] = 30
    boxes[33, 64] = 2
    parts[33] = [0.25, -0.5, 1] * 17
    return boxes, parts


def check_heads(boxes, parts):
    poses = bu.BoxDecoder().decode(F.from_yolo_heads(boxes, parts, input_size=SIZE))
    np.testing.assert_allclose(poses.boxes, [[24 - 16, 8 - 32, 64, 32]])  # the middle of the cell is (24, 8)
    np.testing.assert_allclose(poses.xy, [[[16 + 8, -16]] * 17])
    np.testing.assert_allclose(poses.scores, [1 / (1 + np.exp(-2))])
    np.testing.assert_allclose(poses.keypoint_scores, 1 / (1 + np.exp(-1)))


def maps_of(table, channels_last=False):
    ends = np.split(table, [32, 40])
    maps = [end.reshape(*grid, -1)[None] for end, grid in zip(ends, [(4, 8), (2, 4), (1, 2)], strict=True)]
    return maps if channels_last else [np.moveaxis(each, 3, 1) for each in maps]


def test_heads_in_any_layout_give_the_same():
    boxes, parts = heads()
    check_heads(boxes, parts)
    check_heads(boxes.T[None], parts.T[None])
    check_heads(boxes[None], parts.T.reshape(1, 17, 3, ROWS))
    check_heads([boxes[None, :, 64:], boxes[None, :, :64]], parts)
    check_heads((boxes.T[None, :64], boxes.T[None, 64:]), [parts.T[None]])
    for channels_last in (False, True):
        check_heads(maps_of(boxes, channels_last), maps_of(parts, channels_last)[::-1])
        nine = maps_of(boxes[:, 64:], channels_last) + maps_of(boxes[:, :64], channels_last)
        check_heads(nine[::-1], tuple(maps_of(parts, channels_last)))


def test_heads_of_levels_and_of_reals_may_be_mixed():
    boxes, parts = heads()
    levels = bu.Quantized(np.round(boxes / 0.25 + 128).clip(0, 255).astype(np.uint8), 0.25, 128)
    check_heads(levels, parts)
    apart = [bu.Quantized(each, 0.25, 128) for each in maps_of(levels.values)]
    check_heads(apart, maps_of(parts))
    other = [bu.Quantized(apart[0].values, 0.25, 128), *(each.dequantize() for each in apart[1:])]
    check_heads(other, maps_of(parts))


@pytest.mark.parametrize(
    ("boxes", "parts", "message"),
    [
        (
            (1, 56, ROWS),
            (1, 51, ROWS),
            "boxes_and_classes must have 64 values of the box and 1 of classes a row, got 56",
        ),
        (
            (1, 65, ROWS),
            (1, 50, ROWS),
            "keypoints has 50 values a row, and not the 51 of COCO's 17 parts: pass skeleton=",
        ),
        (
            (1, 65, ROWS),
            (1, 51, 2100),
            r"keypoints must have 42 rows for an input of 64 x 32, got shape \(1, 51, 2100\)",
        ),
    ],
)
def test_heads_that_do_not_fit_are_refused(boxes, parts, message):
    with pytest.raises(bu.InputError, match=message):
        F.from_yolo_heads(np.zeros(boxes), np.zeros(parts), input_size=SIZE)


def test_maps_of_some_grids_alone_are_refused():
    boxes, parts = (maps_of(table) for table in heads())
    with pytest.raises(bu.InputError, match="boxes_and_classes must be the maps of all grids"):
        F.from_yolo_heads(boxes[::2], parts, input_size=SIZE)
    with pytest.raises(
        bu.InputError, match="keypoints must be maps of one layout, whose grids fit an input of 64 x 32"
    ):
        F.from_yolo_heads(boxes, [np.zeros((1, 51, 5, 5))] * 3, input_size=SIZE)


def test_yolox_rows_score_by_class_and_objectness():
    array = np.zeros((ROWS, 57), np.float32)
    array[3] = 32, 16, 8, 8, 0.5, 0.8, *[30, 12, 0.7] * 17
    poses = bu.BoxDecoder().decode(F.from_yolox(array, input_size=SIZE))
    np.testing.assert_allclose(poses.scores, [0.4])
    np.testing.assert_allclose(poses.boxes, [[28, 12, 8, 8]])
    np.testing.assert_allclose(poses.keypoints[0, 16], [30, 12, 0.7])


def test_yolox_heads_are_logits_and_vectors_in_strides():
    classes, objectness, boxes = np.full((ROWS, 1), -9.0), np.full((ROWS, 1), 9.0), np.zeros((ROWS, 4))
    offsets, visibilities = np.zeros((ROWS, 34)), np.full((ROWS, 17), 1.0)
    classes[33], boxes[33], offsets[33, 32:] = 2, (0.5, 1, np.log(2), np.log(3)), (0.25, -0.5)
    given = classes, objectness, boxes, offsets, visibilities
    for heads in (given, [maps_of(each) for each in given], [each[None] for each in given]):
        poses = bu.BoxDecoder().decode(F.from_yolox_heads(*heads, input_size=SIZE))
        np.testing.assert_allclose(poses.scores, [1 / (1 + np.exp(-2)) / (1 + np.exp(-9))], rtol=1e-6)
        np.testing.assert_allclose(poses.boxes, [[24 - 16, 16 - 24, 32, 48]], rtol=1e-6)
        np.testing.assert_allclose(poses.xy[0, 15:], [[16, 0], [20, -8]])
    with pytest.raises(bu.InputError, match=r"offsets must have shape \(1, 42, 34\), got \(42, 17\)"):
        F.from_yolox_heads(classes, objectness, boxes, visibilities, offsets, input_size=SIZE)


def test_rtmo_gives_corners():
    dets, keypoints = np.array([[[10, 20, 30, 60, 0.9]]]), np.full((1, 1, 17, 3), 0.5)
    poses = bu.BoxDecoder().decode(F.from_rtmo(dets, keypoints))
    assert poses.boxes.tolist() == [[10, 20, 20, 40]]
    assert (poses.keypoints == 0.5).all()
    assert len(bu.BoxDecoder().decode(F.from_rtmo(dets[:, :0], keypoints[:, :0]))) == 0
    with pytest.raises(
        bu.InputError, match=r"shapes \(1, M, 5\) and \(1, M, 17, 3\), got \(1, 1, 5\) and \(1, 2, 17, 3\)"
    ):
        F.from_rtmo(dets, np.zeros((1, 2, 17, 3)))


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        (
            (1, 56, 8400),
            r"must have 42 rows for an input of 64 x 32, got shape \(1, 56, 8400\): pass input_size=\(640, 640\)",
        ),
        ((1, 56, 99), r"got shape \(1, 56, 99\): pass the \(width, height\) of the network's input"),
        ((1, 6, 56), "; it looks like the finished poses of MoveNet MultiPose, which bottomup.read_outputs takes"),
        ((1, 1, 17, 3), "the finished pose of a one-person MoveNet"),
        ((1, 48, 48, 17), "heatmaps of 17 parts, which PoseNetFields, CenterFields and TagFields take"),
        (
            (1, 34, 128, 96),
            "heatmaps with tags, which TagFields takes, or vectors to 17 parts",
        ),
        ((1, 38, 46, 54), "maps of part affinity fields, which PafFields takes"),
        ((1, 46, 54, 57), "maps of part affinity fields"),
    ],
)
def test_a_tensor_of_another_kind_is_told_what_it_looks_like(shape, message):
    with pytest.raises(bu.InputError, match=message):
        F.from_yolo(np.zeros(shape), input_size=SIZE)


@pytest.mark.parametrize(
    ("output", "message"),
    [
        (
            np.zeros((1, 56, ROWS), np.uint8),
            r"output is uint8, whose levels mean nothing alone: pass bottomup.Quantized",
        ),
        (np.zeros((1, 56, ROWS), complex), "output must hold real numbers"),
        (
            np.zeros((2, 56, ROWS)),
            r"output must be one image's tensor, got a batch of shape \(2, 56, 42\): pass output\[0\]",
        ),
        ([[1, 2], [3]], "output must be a numeric array"),
        (3.0, "must have 42 rows"),
    ],
)
def test_what_is_no_tensor_of_rows_is_refused(output, message):
    with pytest.raises(bu.InputError, match=message):
        F.from_yolo(output, input_size=SIZE)


@pytest.mark.parametrize("turn", [np.asarray, np.transpose])
@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.nan, "channel 9 of output holds nothing but NaN"),
        (np.inf, "rows holds no finite number as value 9 of its rows"),
    ],
)
def test_a_value_that_is_never_a_number_is_refused_by_its_place(value, message, turn):
    array = rows()
    array[:, 9] = value
    with pytest.raises(bu.InputError, match=message):
        F.from_yolo(turn(array), input_size=SIZE)
    array[3, 9] = 0
    F.from_yolo(turn(array), input_size=SIZE)


@pytest.mark.parametrize("turn", [np.asarray, np.transpose])
def test_a_row_that_is_never_a_number_is_nobody(turn):
    array = rows()
    array[0] = np.nan
    assert len(bu.BoxDecoder().decode(F.from_yolo(turn(array), input_size=SIZE))) == 1


def test_fields_are_not_built_by_hand():
    good = F.from_yolo(rows(), input_size=SIZE)
    with pytest.raises(bu.InputError, match="build BoxFields with from_yolo"):
        F(np.zeros((3, 3)), None, good.form, bu.COCO17)
