"""Raw tensors to keypoints and relative poses."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import bottomup as bu
from bottomup.errors import InputError
from bottomup.metric3d import Heads, reference, synthetic

SMALL = Heads(3, crop_size=64, output_stride=16, depth=2)  # 4 x 4 cells


def tensors(seed, heads=SMALL, count=2, deviation=3.0):
    random = np.random.default_rng(seed)
    grid, parts = heads.grid, heads.num_parts
    shapes = [(count, grid, grid, parts), (count, grid, grid, heads.depth * parts)]
    return [random.normal(0, deviation, shape).astype(np.float32) for shape in shapes]


def expected(heads, heatmaps, volumes):
    """Decode by the reference."""
    flat = reference.soft_argmax(heatmaps[:, :, :, None])
    cube = reference.soft_argmax(volumes.reshape(*volumes.shape[:3], heads.depth, heads.num_parts))
    keypoints = flat[..., :2] * heads.output_stride + heads.output_stride / 2
    across = (cube[..., :2] * heads.output_stride + heads.output_stride / 2) * heads.box_size / heads.crop_size
    deep = cube[..., 2:] * heads.box_size / max(heads.depth - 1, 1)
    return keypoints, np.concatenate([across, deep], axis=-1)


def check(decoded, wanted):
    np.testing.assert_allclose(decoded.keypoints, wanted[0], atol=1e-4)
    np.testing.assert_allclose(decoded.relative, wanted[1], atol=4e-3)  # of a cube of 2200 mm


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10**6), st.sampled_from([0.0, 1.0, 10.0, 100.0, 1e6, 1e30]))
def test_the_kernel_equals_the_reference(seed, deviation):
    heatmaps, volumes = tensors(seed, deviation=deviation, count=1)
    check(SMALL.decode([heatmaps, volumes]), expected(SMALL, heatmaps, volumes))


@settings(deadline=None, max_examples=10)
@given(st.integers(0, 10**6), st.sampled_from([np.uint8, np.int8]), st.sampled_from([0.02, 0.3, 5.0]))
def test_levels_decode_as_the_numbers_that_they_stand_for(seed, dtype, scale):
    random, limits = np.random.default_rng(seed), np.iinfo(dtype)
    levels = [random.integers(limits.min, limits.max + 1, each.shape).astype(dtype) for each in tensors(0, count=1)]
    quantised = [bu.Quantized(each, scale, limits.min + 100) for each in levels]
    check(SMALL.decode(quantised), expected(SMALL, *(each.dequantize() for each in quantised)))


def as_layout(volumes, heads, layout):
    """Return volumes "bhw(dp)" in another layout."""
    count, grid = len(volumes), heads.grid
    unfolded = dict(zip("bhwdp", range(5), strict=True))
    cube = volumes.reshape(count, grid, grid, heads.depth, heads.num_parts)
    axes = layout.replace("(", "").replace(")", "")
    moved = cube.transpose([unfolded[axis] for axis in axes])
    sizes = []
    for group in layout.replace("(", " (").replace(")", ") ").split():
        if group.startswith("("):
            sizes.append(int(np.prod([cube.shape[unfolded[axis]] for axis in group.strip("()")])))
        else:
            sizes.extend(cube.shape[unfolded[axis]] for axis in group)
    return moved.reshape(sizes)


@pytest.mark.parametrize("layout", ["bhw(dp)", "bhw(pd)", "b(dp)hw", "b(pd)hw", "bhwdp", "bpdhw", "bpwhd", "b(hw)(dp)"])
def test_every_layout_is_the_same_tensor(layout):
    heatmaps, volumes = tensors(0)
    heads = Heads(3, crop_size=64, output_stride=16, depth=2, layout=layout)
    order = layout.replace("d", "").replace("(p)", "p").replace("(", "").replace(")", "")
    flat = heatmaps.transpose(["bhwp".index(axis) for axis in order])
    if "(hw)" in layout:
        flat = flat.reshape(2, 16, 3)
    moved = as_layout(volumes, heads, layout)
    for outputs in ([flat, moved], {"3d": moved, "2d": flat, "else": np.zeros((2, 5))}):
        check(heads.decode(outputs), expected(SMALL, heatmaps, volumes))


@pytest.mark.parametrize("layout", ["bhw(dp)", "b(pd)hw"])
def test_one_tensor_may_hold_both_heads(layout):
    heatmaps, volumes = tensors(1)
    heads = Heads(3, crop_size=64, output_stride=16, depth=2, layout=layout)
    axis = 3 if layout == "bhw(dp)" else 1
    flat = heatmaps if axis == 3 else heatmaps.transpose(0, 3, 1, 2)
    both = np.concatenate([flat, as_layout(volumes, heads, layout)], axis=axis)
    check(heads.decode(both), expected(SMALL, heatmaps, volumes))
    levels = (both * 10 + 128).clip(0, 255).astype(np.uint8)
    parts = np.split(levels, [3], axis=axis)
    apart = heads.decode([bu.Quantized(each, 0.1, 128) for each in parts])
    check(heads.decode(bu.Quantized(levels, 0.1, 128)), apart)


def test_volumes_alone_give_the_keypoints_too():
    _, volumes = tensors(2)
    decoded = SMALL.decode(volumes)
    np.testing.assert_allclose(decoded.keypoints * SMALL.box_size / 64, decoded.relative[..., :2])


def test_of_one_depth_heatmaps_come_first():
    heads = Heads(3, crop_size=64, output_stride=16, depth=1)
    heatmaps, volumes = tensors(3, heads)
    decoded = heads.decode([heatmaps, volumes])
    check(decoded, expected(heads, heatmaps, volumes))
    assert (decoded.relative[..., 2] == 0).all()
    check(heads.decode(np.concatenate([heatmaps, volumes], axis=3)), expected(heads, heatmaps, volumes))


def test_one_cell_is_its_own_middle():
    heads = Heads(2, crop_size=32, output_stride=32, depth=1)
    assert (heads.decode(np.zeros((1, 1, 1, 2))).keypoints == 16).all()


def test_strides_may_be_centred_shifted_or_neither():
    volumes = np.full((1, 4, 4, 6), -50.0)
    volumes[0, 1, 2] = 0
    for centred, shifted, moved in ((True, False, 8), (False, True, 8), (False, False, 0), (True, True, 16)):
        heads = Heads(3, crop_size=64, output_stride=16, depth=2, centred_stride=centred, half_shift=shifted)
        np.testing.assert_allclose(heads.decode(volumes).keypoints[0, 0], (32 + moved, 16 + moved), atol=1e-4)


def test_what_cannot_be_reached_is_not_in_view():
    places = np.array([[23.9, 128], [24, 128], [232, 232], [128, 232.1], [np.nan, 128]])
    assert Heads(1).in_view(places).tolist() == [False, True, True, False, False]
    assert Heads(1, centred_stride=False).in_view(places - 16).tolist() == [False, True, True, False, False]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_logits_that_are_no_numbers_spoil_their_part_alone(bad):
    heatmaps, volumes = tensors(4)
    spoilt = volumes.copy()
    spoilt[0, 1, 1, 1] = bad
    if bad == -np.inf:
        spoilt[0, :, :, 1::3] = bad
    decoded, wanted = SMALL.decode([heatmaps, spoilt]), expected(SMALL, heatmaps, volumes)
    assert np.isnan(decoded.relative[0, 1]).all()
    decoded.relative[0, 1] = wanted[1][0, 1]
    check(decoded, wanted)


def test_crops_do_not_depend_on_their_companions():
    heatmaps, volumes = tensors(5, count=4)
    volumes[2] *= 100  # takes the other way through the kernel
    together = SMALL.decode([heatmaps, volumes])
    for crop in range(4):
        alone = SMALL.decode([heatmaps[[crop]], volumes[[crop]]])
        assert np.array_equal(alone.relative[0], together.relative[crop])


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10**6))
def test_decoding_undoes_encoding(seed):
    random = np.random.default_rng(seed)
    heads = Heads(3, crop_size=64, output_stride=8, depth=8)
    keypoints, relative = random.uniform(5, 59, (2, 3, 2)), random.uniform(-900, 900, (2, 3, 3))
    decoded = heads.decode(synthetic.encode(heads, keypoints, relative))
    np.testing.assert_allclose(decoded.keypoints, keypoints, atol=1e-4)
    np.testing.assert_allclose(decoded.relative, relative + 1100, atol=2e-3)


def test_no_crops_give_no_poses():
    decoded = SMALL.decode([np.zeros((0, 4, 4, 3)), np.zeros((0, 4, 4, 6))])
    assert decoded.keypoints.shape == (0, 3, 2)
    assert decoded.relative.shape == (0, 3, 3)


def test_inputs_are_not_written_to():
    every = tensors(6)
    for tensor in every:
        tensor.setflags(write=False)
    check(SMALL.decode(every), expected(SMALL, *every))


@pytest.mark.parametrize(
    ("outputs", "said"),
    [
        (np.zeros((1, 5, 5, 6)), "change the Heads"),
        ([np.zeros((1, 4, 4, 3))], "change the Heads"),
        ([np.zeros((1, 4, 4, 6))] * 2, "change the Heads"),
        ([], "none"),
        (np.zeros((1, 4, 4, 6), np.uint8), "Quantized"),
        (np.zeros((1, 4, 4, 6), complex), "real numbers"),
    ],
)
def test_tensors_that_do_not_fit_are_refused(outputs, said):
    with pytest.raises(InputError, match=said):
        SMALL.decode(outputs)


@pytest.mark.parametrize(
    "wrong",
    [{"layout": "bhwd"}, {"layout": "(bh)wdp"}, {"crop_size": 250}, {"depth": 0}, {"box_size": 0}, {"volume_xy": "?"}],
)
def test_heads_that_cannot_be_are_refused(wrong):
    with pytest.raises(InputError, match=next(iter(wrong))):
        Heads(3, **wrong)
