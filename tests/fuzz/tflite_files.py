"""Small .tflite files, one an operator, and damage to them."""

import random

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from tiny_posenet import TinyPoseNet

from bottomup.networks.tflite.operators import RULES
from bottomup.networks.tflite.validate import DTYPES

GRID = (1, 4, 5, 17)
#: Constants that operators read, in their order, where zeros would not do.
CONSTANTS = {
    "ARG_MAX": [3],
    "ARG_MIN": [3],
    "BROADCAST_TO": [[2, 4, 5, 17]],
    "EXPAND_DIMS": [0],
    "FILL": [[1, 4, 5, 17]],
    "GATHER": [[0, 2]],
    "GATHER_ND": [[[0, 1], [0, 2]]],
    "MEAN": [[1, 2]],
    "MIRROR_PAD": [[[0, 0], [1, 1], [1, 2], [0, 0]]],
    "PAD": [[[0, 0], [1, 1], [1, 2], [0, 0]]],
    "PADV2": [[[0, 0], [1, 1], [1, 2], [0, 0]]],
    "RESHAPE": [[1, 20, 17]],
    "RESIZE_BILINEAR": [[8, 10]],
    "RESIZE_NEAREST_NEIGHBOR": [[8, 10]],
    "SLICE": [[0, 1, 1, 0], [1, 2, 3, 17]],
    "SPLIT": [2],
    "SPLIT_V": [[2, 3], 2],
    "STRIDED_SLICE": [[0, 0, 0, 0], [1, 4, 5, 17], [1, 2, 1, 3]],
    "SUM": [[3]],
    "TILE": [[1, 2, 1, 1]],
    "TOPK_V2": [3],
    "TRANSPOSE": [[0, 2, 1, 3]],
    "TRANSPOSE_CONV": [[1, 8, 10, 3]],
} | {f"REDUCE_{name}": [[1, 2]] for name in ("MAX", "MIN", "PROD")}
#: What is written where the rule says several.
OUTPUTS = {"SPLIT": 5, "SPLIT_V": 2, "UNPACK": 4}
OPTIONS = {
    "adjY": True,
    "blockSize": 2,
    "numSplits": 5,
    "num": 4,
    "axis": 1,
    "valuesCount": 2,
    "depthMultiplier": 1,
    "outType": 2,
} | {name: 2 for name in ("strideW", "strideH", "filterWidth", "filterHeight", "outputType")}
NUMBERS = [-1, 0, 1, 2, 3, 7, 255, 65536, 2**31 - 1, -(2**31)]


def file_with(name, dtype, rng):
    """Return a network that computes on with one operator."""
    net = TinyPoseNet(dtype)
    rule, held = RULES[name], list(CONSTANTS.get(name, []))
    letters = rule.reads.replace("?", "")
    letters = letters[:-1] + letters[-2] if letters.endswith("+") else letters
    heads = [net.graph.outputs[0], net.tensor("twin", GRID, net.dtype, 0.05)]
    net.operator(schema.BuiltinOperator.RELU, [heads[0]], [heads[1]])
    reads, values = [], 0
    for letter in letters:
        if letter in "ni" and held:
            reads.append(net.tensor("numbers", np.shape(held[0]), "int32", None, np.array(held.pop(0), "i4")))
        elif name in ("FILL", "RANGE") or (name, len(reads)) == ("PADV2", 2):
            reads.append(net.tensor("scalar", [], net.dtype, 0.05, np.array([0, 5, 1][values % 3])))
            values += 1
        elif letter in "vx":
            reads.append(heads[values % 2])
            values += 1
        elif letter == "b":
            truths = net.tensor("truths", GRID, "float32")
            net.graph.tensors[truths].type = 6
            net.operator(schema.BuiltinOperator.GREATER, heads, [truths])
            reads.append(truths)
        elif letter == "f":
            shape = {"DEPTHWISE_CONV_2D": (1, 3, 3, 17), "FULLY_CONNECTED": (6, 17)}.get(name, (3, 3, 3, 17))
            reads.append(net.tensor("filter", shape, net.dtype, 0.02, rng.integers(0, 100, shape)))
        elif letter == "c":
            count = net.graph.tensors[reads[1]].shape[-1 if name == "DEPTHWISE_CONV_2D" else 0]
            kind = "float32" if net.zero is None else "int32"
            reads.append(net.tensor("bias", [count], kind, 0.001, np.zeros(count), 0))
    if name == "SPLIT_V":
        OPTIONS["numSplits"] = 2
    writes = [net.tensor(f"made_{at}", GRID, net.dtype, 0.05) for at in range(OUTPUTS.get(name, len(rule.writes)))]
    if rule.writes == "b":
        net.graph.tensors[writes[0]].type = 6
    if rule.writes in ("i", "vi"):
        net.graph.tensors[writes[-1]].type, net.graph.tensors[writes[-1]].quantization = 2, None
    if name == "DEQUANTIZE":
        net.graph.tensors[writes[0]].type, net.graph.tensors[writes[0]].quantization = 0, None
    if name in ("SOFTMAX", "LOGISTIC", "LOG_SOFTMAX", "TANH") and net.dtype == np.int8:
        net.graph.tensors[writes[0]].quantization.scale = np.array([1 / 256], np.float32)
        net.graph.tensors[writes[0]].quantization.zeroPoint = np.array([-128])
    operator = net.operator(getattr(schema.BuiltinOperator, name), reads, writes)
    for used in net.graph.operators[3:]:
        net.model.operatorCodes[used.opcodeIndex].version = int(rng.integers(1, 4))
    if rule.options:
        options = getattr(schema, rule.options)()
        for field in vars(options):
            if field in OPTIONS:
                setattr(options, field, 2 if field == "numSplits" and name == "SPLIT_V" else OPTIONS[field])
        operator.builtinOptions = options
        operator.builtinOptionsType = getattr(schema.BuiltinOptions, rule.options.removesuffix("T"))
    net.graph.outputs = [*net.graph.outputs, *writes]
    return net


def damaged(net, source):
    """Spoil a network's objects in one to three places."""
    for _ in range(source.choice([1, 1, 2, 3])):
        source.choice([_spoil_wiring, _spoil_options, _spoil_shape, _spoil_type, _spoil_units, _spoil_constant])(
            net, source
        )
    return net


def _spoil_wiring(net, source):
    operator = source.choice(net.graph.operators)
    side = source.choice(["inputs", "outputs"])
    tensors = list(getattr(operator, side))
    kind = source.randrange(5)
    if kind == 0 and tensors:
        tensors.pop(source.randrange(len(tensors)))
    elif kind == 1:
        tensors.append(source.randrange(-1, len(net.graph.tensors)))
    elif kind == 2 and tensors:
        tensors[source.randrange(len(tensors))] = source.randrange(-1, len(net.graph.tensors))
    elif kind == 3:
        code = net.model.operatorCodes[operator.opcodeIndex]
        number = getattr(schema.BuiltinOperator, source.choice(list(RULES)))
        code.builtinCode, code.deprecatedBuiltinCode = number, min(number, 127)
    else:
        net.model.operatorCodes[operator.opcodeIndex].version = source.randrange(1, 6)
    setattr(operator, side, tensors)


def _spoil_options(net, source):
    operator = source.choice(net.graph.operators)
    if source.random() < 0.3:
        kind = source.choice([None, *(rule.options for rule in RULES.values() if rule.options)])
        operator.builtinOptions = None if kind is None else getattr(schema, kind)()
        named = "NONE" if kind is None else kind.removesuffix("T")
        operator.builtinOptionsType = getattr(schema.BuiltinOptions, named)
    elif operator.builtinOptions is not None and vars(operator.builtinOptions):
        field = source.choice(list(vars(operator.builtinOptions)))
        old = getattr(operator.builtinOptions, field)
        if isinstance(old, float):
            setattr(operator.builtinOptions, field, source.choice([0.0, -1.0, float("nan"), float("inf"), 1e30]))
        elif isinstance(old, bool):
            setattr(operator.builtinOptions, field, not old)
        elif isinstance(old, int):
            setattr(operator.builtinOptions, field, source.choice([-1, 0, 1, 2, 3, 5, 17, 100]))


def _spoil_shape(net, source):
    tensor = source.choice(net.graph.tensors)
    shape = list(tensor.shape)
    kind = source.randrange(4)
    if kind == 0 and shape:
        shape[source.randrange(len(shape))] = source.choice([0, 1, 2, 3, 8, 17, 64, 4096])
    elif kind == 1:
        shape.insert(source.randrange(len(shape) + 1), source.choice([1, 2]))
    elif kind == 2 and shape:
        shape.pop(source.randrange(len(shape)))
    else:
        tensor.shapeSignature = [-1 if source.random() < 0.5 else size for size in shape]
    tensor.shape = shape
    _refill(net, tensor, source)


def _spoil_type(net, source):
    tensor = source.choice(net.graph.tensors)
    tensor.type = source.choice(list(DTYPES))
    _refill(net, tensor, source)


def _spoil_units(net, source):
    tensor = source.choice(net.graph.tensors)
    if tensor.quantization is None or source.random() < 0.3:
        tensor.quantization = source.choice([None, schema.QuantizationParametersT()])
    if tensor.quantization is not None:
        count = source.choice([0, 1, 1, len(tensor.shape) and int(tensor.shape[-1])])
        tensor.quantization.scale = np.full(count, source.choice([0.0, 1e-30, 0.01, 1e10, 3.0]), np.float32)
        tensor.quantization.zeroPoint = np.full(count, source.choice([0, 3, 128, -128, 300]), np.int64)
        tensor.quantization.quantizedDimension = source.choice([0, 0, 1, 3, 9])


def _spoil_constant(net, source):
    constants = [each for each in net.graph.tensors if each.buffer and each.type == 2]
    if constants:
        tensor = source.choice(constants)
        values = np.frombuffer(bytes(net.model.buffers[tensor.buffer].data), "i4").copy()
        if len(values):
            values[source.randrange(len(values))] = source.choice(NUMBERS)
        net.model.buffers[tensor.buffer].data = np.frombuffer(values.tobytes(), np.uint8)


def _refill(net, tensor, source):
    """Let a constant have as many bytes as its shape and type say, mostly."""
    if tensor.buffer and source.random() < 0.9:
        count = int(np.prod(tensor.shape, dtype=np.int64)) * DTYPES[tensor.type].itemsize
        if 0 < count < 1 << 20:
            net.model.buffers[tensor.buffer].data = np.resize(net.model.buffers[tensor.buffer].data, count)


def tflite_file(seed):
    """Return a damaged file, the same for a seed everywhere."""
    source = random.Random(seed)
    name = list(RULES)[seed % len(RULES)]
    net = file_with(name, source.choice(["uint8", "int8", "float32"]), np.random.default_rng(seed))
    if source.random() < 0.02:  # whole, so that the files themselves are known to be good
        return net.content()
    content = bytearray(damaged(net, source).content())
    if source.random() < 0.1:
        content[source.randrange(8, len(content))] ^= 1 << source.randrange(8)
    return bytes(content)
