"""Skeletons, masks and parts of the body drawn onto images."""

import colorsys
import math
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bottomup.errors import InputError
from bottomup.images import import_cv2
from bottomup.posenet.fields import BODY_PARTS
from bottomup.poses import Poses, as_poses
from bottomup.skeletons import Skeleton
from bottomup.tensors import as_number

# Left, right and middle, as blue, green and red. Orange and blue are told apart by all eyes.
_COLOURS = np.array([(20, 150, 255), (255, 180, 50), (245, 245, 245)])
_LEFT, _RIGHT, _MIDDLE = range(3)
_OUTLINE = (30, 30, 30)
_PEOPLE = np.array([  # blue, green and red; Okabe and Ito's, which all eyes tell apart
    (0, 159, 230), (233, 180, 86), (115, 158, 0), (66, 228, 240), (178, 114, 0), (0, 94, 213), (167, 121, 204),
])  # fmt: skip
_FRACTION_BITS = 4  # OpenCV takes whole numbers, here sixteenths of a pixel


def draw_poses(
    image: NDArray[np.uint8],
    poses: Poses,
    *,
    score_threshold: float = 0.2,
    keypoint_threshold: float = 0.2,
    channel_order: Literal["bgr", "rgb"] = "bgr",
) -> NDArray[np.uint8]:
    """Return a copy of the image with skeletons drawn on it.

    The person's left is orange, their right blue, the middle white, all
    outlined in black, so that they show on any ground. Lines grow with the
    image and shrink with the person; better poses are drawn over worse ones.
    Ids stand above the head.

    Parameters
    ----------
    image : (height, width, 3) uint8 array
        The picture; never written to.
    poses : Poses
        People in pixels of `image`. Parts that are nan or infinite are left
        out, and so are the edges to them.
    score_threshold : float
        Lowest score of a pose to draw. Our own decoders also return poses that are hardly ever right.
    keypoint_threshold : float
        Lowest score of a keypoint to draw. Default: that of Coral's examples.
    channel_order : {"bgr", "rgb"}
        Order of the image's channels: "bgr" from OpenCV, "rgb" from PIL and most others.

    Raises
    ------
    InputError
        If `image` is not a uint8 array of three channels, or `poses` are not Poses.
    MissingRuntimeError
        If OpenCV cannot be imported.

    Examples
    --------
    >>> from bottomup.synthetic import random_poses
    >>> image = np.zeros((481, 641, 3), np.uint8)
    >>> drawn = draw_poses(image, random_poses(3))
    >>> drawn.shape, bool(drawn.any()), bool(image.any())
    ((481, 641, 3), True, False)
    """
    poses = as_poses(poses)
    score_threshold = as_number(score_threshold, "score_threshold")
    keypoint_threshold = as_number(keypoint_threshold, "keypoint_threshold")
    colours = _in_order(_COLOURS, channel_order).tolist()
    canvas = _copy_of(image)
    sides = [_side(poses.skeleton, part) for part in range(len(poses.skeleton.parts))]
    for person in np.argsort(poses.scores, kind="stable"):
        if poses.scores[person] >= score_threshold:
            positions = poses.xy[person].astype(np.float64)
            found = np.isfinite(positions).all(axis=1) & (poses.keypoint_scores[person] >= keypoint_threshold)
            _draw_pose(canvas, poses.skeleton, positions, found, sides, colours)
            if poses.ids is not None and found.any():
                _write_above(canvas, str(poses.ids[person]), positions[found])
    return canvas


def draw_masks(
    image: NDArray[np.uint8],
    masks: NDArray[np.bool_],
    *,
    opacity: float = 0.5,
    channel_order: Literal["bgr", "rgb"] = "bgr",
) -> NDArray[np.uint8]:
    """Return a copy of the image with a tint and an outline for each person's mask.

    Parameters
    ----------
    image : (H, W, 3) uint8 array
        The picture; never written to.
    masks : (M, H, W) bool array
        Of M people; the eighth has the first one's colour again.
    opacity : float
        How much of the tint, 0 to 1.
    channel_order : {"bgr", "rgb"}
        Order of the image's channels.

    Raises
    ------
    InputError
        If `image` is not a uint8 array of three channels, or the masks have another size.

    Examples
    --------
    >>> image, masks = np.zeros((4, 6, 3), np.uint8), np.zeros((1, 4, 6), bool)
    >>> masks[0, 1:3, 1:5] = True
    >>> bool((draw_masks(image, masks).any(axis=2) == masks[0]).all())
    True
    """
    canvas, masks = _copy_of(image), np.asarray(masks)
    if masks.dtype != np.bool_ or masks.ndim != 3 or masks.shape[1:] != canvas.shape[:2]:
        raise InputError(
            f"masks must be bool (M, {canvas.shape[0]}, {canvas.shape[1]}), got {masks.dtype} {masks.shape}"
        )
    colours = _in_order(_PEOPLE, channel_order)
    for person, mask in enumerate(masks):
        colour = colours[person % len(colours)]
        _tint(canvas, mask, colour, opacity)
        cv2 = import_cv2()
        outlines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(canvas, outlines, -1, colour.tolist(), 1)
    return canvas


def draw_parts(
    image: NDArray[np.uint8],
    parts: NDArray[np.int8],
    *,
    opacity: float = 0.6,
    channel_order: Literal["bgr", "rgb"] = "bgr",
) -> NDArray[np.uint8]:
    """Return a copy of the image with a tint for each part of the body.

    Parameters
    ----------
    image : (H, W, 3) uint8 array
        The picture; never written to.
    parts : (H, W) integer array
        Indices into `BODY_PARTS`, -1 for none.
    opacity : float
        How much of the tint, 0 to 1.
    channel_order : {"bgr", "rgb"}
        Order of the image's channels.

    Raises
    ------
    InputError
        If `image` is not a uint8 array of three channels, or `parts` is not such a map of its size.
    """
    canvas, parts = _copy_of(image), np.asarray(parts)
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
    colours = _in_order(np.array(hues)[:, ::-1] * 255, channel_order)
    _tint(canvas, parts >= 0, colours[parts[parts >= 0]], opacity)
    return canvas


def _in_order(colours: NDArray[Any], channel_order: str) -> NDArray[Any]:
    """Return colours of blue, green and red in the order that is asked for."""
    if channel_order not in ("bgr", "rgb"):
        raise InputError(f"channel_order must be 'bgr' or 'rgb', got {channel_order!r}")
    return colours if channel_order == "bgr" else colours[:, ::-1]


def _tint(canvas: NDArray[np.uint8], where: NDArray[np.bool_], colour: NDArray[Any], opacity: float) -> None:
    """Mix colour into some pixels."""
    canvas[where] = np.round(canvas[where] * (1 - opacity) + colour * opacity).astype(np.uint8)


def _copy_of(image: Any) -> NDArray[np.uint8]:
    """Return a copy that OpenCV can draw on, or say what to draw on instead."""
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


def _side(skeleton: Skeleton, part: int) -> int:
    """Return the side of the body that a part is on: every skeleton's names of left parts sort before right ones."""
    other = skeleton.mirror[part]
    if other == part:
        return _MIDDLE
    return _LEFT if skeleton.parts[part] < skeleton.parts[other] else _RIGHT


def _draw_pose(
    canvas: NDArray[np.uint8],
    skeleton: Skeleton,
    positions: NDArray[np.float64],
    found: NDArray[np.bool_],
    sides: list[int],
    colours: list[Any],
) -> None:
    """Draw the found parts and the edges between them: first the outline of all, then the colours."""
    if not found.any():
        return
    cv2 = import_cv2()
    height, width = canvas.shape[:2]
    extent = np.ptp(np.clip(positions[found], 0, (width, height)), axis=0).max()
    thickness = max(1, round(min(0.004 * math.sqrt(height * width), 0.015 * extent)))
    radius = thickness + 0.5 if thickness > 1 else 1.0
    outline = max(1, round(0.5 * thickness)) if extent > 40 else 0  # it would bury smaller people

    lines = []
    for edge, (parent, child) in enumerate(skeleton.edges):
        if edge in skeleton.redundant_edges:  # OpenPose's from shoulder to ear: no bones
            continue
        ends = _cut(positions[parent], positions[child], width, height) if found[parent] and found[child] else None
        if ends is not None:
            one_side = {sides[parent], sides[child]} - {_MIDDLE}
            lines.append((ends, colours[one_side.pop() if len(one_side) == 1 else _MIDDLE]))
    dots = []
    for part in np.flatnonzero(found):
        ends = _cut(positions[part], positions[part], width, height)
        if ends is not None:
            dots.append((ends[0], colours[sides[part]]))

    for extra, one_colour in ((outline, _OUTLINE), (0, None)):
        for (start, end), colour in lines:
            width_with_outline = thickness + 2 * extra
            cv2.line(canvas, start, end, one_colour or colour, width_with_outline, cv2.LINE_AA, _FRACTION_BITS)
        for centre, colour in dots:
            size = round((radius + extra) * 2**_FRACTION_BITS)
            cv2.circle(canvas, centre, size, one_colour or colour, cv2.FILLED, cv2.LINE_AA, _FRACTION_BITS)


def _write_above(canvas: NDArray[np.uint8], text: str, positions: NDArray[np.float64]) -> None:
    """Write above the highest of some positions, yet inside the image."""
    cv2 = import_cv2()
    height, width = canvas.shape[:2]
    scale = max(0.6, 0.0012 * math.sqrt(height * width))
    thickness = max(2, round(2 * scale))
    (text_width, text_height), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, thickness)
    x, y = positions[positions[:, 1].argmin()]
    left = round(min(max(x - text_width / 2, 0), max(width - text_width, 0)))
    base = round(min(max(y - 0.7 * text_height, text_height), height))
    around = [
        (round(1.5 * scale) * x, round(1.5 * scale) * y) for y in (-1, 0, 1) for x in (-1, 0, 1)
    ]  # OpenCV's letters have no outline
    for colour, shifts in ((_OUTLINE, around), (_COLOURS[_MIDDLE].tolist(), [(0, 0)])):
        for right, down in shifts:
            place = left + right, base + down
            cv2.putText(canvas, text, place, cv2.FONT_HERSHEY_SIMPLEX, scale, colour, thickness, cv2.LINE_AA)


def _cut(
    start: NDArray[np.float64], end: NDArray[np.float64], width: int, height: int
) -> tuple[tuple[int, int], tuple[int, int]] | None:
    """Return the ends, in sixteenths of a pixel, of what a line has less than one image size around the image.

    Positions further out would overflow OpenCV's 32-bit numbers.
    """
    low, high = np.array([-width, -height], np.float64), np.array([2 * width, 2 * height], np.float64)
    direction = end - start
    first, last = 0.0, 1.0
    for axis in range(2):
        if direction[axis] != 0:
            crossings = (low[axis] - start[axis]) / direction[axis], (high[axis] - start[axis]) / direction[axis]
            first, last = max(first, min(crossings)), min(last, max(crossings))
        elif not low[axis] <= start[axis] <= high[axis]:
            return None
    if first > last:
        return None
    ends = np.clip([start + first * direction, start + last * direction], low, high)
    (x1, y1), (x2, y2) = np.round(ends * 2**_FRACTION_BITS).astype(int).tolist()
    return (x1, y1), (x2, y2)
