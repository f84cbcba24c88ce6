"""The run of the decoders of other systems: arrays for the loops, one call of them, poses."""

from functools import cache, lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bottomup.poses import Poses
from bottomup.tags.fields import TagFields, level_table
from bottomup.tensors import Quantized
from bottomup.workspaces import Shelf

__all__ = [
    "FILLING_CELLS",
    "FILLING_PASSES",
    "Candidates",
    "Found",
    "Frame",
    "Pairing",
    "People",
    "Ranking",
    "Room",
    "Searching",
    "Solver",
    "SystemRules",
    "as_poses",
    "decode_system",
    "lowest_element",
    "make_candidates",
    "make_found",
    "make_solver",
    "nobody",
    "order_of_parts",
]

#: To fill parts in, all cells of all parts are looked at so often at most,
FILLING_PASSES = 4
#: and so many cells besides; people beyond are left as found. Of maps that no cache holds, half or less: each 131,072
#: cells of a map count once more.
FILLING_CELLS = 2**24
_BLOCK = 64  # cells that are looked at together
#: In which order parts are grouped: head and trunk before limbs, whose tags are less sure.
_ORDER_OF_COCO = (0, 1, 2, 3, 4, 5, 6, 11, 12, 7, 8, 9, 10, 13, 14, 15, 16)


class SystemRules(NamedTuple):
    """What the kernel is told of a decoder."""

    system: int  #: 0 OMZ, 1 mmpose, 2 HigherHRNet
    max_people: int
    tag_threshold: float
    min_score: float
    delta: float  #: cells that found parts are moved right and down
    udp: bool
    fill: bool


class Candidates(NamedTuple):
    """At most K peaks of each of N parts, best first."""

    cells: NDArray[np.int64]  #: (N, K) row * width + column
    scores: NDArray[np.float32]  #: (N, K)
    counts: NDArray[np.int64]  #: (N,)


class People(NamedTuple):
    """P people, who have some of N parts and a tag of L numbers."""

    person_cells: NDArray[np.int64]  #: (P, N) -1 of a part that was not found
    person_scores: NDArray[np.float32]  #: (P, N) 0 of a part that was not found
    person_tags: NDArray[np.float32]  #: (P, 2L) the mean of the parts' tags, then their sum
    person_counts: NDArray[np.int64]  #: (P,)
    centres: NDArray[np.float64]  #: (P, 2) x and y of the parts' mean, in cells


class Pairing(NamedTuple):
    """What it takes to pair K candidates with P people."""

    costs: NDArray[np.float64]  #: (K, K + P)
    distances: NDArray[np.float32]  #: (K, P) of tags
    chosen: NDArray[np.int64]  #: (K + P,) each candidate's column
    solver: tuple[Any, ...]  #: of `Solver`
    marks: NDArray[np.uint8]  #: (K, K)
    covers: NDArray[np.bool_]  #: (2, K) of rows, of columns
    path: NDArray[np.int64]  #: (2K + 1, 2)


class Solver(NamedTuple):
    """What shortest augmenting paths are found with, R rows and C columns."""

    row_prices: NDArray[np.float64]  #: (R,)
    column_prices: NDArray[np.float64]  #: (C,)
    lengths: NDArray[np.float64]  #: (C,)
    came_from: NDArray[np.int64]  #: (C,)
    owners: NDArray[np.int64]  #: (C,)
    waiting: NDArray[np.int64]  #: (C,)
    row_seen: NDArray[np.bool_]  #: (R,)
    column_seen: NDArray[np.bool_]  #: (C,)


class Searching(NamedTuple):
    """What it takes to look through all cells for missing parts."""

    planes: NDArray[np.float32]  #: (N, 1 + L, H * W) scores and tags as real numbers
    highs: NDArray[np.float32]  #: (N, blocks) highest score of each
    is_known: NDArray[np.bool_]  #: (N,) whether a part's `planes` and `highs` are
    block_costs: NDArray[np.float32]  #: (64,)
    lines: NDArray[np.float32]  #: (3, W) of a blurred heatmap
    blocks_left: NDArray[np.int64]  #: (2,) how many may still be looked at, and at first


class Ranking(NamedTuple):
    """What people are ranked and placed with."""

    means: NDArray[np.float64]  #: (P,)
    ranks: NDArray[np.int64]  #: (P,) people, best first
    blur_scales: NDArray[np.float32]  #: (N,) -1 where not known yet
    person_tag: NDArray[np.float32]  #: (L,)
    places: NDArray[np.float64]  #: (N, 2) x and y in cells


class Frame(NamedTuple):
    """How cells become input pixels."""

    scale_x: float
    scale_y: float
    shift_x: float
    shift_y: float


class Found(NamedTuple):
    """The answer, with room for P people."""

    keypoints: NDArray[np.float32]  #: (P, N, 3)
    scores: NDArray[np.float32]  #: (P,)
    filled: NDArray[np.bool_]  #: (P, N)


class Room(NamedTuple):
    """What a decode takes from the shelf."""

    shape: tuple[int, ...]  #: N, L, H, W, K
    workspace: tuple[Any, ...]  #: candidates, people, pairing, searching, ranking, plain tuples
    found: tuple[Any, ...]


_shelf: Shelf[Room] = Shelf()


def make_solver(num_rows: int, num_columns: int) -> tuple[Any, ...]:
    """Return the arrays that `assign` works in."""
    solver = Solver(
        row_prices=np.empty(num_rows),
        column_prices=np.empty(num_columns),
        lengths=np.empty(num_columns),
        came_from=np.empty(num_columns, np.int64),
        owners=np.empty(num_columns, np.int64),
        waiting=np.empty(num_columns, np.int64),
        row_seen=np.empty(num_rows, np.bool_),
        column_seen=np.empty(num_columns, np.bool_),
    )
    return tuple(solver)


def make_candidates(num_parts: int, most: int) -> tuple[Any, ...]:
    """Return room for so many peaks of each part."""
    candidates = Candidates(
        cells=np.empty((num_parts, most), np.int64),
        scores=np.empty((num_parts, most), np.float32),
        counts=np.empty(num_parts, np.int64),
    )
    return tuple(candidates)


def make_found(num_people: int, num_parts: int) -> tuple[Any, ...]:
    """Return room for an answer."""
    found = Found(
        keypoints=np.empty((num_people, num_parts, 3), np.float32),
        scores=np.empty(num_people, np.float32),
        filled=np.empty((num_people, num_parts), np.bool_),
    )
    return tuple(found)


def _make_room(shape: tuple[int, ...]) -> Room:
    num_parts, tag_size, height, width, most = shape
    num_cells = height * width
    num_people = num_parts * most
    num_blocks = -(-num_cells // _BLOCK)
    most_blocks = (FILLING_PASSES * num_parts * num_blocks + FILLING_CELLS // _BLOCK) // (1 + (num_cells >> 17))
    people = People(
        person_cells=np.empty((num_people, num_parts), np.int64),
        person_scores=np.empty((num_people, num_parts), np.float32),
        person_tags=np.empty((num_people, 2 * tag_size), np.float32),
        person_counts=np.empty(num_people, np.int64),
        centres=np.empty((num_people, 2)),
    )
    pairing = Pairing(
        costs=np.empty((most, most + num_people)),
        distances=np.empty((most, num_people), np.float32),
        chosen=np.empty(most + num_people, np.int64),
        solver=make_solver(most, most + num_people),
        marks=np.empty((most, most), np.uint8),
        covers=np.empty((2, most), np.bool_),
        path=np.empty((2 * most + 1, 2), np.int64),
    )
    searching = Searching(
        planes=np.empty((num_parts, 1 + tag_size, num_cells), np.float32),
        highs=np.empty((num_parts, num_blocks), np.float32),
        is_known=np.empty(num_parts, np.bool_),
        block_costs=np.empty(_BLOCK, np.float32),
        lines=np.empty((3, width), np.float32),
        blocks_left=np.array([0, most_blocks], np.int64),
    )
    ranking = Ranking(
        means=np.empty(num_people),
        ranks=np.empty(num_people, np.int64),
        blur_scales=np.empty(num_parts, np.float32),
        person_tag=np.empty(tag_size, np.float32),
        places=np.empty((num_parts, 2)),
    )
    workspace = (make_candidates(num_parts, most), *(tuple(part) for part in (people, pairing, searching, ranking)))
    return Room(shape, workspace, make_found(num_people, num_parts))


def decode_system(fields: TagFields, rules: SystemRules, score_threshold: float) -> Poses:
    """Return the people that a decoder of these rules finds, best first."""
    num_parts, (height, width) = len(fields.skeleton.parts), fields.grid
    lowest = lowest_element(fields, score_threshold)
    if lowest is None or height * width == 0:
        return nobody(fields)
    shape = (num_parts, fields.tag_size, height, width, rules.max_people)
    room = _shelf.take(lambda spare: spare.shape == shape, lambda: _make_room(shape))
    num_found = _kernel()(
        fields.tensors,
        *room.workspace,
        order_of_parts(num_parts),
        tuple(rules),
        lowest,
        tuple(_frame(fields, rules.udp)),
        room.found,
    )
    poses = as_poses(fields, room.found, num_found)
    _shelf.put_back(room)
    return poses


def as_poses(fields: TagFields, found: tuple[Any, ...], num_found: int) -> Poses:
    """Return copies of what a kernel found."""
    keypoints, scores, filled = (values[:num_found].copy() for values in found)
    return Poses.of_decoder(keypoints, scores, fields.skeleton, filled)


def nobody(fields: TagFields) -> Poses:
    """Return no poses."""
    return as_poses(fields, make_found(0, len(fields.skeleton.parts)), 0)


def lowest_element(fields: TagFields, threshold: float) -> Any:
    """Return what a peak's element is above, of the type of the elements that kernels read; None if none can be."""
    if fields.tensors[1] is None or not isinstance(fields.heatmaps, Quantized):
        below = np.float32(threshold)
        return np.nextafter(below, np.float32(-1)) if below > threshold else below
    above = np.flatnonzero(level_table(fields.heatmaps.scale, fields.heatmaps.zero_point) > threshold)
    return np.uint8(above[0] - 1) if len(above) else None


def _frame(fields: TagFields, udp: bool) -> Frame:
    """Return how cells become pixels; with UDP the outermost cells lie on the outermost pixels."""
    stride, (shift_x, shift_y) = fields.output_stride, fields.shift
    if not udp:
        return Frame(stride, stride, shift_x, shift_y)
    scale_y, scale_x = ((side * stride - 1) / max(side - 1, 1) for side in fields.grid)
    return Frame(scale_x, scale_y, shift_x, shift_y)


@lru_cache(maxsize=16)
def order_of_parts(num_parts: int) -> NDArray[np.int64]:
    """Return the order in which parts are grouped."""
    return np.array(_ORDER_OF_COCO if num_parts == len(_ORDER_OF_COCO) else range(num_parts), np.int64)


@cache
def _kernel() -> Any:
    """Return the loops; numba is imported here, on first use."""
    from bottomup.tags.kernels.systems import decode_system

    return decode_system
