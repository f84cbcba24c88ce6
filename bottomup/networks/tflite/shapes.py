"""The output shapes of operators, whatever a file declares: bounding them bounds what a runtime allocates."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

__all__ = ["made_shapes"]

Shape: TypeAlias = tuple[int, ...]
#: The integers of a constant; None for a computed tensor.
Constant: TypeAlias = tuple[int, ...] | None

IN_PLACE = frozenset(
    [
        "ABS", "CAST", "CEIL", "COS", "DEQUANTIZE", "ELU", "EXP", "FLOOR", "GELU", "HARD_SWISH", "L2_NORMALIZATION",
        "LEAKY_RELU", "LOG", "LOGICAL_NOT", "LOGISTIC", "LOG_SOFTMAX", "NEG", "QUANTIZE", "RELU", "RELU6",
        "RELU_N1_TO_1", "ROUND", "RSQRT", "SIN", "SOFTMAX", "SQRT", "SQUARE", "TANH", "ZEROS_LIKE",
    ]
)  # fmt: skip
BROADCAST = frozenset(
    [
        "ADD", "DIV", "EQUAL", "FLOOR_DIV", "FLOOR_MOD", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL",
        "LOGICAL_AND", "LOGICAL_OR", "MAXIMUM", "MINIMUM", "MUL", "NOT_EQUAL", "POW", "PRELU", "SELECT", "SELECT_V2",
        "SQUARED_DIFFERENCE", "SUB",
    ]
)  # fmt: skip
#: The output shape of operators that cannot read their inputs.
IMPOSSIBLE: Shape = (-1,)
#: Operators that move every element to another place.
MOVED = frozenset(["DEPTH_TO_SPACE", "EXPAND_DIMS", "RESHAPE", "SPACE_TO_DEPTH", "SQUEEZE"])
#: Operators that make no tensor larger than the one they read.
SHRINKING = frozenset(["ARG_MAX", "ARG_MIN", "SPLIT_V", "STRIDED_SLICE", "UNPACK"])


def made_shapes(
    name: str, options: Any, reads: Sequence[Shape], constants: Sequence[Constant], declared: Sequence[Shape]
) -> list[Shape | None]:
    """Return an operator's output shapes, whatever the file declares; None for unknown ones.

    Parameters
    ----------
    name : str
        As in the schema.
    options : object
        The schema's object.
    reads : sequence of tuple of int
        Shapes of its inputs; empty where one is left out.
    constants : sequence of tuple of int or None
        The integers of inputs that are constants.
    declared : sequence of tuple of int
        Output shapes in the file.

    Raises
    ------
    ValueError
        If the operator cannot read such inputs.
    """
    made = _made(name, options, reads, constants)
    if made is not None and min(made, default=1) < 1:
        raise ValueError(f"cannot read tensors of shapes {list(reads)}")
    if made is not None:
        return [made]
    elements = [math.prod(shape) for shape in declared]
    fits = name in MOVED and elements[0] == math.prod(reads[0])
    fits = fits or (name in SHRINKING and max(elements) <= math.prod(reads[0]))
    fits = fits or (name == "SPLIT" and sum(elements) == math.prod(reads[1]))
    return list(declared) if fits else [None] * len(declared)


def _made(name: str, options: Any, reads: Sequence[Shape], constants: Sequence[Constant]) -> Shape | None:
    """Return an operator's output shape; None if that is unknown."""
    if name in IN_PLACE:
        return reads[0]
    if name in BROADCAST:
        try:
            return np.broadcast_shapes(*reads)
        except ValueError:
            return IMPOSSIBLE
    maker = _MAKERS.get(name)
    return None if maker is None else maker(options, reads, constants)


def _windows(options: Any, image: Shape, window: Sequence[int], channels: int) -> Shape:
    """Return what a convolution or pool makes."""
    strides = options.strideH, options.strideW
    dilations = getattr(options, "dilationHFactor", 1), getattr(options, "dilationWFactor", 1)
    sides = []
    for side, size, stride, dilation in zip(image[1:3], window, strides, dilations, strict=True):
        reach = (size - 1) * dilation + 1
        sides.append(-(-side // stride) if options.padding == 0 else (side - reach) // stride + 1)
    return (image[0], *sides, channels)


def _convolution(options: Any, reads: Sequence[Shape], constants: Sequence[Constant]) -> Shape:
    image, weights = reads[:2]
    if len(image) != 4 or len(weights) != 4 or image[3] % max(weights[3], 1) or weights[3] < 1:
        return IMPOSSIBLE
    if len(reads) > 2 and reads[2] not in ((), (weights[0],)):
        return IMPOSSIBLE
    return _windows(options, image, weights[1:3], weights[0])


def _depthwise(options: Any, reads: Sequence[Shape], constants: Sequence[Constant]) -> Shape:
    image, weights = reads[:2]
    if len(image) != 4 or len(weights) != 4 or weights[0] != 1 or image[3] < 1 or weights[3] % image[3]:
        return IMPOSSIBLE
    if options.depthMultiplier not in (0, weights[3] // image[3]) or (reads[2] not in ((), (weights[3],))):
        return IMPOSSIBLE
    return _windows(options, image, weights[1:3], weights[3])


def _pool(options: Any, reads: Sequence[Shape], constants: Sequence[Constant]) -> Shape:
    image = reads[0]
    return (
        _windows(options, image, (options.filterHeight, options.filterWidth), image[3])
        if len(image) == 4
        else IMPOSSIBLE
    )


def _transposed(options: Any, reads: Sequence[Shape], constants: Sequence[Constant]) -> Shape:
    size, weights, image = constants[0], reads[1], reads[2]
    right = size is not None and len(size) == len(weights) == len(image) == 4 and min(size) > 0
    if size is None or not right or size[3] != weights[0] or image[3] != weights[3] or size[0] != image[0]:
        return IMPOSSIBLE
    back = _windows(options, size, weights[1:3], image[3])
    return size if back == image else IMPOSSIBLE


def _padded(options: Any, reads: Sequence[Shape], constants: Sequence[Constant]) -> Shape:
    pads = constants[1]
    if pads is None or len(pads) != 2 * len(reads[0]) or min(pads, default=0) < 0:
        return IMPOSSIBLE
    return tuple(side + pads[2 * axis] + pads[2 * axis + 1] for axis, side in enumerate(reads[0]))


def _resized(options: Any, reads: Sequence[Shape], constants: Sequence[Constant]) -> Shape | None:
    if len(reads[0]) != 4:
        return IMPOSSIBLE
    size = constants[1]
    return (
        None if size is None else (reads[0][0], *size, reads[0][3]) if len(size) == 2 and min(size) > 0 else IMPOSSIBLE
    )


def _joined(options: Any, reads: Sequence[Shape], constants: Sequence[Constant]) -> Shape:
    first, axis = reads[0], options.axis + (len(reads[0]) if options.axis < 0 else 0)
    others = {shape[:axis] + shape[axis + 1 :] for shape in reads}
    if not 0 <= axis < len(first) or any(len(shape) != len(first) for shape in reads) or len(others) != 1:
        return IMPOSSIBLE
    return (*first[:axis], sum(shape[axis] for shape in reads), *first[axis + 1 :])


def _packed(options: Any, reads: Sequence[Shape], constants: Sequence[Constant]) -> Shape:
    first, axis = reads[0], options.axis + (len(reads[0]) + 1 if options.axis < 0 else 0)
    if not 0 <= axis <= len(first) or set(reads) != {first}:
        return IMPOSSIBLE
    return (*first[:axis], len(reads), *first[axis:])


def _tiled(options: Any, reads: Sequence[Shape], constants: Sequence[Constant]) -> Shape | None:
    times = constants[1]
    if times is None:
        return None
    if len(times) != len(reads[0]) or min(times, default=1) < 0:
        return IMPOSSIBLE
    return tuple(side * count for side, count in zip(reads[0], times, strict=True))


def _filled(options: Any, reads: Sequence[Shape], constants: Sequence[Constant]) -> Shape | None:
    return constants[0]


def _spread(options: Any, reads: Sequence[Shape], constants: Sequence[Constant]) -> Shape | None:
    return constants[1]


def _connected(options: Any, reads: Sequence[Shape], constants: Sequence[Constant]) -> Shape | None:
    image, weights = reads[:2]
    if len(weights) != 2 or weights[1] < 1 or math.prod(image) % weights[1]:
        return IMPOSSIBLE
    if len(reads) > 2 and reads[2] not in ((), (weights[0],)):
        return IMPOSSIBLE
    if options.keepNumDims:
        return (*image[:-1], weights[0]) if image and image[-1] == weights[1] else IMPOSSIBLE
    return (math.prod(image) // weights[1], weights[0])


def _multiplied(options: Any, reads: Sequence[Shape], constants: Sequence[Constant]) -> Shape:
    left, right = reads
    if min(len(left), len(right)) < 2:
        return IMPOSSIBLE
    (rows, inner), (other, columns) = (
        (shape[-1], shape[-2]) if turned else (shape[-2], shape[-1])
        for shape, turned in ((left, options.adjX), (right, options.adjY))
    )
    try:
        batch = np.broadcast_shapes(left[:-2], right[:-2])
    except ValueError:
        return IMPOSSIBLE
    return (*batch, rows, columns) if inner == other else IMPOSSIBLE


def _gathered(options: Any, reads: Sequence[Shape], constants: Sequence[Constant]) -> Shape:
    given, places = reads
    axis, batch = options.axis + (len(given) if options.axis < 0 else 0), options.batchDims
    if not 0 <= batch <= axis < len(given) or batch > len(places) or given[:batch] != places[:batch]:
        return IMPOSSIBLE
    return (*given[:axis], *places[batch:], *given[axis + 1 :])


def _gathered_nd(options: Any, reads: Sequence[Shape], constants: Sequence[Constant]) -> Shape:
    given, places = reads
    if not places or not 1 <= places[-1] <= len(given):
        return IMPOSSIBLE
    return (*places[:-1], *given[places[-1] :])


def _turned(options: Any, reads: Sequence[Shape], constants: Sequence[Constant]) -> Shape:
    order = constants[1]
    if order is None or sorted(order) != list(range(len(reads[0]))):
        return IMPOSSIBLE
    return tuple(reads[0][axis] for axis in order)


def _sliced(options: Any, reads: Sequence[Shape], constants: Sequence[Constant]) -> Shape:
    begins, sizes = constants[1:3]
    if begins is None or sizes is None or not len(begins) == len(sizes) == len(reads[0]):
        return IMPOSSIBLE
    made = tuple(
        side - start if size == -1 else size for side, start, size in zip(reads[0], begins, sizes, strict=True)
    )
    inside = all(
        start >= 0 and 1 <= size <= side - start for side, start, size in zip(reads[0], begins, made, strict=True)
    )
    return made if inside else IMPOSSIBLE


def _reduced(options: Any, reads: Sequence[Shape], constants: Sequence[Constant]) -> Shape:
    rank, axes = len(reads[0]), constants[1]
    if axes is None or not all(-rank <= axis < rank for axis in axes):
        return IMPOSSIBLE
    gone = {axis % rank for axis in axes}
    if options.keepDims:
        return tuple(1 if axis in gone else side for axis, side in enumerate(reads[0]))
    return tuple(side for axis, side in enumerate(reads[0]) if axis not in gone)


_MAKERS: Mapping[str, Callable[[Any, Sequence[Shape], Sequence[Constant]], Shape | None]] = {
    "AVERAGE_POOL_2D": _pool,
    "BATCH_MATMUL": _multiplied,
    "BROADCAST_TO": _spread,
    "CONCATENATION": _joined,
    "CONV_2D": _convolution,
    "DEPTHWISE_CONV_2D": _depthwise,
    "FILL": _filled,
    "FULLY_CONNECTED": _connected,
    "GATHER": _gathered,
    "GATHER_ND": _gathered_nd,
    "L2_POOL_2D": _pool,
    "MAX_POOL_2D": _pool,
    "MIRROR_PAD": _padded,
    "PACK": _packed,
    "PAD": _padded,
    "PADV2": _padded,
    "RESIZE_BILINEAR": _resized,
    "RESIZE_NEAREST_NEIGHBOR": _resized,
    "TILE": _tiled,
    "SLICE": _sliced,
    "TRANSPOSE": _turned,
    "TRANSPOSE_CONV": _transposed,
    **dict.fromkeys(("MEAN", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_PROD", "SUM"), _reduced),
}
