"""A model's operators as steps that move a grid."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from bottomup.family import Operator
from bottomup.networks.cells import Change, Resample, Step, Window
from bottomup.networks.tflite.schema import numbers

__all__ = ["CONVOLUTIONS", "IN_PLACE", "POOLS", "steps"]

#: Operators that leave every cell in its place.
_NAMES = """
ABS ADD CAST CLIP CONCATENATION CEIL COS DEQUANTIZE DIV ELU EXP FLOOR FLOOR_DIV FLOOR_MOD GELU HARD_SWISH
L2_NORMALIZATION LEAKY_RELU LOG LOGISTIC LOG_SOFTMAX MAXIMUM MINIMUM MUL NEG POW PRELU QUANTIZE RELU RELU6
RELU_N1_TO_1 ROUND RSQRT SIN SOFTMAX SPLIT SQRT SQUARE SQUARED_DIFFERENCE SUB TANH
"""
IN_PLACE = frozenset(_NAMES.split())
POOLS = ("AVERAGE_POOL_2D", "MAX_POOL_2D", "L2_POOL_2D")
CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV")
_VALID = 1  # of the schema's Padding


def steps(model: Any, operators: Sequence[Operator]) -> Iterator[Step]:
    """Yield the operators that keep or move a grid, in the order in which they run; others end its path."""
    graph = model.subgraphs[0]
    for operator, packed in zip(operators, graph.operators, strict=True):
        if operator.name in IN_PLACE:
            yield Step(operator.inputs, operator.outputs)
            continue
        changes = _changes(operator, packed.builtinOptions, graph.tensors, model.buffers)
        if changes is not None:
            image = operator.inputs[2 if operator.name == "TRANSPOSE_CONV" else 0]
            yield Step((image,), operator.outputs, *changes)


def _changes(
    operator: Operator, options: Any, tensors: Sequence[Any], buffers: Sequence[Any]
) -> tuple[Change, Change] | None:
    """Return what an operator does along rows and columns; None if that is unknown."""
    if operator.name in CONVOLUTIONS or operator.name in POOLS:
        return _windows(operator, options, tensors)
    if operator.name in ("PAD", "PADV2", "MIRROR_PAD"):
        pads = _constant(operator.inputs[1], tensors, buffers)
        if pads is not None and len(pads) == 8:
            return Window(before=pads[2], after=pads[3]), Window(before=pads[4], after=pads[5])
    if operator.name in ("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR"):
        given, made = (numbers(tensors[number].shape) for number in (operator.inputs[0], operator.outputs[0]))
        if made[1:3] != [1, 1]:  # else the file leaves its sizes open
            rows, columns = (
                Resample(given[axis], made[axis], bool(options.halfPixelCenters), bool(options.alignCorners))
                for axis in (1, 2)
            )
            return rows, columns
    return None


def _windows(operator: Operator, options: Any, tensors: Sequence[Any]) -> tuple[Change, Change]:
    """Return the windows of a convolution or pool."""
    same, transposed = options.padding != _VALID, operator.name == "TRANSPOSE_CONV"
    if operator.name in POOLS:
        sizes = [options.filterHeight, options.filterWidth]
    else:
        sizes = numbers(tensors[operator.inputs[1]].shape)[1:3]
    rows, columns = (
        Window(size, stride, dilation, same=same, transposed=transposed)
        for size, stride, dilation in zip(sizes, (options.strideH, options.strideW), _dilations(options), strict=True)
    )
    return rows, columns


def _dilations(options: Any) -> tuple[int, int]:
    """Return the distance between a window's cells, along rows and columns."""
    return getattr(options, "dilationHFactor", 1), getattr(options, "dilationWFactor", 1)


def _constant(number: int, tensors: Sequence[Any], buffers: Sequence[Any]) -> list[int] | None:
    """Return the integers of a constant; None if the tensor is computed."""
    data = buffers[tensors[number].buffer].data
    dtype = {2: "<i4", 4: "<i8"}.get(tensors[number].type)
    return None if data is None or dtype is None else np.frombuffer(bytes(data), dtype).tolist()
