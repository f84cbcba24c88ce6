"""Poses drawn onto images."""

import functools
import math
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bottomup.draw import colours, strokes
from bottomup.draw.canvas import copy_of, like, order_of
from bottomup.draw.colours import Colour
from bottomup.draw.strokes import Stroke
from bottomup.errors import InputError
from bottomup.poses import MIN_SCORE, Poses, as_poses
from bottomup.skeletons import Skeleton
from bottomup.tensors import as_number

__all__ = ["COLOURINGS", "Colouring", "draw_poses"]

Colouring: TypeAlias = Literal["side", "person", "id"]
COLOURINGS: tuple[Colouring, ...] = ("side", "person", "id")

_LEFT, _RIGHT, _MIDDLE = range(3)
_CROWD = 5  # people; from this many on, each has a colour
_WEAK = 0.3  # keypoints below this score are faint
_FAINT = 0.45  # their opacity
_HAIR = 0.7  # pixels; a thinner bone is a hairline
_SOFT = 0.45  # opacity of an outline that would bury a bone one pixel wide
_FACE = ("nose", "eye", "ear")
_FINE = 0.6  # of a bone's width, in a face


class _Style(NamedTuple):
    """How one person is drawn."""

    bone: int  #: width of lines, pixels; 0 for hairlines
    has_bones: bool
    dot: int  #: diameter of parts
    outline: int  #: pixels on each side
    outline_opacity: float
    of_parts: list[Colour]
    of_edges: list[Colour]
    person: Colour  #: of the box and the label


def draw_poses(
    image: Any,
    poses: Poses,
    *,
    min_score: float = MIN_SCORE,
    min_keypoint_score: float = 0.2,
    colour: Colouring | None = None,
    boxes: bool = False,
    scores: bool = False,
    line_width: float | None = None,
    point_radius: float | None = None,
    black: bool = False,
    channel_order: Literal["bgr", "rgb"] = "bgr",
) -> Any:
    """Return a copy of the image with skeletons drawn on it.

    Keypoints with low scores are faint, and those that a decoder filled in
    without a peak are dashed. Line widths follow the size of the image and of
    the person. Better poses are drawn over worse ones; worse duplicates of a
    person are left out. Ids are written above the head.

    Parameters
    ----------
    image : (height, width, 3) uint8 array, or Pillow image
        The picture; never written to. A Pillow image gives a Pillow image.
    poses : Poses
        People in pixels of `image`. Parts that are nan or infinite are left
        out, and so are the edges to them.
    min_score : float
        Lowest score of a pose to draw; our own decoders also return poses that are rarely correct. 0 draws
        everything, including duplicates.
    min_keypoint_score : float
        Lowest score of a keypoint to draw. The default is from Coral's examples.
    colour : {"side", "person", "id"}, optional
        "side": left orange, right blue, the middle white. "person": a colour for each person. "id": a colour for each
        id, the same in all frames. Default: "id" if the poses have ids, "person" for five people or more, else "side".
    boxes, scores : bool
        Draw each person's box, and write the score above it.
    line_width, point_radius : float, optional
        In pixels; `line_width=0` draws no lines, `point_radius=0` no points. Default: chosen by image and person.
    black : bool
        Draw on black instead of the image.
    channel_order : {"bgr", "rgb"}
        Order of an array's channels: "bgr" from OpenCV, "rgb" from most others.

    Raises
    ------
    InputError
        If `image` is not a uint8 array of three channels, `poses` are not Poses, or a setting is out of range.
    MissingRuntimeError
        If OpenCV cannot be imported.

    Examples
    --------
    >>> from bottomup.synthetic import random_poses
    >>> image = np.zeros((481, 641, 3), np.uint8)
    >>> drawn = draw_poses(image, random_poses(3), boxes=True)
    >>> drawn.shape, bool(drawn.any()), bool(image.any())
    ((481, 641, 3), True, False)
    """
    poses = as_poses(poses).sure(as_number(min_score, "min_score"))
    threshold = as_number(min_keypoint_score, "min_keypoint_score")
    line_width, point_radius = _size(line_width, "line_width"), _size(point_radius, "point_radius")
    if colour not in (None, *COLOURINGS):
        raise InputError(f"colour must be one of {', '.join(COLOURINGS)}, got {colour!r}")
    if colour == "id" and poses.ids is None:
        raise InputError("colour='id' needs poses with ids from a Tracker: pass colour='person'")
    if colour is None:
        colour = "id" if poses.ids is not None else "person" if len(poses) >= _CROWD else "side"
    channel_order = order_of(image, channel_order)  # type: ignore[assignment]
    canvas = copy_of(image)
    if black:
        canvas[:] = 0
    found = np.isfinite(poses.xy).all(axis=2) & (poses.keypoint_scores >= threshold)
    people = [person for person in np.argsort(poses.scores, kind="stable") if found[person].any()]
    styles = {person: _style(canvas, poses, person, found[person], colour, channel_order) for person in people}
    if line_width is not None or point_radius is not None:
        styles = {person: _resized(style, line_width, point_radius) for person, style in styles.items()}
    _draw_people(canvas, poses, found, styles)
    for person, style in styles.items():
        if boxes:
            strokes.box(canvas, _box(poses, person, found[person]), style.person, max(1, style.bone // 2))
        _write(canvas, poses, person, found[person], style, scores, boxes)
    return like(image, canvas)


def _draw_people(canvas: NDArray[np.uint8], poses: Poses, found: NDArray[np.bool_], styles: dict[Any, _Style]) -> None:
    """Draw weak keypoints faintly, then everything else over them."""
    weak: list[tuple[list[Stroke], _Style]] = []
    strong: list[tuple[list[Stroke], _Style]] = []
    for person, style in styles.items():
        faint, plain = _strokes(poses, person, found[person], style)
        weak.append((faint, style))
        strong.append((plain, style))
    every = [stroke for faint, _ in weak for stroke in faint]
    with strokes.blended(canvas, every, max((style.outline for _, style in weak), default=0), _FAINT):
        for faint, style in weak:
            strokes.paint(canvas, faint, style.outline, style.outline_opacity)
    for plain, style in strong:
        strokes.paint(canvas, plain, style.outline, style.outline_opacity)


def _strokes(poses: Poses, person: int, found: NDArray[np.bool_], style: _Style) -> tuple[list[Stroke], list[Stroke]]:
    """Return the faint and the plain strokes of a person: edges first, then parts."""
    kinds: tuple[list[Stroke], list[Stroke]] = [], []
    places = [(float(x), float(y)) for x, y in poses.xy[person]]
    are_strong = poses.keypoint_scores[person] >= _WEAK
    filled = poses.filled[person]
    for edge in _bones(poses.skeleton):
        parent, child = poses.skeleton.edges[edge]
        if found[parent] and found[child] and style.has_bones and places[parent] != places[child]:
            is_dashed = bool(filled[parent] or filled[child])
            is_plain = is_dashed or bool(are_strong[parent] and are_strong[child])
            width = math.ceil(_FINE * style.bone) if _is_face(poses.skeleton, parent, child) else style.bone
            stroke = Stroke(places[parent], places[child], style.of_edges[edge], width, is_dashed)
            kinds[is_plain].append(stroke)
    for part in np.flatnonzero(found).tolist() if style.dot else ():
        is_fine = _is_face(poses.skeleton, part, part)
        size = max(1, round(_FINE * style.dot)) if is_fine else style.dot
        stroke = Stroke(places[part], places[part], style.of_parts[part], size, bool(filled[part]))
        kinds[bool(are_strong[part] or filled[part])].append(stroke)
    return kinds


@functools.lru_cache(maxsize=64)
def _bones(skeleton: Skeleton) -> tuple[int, ...]:
    """Return the edges to draw; ear to shoulder and eye to eye are left out, because they are not bones."""
    kept = []
    for edge, ends in enumerate(skeleton.edges):
        kinds = {skeleton.parts[part].removeprefix("left_").removeprefix("right_") for part in ends}
        if edge not in skeleton.redundant_edges and kinds not in ({"ear", "shoulder"}, {"eye"}):
            kept.append(edge)
    return tuple(kept)


def _is_face(skeleton: Skeleton, *parts: int) -> bool:
    return all(skeleton.parts[part].endswith(_FACE) for part in parts)


def _style(
    canvas: NDArray[np.uint8],
    poses: Poses,
    person: int,
    found: NDArray[np.bool_],
    colour: Colouring,
    channel_order: str,
) -> _Style:
    """Return how a person is drawn, by the size of the image and of the person."""
    height, width = canvas.shape[:2]
    extent = np.ptp(np.clip(poses.xy[person][found], 0, (width, height)), axis=0).max()
    ideal = min(0.004 * math.sqrt(height * width), 0.015 * float(extent))
    bone = 0 if ideal < _HAIR else max(1, round(ideal))
    outline = max(1, round(0.4 * bone)) if extent > 20 else 0  # an outline would bury smaller people
    skeleton = poses.skeleton
    number = person if colour != "id" or poses.ids is None else int(poses.ids[person]) - 1
    own = colours.in_order(np.array([colours.of_person(number)]), channel_order)[0].tolist()
    if colour == "side":
        sides = [_side(skeleton, part) for part in range(len(skeleton.parts))]
        three = colours.in_order(np.array(colours.SIDES), channel_order).tolist()
        of_parts = [tuple(three[side]) for side in sides]
        of_edges = []
        for parent, child in skeleton.edges:
            one_side = {sides[parent], sides[child]} - {_MIDDLE}
            of_edges.append(tuple(three[one_side.pop() if len(one_side) == 1 else _MIDDLE]))
        label: Any = three[_MIDDLE]
    else:
        of_parts, of_edges, label = [tuple(own)] * len(skeleton.parts), [tuple(own)] * len(skeleton.edges), own
    dot = 2 * bone + 1 if bone > 1 else 2 + bone
    return _Style(bone, True, dot, outline, 1.0 if bone > 1 else _SOFT, of_parts, of_edges, tuple(label))


def _resized(style: _Style, line_width: float | None, point_radius: float | None) -> _Style:
    """Return a style with the given sizes."""
    if point_radius is not None:
        style = style._replace(dot=round(2 * point_radius))
    if line_width is None:
        return style
    bone = round(line_width) if line_width >= 1 else 0
    opacity = 1.0 if bone > 1 else _SOFT
    return style._replace(
        bone=bone, has_bones=line_width > 0, outline=max(1, round(0.4 * bone)), outline_opacity=opacity
    )


def _write(
    canvas: NDArray[np.uint8],
    poses: Poses,
    person: int,
    found: NDArray[np.bool_],
    style: _Style,
    scores: bool,
    boxes: bool,
) -> None:
    """Write a person's id and score above the head, or above the box."""
    words = [] if poses.ids is None else [str(poses.ids[person])]
    words += [f"{poses.scores[person]:.2f}"] if scores else []
    if not words:
        return
    height, width = canvas.shape[:2]
    positions = poses.xy[person][found].astype(np.float64)
    extent = float(np.ptp(np.clip(positions, 0, (width, height)), axis=0).max())
    size = min(max(0.6, 0.0012 * math.sqrt(height * width)), max(0.35, extent / 120)) if extent else 0.6
    x, y = positions[positions[:, 1].argmin()]
    if boxes:
        left, top, across, _ = _box(poses, person, found).tolist()
        x, y = left + across / 2, top
    strokes.label(canvas, " ".join(words), x, y - 12 * size, colours.lighter(style.person), size)


def _box(poses: Poses, person: int, found: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the network's own box, or else one around the parts that are drawn."""
    if poses.own_boxes is not None:
        own: NDArray[np.float64] = poses.own_boxes[person].astype(np.float64)
        return own
    places = poses.xy[person][found].astype(np.float64)
    return np.concatenate([places.min(axis=0), np.ptp(places, axis=0)])


def _side(skeleton: Skeleton, part: int) -> int:
    """Return the side of the body that a part is on; in every skeleton, names of left parts sort before right ones."""
    other = skeleton.mirror[part]
    if other == part:
        return _MIDDLE
    return _LEFT if skeleton.parts[part] < skeleton.parts[other] else _RIGHT


def _size(value: float | None, name: str) -> float | None:
    """Check a width in pixels."""
    if value is None:
        return None
    size = as_number(value, name)
    if not 0 <= size <= 1000:
        raise InputError(f"{name} must be from 0 to 1000 pixels, got {value!r}")
    return size
