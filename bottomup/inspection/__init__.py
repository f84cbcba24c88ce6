"""A page that shows how a network's outputs became poses, from heatmaps to skeletons."""

from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bottomup.errors import InputError, ModelError
from bottomup.estimation.estimator import PoseEstimator
from bottomup.families import family_of
from bottomup.family import Decoder
from bottomup.geometry import ImageSize, Placement
from bottomup.images import as_pixels
from bottomup.inspection.page import Picture, render

__all__ = ["inspect_fields", "inspect_image"]


def inspect_image(
    estimator: PoseEstimator, image: str | Path | NDArray[np.uint8], *, channel_order: Literal["bgr", "rgb"] = "bgr"
) -> str:
    """Return an HTML page that shows how an estimator finds its poses in an image.

    The page needs no other file and no internet. On top of the photo it shows
    the heatmaps, the offsets or part affinity fields, the candidates, how
    edges were traced or limbs chosen, and the poses; sliders show the result
    with other thresholds.

    Parameters
    ----------
    estimator : PoseEstimator
        From `bottomup.load`.
    image : str, Path or uint8 (H, W, 3) array
        An image file, or pixels.
    channel_order : {"bgr", "rgb"}
        Channel order of an array.

    Raises
    ------
    InputError
        If `image` is not an image.
    ModelError
        If the model decodes by itself, and so gives no fields to show.

    Examples
    --------
    >>> import bottomup as bu
    >>> html = inspect_image(bu.load(), "street.jpg")  # doctest: +SKIP
    >>> Path("street.html").write_text(html, encoding="utf-8")  # doctest: +SKIP
    """
    name = Path(image).name if isinstance(image, (str, Path)) else "image"
    pixels = as_pixels(image, channel_order)
    fields, placement = estimator.look(pixels)
    if estimator.decoder is None:
        raise ModelError(f"{estimator.path} decodes by itself, and so gives no fields to show")
    return _page(pixels, fields, estimator.decoder, placement, f"{name}, {estimator.path.name}")


def inspect_fields(image: NDArray[np.uint8], fields: Any, decoder: Decoder, *, title: str = "fields") -> str:
    """Return the page of `inspect_image` for raw fields and any of their decoders, without a model.

    Parameters
    ----------
    image : uint8 (H, W, 3) array
        The network's input image, BGR.
    fields : PoseNetFields, PafFields, CenterFields, TagFields or BoxFields
        The network's outputs.
    decoder : Decoder
        A decoder for that family.
    title : str
        Title of the page.

    Raises
    ------
    InputError
        If `image` or `fields` is of another type.

    Examples
    --------
    >>> from bottomup.posenet.best import PoseNetDecoder
    >>> from bottomup.synthetic import posenet_fields, random_poses
    >>> fields = posenet_fields(random_poses(1, (129, 129)), (129, 129))
    >>> inspect_fields(np.zeros((129, 129, 3), np.uint8), fields, PoseNetDecoder())[:15]
    '<!doctype html>'
    """
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        got = f"{image.dtype} {image.shape}" if isinstance(image, np.ndarray) else type(image).__name__
        raise InputError(f"image must be a uint8 (H, W, 3) array, the network's input, got {got}")
    height, width = image.shape[:2]
    return _page(image, fields, decoder, Placement(1.0, 1.0, 0, 0, ImageSize(width, height)), title)


def _page(image: NDArray[np.uint8], fields: Any, decoder: Decoder, placement: Placement, title: str) -> str:
    """Return the page for fields and the image that was placed in the network's input."""
    return render(family_of(fields).layers(fields, decoder), Picture(image, placement), decoder, title)
