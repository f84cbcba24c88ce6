"""What all decoders of centres share: checks, workspaces, and one call of a kernel."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bottomup.centers.fields import CenterFields
from bottomup.errors import InputError
from bottomup.poses import Poses
from bottomup.workspaces import Shelf

__all__ = [
    "Guess",
    "Limits",
    "Place",
    "Space",
    "Tiles",
    "Weighting",
    "Window",
    "above_element",
    "as_center_fields",
    "lowest_element",
    "run",
    "with_boxes",
]


class Space(NamedTuple):
    """Arrays that kernels write to, with room for P people of N parts."""

    peaks: NDArray[np.int64]  #: (P,) cells of centres
    scores: NDArray[np.float32]  #: (P,) their scores
    found: NDArray[np.float32]  #: (P, N, 4) row and column of each part, its score, and one more number
    limits: NDArray[np.float32]  #: (P, 4) boxes: top, left, bottom and right, in cells
    areas: NDArray[np.float32]  #: (P,) squared cells
    order: NDArray[np.int64]  #: (P,)
    keypoints: NDArray[np.float32]  #: (P, N, 3) the answer: x, y and score
    pose_scores: NDArray[np.float32]  #: (P,)
    boxes_found: NDArray[np.float32]  #: (P, 4) left, top, width and height, input pixels


class Tiles(NamedTuple):
    """What is known of the tiles of 8 x 8 cells."""

    bounds: NDArray[np.float32]  #: (T, N) upper bounds on the logarithms of scores in each tile
    are_known: NDArray[np.bool_]  #: (T,)
    highest: NDArray[Any]  #: (8 * N,) elements of one row of a tile
    tiles_across: int


class Guess(NamedTuple):
    """Where a centre points, in cells."""

    guess_row: np.float32
    guess_column: np.float32


class Place(NamedTuple):
    """Where a part was found, in cells."""

    row: np.float32
    column: np.float32


class Window(NamedTuple):
    """Cells to look in: first row and column, and those past the last."""

    top: int
    left: int
    bottom: int
    right: int


class Limits(NamedTuple):
    """Edges of a box, in cells."""

    top: np.float32
    left: np.float32
    bottom: np.float32
    right: np.float32


class Weighting(NamedTuple):
    """How cells count less the further they are from a guess."""

    scale: np.float32  #: of the squared distance in a Gaussian's exponent; else what is added to the distance
    is_inverse: bool  #: one over the distance


class _Room(NamedTuple):
    """What a decode takes from the shelf."""

    space: tuple[Any, ...]  #: a plain tuple of `Space`
    tiles: tuple[Any, ...]  #: the arrays of `Tiles`


_TILE = 8  # cells, as in kernels.search
_shelf: Shelf[_Room] = Shelf()


def as_center_fields(fields: Any) -> CenterFields:
    """Return `fields`, or say what to pass instead."""
    if not isinstance(fields, CenterFields):
        raise InputError(
            f"fields must be CenterFields, got {type(fields).__name__}: "
            "build them with CenterFields(center, heatmaps, regressions, offsets)"
        )
    return fields


def with_boxes(fields: CenterFields, decoder: str) -> CenterFields:
    """Return `fields`, or refuse them if they lack the boxes that a decoder reads."""
    if not fields.has_boxes:
        raise InputError(
            f"fields have no box_sizes and box_offsets, which {decoder} reads: pass them, or use CenterDecoder()"
        )
    return fields


def _take_room(num_people: int, num_parts: int, num_tiles: int, dtype: np.dtype[Any]) -> _Room:
    """Return a workspace for this many people and tiles and heatmaps of this element type."""

    def fits(spare: _Room) -> bool:
        bounds, are_known, highest = spare.tiles
        has_parts = bounds.shape[1] == num_parts and highest.dtype == dtype
        return bool(has_parts and num_people <= spare.space[0].size and are_known.size == num_tiles)

    return _shelf.take(fits, lambda: _make_room(num_people, num_parts, num_tiles, dtype))


def _make_room(num_people: int, num_parts: int, num_tiles: int, dtype: np.dtype[Any]) -> _Room:
    space = Space(
        peaks=np.empty(num_people, np.int64),
        scores=np.empty(num_people, np.float32),
        found=np.empty((num_people, num_parts, 4), np.float32),
        limits=np.empty((num_people, 4), np.float32),
        areas=np.empty(num_people, np.float32),
        order=np.empty(num_people, np.int64),
        keypoints=np.empty((num_people, num_parts, 3), np.float32),
        pose_scores=np.empty(num_people, np.float32),
        boxes_found=np.empty((num_people, 4), np.float32),
    )
    tiles = (
        np.empty((num_tiles, num_parts), np.float32),
        np.empty(num_tiles, np.bool_),
        np.empty(_TILE * num_parts, dtype),
    )
    return _Room(tuple(space), tiles)


def run(kernel: Callable[..., int], fields: CenterFields, most: int, *more: Any, has_boxes: bool = False) -> Poses:
    """Return the poses that a kernel finds, at most `most`; `more` are its arguments after the grid."""
    height, width = fields.grid
    if 0 in fields.grid:
        return Poses.empty(fields.skeleton)
    num_parts = len(fields.skeleton.parts)
    room = _take_room(most, num_parts, -(-height // _TILE) * -(-width // _TILE), fields.tensors[0][0].dtype)
    count = kernel(room.space, (*room.tiles, -(-width // _TILE)), *fields.tensors, fields.cells, *more)
    keypoints, scores, boxes = (array[:count].copy() for array in room.space[-3:])
    _shelf.put_back(room)
    return Poses.of_decoder(keypoints, scores, fields.skeleton, boxes=boxes if has_boxes else None)


def lowest_element(fields: CenterFields, name: str, score: float) -> Any:
    """Return the lowest element of centres or heatmaps, a level or a float32, whose score reaches `score`.

    None if no level's score does.
    """
    if fields.is_quantized:
        scores = fields.tensors[0 if name == "center" else 1][1]
        below = int(np.count_nonzero(~(scores >= np.float32(score))))
        return below if below < len(scores) else None
    if not fields.logits:
        return np.float32(score)
    if score <= 0:
        return np.float32(-np.inf)
    return np.float32(np.log(score / (1 - score))) if score < 1 else np.float32(np.inf)


def above_element(fields: CenterFields, name: str, score: float) -> Any:
    """Return the highest element of centres or heatmaps, a level or a float32, whose score is not above `score`.

    None if no level's score is above it.
    """
    if fields.is_quantized:
        scores = fields.tensors[0 if name == "center" else 1][1]
        below = int(np.count_nonzero(~(scores > np.float32(score))))
        return below - 1 if below < len(scores) else None
    return lowest_element(fields, name, score)
