"""A page that shows how a network's outputs became poses, from heatmaps to skeletons."""

import shlex
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bottomup.errors import InputError, ModelError
from bottomup.estimation.estimator import PoseEstimator
from bottomup.families import family_of
from bottomup.family import Decoder, Family
from bottomup.geometry import ImageSize, Placement
from bottomup.images import as_pixels
from bottomup.inspection.rendering import Picture, render
from bottomup.poses import MIN_SCORE, Poses

__all__ = ["inspect_fields", "inspect_image"]


def inspect_image(
    estimator: PoseEstimator,
    image: str | Path | NDArray[np.uint8],
    *,
    compare: Decoder | str | None = None,
    labels: Poses | None = None,
    command: str | None = None,
    channel_order: Literal["bgr", "rgb"] = "bgr",
) -> str:
    """Return an HTML page that shows how an estimator finds its poses in an image.

    The page needs no other file and no internet. It opens on the photo with
    the poses. Layers add the heatmaps, the offsets or part affinity fields,
    the candidates, and how edges were traced or limbs chosen; a person who is
    clicked is explained part by part. Sliders show what the decoder gives
    with other parameters: each of their steps was decoded for the page.

    Parameters
    ----------
    estimator : PoseEstimator
        From `bottomup.load`.
    image : str, Path or uint8 (H, W, 3) array
        An image file, or pixels.
    compare : Decoder or str, optional
        A second decoder of the same family, or the name of one, such as "coral", to show side by side.
    labels : Poses, optional
        People labelled in the image, in its pixels, to show over the photo.
    command : str, optional
        The command line that the page completes with the decoder's options. Default: `bottomup predict` with the
        estimator's model.
    channel_order : {"bgr", "rgb"}
        Channel order of an array.

    Raises
    ------
    InputError
        If `image` is not an image, or `compare` does not decode such a network.
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
    if command is None:
        command = _command(estimator, name if isinstance(image, (str, Path)) else "PHOTO")
    picture = Picture(pixels, placement, f"{name}, {estimator.path.name}", command, True, labels)
    return _page(picture, fields, estimator.decoder, compare)


def inspect_fields(
    image: NDArray[np.uint8],
    fields: Any,
    decoder: Decoder,
    *,
    compare: Decoder | str | None = None,
    labels: Poses | None = None,
    title: str = "fields",
) -> str:
    """Return the page of `inspect_image` for raw fields and any of their decoders, without a model.

    Parameters
    ----------
    image : uint8 (H, W, 3) array
        The network's input image, BGR.
    fields : PoseNetFields, PafFields, CenterFields, TagFields or BoxFields
        The network's outputs.
    decoder : Decoder
        A decoder for that family.
    compare, labels
        As for `inspect_image`.
    title : str
        Title of the page.

    Raises
    ------
    InputError
        If an argument is of another type, or `compare` does not decode such fields.

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
    placement = Placement(1.0, 1.0, 0, 0, ImageSize(width, height))
    command = f"bottomup decode RAW.npz --input-size {width}x{height}"
    return _page(Picture(image, placement, title, command, False, labels, MIN_SCORE), fields, decoder, compare)


def _command(estimator: PoseEstimator, photo: str) -> str:
    """Return the command line that runs an estimator's model; folders stay out of the page."""
    card, (width, height) = estimator.card, estimator.input_size
    model = card.name if card is not None and card.path == estimator.path else estimator.path.name
    return shlex.join(["bottomup", "predict", photo, "--model", model, "--input-size", f"{width}x{height}"])


def _page(picture: Picture, fields: Any, decoder: Decoder, compare: Decoder | str | None) -> str:
    """Return the page for fields and the image that was placed in the network's input."""
    if picture.labels is not None and not isinstance(picture.labels, Poses):
        raise InputError(f"labels must be Poses, in pixels of the image, got {type(picture.labels).__name__}")
    family = family_of(fields)
    decoders = [decoder] if compare is None else [decoder, _other(compare, family)]
    return render(fields, decoders, family, picture)


def _other(compare: Decoder | str, family: Family) -> Decoder:
    """Return the decoder to compare with."""
    if isinstance(compare, str):
        if compare not in family.decoders:
            raise InputError(f"compare must be one of {', '.join(family.decoders)}, got {compare!r}")
        return family.decoders[compare]()
    if not isinstance(compare, family.decoder_types):
        known = ", ".join(kind.__name__ for kind in family.decoder_types)
        raise InputError(f"compare must be a decoder for {family.title} networks ({known}), got {compare!r}")
    chosen: Decoder = compare
    return chosen
