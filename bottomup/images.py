"""OpenCV, loaded on first use, and images: anything a user passes becomes uint8 pixels, or an error that says how."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bottomup.errors import InputError, MissingRuntimeError
from bottomup.files import reason, write_file
from bottomup.image_headers import Header, is_whole_png, read_header

__all__ = [
    "HEIF_SUFFIXES",
    "IMAGE_SUFFIXES",
    "MAX_BYTES",
    "MAX_PIXELS",
    "Order",
    "as_pixels",
    "checked_pixels",
    "decode_image",
    "encode_image",
    "import_cv2",
    "in_some_order",
    "is_pillow",
    "jpeg_for_page",
    "quiet",
    "read_image",
    "turned",
    "write_image",
]

#: Suffixes of the image files that we write.
IMAGE_SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
#: Suffixes of the image files that we read if pillow-heif is installed.
HEIF_SUFFIXES = frozenset({".heic", ".heif", ".avif"})

#: Limits on an image file, in pixels and bytes; assign higher ones if your files are larger.
MAX_PIXELS = 2**28
MAX_BYTES = 2**30

Order: TypeAlias = Literal["bgr", "rgb"]

_HEIF = ("HEIC", "AVIF")
_READ = ("JPEG", "PNG", "WebP", "BMP", "TIFF", "GIF", "")
_TAKEN = "pass a path, the bytes of a file, a uint8 (H, W, 3) array or a Pillow image"


def import_cv2() -> Any:
    """Return the `cv2` module.

    Raises
    ------
    MissingRuntimeError
        If OpenCV, or a system library that it needs, is not installed.
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
        If the file is missing, is not an image that we can read, or exceeds `MAX_PIXELS` or `MAX_BYTES`.
    MissingRuntimeError
        If the file is HEIC or AVIF and pillow-heif is not installed.
    """
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise InputError(f"image {str(path)!r} cannot be opened: {reason(error)}") from error
    return decode_image(data, str(path))


def decode_image(data: Any, name: str) -> NDArray[np.uint8]:
    """Decode an image file's content, bytes or a 1D uint8 array, as `read_image` does; error messages use `name`."""
    content = memoryview(data).cast("B") if len(data) else memoryview(b"")
    if not len(content):
        raise InputError(f"image {name!r} is empty")
    if len(content) > MAX_BYTES:
        raise InputError(f"image {name!r} has more than {MAX_BYTES} bytes: set bottomup.images.MAX_BYTES to read it")
    header = read_header(content)
    if header.width * header.height > MAX_PIXELS:
        raise InputError(
            f"image {name!r} has {header.width} x {header.height} pixels, more than {MAX_PIXELS}: "
            "make it smaller, or set bottomup.images.MAX_PIXELS"
        )
    if header.kind not in (*_READ, *_HEIF):
        raise InputError(
            f"image {name!r} is not an image: it is a {header.kind}; pass a JPEG, PNG, WebP, BMP or TIFF file"
        )
    if header.is_float:
        raise InputError(f"image {name!r} holds real numbers, not levels from 0 to 255: scale it and save it as 8-bit")
    is_whole = header.kind != "PNG" or is_whole_png(content)  # libpng would write about a damaged one to standard error
    if header.kind in _HEIF:
        image: NDArray[np.uint8] | None = _decode_heif(bytes(content), name, header.kind)
    else:
        image = _decode(content) if is_whole else None
    if image is None:
        raise InputError(f"image {name!r} cannot be read: {_what_is_wrong(header)}")
    return image


def _decode(content: memoryview) -> NDArray[np.uint8] | None:
    """Decode a file with OpenCV, silently; None if it cannot."""
    cv2 = import_cv2()
    with quiet(cv2):
        try:
            image: NDArray[np.uint8] | None = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
        except cv2.error:
            return None
    return image


@contextlib.contextmanager
def quiet(cv2: Any) -> Iterator[None]:
    """Stop OpenCV from repeating our error message on standard error."""
    logging = getattr(getattr(cv2, "utils", None), "logging", None)
    if logging is None:
        yield
        return
    before = logging.getLogLevel()
    logging.setLogLevel(logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        logging.setLogLevel(before)


def _decode_heif(content: bytes, name: str, kind: str) -> NDArray[np.uint8]:
    """Decode a HEIC or AVIF image; HEIC needs pillow-heif, and so does AVIF if OpenCV lacks it."""
    if kind == "AVIF" and (image := _decode(memoryview(content))) is not None:
        return image
    try:
        import pillow_heif
    except ImportError as error:
        raise MissingRuntimeError(
            f"image {name!r} is {kind}, which needs pillow-heif: pip install 'bottomup[heic]'"
        ) from error
    try:
        pixels = np.asarray(pillow_heif.read_heif(content).to_pillow().convert("RGB"))  # upright already
    except Exception as error:  # libheif raises all kinds of errors on damaged bytes
        raise InputError(f"image {name!r} cannot be read: it is {kind}, and damaged: {error}") from error
    return np.ascontiguousarray(pixels[..., ::-1])


def _what_is_wrong(header: Header) -> str:
    if header.kind and header.width:
        return f"it starts as a {header.width} x {header.height} {header.kind}, but is truncated or damaged"
    if header.kind:
        return f"it starts as a {header.kind}, but is truncated or damaged"
    return "it is not an image of a known kind: pass a JPEG, PNG, WebP, BMP or TIFF file"


def turned(image: NDArray[np.uint8], rotate: int = 0, mirror: bool = False) -> NDArray[np.uint8]:
    """Return an image rotated clockwise by 0, 90, 180 or 270 degrees, then mirrored if `mirror` is set."""
    if rotate not in (0, 90, 180, 270):
        raise InputError(f"rotate must be 0, 90, 180 or 270 degrees clockwise, got {rotate!r}")
    if rotate:
        image = np.rot90(image, -rotate // 90)
    if mirror:
        image = image[:, ::-1]
    return np.ascontiguousarray(image)


def write_image(path: str | Path, image: NDArray[np.uint8]) -> None:
    """Write a BGR image in the format that the suffix names. An existing file stays until the new one is complete.

    Raises
    ------
    InputError
        If the file cannot be written, or its suffix is unknown.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in IMAGE_SUFFIXES:
        raise InputError(f"{str(path)!r} must end with one of {', '.join(sorted(IMAGE_SUFFIXES))}")
    write_file(path, encode_image(image, suffix, str(path)))


def encode_image(image: NDArray[np.uint8], suffix: str, name: str) -> bytes:
    """Encode a BGR image in the format of that suffix."""
    cv2 = import_cv2()
    try:
        is_encoded, content = cv2.imencode(suffix, np.asarray(image))
    except cv2.error:
        is_encoded = False
    if not is_encoded:  # such as WebP beyond 16383 pixels
        height, width = image.shape[:2]
        raise InputError(f"{name!r} cannot hold {width} x {height} pixels: name a .png file")
    return bytes(content)


def jpeg_for_page(image: NDArray[np.uint8], longest_side: int = 1600) -> bytes:
    """Return a BGR image as a JPEG for a page, shrunk if it is larger than that."""
    cv2 = import_cv2()
    height, width = image.shape[:2]
    scale = min(1.0, longest_side / max(width, height))
    if scale < 1:
        size = (max(round(width * scale), 1), max(round(height * scale), 1))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return bytes(cv2.imencode(".jpg", np.ascontiguousarray(image), [cv2.IMWRITE_JPEG_QUALITY, 85])[1])


def as_pixels(image: Any, channel_order: Order = "bgr") -> NDArray[np.uint8]:
    """Convert anything that a user may pass as an image to a BGR (H, W, 3) array, upright.

    Parameters
    ----------
    image : path, bytes, file object, Pillow image or uint8 (H, W, 3) array
        Paths, open files and encoded bytes are decoded; a Pillow image is turned upright as its EXIF data say.
    channel_order : {"bgr", "rgb"}
        Channel order of an array.

    Raises
    ------
    InputError
        If `image` is none of these; the message says how to convert it.
    """
    pixels, order = in_some_order(image, channel_order)
    return pixels if order == "bgr" else np.ascontiguousarray(pixels[..., ::-1])


def in_some_order(image: Any, channel_order: Order) -> tuple[NDArray[np.uint8], Order]:
    """Return an image's pixels and their channel order: arrays keep theirs, uncopied; everything else becomes "bgr"."""
    if channel_order not in ("bgr", "rgb"):
        raise InputError(f"channel_order must be 'bgr' or 'rgb', got {channel_order!r}")
    if isinstance(image, np.ndarray):
        return checked_pixels(image), channel_order
    if isinstance(image, (str, os.PathLike)):
        return read_image(Path(image) if isinstance(image, os.PathLike) else image), "bgr"
    if isinstance(image, (bytes, bytearray, memoryview)):
        return decode_image(image, "the bytes given"), "bgr"
    if is_pillow(image):
        return _from_pillow(image), "bgr"
    if hasattr(image, "read"):
        return decode_image(_all_of(image), str(getattr(image, "name", "the file given"))), "bgr"
    return checked_pixels(image), channel_order


def is_pillow(image: Any) -> bool:
    """Return whether this is a Pillow image, without importing Pillow."""
    return type(image).__module__.startswith("PIL.") and hasattr(image, "convert")


def _all_of(file: Any) -> bytes:
    """Return the rest of a file object."""
    content = file.read(MAX_BYTES + 1)
    if not isinstance(content, (bytes, bytearray)):
        raise InputError(f"an image file must be opened in binary mode, open(path, 'rb'), got {type(content).__name__}")
    return bytes(content)


def _from_pillow(image: Any) -> NDArray[np.uint8]:
    """Return a Pillow image's pixels."""
    from PIL import ImageOps

    if image.mode.startswith(("I", "F")):
        raise InputError(
            f"a Pillow image of mode {image.mode} holds more than 8 bits: scale it to 0 to 255, "
            "then Image.fromarray(pixels.astype(np.uint8))"
        )
    try:
        upright = ImageOps.exif_transpose(image).convert("RGB")
    except OSError as error:  # Pillow reads the file only now; it may be truncated
        raise InputError(f"the Pillow image cannot be read: {error}") from error
    return np.ascontiguousarray(np.asarray(upright)[..., ::-1])


def checked_pixels(image: Any) -> NDArray[np.uint8]:
    """Return a uint8 (H, W, 3) array, or raise an error that says how to make one."""
    if image is None:
        raise InputError("the image is None, which cv2.imread returns for a file that it cannot read: check the path")
    if not isinstance(image, np.ndarray):
        hint = _TAKEN
        if hasattr(image, "detach") or type(image).__module__.split(".")[0] in ("torch", "tensorflow", "jax", "jaxlib"):
            hint = "pass a uint8 array, such as tensor.permute(1, 2, 0).cpu().numpy()"
        elif isinstance(image, (list, tuple)):
            hint = "pass one image, or many to estimator.batch(images)"
        raise InputError(f"an image must be a path or pixels, got {type(image).__name__}: {hint}")
    expected = f"an image must be a uint8 (H, W, 3) array, got {image.dtype} {image.shape}"
    if image.ndim == 2 or (image.ndim == 3 and image.shape[2] == 1):
        raise InputError(f"{expected}: for a grey image pass np.repeat(image.reshape(*image.shape[:2], 1), 3, axis=2)")
    if image.ndim == 4:
        raise InputError(f"{expected}: pass one image, or many to estimator.batch(images)")
    if image.ndim == 3 and image.shape[2] == 4:
        raise InputError(f"{expected}: drop the alpha channel, image[..., :3]")
    if image.ndim == 3 and image.shape[0] == 3 and image.shape[2] != 3:
        raise InputError(f"{expected}: channels come last, np.moveaxis(image, 0, 2)")
    if image.ndim != 3 or image.shape[2] != 3:
        raise InputError(f"{expected}: {_TAKEN}")
    if image.size == 0:
        raise InputError(f"{expected}, which has no pixels: was the file read?")
    if image.dtype != np.uint8:
        raise InputError(f"{expected}: {_way_to_levels(image)}")
    return np.ascontiguousarray(image)


def _way_to_levels(image: NDArray[Any]) -> str:
    """Suggest how to convert an array of another type to levels from 0 to 255, judging by its values."""
    if image.dtype.kind == "b":
        return "pass image.astype(np.uint8) * 255"
    if image.dtype.kind not in "iuf":
        return _TAKEN
    highest = float(np.nanmax(image)) if np.isfinite(image).any() else 0.0
    if image.dtype.kind == "f" and highest <= 1:
        return "for values in [0, 1] pass (image * 255).astype(np.uint8)"
    if highest <= 255:
        return "for levels from 0 to 255 pass image.clip(0, 255).astype(np.uint8)"
    if image.dtype.kind == "f":
        return f"its highest value is {highest:g}: scale it to 0 to 255, then image.astype(np.uint8)"
    return (
        f"for {int(highest).bit_length()}-bit levels pass (image >> {int(highest).bit_length() - 8}).astype(np.uint8)"
    )
