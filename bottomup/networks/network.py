"""What a network is to the rest of the library: an image in, named tensors out."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from bottomup.errors import InputError
from bottomup.geometry import ImageSize
from bottomup.tensors import Field, TensorInfo

__all__ = ["OPEN_INPUT_SIZES", "Network", "checked_threads", "one_line"]

#: Sizes to start with where a model leaves its input's size open, in the order in which they are tried: whole strides
#: of 8, 16 and 32 pixels plus 1, as PoseNets take them; whole strides, as networks that halve and double do.
OPEN_INPUT_SIZES = (ImageSize(641, 481), ImageSize(640, 480))


class Network(Protocol):
    """A model file, ready to run. Threads may share one: it serves one at a time."""

    @property
    def path(self) -> Path:
        """The model file."""

    @property
    def runtime(self) -> str:
        """What runs it: "litert", "tflite_runtime", "tensorflow", "openvino" or "onnxruntime"."""

    @property
    def input(self) -> TensorInfo:
        """The image that it takes, (1, height, width, 3) whatever the layout inside the file."""

    @property
    def outputs(self) -> tuple[TensorInfo, ...]:
        """What it gives at the present input size, in the file's order and layout."""

    @property
    def options(self) -> Mapping[str, Any]:
        """What a decoder that was cut off the file was set to; empty where there was none."""

    @property
    def producers(self) -> Mapping[str, str]:
        """Name of the operator that computes each output, as "LOGISTIC", as far as the file tells."""

    @property
    def input_size(self) -> ImageSize:
        """Width and height of the image that it takes."""

    def resize_input(self, size: ImageSize) -> None:
        """Have it take images of another size; `ModelError` where it is bound to its own."""

    def run(self, image: NDArray[Any]) -> dict[str, Field]:
        """Return the outputs by name, of one (1, height, width, 3) input tensor, at that tensor's own size."""

    def cell_shift(self, output: str, size: ImageSize) -> tuple[float, float] | None:
        """Return x and y, in input pixels, of the middle of an output's first cell at an input size.

        Pixel 0's own middle is 0. None where the graph does not tell.
        """


def checked_threads(threads: Any) -> int:
    """Return a number of threads that can be one."""
    if isinstance(threads, bool) or not isinstance(threads, (int, np.integer)) or not 1 <= threads <= 1024:
        raise InputError(f"threads must be a whole number from 1 to 1024, got {threads!r}")
    return int(threads)


def one_line(error: BaseException) -> str:
    """Return an error's message, of which runtimes' have several lines, as one."""
    return " ".join(str(error).split()) or type(error).__name__
