"""Which output is what: by name, by number of channels, never by order."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bottomup import InputError, ModelError, PafFields, PoseNetFields, Poses, Quantized, read_outputs
from bottomup.families import FAMILIES, family_of, get
from bottomup.posenet.names import output_stride, posenet_names

INPUT_SIZE = (65, 49)  # 4 x 5 cells of 16 pixels


def maps(**channels):
    """Return a (1, 4, 5, C) map a name; each holds its place in the list, less 10: no map of scores does."""
    return {name: np.full((1, 4, 5, count), number - 10.0) for number, (name, count) in enumerate(channels.items())}


CORAL = maps(
    float_heatmaps=17,
    float_short_offsets=34,
    float_mid_offsets=64,
    float_long_offsets=34,
    float_segments=1,
    float_part_heatmaps=24,
)
TFJS = maps(heatmap_2=17, offset_2=34, displacement_fwd_2=32, displacement_bwd_2=32)
PROJECT_POSENET = {"MobilenetV1/heatmap_2/BiasAdd": 17, "MobilenetV1/offset_2/BiasAdd": 34, "concat": 64}


@given(st.permutations(list(CORAL)))
def test_order_does_not_matter_to_corals_outputs(order):
    fields = read_outputs({name: CORAL[name] for name in order}, INPUT_SIZE)
    held = [fields.heatmaps, fields.offsets, fields.displacements_fwd, fields.displacements_bwd]
    held += [fields.long_offsets, fields.segments]
    assert [field.flat[0] for field in held] == [-10, -9, -8, -8, -7, -6]
    assert fields.output_stride == 16


@given(st.permutations(list(TFJS)))
def test_order_does_not_matter_to_tfjs_outputs(order):
    fields = read_outputs({name: TFJS[name] for name in order}, INPUT_SIZE)
    held = [fields.heatmaps, fields.offsets, fields.displacements_fwd, fields.displacements_bwd]
    assert [field.flat[0] for field in held] == [-10, -9, -8, -7]
    assert fields.long_offsets is None


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (
            PROJECT_POSENET,
            ("MobilenetV1/heatmap_2/BiasAdd", "MobilenetV1/offset_2/BiasAdd", "concat", None, None, None),
        ),
        ({"a": 17, "b": 34, "c": 64}, ("a", "b", "c", None, None, None)),
        ({"a": 17, "b": 34, "fwd": 32, "c": 32}, ("a", "b", None, "fwd", "c", None)),
        ({"a": 17, "b": 34, "c": 32, "x/displacement_bwd": 32}, ("a", "b", None, "c", "x/displacement_bwd", None)),
        ({"a": 17, "b": 34, "long": 34, "c": 64}, ("a", "b", "c", None, None, "long")),
        ({"a": 17, "short": 34, "b": 34, "c": 64}, ("a", "short", "c", None, None, "b")),
        ({"scores": 17, "heatmap": 17, "b": 34, "c": 64}, ("heatmap", "b", "c", None, None, None)),
    ],
)
def test_names_decide_where_channels_do_not(names, expected):
    shapes = {name: (1, 4, 5, channels) for name, channels in names.items()}
    assert posenet_names(shapes)[:6] == expected


@pytest.mark.parametrize(
    ("names", "way_out"),
    [
        ({"a": 17, "b": 34, "c": 34, "d": 64}, "'short_offsets' and 'long_offsets'"),
        ({"a": 17, "b": 34, "c": 32, "d": 32}, r"use PoseNetFields\.from_displacements"),
        ({"a": 17, "b": 34, "fwd_1": 32, "fwd_2": 32}, r"use PoseNetFields\.from_displacements"),
        ({"a": 17, "z": 17, "b": 34, "d": 64}, "is heatmaps"),
        ({"a": 17, "long_offsets": 34, "d": 64}, "which the long ones"),
    ],
)
def test_what_names_do_not_decide_is_refused_with_the_way_out(names, way_out):
    with pytest.raises(ModelError, match=way_out):
        read_outputs(maps(**names), INPUT_SIZE)


def test_channels_may_come_first():
    outputs = {name: np.moveaxis(values, 3, 1) for name, values in TFJS.items()}
    assert read_outputs(outputs, INPUT_SIZE).grid == (4, 5)


def test_a_grid_as_wide_as_there_are_channels_is_still_channels_last():
    outputs = {name: np.full((17, 17, count), -1.0) for name, count in {"a": 17, "b": 34, "c": 64}.items()}
    assert read_outputs(outputs, (257, 257)).grid == (17, 17)


@pytest.mark.parametrize("outputs", [{}, {"Openpose/concat_stage7": np.zeros((1, 46, 54, 58))}, {"x": np.zeros(3)}])
def test_unknown_outputs_are_named_with_their_shapes(outputs):
    with pytest.raises(ModelError, match="are of no network that Bottomup knows") as refusal:
        read_outputs(outputs, INPUT_SIZE)
    assert all(f"{name!r} {values.shape}" in str(refusal.value) for name, values in outputs.items())


def test_outputs_in_a_list_are_refused():
    with pytest.raises(InputError, match="must be a dict of tensor names to arrays, got list"):
        read_outputs([np.zeros((1, 4, 5, 17))], INPUT_SIZE)


def test_levels_without_units_are_refused_with_the_way_out():
    outputs = {name: values.astype(np.int8) for name, values in TFJS.items()}
    with pytest.raises(InputError, match=r"bottomup\.Quantized\(heatmaps, scale, zero_point\)"):
        read_outputs(outputs, INPUT_SIZE)


@pytest.mark.parametrize(
    ("input_size", "grid", "stride"),
    [
        ((481, 353), (23, 31), 16),
        ((641, 481), (31, 41), 16),
        ((1281, 721), (46, 81), 16),
        ((257, 257), (9, 9), 32),
        ((257, 257), (33, 33), 8),
        ((512, 512), (33, 33), 16),
        ((480, 352), (23, 31), 16),
        ((416, 288), (19, 27), 16),
        ((224, 224), (14, 14), 16),
        ((257, 353), (23, 17), 16),
    ],
)
def test_input_size_and_grid_give_the_stride(input_size, grid, stride):
    assert output_stride(input_size, grid) == stride


@pytest.mark.parametrize("input_size", [(49, 65), (650, 490)])
def test_a_size_that_fits_no_stride_is_refused(input_size):
    with pytest.raises(InputError, match=r"fit no stride of 8, 16 or 32: pass \(width, height\)"):
        read_outputs(TFJS, input_size)


@pytest.mark.parametrize("input_size", [None, 65, (65,), ("a", "b"), (0, 49)])
def test_a_size_that_is_none_is_refused(input_size):
    with pytest.raises(InputError, match=r"input_size must be \(width, height\)"):
        read_outputs(TFJS, input_size)


def test_sizes_may_be_numpy_numbers():
    assert read_outputs(TFJS, np.array([65, 49], np.uint8)).output_stride == 16


@pytest.mark.parametrize(
    ("heatmaps", "logits"),
    [
        (np.full((4, 5, 17), 0.2), False),
        (np.full((4, 5, 17), -0.2), True),
        (np.full((4, 5, 17), 1.2), True),
        (Quantized(np.zeros((4, 5, 17), np.uint8), 1 / 256, 0), False),
        (Quantized(np.zeros((4, 5, 17), np.int8), 1 / 256, -128), False),
        (Quantized(np.zeros((4, 5, 17), np.uint8), 0.05, 128), True),
        (Quantized(np.full((4, 5, 17), 130, np.uint8), 0.05, 128), True),
    ],
)
def test_scores_are_told_from_logits(heatmaps, logits):
    outputs = {**TFJS, "heatmap_2": heatmaps}
    outputs = {name: values if name == "heatmap_2" else values[0] for name, values in outputs.items()}
    assert read_outputs(outputs, INPUT_SIZE).logits is logits
    assert read_outputs(outputs, INPUT_SIZE, logits=not logits).logits is not logits


def decoded(count, most=5):
    """Return what PosenetDecoderOp gives: rows past the count were never written."""
    yx, keypoint_scores, scores = (
        np.full((1, most, 17, 2), np.nan),
        np.full((1, most, 17), 9e9),
        np.full((1, most), -7.0),
    )
    yx[0, :2], keypoint_scores[0, :2], scores[0, :2] = (30, 40), 0.5, [0.9, 0.8]
    return {"poses": yx, "poses:1": keypoint_scores, "poses:2": scores, "poses:3": np.float32(count)}


@given(st.permutations(list(decoded(2))))
def test_decoded_poses_come_out_x_first_and_without_the_unwritten_rows(order):
    outputs = decoded(2)
    poses = read_outputs({name: outputs[name] for name in order}, INPUT_SIZE)
    assert isinstance(poses, Poses)
    assert poses.scores.tolist() == pytest.approx([0.9, 0.8])
    assert poses.keypoints[1, 3].tolist() == [40, 30, 0.5]


def test_a_count_above_the_rows_gives_all_rows():
    assert len(read_outputs(decoded(99, most=2), INPUT_SIZE)) == 2


def test_a_count_of_none_gives_nobody():
    assert len(read_outputs(decoded(0), INPUT_SIZE)) == 0


def test_a_count_in_an_array_of_one_counts():
    assert len(read_outputs({**decoded(2), "poses:3": np.array([2.0])}, INPUT_SIZE)) == 2


@pytest.mark.parametrize("count", [np.nan, np.inf, -1])
def test_a_count_that_is_none_is_refused(count):
    with pytest.raises(ModelError, match="its decoder did not run"):
        read_outputs(decoded(count), INPUT_SIZE)


def test_a_decoded_keypoint_that_is_nowhere_is_missing():
    outputs = decoded(2)
    outputs["poses"][0, 0, 5, 1] = np.nan
    keypoint = read_outputs(outputs, INPUT_SIZE).keypoints[0, 5]
    assert np.isnan(keypoint[:2]).all()
    assert keypoint[2] == 0


def test_masks_beside_decoded_poses_are_left_alone():
    assert len(read_outputs({**decoded(2), "masks": np.zeros((1, 5, 33, 33))}, INPUT_SIZE)) == 2


def test_every_family_knows_its_own_fields_and_its_name():
    for family in FAMILIES:
        fields = family.example(False)
        assert family_of(fields) is family
        assert get(family.name) is family
        assert isinstance(next(iter(family.decoders.values()))(), family.decoder_types)


def test_what_no_family_knows_is_refused():
    with pytest.raises(InputError, match="fields must be one of PoseNetFields, PafFields"):
        family_of(np.zeros(3))
    with pytest.raises(InputError, match="family must be one of posenet, paf"):
        get("poses")


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
@pytest.mark.parametrize("quantized", [False, True])
def test_every_decoder_of_every_family_decodes_its_example(family, quantized):
    fields = family.example(quantized)
    for make in family.decoders.values():
        decoder = make()
        poses = decoder.decode(fields)
        assert isinstance(poses, Poses)
        [again] = decoder.decode_batch([fields])
        np.testing.assert_array_equal(again.keypoints, poses.keypoints)
    assert len(family.decoders["best"]().decode(fields)) >= 1


def test_given_arrays_are_not_written_to():
    outputs = decoded(2) | {"poses:3": np.array(2.0)}
    before = {name: np.array(values) for name, values in outputs.items()}
    read_outputs(outputs, INPUT_SIZE)
    for name, values in outputs.items():
        np.testing.assert_array_equal(values, before[name])


def test_fields_hold_quantised_tensors_as_they_came():
    levels = {name: Quantized(values.astype(np.int8), 0.1, 0) for name, values in TFJS.items()}
    fields = read_outputs(levels, INPUT_SIZE)
    assert isinstance(fields, PoseNetFields)
    np.testing.assert_allclose(fields.offsets.dequantize(), -0.9, atol=1e-6)


def test_of_a_network_that_gives_both_families_the_caller_says_which():
    channels = {"heatmaps": 17, "short_offsets": 34, "mid_offsets": 64, "confidence_maps": 19, "pafs": 38}
    maps = {name: np.zeros((31, 41, count), np.float32) for name, count in channels.items() if count not in (19, 38)}
    maps |= {name: np.zeros((61, 81, count), np.float32) for name, count in channels.items() if count in (19, 38)}
    assert isinstance(read_outputs(maps, (641, 481)), PoseNetFields)
    fields = read_outputs(maps, (641, 481), family="paf")
    assert isinstance(fields, PafFields)
    assert fields.grid == (61, 81)
    assert fields.output_stride == 8


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_every_family_has_its_reference_at_hand(family):
    code = f"import bottomup as bu; print(bu.{family.name}.reference.decode.__name__)"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert printed.stdout.strip() == "decode"
