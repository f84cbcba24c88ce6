"""The operators that Bottomup runs, and the rules for each: numbers and types of tensors, options."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

__all__ = ["RULES", "Rule", "operator_problems"]


class Rule(NamedTuple):
    """What an operator reads and writes, and the class of its options.

    Each letter is a tensor: `v` values, all of one type; `f` weights; `c` a
    bias; `n` constant integers; `i` integers; `b` booleans; `x` anything.
    `+` repeats the letter before it, `?` makes it optional.
    """

    reads: str
    writes: str
    options: str  #: empty where the schema has none
    needs_options: bool
    is_arithmetic: bool  #: whether 8-bit values need a scale


#: name, what it reads > what it writes, class of its options (! if required, * if it only moves values)
_TABLE = """
ABS                       v > v        Abs
ADD                       vv > v       Add!
ARG_MAX                   xn > i       ArgMax!*
ARG_MIN                   xn > i       ArgMin!*
AVERAGE_POOL_2D           v > v        Pool2D!
BATCH_MATMUL              vv > v       BatchMatMul!
BROADCAST_TO              vi > v       BroadcastTo*
CAST                      x > x        Cast*
CEIL                      v > v        -
CONCATENATION             v+ > v       Concatenation!
CONV_2D                   vfc > v      Conv2D!
COS                       v > v        Cos
DEPTHWISE_CONV_2D         vfc > v      DepthwiseConv2D!
DEPTH_TO_SPACE            v > v        DepthToSpace!*
DEQUANTIZE                x > x        Dequantize
DIV                       vv > v       Div!
ELU                       v > v        -
EQUAL                     vv > b       Equal*
EXP                       v > v        Exp
EXPAND_DIMS               vn > v       ExpandDims*
FILL                      iv > v       Fill*
FLOOR                     v > v        -
FLOOR_DIV                 vv > v       FloorDiv
FLOOR_MOD                 vv > v       FloorMod
FULLY_CONNECTED           vfc? > v     FullyConnected!
GATHER                    vi > v       Gather!*
GATHER_ND                 vi > v       GatherNd*
GELU                      v > v        Gelu!
GREATER                   vv > b       Greater
GREATER_EQUAL             vv > b       GreaterEqual
HARD_SWISH                v > v        HardSwish
L2_NORMALIZATION          v > v        L2Norm
L2_POOL_2D                v > v        Pool2D!
LEAKY_RELU                v > v        LeakyRelu!
LESS                      vv > b       Less
LESS_EQUAL                vv > b       LessEqual
LOG                       v > v        -
LOGICAL_AND               bb > b       LogicalAnd*
LOGICAL_NOT               b > b        LogicalNot*
LOGICAL_OR                bb > b       LogicalOr*
LOGISTIC                  v > v        -
LOG_SOFTMAX               v > v        LogSoftmax
MAXIMUM                   vv > v       MaximumMinimum
MAX_POOL_2D               v > v        Pool2D!
MEAN                      vn > v       Reducer!
MINIMUM                   vv > v       MaximumMinimum
MIRROR_PAD                vn > v       MirrorPad!
MUL                       vv > v       Mul!
NEG                       v > v        Neg
NOT_EQUAL                 vv > b       NotEqual*
PACK                      v+ > v       Pack!*
PAD                       vn > v       Pad
PADV2                     vnv > v      PadV2
POW                       vv > v       Pow
PRELU                     vv > v       -
QUANTIZE                  x > x        Quantize
RANGE                     vvv > v      Range*
REDUCE_MAX                vn > v       Reducer!
REDUCE_MIN                vn > v       Reducer!
REDUCE_PROD               vn > v       Reducer!
RELU                      v > v        -
RELU6                     v > v        -
RELU_N1_TO_1              v > v        -
RESHAPE                   vi? > v      Reshape*
RESIZE_BILINEAR           vi > v       ResizeBilinear!
RESIZE_NEAREST_NEIGHBOR   vi > v       ResizeNearestNeighbor!
ROUND                     v > v        -
RSQRT                     v > v        -
SELECT                    bvv > v      Select*
SELECT_V2                 bvv > v      SelectV2*
SHAPE                     x > i        Shape!*
SIN                       v > v        -
SLICE                     vnn > v      Slice*
SOFTMAX                   v > v        Softmax!
SPACE_TO_DEPTH            v > v        SpaceToDepth!*
SPLIT                     nv > v+      Split!*
SPLIT_V                   vnn > v+     SplitV!*
SQRT                      v > v        -
SQUARE                    v > v        Square
SQUARED_DIFFERENCE        vv > v       SquaredDifference
SQUEEZE                   v > v        Squeeze!*
STRIDED_SLICE             viii > v     StridedSlice!*
SUB                       vv > v       Sub!
SUM                       vn > v       Reducer!
TANH                      v > v        -
TILE                      vi > v       Tile*
TOPK_V2                   vi > vi      TopKV2*
TRANSPOSE                 vn > v       Transpose*
TRANSPOSE_CONV            nfvc? > v    TransposeConv!
UNPACK                    v > v+       Unpack!*
ZEROS_LIKE                v > v        ZerosLike*
"""


def _rule(line: str) -> tuple[str, Rule]:
    name, reads, _, writes, options = line.split()
    kind = options.rstrip("!*")
    return name, Rule(
        reads, writes, "" if kind == "-" else f"{kind}OptionsT", "!" in options, not options.endswith("*")
    )


RULES = dict(map(_rule, _TABLE.strip().splitlines()))
#: Bounds of options, in any operator; fused activations 0 to 3 are none, ReLU, ReLU -1..1 and ReLU6.
BOUNDS = {
    "fusedActivationFunction": (0, 3),
    "padding": (0, 1),
    "mode": (0, 1),
    "weightsFormat": (0, 0),
    "axis": (-8, 8),
    "batchDims": (0, 8),
    "blockSize": (2, 64),
    "depthMultiplier": (0, 1 << 15),
    **dict.fromkeys(("strideW", "strideH", "filterWidth", "filterHeight"), (1, 1 << 15)),
    **dict.fromkeys(("dilationWFactor", "dilationHFactor"), (1, 1 << 15)),
}
#: Options that must equal the number of tensors written.
COUNTS = {"SPLIT": "numSplits", "SPLIT_V": "numSplits", "UNPACK": "num"}
#: Types of integers, and of quantised values.
WHOLE = (np.dtype(np.int32), np.dtype(np.int64))
EIGHT_BITS = (np.dtype(np.uint8), np.dtype(np.int8))


class Tensor(NamedTuple):
    """What checks of operators look at in a tensor."""

    dtype: np.dtype[Any]
    is_constant: bool
    scales: int  #: how many there are


def operator_problems(
    name: str, options: Any, reads: Sequence[Tensor | None], writes: Sequence[Tensor]
) -> Iterator[str]:
    """Yield how an operator breaks its rule; None stands for an input that is left out."""
    rule = RULES[name]
    if options is None:
        if rule.needs_options:
            yield f"lacks its options, {rule.options}"
    elif type(options).__name__ != rule.options:
        yield f"has the options of another operator, {type(options).__name__}"
    for field, (low, high) in BOUNDS.items():
        value = getattr(options, field, low)
        if not low <= value <= high:
            yield f"has {field} {value}, outside {low} to {high}"
    for field, value in vars(options).items() if options is not None else ():
        if isinstance(value, float) and not np.isfinite(value):
            yield f"has {field} {value}"
    count = COUNTS.get(name)
    if count is not None and getattr(options, count) != len(writes):
        yield f"has {count} {getattr(options, count)} but writes {len(writes)} tensors"
    if name == "PACK" and options.valuesCount != len(reads):
        yield f"has valuesCount {options.valuesCount} but reads {len(reads)} tensors"
    for letters, tensors, what, side in (
        (rule.reads, reads, "reads", "input"),
        (rule.writes, writes, "writes", "output"),
    ):
        wanted = _spelled(letters, len(tensors))
        if wanted is None:
            yield f"{what} {len(tensors)} tensors, too few or too many"
            return
        for place, (letter, tensor) in enumerate(zip(wanted, tensors, strict=True)):
            yield from (f"has {side} {place} {reason}" for reason in _tensor_problems(letter, tensor))
    yield from _type_problems(rule, _spelled(rule.reads, len(reads)) or "", reads, writes)


def _spelled(letters: str, count: int) -> str | None:
    """Return a letter for each of `count` tensors; None if they are too few or too many."""
    if letters.endswith("+"):
        return letters[:-1] + letters[-2] * (count - len(letters) + 1) if count >= len(letters) - 1 else None
    least, most = len(letters.replace("?", "")) - letters.count("?"), len(letters.replace("?", ""))
    return letters.replace("?", "")[:count] if least <= count <= most else None


def _tensor_problems(letter: str, tensor: Tensor | None) -> Iterator[str]:
    if tensor is None:
        if letter != "c":
            yield "left out"
    elif letter in "ni":
        if tensor.dtype not in WHOLE:
            yield f"of {tensor.dtype}, not integers"
        if letter == "n" and not tensor.is_constant:
            yield "computed, not a constant"
    elif letter == "b" and tensor.dtype != np.bool_:
        yield f"of {tensor.dtype}, not booleans"
    elif letter == "c" and tensor.dtype not in (np.float32, np.int32, np.int64):
        yield f"of {tensor.dtype}, which no bias has"
    elif letter == "f" and tensor.dtype not in (np.float32, *EIGHT_BITS):
        yield f"of {tensor.dtype}, which no weights have"


def _type_problems(rule: Rule, letters: str, reads: Sequence[Tensor | None], writes: Sequence[Tensor]) -> Iterator[str]:
    values = [tensor for letter, tensor in zip(letters, reads, strict=True) if letter == "v" and tensor is not None]
    values += writes if rule.writes[0] == "v" and rule.writes != "vi" else writes[:1] if rule.writes[0] == "v" else []
    types = {tensor.dtype for tensor in values}
    if len(types) > 1:
        yield f"mixes values of {' and '.join(sorted(map(str, types)))}"
    if rule.is_arithmetic and any(
        tensor.dtype in EIGHT_BITS and tensor.scales != 1
        for tensor in [*values, *(writes if "v" in rule.writes else [])]
    ):
        yield "computes with 8-bit values that have no scale, or several"
