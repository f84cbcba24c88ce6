"""What the outputs of a network are: recognised once, by shapes, names and what the file says."""

import numpy as np
import pytest

import bottomup as bu
from bottomup.errors import ModelError
from bottomup.family import Clues
from bottomup.posenet.family import POSENET
from bottomup.posenet.layout import OperatorLayout, PoseNetLayout, recognise
from bottomup.tensors import TensorInfo

SHAPES = {"heat": (1, 31, 41, 17), "short": (1, 31, 41, 34), "mid": (1, 31, 41, 64)}
SIZE = bu.ImageSize(641, 481)


def clues_of(shapes=SHAPES, dtype=np.float32, scale=0.0, zero_point=0, **rest):
    infos = tuple(TensorInfo(name, shape, np.dtype(dtype), scale, zero_point) for name, shape in shapes.items())
    return Clues(infos, **{"input_size": SIZE, **rest})


def outputs_of(shapes=SHAPES):
    return {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}


def test_a_posenet_is_recognised_by_its_channels():
    layout = recognise(clues_of())
    assert isinstance(layout, PoseNetLayout)
    assert (layout.skeleton, layout.output_stride, layout.logits) == (bu.COCO17, 16, True)
    fields = layout.read(outputs_of(), SIZE)
    assert (fields.grid, fields.output_stride, fields.shift) == ((31, 41), 16, (0, 0))


def test_a_layout_that_was_found_once_reads_inputs_of_other_sizes():
    layout = recognise(clues_of())
    outputs = {name: values[:, :16, :21] for name, values in outputs_of().items()}
    assert layout.read(outputs, bu.ImageSize(321, 241)).output_stride == 16


def test_sizes_that_are_left_open_are_no_obstacle():
    layout = recognise(clues_of({name: (1, -1, -1, shape[3]) for name, shape in SHAPES.items()}, input_size=None))
    assert layout.output_stride is None
    assert layout.read(outputs_of(), SIZE).output_stride == 16


def test_outputs_of_another_network_are_none_of_ours():
    assert recognise(clues_of({"scores": (1, 1000)})) is None
    assert recognise(clues_of({"heat": (1, 46, 54, 19), "pafs": (1, 46, 54, 38)})) is None


def test_an_output_that_is_missing_later_is_named():
    layout = recognise(clues_of())
    with pytest.raises(bu.InputError, match="output 'mid' is missing, got 'heat', 'short'"):
        layout.read({name: values for name, values in outputs_of().items() if name != "mid"}, SIZE)


@pytest.mark.parametrize(
    ("said", "logits"),
    [
        ({}, True),
        ({"logits": False}, False),
        ({"producers": {"heat": "LOGISTIC"}}, False),
        ({"producers": {"heat": "Sigmoid"}}, False),
        ({"producers": {"heat": "LOGISTIC"}, "logits": True}, True),
        ({"dtype": np.uint8, "scale": 1 / 255, "zero_point": 0}, False),
        ({"dtype": np.int8, "scale": 1 / 256, "zero_point": -128}, False),
        ({"dtype": np.uint8, "scale": 0.047, "zero_point": 128}, True),
        ({"values": outputs_of()}, False),
        ({"values": {**outputs_of(), "heat": np.full(SHAPES["heat"], -2.0)}}, True),
        ({"values": outputs_of(), "logits": True}, True),
    ],
    ids=str,
)
def test_whether_heatmaps_are_logits_is_decided_when_the_network_is_loaded(said, logits):
    layout = recognise(clues_of(**said))
    assert layout.logits is logits
    assert layout.read(outputs_of(), SIZE).logits is logits


def test_where_the_graph_says_that_cells_lie_there_the_fields_do():
    layout = recognise(clues_of(cell_shift=lambda name, size: (size.width % 16, 7.5) if name == "heat" else None))
    assert layout.read(outputs_of(), SIZE).shift == (1, 7.5)
    unknown = recognise(clues_of(cell_shift=lambda name, size: None))
    assert unknown.read(outputs_of(), SIZE).shift == (0, 0)


def test_legal_sizes_are_whole_strides_and_one_or_the_files_own():
    layout = recognise(clues_of(input_size=bu.ImageSize(641, 481)))
    assert layout.legal_size((640, 479)) == (641, 465)
    assert layout.legal_size((641, 481)) == (641, 481)
    assert layout.legal_size((650, 500)) == (641, 497)
    own = recognise(clues_of({name: (1, 32, 32, shape[3]) for name, shape in SHAPES.items()}, input_size=(512, 512)))
    assert own.legal_size(bu.ImageSize(512, 512)) == (512, 512)


def test_the_files_decoder_has_the_files_options():
    options = {"output_stride": 16, "max_poses": 7, "score_threshold": 0.3, "nms_radius": 12.0}
    layout = recognise(clues_of(options=options))
    assert layout.file_decoder() == bu.PoseNetDecoder.coral(max_poses=7, score_threshold=0.3, nms_radius=12.0)
    assert layout.best_decoder() == bu.PoseNetDecoder()
    assert recognise(clues_of()).file_decoder() is None


def test_finished_answers_are_poses():
    shapes = {"poses": (1, 3, 17, 2), "keypoints": (1, 3, 17), "scores": (1, 3), "count": (1,)}
    layout = recognise(clues_of(shapes))
    assert isinstance(layout, OperatorLayout)
    assert layout.best_decoder() is None
    poses = layout.read({**outputs_of(shapes), "count": np.float32([2])}, SIZE)
    assert len(poses) == 2


def test_two_tensors_that_could_be_the_same_are_asked_about():
    with pytest.raises(ModelError, match="are the short offsets, which the long ones"):
        recognise(
            clues_of({"heat": (1, 31, 41, 17), "a": (1, 31, 41, 34), "b": (1, 31, 41, 34), "mid": (1, 31, 41, 64)})
        )


@pytest.mark.parametrize("stride", [8, 16, 32])
def test_raw_tensors_of_people_tell_their_stride(stride):
    people = bu.synthetic.random_poses(2, (257, 257), seed=1)
    fields = bu.synthetic.posenet_fields(people, (257, 257), output_stride=stride, quantized=True)
    values = {"heat": fields.heatmaps, "short": fields.offsets, "mid": fields._mid_offsets}
    shapes = {name: field.shape for name, field in values.items()}
    layout = recognise(clues_of(shapes, input_size=None, values=values))
    assert layout.output_stride == stride
    assert layout.read(values, None).output_stride == stride
    told = recognise(clues_of(shapes, input_size=None, values=values, output_stride=4.0))
    assert told.read(values, None).output_stride == 4


def test_tensors_that_tell_no_stride_need_one():
    values = outputs_of()
    layout = recognise(clues_of(input_size=None, values=values))
    with pytest.raises(bu.InputError, match="output_stride must be given where input_size is not"):
        layout.read(values, None)


def test_the_family_lists_its_decoders_best_first():
    assert list(POSENET.decoders) == ["best", "coral", "tfjs", "tfjs_single", "personlab"]
    for quantized in (False, True):
        fields = POSENET.example(quantized)
        for make in POSENET.decoders.values():
            assert isinstance(make(), POSENET.decoder_types)
        assert (make().decode(fields).scores > 0.3).sum() == 1
    assert POSENET.layers(fields, POSENET.decoders["best"]()).family == "posenet"


# Where cells lie


@pytest.mark.parametrize("name", POSENET.decoders)
def test_a_shift_moves_poses_and_nothing_else(name):
    fields = POSENET.example(False)
    moved = bu.PoseNetFields.from_mid_offsets(
        fields.heatmaps, fields.offsets, fields._mid_offsets, output_stride=16, shift=(15, 8.5)
    )
    decoder = POSENET.decoders[name]()
    poses, shifted = decoder.decode(fields), decoder.decode(moved)
    np.testing.assert_allclose(shifted.xy, poses.xy + (15, 8.5), atol=1e-4)
    np.testing.assert_array_equal(shifted.scores, poses.scores)
    together = decoder.decode_batch([moved] * 17)
    np.testing.assert_array_equal(together[3].keypoints, shifted.keypoints)
    from bottomup.posenet import reference

    np.testing.assert_allclose(reference.decode(moved, decoder).keypoints, shifted.keypoints, rtol=1e-5, atol=1e-4)
