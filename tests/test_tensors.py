import numpy as np
import pytest

import bottomup as bu
from bottomup.errors import BottomupError, InputError, MissingRuntimeError, ModelError
from bottomup.tensors import Quantized, as_fields, as_number, look_alike

GRID = np.arange(4 * 5 * 3, dtype=np.float32).reshape(4, 5, 3)


def as_one(values, channels=3):
    (field,) = as_fields(heatmaps=(values, channels))
    return field


@pytest.mark.parametrize("dtype", [np.float16, np.float64, np.int64, ">f4"])
def test_real_numbers_become_float32(dtype):
    field = as_one(GRID.astype(dtype))
    assert field.dtype == np.float32
    np.testing.assert_array_equal(field, GRID)


def test_lists_are_taken():
    np.testing.assert_array_equal(as_one(GRID.tolist()), GRID)


def test_what_fits_is_shared_not_copied():
    assert np.shares_memory(as_one(GRID), GRID)


@pytest.mark.parametrize(
    "view", [GRID[None], GRID.transpose(2, 0, 1), GRID.transpose(2, 0, 1)[None]], ids=["batch of one", "CHW", "1CHW"]
)
def test_layouts_that_are_plain_are_taken(view):
    np.testing.assert_array_equal(as_one(view), GRID)


def test_slices_and_read_only_arrays_become_contiguous_and_stay_as_they_were():
    wide = np.zeros((4, 10, 6), np.float32)
    wide[:, ::2, ::2] = GRID
    view = wide[:, ::2, ::2]
    view.flags.writeable = False
    field = as_one(view)
    assert field.flags.c_contiguous
    np.testing.assert_array_equal(field, GRID)


def test_one_tensor_decides_the_layout_of_an_ambiguous_other():
    square, other = np.arange(27.0).reshape(3, 3, 3), np.zeros((2, 3, 3))
    field, _ = as_fields(heatmaps=(square, 3), offsets=(other, 2))
    np.testing.assert_array_equal(field, np.moveaxis(square, 0, 2))


def test_a_square_of_channels_is_taken_as_channels_last():
    square = np.arange(27.0).reshape(3, 3, 3)
    np.testing.assert_array_equal(as_one(square), square)


def test_int8_levels_become_uint8_levels_of_the_same_real_numbers():
    levels = np.array([-128, -1, 0, 127], np.int8).reshape(2, 2, 1)
    field = as_one(Quantized(levels, 0.5, -3), 1)
    assert field.values.dtype == np.uint8
    assert field.zero_point == 125
    np.testing.assert_array_equal(field.dequantize(), Quantized(levels, 0.5, -3).dequantize())


def test_quantized_levels_may_come_channels_first():
    levels = GRID.astype(np.uint8)
    field = as_one(Quantized(levels.transpose(2, 0, 1), 0.5, 3))
    assert field.values.flags.c_contiguous
    np.testing.assert_array_equal(field.values, levels)


def test_a_level_means_its_distance_from_the_zero_point_times_the_scale():
    assert Quantized(np.array([0, 128, 255], np.uint8), 0.5, 128).dequantize().tolist() == [-64, 0, 63.5]


def test_numbers_too_large_for_float32_become_infinite():
    assert as_one(np.array([[[1e300, 0, 0]]])).tolist() == [[[np.inf, 0, 0]]]


@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.uint16, np.uint32])
def test_levels_of_more_than_eight_bits_are_no_real_numbers(dtype):
    with pytest.raises(InputError, match=rf"heatmaps is {np.dtype(dtype)}: of levels pass bottomup.Quantized"):
        as_one(GRID.astype(dtype))


def test_a_channel_of_nothing_but_nan_is_named():
    field = GRID.copy()
    field[..., 1] = np.nan
    with pytest.raises(InputError, match="channel 1 of heatmaps holds nothing but NaN"):
        as_one(field)
    field[2, 3, 1] = 0
    assert np.isnan(as_one(field)).sum() == 19


@pytest.mark.parametrize(
    ("values", "what"),
    [((np.inf,), "infinite numbers"), ((-np.inf, np.inf), "infinite numbers"), ((np.nan, np.inf), "NaN and infinite")],
)
def test_a_tensor_without_a_finite_number_is_refused(values, what):
    field = np.resize(np.float32(values), GRID.shape)
    with pytest.raises(InputError, match=f"heatmaps holds nothing but {what}"):
        as_one(field)


def test_nan_in_places_is_taken():
    field = GRID.copy()
    field[0, 0, 0] = np.nan
    assert np.isnan(as_one(field)[0, 0, 0])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.zeros((2, 4, 5, 3)), r"got a batch of shape \(2, 4, 5, 3\): pass heatmaps\[0\]"),
        (np.zeros((4, 5)), r"must have shape \(H, W, C\), got \(4, 5\)"),
        (np.zeros((4, 5, 2)), r"must have 3 channels, shape \(H, W, 3\) or \(3, H, W\), got \(4, 5, 2\)"),
        (np.zeros((4, 5, 3), np.uint8), r"pass bottomup.Quantized\(heatmaps, scale, zero_point\)"),
        (np.zeros((4, 5, 3), complex), "must hold real numbers, got dtype complex128"),
        (np.full((4, 5, 3), "a"), "must hold real numbers"),
        ([[[1.0]], [[1.0, 2.0]]], "must be a numeric array"),
        (np.full((4, 5, 3), np.nan), "holds nothing but NaN"),
        (None, "must hold real numbers"),
    ],
)
def test_what_cannot_be_a_field_is_refused_by_name(values, message):
    with pytest.raises(InputError, match=f"heatmaps .*{message}"):
        as_one(values)


def test_grids_must_agree():
    with pytest.raises(InputError, match=r"offsets has a grid of \(4, 6\) cells but heatmaps has \(4, 5\)"):
        as_fields(heatmaps=(GRID, 3), offsets=(np.zeros((4, 6, 2)), 2))


def test_layouts_must_agree():
    with pytest.raises(InputError, match="all tensors of one image share one layout"):
        as_fields(heatmaps=(GRID, 3), offsets=(np.zeros((2, 4, 5)), 2))


@pytest.mark.parametrize("scale", [0, -1, float("nan"), float("inf"), None, [1, 2]])
def test_a_scale_is_a_finite_number_above_0(scale):
    with pytest.raises(InputError, match="scale must be"):
        Quantized(np.zeros((1, 1, 1), np.uint8), scale, 0)


@pytest.mark.parametrize("zero_point", [-1, 256, 0.5, float("nan"), float("inf"), "x"])
def test_a_zero_point_is_one_of_the_levels(zero_point):
    with pytest.raises(InputError, match="zero_point must be"):
        Quantized(np.zeros((1, 1, 1), np.uint8), 1, zero_point)


def test_only_8_bit_levels_are_quantized():
    with pytest.raises(InputError, match="Quantized takes an array of uint8 or int8 values: "):
        Quantized([[1], [1, 2]], 0.1, 0)
    with pytest.raises(InputError, match="Quantized takes uint8 or int8 values, got float64"):
        Quantized(np.zeros((1, 1, 1)), 1, 0)


@pytest.mark.parametrize("one", [3, 3.0, np.float32(3), np.array(3), np.array([3]), np.array([[3]], np.int8)])
def test_a_number_may_come_as_an_array_of_one(one):
    assert as_number(one, "stride") == 3.0


def test_errors_are_of_three_kinds_and_of_pythons_own():
    assert issubclass(InputError, BottomupError)
    assert issubclass(InputError, ValueError)
    assert issubclass(ModelError, BottomupError)
    assert issubclass(ModelError, RuntimeError)
    assert issubclass(MissingRuntimeError, BottomupError)
    assert issubclass(MissingRuntimeError, ImportError)


@pytest.mark.parametrize(
    ("shape", "looks"),
    [
        ((1, 6, 56), "the finished poses of MoveNet MultiPose, which bottomup.read_outputs takes"),
        ((1, 1, 17, 3), "the finished pose of a one-person MoveNet, which bottomup.read_outputs takes"),
        ((1, 56, 8400), "the rows of a YOLO-pose, which BoxFields.from_yolo takes"),
        ((1, 300, 57), "the rows of a YOLO-pose, which BoxFields.from_yolo takes"),
        ((1, 65, 2100), "the raw heads of a YOLO-pose, which BoxFields.from_yolo_heads takes"),
        ((1, 34, 128, 96), "heatmaps with tags, which TagFields takes, or vectors to 17 parts"),
        ((1, 46, 54, 38), "maps of part affinity fields, which PafFields takes"),
    ],
)
def test_a_tensor_of_another_family_is_told_what_it_looks_like(shape, looks):
    with pytest.raises(InputError, match=looks):
        as_fields(heatmaps=(np.zeros(shape[-3:]), 17))


def test_what_may_be_anything_and_what_was_asked_are_not_proposed():
    assert look_alike((1, 20, 30, 7)) == look_alike((3,)) == ""
    assert look_alike((1, 56, 8400), "BoxFields") == ""


def test_tensors_and_fields_show_themselves_in_one_short_line():
    poses = bu.synthetic.random_poses(2)
    fields = [
        bu.synthetic.posenet_fields(poses, (641, 481)),
        bu.synthetic.posenet_fields(poses, (641, 481), quantized=True),
        bu.synthetic.paf_fields(poses, (432, 368)),
        Quantized(np.zeros((3, 4, 5), np.uint8), 0.5, 3),
    ]
    for each in fields:
        assert "\n" not in repr(each)
        assert len(repr(each)) < 450
    assert "heatmaps=float32 (31, 41, 17)" in repr(fields[0])
    assert "heatmaps=Quantized(uint8 (31, 41, 17))" in repr(fields[1])
    assert "skeleton=openpose_coco_18" in repr(fields[2])
    assert repr(fields[3]) == "Quantized(values=uint8 (3, 4, 5), scale=0.5, zero_point=3)"
