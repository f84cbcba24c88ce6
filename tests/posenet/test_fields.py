import gc
import weakref

import numpy as np
import pytest

from bottomup.errors import InputError
from bottomup.posenet.best import PoseNetDecoder
from bottomup.posenet.fields import PoseNetFields
from bottomup.tensors import Quantized

H, W = 3, 5


def random_tensor(channels, seed=0, dtype=np.float32):
    levels = np.random.default_rng(seed).integers(0, 256, (H, W, channels))
    return levels.astype(np.uint8) if dtype == np.uint8 else (levels / 100).astype(dtype)


def quantized(channels, seed=0, scale=0.5, zero_point=128):
    return Quantized(random_tensor(channels, seed, np.uint8), scale, zero_point)


def displacement_tensors(make=random_tensor):
    return make(17, 1), make(34, 2), make(32, 3), make(32, 4)


def test_mid_offsets_are_the_displacements_one_after_the_other():
    heatmaps, offsets, forward, backward = displacement_tensors()
    apart = PoseNetFields.from_displacements(heatmaps, offsets, forward, backward)
    together = PoseNetFields.from_mid_offsets(heatmaps, offsets, np.concatenate([forward, backward], axis=2))
    np.testing.assert_array_equal(together.displacements_fwd, forward)
    np.testing.assert_array_equal(together.displacements_bwd, backward)
    for one, other in zip(apart.tensors, together.tensors, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("make", [random_tensor, quantized])
def test_kernels_see_the_tensors_flat_with_their_units(make):
    fields = PoseNetFields.from_displacements(*displacement_tensors(make))
    tensors = fields.tensors
    for flat, scale, zero, field in (
        (tensors.heatmaps, tensors.heatmap_scale, tensors.heatmap_zero, fields.heatmaps),
        (tensors.offsets, tensors.offset_scale, tensors.offset_zero, fields.offsets),
    ):
        real = field.dequantize() if make is quantized else field
        np.testing.assert_array_equal((flat.astype(np.float32) - zero) * scale, real.reshape(-1))
    forward = fields.displacements_fwd.dequantize() if make is quantized else fields.displacements_fwd
    both = tensors.displacements.reshape(H, W, 64).astype(np.float32)
    np.testing.assert_array_equal((both[..., :32] - tensors.fwd_zero) * tensors.fwd_scale, forward)


def test_the_two_displacements_keep_their_own_scales():
    heatmaps, offsets = quantized(17), quantized(34)
    forward, backward = quantized(32, 3, scale=0.5, zero_point=100), quantized(32, 4, scale=2.0, zero_point=7)
    tensors = PoseNetFields.from_displacements(heatmaps, offsets, forward, backward).tensors
    assert (tensors.fwd_scale, tensors.fwd_zero, tensors.bwd_scale, tensors.bwd_zero) == (0.5, 100, 2, 7)


def test_one_float_tensor_among_quantized_ones_makes_all_float():
    heatmaps, _, forward, backward = displacement_tensors(quantized)
    fields = PoseNetFields.from_displacements(heatmaps, random_tensor(34), forward, backward)
    assert {tensor.dtype for tensor in (fields.tensors.heatmaps, fields.tensors.displacements)} == {
        np.dtype(np.float32)
    }
    np.testing.assert_array_equal(fields.tensors.heatmaps, heatmaps.dequantize().reshape(-1))


def test_levels_that_start_at_an_odd_address_are_read_all_the_same():
    memory = np.zeros(H * W * 17 + 1, np.uint8)
    levels = random_tensor(17, 1, np.uint8)
    odd = memory[1:].reshape(H, W, 17)
    odd[:] = levels
    _, *rest = displacement_tensors(quantized)
    fields = PoseNetFields.from_displacements(Quantized(odd, 0.5, 128), *rest)
    even = PoseNetFields.from_displacements(Quantized(levels, 0.5, 128), *rest)
    decoder = PoseNetDecoder(score_threshold=0)
    assert odd.ctypes.data % 2 == 1
    assert len(decoder.decode(even)) > 0
    np.testing.assert_array_equal(decoder.decode(fields).keypoints, decoder.decode(even).keypoints)


def test_fields_as_floats_hold_the_same_real_numbers():
    floats = PoseNetFields.from_displacements(*displacement_tensors(quantized)).as_floats
    np.testing.assert_array_equal(floats.heatmaps, quantized(17, 1).dequantize())
    np.testing.assert_array_equal(floats.displacements_bwd, quantized(32, 4).dequantize())


def channels_first(tensor):
    return tensor.transpose(2, 0, 1)


def batch_of_one(tensor):
    return tensor[None]


@pytest.mark.parametrize("layout", [channels_first, batch_of_one])
def test_other_layouts_give_the_same_fields(layout):
    tensors = displacement_tensors()
    fields = PoseNetFields.from_displacements(*map(layout, tensors))
    assert fields.grid == (H, W)
    for given, field in zip(
        tensors, (fields.heatmaps, fields.offsets, fields.displacements_fwd, fields.displacements_bwd), strict=True
    ):
        np.testing.assert_array_equal(field, given)


def test_logits_undo_the_sigmoid():
    logits = np.linspace(-9, 9, H * W * 17, dtype=np.float32).reshape(H, W, 17)
    _, *rest = displacement_tensors()
    fields = PoseNetFields.from_displacements(1 / (1 + np.exp(-logits)), *rest, logits=False)
    np.testing.assert_allclose(fields.as_logits.heatmaps, logits, atol=1e-3)
    assert fields.as_logits.logits
    np.testing.assert_array_equal(fields.as_logits.offsets, fields.offsets)


def test_scores_of_0_and_1_have_finite_logits():
    scores = np.zeros((H, W, 17))
    scores[0] = 1
    _, *rest = displacement_tensors()
    fields = PoseNetFields.from_displacements(scores, *rest, logits=False)
    assert np.isfinite(fields.as_logits.heatmaps).all()


def test_fields_of_logits_are_their_own_logits():
    fields = PoseNetFields.from_displacements(*displacement_tensors())
    assert fields.as_logits is fields


def test_fields_that_were_decoded_are_freed_at_once():
    fields = PoseNetFields.from_displacements(*displacement_tensors())
    PoseNetDecoder(score_threshold=0).decode(fields)
    watched = weakref.ref(fields)
    gc.disable()
    try:
        del fields
        assert watched() is None
    finally:
        gc.enable()


def test_the_callers_arrays_are_shared_and_not_written_to():
    tensors = displacement_tensors()
    fields = PoseNetFields.from_displacements(*tensors)
    assert np.shares_memory(fields.heatmaps, tensors[0])
    assert np.shares_memory(fields.tensors.offsets, tensors[1])
    PoseNetDecoder(score_threshold=0).decode(fields)
    for tensor, expected in zip(tensors, displacement_tensors(), strict=True):
        np.testing.assert_array_equal(tensor, expected)


def test_read_only_arrays_are_no_type_of_their_own_to_kernels():
    tensors = displacement_tensors()
    for tensor in tensors:
        tensor.flags.writeable = False
    fields = PoseNetFields.from_displacements(*tensors)
    assert all(array.flags.writeable for array in fields.tensors if isinstance(array, np.ndarray))


def test_long_offsets_and_segments_come_along():
    fields = PoseNetFields.from_displacements(
        *displacement_tensors(), long_offsets=random_tensor(34, 5), segments=random_tensor(1, 6)
    )
    assert fields.long_offsets.shape == (H, W, 34)
    assert fields.segments.shape == (H, W, 1)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"heatmaps": random_tensor(16)}, "heatmaps must have 17 channels"),
        ({"short_offsets": np.zeros((H, W + 1, 34))}, r"short_offsets has a grid of \(3, 6\) cells"),
        ({"mid_offsets": random_tensor(32)}, "mid_offsets must have 64 channels"),
        ({"mid_offsets": random_tensor(64, 0, np.uint8)}, r"pass bottomup.Quantized\(mid_offsets"),
        ({"long_offsets": random_tensor(17)}, "long_offsets must have 34 channels"),
        ({"segments": np.full((H, W, 1), np.nan)}, "segments holds nothing but NaN"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(wrong, message):
    right = {"heatmaps": random_tensor(17), "short_offsets": random_tensor(34), "mid_offsets": random_tensor(64)}
    with pytest.raises(InputError, match=message):
        PoseNetFields.from_mid_offsets(**(right | wrong))


def test_tensors_that_nobody_checked_are_refused():
    heatmaps, offsets, fwd, bwd = (np.asarray(tensor, np.float32) for tensor in displacement_tensors())
    assert PoseNetFields(heatmaps, offsets, fwd, bwd, 16).grid == heatmaps.shape[:2]
    for tensors in (
        (heatmaps, offsets[:1], fwd, bwd),
        (heatmaps, offsets, fwd[..., :-1], bwd),
        (heatmaps.astype(np.float64), offsets, fwd, bwd),
        (heatmaps, offsets, fwd, None),
        (Quantized(np.zeros(heatmaps.shape, np.int8), 1, 0), offsets, fwd, bwd),
    ):
        with pytest.raises(InputError, match="build PoseNetFields with from_displacements or from_mid_offsets"):
            PoseNetFields(*tensors, 16)


@pytest.mark.parametrize(
    "decoder",
    [PoseNetDecoder(), PoseNetDecoder.coral(), PoseNetDecoder.tfjs()],
    ids=lambda decoder: type(decoder).__name__,
)
def test_batches_say_what_they_are(decoder):
    fields = PoseNetFields.from_displacements(*displacement_tensors())
    for threads in ("2", 1.5, None, 0):
        with pytest.raises(InputError, match="threads must be a whole number, at least 1"):
            decoder.decode_batch([fields, fields], threads=threads)
    for single in (fields, None, 5):
        with pytest.raises(InputError, match="a batch must be several"):
            decoder.decode_batch(single)


# Tensors that no network gives


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["heatmaps", "short_offsets", "mid_offsets", "long_offsets", "segments"])
def test_a_tensor_that_is_partly_no_number_is_refused_by_name_and_channel(name, value):
    tensors = {"heatmaps": 17, "short_offsets": 34, "mid_offsets": 64, "long_offsets": 34, "segments": 1}
    tensors = {each: random_tensor(channels) for each, channels in tensors.items()}
    channel = tensors[name].shape[2] // 2
    tensors[name] = tensors[name].copy()
    tensors[name][1, 2, channel] = value
    with pytest.raises(InputError, match=f"{name} holds NaN or infinite numbers, channel {channel} in 1 of 15 cells"):
        PoseNetFields.from_mid_offsets(**tensors)
    tensors[name][:] = value
    with pytest.raises(InputError, match=name):
        PoseNetFields.from_mid_offsets(**tensors)


def test_displacements_that_came_apart_are_looked_at_as_well():
    tensors = [random_tensor(channels) for channels in (17, 34, 32, 32)]
    tensors[3] = np.where(np.arange(32) == 30, np.inf, tensors[3])
    with pytest.raises(InputError, match="displacements_bwd holds NaN or infinite numbers, channel 30"):
        PoseNetFields.from_displacements(*tensors)


def test_huge_numbers_are_numbers():
    tensors = [np.full((H, W, channels), 3e38) for channels in (17, 34, 64)]
    assert PoseNetFields.from_mid_offsets(*tensors).grid == (H, W)


def test_scores_where_logits_are_the_default_are_asked_about():
    scores = np.linspace(0, 1, H * W * 17).reshape(H, W, 17)
    rest = random_tensor(34), random_tensor(64)
    with pytest.raises(InputError, match=r"heatmaps lie within \[0, 1\].*like scores: pass logits=False"):
        PoseNetFields.from_mid_offsets(scores, *rest)
    with pytest.raises(InputError, match="pass logits=False"):
        PoseNetFields.from_mid_offsets(Quantized((scores * 255).astype(np.uint8), 1 / 255, 0), *rest)
    assert not PoseNetFields.from_mid_offsets(scores, *rest, logits=False).logits
    assert PoseNetFields.from_mid_offsets(scores, *rest, logits=True).logits
    assert PoseNetFields.from_mid_offsets(scores * 1.01, *rest).logits
    assert PoseNetFields.from_mid_offsets(scores - 0.01, *rest).logits
    assert PoseNetFields.from_mid_offsets(scores * 0, *rest).logits


@pytest.mark.parametrize(("low", "high"), [(0, 9.0), (-5.0, 1.3)])
def test_logits_that_are_said_to_be_scores_are_refused(low, high):
    heatmaps = np.linspace(low, high, H * W * 17).reshape(H, W, 17)
    with pytest.raises(InputError, match="but logits=False means scores in"):
        PoseNetFields.from_mid_offsets(heatmaps, random_tensor(34), random_tensor(64), logits=False)


def test_scores_that_resizing_made_a_little_too_large_are_at_most_1():
    scores = np.full((H, W, 17), 1.2)
    fields = PoseNetFields.from_mid_offsets(scores, np.zeros((H, W, 34)), np.zeros((H, W, 64)), logits=False)
    for decoder in (PoseNetDecoder.tfjs(), PoseNetDecoder.tfjs(max_poses=1), PoseNetDecoder.coral()):
        poses = decoder.decode(fields)
        assert len(poses)
        assert poses.scores.max() <= 1
        assert np.nanmax(poses.keypoint_scores) <= 1


@pytest.mark.parametrize("wrong", [1e12, 0.1, 0, -16, np.nan, "16", None])
def test_strides_that_no_network_has_are_refused(wrong):
    with pytest.raises(InputError, match="output_stride must be"):
        PoseNetFields.from_mid_offsets(*map(random_tensor, (17, 34, 64)), output_stride=wrong)


@pytest.mark.parametrize("wrong", [3, (1, 2, 3), (np.nan, 0), (0, 1e9), ("a", 1), None])
def test_shifts_that_no_network_has_are_refused(wrong):
    with pytest.raises(InputError, match="shift must be"):
        PoseNetFields.from_mid_offsets(*map(random_tensor, (17, 34, 64)), shift=wrong)
