"""Outputs without names: what the graph says of them."""

import numpy as np
import pytest
from tiny_posenet import TinyPoseNet

import bottomup as bu
from bottomup.networks.naming import aliases, telling
from bottomup.networks.opening import open_network

BODYPIX = {
    "float_heatmaps": 17,
    "float_short_offsets": 34,
    "displacement_fwd": 32,
    "displacement_bwd": 32,
    "float_long_offsets": 34,
    "float_segments": 1,
}


def unnamed(path, weights_tell=True):
    """Write a network whose outputs are Identity, Identity_1, ..., as TensorFlow's converter calls them."""
    net = TinyPoseNet("float32", channels=BODYPIX)
    for number, output in enumerate(net.graph.outputs):
        operator = next(op for op in net.graph.operators if output in op.outputs)
        name = net.graph.tensors[output].name.decode()
        net.graph.tensors[output].name = b"Identity" if number == 0 else b"Identity_%d" % number
        for weights, what in zip(operator.inputs[1:], ("Conv2D", "BiasAdd"), strict=True):
            told = f"model/{name}/{what}" if weights_tell else f"model/conv2d_{number}/{what}"
            net.graph.tensors[weights].name = told.encode()
    return net.write(path)


@pytest.mark.parametrize(
    "name",
    [
        "Identity",
        "Identity_12",
        "StatefulPartitionedCall:3",
        "PartitionedCall_1",
        "output_0",
        "407",
        "conv2d_7/BiasAdd",
    ],
)
def test_names_that_say_nothing(name):
    assert telling([name]) is None


@pytest.mark.parametrize("name", ["heatmaps", "float_short_offsets", "offset_2/BiasAdd", "Mconv7_stage2_L1"])
def test_names_that_say_something(name):
    assert telling(["Identity", name]) == name


def test_a_name_that_two_outputs_share_tells_neither():
    assert aliases({"Identity": ["backbone"], "Identity_1": ["backbone"], "Identity_2": ["pafs"]}) == {
        "Identity_2": "pafs"
    }
    assert aliases({"Identity": ["heatmaps"], "heatmaps": ["weights"]}) == {}


def test_weights_tell_what_unnamed_outputs_are(tmp_path, runtime):
    network = open_network(unnamed(tmp_path / "net.tflite"), runtime=runtime)
    assert network.outputs[1].name == "Identity_1"
    assert network.aliases["Identity_1"] == "model/float_short_offsets/Conv2D"
    assert network.aliases["Identity_3"] == "model/displacement_bwd/Conv2D"


def test_outputs_that_the_graph_names_need_no_question(tmp_path):
    estimator = bu.load(unnamed(tmp_path / "net.tflite"))
    image = np.zeros((49, 65, 3), np.uint8)
    assert estimator.fields(image).long_offsets is not None


def test_outputs_that_nothing_names_are_asked_for_and_may_be_told(tmp_path):
    path = unnamed(tmp_path / "net.tflite", weights_tell=False)
    with pytest.raises(bu.ModelError, match="Identity_1"):
        bu.load(path)
    told = {"Identity_1": "short_offsets", "Identity_4": "long_offsets"}
    told |= {"Identity_2": "displacement_fwd", "Identity_3": "displacement_bwd"}
    assert bu.load(path, outputs=told).fields(np.zeros((49, 65, 3), np.uint8)).long_offsets is not None


def test_an_input_of_one_pixel_without_a_signature_is_open(tmp_path, runtime):
    net = TinyPoseNet("float32")
    net.graph.tensors[0].shape = [1, 1, 1, 3]
    for output in net.graph.outputs:
        net.graph.tensors[output].shape = [1, 1, 1, net.graph.tensors[output].shape[3]]
    path = net.write(tmp_path / "open.tflite")
    assert bu.load(path, runtime=runtime).input_size == (641, 481)
    assert bu.load(path, runtime=runtime, input_size=(650, 490)).output_stride == 16
