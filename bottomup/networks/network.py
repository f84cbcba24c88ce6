"""What a network is to the rest of the library: an image in, named tensors out."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from bottomup.errors import InputError, ModelError
from bottomup.geometry import ImageSize
from bottomup.tensors import Field, Quantized, TensorInfo

__all__ = [
    "OPEN_INPUT_SIZES",
    "ImageAxes",
    "Network",
    "RuntimeNetwork",
    "cannot_run_at",
    "checked_threads",
    "given_type",
    "image_axes",
    "one_line",
    "resized_to_first",
]

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
    def aliases(self) -> Mapping[str, str]:
        """Telling names, from the tensors that outputs are made of, of outputs whose own say nothing: "Identity_1"."""

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


class RuntimeNetwork:
    """What the networks of all runtimes share."""

    path: Path
    input: TensorInfo
    outputs: tuple[TensorInfo, ...]

    @property
    def input_size(self) -> ImageSize:
        """Width and height of the image that the network takes."""
        return ImageSize(self.input.shape[2], self.input.shape[1])

    def run(self, image: NDArray[Any]) -> dict[str, Field]:
        """Return the outputs, {name: float array or Quantized}, of one (1, height, width, 3) input tensor.

        A tensor of another height or width than `input_size` is run at its
        own, unless the model only runs at one size.

        Raises
        ------
        ModelError
            If the runtime fails.
        """
        arrays = self._run(image)
        return {
            info.name: Quantized(array, info.scale, info.zero_point) if info.scale else array
            for info, array in zip(self.outputs, arrays, strict=True)
        }

    def _run(self, image: NDArray[Any]) -> list[NDArray[Any]]:
        """Return the outputs as the runtime gives them."""
        raise NotImplementedError


def cannot_run_at(size: ImageSize) -> str:
    """Say, after a model's name, that it only runs at its own size."""
    return f"cannot be run at input_size=({size.width}, {size.height}), leave input_size out"


def checked_threads(threads: Any) -> int:
    """Return a number of threads that can be one."""
    if isinstance(threads, bool) or not isinstance(threads, (int, np.integer)) or not 1 <= threads <= 1024:
        raise InputError(f"threads must be a whole number from 1 to 1024, got {threads!r}")
    return int(threads)


def one_line(error: BaseException) -> str:
    """Return an error's message, of which runtimes' have several lines, as one."""
    return " ".join(str(error).split()) or type(error).__name__


class ImageAxes(NamedTuple):
    """How an image lies in a file's input tensor."""

    channels_first: bool

    def shape(self, height: int, width: int) -> list[int]:
        """Return the shape of the input of such images."""
        return [1, 3, height, width] if self.channels_first else [1, height, width, 3]

    def size_of(self, shape: tuple[int, ...]) -> ImageSize | None:
        """Return an input's width and height; None where they are left open."""
        height, width = shape[2:] if self.channels_first else shape[1:3]
        return None if min(height, width) < 1 or (height, width) == (1, 1) else ImageSize(width, height)


def image_axes(shapes: Sequence[tuple[int, ...]], path: Path) -> ImageAxes:
    """Return how an image lies in the only input that a file must have; sizes left open are -1.

    Raises
    ------
    ModelError
        If there are more inputs, or this is no image.
    """
    shape = shapes[0] if len(shapes) == 1 else ()
    if len(shape) == 4 and shape[0] in (1, -1) and 0 not in shape:
        if shape[3] == 3:
            return ImageAxes(channels_first=False)
        if shape[1] == 3:
            return ImageAxes(channels_first=True)
    wanted = "(1, height, width, 3) or (1, 3, height, width)"
    raise ModelError(f"{path} must take one image, {wanted}, but takes {list(shapes)}")


def given_type(dtype: np.dtype[Any], path: Path) -> np.dtype[Any]:
    """Return the type in which callers give an image: real numbers as float32, whole ones as pixels."""
    if dtype.kind == "f":
        return np.dtype(np.float32)
    if dtype in (np.uint8, np.int8):
        return np.dtype(dtype)
    if dtype in (np.int32, np.int64, np.uint16, np.uint32, np.int16):
        return np.dtype(np.uint8)
    raise ModelError(f"{path} takes images of {dtype}: only real numbers and whole ones are known")


def resized_to_first(network: Network, sizes: Sequence[ImageSize]) -> None:
    """Have a network that leaves its size open take images of the first of these sizes that it allows."""
    *others, last = dict.fromkeys(sizes)
    for size in others:
        try:
            return network.resize_input(size)
        except ModelError:
            continue
    network.resize_input(last)
