"""Lines, dashes, dots, boxes and labels, clipped to the surroundings of the image."""

import contextlib
import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bottomup.draw.colours import OUTLINE, Colour
from bottomup.images import import_cv2

__all__ = ["Stroke", "blended", "box", "cut", "label", "paint"]

_FRACTION_BITS = 4  # OpenCV takes whole numbers, here sixteenths of a pixel
_DASH, _GAP = 3.0, 3.5  # of dashed lines, in widths of the line
_MOST_DASHES = 200


class Stroke(NamedTuple):
    """A line, or a dot where it starts and ends at one place."""

    start: tuple[float, float]  #: x and y
    end: tuple[float, float]
    colour: Colour
    width: int  #: of a line, or diameter of a dot; 0 is a hairline, one pixel wide without antialiasing
    is_dashed: bool = False  #: a dashed dot is a ring


def paint(canvas: NDArray[np.uint8], strokes: list[Stroke], outline: int, outline_opacity: float = 1.0) -> None:
    """Draw the outlines of all strokes, then the strokes."""
    if outline:
        with blended(canvas, strokes, outline, outline_opacity):
            for stroke in strokes:
                _draw(canvas, stroke, OUTLINE, 2 * outline)
    for stroke in strokes:
        _draw(canvas, stroke, stroke.colour, 0)


@contextlib.contextmanager
def blended(canvas: NDArray[np.uint8], strokes: list[Stroke], outline: int, opacity: float) -> Iterator[None]:
    """Mix what the block paints, these strokes with their outlines, into what was there before."""
    if opacity >= 1 or not strokes:
        yield
        return
    where = _around(canvas, strokes, outline)
    before = canvas[where].copy()
    yield
    if before.size:
        canvas[where] = import_cv2().addWeighted(canvas[where], opacity, before, 1 - opacity, 0)


def _around(canvas: NDArray[np.uint8], strokes: list[Stroke], outline: int) -> tuple[slice, slice]:
    """Return the rows and columns of the image that strokes with outlines may touch."""
    height, width = canvas.shape[:2]
    margin = max(stroke.width for stroke in strokes) + outline + 2
    xs, ys = zip(*(place for stroke in strokes for place in (stroke.start, stroke.end)), strict=True)
    rows, columns = (
        slice(math.floor(min(max(min(places) - margin, 0), side)), math.ceil(max(min(max(places) + margin, side), 0)))
        for places, side in ((ys, height), (xs, width))
    )
    return rows, columns


def _draw(canvas: NDArray[np.uint8], stroke: Stroke, colour: Colour, wider: int) -> None:
    cv2 = import_cv2()
    if stroke.start == stroke.end:
        ends = cut(stroke.start, stroke.end, canvas)
        if ends is None:
            return
        if stroke.is_dashed and stroke.width > 3:  # a ring
            thickness = max(1, stroke.width // 4)
            radius = round((stroke.width - thickness) / 2 * 2**_FRACTION_BITS)
            cv2.circle(canvas, ends[0], radius, colour, thickness + wider, cv2.LINE_AA, _FRACTION_BITS)
            return
        radius = round((stroke.width + wider) / 2 * 2**_FRACTION_BITS)
        cv2.circle(canvas, ends[0], radius, colour, cv2.FILLED, cv2.LINE_AA, _FRACTION_BITS)
        return
    for start, end in _dashes(stroke) if stroke.is_dashed else [(stroke.start, stroke.end)]:
        ends = cut(start, end, canvas)
        if ends is not None:
            kind = cv2.LINE_AA if stroke.width else cv2.LINE_8
            cv2.line(canvas, *ends, colour, max(stroke.width, 1) + wider, kind, _FRACTION_BITS)


def _dashes(stroke: Stroke) -> list[tuple[tuple[float, float], tuple[float, float]]]:
    """Return the dashes of a line; the first starts and the last ends with the line."""
    (x1, y1), (x2, y2) = stroke.start, stroke.end
    length = math.hypot(x2 - x1, y2 - y1)
    dash, gap = max(_DASH * stroke.width, 4.0), max(_GAP * stroke.width, 3.0)
    count = max(1, min(_MOST_DASHES, round((length + gap) / (dash + gap))))
    pitch = (length + gap) / count
    share = max(pitch - gap, 1.0) / max(length, 1e-6)
    dashes = []
    for number in range(count):
        first = number * pitch / max(length, 1e-6)
        last = min(first + share, 1.0)
        dashes.append(
            ((x1 + first * (x2 - x1), y1 + first * (y2 - y1)), (x1 + last * (x2 - x1), y1 + last * (y2 - y1)))
        )
    return dashes


def box(canvas: NDArray[np.uint8], sides: NDArray[np.float64], colour: Colour, width: int) -> None:
    """Draw a box of left, top, width, height, inside the image."""
    cv2 = import_cv2()
    height_of_image, width_of_image = canvas.shape[:2]
    left, top, across, down = np.nan_to_num(sides, posinf=1e6, neginf=-1e6).tolist()
    corners = [
        (round(min(max(x, 0), width_of_image - 1)), round(min(max(y, 0), height_of_image - 1)))
        for x, y in ((left, top), (left + across, top + down))
    ]
    cv2.rectangle(canvas, *corners, OUTLINE, width + 2, cv2.LINE_AA)
    cv2.rectangle(canvas, *corners, colour, width, cv2.LINE_AA)


def label(canvas: NDArray[np.uint8], text: str, x: float, y: float, letters: Colour, size: float) -> None:
    """Write a line of text centred on `x` and with its baseline at `y`, shifted to lie inside the image."""
    cv2 = import_cv2()
    height, width = canvas.shape[:2]
    thickness = max(1, round(2 * size))
    (text_width, text_height), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, size, thickness)
    left = round(min(max(x - text_width / 2, 0), max(width - text_width, 0)))
    base = round(min(max(y, text_height + thickness), height - 1))
    margin = max(1, round(1.5 * size))
    around = [(margin * x, margin * y) for y in (-1, 0, 1) for x in (-1, 0, 1)]  # OpenCV's letters have no outline
    for colour, shifts in ((OUTLINE, around), (letters, [(0, 0)])):
        for right, down in shifts:
            place = left + right, base + down
            cv2.putText(canvas, text, place, cv2.FONT_HERSHEY_SIMPLEX, size, colour, thickness, cv2.LINE_AA)


def cut(
    start: tuple[float, float], end: tuple[float, float], canvas: NDArray[np.uint8]
) -> tuple[tuple[int, int], tuple[int, int]] | None:
    """Clip a line to one image size around the image; return its ends in sixteenths of a pixel, None if none is left.

    Positions further out would overflow OpenCV's 32-bit integers.
    """
    height, width = canvas.shape[:2]
    scale = 2**_FRACTION_BITS
    (x1, y1), (x2, y2) = start, end
    if -width <= x1 <= 2 * width and -width <= x2 <= 2 * width and -height <= min(y1, y2) <= max(y1, y2) <= 2 * height:
        return (round(x1 * scale), round(y1 * scale)), (round(x2 * scale), round(y2 * scale))
    low, high = np.array([-width, -height], np.float64), np.array([2 * width, 2 * height], np.float64)
    origin, direction = np.array(start), np.array(end) - np.array(start)
    first, last = 0.0, 1.0
    for axis in range(2):
        if direction[axis] != 0:
            crossings = (low[axis] - origin[axis]) / direction[axis], (high[axis] - origin[axis]) / direction[axis]
            first, last = max(first, min(crossings)), min(last, max(crossings))
        elif not low[axis] <= origin[axis] <= high[axis]:
            return None
    if first > last:
        return None
    ends = np.clip([origin + first * direction, origin + last * direction], low, high)
    (x1, y1), (x2, y2) = np.round(ends * scale).astype(int).tolist()
    return (x1, y1), (x2, y2)
