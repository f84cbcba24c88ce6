"""Tensors of associative embedding in every layout become one form, or are refused with the way out."""

import dataclasses

import numpy as np
import pytest

import bottomup as bu
from bottomup.tags.shapes import enlarged

HEIGHT, WIDTH, PARTS = 5, 7, 17


def numbered(*shape):
    """Return an array whose elements are all different."""
    return np.arange(np.prod(shape), dtype=np.float32).reshape(shape) / 4096


HEAT = numbered(HEIGHT, WIDTH, PARTS) / 8
TAGS = numbered(HEIGHT, WIDTH, PARTS, 2)


def layouts():
    """Return name -> heatmaps and tags of two numbers, the same in every layout."""
    first, last = np.moveaxis(HEAT, 2, 0), np.concatenate([TAGS[..., 0], TAGS[..., 1]], axis=2)
    return {
        "H W N, H W N L": (HEAT, TAGS),
        "1 H W N, 1 H W N L": (HEAT[None], TAGS[None]),
        "H W N, H W LN": (HEAT, last),
        "N H W, LN H W": (first, np.moveaxis(last, 2, 0)),
        "1 N H W, 1 LN H W": (first[None], np.moveaxis(last, 2, 0)[None]),
        "1 N H W, 1 N H W L": (first[None], np.moveaxis(TAGS, 2, 0)[None]),
        "N H W, L N H W": (first, TAGS.transpose(3, 2, 0, 1)),
        "lists": (HEAT.tolist(), TAGS.tolist()),
        "float64": (HEAT.astype(np.float64), TAGS.astype(np.float64)),
        "slices": (np.repeat(HEAT, 2, axis=0)[::2], np.repeat(TAGS, 2, axis=1)[:, ::2]),
    }


@pytest.mark.parametrize("name", layouts())
def test_every_layout_becomes_the_same(name):
    heatmaps, tags = layouts()[name]
    fields = bu.TagFields(heatmaps, tags)
    assert fields.grid == (HEIGHT, WIDTH)
    assert fields.tag_size == 2
    np.testing.assert_array_equal(fields.heatmaps, HEAT)
    np.testing.assert_array_equal(fields.tags, TAGS)


def test_tags_of_one_number_may_have_an_axis_of_their_own():
    omz = bu.TagFields(np.moveaxis(HEAT, 2, 0)[None], np.moveaxis(TAGS[..., :1], 2, 0)[None])
    plain = bu.TagFields(HEAT, TAGS[..., 0])
    np.testing.assert_array_equal(omz.tags, plain.tags)
    assert plain.tags.shape == (HEIGHT, WIDTH, PARTS, 1)


@pytest.mark.parametrize("channels_first", [False, True])
@pytest.mark.parametrize("tag_size", [1, 2])
def test_one_tensor_may_hold_both(channels_first, tag_size):
    maps = np.concatenate([HEAT, *(TAGS[..., number] for number in range(tag_size))], axis=2)
    fields = bu.TagFields.from_concatenated(np.moveaxis(maps, 2, 0)[None] if channels_first else maps)
    np.testing.assert_array_equal(fields.heatmaps, HEAT)
    np.testing.assert_array_equal(fields.tags, TAGS[..., :tag_size])


def test_planes_of_a_network_that_gives_channels_first_are_shared():
    heatmaps, tags = np.zeros((PARTS, HEIGHT, WIDTH), np.float32), np.zeros((PARTS, HEIGHT, WIDTH), np.float32)
    fields = bu.TagFields(heatmaps, tags)
    assert np.shares_memory(fields.tensors[0], heatmaps)
    assert np.shares_memory(fields.tensors[2], tags)


def test_heatmaps_of_two_sizes_are_averaged_as_higherhrnet_does():
    generator = np.random.default_rng(1)
    coarse, fine = generator.random((1, 2 * PARTS, 3, 4)), generator.random((1, PARTS, 6, 8))
    fields = bu.TagFields.from_two_sizes(coarse, fine, 2)
    assert fields.grid == (6, 8)
    corner = (coarse[0, 5, 0, 0] + fine[0, 5, 0, 0]) / 2  # beyond the middle of the outermost cell nothing changes
    assert fields.heatmaps[0, 0, 5] == pytest.approx(corner, abs=1e-6)
    rows = 0.75 * coarse[0, 5, 1] + 0.25 * coarse[0, 5, 0]  # a quarter of a cell above the middle of row 1
    between = 0.25 * rows[0] + 0.75 * rows[1]
    assert fields.heatmaps[2, 2, 5] == pytest.approx((between + fine[0, 5, 2, 2]) / 2, abs=1e-6)
    tags = 0.75 * coarse[0, PARTS + 5, 1] + 0.25 * coarse[0, PARTS + 5, 0]
    assert fields.tags[2, 2, 5, 0] == pytest.approx(0.25 * tags[0] + 0.75 * tags[1], abs=1e-6)


def test_a_plane_made_finer_keeps_what_is_linear():
    plane = np.add.outer(np.arange(4.0), 2 * np.arange(5.0)).astype(np.float32)[None]
    finer = enlarged(plane, (8, 15))[0]
    rows, columns = (np.arange(8) + 0.5) / 2 - 0.5, (np.arange(15) + 0.5) / 3 - 0.5
    np.testing.assert_allclose(finer[2:-2, 2:-2], np.add.outer(rows, 2 * columns)[2:-2, 2:-2], atol=1e-6)
    assert (finer[0, 0], finer[-1, -1]) == (plane[0, 0, 0], plane[0, -1, -1])


@pytest.mark.parametrize("dtype", [np.uint8, np.int8])
def test_levels_stay_levels(dtype):
    generator = np.random.default_rng(2)
    limits = np.iinfo(dtype)
    heat = generator.integers(limits.min, limits.max, (HEIGHT, WIDTH, PARTS), dtype)
    tags = generator.integers(limits.min, limits.max, (HEIGHT, WIDTH, PARTS), dtype)
    fields = bu.TagFields(bu.Quantized(heat, 0.01, 3), bu.Quantized(tags, 0.1, -7 if dtype == np.int8 else 7))
    assert fields.tensors[0].dtype == fields.tensors[2].dtype == np.uint8
    np.testing.assert_allclose(fields.heatmaps.dequantize(), (heat.astype(float) - 3) * 0.01, atol=1e-6)


def test_levels_beside_floats_become_floats():
    levels = bu.Quantized(np.full((HEIGHT, WIDTH, PARTS), 100, np.uint8), 0.01, 0)
    fields = bu.TagFields(levels, np.zeros((HEIGHT, WIDTH, PARTS)))
    assert fields.tensors[0].dtype == np.float32
    assert fields.tensors[1] is None


@pytest.mark.parametrize("quantized", [False, True])
def test_negated_cells_are_noticed(quantized):
    poses = bu.synthetic.random_poses(2, (128, 96))
    for negated in (False, True):
        fields = bu.synthetic.tag_fields(poses, (128, 96), negated=negated, quantized=quantized)
        assert bu.TagFields(fields.heatmaps, fields.tags).negated is negated
    assert bu.TagFields(np.zeros((4, 5, 17)), np.zeros((4, 5, 17))).negated is False
    assert bu.TagFields(np.full((4, 5, 17), -0.05), np.zeros((4, 5, 17))).negated is False


def test_another_skeleton_has_other_channels():
    trio = bu.Skeleton("trio", ("one", "two", "three"))
    fields = bu.TagFields(np.zeros((4, 5, 3)), np.zeros((4, 5, 3)), skeleton=trio)
    assert fields.tensors[4] == 3
    single = bu.Skeleton("single", ("one",))
    assert bu.TagFields(np.zeros((4, 5, 1)), np.zeros((4, 5, 2)), skeleton=single).tags.shape == (4, 5, 1, 2)


@pytest.mark.parametrize(
    ("heatmaps", "tags", "message"),
    [
        (np.zeros((4, 5, 18)), np.zeros((4, 5, 17)), "heatmaps must have 17 channels and tags 17 or a multiple"),
        (np.zeros((4, 5, 17)), np.zeros((4, 6, 17)), r"of one grid.*\(4, 5, 17\) and \(4, 6, 17\)"),
        (np.zeros((4, 5, 17)), np.zeros((17, 4, 5)), "both channels last or both first"),
        (np.zeros((2, 17, 4, 5)), np.zeros((2, 17, 4, 5)), "heatmaps must have 17 channels"),
        (np.zeros(17), np.zeros(17), "heatmaps must have 17 channels"),
        (np.zeros((4, 5, 17), np.uint8), np.zeros((4, 5, 17)), r"bottomup\.Quantized\(heatmaps, scale, zero_point\)"),
        (np.zeros((4, 5, 17)), np.zeros((4, 5, 17), complex), "tags must hold real numbers"),
        (np.zeros((4, 5, 17)), np.full((4, 5, 17), np.nan), "tags"),
        ([[1.0], [2.0, 3.0]], np.zeros((4, 5, 17)), "heatmaps must be a numeric array"),
        (np.zeros((1, 56, 8400)), np.zeros((4, 5, 17)), "looks like the rows of a YOLO-pose, which BoxFields"),
        (
            np.zeros((46, 54, 19)),
            np.zeros((46, 54, 38)),
            "looks like maps of part affinity fields, which PafFields takes",
        ),
        (np.zeros((31, 41, 17)), np.zeros((31, 41, 64)), "looks like vectors along edges, which PoseNetFields takes"),
        (
            np.zeros((1, 64, 96, 17)),
            np.zeros((1, 64, 96, 1)),
            "looks like MoveNet's or CenterNet's heads, which CenterFields",
        ),
    ],
)
def test_what_does_not_fit_is_refused_with_the_way_out(heatmaps, tags, message):
    with pytest.raises(bu.InputError, match=message):
        bu.TagFields(heatmaps, tags)


@pytest.mark.parametrize("channels_first", [False, True])
def test_a_part_of_nothing_but_nan_is_named_a_column_is_not(channels_first):
    heatmaps, tags = np.zeros((17, 6, 8)), np.zeros((17, 6, 8))
    heatmaps[:, :, 0] = np.nan
    heatmaps[0, :3] = np.nan
    axes = (0, 1, 2) if channels_first else (1, 2, 0)
    assert bu.TagFields(heatmaps.transpose(axes), tags.transpose(axes)).grid == (6, 8)
    tags[3] = np.nan
    with pytest.raises(bu.InputError, match="channel 3 of tags holds nothing but NaN"):
        bu.TagFields(heatmaps.transpose(axes), tags.transpose(axes))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"output_stride": 0}, "output_stride must be above 0"),
        ({"output_stride": np.nan}, "output_stride must be above 0"),
        ({"output_stride": "four"}, "output_stride must be one number"),
        ({"shift": 3}, "shift must be two numbers"),
        ({"shift": (np.inf, 0)}, "shift must be x and y in input pixels"),
        ({"negated": "yes"}, "negated must be True, False or None"),
        ({"skeleton": "coco"}, "skeleton must be a Skeleton"),
    ],
)
def test_settings_of_another_kind_are_refused(settings, message):
    with pytest.raises(bu.InputError, match=message):
        bu.TagFields(HEAT, TAGS, **settings)


def test_one_tensor_of_too_few_channels_is_refused():
    with pytest.raises(bu.InputError, match="maps must have 34 channels, 17 heatmaps and 17 tags"):
        bu.TagFields.from_concatenated(np.zeros((1, 17, 8, 8)))
    with pytest.raises(bu.InputError, match="looks like maps of part affinity fields"):
        bu.TagFields.from_concatenated(np.zeros((1, 57, 46, 54)))


@pytest.mark.parametrize(
    ("coarse", "fine", "message"),
    [
        ((1, 17, 4, 4), (1, 17, 8, 8), "coarse must have 34 channels"),
        ((1, 34, 4, 4), (1, 34, 8, 8), "fine must have 17 channels"),
        ((1, 34, 8, 8), (1, 17, 4, 4), "fine must have more cells than coarse"),
    ],
)
def test_two_sizes_in_another_order_are_refused(coarse, fine, message):
    with pytest.raises(bu.InputError, match=message):
        bu.TagFields.from_two_sizes(np.zeros(coarse), np.zeros(fine))


def test_fields_are_frozen_and_leave_the_callers_arrays_alone():
    heatmaps, tags = HEAT.copy(), TAGS.copy()
    heatmaps.flags.writeable = tags.flags.writeable = False
    fields = bu.TagFields(heatmaps, tags)
    bu.TagDecoder().decode(fields)
    with pytest.raises(dataclasses.FrozenInstanceError):
        fields.output_stride = 8
    np.testing.assert_array_equal(heatmaps, HEAT)
    assert fields.with_stride(2).output_stride == 2
