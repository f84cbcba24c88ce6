"""Damage to small .onnx files."""

import random

from tiny_onnx import BODYPOSENET, LIGHTWEIGHT, OPENPOSE, TRT_POSE, tiny_onnx

KINDS = ["Abs", "Concat", "Conv", "ConvTranspose", "Gather", "MaxPool", "Pad", "Reshape", "Resize", "Slice", "Softmax"]
NUMBERS = [-1, 0, 1, 2, 3, 7, 65536, 2**31 - 1, 2**62]


def onnx_file(seed):
    """Return a damaged file, the same for a seed everywhere."""
    source = random.Random(seed)
    heads = source.choice([TRT_POSE, LIGHTWEIGHT, OPENPOSE, BODYPOSENET])
    model = tiny_onnx(heads, is_open=source.random() < 0.3, channels_last=source.random() < 0.3)
    for _ in range(source.choice([0, 1, 1, 2, 3])):
        source.choice([_spoil_node, _spoil_attribute, _spoil_tensor, _spoil_value])(model.graph, source)
    content = bytearray(model.SerializeToString())
    for _ in range(source.choice([0, 0, 1, 3])):
        content[source.randrange(len(content))] ^= 1 << source.randrange(8)
    if source.random() < 0.05:
        del content[source.randrange(len(content)) :]
    return bytes(content)


def _spoil_node(graph, source):
    node = source.choice(graph.node)
    kind, names = source.randrange(4), [name for each in graph.node for name in (*each.input, *each.output)]
    if kind == 0:
        node.op_type = source.choice(KINDS)
    elif kind == 1:
        node.input[source.randrange(len(node.input))] = source.choice([*names, ""])
    elif kind == 2:
        node.input.append(source.choice(names))
    else:
        del node.input[source.randrange(len(node.input)) :]


def _spoil_attribute(graph, source):
    node = source.choice(graph.node)
    if not node.attribute:
        return
    attribute = source.choice(node.attribute)
    if attribute.ints:
        attribute.ints[source.randrange(len(attribute.ints))] = source.choice(NUMBERS)
        if source.random() < 0.2:
            attribute.ints.append(1)
    attribute.name = source.choice([attribute.name] * 4 + ["group", "kernel_shape", "axis"])


def _spoil_tensor(graph, source):
    tensor = source.choice(graph.initializer)
    kind = source.randrange(3)
    if kind == 0:
        tensor.dims[source.randrange(len(tensor.dims))] = source.choice(NUMBERS)
    elif kind == 1:
        tensor.data_type = source.randrange(0, 24)
    else:
        tensor.raw_data = tensor.raw_data[: source.randrange(len(tensor.raw_data))]


def _spoil_value(graph, source):
    value = source.choice([*graph.input, *graph.output])
    dims = value.type.tensor_type.shape.dim
    if source.random() < 0.3 or not dims:
        value.type.tensor_type.elem_type = source.randrange(0, 24)
    else:
        dims[source.randrange(len(dims))].dim_value = source.choice(NUMBERS)
