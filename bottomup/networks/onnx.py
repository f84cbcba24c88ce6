"""Running .onnx files in ONNX Runtime."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bottomup.errors import InputError, MissingRuntimeError, ModelError
from bottomup.geometry import ImageSize
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
from bottomup.tensors import TensorInfo
from bottomup.workspaces import Turnstile

__all__ = ["OnnxNetwork", "import_onnxruntime"]

#: NumPy's types for the ONNX Runtime types that images and maps use.
TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(double)": np.float64} | {
    f"tensor({name})": getattr(np, name) for name in ("uint8", "int8", "uint16", "int16", "int32", "int64")
}


class OnnxNetwork(RuntimeNetwork):
    """An .onnx file in ONNX Runtime; a `bottomup.networks.network.Network`.

    Parameters
    ----------
    file : OnnxFile
        The file, read and checked.
    threads : int
        Number of threads.
    providers : sequence of str, optional
        Execution providers in order of preference, such as "CUDAExecutionProvider". Default: the CPU.

    Raises
    ------
    ModelError
        If the file cannot be run.
    MissingRuntimeError
        If ONNX Runtime, or a provider, is not installed.
    """

    runtime = "onnxruntime"
    options: Mapping[str, Any] = {}

    def __init__(self, file: OnnxFile, *, threads: int = 1, providers: Sequence[str] | None = None) -> None:
        self.path, self._file, self._lock = file.path, file, Turnstile()
        self._onnxruntime = import_onnxruntime()
        self._providers = _checked_providers(providers, self._onnxruntime)
        self._threads = checked_threads(threads)
        self._start(file.content)
        shapes = [tuple(size if isinstance(size, int) else -1 for size in port.shape) for port in self._inputs]
        self._axes = image_axes(shapes, self.path)
        own = self._axes.size_of(shapes[0])
        self._is_open = own is None
        if self._inputs[0].type not in TYPES:
            raise ModelError(f"{self.path} takes images of type {self._inputs[0].type}: only numbers are supported")
        if own is None:
            resized_to_first(self, OPEN_INPUT_SIZES)
        else:
            self.resize_input(own)

    @property
    def producers(self) -> Mapping[str, str]:
        """Name of the operator that computes each output."""
        return self._file.producers

    @property
    def aliases(self) -> Mapping[str, str]:
        """Descriptive names for outputs whose own names say nothing."""
        return self._file.aliases

    def resize_input(self, size: ImageSize) -> None:
        """Change the input size; `ModelError` if the model only runs at its own."""
        with self._lock:
            dtype = given_type(np.dtype(TYPES[self._inputs[0].type]), self.path)
            blank = np.zeros((1, size.height, size.width, 3), dtype)
            try:
                arrays = self._infer(blank)
            except ModelError as error:
                if self._is_open:
                    raise self._bound(size, error) from error
                try:
                    self._start(self._file.open_size())
                    arrays = self._infer(blank)
                except ModelError as error:
                    self._start(self._file.content)
                    raise self._bound(size, error) from error
                self._is_open = True
            self.input = TensorInfo("input", blank.shape, dtype)
            self.outputs = tuple(
                TensorInfo(name, array.shape, array.dtype, *self._units(name, array))
                for name, array in zip(self._names, arrays, strict=True)
            )

    def cell_shift(self, output: str, size: ImageSize) -> tuple[float, float] | None:
        """Return x and y, in input pixels, of the centre of an output's first cell at an input size."""
        return self._file.cell_shift(output, size)

    def _run(self, image: NDArray[Any]) -> list[NDArray[Any]]:
        """Run one image at its own size."""
        if self._lock.is_inherited:
            with self._lock:
                self._inherited = self._session  # deleting it would wait for its threads
                self._start(self._content)
                self._lock.is_inherited = False
        if image.shape != self.input.shape and not self._is_open:
            self.resize_input(ImageSize(image.shape[2], image.shape[1]))
        return self._infer(image)

    def _start(self, content: bytes) -> None:
        """Create the session."""
        options = self._onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = self._threads, 1
        options.log_severity_level = 4
        try:
            self._content = content
            self._session = self._onnxruntime.InferenceSession(content, options, providers=self._providers)
        except Exception as error:
            raise ModelError(f"onnxruntime cannot load {self.path}: {one_line(error)}") from error
        self._inputs = self._session.get_inputs()
        self._names = [port.name for port in self._session.get_outputs()]

    def _infer(self, image: NDArray[Any]) -> list[NDArray[Any]]:
        """Run one image."""
        tensor = image.transpose(0, 3, 1, 2) if self._axes.channels_first else image
        tensor = np.ascontiguousarray(tensor, TYPES[self._inputs[0].type])
        try:
            arrays = self._session.run(self._names, {self._inputs[0].name: tensor})
        except Exception as error:
            raise ModelError(f"onnxruntime failed to run {self.path}: {one_line(error)}") from error
        return [array.astype(np.float32) if array.dtype == np.float16 else array for array in map(np.asarray, arrays)]

    def _units(self, name: str, array: NDArray[Any]) -> tuple[float, int]:
        """Return an output's scale and zero point; 0 and 0 for real numbers."""
        return self._file.units.get(name, (0.0, 0)) if array.dtype in (np.uint8, np.int8) else (0.0, 0)

    def _bound(self, size: ImageSize, error: ModelError) -> ModelError:
        return ModelError(f"{self.path} {cannot_run_at(size)}: {one_line(error)}")


def import_onnxruntime() -> Any:
    """Return ONNX Runtime.

    Raises
    ------
    MissingRuntimeError
        If it is not installed.
    """
    try:
        import onnxruntime

        onnxruntime.set_default_logger_severity(4)
        return onnxruntime
    except Exception as error:  # a broken installation fails in many ways
        raise MissingRuntimeError(
            f"runtime onnxruntime could not be imported ({one_line(error)}): pip install 'bottomup[onnx]'"
        ) from error


def _checked_providers(providers: Any, module: Any) -> list[str]:
    """Return the providers to use; all must be installed."""
    if providers is None:
        return ["CPUExecutionProvider"]
    if isinstance(providers, (str, bytes)) or not all(isinstance(name, str) for name in providers):
        raise InputError(f'providers must be names, such as ["CUDAExecutionProvider"], got {providers!r}')
    there = module.get_available_providers()
    missing = [name for name in providers if name not in there]
    if missing:
        raise MissingRuntimeError(f"providers {missing} are not installed, ONNX Runtime has {there}")
    return list(providers)
