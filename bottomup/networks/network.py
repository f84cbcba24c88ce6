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

#: Sizes to try, in this order, for a model that leaves its input size open: whole strides of 8, 16 and 32 pixels plus 1
#: for PoseNets, then whole strides for networks that downsample and upsample.
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
        """What it gives at the current input size, in the file's order and layout."""

    @property
    def options(self) -> Mapping[str, Any]:
        """Settings of the decoder that was cut off the file; empty if there was none."""

    @property
    def producers(self) -> Mapping[str, str]:
        """Name of the operator that computes each output, such as "LOGISTIC", where the file says so."""

    @property
    def aliases(self) -> Mapping[str, str]:
        """Descriptive names for outputs such as "Identity_1", from the tensors they are computed from."""

    @property
    def input_size(self) -> ImageSize:
        """Width and height of the image that it takes."""

    def resize_input(self, size: ImageSize) -> None:
        """Change the input size; `ModelError` if the model only runs at its own."""

    def run(self, image: NDArray[Any]) -> dict[str, Field]:
        """Return the outputs by name, of one (1, height, width, 3) input tensor, at that tensor's own size."""

    def cell_shift(self, output: str, size: ImageSize) -> tuple[float, float] | None:
        """Return x and y, in input pixels, of the centre of an output's first cell at an input size.

        The centre of pixel 0 is 0. None where the graph does not say.
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
        InputError
            If the tensor holds fractions and the network takes levels.
        """
        if image.dtype.kind == "f" and self.input.dtype.kind != "f":
            raise InputError(
                f"{self.path} takes {self.input.dtype} levels, got {image.dtype}: pass those, not fractions"
            )
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
    """Return a number of threads, checked."""
    if isinstance(threads, bool) or not isinstance(threads, (int, np.integer)) or not 1 <= threads <= 1024:
        raise InputError(f"threads must be a whole number from 1 to 1024, got {threads!r}")
    return int(threads)


def one_line(error: BaseException) -> str:
    """Return an error's message on one line; messages of runtimes span several."""
    return " ".join(str(error).split()) or type(error).__name__


class ImageAxes(NamedTuple):
    """The order of axes in a file's input tensor."""

    channels_first: bool

    def shape(self, height: int, width: int) -> list[int]:
        """Return the input's shape for an image of that size."""
        return [1, 3, height, width] if self.channels_first else [1, height, width, 3]

    def size_of(self, shape: tuple[int, ...]) -> ImageSize | None:
        """Return an input's width and height; None where they are left open."""
        height, width = shape[2:] if self.channels_first else shape[1:3]
        return None if min(height, width) < 1 or (height, width) == (1, 1) else ImageSize(width, height)


def image_axes(shapes: Sequence[tuple[int, ...]], path: Path) -> ImageAxes:
    """Return the order of axes of a file's only input; open sizes are -1.

    Raises
    ------
    ModelError
        If there is not exactly one input, or it is not an image.
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
    """Return the type in which callers pass images: float32 for real numbers, 8-bit pixels for integers."""
    if dtype.kind == "f":
        return np.dtype(np.float32)
    if dtype in (np.uint8, np.int8):
        return np.dtype(dtype)
    if dtype in (np.int32, np.int64, np.uint16, np.uint32, np.int16):
        return np.dtype(np.uint8)
    raise ModelError(f"{path} takes images of {dtype}: only floats and integers are supported")


def resized_to_first(network: Network, sizes: Sequence[ImageSize]) -> None:
    """Resize a network to the first of these sizes that it accepts."""
    *others, last = dict.fromkeys(sizes)
    for size in others:
        try:
            return network.resize_input(size)
        except ModelError:
            continue
    network.resize_input(last)
