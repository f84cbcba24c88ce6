"""Scale the sizes of resized maps that a file holds as constants, so that it runs at other input sizes."""

from typing import Any

import numpy as np

from bottomup.geometry import ImageSize
from bottomup.networks.cells import scaled_side
from bottomup.networks.tflite.schema import builtin_code, import_schema, numbers

__all__ = ["RESIZES", "FixedResizes"]

#: RESIZE_BILINEAR and RESIZE_NEAREST_NEIGHBOR.
RESIZES = (23, 97)


class FixedResizes:
    """A model's RESIZE_* operators with constant sizes; each gets a constant of its own."""

    def __init__(self, model: Any) -> None:
        self._sizes: list[tuple[Any, list[int]]] = []  # buffer, rows and columns as the file has them
        graph, schema = model.subgraphs[0], import_schema()
        for operator in graph.operators:
            if builtin_code(model.operatorCodes[operator.opcodeIndex]) not in RESIZES:
                continue
            tensor = graph.tensors[numbers(operator.inputs)[1]]
            data = model.buffers[tensor.buffer].data
            if data is None or len(data) != 8:
                continue
            own, buffer = schema.TensorT(), schema.BufferT()
            own.name, own.shape, own.type, own.buffer = tensor.name, tensor.shape, tensor.type, len(model.buffers)
            buffer.data = np.array(data, np.uint8)
            model.buffers.append(buffer)
            graph.tensors.append(own)
            operator.inputs = [int(operator.inputs[0]), len(graph.tensors) - 1]
            self._sizes.append((buffer, np.frombuffer(bytes(data), "<i4").tolist()))

    def __bool__(self) -> bool:
        return bool(self._sizes)

    def scale(self, own: ImageSize, size: ImageSize) -> None:
        """Write the maps' sizes for an input size other than the file's own."""
        for buffer, (rows, columns) in self._sizes:
            scaled = [scaled_side(rows, own.height, size.height), scaled_side(columns, own.width, size.width)]
            buffer.data = np.frombuffer(np.array(scaled, "<i4").tobytes(), np.uint8)
