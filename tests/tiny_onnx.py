"""Small ONNX files with the heads and names of known exports, written with the package onnx."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

#: Heads of exports of this field: output name -> channels.
TRT_POSE = {"cmap": 18, "paf": 42}
LIGHTWEIGHT = {"stage_1_output_1_heatmaps": 19, "stage_1_output_0_pafs": 38}
OPENPOSE = {"net_output": 57}
BODYPOSENET = {"heatmap_out/BiasAdd:0": 19, "conv2d_transpose_1/BiasAdd:0": 38}


def tiny_onnx(heads, size=(64, 48), stride=8, channels_last=False, is_open=False, dtype="float32", sigmoid=False):
    """Return a model of one convolution of stride `stride`, padded as PyTorch does, and a 1x1 convolution a head.

    Channel 0 of the first head is the mean of the pixels' first channel
    in a cell's 3x3 window; all else is 0.
    """
    width, height = ("width", "height") if is_open else size
    kind = TensorProto.FLOAT16 if dtype == "float16" else TensorProto.FLOAT
    weights = np.zeros((4, 3, 3, 3), dtype)
    weights[0, 0] = 1 / 9
    tensors = {"stem": weights}
    nodes, stem = [], "image"
    if channels_last:
        nodes.append(helper.make_node("Transpose", ["image"], ["moved"], perm=[0, 3, 1, 2]))
        stem = "moved"
    nodes.append(helper.make_node("Conv", [stem, "stem"], ["cells"], strides=[stride] * 2, pads=[1, 1, 1, 1]))
    outputs = []
    for number, (name, channels) in enumerate(heads.items()):
        head = np.zeros((channels, 4, 1, 1), dtype)
        head[0, 0] = 1 if number == 0 else 0
        tensors[f"head_{number}"] = head
        made = f"logits_{number}" if sigmoid and number == 0 else name
        nodes.append(helper.make_node("Conv", ["cells", f"head_{number}"], [made]))
        if made != name:
            nodes.append(helper.make_node("Sigmoid", [made], [name]))
        grid = ["rows", "columns"] if is_open else [-(-height // stride), -(-width // stride)]
        outputs.append(helper.make_tensor_value_info(name, kind, [1, channels, *grid]))
    shape = [1, height, width, 3] if channels_last else [1, 3, height, width]
    inputs = [helper.make_tensor_value_info("image", kind, shape)]
    constants = [numpy_helper.from_array(values, name) for name, values in tensors.items()]
    graph = helper.make_graph(nodes, "tiny", inputs, outputs, constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def write_onnx(path, heads, **settings):
    """Write such a model."""
    onnx.save_model(tiny_onnx(heads, **settings), path)
    return path
