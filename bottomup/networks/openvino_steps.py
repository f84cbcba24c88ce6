"""Operators of an OpenVINO model as steps that move a grid, rows and columns on axes 2 and 3."""

from collections.abc import Iterator
from typing import Any

from bottomup.networks.cells import Change, Resample, Step, Window

__all__ = ["CONVOLUTIONS", "IN_PLACE", "POOLS", "producer", "steps"]

#: Operators that leave every cell in its place.
_NAMES = """
Abs Add BatchNormInference Ceiling Clamp Concat Convert Divide Elu Erf Exp FakeQuantize Floor Gelu HSigmoid HSwish
HardSigmoid LRN LeakyRelu Log MVN Maximum Minimum Mish Multiply Negative NormalizeL2 PReLU Power ReLU Relu Selu Sigmoid
SoftMax SoftPlus Softmax Split Sqrt SquaredDifference Subtract Swish Tanh VariadicSplit
"""
IN_PLACE = frozenset(_NAMES.split())
CONVOLUTIONS = ("Convolution", "GroupConvolution", "ConvolutionBackpropData", "GroupConvolutionBackpropData")
POOLS = ("MaxPool", "AvgPool")


def steps(model: Any) -> Iterator[Step]:
    """Yield the operators that keep or move a grid, by friendly names; others end its path."""
    for node in model.get_ordered_ops():
        kind, name = node.get_type_name(), node.get_friendly_name()
        reads = tuple(value.get_node().get_friendly_name() for value in node.input_values())
        if kind in IN_PLACE:
            yield Step(reads, (name,))
            continue
        changes = _changes(node, kind)
        if changes is not None:
            yield Step(reads[:1], (name,), *changes)


def producer(output: Any) -> str:
    """Return the name of the operator that computes an output, past conversions."""
    node = output.get_node().input_value(0).get_node()
    while node.get_type_name() == "Convert":
        node = node.input_value(0).get_node()
    name: str = node.get_type_name()
    return {"Sigmoid": "LOGISTIC"}.get(name, name.upper())


def _changes(node: Any, kind: str) -> tuple[Change, Change] | None:
    """Return what an operator does along rows and columns; None if that is unknown."""
    attributes = node.get_attributes()
    if kind in CONVOLUTIONS or kind in POOLS:
        sizes = list(attributes["kernel"] if kind in POOLS else node.input_value(1).get_shape())[-2:]
        begins, ends = list(attributes["pads_begin"]), list(attributes["pads_end"])
        strides, dilations = list(attributes["strides"]), list(attributes.get("dilations", [1, 1]))
        if len(strides) != 2 or attributes.get("auto_pad") == "same_lower":
            return None
        same, transposed = attributes.get("auto_pad") == "same_upper", "Backprop" in kind
        rows, columns = (
            Window(size, stride, dilation, before, after, same, transposed)
            for size, stride, dilation, before, after in zip(sizes, strides, dilations, begins, ends, strict=True)
        )
        return rows, columns
    if kind == "Pad":
        pads = [_constant(node.input_value(number)) for number in (1, 2)]
        if pads[0] is not None and pads[1] is not None and len(pads[0]) == 4:
            return Window(before=pads[0][2], after=pads[1][2]), Window(before=pads[0][3], after=pads[1][3])
    if kind == "Interpolate":
        return _resamples(node, attributes.get("coordinate_transformation_mode", "half_pixel"))
    return None


def _resamples(node: Any, mode: str) -> tuple[Change, Change] | None:
    """Return what a resize does."""
    shapes = [value.get_partial_shape() for value in (node.input_value(0), node.output(0))]
    if any(shape.rank.is_dynamic or len(shape) != 4 or shape[2].is_dynamic or shape[3].is_dynamic for shape in shapes):
        return None
    if mode not in ("half_pixel", "pytorch_half_pixel", "asymmetric", "align_corners"):
        return None
    (given_rows, given_columns), (rows, columns) = ((shape[2].get_length(), shape[3].get_length()) for shape in shapes)
    kind = "half_pixel" in mode, mode == "align_corners"
    return Resample(given_rows, rows, *kind), Resample(given_columns, columns, *kind)


def _constant(value: Any) -> list[int] | None:
    """Return the integers of a constant; None if it is not one."""
    node = value.get_node()
    return [int(number) for number in node.get_vector()] if node.get_type_name() == "Constant" else None
