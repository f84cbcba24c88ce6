"""Model files: read, checked, cut where a family asks for it, written anew for the runtime.

A damaged model file must raise `ModelError`; inside a runtime it could end
the process. So no runtime sees the original file. We unpack it with TFLite's
own schema, check its contents (`validate`) and pack it again: all offsets and
lengths that the runtime gets are ours.
"""

from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from bottomup.errors import InputError, ModelError
from bottomup.family import Cut, GraphView, Operator
from bottomup.geometry import ImageSize
from bottomup.networks.cells import first_cells
from bottomup.networks.kinds import kind_of
from bottomup.networks.naming import aliases
from bottomup.networks.network import ImageAxes, image_axes
from bottomup.networks.tflite.resizing import FixedResizes
from bottomup.networks.tflite.schema import CUSTOM, builtin_code, numbers, operator_names, pack, text, unpack
from bottomup.networks.tflite.steps import CONVOLUTIONS, steps
from bottomup.networks.tflite.validate import DTYPES, problems
from bottomup.tensors import TensorInfo

#: Operators that change how numbers are stored, not their values.
PASSING = ("CAST", "DEQUANTIZE", "QUANTIZE", "RESHAPE", "TRANSPOSE")

__all__ = ["TfliteGraph", "read_graph"]


class TfliteGraph:
    """A model that was read and checked; a `bottomup.family.GraphView`.

    Attributes
    ----------
    path : Path
        The file that it came from.
    operators : tuple of Operator
        In the order they run.
    tensors : tuple of TensorInfo
        By number; their names are the file's.
    inputs, outputs : tuple of int
        Numbers of tensors; `outputs` those after the cut.
    output_names : tuple of str
        Names of the outputs: the cut's, else those of the model's signature where it has one, else the tensors'.
    options : dict
        Settings of the decoder that was cut off.
    """

    def __init__(self, path: Path, model: Any) -> None:
        self.path, self._model = path, model
        self._signature = _signature_names(model)
        self.tensors = tuple(_tensor_info(tensor) for tensor in model.subgraphs[0].tensors)
        self.options: Mapping[str, Any] = {}
        self._look_up(None)
        self._resizes = FixedResizes(model)

    @property
    def content(self) -> bytes:
        """The model as a runtime gets it."""
        return pack(self._model)

    @cached_property
    def axes(self) -> ImageAxes:
        """The order of axes of the only input; `ModelError` if it is not an image."""
        return image_axes([self.tensors[number].shape for number in self.inputs], self.path)

    @cached_property
    def input_size(self) -> ImageSize | None:
        """Width and height of the input; None where they are left open, as -1 or as one pixel."""
        return self.axes.size_of(self.tensors[self.inputs[0]].shape)

    @property
    def custom_operators(self) -> tuple[str, ...]:
        """Names of the operators that the schema does not know."""
        graph = self._model.subgraphs[0]
        custom = [op for op in graph.operators if builtin_code(self._model.operatorCodes[op.opcodeIndex]) == CUSTOM]
        return tuple(sorted({text(self._model.operatorCodes[op.opcodeIndex].customCode) for op in custom}))

    @property
    def producers(self) -> dict[str, str]:
        """Name of the operator that computes each output."""
        makers = {number: operator for operator in self.operators for number in operator.outputs}
        found = {}
        for number, name in zip(self.outputs, self.output_names, strict=True):
            operator = makers.get(number)
            while operator is not None and operator.name in PASSING:
                operator = makers.get(operator.inputs[0])
            if operator is not None:
                found[name] = operator.name
        return found

    @property
    def aliases(self) -> dict[str, str]:
        """Descriptive names for outputs whose own names say nothing, from the weights they are computed with."""
        makers = {number: operator for operator in self.operators for number in operator.outputs}
        candidates = {}
        for number, name in zip(self.outputs, self.output_names, strict=True):
            candidates[name], operator = [self.tensors[number].name], makers.get(number)
            while operator is not None and operator.name in (*PASSING, "CONCATENATION", "LOGISTIC"):
                candidates[name].append(self.tensors[operator.inputs[0]].name)
                operator = makers.get(operator.inputs[0])
            if operator is not None and operator.name in CONVOLUTIONS:
                candidates[name] += [self.tensors[weights].name for weights in operator.inputs[1:] if weights >= 0]
        return aliases(candidates)

    @property
    def fixes_resizes(self) -> bool:
        """Whether the file holds sizes of resized maps as constants, which depend on the input size."""
        return bool(self._resizes) and self.input_size is not None

    def for_size(self, size: ImageSize) -> bytes:
        """Return the model as a runtime gets it, with sizes of resized maps scaled to an input size."""
        if self.input_size is not None:
            self._resizes.scale(self.input_size, size)
        return self.content

    def bound_to(self, size: ImageSize) -> bytes:
        """Return the model with a fixed input size, for runtimes that do not read signatures."""
        image = self._model.subgraphs[0].tensors[self.inputs[0]]
        shape, signature = image.shape, image.shapeSignature
        image.shape, image.shapeSignature = self.axes.shape(size.height, size.width), None
        try:
            return self.for_size(size)
        finally:
            image.shape, image.shapeSignature = shape, signature

    def cell_shift(self, output: str, size: ImageSize) -> tuple[float, float] | None:
        """Return x and y, in input pixels, of the centre of an output's first cell at an input size."""
        if output not in self.output_names or self.axes.channels_first:
            return None
        number = self.outputs[self.output_names.index(output)]
        found = first_cells(steps(self._model, self.operators), self.inputs[0], size)
        return found.get(number)

    def cut(self, cut: Cut) -> None:
        """End the graph where a family asks for it; operators that no longer lead to an output are dropped."""
        computed = {number for operator in self.operators for number in operator.outputs}
        if not cut.outputs or not set(cut.outputs) <= computed or len(set(cut.outputs)) != len(cut.outputs):
            raise ModelError(f"{self.path} cannot be cut at tensors {list(cut.outputs)}: it does not compute them all")
        if cut.names is not None and len(cut.names) != len(cut.outputs):
            raise InputError(f"a cut at {len(cut.outputs)} tensors must name as many, got {list(cut.names)}")
        graph, needed, kept = self._model.subgraphs[0], set(cut.outputs), []
        for operator in reversed(graph.operators):
            if needed & set(numbers(operator.outputs)):
                kept.append(operator)
                needed |= set(numbers(operator.inputs))
        graph.operators, graph.outputs = kept[::-1], list(cut.outputs)
        self.options = dict(cut.options)
        self._look_up(cut.names)

    def _look_up(self, names: tuple[str, ...] | None) -> None:
        """Look up the operators, inputs and outputs."""
        graph = self._model.subgraphs[0]
        self.operators = tuple(_operator(operator, self._model) for operator in graph.operators)
        self.inputs, self.outputs = tuple(numbers(graph.inputs)), tuple(numbers(graph.outputs))
        own = [self._signature.get(number) or self.tensors[number].name for number in self.outputs]
        self.output_names = _unique(list(names or own))


def read_graph(
    path: str | Path, cut: Callable[[GraphView], Cut | None] | None = None, *, trusted: bool = False
) -> TfliteGraph:
    """Read a .tflite file, check it, and cut it where `cut` says.

    Signatures and metadata are dropped once their names are read.

    Raises
    ------
    ModelError
        If there is no such file, or it is damaged.
    MissingRuntimeError
        If TFLite's schema is not installed.
    """
    if kind_of(path) != "tflite":
        raise ModelError(f"{path} is not a TFLite model: bottomup.load finds the runtime for it")
    path = Path(path)
    model = unpack(path.read_bytes(), path)
    problem = None if trusted else next(problems(model), None)
    if problem is not None:
        raise ModelError(f"{path} is damaged or of a kind that Bottomup does not run: {problem}")
    graph = TfliteGraph(path, model)
    try:
        asked = None if cut is None else cut(graph)
    except ModelError as error:
        raise ModelError(f"{path} cannot be cut: {error}") from error
    if asked is not None:
        graph.cut(asked)
    return graph


def _operator(operator: Any, model: Any) -> Operator:
    """Return our description of the schema's operator."""
    code = model.operatorCodes[operator.opcodeIndex]
    number = builtin_code(code)
    name = text(code.customCode) if number == CUSTOM else operator_names().get(number, f"operator {number}")
    options = b"" if operator.customOptions is None else bytes(operator.customOptions)
    return Operator(name, tuple(numbers(operator.inputs)), tuple(numbers(operator.outputs)), options)


def _tensor_info(tensor: Any) -> TensorInfo:
    """Return the file's description of a tensor."""
    shape, signature = numbers(tensor.shape), numbers(tensor.shapeSignature)
    scale, zero_point = _quantization(tensor)
    return TensorInfo(text(tensor.name), tuple(signature or shape), DTYPES[tensor.type], scale, zero_point)


def _quantization(tensor: Any) -> tuple[float, int]:
    """Return scale and zero point of an 8-bit tensor; 0 and 0 for other types and for scales per channel."""
    if tensor.quantization is None or DTYPES[tensor.type] not in (np.uint8, np.int8):
        return 0.0, 0
    scales, zeros = tensor.quantization.scale, tensor.quantization.zeroPoint
    if scales is None or len(scales) != 1:
        return 0.0, 0
    return float(scales[0]), 0 if zeros is None or len(zeros) == 0 else int(zeros[0])


def _signature_names(model: Any) -> dict[int, str]:
    """Return the names that the model's only signature gives to tensors, by tensor number."""
    signatures = model.signatureDefs or []
    if len(signatures) != 1:
        return {}
    return {int(output.tensorIndex): text(output.name) for output in signatures[0].outputs or []}


def _unique(names: list[str]) -> tuple[str, ...]:
    """Make names unique: repeats get a number."""
    return tuple(name if name not in names[:at] else f"{name}#{at}" for at, name in enumerate(names))
