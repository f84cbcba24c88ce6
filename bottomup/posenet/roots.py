"""What every PoseNet decoder does before its loops: check, find roots, lay out the walk through the tree."""

from collections.abc import Callable
from dataclasses import fields as fields_of
from functools import cache, lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bottomup.errors import InputError
from bottomup.posenet.fields import EDGES, NUM_EDGES, NUM_PARTS, PoseNetFields, Tensors, tree_of
from bottomup.poses import Poses
from bottomup.skeletons import COCO17
from bottomup.tensors import as_number
from bottomup.workspaces import Shelf

_ROOTS_TO_START_WITH = 1024
MOST_CELLS = 1 << 20  #: a window wider than any grid


def check(decoder: Any) -> None:
    """Refuse parameters of a decoder, a frozen dataclass, that cannot be; bring the rest to plain int and float."""
    for parameter in fields_of(decoder):
        name, value = parameter.name, getattr(decoder, parameter.name)
        low = 0 if name.endswith("_steps") else 1
        if isinstance(parameter.default, int):
            if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or not low <= value < 2**31:
                raise InputError(f"{name} must be a whole number, at least {low} and below 2**31, got {value!r}")
            object.__setattr__(decoder, name, int(value))
            continue
        number = as_number(value, name)
        if name.endswith(("_threshold", "_score", "_similarity")):
            if not 0 <= number <= 1:
                raise InputError(f"{name} must be a score in [0, 1], got {value!r}")
        elif not (number > 0 or (number == 0 and name == "nms_radius")):
            raise InputError(f"{name} must be a length above 0, got {value!r}")
        object.__setattr__(decoder, name, number)


def as_posenet_fields(fields: Any) -> PoseNetFields:
    """Return `fields`, or say what to pass instead."""
    if not isinstance(fields, PoseNetFields):
        raise InputError(
            f"fields must be PoseNetFields, got {type(fields).__name__}: "
            "build them with PoseNetFields.from_mid_offsets or from_displacements"
        )
    if len(fields.skeleton.parts) != NUM_PARTS or tree_of(fields.skeleton) != EDGES:
        raise InputError(f"PoseNet decoders take COCO's 17 parts, got fields of skeleton {fields.skeleton.name!r}")
    return fields


class Workspace(NamedTuple):
    """Arrays that kernels write to, with room for R roots and poses."""

    flags: NDArray[np.uint8]  #: one an element of a row of heatmaps
    words: NDArray[np.uint64]  #: the same, eight at a time
    peaks: NDArray[np.int64]  #: (R,) roots, as a heap
    heap_scores: NDArray[np.float32]  #: (R,) theirs
    found: NDArray[np.float32]  #: (R, 17, 3) poses: row, column, score
    found_scores: NDArray[np.float32]  #: (R,)
    order: NDArray[np.int64]  #: (R,) of the poses, best first
    per_keypoint: NDArray[np.float32]  #: (R, 17) a number each


class Room(NamedTuple):
    """What a decode takes from the shelf."""

    workspace: tuple[Any, ...]  #: a plain tuple of `Workspace`
    keypoints: NDArray[np.float32]  #: (R, 17, 3) the answer: x, y, score
    scores: NDArray[np.float32]  #: (R,)
    row_size: int
    num_roots: int


_shelf: Shelf[Room] = Shelf()
put_back = _shelf.put_back


def take_room(row_size: int, num_roots: int) -> Room:
    """Return a workspace with room for so many elements of a row of heatmaps, and so many roots and poses."""
    return _shelf.take(
        lambda spare: row_size <= spare.row_size and num_roots <= spare.num_roots,
        lambda: _make_room(row_size, max(num_roots, _ROOTS_TO_START_WITH)),
    )


def _make_room(row_size: int, num_roots: int) -> Room:
    words = np.empty((row_size + 31) // 32 * 4, np.uint64)
    workspace = Workspace(
        flags=words.view(np.uint8),
        words=words,
        peaks=np.empty(num_roots, np.int64),
        heap_scores=np.empty(num_roots, np.float32),
        found=np.empty((num_roots, NUM_PARTS, 3), np.float32),
        found_scores=np.empty(num_roots, np.float32),
        order=np.empty(num_roots, np.int64),
        per_keypoint=np.empty((num_roots, NUM_PARTS), np.float32),
    )
    answer = np.empty((num_roots, NUM_PARTS, 3), np.float32), np.empty(num_roots, np.float32)
    return Room(tuple(workspace), *answer, 8 * words.size, num_roots)


def decode_roots(
    decode: Callable[..., int], fields: PoseNetFields, lowest: float, max_poses: int, rules: tuple[Any, ...]
) -> Poses:
    """Return the poses that a kernel finds from all heatmap peaks whose real value reaches `lowest`."""
    reached = lowest_value(fields.tensors, lowest)
    if reached is None:
        return Poses.empty(COCO17)
    cells = fields.in_cells
    num_roots = 0
    while True:
        room = take_room(fields.tensors.width * NUM_PARTS, num_roots)
        most = max_poses if max_poses < room.num_roots else room.num_roots
        found = decode(cells, walks(), room.workspace, rules, most, reached, room.keypoints, room.scores)
        if found >= 0:
            keypoints, scores = room.keypoints[:found].copy(), room.scores[:found].copy()
            put_back(room)
            return Poses.of_decoder(keypoints, scores, COCO17)
        num_roots = -found


def lowest_value(tensors: Tensors, lowest: float) -> Any:
    """Return the first element, of the heatmaps' own type, whose real value reaches `lowest`; None if none can."""
    if tensors.is_quantized:
        return _lowest_level(tensors.heatmap_scale, tensors.heatmap_zero, lowest)
    return np.float32(lowest)


def find_peaks(
    values: NDArray[Any], height: int, width: int, lowest: Any, radius: int, compare_scores: bool = False
) -> NDArray[np.int64]:
    """Return the flat indices of the peaks of 17 maps that reach `lowest`, an element of their type."""
    num_roots = 0
    while True:
        room = take_room(width * NUM_PARTS, num_roots)
        flags, words, peaks = room.workspace[:3]
        num_roots = _kernels().find_peaks(
            values, height, width, NUM_PARTS, lowest, radius, compare_scores, flags, words, peaks
        )
        if num_roots <= peaks.size:
            found: NDArray[np.int64] = peaks[:num_roots].copy()
            put_back(room)
            return found


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


@cache
def squared_kappas() -> NDArray[np.float32]:
    """Return COCO's squared constants per part, (2 sigma)^2."""
    return np.square(COCO17.kappas).astype(np.float32)


@lru_cache(maxsize=256)
def _lowest_level(scale: np.float32, zero: np.float32, lowest: float) -> np.uint8 | None:
    """Return the first of the 256 levels whose real value reaches `lowest`, None if none does."""
    values = (np.arange(256, dtype=np.float32) - zero) * scale
    below = int(np.count_nonzero(~(values >= np.float32(lowest))))
    return np.uint8(below) if below < 256 else None


@cache
def walks() -> NDArray[np.int64]:
    """Return (17, 16, 5): from each root, breadth first, steps through the tree.

    A step is source, target, displacement channel, is backward, and the number
    of the first step that lies further from the root. The edges form a tree:
    each part is reached along one path, so that the order of steps changes
    nothing and upstream's queues can be done without.
    """
    table = np.empty((NUM_PARTS, NUM_EDGES, 5), np.int64)
    for root in range(NUM_PARTS):
        distances, steps = {root: 0}, []
        for source in (reached := [root]):
            for edge, (parent, child) in enumerate(EDGES):
                for start, target, channel, is_bwd in (
                    (parent, child, edge, 0),
                    (child, parent, 2 * NUM_EDGES + edge, 1),
                ):
                    if source == start and target not in distances:
                        distances[target] = distances[source] + 1
                        steps.append((source, target, channel, is_bwd))
                        reached.append(target)
        ends = [sum(distance <= distances[target] for distance in distances.values()) - 1 for _, target, _, _ in steps]
        table[root] = [(*step, end) for step, end in zip(steps, ends, strict=True)]
    return table
