"""Networks of part affinity fields: recognised by their tensors, run on photos."""

import numpy as np
import pytest
from paf_scenes import assert_same, crowd

import bottomup as bu
from bottomup.paf.layout import TF_POSE_SHIFT

SIZE = (432, 368)


def read(**outputs):
    return bu.read_outputs(outputs, SIZE)


@pytest.mark.parametrize(
    ("channels", "skeleton"),
    [
        ((19, 38), bu.OPENPOSE18),
        ((18, 38), bu.OPENPOSE18),
        ((26, 52), bu.BODY25),
        ((16, 28), bu.MPI15),
        ((18, 42), bu.TRTPOSE18),
        ((57,), bu.OPENPOSE18),
        ((78,), bu.BODY25),
        ((44,), bu.MPI15),
    ],
)
def test_the_numbers_of_channels_tell_the_skeleton(channels, skeleton):
    last = {f"out{count}": np.zeros((1, 46, 54, count)) for count in channels}
    first = {name: np.moveaxis(values, -1, 1) for name, values in last.items()}
    for outputs in (last, first, dict(reversed(last.items()))):
        fields = read(**outputs)
        assert isinstance(fields, bu.PafFields)
        assert (fields.skeleton, fields.grid, fields.output_stride) == (skeleton, (46, 54), 8)


def test_a_finer_grid_of_pafs_is_bodyposenets():
    heatmaps, pafs = np.zeros((1, 36, 48, 19)), np.zeros((1, 144, 192, 38))
    fields = bu.read_outputs({"heatmap_out/BiasAdd:0": heatmaps, "conv2d_transpose_1/BiasAdd:0": pafs}, (384, 288))
    assert (fields.skeleton, fields.output_stride, fields.paf_shift) == (bu.BODYPOSE18, 8, 0.4375)


def test_outputs_of_a_trt_pose_have_a_stride_of_four():
    outputs = {"cmap": np.zeros((1, 56, 56, 18)), "paf": np.zeros((1, 56, 56, 42))}
    assert bu.read_outputs(outputs, (224, 224)).output_stride == 4


def test_a_grid_that_fits_no_stride_is_refused():
    with pytest.raises(bu.InputError, match="fit no stride of 1, 2, 4, 8, 16 or 32"):
        bu.read_outputs({"maps": np.zeros((1, 46, 54, 57))}, (400, 368))


def test_what_was_read_decodes_to_the_people_in_it():
    _, fields = crowd(3)
    maps = np.concatenate([fields.heatmaps, fields.pafs], axis=2)[None]
    decoder = bu.PafDecoder()
    assert_same(decoder.decode(bu.read_outputs({"Openpose/concat_stage7": maps}, SIZE)), decoder.decode(fields))


MODELS = [
    "mobilenet_v2_pose_dm14_368_432_weight_quant.tflite",
    "mobilenet_v2_pose_dm05_368_432_weight_quant.tflite",
    "tfpose_mobilenet_v2_small_368x432_f32.tflite",
]


@pytest.mark.parametrize("name", MODELS)
def test_the_public_models_find_people_in_photos(shared, name):
    path = shared / "models" / "paf" / name
    photos = sorted((shared / "photos" / "dev").glob("*.jpg"))[5:9]
    if not (path.is_file() and photos):
        pytest.skip("the public models and photos are not beside this checkout")
    estimator = bu.load(path)
    assert (estimator.skeleton, estimator.output_stride, estimator.input_size) == (bu.OPENPOSE18, 8, SIZE)
    assert (estimator.scaling.channel_order, estimator.scaling.scale) == ("bgr", 1)
    assert estimator.decoder == bu.PafDecoder(shift=TF_POSE_SHIFT)
    found = list(estimator.batch(photos))
    assert sum((poses.scores > 0.3).sum() for poses in found) >= 4
    for photo, poses in zip(photos, found, strict=True):
        assert poses.image_size is not None
        assert (estimator(photo).keypoints.shape) == poses.keypoints.shape


def test_an_argument_overrules_what_the_file_says(shared):
    path = shared / "models" / "paf" / MODELS[0]
    if not path.is_file():
        pytest.skip("the public models are not beside this checkout")
    estimator = bu.load(path, decoder=bu.PafDecoder.openpose(), scaling="bodyposenet", resize=bu.Stretch())
    assert estimator.scaling.scale == 1 / 256
    assert estimator.decoder == bu.PafDecoder.openpose()
    assert isinstance(estimator.resize, bu.Stretch)
