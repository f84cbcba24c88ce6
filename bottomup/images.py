"""OpenCV, loaded on first use, and the images that it reads."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bottomup.errors import InputError, MissingRuntimeError

#: Endings of the image files that OpenCV reads and writes.
IMAGE_SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})


def import_cv2() -> Any:
    """Return the `cv2` module.

    Raises
    ------
    MissingRuntimeError
        If it is not installed, or a system library that it needs is not.
    """
    try:
        import cv2
    except ImportError as error:
        if isinstance(error, ModuleNotFoundError) and error.name == "cv2":
            raise MissingRuntimeError("OpenCV is not installed: pip install opencv-python") from error
        raise MissingRuntimeError(
            f"OpenCV cannot be loaded, {error}: either apt-get install libgl1 libglib2.0-0, "
            "or pip uninstall opencv-python and then pip install opencv-python-headless"
        ) from error
    return cv2


def read_image(path: str | Path) -> NDArray[np.uint8]:
    """Return the image file as a BGR (H, W, 3) array, turned upright as its EXIF data say.

    Raises
    ------
    InputError
        If there is no such file, or it is no image that OpenCV can read.
    """
    try:
        data = np.fromfile(path, dtype=np.uint8)  # not cv2.imread, which opens no name beyond ASCII on Windows
    except OSError as error:
        raise InputError(f"image {str(path)!r} cannot be opened: {error.strerror or error}") from error
    return decode_image(data, str(path))


def decode_image(data: NDArray[np.uint8], name: str) -> NDArray[np.uint8]:
    """Return an image file's content, (bytes,), as `read_image` returns the file; `name` is for complaints."""
    cv2 = import_cv2()
    try:
        image: NDArray[np.uint8] | None = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    except cv2.error as error:
        raise InputError(f"image {name!r} cannot be read: {error.err}") from error
    if image is None:
        raise InputError(f"image {name!r} is none that OpenCV reads: pass a JPEG, PNG, WebP, BMP or TIFF file")
    return image


def as_pixels(image: Any) -> NDArray[np.uint8]:
    """Return a uint8 (H, W, 3) array, or say how to make one."""
    if not isinstance(image, np.ndarray):
        raise InputError(
            f"an image must be a path or a uint8 (H, W, 3) array, got {type(image).__name__}: "
            'of a Pillow image pass np.asarray(image.convert("RGB")) and channel_order="rgb"'
        )
    expected = f"an image must be a uint8 (H, W, 3) array, got {image.dtype} {image.shape}"
    if image.ndim == 2 or (image.ndim == 3 and image.shape[2] == 1):
        raise InputError(f"{expected}: of a grey image pass np.repeat(image.reshape(*image.shape[:2], 1), 3, axis=2)")
    if image.ndim == 4:
        raise InputError(f"{expected}: pass one image, or many to estimator.batch(images)")
    if image.ndim == 3 and image.shape[2] == 4:
        raise InputError(f"{expected}: drop the alpha channel, image[..., :3]")
    if image.ndim == 3 and image.shape[0] == 3 and image.shape[2] != 3:
        raise InputError(f"{expected}: channels come last, np.moveaxis(image, 0, 2)")
    if image.ndim != 3 or image.shape[2] != 3:
        raise InputError(expected)
    if image.size == 0:
        raise InputError(f"{expected}, which has no pixels: was the file read?")
    if image.dtype.kind == "f":
        raise InputError(f"{expected}: of values in [0, 1] pass (image * 255).astype(np.uint8)")
    if image.dtype != np.uint8:
        raise InputError(f"{expected}: pass its eight most significant bits, as image.astype(np.uint8)")
    return np.ascontiguousarray(image)
