"""Reading .onnx files, checked before a runtime parses them."""

import math
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from bottomup.errors import MissingRuntimeError, ModelError
from bottomup.geometry import ImageSize
from bottomup.networks.cells import Change, Resample, Step, Window, first_cells
from bottomup.networks.naming import aliases
from bottomup.networks.network import one_line

__all__ = ["OnnxFile"]

MAX_BYTES = 1 << 30
DOMAINS = ("", "ai.onnx", "com.microsoft")
#: Operators that hold subgraphs, which the checks below do not see.
NESTED = ("If", "Loop", "Scan", "SequenceMap")
#: Operators that leave every cell in its place.
_NAMES = """
Abs Add BatchNormalization Cast Ceil Clip Concat DequantizeLinear Div Elu Erf Exp Floor Gelu HardSigmoid HardSwish
Identity InstanceNormalization LRN LeakyRelu Log Max Min Mish Mul Neg PRelu Pow QuantizeLinear Relu Selu Sigmoid Softmax
Softplus Split Sqrt Sub Tanh
"""
IN_PLACE = frozenset(_NAMES.split())
POOLS = ("MaxPool", "AveragePool")
#: Operators that change how numbers are stored, not their values.
PASSING = ("Cast", "DequantizeLinear", "Identity", "QuantizeLinear", "Transpose")


class OnnxFile:
    """An .onnx file that was read and checked.

    Attributes
    ----------
    path : Path
        The file.
    content : bytes
        The model as a runtime gets it.

    Raises
    ------
    ModelError
        If the file is damaged, keeps data in other files, or has operators that are not ONNX's.
    MissingRuntimeError
        If the package onnx is not installed.
    """

    def __init__(self, path: Path, *, trusted: bool = False) -> None:
        self.path = path
        onnx = _import_onnx()
        try:
            if path.stat().st_size > MAX_BYTES:
                raise ModelError(f"{path} has more than {MAX_BYTES} bytes: no pose network needs so many")
            self._model = onnx.load_model_from_string(path.read_bytes())
        except OSError as error:
            raise ModelError(f"model file {str(path)!r} cannot be opened: {error}") from error
        except ModelError:
            raise
        except Exception as error:
            raise ModelError(f"{path} is damaged, it cannot be read as ONNX ({one_line(error)})") from error
        problem = None if trusted else next(_problems(self._model), None)
        if problem is not None:
            raise ModelError(f"{path} is damaged or of a kind that Bottomup does not run: {problem}")
        try:
            onnx.checker.check_model(self._model, full_check=not trusted)
        except Exception as error:
            raise ModelError(f"{path} is damaged or of a kind that Bottomup does not run: {one_line(error)}") from error

    @property
    def content(self) -> bytes:
        """The model as a runtime gets it."""
        return bytes(self._model.SerializeToString())

    @property
    def quantizes(self) -> bool:
        """Whether values are quantised to 8 bits between operators."""
        return any(node.op_type == "QuantizeLinear" for node in self._model.graph.node)

    def open_size(self) -> bytes:
        """Return the model with its image's width and height left open."""
        model = type(self._model)()
        model.CopyFrom(self._model)
        dims = _image(model).type.tensor_type.shape.dim
        rows = 2 if dims[1].dim_value == 3 else 1
        for axis, name in ((rows, "height"), (rows + 1, "width")):
            dims[axis].dim_param = name
        del model.graph.value_info[:]
        for output in model.graph.output:
            output.type.tensor_type.ClearField("shape")
        return bytes(model.SerializeToString())

    @cached_property
    def producers(self) -> Mapping[str, str]:
        """TFLite's name of the operator that computes each output."""
        makers = {name: node for node in self._model.graph.node for name in node.output}
        found = {}
        for output in self._model.graph.output:
            node = makers.get(output.name)
            while node is not None and node.op_type in PASSING:
                node = makers.get(node.input[0])
            if node is not None:
                found[output.name] = {"Sigmoid": "LOGISTIC"}.get(node.op_type, node.op_type.upper())
        return found

    @cached_property
    def aliases(self) -> Mapping[str, str]:
        """Descriptive names for outputs whose own names say nothing, from the weights they are computed with."""
        makers = {name: node for node in self._model.graph.node for name in node.output}
        candidates: dict[str, list[str]] = {}
        for output in self._model.graph.output:
            node, candidates[output.name] = makers.get(output.name), []
            while node is not None and node.op_type in (*PASSING, "Sigmoid", "Concat", "Add"):
                candidates[output.name].append(node.name)
                node = makers.get(node.input[0])
            if node is not None and node.op_type in ("Conv", "ConvTranspose"):
                candidates[output.name] += [*node.input[1:], node.name]
        return aliases(candidates)

    @cached_property
    def units(self) -> Mapping[str, tuple[float, int]]:
        """Scale and zero point of each 8-bit output that a QuantizeLinear computes."""
        constants = self._constants
        found = {}
        for node in self._model.graph.node:
            if node.op_type == "QuantizeLinear" and node.input[1] in constants:
                scale = constants[node.input[1]]
                zero = constants.get(node.input[2], 0) if len(node.input) > 2 else 0
                if getattr(scale, "size", 1) == 1:
                    found[node.output[0]] = float(scale), int(zero)
        return found

    def cell_shift(self, output: str, size: ImageSize) -> tuple[float, float] | None:
        """Return x and y, in input pixels, of the centre of an output's first cell at an input size."""
        image = _image(self._model)
        dims = image.type.tensor_type.shape.dim
        if len(dims) != 4 or dims[1].dim_value != 3:
            return None
        return first_cells(self._steps(), image.name, size).get(output)

    @cached_property
    def _constants(self) -> dict[str, Any]:
        """Values of small constants, by name."""
        from onnx import numpy_helper

        tensors = {tensor.name: tensor for tensor in self._model.graph.initializer}
        tensors |= {
            node.output[0]: attribute.t
            for node in self._model.graph.node
            if node.op_type == "Constant"
            for attribute in node.attribute
            if attribute.name == "value"
        }
        return {name: numpy_helper.to_array(t) for name, t in tensors.items() if math.prod(t.dims) <= 16}

    def _steps(self) -> Iterator[Step]:
        """Yield the operators that keep or move a grid, rows and columns on axes 2 and 3."""
        shapes = {tensor.name: tuple(tensor.dims) for tensor in self._model.graph.initializer}
        for node in self._model.graph.node:
            if node.op_type in IN_PLACE:
                yield Step(tuple(node.input), tuple(node.output))
                continue
            changes = self._changes(node, shapes)
            if changes is not None:
                yield Step(tuple(node.input[:1]), tuple(node.output), *changes)

    def _changes(self, node: Any, shapes: Mapping[str, tuple[int, ...]]) -> tuple[Change, Change] | None:
        """Return what an operator does along rows and columns; None if that is unknown."""
        from onnx import helper

        given = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
        if node.op_type in ("Conv", "ConvTranspose", *POOLS):
            return _windows(node.op_type, given, shapes.get(node.input[1], ()) if len(node.input) > 1 else ())
        if node.op_type == "Pad":
            pads = given.get("pads") if len(node.input) < 2 else self._constants.get(node.input[1])
            if pads is not None and len(pads) == 8:
                before, after = [int(pad) for pad in pads[:4]], [int(pad) for pad in pads[4:]]
                return Window(before=before[2], after=after[2]), Window(before=before[3], after=after[3])
        if node.op_type in ("Resize", "Upsample"):
            scales = self._constants.get(node.input[-1]) if len(node.input) in (2, 3) else None
            mode = given.get("coordinate_transformation_mode", b"half_pixel").decode()
            whole = scales is not None and len(scales) == 4 and all(scale >= 1 and scale % 1 == 0 for scale in scales)
            if scales is not None and whole and mode in ("half_pixel", "pytorch_half_pixel", "asymmetric"):
                rows, columns = (Resample(1, int(scale), "half_pixel" in mode) for scale in scales[2:])
                return rows, columns
        return None


def _image(model: Any) -> Any:
    """Return the input that is not a constant; old files list constants among the inputs."""
    constants = {tensor.name for tensor in model.graph.initializer}
    return next(given for given in model.graph.input if given.name not in constants)


def _windows(kind: str, given: Mapping[str, Any], weights: tuple[int, ...]) -> tuple[Change, Change] | None:
    """Return the windows of a convolution or pool."""
    sizes = list(given.get("kernel_shape", weights[2:]))
    auto = given.get("auto_pad", b"NOTSET").decode()
    pads, strides = given.get("pads", [0, 0, 0, 0]), given.get("strides", [1, 1])
    more, dilations = given.get("output_padding", [0, 0]), given.get("dilations", [1, 1])
    if not len(sizes) == len(strides) == len(dilations) == 2 or len(pads) != 4 or auto == "SAME_LOWER":
        return None
    rows, columns = (
        Window(size, stride, dilation, before, after - extra, auto == "SAME_UPPER", kind == "ConvTranspose")
        for size, stride, dilation, before, after, extra in zip(
            sizes, strides, dilations, pads[:2], pads[2:], more, strict=True
        )
    )
    return rows, columns


def _problems(model: Any) -> Iterator[str]:
    """Yield what is wrong with a model, beyond what the package onnx checks."""
    graph = model.graph
    if model.functions or model.training_info:
        yield "it holds functions or training steps"
    attributes = [attribute for node in graph.node for attribute in node.attribute]
    held = [tensor for attribute in attributes for tensor in (attribute.t, *attribute.tensors)]
    for tensor in (*graph.initializer, *held):
        if tensor.data_location or tensor.external_data:
            name = repr(tensor.name)
            yield f"tensor {name} is stored in another file: save the model in one file, onnx.save_model(model, path)"
    if not {given.name for given in graph.input} - {tensor.name for tensor in graph.initializer}:
        yield "it takes no input"
    if graph.sparse_initializer:
        yield "it holds sparse tensors"
    for node in graph.node:
        if node.domain not in DOMAINS:
            yield f"operator {node.op_type} comes from {node.domain!r}, not from ONNX"
        if node.op_type in NESTED or any(attribute.HasField("g") or attribute.graphs for attribute in node.attribute):
            yield f"operator {node.op_type} holds a subgraph: pass trusted=True if you trust the file's authors"


def _import_onnx() -> Any:
    """Return the package that reads .onnx files."""
    try:
        import onnx
        import onnx.checker

        return onnx
    except Exception as error:
        raise MissingRuntimeError(
            f"reading an .onnx file needs the package onnx ({one_line(error)}): pip install 'bottomup[onnx]'"
        ) from error
