"""The kernels give what the definition gives, ties and all."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import bottomup as bu
from bottomup.tags import reference

TRIO = bu.Skeleton("trio", ("one", "two", "three"), ((0, 1), (1, 2)), sigmas=(0.1, 0.1, 0.1))
DECODERS = {
    "default": bu.TagDecoder(),
    "everybody": bu.TagDecoder(min_parts=1, max_overlap=1),
    "few peaks": bu.TagDecoder(max_peaks=2, min_parts=1, fill_window=0.3),
    "by tags alone": bu.TagDecoder(nearness=0, fill=False, local_maximum_radius=1),
    "wide": bu.TagDecoder(tag_threshold=2.5, fill_threshold=0.1, shift=(1.5, -2), half_size=0),
    "omz": bu.TagDecoder.omz(),
    "omz, few": bu.TagDecoder.omz(delta=0.5, max_people=2, min_score=0, fill=False),
    "mmpose": bu.TagDecoder.mmpose(),
    "mmpose, udp": bu.TagDecoder.mmpose(udp=True),
    "mmpose, few": bu.TagDecoder.mmpose(max_people=2, tag_threshold=1.6),
    "higherhrnet": bu.TagDecoder.higherhrnet(),
    "higherhrnet, few": bu.TagDecoder.higherhrnet(max_people=3, score_threshold=0.3),
}


def assert_same(poses, expected, places=1e-3):
    assert len(poses) == len(expected)
    np.testing.assert_allclose(poses.scores, expected.scores, atol=1e-6)
    np.testing.assert_array_equal(poses.filled, expected.filled)
    np.testing.assert_allclose(poses.keypoints, expected.keypoints, atol=places, rtol=1e-5)


@st.composite
def quantised_fields(draw):
    """Fields of few levels: plateaus, ties and tags half-way between whole numbers are the rule."""
    height, width = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    heatmaps = draw(arrays(np.uint8, (height, width, 3), elements=st.integers(0, 5)))
    tag_size = draw(st.sampled_from([1, 1, 2]))
    tags = draw(arrays(np.uint8, (height, width, 3 * tag_size), elements=st.integers(0, 6)))
    tensors = bu.Quantized(heatmaps, 0.25, draw(st.sampled_from([0, 1]))), bu.Quantized(tags, 0.5, 2)
    if draw(st.booleans()):
        tensors = tuple(tensor.dequantize() for tensor in tensors)
    return bu.TagFields(*tensors, 4, skeleton=TRIO, negated=draw(st.sampled_from([False, False, True])))


@pytest.mark.parametrize("name", DECODERS)
@given(fields=quantised_fields())
@settings(deadline=None, max_examples=60)
def test_kernels_equal_the_definition(name, fields):
    decoder = DECODERS[name]
    assert_same(decoder.decode(fields), reference.decode(fields, decoder))


@pytest.mark.parametrize("name", DECODERS)
@pytest.mark.parametrize("quantized", [False, True], ids=["float32", "uint8"])
@pytest.mark.parametrize("tag_size", [1, 2])
@pytest.mark.slow
def test_kernels_equal_the_definition_on_a_crowd(name, quantized, tag_size):
    poses = bu.synthetic.random_poses(9, (192, 160), seed=3, overlapping=True)
    fields = bu.synthetic.tag_fields(poses, (192, 160), tag_distance=0.8, tag_size=tag_size, quantized=quantized)
    if not quantized:
        generator = np.random.default_rng(5)
        noise = generator.normal(0, 0.02, fields.heatmaps.shape), generator.normal(0, 0.2, fields.tags.shape)
        fields = bu.TagFields(fields.heatmaps + noise[0], fields.tags + noise[1])
    expected = reference.decode(fields, DECODERS[name])
    assert len(expected) > 1
    assert_same(DECODERS[name].decode(fields), expected)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e30])
@pytest.mark.parametrize("name", DECODERS)
def test_kernels_equal_the_definition_on_broken_maps(name, value):
    generator = np.random.default_rng(4)
    for _ in range(5):
        heatmaps, tags = generator.uniform(0, 1, (6, 7, 3)), generator.normal(0, 1, (6, 7, 3))
        heatmaps[generator.random(heatmaps.shape) < 0.1] = value
        tags[generator.random(tags.shape) < 0.1] = value
        fields = bu.TagFields(heatmaps, tags, skeleton=TRIO)
        assert_same(DECODERS[name].decode(fields), reference.decode(fields, DECODERS[name]))


def test_the_definition_says_what_it_takes():
    fields = bu.TagFields(np.zeros((4, 5, 17)), np.zeros((4, 5, 17)))
    with pytest.raises(bu.InputError, match="fields must be TagFields, got None"):
        reference.decode(None, bu.TagDecoder())
    with pytest.raises(bu.InputError, match=r"decoder must be a tag decoder, as TagDecoder\(\)"):
        reference.decode(fields, bu.PafDecoder())
