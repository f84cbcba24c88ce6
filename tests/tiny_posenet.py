"""A PoseNet of 1x1 convolutions, written with TFLite's own schema: what `tiny_posenet` of conftest gives to tests."""

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from flatbuffers import flexbuffers

CHANNELS = {"float_heatmaps": 17, "float_short_offsets": 34, "float_mid_offsets": 64}
SEGMENTS = {"float_segments": 1}
TYPES = {"float32": 0, "uint8": 3, "int8": 9, "int32": 2}
DECODER_OPTIONS = {"stride": 16, "max_detections": 7, "score_threshold": 0.25, "nms_radius": 12.0}


class TinyPoseNet:
    """Heatmaps are logits of 5 * red - 2.5, red in [-1, 1]; all else is 0.

    `model` and `graph` are the schema's own objects, to be spoiled at will
    before `write`.
    """

    def __init__(self, dtype="uint8", size=(65, 49), open_size=False, decoder_op=False, channels=CHANNELS):
        self.dtype, self.zero = np.dtype(dtype), {"uint8": 128, "int8": 0, "float32": None}[dtype]
        self.graph, self.model = schema.SubGraphT(), schema.ModelT()
        self.graph.tensors, self.graph.operators = [], []
        self.model.version, self.model.subgraphs = 3, [self.graph]
        self.model.operatorCodes, self.model.buffers = [], [schema.BufferT()]
        width, height = size
        image = self.tensor("image", [1, height, width, 3], self.dtype, 1 / 128)
        if open_size:
            self.graph.tensors[image].shapeSignature = [1, -1, -1, 3]
        self.grid = [-(-height // 16), -(-width // 16)]
        outputs = [self.convolution(image, name, count) for name, count in channels.items()]
        if decoder_op:
            outputs[:3] = self.decoder(outputs[:3])
        self.graph.inputs, self.graph.outputs = [image], outputs

    def tensor(self, name, shape, dtype, scale=None, values=None, zero=None):
        tensor = schema.TensorT()
        tensor.name, tensor.shape, tensor.type = name.encode(), list(shape), TYPES[np.dtype(dtype).name]
        if scale and self.zero is not None:
            tensor.quantization = schema.QuantizationParametersT()
            tensor.quantization.scale = np.array([scale], np.float32)
            tensor.quantization.zeroPoint = np.array([self.zero if zero is None else zero], np.int64)
        if values is not None:
            tensor.buffer = len(self.model.buffers)
            self.model.buffers.append(schema.BufferT())
            self.model.buffers[-1].data = np.frombuffer(np.asarray(values, dtype).tobytes(), np.uint8)
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1

    def operator(self, builtin, inputs, outputs, custom=None):
        code, operator = schema.OperatorCodeT(), schema.OperatorT()
        code.builtinCode, code.deprecatedBuiltinCode = builtin, min(builtin, 127)
        code.version, code.customCode = 3 if self.dtype == np.int8 else 1, custom
        operator.opcodeIndex, operator.inputs, operator.outputs = len(self.model.operatorCodes), inputs, outputs
        self.model.operatorCodes.append(code)
        self.graph.operators.append(operator)
        return operator

    def convolution(self, image, name, count):
        floats = self.zero is None
        weights = np.full((count, 1, 1, 3), self.zero or 0)
        weights[..., 0] += (5 if floats else 127) if count == 17 else 0
        biases = np.full(count, (-2.5 if floats else -2.5 / (5 / 127 / 128)) if count == 17 else 0)
        weight = self.tensor(f"{name}_weight", weights.shape, self.dtype, 5 / 127, weights)
        bias = self.tensor(f"{name}_bias", [count], "float32" if floats else "int32", 5 / 127 / 128, biases, 0)
        output = self.tensor(name, [1, *self.grid, count], self.dtype, 0.05)
        operator = self.operator(schema.BuiltinOperator.CONV_2D, [image, weight, bias], [output])
        operator.builtinOptionsType, options = schema.BuiltinOptions.Conv2DOptions, schema.Conv2DOptionsT()
        options.strideW = options.strideH = 16
        operator.builtinOptions = options
        return output

    def decoder(self, inputs):
        outputs = [self.tensor(f"poses:{number}", [], "float32") for number in range(4)]
        operator = self.operator(schema.BuiltinOperator.CUSTOM, inputs, outputs, b"PosenetDecoderOp")
        operator.customOptions = np.frombuffer(flexbuffers.Dumps(DECODER_OPTIONS), np.uint8)
        return outputs

    def content(self):
        builder = flatbuffers.Builder(1 << 16)
        builder.Finish(self.model.Pack(builder), b"TFL3")
        return bytes(builder.Output())

    def write(self, path):
        path.write_bytes(self.content())
        return path
