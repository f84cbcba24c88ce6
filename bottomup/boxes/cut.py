"""Where a TFLite file of YOLOv8-pose or YOLO11-pose is cut: before it decodes boxes and parts in its own 8 bits."""

from bottomup.boxes.form import NUM_BINS
from bottomup.boxes.grid import STRIDES, grid_shape
from bottomup.family import Cut, GraphView, Operator
from bottomup.geometry import ImageSize

__all__ = ["cut_heads"]

#: Operators that change no number, through which a head's values come from its last convolution.
_CARRIERS = frozenset({"CONCATENATION", "DEQUANTIZE", "QUANTIZE", "RESHAPE", "TRANSPOSE"})


def cut_heads(graph: GraphView) -> Cut | None:
    """Return where the heads of all grids are joined, of a graph that ends in one tensor of rows; None of others.

    The heads are concatenations of one tensor a stride, (1, 64 + C, R) and (1, 3N, R) or with rows first, whose
    values come straight from convolutions; in files of later exports boxes and classes are apart.
    """
    if len(graph.inputs) != 1 or len(graph.outputs) != 1:
        return None
    shape = graph.tensors[graph.inputs[0]].shape
    output = graph.tensors[graph.outputs[0]].shape
    if len(shape) != 4 or shape[3] != 3 or len(output) != 3 or min(*shape, *output) < 1:
        return None
    counts = _row_counts(ImageSize(shape[2], shape[1]))
    by_output = {number: operator for operator in graph.operators for number in operator.outputs}
    heads: dict[int, int] = {}  # number of values a row -> tensor
    for operator in graph.operators:
        num_values = _joined_values(operator, graph, counts)
        if num_values and operator.outputs[0] not in graph.outputs and _is_raw(operator, by_output):
            heads.setdefault(num_values, operator.outputs[0])
    bins = 4 * NUM_BINS
    for first in heads:
        for parts in heads.keys() - {first}:
            if first > bins and 4 + first - bins + parts in output:
                return Cut((heads[first], heads[parts]), ("boxes_and_classes", "keypoints"))
            if bins in heads and bins not in (first, parts) and 4 + first + parts in output and first < parts:
                return Cut((heads[bins], heads[first], heads[parts]), ("boxes", "classes", "keypoints"))
    return None


def _row_counts(size: ImageSize) -> list[list[int]]:
    """Return the numbers of cells of an input's grids, finest first, of all strides that networks have."""
    shapes = ([grid_shape(size, stride) for stride in strides] for strides in STRIDES)
    return [[height * width for height, width in each] for each in shapes]


def _joined_values(operator: Operator, graph: GraphView, counts: list[list[int]]) -> int:
    """Return how many values a row has of an operator that joins the rows of all grids, 0 of others."""
    if operator.name != "CONCATENATION":
        return 0
    shapes = [graph.tensors[number].shape for number in operator.inputs if number >= 0]
    if any(len(shape) != 3 or shape[0] != 1 for shape in shapes):
        return 0
    for rows, values in ((2, 1), (1, 2)):
        if [shape[rows] for shape in shapes] in counts and len({shape[values] for shape in shapes}) == 1:
            return int(shapes[0][values])
    return 0


def _is_raw(operator: Operator, by_output: dict[int, Operator]) -> bool:
    """Tell whether all that an operator joins comes from convolutions, its values unchanged."""
    waiting = list(operator.inputs)
    seen: set[int] = set()
    while waiting:
        number = waiting.pop()
        if number in seen or number not in by_output:  # constants, as shapes, come from no operator
            continue
        seen.add(number)
        source = by_output[number]
        if source.name == "CONV_2D":
            continue
        if source.name not in _CARRIERS:
            return False
        waiting += source.inputs
    return bool(seen)
