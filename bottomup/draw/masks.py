"""Draw masks of people and parts of the body onto images."""

import colorsys
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bottomup.draw.canvas import copy_of, like, order_of
from bottomup.draw.colours import in_order, people
from bottomup.errors import InputError
from bottomup.images import import_cv2
from bottomup.posenet.fields import BODY_PARTS

__all__ = ["draw_masks", "draw_parts"]


def draw_masks(
    image: Any,
    masks: NDArray[np.bool_],
    *,
    opacity: float = 0.5,
    channel_order: Literal["bgr", "rgb"] = "bgr",
) -> Any:
    """Return a copy of the image with a tint and an outline for each person's mask.

    Parameters
    ----------
    image : (H, W, 3) uint8 array, or Pillow image
        The picture; never written to. A Pillow image gives a Pillow image.
    masks : (M, H, W) bool array
        One mask per person; seven colours repeat.
    opacity : float
        Opacity of the tint, 0 to 1.
    channel_order : {"bgr", "rgb"}
        Order of the image's channels.

    Raises
    ------
    InputError
        If `image` is not a uint8 array of three channels, or the masks differ from it in size.

    Examples
    --------
    >>> image, masks = np.zeros((4, 6, 3), np.uint8), np.zeros((1, 4, 6), bool)
    >>> masks[0, 1:3, 1:5] = True
    >>> bool((draw_masks(image, masks).any(axis=2) == masks[0]).all())
    True
    """
    canvas, masks = copy_of(image), np.asarray(masks)
    if masks.dtype != np.bool_ or masks.ndim != 3 or masks.shape[1:] != canvas.shape[:2]:
        raise InputError(
            f"masks must be bool (M, {canvas.shape[0]}, {canvas.shape[1]}), got {masks.dtype} {masks.shape}"
        )
    cv2 = import_cv2()
    colours = in_order(people(7), order_of(image, channel_order))
    for person, mask in enumerate(masks):
        colour = colours[person % len(colours)]
        _tint(canvas, mask, colour, opacity)
        outlines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(canvas, outlines, -1, colour.tolist(), 1)
    return like(image, canvas)


def draw_parts(
    image: Any,
    parts: NDArray[np.int8],
    *,
    opacity: float = 0.6,
    channel_order: Literal["bgr", "rgb"] = "bgr",
) -> Any:
    """Return a copy of the image with a tint for each part of the body; `image` and settings are as in `draw_masks`.

    Parameters
    ----------
    parts : (H, W) integer array
        Indices into `BODY_PARTS`, -1 where there is no person.

    Raises
    ------
    InputError
        If `image` is not a uint8 array of three channels, or `parts` has another size or other indices.
    """
    canvas, parts = copy_of(image), np.asarray(parts)
    if (
        parts.dtype.kind not in "iu"
        or parts.shape != canvas.shape[:2]
        or (parts.size and parts.max() >= len(BODY_PARTS))
    ):
        raise InputError(
            f"parts must be whole numbers below {len(BODY_PARTS)}, {canvas.shape[:2]}, got {parts.dtype} {parts.shape}"
        )
    hues = [
        colorsys.hsv_to_rgb(part / len(BODY_PARTS), 0.85, 1 if part % 2 else 0.7) for part in range(len(BODY_PARTS))
    ]
    colours = in_order(np.array(hues)[:, ::-1] * 255, order_of(image, channel_order))
    _tint(canvas, parts >= 0, colours[parts[parts >= 0]], opacity)
    return like(image, canvas)


def _tint(canvas: NDArray[np.uint8], where: NDArray[np.bool_], colour: NDArray[Any], opacity: float) -> None:
    """Mix a colour into some pixels, in place."""
    canvas[where] = np.round(canvas[where] * (1 - opacity) + colour * opacity).astype(np.uint8)
