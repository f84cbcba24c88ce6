"""A copy of an image to draw on, and the way back to the same kind of image."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bottomup.errors import InputError
from bottomup.images import as_pixels, is_pillow

__all__ = ["copy_of", "like", "order_of"]


def copy_of(image: Any) -> NDArray[np.uint8]:
    """Return a copy that OpenCV can draw on, BGR for a Pillow image; raise if the image is of another kind."""
    if is_pillow(image):
        return np.array(as_pixels(image), order="C")
    array = np.asarray(image)
    if array.ndim == 2 or (array.ndim == 3 and array.shape[2] == 1):
        hint = "this one is grey, pass cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)"
    elif array.ndim == 3 and array.shape[2] == 4:
        hint = "this one has an alpha channel, pass image[..., :3]"
    elif array.ndim != 3 or array.shape[2] != 3 or array.size == 0:
        hint = "pass a picture as cv2.imread returns it"
    elif array.dtype.kind == "f":
        hint = "pass (image * 255).astype(np.uint8) if it holds levels from 0 to 1"
    elif array.dtype != np.uint8:
        hint = "pass image.astype(np.uint8) if it holds levels from 0 to 255"
    else:
        return np.array(array, order="C")
    raise InputError(
        f"image must be a uint8 array of shape (height, width, 3), got {array.dtype} {array.shape}: {hint}"
    )


def like(image: Any, canvas: NDArray[np.uint8]) -> Any:
    """Return the canvas as the kind of image that was passed: an array, or a Pillow image."""
    if not is_pillow(image):
        return canvas
    from PIL import Image

    return Image.fromarray(np.ascontiguousarray(canvas[..., ::-1]))


def order_of(image: Any, channel_order: str) -> str:
    """Return the channel order of the canvas, which is always BGR for a Pillow image."""
    return "bgr" if is_pillow(image) and channel_order in ("bgr", "rgb") else channel_order
