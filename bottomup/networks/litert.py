"""Running a .tflite file: which interpreter, which delegate, arrays in and arrays out."""

import ctypes
import importlib
import math
import os
import warnings
from collections.abc import Mapping
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
    one_line,
    resized_to_first,
)
from bottomup.networks.tflite.graph import TfliteGraph
from bottomup.networks.tflite.validate import MAX_BYTES
from bottomup.tensors import TensorInfo
from bottomup.workspaces import Turnstile

__all__ = ["EDGETPU_OP", "PIP_LINES", "RUNTIMES", "LiteRtNetwork", "import_runtime"]

#: The module of each runtime's `Interpreter`, in the order they are tried.
RUNTIMES = {
    "litert": "ai_edge_litert.interpreter",
    "tflite_runtime": "tflite_runtime.interpreter",
    "tensorflow": "tensorflow.lite.python.interpreter",
}
#: How to install each.
PIP_LINES = {
    "litert": "pip install ai-edge-litert",
    "tflite_runtime": "pip install 'bottomup[tflite-runtime]', available for Linux and Python up to 3.11",
    "tensorflow": "pip install 'bottomup[tensorflow]'",
}
EDGETPU_OP = "edgetpu-custom-op"


class LiteRtNetwork(RuntimeNetwork):
    """A .tflite file in one of TFLite's own runtimes; a `bottomup.networks.network.Network`.

    It has one interpreter, which threads use in turn.

    Parameters
    ----------
    graph : TfliteGraph
        The file, read and checked.
    runtime : {"litert", "tflite_runtime", "tensorflow"}, optional
        Default: the first of these that is installed.
    threads : int
        Number of threads. One is fastest for small networks.
    delegate : str, Path or loaded delegate, optional
        Runs all or part of the network instead of the interpreter, such as
        "libedgetpu.so.1" for an Edge TPU.
    reference_kernels : bool
        Run TFLite's reference kernels: 10 to 15 times slower, but their
        outputs are the same on every machine and runtime. Each fast kernel
        rounds in its own way.

    Raises
    ------
    ModelError
        If the file cannot be run.
    MissingRuntimeError
        If the requested runtime, any runtime at all or the delegate is not installed.
    """

    def __init__(
        self,
        graph: TfliteGraph,
        *,
        runtime: str | None = None,
        threads: int = 1,
        delegate: Any = None,
        reference_kernels: bool = False,
    ) -> None:
        self.graph, self.path, self.options, self.producers = graph, graph.path, graph.options, graph.producers
        threads = checked_threads(threads)
        _refuse_custom_operators(graph, delegate)
        self.runtime, module = import_runtime(runtime)
        self._module = module
        self._settings = {
            "num_threads": threads,
            "experimental_delegates": None if delegate is None else [_load_delegate(delegate, module)],
            "experimental_op_resolver_type": _kernels(module, reference_kernels),
        }
        self._lock, self._axes = Turnstile(), graph.axes
        self._start(graph.content)
        if graph.input_size is None:
            resized_to_first(self, OPEN_INPUT_SIZES)
        else:
            self._allocate("cannot be run")
            self._look_up()

    @property
    def aliases(self) -> Mapping[str, str]:
        """Descriptive names for outputs whose own names say nothing."""
        return self.graph.aliases

    def resize_input(self, size: ImageSize) -> None:
        """Change the input size; `ModelError` if the model only runs at its own."""
        with self._lock:
            self._restart_if_inherited()
            self._resize((1, size.height, size.width, 3))
            self._look_up()

    def cell_shift(self, output: str, size: ImageSize) -> tuple[float, float] | None:
        """Return x and y, in input pixels, of the centre of an output's first cell at an input size."""
        return self.graph.cell_shift(output, size)

    def _run(self, image: NDArray[Any]) -> list[NDArray[Any]]:
        """Run one image; threads take turns."""
        with self._lock:
            self._restart_if_inherited()
            if image.shape != self._shape:
                self._resize(image.shape)
            try:
                self._interpreter.set_tensor(self._input_index, self._laid_out(image))
                self._interpreter.invoke()
                return [self._interpreter.get_tensor(index) for index in self._output_indices]
            except Exception as error:
                raise ModelError(f"{self.runtime} failed to run {self.path}: {one_line(error)}") from error

    def _laid_out(self, image: NDArray[Any]) -> NDArray[Any]:
        """Return an image in the file's own layout and type."""
        tensor = image.transpose(0, 3, 1, 2) if self._axes.channels_first else image
        return tensor.astype(self._input_type, copy=False)

    def _start(self, content: bytes) -> None:
        """Create the interpreter."""
        try:
            with warnings.catch_warnings():  # tensorflow's warns at length that it is deprecated
                warnings.filterwarnings("ignore", message=r"\s*Warning: tf\.lite\.Interpreter is deprecated")
                self._interpreter = self._module.Interpreter(model_content=content, **self._settings)
        except SystemError as error:  # how tflite-runtime reports numpy 2
            hint = f"needs numpy<2, got {np.__version__}: pip install ai-edge-litert, or pip install 'numpy<2'"
            raise MissingRuntimeError(f"{self.runtime} {hint}") from error
        except Exception as error:
            raise ModelError(f"{self.runtime} cannot load {self.path}: {one_line(error)}") from error
        self._input_index = self._look_at_input()

    def _restart_if_inherited(self) -> None:
        """In a forked process, create a new interpreter: the inherited one may be mid-run and has lost its threads."""
        if self._lock.is_inherited:
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._interpreter))  # deleting it would wait for its threads
            self._start(self.graph.content)
            self._resize(self._shape)
            self._lock.is_inherited = False

    def _look_at_input(self) -> int:
        """Return the input's index, and remember its type."""
        detail = self._interpreter.get_input_details()[0]
        self._input_type = np.dtype(detail["dtype"])
        return int(detail["index"])

    def _resize(self, shape: tuple[int, ...]) -> None:
        """Resize the interpreter's input."""
        _, height, width, _ = shape
        if self.graph.fixes_resizes:
            self._start(self.graph.for_size(ImageSize(width, height)))
        try:
            self._interpreter.resize_tensor_input(self._input_index, self._axes.shape(height, width))
        except Exception as error:
            raise ModelError(f"{self.path} does not take an input of {width} x {height}: {one_line(error)}") from error
        self._allocate(cannot_run_at(ImageSize(width, height)))
        self._shape = shape

    def _allocate(self, trouble: str) -> None:
        """Allocate all tensors."""
        try:
            self._interpreter.allocate_tensors()
        except Exception as error:
            raise ModelError(f"{self.path} {trouble}: {one_line(error)}") from error
        details = self._interpreter.get_tensor_details()
        total = sum(math.prod(map(int, detail["shape"])) * np.dtype(detail["dtype"]).itemsize for detail in details)
        if total > MAX_BYTES:
            raise ModelError(f"{self.path} {trouble}: its tensors take {total} bytes, more than {MAX_BYTES}")

    def _look_up(self) -> None:
        """Look up the input and outputs."""
        image = _tensor_info("input", self._interpreter.get_input_details()[0])
        height, width = image.shape[2:] if self._axes.channels_first else image.shape[1:3]
        self._shape = (1, height, width, 3)
        self.input = image._replace(shape=self._shape, dtype=given_type(image.dtype, self.path))
        details = self._interpreter.get_output_details()
        names = self.graph.output_names
        self.outputs = tuple(_tensor_info(name, detail) for name, detail in zip(names, details, strict=True))
        self._output_indices = [int(detail["index"]) for detail in details]


def import_runtime(runtime: str | None = None) -> tuple[str, Any]:
    """Return a runtime's name and its interpreter's module: the requested one, else the first that is installed.

    Raises
    ------
    MissingRuntimeError
        If it is not installed.
    """
    if runtime is not None and runtime not in RUNTIMES:
        raise InputError(f"runtime must be one of {', '.join(RUNTIMES)} or None, got {runtime!r}")
    failures = []
    for name in [runtime] if runtime else RUNTIMES:
        try:
            return name, importlib.import_module(RUNTIMES[name])
        except Exception as error:  # a broken installation fails in many ways, as does one built for numpy 1
            failures.append(f"{name} ({one_line(error)})")
    raise MissingRuntimeError(
        f"no TFLite runtime could be imported, tried {', '.join(failures)}: {PIP_LINES[runtime or 'litert']}"
    )


def _refuse_custom_operators(graph: TfliteGraph, delegate: Any) -> None:
    """Refuse operators that no runtime has, and say what to do."""
    if not graph.custom_operators or delegate is not None:
        return
    if EDGETPU_OP in graph.custom_operators:
        raise ModelError(
            f'{graph.path} is compiled for the Edge TPU: pass delegate="libedgetpu.so.1", '
            "or use the CPU file, whose name is the same without _edgetpu"
        )
    raise ModelError(
        f"{graph.path} needs operators that no TFLite runtime has, {', '.join(graph.custom_operators)}: "
        "convert the model without them, or pass the delegate that runs them"
    )


def _kernels(module: Any, reference: bool) -> Any:
    """Return the interpreter's option for the kernels to run."""
    kinds = module.OpResolverType
    return kinds.BUILTIN_REF if reference else kinds.AUTO


def _load_delegate(delegate: Any, module: Any) -> Any:
    """Return a delegate object; anything but a path or name already is one."""
    if not isinstance(delegate, (str, os.PathLike)):
        return delegate
    name = os.fspath(delegate)
    try:
        library = ctypes.CDLL(name)  # raises cleanly; load_delegate would leave a broken object behind
    except OSError as error:
        raise MissingRuntimeError(
            f"delegate {name!r} cannot be loaded: {error}. Install it (for an Edge TPU libedgetpu1-std, from Coral's "
            "package archive) or leave delegate out and use the CPU file"
        ) from error
    if not hasattr(library, "tflite_plugin_create_delegate"):
        raise ModelError(
            f"delegate {name!r} is a library but not a TFLite delegate: for an Edge TPU pass libedgetpu.so.1"
        )
    try:
        return module.load_delegate(name)
    except Exception as error:
        raise ModelError(
            f"delegate {name!r} refused to start, is its device connected and may this user open it? {one_line(error)}"
        ) from error


def _tensor_info(name: str, detail: dict[str, Any]) -> TensorInfo:
    """Return the interpreter's description of a tensor."""
    shape, dtype = tuple(int(size) for size in detail["shape"]), np.dtype(detail["dtype"])
    scale, zero_point = detail["quantization"] if dtype in (np.uint8, np.int8) else (0, 0)
    return TensorInfo(name, shape, dtype, float(scale), int(zero_point))
