"""From a model file to a network that is ready to run: which runtime runs which file.

The runtimes for each kind of file, in the order they are tried:

========== ====================================================
.tflite    litert, tflite_runtime, tensorflow, openvino
.xml       openvino
.onnx      onnxruntime, openvino
========== ====================================================

One kind of .tflite file goes to OpenVINO first if that is installed: plain
chains of uint8 convolutions such as Coral's PoseNets, which it runs two to
four times as fast with the same average precision. Other .tflite files run
slower in it, or give different outputs (`runs_better_in_openvino` has the
figures). Both need the same time for a float .onnx file (a MobileNet of
368 x 432: 89 and 92 ms of CPU), and ONNX Runtime loads it in half the time.
OpenVINO ran an 8-bit one in 10 ms against 27, but took 12 seconds to load it,
and its boxes differed. `runtime=` forces a choice.
"""

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from bottomup.errors import InputError, MissingRuntimeError, ModelError
from bottomup.family import Cut, GraphView
from bottomup.networks.kinds import Kind, kind_of
from bottomup.networks.litert import RUNTIMES as TFLITE_RUNTIMES
from bottomup.networks.litert import LiteRtNetwork
from bottomup.networks.network import Network
from bottomup.networks.onnx import OnnxNetwork
from bottomup.networks.onnx_file import OnnxFile
from bottomup.networks.openvino import OpenVinoNetwork
from bottomup.networks.tflite.graph import TfliteGraph, read_graph

__all__ = ["RUNTIMES", "open_network", "runs_better_in_openvino", "runtimes_for"]

#: All runtimes, by the names that `runtime=` takes.
RUNTIMES = (*TFLITE_RUNTIMES, "openvino", "onnxruntime")
#: What runs each kind of file, in the order they are tried.
ORDER: dict[Kind, tuple[str, ...]] = {
    "tflite": (*TFLITE_RUNTIMES, "openvino"),
    "xml": ("openvino",),
    "onnx": ("onnxruntime", "openvino"),
}
#: Each runtime's top-level module.
MODULES = {name: module.split(".")[0] for name, module in TFLITE_RUNTIMES.items()} | {
    name: name for name in ("openvino", "onnxruntime")
}


def open_network(
    path: str | Path,
    *,
    runtime: str | None = None,
    threads: int = 1,
    delegate: Any = None,
    reference_kernels: bool = False,
    cut: Callable[[GraphView], Cut | None] | None = None,
    providers: Sequence[str] | None = None,
    device: str | None = None,
    trusted: bool = False,
) -> Network:
    """Open a model file.

    Parameters
    ----------
    path : str or Path
        A .tflite or .onnx file, or OpenVINO's .xml with its .bin beside it.
    runtime : {"litert", "tflite_runtime", "tensorflow", "openvino", "onnxruntime"}, optional
        Default: the first installed one that runs the file, in this module's order.
    threads : int
        Number of threads.
    delegate : str, Path or loaded delegate, optional
        Runs all or part of a .tflite file instead of the interpreter, such as "libedgetpu.so.1".
    reference_kernels : bool
        Run TFLite's reference kernels, whose outputs are the same on every machine.
    cut : callable, optional
        Says where to cut a .tflite file, before anything runs.
    providers : sequence of str, optional
        ONNX Runtime's execution providers in order of preference, such as "CUDAExecutionProvider".
    device : str, optional
        OpenVINO's device, such as "GPU" or "AUTO".
    trusted : bool
        Also run files with operators that Bottomup does not know. A damaged one may end the process.

    Raises
    ------
    ModelError
        If there is no such file, or it cannot be read or run.
    MissingRuntimeError
        If the requested runtime, or every runtime that runs the file, is missing.
    InputError
        If an argument is invalid.
    """
    if runtime is not None and runtime not in RUNTIMES:
        raise InputError(f"runtime must be one of {', '.join(RUNTIMES)} or None, got {runtime!r}")
    kind = kind_of(path)
    path = Path(path)
    runtime = _wanted(path, kind, runtime, delegate, reference_kernels, providers, device)
    source: Any = path
    if kind == "tflite":
        source = read_graph(path, cut, trusted=trusted)
    elif kind == "onnx":
        source = OnnxFile(path, trusted=trusted)
    needs_tflite = delegate is not None or reference_kernels or (kind == "tflite" and bool(source.custom_operators))
    candidates = [runtime] if runtime else _candidates(source, kind, needs_tflite)
    settings: dict[str, dict[str, Any]] = {
        "openvino": {"device": device},
        "onnxruntime": {"providers": providers},
    }
    of_tflite = {"delegate": delegate, "reference_kernels": bool(reference_kernels)}
    failure: Exception | None = None
    for name in candidates:
        try:
            if name in TFLITE_RUNTIMES:
                return LiteRtNetwork(source, runtime=name, threads=threads, **of_tflite)
            network = OpenVinoNetwork if name == "openvino" else OnnxNetwork
            return network(source, threads=threads, **settings[name])
        except (ModelError, MissingRuntimeError) as error:
            failure = failure if isinstance(failure, ModelError) else error
    raise failure or MissingRuntimeError(_how_to_install(path, kind))


def runtimes_for(path: str | Path) -> list[str]:
    """Return the installed runtimes that can run a file, `open_network`'s default first.

    Raises
    ------
    ModelError
        If there is no such file, or it is damaged.
    MissingRuntimeError
        If none is installed.
    """
    kind, path = kind_of(path), Path(path)
    found = _candidates(read_graph(path) if kind == "tflite" else path, kind, needs_tflite=False)
    if not found:
        raise MissingRuntimeError(_how_to_install(path, kind))
    return found


def runs_better_in_openvino(graph: TfliteGraph) -> bool:
    """Tell whether a .tflite file is of the kind that OpenVINO runs faster with equal outputs.

    That is a plain chain of uint8 convolutions. CPU milliseconds of one
    thread on one machine, TFLite / OpenVINO 2026.4: Coral's PoseNet 641x481
    42 / 20. TFLite is faster for models with int8 inside (Coral's BodyPix
    66 / 88), with sums and resizes (tf-pose in uint8 88 / 106, whose outputs
    differ by 3.7 levels) or with float activations (tf-pose dm14 62 / 108).
    """
    chain = {"CONV_2D", "DEPTHWISE_CONV_2D", "CONCATENATION", "RESHAPE"}
    operators = [operator for operator in graph.operators if operator.name not in graph.custom_operators]
    if not operators or not {operator.name for operator in operators} <= chain:
        return False
    written = [graph.tensors[number] for operator in operators for number in operator.outputs]
    return all(tensor.dtype == "uint8" and tensor.scale for tensor in written)


def _wanted(
    path: Path, kind: Kind, runtime: str | None, delegate: Any, reference: bool, providers: Any, device: Any
) -> str | None:
    """Return the runtime that the arguments ask for, if any does."""
    if runtime is not None and runtime not in ORDER[kind]:
        raise InputError(f"runtime {runtime!r} does not run {path.name}: pass {' or '.join(map(repr, ORDER[kind]))}")
    for given, name, needed in (
        (providers is not None, "providers", "onnxruntime"),
        (device is not None, "device", "openvino"),
    ):
        if given and (needed not in ORDER[kind] or runtime not in (None, needed)):
            raise InputError(f"{name} is for runtime {needed!r}, which does not run {path.name} here: leave it out")
        runtime = needed if given else runtime
    if (delegate is not None or reference) and (kind != "tflite" or runtime in ("openvino", "onnxruntime")):
        raise InputError(
            f"delegate and reference_kernels are for TFLite's runtimes: leave them out to run {path.name} in another"
        )
    return runtime


def _candidates(source: Any, kind: Kind, needs_tflite: bool) -> list[str]:
    """Return the installed runtimes that can run a file, best first; litert if TFLite is needed and not installed."""
    installed = [name for name in ORDER[kind] if _is_installed(name)]
    if kind != "tflite":
        return installed
    if needs_tflite:
        return [name for name in installed if name != "openvino"] or ["litert"]
    if "openvino" in installed and runs_better_in_openvino(source):
        return ["openvino", *[name for name in installed if name != "openvino"]]
    return installed or ["litert"]


def _is_installed(name: str) -> bool:
    """Tell whether a runtime can be found, without importing it."""
    try:
        return find_spec(MODULES[name]) is not None
    except (ImportError, ValueError):
        return False


def _how_to_install(path: Path, kind: Kind) -> str:
    """Say which extra to install for a kind of file."""
    extra = "openvino" if kind == "xml" else "onnx"
    return f"no runtime that runs {path.name} is installed: pip install 'bottomup[{extra}]'"
