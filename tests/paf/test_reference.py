"""The kernels give what the definition gives, ties and all."""

import numpy as np
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from paf_scenes import RING, assert_same, crowd

import bottomup as bu

DECODERS = {
    "default": bu.PafDecoder(min_parts=1),
    "global": bu.PafDecoder(fill=False, max_overlap=1),
    "greedy": bu.PafDecoder(matching="greedy", min_parts=2, usual_length=0),
    "hungarian": bu.PafDecoder(matching="hungarian", min_parts=2),
    "few peaks": bu.PafDecoder(max_peaks=2, min_parts=2, fill_window=0.5),
    "touching": bu.PafDecoder(touching=1.5, limb_score="hits", min_parts=2, limb_ratio=0.5),
    "chains": bu.PafDecoder(min_parts=1, fill_ratio=0, fill_chain_factor=1, fill_owned_factor=1, fill_samples=3),
    "openpose": bu.PafDecoder.openpose(min_mean_score=0.1),
    "bodyposenet": bu.PafDecoder.bodyposenet(min_parts=2),
    "trt_pose": bu.PafDecoder.trt_pose(),
}


@st.composite
def quantised_fields(draw):
    """Fields of few levels: plateaus and ties are the rule. Half of them agree with a direction everywhere."""
    height, width, repeat = draw(st.integers(1, 8)), draw(st.integers(1, 8)), draw(st.sampled_from([1, 1, 2]))
    heatmaps = draw(arrays(np.uint8, (height, width, 3), elements=st.integers(0, 4)))
    shape = draw(st.sampled_from([(height, width, 6), (1, 1, 6)]))
    pafs = draw(arrays(np.uint8, shape, elements=st.integers(0, 4)))
    pafs = np.broadcast_to(pafs, (height, width, 6)).repeat(repeat, axis=0).repeat(repeat, axis=1)
    tensors = bu.Quantized(heatmaps, 0.25, 0), bu.Quantized(pafs, 0.5, 2)
    if draw(st.booleans()):
        tensors = tuple(tensor.dequantize() for tensor in tensors)
    try:
        return bu.PafFields(*tensors, RING, paf_shift=draw(st.sampled_from([0, 0.4375])))
    except bu.InputError as error:  # fields all near 0.5 are taken for OpenPose's scaled ones, and refused
        if "lie around" not in str(error):
            raise
        reject()


@pytest.mark.parametrize("name", DECODERS)
@given(fields=quantised_fields())
@settings(deadline=None, max_examples=60)
def test_kernels_equal_the_definition(name, fields):
    decoder = DECODERS[name]
    assert_same(decoder.decode(fields), bu.paf.reference.decode(fields, decoder))


@pytest.mark.parametrize("quantized", [False, True], ids=["float32", "uint8"])
@pytest.mark.parametrize("width", [44, 45, 90])
def test_rows_of_several_stretches_hold_the_same_peaks(width, quantized):
    generator = np.random.default_rng(width)
    heatmaps = generator.integers(0, 6, (5, width, 4), dtype=np.uint8)
    heatmaps[..., 3] = 5 - heatmaps[..., :3].max(axis=2)  # background, plateaus and all
    pafs = generator.integers(0, 5, (5, width, 6), dtype=np.uint8)
    tensors = bu.Quantized(heatmaps, 0.125, 1), bu.Quantized(pafs, 0.5, 2)
    if not quantized:
        tensors = tuple(tensor.dequantize() for tensor in tensors)
    fields = bu.PafFields(*tensors, RING)
    decoder = bu.PafDecoder(fill=False, min_parts=2, max_overlap=1)
    expected = bu.paf.reference.decode(fields, decoder)
    assert len(expected) > 5
    assert_same(decoder.decode(fields), expected)


@pytest.fixture(scope="module")
def sort():
    """Return `sort_best_first` as a function that Python can call."""
    import numba

    from bottomup.paf.kernels.sorting import sort_best_first

    @numba.njit
    def call(scores, size, order, keys):
        sort_best_first(scores, size, order, keys)

    return call


@given(scores=st.lists(st.sampled_from([-1.0, 0.0, 0.25, 0.5, np.inf]) | st.floats(-1, 1), max_size=100))
@settings(deadline=None)
def test_the_best_come_first_and_equal_ones_in_order(sort, scores):
    order, keys = np.empty((2, 100), np.int64), np.empty((2, 100))
    sort(np.array(scores, np.float64), len(scores), order, keys)
    expected = sorted(range(len(scores)), key=lambda number: -scores[number])
    np.testing.assert_array_equal(order[0, : len(scores)], expected)


@pytest.mark.parametrize("name", DECODERS)
@pytest.mark.parametrize("quantized", [False, True], ids=["float32", "uint8"])
def test_kernels_equal_the_definition_on_a_crowd(name, quantized):
    _, fields = crowd(7, seed=11, size=(240, 200), quantized=quantized)
    generator = np.random.default_rng(2)
    if quantized:
        noise = generator.integers(0, 20, fields.heatmaps.shape, dtype=np.uint8)
        heatmaps = bu.Quantized(np.maximum(fields.heatmaps.values, noise), fields.heatmaps.scale, 0)
    else:
        heatmaps = np.maximum(fields.heatmaps, generator.uniform(0, 0.08, fields.heatmaps.shape))
    noisy = bu.PafFields(heatmaps, fields.pafs)
    assert_same(DECODERS[name].decode(noisy), bu.paf.reference.decode(noisy, DECODERS[name]))


def test_the_definition_reads_a_finer_grid_too():
    _, fields = crowd(3, size=(160, 120))
    finer = np.repeat(np.repeat(fields.pafs, 2, axis=0), 2, axis=1)
    smooth = (finer + np.roll(finer, 1, axis=0) + np.roll(finer, 1, axis=1)) / 3
    mixed = bu.PafFields(fields.heatmaps, smooth)
    assert mixed.paf_repeat == 1
    assert len(bu.PafDecoder().decode(mixed)) == 3
    assert_same(bu.PafDecoder().decode(mixed), bu.paf.reference.decode(mixed, bu.PafDecoder()))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e30])
def test_kernels_equal_the_definition_on_broken_maps(value):
    generator = np.random.default_rng(4)
    for _ in range(10):
        heatmaps, pafs = generator.uniform(0, 1, (6, 7, 3)), generator.uniform(-0.2, 1, (6, 7, 6))
        heatmaps[generator.random(heatmaps.shape) < 0.1] = value
        pafs[generator.random(pafs.shape) < 0.1] = value
        fields = bu.PafFields(heatmaps, pafs, RING)
        decoder = bu.PafDecoder(min_parts=2)
        assert_same(decoder.decode(fields), bu.paf.reference.decode(fields, decoder))


@pytest.mark.parametrize("seed", range(4))
def test_kernels_equal_the_definition_on_weak_faces(seed):
    _, fields = crowd(5, seed=seed, size=(240, 200))
    heatmaps = fields.heatmaps.copy()
    generator = np.random.default_rng(seed)
    weak = [
        bu.OPENPOSE18.index(part) for part in bu.OPENPOSE18.parts if part.endswith(("eye", "ear", "hip", "shoulder"))
    ]
    heatmaps[..., weak] *= generator.choice([0.03, 0.2, 1.0], len(weak))
    heatmaps[..., weak] += generator.uniform(0, 0.03, heatmaps[..., weak].shape).astype(np.float32)
    noisy = bu.PafFields(heatmaps, fields.pafs)
    expected = bu.paf.reference.decode(noisy, bu.PafDecoder())
    assert expected.filled.any()
    assert_same(bu.PafDecoder().decode(noisy), expected)


def test_the_definition_says_what_it_takes():
    fields, decoder = crowd(1)[1], bu.PafDecoder()
    for arguments in ((None, decoder), (fields, None), (fields, bu.PoseNetDecoder())):
        with pytest.raises(bu.InputError, match="expected PafFields and a PafDecoder"):
            bu.paf.reference.decode(*arguments)


@pytest.mark.parametrize(("across", "down", "count"), [(135.2, 0, 1), (135.4, 0, 2), (131.7, 30, 1), (132.1, 30, 2)])
def test_joints_of_a_squared_distance_of_twenty_have_nothing_in_common(across, down, count):
    """These two people mirror each other; their near ends are just below or above 20 apart, by area and falloff."""
    rod = bu.Skeleton("rod", ("near", "far"), ((0, 1),), sigmas=(0.2, 0.1))
    keypoints = np.ones((2, 2, 3))
    keypoints[:, :, :2] = [[[150, 100], [60, 160]], [[150 + across, 100 + down], [240 + across, 160 + down]]]
    fields = bu.synthetic.paf_fields(bu.Poses(keypoints, [1, 1], rod), (480, 240), skeleton=rod)
    decoder = bu.PafDecoder(fill=False, min_parts=2, usual_length=0, max_overlap=0)
    assert len(decoder.decode(fields)) == count
    assert len(bu.paf.reference.decode(fields, decoder)) == count
