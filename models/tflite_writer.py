"""Write a convolutional network as a .tflite file, straight through the schema of TFLite.

    net = TfliteWriter(input_size=(641, 481))  # width, height; the file also runs at other sizes
    x = net.conv(net.image, weights, bias, stride=2, activation="relu6")  # weights (out, height, width, in)
    x = net.depthwise_conv(x, weights, bias, dilation=2, activation="relu6")  # weights (height, width, channels)
    y = net.add(x, net.conv(x, ...))
    y = net.concat([x, y])
    y = net.resize(y, like=other, method="bilinear")  # to the height and width that `other` has at run time
    net.output("float_heatmaps", y)

    content = net.float32(name="tiny", version="1", description="...")  # the file's bytes
    content = net.float32(half_weights=True)  # stored as float16, computed in float32: half the size
    content = net.uint8(net.ranges(images))  # full integer; images are (1, H, W, 3) float32 input tensors

Layers take and return tensors by number. From PyTorch: `conv.weight.permute(0, 2, 3, 1)` and, for a depthwise one,
`conv.weight.permute(2, 3, 0, 1)[..., 0]`, with BatchNorm folded in (`fold_batch_norm`).

Padding "same" is TensorFlow's: for stride 2 it equals PyTorch's `padding=(size - 1) // 2` only for odd inputs, which is
everywhere in a network whose input is a multiple of its stride plus 1. Those are the legal sizes for
`interpreter.resize_tensor_input`.

`resize` takes its size from another tensor, through SHAPE and STRIDED_SLICE, so the file is not bound to one
input size. Bilinear keeps corners on corners (PyTorch's `align_corners=True`), which is right for grids whose cell
(r, c) is pixel (r, c) * stride; nearest is PyTorch's "nearest".

The uint8 file has a uint8 input (scale 1/128, zero point 128: pixels as they are) and uint8 outputs. Inside,
activations are int8 and weights int8 per output channel, as TFLite's own converter writes them, with QUANTIZE operators
at both ends. uint8 all the way through, as in Coral's old files, would need one scale for all channels of a depthwise
convolution, and would lose precision where their ranges differ. Both kinds run on ai-edge-litert 2.3 and tflite-runtime
2.14.

A file has `name`, `version` and any other arguments as one JSON object in its metadata entry "bottomup", the
description as the model's, and one signature, "serving_default", which names the input "image" and the outputs.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import ArrayLike, NDArray

from bottomup.errors import InputError

ACTIVATIONS = {None: 0, "relu": 1, "relu6": 3}
PADDINGS = {"same": 0, "valid": 1}
TYPES = {np.dtype(name): number for name, number in [("f4", 0), ("f2", 1), ("i4", 2), ("u1", 3), ("i1", 9)]}
#: Range of the uint8 file's input; level 128 is 0.
IMAGE_RANGE = (-1.0, 127 / 128)
METADATA = "bottomup"

Activation = Literal["relu", "relu6"] | None
Padding = Literal["same", "valid"]
Range = tuple[float, float]


@dataclass(frozen=True, eq=False)
class Layer:
    """One operator, with its inputs and its result."""

    kind: str
    inputs: tuple[int, ...]
    shape: tuple[int, int, int]  #: H, W, C of the result, at the nominal input size
    weights: NDArray[np.float32] = field(default_factory=lambda: np.empty(0, np.float32))
    bias: NDArray[np.float32] = field(default_factory=lambda: np.empty(0, np.float32))
    options: Mapping[str, Any] = field(default_factory=dict)


class TfliteWriter:
    """A network, built layer by layer and then written.

    Parameters
    ----------
    input_size : (int, int)
        Width and height at which the file runs unless it is resized.
    open_size : bool
        Whether the file declares its height and width as open. It can be resized
        either way; this tells whoever loads it.
    """

    def __init__(self, input_size: tuple[int, int] = (641, 481), *, open_size: bool = True) -> None:
        width, height = input_size
        self.open_size = open_size
        self.layers = [Layer("image", (), (height, width, 3))]
        self.outputs: dict[str, int] = {}
        self.image = 0

    def conv(
        self,
        source: int,
        weights: ArrayLike,
        bias: ArrayLike | None = None,
        *,
        stride: int = 1,
        dilation: int = 1,
        padding: Padding = "same",
        activation: Activation = None,
    ) -> int:
        """Convolve; weights are (out, height, width, in)."""
        weights = np.asarray(weights, np.float32)
        channels = self.layers[source].shape[2]
        if weights.ndim != 4 or weights.shape[3] != channels:
            raise InputError(f"weights must be (out, height, width, {channels}), got {weights.shape}")
        return self._convolve("conv", source, weights, weights.shape[0], bias, stride, dilation, padding, activation)

    def depthwise_conv(
        self,
        source: int,
        weights: ArrayLike,
        bias: ArrayLike | None = None,
        *,
        stride: int = 1,
        dilation: int = 1,
        padding: Padding = "same",
        activation: Activation = None,
    ) -> int:
        """Convolve each channel by itself; weights are (height, width, channels)."""
        weights = np.asarray(weights, np.float32)[None]
        channels = self.layers[source].shape[2]
        if weights.ndim != 4 or weights.shape[3] != channels:
            raise InputError(f"weights must be (height, width, {channels}), got {weights.shape[1:]}")
        return self._convolve("depthwise_conv", source, weights, channels, bias, stride, dilation, padding, activation)

    def add(self, first: int, second: int, *, activation: Activation = None) -> int:
        """Add two tensors of one shape."""
        shape = self.layers[first].shape
        if shape != self.layers[second].shape:
            raise InputError(f"only tensors of one shape can be added, got {shape} and {self.layers[second].shape}")
        return self._append(Layer("add", (first, second), shape, options={"activation": activation}))

    def concat(self, sources: Sequence[int]) -> int:
        """Concatenate the channels of tensors of one height and width."""
        shapes = [self.layers[source].shape for source in sources]
        if len({shape[:2] for shape in shapes}) != 1:
            raise InputError(f"only tensors of one height and width can be concatenated, got {shapes}: resize them")
        return self._append(Layer("concat", tuple(sources), (*shapes[0][:2], sum(shape[2] for shape in shapes))))

    def resize(self, source: int, *, like: int, method: Literal["nearest", "bilinear"] = "bilinear") -> int:
        """Resize a tensor to the height and width of another, with corners on corners if bilinear."""
        shape = (*self.layers[like].shape[:2], self.layers[source].shape[2])
        return self._append(Layer(method, (source, like), shape))

    def output(self, name: str, source: int) -> None:
        """Make a tensor an output of that name."""
        if name in self.outputs or source in {self.image, *self.outputs.values()}:
            raise InputError(f"{name!r} must be a new name for a layer that is not an output yet, got tensor {source}")
        self.outputs[name] = source

    def float32(self, *, half_weights: bool = False, description: str = "", **metadata: Any) -> bytes:
        """Return a file that computes in float32, with weights stored as float16 if `half_weights`."""
        return _FloatFile(self, half_weights).content(self.outputs, description, metadata)

    def uint8(self, ranges: Sequence[Range], *, description: str = "", **metadata: Any) -> bytes:
        """Return a file that computes in integers; `ranges` has the lowest and highest number of each tensor."""
        return _IntegerFile(self, ranges).content(self.outputs, description, metadata)

    def ranges(self, images: Iterable[ArrayLike], *, coverage: float = 1.0) -> list[Range]:
        """Return the lowest and highest number of each tensor over some images, given as the float file takes them.

        `coverage` below 1 leaves out that share of an image's most extreme numbers, half at each end.
        """
        from ai_edge_litert.interpreter import Interpreter

        names = {str(number): number for number in range(1, len(self.layers))}
        interpreter = Interpreter(model_content=_FloatFile(self, False).content(names, "", {}), num_threads=1)
        index = interpreter.get_input_details()[0]["index"]
        lowest, highest = np.full(len(names), np.inf), np.full(len(names), -np.inf)
        ends = (1 - coverage) / 2, (1 + coverage) / 2
        for image in images:
            tensor = np.asarray(image, np.float32)
            interpreter.resize_tensor_input(index, tensor.shape)
            interpreter.allocate_tensors()
            interpreter.set_tensor(index, tensor)
            interpreter.invoke()
            seen = [interpreter.get_tensor(detail["index"]) for detail in interpreter.get_output_details()]
            extremes = np.array([np.quantile(values, ends) if coverage < 1 else _ends(values) for values in seen])
            lowest, highest = np.minimum(lowest, extremes[:, 0]), np.maximum(highest, extremes[:, 1])
        if not np.isfinite(lowest).all():
            raise InputError("ranges need at least one image, of finite numbers")
        return [IMAGE_RANGE, *zip(lowest.tolist(), highest.tolist(), strict=True)]

    def _append(self, layer: Layer) -> int:
        self.layers.append(layer)
        return len(self.layers) - 1

    def _convolve(
        self,
        kind: str,
        source: int,
        weights: NDArray[np.float32],
        channels: int,
        bias: ArrayLike | None,
        stride: int,
        dilation: int,
        padding: Padding,
        activation: Activation,
    ) -> int:
        bias = np.zeros(channels, np.float32) if bias is None else np.asarray(bias, np.float32)
        if bias.shape != (channels,):
            raise InputError(f"bias must be ({channels},), got {bias.shape}")
        height, width, _ = self.layers[source].shape
        reach = [dilation * (size - 1) if padding == "valid" else 0 for size in weights.shape[1:3]]
        shape = (-(-(height - reach[0]) // stride), -(-(width - reach[1]) // stride), channels)
        options = {"stride": stride, "dilation": dilation, "padding": padding, "activation": activation}
        return self._append(Layer(kind, (source,), shape, weights, bias, options))


def fold_batch_norm(
    weights: ArrayLike, gamma: ArrayLike, beta: ArrayLike, mean: ArrayLike, variance: ArrayLike, epsilon: float = 1e-5
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Fold a BatchNorm into the convolution without bias before it; return weights and bias.

    `weights` are (out, height, width, in), or (height, width, channels) of a depthwise convolution.
    """
    weights, factor = np.asarray(weights, np.float64), np.asarray(gamma) / np.sqrt(np.asarray(variance) + epsilon)
    along = (-1, 1, 1, 1) if weights.ndim == 4 else (1, 1, -1)
    bias = np.asarray(beta) - np.asarray(mean) * factor
    return (weights * factor.reshape(along)).astype(np.float32), bias.astype(np.float32)


class _File:
    """The flatbuffer objects of a network; subclasses decide how numbers are stored."""

    def __init__(self, net: TfliteWriter) -> None:
        self.net = net
        self.graph, self.model = schema.SubGraphT(), schema.ModelT()
        self.graph.tensors, self.graph.operators = [], []
        self.model.version, self.model.subgraphs = 3, [self.graph]
        self.model.operatorCodes, self.model.buffers = [], [schema.BufferT()]
        self._codes: dict[tuple[int, int], int] = {}
        self._sizes: dict[int, int] = {}  # the tensor that holds the height and width of a layer's result

    def content(self, outputs: Mapping[str, int], description: str, metadata: Mapping[str, Any]) -> bytes:
        """Write all layers and return the file."""
        names = {layer: name for name, layer in outputs.items()}
        places = [self.image()]
        for number, layer in enumerate(self.net.layers[1:], 1):
            places.append(self.result(number, names.get(number, f"layer_{number}")))
            getattr(self, layer.kind)(layer, [places[source] for source in layer.inputs], places[number])
        self.graph.inputs = [self.image_index]
        self.graph.outputs = [self.finished(name, layer, places[layer]) for name, layer in outputs.items()]
        self._sign(list(outputs))
        self._describe(description, metadata)
        builder = _AlignedBuilder(1 << 20)
        builder.Finish(self.model.Pack(builder), b"TFL3")
        return bytes(builder.Output())

    # --- what the subclasses define

    int8 = False
    image_index = 0

    def image(self) -> int:
        """Write the input, and return the tensor that layers read it from."""
        raise NotImplementedError

    def result(self, number: int, name: str) -> int:
        """Write the tensor that a layer's result goes to."""
        raise NotImplementedError

    def finished(self, name: str, number: int, place: int) -> int:
        """Return the tensor of a network output."""
        raise NotImplementedError

    def constants(self, layer: Layer, result: int) -> list[int]:
        """Write weights and bias."""
        raise NotImplementedError

    # --- layers

    def conv(self, layer: Layer, inputs: list[int], result: int) -> None:
        """Write a CONV_2D."""
        options = schema.Conv2DOptionsT()
        self._convolution(layer, inputs, result, "CONV_2D", options, 3 if self.int8 else 1)

    def depthwise_conv(self, layer: Layer, inputs: list[int], result: int) -> None:
        """Write a DEPTHWISE_CONV_2D."""
        options = schema.DepthwiseConv2DOptionsT()
        options.depthMultiplier = 1
        version = 3 if self.int8 else 2 if layer.options["dilation"] > 1 else 1
        self._convolution(layer, inputs, result, "DEPTHWISE_CONV_2D", options, version)

    def add(self, layer: Layer, inputs: list[int], result: int) -> None:
        """Write an ADD."""
        options = schema.AddOptionsT()
        options.fusedActivationFunction = ACTIVATIONS[layer.options["activation"]]
        options.potScaleInt16 = False
        self.operator("ADD", inputs, result, options, version=2 if self.int8 else 1)

    def concat(self, layer: Layer, inputs: list[int], result: int) -> None:
        """Write a CONCATENATION."""
        options = schema.ConcatenationOptionsT()
        options.axis = 3
        self.operator("CONCATENATION", inputs, result, options, version=2 if self.int8 else 1)

    def bilinear(self, layer: Layer, inputs: list[int], result: int) -> None:
        """Write a RESIZE_BILINEAR."""
        options = schema.ResizeBilinearOptionsT(alignCorners=True)
        size = self._size_of(inputs[1])
        self.operator("RESIZE_BILINEAR", [inputs[0], size], result, options, version=2 if self.int8 else 1)

    def nearest(self, layer: Layer, inputs: list[int], result: int) -> None:
        """Write a RESIZE_NEAREST_NEIGHBOR."""
        size, options = self._size_of(inputs[1]), schema.ResizeNearestNeighborOptionsT()
        self.operator("RESIZE_NEAREST_NEIGHBOR", [inputs[0], size], result, options, version=2 if self.int8 else 1)

    def _convolution(self, layer: Layer, inputs: list[int], result: int, kind: str, options: Any, version: int) -> None:
        options.strideW = options.strideH = layer.options["stride"]
        options.dilationWFactor = options.dilationHFactor = layer.options["dilation"]
        options.padding = PADDINGS[layer.options["padding"]]
        options.fusedActivationFunction = ACTIVATIONS[layer.options["activation"]]
        self.operator(kind, [*inputs, *self.constants(layer, inputs[0])], result, options, version=version)

    def _size_of(self, place: int) -> int:
        """Write the height and width of a tensor as a tensor, once."""
        if place not in self._sizes:
            shape, size = self.tensor("shape", (4,), "i4"), self.tensor("size", (2,), "i4")
            self.operator("SHAPE", [place], shape, schema.ShapeOptionsT(outType=TYPES[np.dtype("i4")]))
            bounds = [self.tensor("bounds", (1,), "i4", np.array([bound])) for bound in (1, 3, 1)]
            self.operator("STRIDED_SLICE", [shape, *bounds], size, schema.StridedSliceOptionsT())
            self._sizes[place] = size
        return self._sizes[place]

    # --- the schema

    def operator(self, kind: str, inputs: list[int], result: int, options: Any, *, version: int = 1) -> None:
        """Write an operator and, once, its code."""
        builtin = getattr(schema.BuiltinOperator, kind)
        if (builtin, version) not in self._codes:
            code = schema.OperatorCodeT()
            code.builtinCode, code.deprecatedBuiltinCode, code.version = builtin, min(builtin, 127), version
            self._codes[builtin, version] = len(self.model.operatorCodes)
            self.model.operatorCodes.append(code)
        operator = schema.OperatorT()
        operator.opcodeIndex, operator.inputs, operator.outputs = self._codes[builtin, version], inputs, [result]
        operator.builtinOptionsType = getattr(schema.BuiltinOptions, type(options).__name__.removesuffix("T"))
        operator.builtinOptions = options
        self.graph.operators.append(operator)

    def tensor(
        self,
        name: str,
        shape: Sequence[int],
        dtype: str,
        values: NDArray[Any] | None = None,
        scale: ArrayLike | None = None,
        zero_point: int = 0,
        axis: int = 0,
    ) -> int:
        """Write a tensor, a constant if it has values, and return its index."""
        tensor = schema.TensorT()
        tensor.name, tensor.shape, tensor.type = name.encode(), [int(size) for size in shape], TYPES[np.dtype(dtype)]
        if self.net.open_size and values is None and len(shape) == 4:
            tensor.shapeSignature = [1, -1, -1, int(shape[3])]
        if scale is not None:
            scales = np.atleast_1d(np.asarray(scale, np.float32))
            tensor.quantization = schema.QuantizationParametersT()
            tensor.quantization.scale = scales
            tensor.quantization.zeroPoint = np.full(scales.shape, zero_point, np.int64)
            tensor.quantization.quantizedDimension = axis
        if values is not None:
            tensor.buffer = self._buffer(np.asarray(values, dtype).tobytes())
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1

    def layer_tensor(self, name: str, shape: tuple[int, int, int], dtype: str, **units: Any) -> int:
        """Write a tensor that is not a constant."""
        return self.tensor(name, (1, *shape), dtype, **units)

    def _buffer(self, data: bytes) -> int:
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(data, np.uint8)
        self.model.buffers.append(buffer)
        return len(self.model.buffers) - 1

    def _sign(self, names: list[str]) -> None:
        """Write the signature, which names the input and the outputs."""
        signature = schema.SignatureDefT()
        signature.signatureKey, signature.subgraphIndex = b"serving_default", 0
        signature.inputs = [schema.TensorMapT(b"image", self.graph.inputs[0])]
        pairs = zip(names, self.graph.outputs, strict=True)
        signature.outputs = [schema.TensorMapT(name.encode(), index) for name, index in pairs]
        self.model.signatureDefs = [signature]

    def _describe(self, description: str, metadata: Mapping[str, Any]) -> None:
        self.model.description = description.encode()
        if metadata:
            entry = schema.MetadataT()
            entry.name, entry.buffer = METADATA.encode(), self._buffer(json.dumps(dict(metadata)).encode())
            self.model.metadata = [entry]


class _FloatFile(_File):
    """float32 throughout."""

    def __init__(self, net: TfliteWriter, half_weights: bool) -> None:
        super().__init__(net)
        self.half_weights = half_weights

    def image(self) -> int:
        self.image_index = self.layer_tensor("image", self.net.layers[0].shape, "f4")
        return self.image_index

    def result(self, number: int, name: str) -> int:
        return self.layer_tensor(name, self.net.layers[number].shape, "f4")

    def finished(self, name: str, number: int, place: int) -> int:
        return place

    def constants(self, layer: Layer, result: int) -> list[int]:
        bias = self.tensor("bias", layer.bias.shape, "f4", layer.bias)
        if not self.half_weights:
            return [self.tensor("weights", layer.weights.shape, "f4", layer.weights), bias]
        stored = self.tensor("half_weights", layer.weights.shape, "f2", layer.weights)
        weights = self.tensor("weights", layer.weights.shape, "f4")
        self.graph.tensors[weights].shapeSignature = None
        self.operator("DEQUANTIZE", [stored], weights, schema.DequantizeOptionsT(), version=3)
        return [weights, bias]


class _IntegerFile(_File):
    """int8 inside, uint8 at both ends."""

    int8 = True

    def __init__(self, net: TfliteWriter, ranges: Sequence[Range]) -> None:
        super().__init__(net)
        if len(ranges) != len(net.layers):
            raise InputError(
                f"{len(net.layers)} tensors need as many ranges, got {len(ranges)}: use net.ranges(images)"
            )
        self.units = [_units(*shared) for shared in _shared_ranges(net.layers, ranges)]

    def image(self) -> int:
        shape = self.net.layers[0].shape
        self.image_index = self.layer_tensor("image", shape, "u1", scale=1 / 128, zero_point=128)
        scale, zero_point = self.units[0]
        place = self.layer_tensor("image_int8", shape, "i1", scale=scale, zero_point=zero_point)
        self.operator("QUANTIZE", [self.image_index], place, schema.QuantizeOptionsT(), version=2)
        return place

    def result(self, number: int, name: str) -> int:
        scale, zero_point = self.units[number]
        name = f"{name}_int8" if name in self.net.outputs else name
        return self.layer_tensor(name, self.net.layers[number].shape, "i1", scale=scale, zero_point=zero_point)

    def finished(self, name: str, number: int, place: int) -> int:
        scale, zero_point = self.units[number]
        shape = self.net.layers[number].shape
        final = self.layer_tensor(name, shape, "u1", scale=scale, zero_point=zero_point + 128)
        self.operator("QUANTIZE", [place], final, schema.QuantizeOptionsT(), version=2)
        return final

    def constants(self, layer: Layer, result: int) -> list[int]:
        axis = 0 if layer.kind == "conv" else 3
        others = tuple(other for other in range(4) if other != axis)
        largest = np.abs(layer.weights).max(axis=others)
        scales = (np.maximum(largest, 1e-9) / 127).astype(np.float32)
        levels = np.round(layer.weights / scales.reshape([-1 if axis == place else 1 for place in range(4)]))
        weights = self.tensor("weights", layer.weights.shape, "i1", levels.clip(-127, 127), scales, axis=axis)
        bias_scales = scales * np.float32(self.units[layer.inputs[0]][0])
        bias = np.round(layer.bias.astype(np.float64) / bias_scales).clip(-(2**31), 2**31 - 1)
        return [weights, self.tensor("bias", layer.bias.shape, "i4", bias, bias_scales)]


class _AlignedBuilder(flatbuffers.Builder):  # type: ignore[misc]
    """Weights on 16-byte boundaries, which the schema demands but the generated code ignores."""

    def StartVector(self, elemSize: int, numElems: int, alignment: int) -> Any:
        return super().StartVector(elemSize, numElems, 16 if elemSize == 1 else alignment)


def _ends(values: NDArray[Any]) -> tuple[float, float]:
    return float(values.min()), float(values.max())


def _shared_ranges(layers: Sequence[Layer], ranges: Sequence[Range]) -> list[Range]:
    """Widen ranges so that operators that only move numbers have one range: concatenation and resizing."""
    group = list(range(len(layers)))
    for number, layer in enumerate(layers):
        moved = {"concat": layer.inputs, "bilinear": layer.inputs[:1], "nearest": layer.inputs[:1]}
        for source in moved.get(layer.kind, ()):
            old, new = group[source], group[number]
            group = [new if own == old else own for own in group]
    members = {own: [bounds for other, bounds in zip(group, ranges, strict=True) if other == own] for own in group}
    return [(min(low for low, _ in members[own]), max(high for _, high in members[own])) for own in group]


def _units(lowest: float, highest: float) -> tuple[float, int]:
    """Return the scale and zero point of an int8 tensor; 0 is a level of its own."""
    lowest, highest = min(lowest, 0.0), max(highest, 0.0)
    scale = max(highest - lowest, 1e-6) / 255
    return scale, round(-128 - lowest / scale)
