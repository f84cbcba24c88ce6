"""What every PoseNet decoder does around its loops: check fields, find roots, take and put back workspaces."""

from collections.abc import Callable
from functools import cache, lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bottomup.errors import InputError
from bottomup.posenet.bundles import Tensors
from bottomup.posenet.fields import PoseNetFields
from bottomup.poses import Poses
from bottomup.workspaces import Shelf

__all__ = [
    "LONGEST",
    "MOST_POSES",
    "MOST_STEPS",
    "PATIENCE",
    "WIDEST_WINDOW",
    "Room",
    "Workspace",
    "as_posenet_fields",
    "decode_roots",
    "find_peaks",
    "logit",
    "lowest_value",
    "put_back",
    "take_room",
]

_ROOTS_TO_START_WITH = 1024
_POSES_TO_START_WITH = 64
MOST_POSES = 1000  #: the most that any decoder looks for
WIDEST_WINDOW = 4  #: cells to each side in which a root is highest
MOST_STEPS = 64  #: of refinement
LONGEST = 10_000  #: input pixels
#: Stops a search that finds nobody new. A root near somebody costs 1, one that is followed and leads to nobody costs
#: more; a decoder has this much to spend, plus 1 per cell. No photo takes a tenth of it; fields made to be slow do.
PATIENCE = 100_000


def as_posenet_fields(fields: Any) -> PoseNetFields:
    """Return `fields`, or say what to pass instead."""
    if not isinstance(fields, PoseNetFields):
        raise InputError(
            f"fields must be PoseNetFields, got {type(fields).__name__}: "
            "build them with PoseNetFields.from_mid_offsets or from_displacements"
        )
    return fields


class Workspace(NamedTuple):
    """Arrays that kernels write to, with room for R roots and Q poses of N parts."""

    flags: NDArray[np.uint8]  #: one per element of a row of heatmaps
    words: NDArray[np.uint64]  #: the same, eight at a time
    peaks: NDArray[np.int64]  #: (R,) roots, as a heap
    heap_scores: NDArray[np.float32]  #: (R,) the roots'
    found: NDArray[np.float32]  #: (Q, N, 3) poses: row, column, score
    found_scores: NDArray[np.float32]  #: (Q,)
    order: NDArray[np.int64]  #: (Q,) of the poses, best first
    per_keypoint: NDArray[np.float32]  #: (Q, N) one number per keypoint


class Room(NamedTuple):
    """Workspace and answer of one decode, kept on a shelf in between."""

    workspace: tuple[Any, ...]  #: a plain tuple of `Workspace`
    keypoints: NDArray[np.float32]  #: (Q, N, 3) the answer: x, y, score
    scores: NDArray[np.float32]  #: (Q,)
    row_size: int
    num_roots: int
    num_poses: int
    num_parts: int


_shelf: Shelf[Room] = Shelf()
put_back = _shelf.put_back


def take_room(num_parts: int, width: int, num_roots: int, num_poses: int) -> Room:
    """Return a workspace with room for rows of so many cells, and so many roots and poses (2 at least)."""
    row_size = width * num_parts
    return _shelf.take(
        lambda spare: (
            num_parts == spare.num_parts
            and row_size <= spare.row_size
            and num_roots <= spare.num_roots
            and num_poses <= spare.num_poses
        ),
        lambda: _make_room(
            num_parts, row_size, max(num_roots, _ROOTS_TO_START_WITH), max(num_poses, _POSES_TO_START_WITH)
        ),
    )


def _make_room(num_parts: int, row_size: int, num_roots: int, num_poses: int) -> Room:
    words = np.empty((row_size + 31) // 32 * 4, np.uint64)
    workspace = Workspace(
        flags=words.view(np.uint8),
        words=words,
        peaks=np.empty(num_roots, np.int64),
        heap_scores=np.empty(num_roots, np.float32),
        found=np.empty((num_poses, num_parts, 3), np.float32),
        found_scores=np.empty(num_poses, np.float32),
        order=np.empty(num_poses, np.int64),
        per_keypoint=np.empty((num_poses, num_parts), np.float32),
    )
    answer = np.empty((num_poses, num_parts, 3), np.float32), np.empty(num_poses, np.float32)
    return Room(tuple(workspace), *answer, 8 * words.size, num_roots, num_poses, num_parts)


def decode_roots(
    decode: Callable[..., int], fields: PoseNetFields, lowest: float, max_poses: int, rules: tuple[Any, ...]
) -> Poses:
    """Return the poses that a kernel finds from all heatmap peaks whose real value reaches `lowest`."""
    tensors, skeleton = fields.tensors, fields.skeleton
    reached = lowest_value(tensors, lowest)
    if reached is None:
        return Poses.empty(skeleton)
    cells, tree, num_parts = fields.in_cells, fields.tree, len(skeleton.parts)
    num_roots = 0
    while True:
        room = take_room(num_parts, tensors.width, num_roots, max_poses)
        found = decode(cells, tree, room.workspace, rules, max_poses, reached, room.keypoints, room.scores)
        if found >= 0:
            keypoints, scores = room.keypoints[:found].copy(), room.scores[:found].copy()
            put_back(room)
            return Poses.of_decoder(keypoints, scores, skeleton)
        num_roots = -found


def lowest_value(tensors: Tensors, lowest: float) -> Any:
    """Return the first element, of the heatmaps' own type, whose real value reaches `lowest`; None if no level does."""
    if tensors.is_quantized:
        return _lowest_level(tensors.heatmap_scale, tensors.heatmap_zero, lowest)
    return np.float32(lowest)


def find_peaks(
    values: NDArray[Any],
    grid: tuple[int, int],
    num_parts: int,
    lowest: Any,
    radius: int,
    compare_scores: bool = False,
) -> tuple[Room, NDArray[np.int64]]:
    """Return the flat indices of the peaks of N maps that reach `lowest`, an element of their type.

    They lie in a room: put it back when they are no longer needed.
    """
    num_roots = 0
    while True:
        room = take_room(num_parts, grid[1], num_roots, 0)
        flags, words, peaks = room.workspace[:3]
        num_roots = _kernels().find_peaks(values, *grid, num_parts, lowest, radius, compare_scores, flags, words, peaks)
        if num_roots <= peaks.size:
            return room, peaks[:num_roots]


@cache
def _kernels() -> Any:
    """Return the loops; numba is imported here, on first use."""
    from bottomup.kernels import peaks

    return peaks


@lru_cache(maxsize=256)
def logit(score: float) -> float:
    """Return the logit of a score in [0, 1]."""
    if score <= 0:
        return -np.inf
    return float(np.log(score / (1 - score))) if score < 1 else np.inf


@lru_cache(maxsize=256)
def _lowest_level(scale: np.float32, zero: np.float32, lowest: float) -> np.uint8 | None:
    """Return the first of the 256 levels whose real value reaches `lowest`; None if no level does."""
    values = (np.arange(256, dtype=np.float32) - zero) * scale
    below = int(np.count_nonzero(~(values >= np.float32(lowest))))
    return np.uint8(below) if below < 256 else None
