import numpy as np
import pytest

import bottomup as bu
from bottomup.posenet.augment import average_fields, mirror_fields

SIZE = (321, 241)
KNOWN = bu.synthetic.random_poses(2, SIZE, seed=4)


def test_mirrored_fields_give_the_mirrored_people():
    fields = bu.synthetic.posenet_fields(KNOWN, SIZE)
    poses = bu.PoseNetDecoder.coral().decode(mirror_fields(fields, SIZE[0])).mirrored(width=SIZE[0], swap_sides=True)
    expected = bu.PoseNetDecoder.coral().decode(fields)
    assert len(poses) == len(expected) == 2
    np.testing.assert_allclose(np.sort(poses.xy, axis=0), np.sort(expected.xy, axis=0), atol=0.01)


@pytest.mark.parametrize("width", [321, 320])
def test_mirroring_twice_changes_nothing(width):
    fields = bu.synthetic.posenet_fields(KNOWN, SIZE, quantized=True)
    twice = mirror_fields(mirror_fields(fields, width), width)
    np.testing.assert_allclose(twice.offsets, fields.offsets.dequantize(), atol=1e-4)
    np.testing.assert_allclose(twice.heatmaps, fields.heatmaps.dequantize())
    np.testing.assert_allclose(twice.displacements_bwd, fields.displacements_bwd.dequantize())


def test_a_mean_of_fields_lies_between_them():
    one, other = (bu.synthetic.posenet_fields(poses, SIZE) for poses in (KNOWN, KNOWN[:1]))
    mean = average_fields(one, other)
    np.testing.assert_allclose(mean.heatmaps, (one.heatmaps + other.heatmaps) / 2)


def test_fields_of_two_sizes_have_no_mean():
    one, other = (bu.synthetic.posenet_fields(KNOWN, size) for size in (SIZE, (161, 161)))
    with pytest.raises(bu.InputError, match="have no mean"):
        average_fields(one, other)


def test_mirrored_pafs_give_the_mirrored_people():
    from bottomup.paf.augment import averaged, mirrored

    known = bu.synthetic.random_poses(2, (432, 368), seed=5)
    fields = bu.synthetic.paf_fields(known, input_size=(432, 368), output_stride=8)
    decoder = bu.PafDecoder()
    expected = decoder.decode(fields)
    poses = decoder.decode(mirrored(fields)).mirrored(width=432, swap_sides=True)
    assert len(poses) == len(expected) == 2
    np.testing.assert_allclose(np.sort(poses.xy, axis=0), np.sort(expected.xy, axis=0), atol=0.05)
    twice = mirrored(mirrored(fields))
    np.testing.assert_array_equal(twice.pafs, fields.pafs)
    np.testing.assert_allclose(averaged([fields, twice]).heatmaps, fields.heatmaps)


def test_scales_that_cannot_be_are_refused():
    for scales in ((), (0,), (-1.0,), ("wide",), "wide", None):
        with pytest.raises(bu.InputError, match="scale"):
            bu.Augmentation(scales=scales)
