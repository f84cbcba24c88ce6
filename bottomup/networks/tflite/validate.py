"""Checks of a model file, so that no runtime reads beyond its memory."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from bottomup.networks.tflite.operators import RULES, Tensor, operator_problems
from bottomup.networks.tflite.schema import CUSTOM, builtin_code, numbers, operator_names
from bottomup.networks.tflite.shapes import made_shapes

__all__ = ["CONVOLUTIONS", "DTYPES", "MAX_BYTES", "MAX_ELEMENTS", "MAX_MULTIPLIER", "MAX_RANK", "UNKNOWN", "problems"]

#: How messages end for operators without a rule.
UNKNOWN = "which Bottomup does not know: pass trusted=True if you trust the file's authors"

MAX_RANK = 8
MAX_ELEMENTS = 1 << 28  # more than any image network of 64 megapixels needs
#: The tensor types that networks of images use, by the schema's number.
DTYPES = {
    number: np.dtype(name)
    for number, name in enumerate(["float32", "float16", "int32", "uint8", "int64", "O", "bool", "int16", "O", "int8"])
    if name != "O"
}
#: Bytes of all computed tensors together; runtimes hold only some at a time.
MAX_BYTES = 1 << 31
#: Which inputs of a convolution are its image and weights.
CONVOLUTIONS = {"CONV_2D": (0, 1), "DEPTHWISE_CONV_2D": (0, 1), "FULLY_CONNECTED": (0, 1), "TRANSPOSE_CONV": (2, 1)}
#: From here on XNNPACK refuses to requantise a convolution, and frees its memory twice.
MAX_MULTIPLIER = 256
#: Largest input scale of other operators, relative to the output scale; beyond it some runtimes end the process.
MAX_RATIO = 1 << 16


def problems(model: Any) -> Iterator[str]:
    """Yield what is wrong with an unpacked model, worst first; nothing if it is safe to run.

    Later checks rely on earlier ones: stop at the first problem.
    """
    if model.version != 3:
        yield f"schema version {model.version}, not 3"
    if len(model.subgraphs or []) != 1:
        yield f"{len(model.subgraphs or [])} subgraphs, not one"
    graph = model.subgraphs[0]
    if not model.operatorCodes or not graph.tensors or not graph.operators or not model.buffers:
        yield "no tensors, operators or buffers"
    for number, buffer in enumerate(model.buffers):
        if buffer is None or buffer.offset or buffer.size:
            yield f"buffer {number} lies outside the flatbuffer"
    if model.buffers[0].data is not None and len(model.buffers[0].data):
        yield "buffer 0 must be empty, but holds data"
    for number, code in enumerate(model.operatorCodes):
        if code is None or builtin_code(code) < 0 or code.version < 1:
            yield f"operator code {number} is invalid"
    for number, tensor in enumerate(graph.tensors):
        yield from (f"tensor {number} {reason}" for reason in _tensor_problems(tensor, model.buffers))
    yield from _wiring_problems(model, graph)


def _tensor_problems(tensor: Any, buffers: list[Any]) -> Iterator[str]:
    if tensor is None:
        yield "is missing"
    if tensor.type not in DTYPES:
        yield f"has type {tensor.type}, which no image network uses"
    if tensor.sparsity is not None or tensor.variantTensors or tensor.isVariable or tensor.externalBuffer:
        yield "is sparse, variable, variant or external"
    shape = numbers(tensor.shape)
    signature = shape if tensor.shapeSignature is None else numbers(tensor.shapeSignature)
    if len(shape) > MAX_RANK or any(size < 0 for size in shape):
        yield f"has shape {shape}"
    if math.prod(shape) > MAX_ELEMENTS:
        yield f"has shape {shape}, more than {MAX_ELEMENTS} elements"
    fits = len(signature) == len(shape) and all(size in (-1, own) for size, own in zip(signature, shape, strict=True))
    if signature and not fits:
        yield f"has shape {shape} but signature {signature}"
    if not 0 <= tensor.buffer < len(buffers):
        yield f"has buffer {tensor.buffer} of {len(buffers)}"
    data = buffers[tensor.buffer].data
    if data is not None and len(data) and len(data) != math.prod(shape) * DTYPES[tensor.type].itemsize:
        yield f"of shape {shape} and type {tensor.type} has {len(data)} bytes of data"
    if tensor.quantization is not None:
        yield from _quantization_problems(
            tensor.quantization, DTYPES[tensor.type], shape, _has_data(buffers[tensor.buffer])
        )


def _quantization_problems(quantization: Any, dtype: np.dtype[Any], shape: list[int], constant: bool) -> Iterator[str]:
    if quantization.details is not None or quantization.detailsType:
        yield "has custom quantisation"
    scale = np.asarray([] if quantization.scale is None else quantization.scale)
    zero = np.asarray([] if quantization.zeroPoint is None else quantization.zeroPoint)
    axis = quantization.quantizedDimension
    if len(scale) == 0 and len(zero) == 0:
        return
    counts_fit = len(scale) in (1, *shape[axis : axis + 1]) and len(zero) in (1, len(scale))
    if not counts_fit or not 0 <= axis < max(len(shape), 1):
        yield f"has {len(scale)} scales and {len(zero)} zero points along axis {axis} of shape {shape}"
    if dtype.kind not in "iu":
        return
    lowest = 0 if constant else 1e-20  # channels of nothing but zeros may have a scale of 0
    if not ((scale >= lowest) & (scale < 1e20)).all():
        yield "has an impossible scale"
    limits = np.iinfo(dtype)
    if (zero < limits.min).any() or (zero > limits.max).any():
        yield "has a zero point outside its type"


def _wiring_problems(model: Any, graph: Any) -> Iterator[str]:
    count = len(graph.tensors)
    inputs, outputs = numbers(graph.inputs), numbers(graph.outputs)
    if not inputs or not outputs or not all(0 <= index < count for index in inputs + outputs):
        yield f"inputs {inputs} and outputs {outputs} of {count} tensors"
    if len(set(inputs)) != len(inputs) or len(set(outputs)) != len(outputs):
        yield f"inputs {inputs} or outputs {outputs} repeat"
    constant = {number for number, tensor in enumerate(graph.tensors) if _has_data(model.buffers[tensor.buffer])}
    if constant & set(inputs):
        yield f"inputs {inputs} are constants"
    known = constant | set(inputs)
    shapes = {number: tuple(numbers(graph.tensors[number].shape)) for number in known}
    shapes = {number: shape for number, shape in shapes.items() if number in constant or not _is_open(graph, number)}
    for number, operator in enumerate(graph.operators):
        if operator is None or not 0 <= operator.opcodeIndex < len(model.operatorCodes):
            yield f"operator {number} is of no known code"
        reads, writes = numbers(operator.inputs), numbers(operator.outputs)
        if not all(index in known or index == -1 for index in reads):
            yield f"operator {number} reads tensors {reads}, some before they are computed"
        if not all(0 <= index < count and index not in known for index in writes) or len(set(writes)) != len(writes):
            yield f"operator {number} writes tensors {writes}, some of which it must not write"
        if numbers(operator.intermediates) or operator.largeCustomOptionsOffset or operator.largeCustomOptionsSize:
            yield f"operator {number} keeps data outside the graph"
        code = builtin_code(model.operatorCodes[operator.opcodeIndex])
        if code != CUSTOM:  # custom ones that no family cuts off are refused by name, unless a delegate runs them
            name = operator_names().get(code, f"of code {code}")
            if name not in RULES:
                yield f"operator {number} is {name}, {UNKNOWN}"
            yield from (
                f"operator {number} ({name}) {reason}" for reason in _one_problems(name, operator, model, shapes)
            )
        known |= set(writes)
    if not set(outputs) <= known:
        yield f"outputs {outputs}, some of them never computed"
    total = 0
    for number, tensor in enumerate(graph.tensors):
        if number not in constant:
            elements = max(math.prod(numbers(tensor.shape)), math.prod(shapes.get(number, ())))
            if elements > MAX_ELEMENTS:
                yield f"tensor {number} has more than {MAX_ELEMENTS} elements"
            total += elements * DTYPES[tensor.type].itemsize
    if total > MAX_BYTES:
        yield f"its tensors take {total} bytes together, more than {MAX_BYTES}"


def _one_problems(name: str, operator: Any, model: Any, shapes: dict[int, tuple[int, ...]]) -> Iterator[str]:
    """Yield what is wrong with one operator; record its output shapes where they are known."""
    tensors, buffers = model.subgraphs[0].tensors, model.buffers
    reads, writes = numbers(operator.inputs), numbers(operator.outputs)
    views = [None if index < 0 else _view(tensors[index], buffers) for index in reads]
    made = [_view(tensors[index], buffers) for index in writes]
    yield from operator_problems(name, operator.builtinOptions, views, made)
    if all(index in shapes for index in reads if index >= 0):
        given = [shapes.get(index, ()) for index in reads]
        constants = [None if index < 0 else _whole_numbers(tensors[index], buffers) for index in reads]
        declared = [tuple(numbers(tensors[index].shape)) for index in writes]
        try:
            found = made_shapes(name, operator.builtinOptions, given, constants, declared)
        except ValueError as error:
            yield str(error)
            return
        shapes |= {index: shape for index, shape in zip(writes, found, strict=True) if shape is not None}
    if name in CONVOLUTIONS:
        image, weights = CONVOLUTIONS[name]
        image_scale, weight_scale, scale = (
            _largest_scale(tensors[index]) for index in (reads[image], reads[weights], writes[0])
        )
        if image_scale * weight_scale >= MAX_MULTIPLIER * scale > 0:
            yield f"multiplies by {image_scale * weight_scale / scale}"
    elif RULES[name].is_arithmetic and reads and writes:
        largest, scale = (
            max(_largest_scale(tensors[index]) for index in reads if index >= 0),
            _largest_scale(tensors[writes[0]]),
        )
        if largest >= MAX_RATIO * scale > 0:
            yield f"converts a scale of {largest} to one of {scale}"


def _is_open(graph: Any, number: int) -> bool:
    """Tell whether a tensor's size is left open, as -1 or as an image of one pixel."""
    tensor = graph.tensors[number]
    return -1 in numbers(tensor.shapeSignature) or numbers(tensor.shape)[1:3] == [1, 1]


def _view(tensor: Any, buffers: list[Any]) -> Tensor:
    """Return what checks of operators look at in a tensor."""
    scale = None if tensor.quantization is None else tensor.quantization.scale
    return Tensor(DTYPES[tensor.type], _has_data(buffers[tensor.buffer]), 0 if scale is None else len(scale))


def _whole_numbers(tensor: Any, buffers: list[Any]) -> tuple[int, ...] | None:
    """Return the integers of a small constant."""
    data, dtype = buffers[tensor.buffer].data, DTYPES[tensor.type]
    if data is None or not len(data) or dtype not in (np.int32, np.int64) or len(data) > 1 << 10:
        return None
    return tuple(np.frombuffer(bytes(data), dtype.newbyteorder("<")).tolist())


def _largest_scale(tensor: Any) -> float:
    """Return a tensor's largest scale, 0 for one that is not quantised."""
    scale = None if tensor.quantization is None else tensor.quantization.scale
    return 0.0 if scale is None or len(scale) == 0 else float(np.max(scale))


def _has_data(buffer: Any) -> bool:
    return buffer.data is not None and len(buffer.data) > 0
