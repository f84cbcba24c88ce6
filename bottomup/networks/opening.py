"""From a model file to a network that is ready to run: which runtime runs which file."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from bottomup.errors import InputError, ModelError
from bottomup.family import Cut, GraphView
from bottomup.networks.kinds import kind_of
from bottomup.networks.litert import RUNTIMES as TFLITE_RUNTIMES
from bottomup.networks.litert import LiteRtNetwork
from bottomup.networks.network import Network
from bottomup.networks.tflite.coral import coral_cut
from bottomup.networks.tflite.graph import read_graph

__all__ = ["RUNTIMES", "open_network"]

#: All runtimes, by the names that `runtime=` takes.
RUNTIMES = tuple(TFLITE_RUNTIMES)


def open_network(
    path: str | Path,
    *,
    runtime: str | None = None,
    threads: int = 1,
    delegate: Any = None,
    reference_kernels: bool = False,
    cut: Callable[[GraphView], Cut | None] | None = None,
) -> Network:
    """Open a model file.

    Parameters
    ----------
    path : str or Path
        A .tflite file.
    runtime : str, optional
        One of `RUNTIMES`. Default: the first that is installed and runs such files.
    threads : int
        Threads of the network.
    delegate : str, Path or loaded delegate, optional
        What runs (part of) a .tflite file in the interpreter's place, as "libedgetpu.so.1".
    reference_kernels : bool
        Run TFLite's plain kernels, whose outputs are the same on every machine.
    cut : callable, optional
        Is asked where to cut a .tflite file, before anything is run.

    Raises
    ------
    ModelError
        If there is no such file, or it cannot be read or run.
    MissingRuntimeError
        If no runtime that runs it, or not the one asked for, is installed.
    InputError
        If an argument is not what it must be.
    """
    if runtime is not None and runtime not in RUNTIMES:
        raise InputError(f"runtime must be one of {', '.join(RUNTIMES)} or None, got {runtime!r}")
    kind = kind_of(path)
    if kind != "tflite":
        raise ModelError(f"{path} needs a runtime that is not there yet")
    graph = read_graph(path, cut or coral_cut)
    return LiteRtNetwork(
        graph, runtime=runtime, threads=threads, delegate=delegate, reference_kernels=bool(reference_kernels)
    )
