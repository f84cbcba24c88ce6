"""Running model files in OpenVINO: .xml and .bin, .onnx and .tflite."""

import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bottomup.errors import InputError, MissingRuntimeError, ModelError
from bottomup.files import reason
from bottomup.geometry import ImageSize
from bottomup.networks.cells import Step, first_cells
from bottomup.networks.ir import read_ir
from bottomup.networks.network import (
    OPEN_INPUT_SIZES,
    RuntimeNetwork,
    cannot_run_at,
    checked_threads,
    given_type,
    image_axes,
    one_line,
    resized_to_first,
)
from bottomup.networks.onnx_file import OnnxFile
from bottomup.networks.openvino_bounds import bound_indices
from bottomup.networks.openvino_steps import producer, steps
from bottomup.networks.signal_stack import kept_signal_stack
from bottomup.networks.tflite.graph import TfliteGraph
from bottomup.tensors import TensorInfo
from bottomup.workspaces import Turnstile

__all__ = ["OpenVinoNetwork", "import_openvino"]

#: How many sizes besides its own a network keeps requests for.
MOST_SIZES = 16


class OpenVinoNetwork(RuntimeNetwork):
    """A model file in OpenVINO; a `bottomup.networks.network.Network`.

    Parameters
    ----------
    source : Path, OnnxFile or TfliteGraph
        An .xml file, or what was read from an .onnx or .tflite file.
    threads : int
        Number of threads on a CPU.
    device : str, optional
        OpenVINO's name for it: "CPU", "GPU", "AUTO". Default: "CPU".

    Raises
    ------
    ModelError
        If the file cannot be read or run.
    MissingRuntimeError
        If OpenVINO is not installed.
    InputError
        If there is no such device.
    """

    runtime = "openvino"

    @kept_signal_stack()
    def __init__(self, source: Path | OnnxFile | TfliteGraph, *, threads: int = 1, device: str | None = None) -> None:
        self._lock = Turnstile()
        self._openvino, self._core = import_openvino()
        self._device = _checked_device(device or "CPU", self._core)
        is_literal = isinstance(source, OnnxFile) and source.quantizes
        self._settings = _settings(self._device, checked_threads(threads), is_literal)
        self.graph = source if isinstance(source, TfliteGraph) else None
        self._onnx = source if isinstance(source, OnnxFile) else None
        self.path = source if isinstance(source, Path) else source.path
        self.options: Mapping[str, Any] = {} if self.graph is None else self.graph.options
        self._requests: dict[ImageSize, Any] = {}
        self._any_size: Any = None
        if self.graph is not None:
            self._names = self.graph.output_names
            infos = [self.graph.tensors[self.graph.inputs[0]]]
        else:
            self._model = self._read()
            self._names = tuple(map(_port_name, self._model.outputs))
            infos = [TensorInfo("", _shape(port), port.get_element_type().to_dtype()) for port in self._model.inputs]
        shapes = [info.shape for info in infos]
        self._axes = image_axes(shapes, self.path) if self.graph is None else self.graph.axes
        self._given = infos[0]._replace(name="input", dtype=given_type(infos[0].dtype, self.path))
        own = self._axes.size_of(shapes[0])
        resized_to_first(self, OPEN_INPUT_SIZES if own is None else [own])

    @property
    def producers(self) -> Mapping[str, str]:
        """Name of the operator that computes each output."""
        if self.graph is not None:
            return self.graph.producers
        if self._onnx is not None:
            return self._onnx.producers
        return {name: producer(output) for name, output in zip(self._names, self._model.outputs, strict=True)}

    @property
    def aliases(self) -> Mapping[str, str]:
        """Descriptive names for outputs whose own names say nothing."""
        source = self.graph or self._onnx
        return {} if source is None else source.aliases

    @kept_signal_stack()
    def resize_input(self, size: ImageSize) -> None:
        """Change the input size; `ModelError` if the model only runs at its own."""
        with self._lock:
            request, arrays = self._tried(size)
            self._requests, self._any_size = {size: request}, None
            self.input = self._given._replace(shape=(1, size.height, size.width, 3))
            self.outputs = tuple(self._output_infos(arrays))

    def cell_shift(self, output: str, size: ImageSize) -> tuple[float, float] | None:
        """Return x and y, in input pixels, of the centre of an output's first cell at an input size."""
        if self.graph is not None:
            return self.graph.cell_shift(output, size)
        if self._onnx is not None:
            return self._onnx.cell_shift(output, size)
        if output not in self._names or not self._axes.channels_first:
            return None
        made: list[Step] = list(steps(self._model))
        found = first_cells(made, self._model.inputs[0].get_node().get_friendly_name(), size)
        source = self._model.outputs[self._names.index(output)].get_node().input_value(0)
        return found.get(source.get_node().get_friendly_name())

    @kept_signal_stack()
    def _run(self, image: NDArray[Any]) -> list[NDArray[Any]]:
        """Run one image at its own size; threads take turns."""
        with self._lock:
            self._restart_if_inherited()
            size = ImageSize(image.shape[2], image.shape[1])
            request = self._requests.get(size) or self._prepared(size)
            return self._infer(request, image)

    def _restart_if_inherited(self) -> None:
        """In a forked process, create new requests: inherited ones may be mid-run."""
        if self._lock.is_inherited:
            self._inherited = self._requests, self._any_size  # deleting them would wait for their threads
            self._any_size = None
            self._requests = {self.input_size: self._tried(self.input_size)[0]}
            self._lock.is_inherited = False

    def _prepared(self, size: ImageSize) -> Any:
        """Return a request for a size other than the network's own; one serves all sizes if the graph allows it."""
        if len(self._requests) > MOST_SIZES:
            self._requests = {self.input_size: self._requests[self.input_size]}
        if self._any_size is None:
            self._any_size = self._flexible()
        if self._any_size is False:
            self._requests[size], _ = self._tried(size)
        else:
            self._sized(size)  # at run time OpenVINO does not check shapes that were left open
            self._requests[size] = self._any_size
        return self._requests[size]

    def _flexible(self) -> Any:
        """Return a request for inputs of any size; False if the graph does not allow one."""
        if self.graph is not None and self.graph.fixes_resizes:
            return False
        try:
            model = self._sized(self.input_size)
            model.reshape(self._openvino.PartialShape(self._axes.shape(-1, -1)))
            request = self._compiled(model)
            arrays = self._infer(request, np.zeros(self.input.shape, self.input.dtype))
        except Exception:
            return False
        return request if [array.shape for array in arrays] == [info.shape for info in self.outputs] else False

    def _tried(self, size: ImageSize) -> tuple[Any, list[NDArray[Any]]]:
        """Return a request for an input size, and its outputs for a blank image."""
        try:
            request = self._compiled(self._sized(size))
        except ModelError:
            raise
        except Exception as error:
            raise ModelError(f"openvino cannot load {self.path}: {one_line(error)}") from error
        return request, self._infer(request, np.zeros((1, size.height, size.width, 3), self._given.dtype))

    def _sized(self, size: ImageSize) -> Any:
        """Return OpenVINO's own model at an input size, with the shapes of all tensors checked."""
        try:
            if self.graph is not None:
                return self._read_tflite(self.graph.bound_to(size))
            model = self._model.clone()
            model.reshape(self._openvino.PartialShape(self._axes.shape(size.height, size.width)))
            return model
        except ModelError:
            raise
        except Exception as error:
            raise ModelError(f"{self.path} {cannot_run_at(size)}: {one_line(error)}") from error

    def _read(self) -> Any:
        """Return OpenVINO's own model of an .xml or .onnx file."""
        files = read_ir(self.path) if self._onnx is None else (self._onnx.content,)
        try:
            return self._core.read_model(*files)
        except Exception as error:
            raise ModelError(f"openvino cannot load {self.path}: {one_line(error)}") from error

    def _read_tflite(self, content: bytes) -> Any:
        """Read a .tflite model, which OpenVINO only reads from a file."""
        try:
            with tempfile.TemporaryDirectory(prefix="bottomup-", ignore_cleanup_errors=True) as folder:
                path = os.path.join(folder, "model.tflite")
                Path(path).write_bytes(content)
                return self._core.read_model(path)
        except OSError as error:
            raise ModelError(
                f"openvino reads {self.path} through a temporary file, which cannot be written: {reason(error)}"
            ) from error

    def _compiled(self, model: Any) -> Any:
        """Return a request for a model."""
        bound_indices(model)
        preprocess = self._openvino.preprocess.PrePostProcessor(model)
        image = preprocess.input()
        image.tensor().set_element_type(self._openvino.Type(self._given.dtype))
        if self._axes.channels_first:
            image.tensor().set_layout(self._openvino.Layout("NHWC"))
            image.model().set_layout(self._openvino.Layout("NCHW"))
        for number, port in enumerate(model.outputs):
            if port.get_element_type() in (self._openvino.Type.f16, self._openvino.Type.bf16):
                preprocess.output(number).tensor().set_element_type(self._openvino.Type.f32)
        return self._core.compile_model(preprocess.build(), self._device, self._settings).create_infer_request()

    def _infer(self, request: Any, image: NDArray[Any]) -> list[NDArray[Any]]:
        """Run one image."""
        try:
            tensor = np.require(image, requirements=("C", "W"))
            request.set_input_tensor(self._openvino.Tensor(tensor, shared_memory=True))
            request.infer()
            outputs = range(len(self._names))
            return [np.array(request.get_output_tensor(number).data) for number in outputs]
        except Exception as error:
            raise ModelError(f"openvino failed to run {self.path}: {one_line(error)}") from error

    def _output_infos(self, arrays: list[NDArray[Any]]) -> Iterator[TensorInfo]:
        """Yield a description of each output, with units where the file gives them."""
        for number, (name, array) in enumerate(zip(self._names, arrays, strict=True)):
            units = (0.0, 0)
            if array.dtype in (np.uint8, np.int8):
                if self.graph is not None:
                    tensor = self.graph.tensors[self.graph.outputs[number]]
                    units = tensor.scale, tensor.zero_point
                elif self._onnx is not None:
                    units = self._onnx.units.get(name, units)
            yield TensorInfo(name, array.shape, array.dtype, *units)


def import_openvino() -> tuple[Any, Any]:
    """Return OpenVINO and its core.

    Raises
    ------
    MissingRuntimeError
        If it is not installed.
    """
    try:
        import openvino
        import openvino.preprocess

        return openvino, openvino.Core()
    except Exception as error:  # a broken installation fails in many ways
        raise MissingRuntimeError(
            f"runtime openvino could not be imported ({one_line(error)}): pip install 'bottomup[openvino]'"
        ) from error


def _checked_device(device: Any, core: Any) -> str:
    """Return the device if OpenVINO finds it."""
    if not isinstance(device, str):
        raise InputError(f'device must be a name such as "CPU" or "GPU", got {device!r}')
    there = core.available_devices
    if device.split(":")[0].split(".")[0] not in ("AUTO", "MULTI", "HETERO", *(name.split(".")[0] for name in there)):
        raise InputError(f"device {device!r} is not on this machine: OpenVINO finds {', '.join(there)}")
    return device


def _settings(device: str, threads: int, is_literal: bool) -> dict[str, Any]:
    """Return the device's settings: one image at a time, in 32-bit floats so that machines agree.

    `is_literal` keeps an .onnx file's steps to and from 8 bits as they are. OpenVINO 2026.4 would fuse them into 8-bit
    operators, and then Ultralytics' YOLO26, quantised by ONNX Runtime, finds nobody.
    """
    if device != "CPU":
        return {"PERFORMANCE_HINT": "LATENCY"}
    settings = {"INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": "f32"}
    return {**settings, "LP_TRANSFORMS_MODE": "NO"} if is_literal else settings


def _shape(port: Any) -> tuple[int, ...]:
    """Return a port's shape, with -1 for open sizes."""
    shape = port.get_partial_shape()
    if shape.rank.is_dynamic:
        return ()
    return tuple(-1 if size.is_dynamic else size.get_length() for size in shape)


def _port_name(port: Any) -> str:
    """Return the shortest of an output's names, or its operator's if it has none."""
    names = port.get_names() or [port.get_node().get_friendly_name()]
    name: str = min(names, key=lambda name: (len(name), name))
    return name
