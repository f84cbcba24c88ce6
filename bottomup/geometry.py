"""Where things are: cell <-> model-input pixel <-> image pixel, each step one function and its inverse.

Three frames. A *cell* is a place in a field, (row, column), fractions
allowed. An *input pixel* is a place in the network's input, (x, y). An
*image pixel* is a place in the user's image, (x, y). Pixel (0, 0) has its
centre at (0.0, 0.0). This module is where y, x becomes x, y; the kernels'
own copy of that swap is `kernels.sampling.write_keypoint`.

PoseNet's cell (r, c) lies at input pixel (c * stride, r * stride).
Resizing follows OpenCV: pixel i of n resized pixels covers the same part
of the image as (i + 0.5) / n, so centres map by (x + 0.5) * scale - 0.5.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bottomup.errors import InputError
from bottomup.images import import_cv2

__all__ = [
    "ImageSize",
    "Letterbox",
    "Placement",
    "Resize",
    "Stretch",
    "as_size",
    "cell_to_input",
    "image_to_input",
    "input_to_cell",
    "input_to_image",
    "lay_out",
]


class ImageSize(NamedTuple):
    """Size in pixels; named, because half of the field writes (height, width)."""

    width: int
    height: int


def as_size(given: Any, name: str = "input_size") -> ImageSize:
    """Return a (width, height) that can be one; `name` is for complaints."""
    try:
        size = ImageSize(*(int(side) for side in given))
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"{name} must be (width, height) in pixels, got {given!r}") from error
    if min(size) < 1:
        raise InputError(f"{name} must be (width, height), at least 1 pixel each, got {given!r}")
    return size


class Placement(NamedTuple):
    """Where the resized image lies in the network's input."""

    scale_x: float  #: input pixels per image pixel, across
    scale_y: float  #: input pixels per image pixel, down
    left: int  #: input column of the image's first column
    top: int  #: input row of the image's first row
    resized: ImageSize  #: size of the image inside the input


@dataclass(frozen=True)
class Letterbox:
    """Keep the image's aspect: resize it to fit, pad the rest.

    Attributes
    ----------
    centred : bool
        Image in the middle; the default is the top left corner, where no
        padding shifts coordinates.
    pad_value : int
        Grey level of the padding, 0 to 255. 128 is 0 to most networks.
    """

    centred: bool = False
    pad_value: int = 128

    def __post_init__(self) -> None:
        if not isinstance(self.pad_value, (int, np.integer)) or not 0 <= self.pad_value <= 255:
            raise InputError(f"pad_value must be a grey level, a whole number from 0 to 255, got {self.pad_value!r}")

    def place(self, image_size: ImageSize, input_size: ImageSize) -> Placement:
        """Return where an image of `image_size` comes to lie in an input of `input_size`, each (width, height)."""
        image_size, input_size = as_size(image_size, "image_size"), as_size(input_size)
        scale = min(input_size.width / image_size.width, input_size.height / image_size.height)
        resized = ImageSize(
            min(max(round(image_size.width * scale), 1), input_size.width),
            min(max(round(image_size.height * scale), 1), input_size.height),
        )
        left = (input_size.width - resized.width) // 2 if self.centred else 0
        top = (input_size.height - resized.height) // 2 if self.centred else 0
        return Placement(resized.width / image_size.width, resized.height / image_size.height, left, top, resized)


@dataclass(frozen=True)
class Stretch:
    """Fill the input, whatever the image's aspect, as Coral's examples do."""

    def place(self, image_size: ImageSize, input_size: ImageSize) -> Placement:
        """Return where an image of `image_size` comes to lie in an input of `input_size`, each (width, height)."""
        image_size, input_size = as_size(image_size, "image_size"), as_size(input_size)
        scale_x, scale_y = input_size.width / image_size.width, input_size.height / image_size.height
        return Placement(scale_x, scale_y, 0, 0, input_size)


Resize: TypeAlias = Letterbox | Stretch


def cell_to_input(cells: ArrayLike, output_stride: float) -> NDArray[Any]:
    """Turn (..., 2) cells (row, column) into (..., 2) input pixels (x, y).

    Examples
    --------
    >>> cell_to_input([2, 5], output_stride=16)
    array([80., 32.])
    """
    return np.flip(np.asarray(cells, dtype=np.float64), axis=-1) * output_stride


def input_to_cell(xy: ArrayLike, output_stride: float) -> NDArray[Any]:
    """Turn (..., 2) input pixels (x, y) into (..., 2) cells (row, column); undoes `cell_to_input`."""
    return np.flip(np.asarray(xy, dtype=np.float64), axis=-1) / output_stride


def image_to_input(xy: ArrayLike, placement: Placement) -> NDArray[Any]:
    """Turn (..., 2) image pixels (x, y) into (..., 2) input pixels (x, y)."""
    scale, corner = _scale_and_corner(placement)
    return (np.asarray(xy, dtype=np.float64) + 0.5) * scale - 0.5 + corner


def input_to_image(xy: ArrayLike, placement: Placement) -> NDArray[Any]:
    """Turn (..., 2) input pixels (x, y) into (..., 2) image pixels (x, y); undoes `image_to_input`."""
    scale, corner = _scale_and_corner(placement)
    return (np.asarray(xy, dtype=np.float64) - corner + 0.5) / scale - 0.5


def _scale_and_corner(placement: Placement) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return np.array([placement.scale_x, placement.scale_y]), np.array([placement.left, placement.top], dtype=np.float64)


def lay_out(image: NDArray[np.uint8], resize: Resize, input_size: ImageSize) -> tuple[NDArray[np.uint8], Placement]:
    """Resize a uint8 (H, W, 3) image into a (height, width, 3) network input, and say where it lies there.

    An image that has the input's size is passed on untouched.
    """
    image_size = ImageSize(image.shape[1], image.shape[0])
    placement = resize.place(image_size, input_size)
    left, top, resized = placement.left, placement.top, placement.resized
    if resized == input_size == image_size:
        return image, placement
    laid_out = np.empty((input_size.height, input_size.width, 3), np.uint8)
    if resized != input_size:
        grey = resize.pad_value if isinstance(resize, Letterbox) else 0
        laid_out[:top] = laid_out[top + resized.height :] = grey
        laid_out[:, :left] = laid_out[:, left + resized.width :] = grey
    place = laid_out[top : top + resized.height, left : left + resized.width]
    if resized == image_size:
        place[:] = image
    else:
        _shrink_or_grow(image, resized, place)
    return laid_out, placement


def _shrink_or_grow(image: NDArray[np.uint8], size: ImageSize, place: NDArray[np.uint8]) -> None:
    """Resize an image to `place`, bilinear, in steps that see every pixel about as well, since thin limbs alias.

    Those are steps down to 0.7 and to about a half. Below a half, the image is halved first; what is then between is
    resized to twice the size and halved: as accurate as OpenCV's area average, in a quarter of the time.
    """
    cv2 = import_cv2()
    scale = max(size.width / image.shape[1], size.height / image.shape[0])
    while scale < 0.5:
        image, scale = cv2.resize(image, ((image.shape[1] + 1) // 2, (image.shape[0] + 1) // 2)), 2 * scale
    if 0.52 < scale < 0.7:
        image = cv2.resize(image, (2 * size.width, 2 * size.height))
    cv2.resize(image, size, dst=place)
