"""The run of a part affinity field decoder: arrays for the loops, two calls of them, poses."""

from functools import cache, lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bottomup.errors import InputError
from bottomup.paf.fields import PafFields, real_table
from bottomup.poses import Poses
from bottomup.similarity import AREA_OF_JOINTS
from bottomup.skeletons import Skeleton
from bottomup.workspaces import Shelf

_LIMBS_TO_START_WITH = 2048


class Workspace(NamedTuple):
    """Arrays that kernels write to, for one grid and skeleton.

    `peaks` are those of N parts with at most K peaks each: their counts,
    cells and `places`. `limbs` have room for `num_limbs`, and `people` for as
    many as these can make. `seeking` and `joining` are what the two kernels
    take besides, in their order.
    """

    shape: tuple[int, ...]  #: N, E, K, H, W
    num_limbs: int
    peaks: tuple[NDArray[Any], ...]
    limbs: tuple[NDArray[Any], ...]
    found: tuple[NDArray[Any], ...]
    seeking: tuple[NDArray[Any], ...]
    joining: tuple[NDArray[Any], ...]


def _make_workspace(shape: tuple[int, ...], num_limbs: int) -> Workspace:
    """Return arrays for (N, E, K, H, W), and room for that many limbs."""
    num_parts, num_edges, most, height, width = shape
    num_people = min(num_limbs, num_parts * most // 2)
    words = np.empty(_stretch() // 8, np.uint64)
    peaks = (
        np.empty(num_parts, np.int64),
        np.empty((num_parts, most), np.int64),
        np.empty((5, num_parts, most), np.float64),
    )
    limbs = (
        np.empty((num_limbs, 3), np.int64),
        np.empty(num_limbs, np.float64),
        np.empty(num_limbs, np.float64),
    )
    seeking = (
        *peaks,
        words.view(np.uint8),
        words,
        np.empty(_stretch(), np.int64),
        np.empty((num_parts, height * width), np.uint8),
        np.empty(height * width, np.int64),
        np.empty((3, most), np.float64),
        np.empty((4, most), np.int64),
        *limbs,
    )
    found = (
        np.empty((num_people, num_parts, 3), np.float32),
        np.empty(num_people, np.float32),
        np.empty((num_people, num_parts), np.bool_),
    )
    joining = (
        *peaks,
        *limbs,
        np.empty((2, num_limbs), np.int64),
        np.empty((2, num_limbs), np.float64),
        np.empty((num_parts, most), np.int64),
        np.empty((num_edges, 2, most), np.uint8),
        np.empty((num_people, num_parts), np.int64),
        np.empty((num_people, 4), np.float64),
        np.empty((num_people, num_parts, 3), np.float64),
        np.empty(num_people, np.float64),
        np.empty((num_parts, 3), np.float64),
        np.empty((num_parts, height, width), np.float32),
        np.empty(num_parts, np.uint8),
        np.empty(num_people, np.int64),
        np.empty((num_people, 4), np.float64),
        *found,
    )
    return Workspace(shape, num_limbs, peaks, limbs, found, seeking, joining)


_shelf: Shelf[Workspace] = Shelf()


def decode_fields(
    fields: PafFields,
    peak_threshold: float,
    max_peaks: int,
    limb_rules: tuple[Any, ...],
    is_hungarian: bool,
    people_rules: tuple[Any, ...],
    shifts: tuple[float, float],
) -> Poses:
    """Return the people that a decoder of these rules finds, best first.

    `limb_rules` and `people_rules` are the last arguments of the two kernels.
    """
    if not isinstance(fields, PafFields):
        raise InputError(
            f"fields must be PafFields, got {type(fields).__name__}: build them with PafFields(heatmaps, pafs, "
            "skeleton=...) or PafFields.from_concatenated"
        )
    tensors, (shift_x, shift_y) = fields.tensors, shifts
    num_cells = tensors.height * tensors.width
    floors = _floors(fields.levels, peak_threshold, tensors.width, tensors.channels, tensors.num_parts)
    if floors is None or num_cells == 0:
        return _nobody(fields.skeleton)
    most = min(max_peaks, (num_cells + 1) // 2 + 1)
    shape = (tensors.num_parts, len(tensors.edges), most, tensors.height, tensors.width)
    space = _shelf.take(lambda spare: spare.shape == shape, lambda: _make_workspace(shape, _LIMBS_TO_START_WITH))
    find_limbs, find_people = _kernels()
    while True:
        num_limbs = find_limbs(*space.seeking, *tensors, *floors, most, *limb_rules)
        if num_limbs <= space.num_limbs:
            break
        space = _make_workspace(shape, num_limbs)
    if is_hungarian:
        num_limbs = _keep_best_pairs(space, num_limbs, tensors.edges)
    if num_limbs == 0:
        _shelf.put_back(space)
        return _nobody(fields.skeleton)
    found = find_people(
        *space.joining,
        *tensors,
        *_part_tables(fields.skeleton),
        fields.output_stride,
        num_limbs,
        *people_rules,
        shift_x + fields.shift[0],
        shift_y + fields.shift[1],
    )
    keypoints, scores, filled = (values[:found].copy() for values in space.found)
    _shelf.put_back(space)
    return Poses.of_decoder(keypoints, scores, fields.skeleton, filled)


def _nobody(skeleton: Skeleton) -> Poses:
    """Return no poses, of whose keypoints none was filled in."""
    num_parts = len(skeleton.parts)
    keypoints, filled = np.empty((0, num_parts, 3), np.float32), np.empty((0, num_parts), np.bool_)
    return Poses.of_decoder(keypoints, np.empty(0, np.float32), skeleton, filled)


@lru_cache(maxsize=256)
def _floors(
    levels: tuple[float, float] | None, threshold: float, width: int, channels: int, num_parts: int
) -> tuple[Any, NDArray[Any]] | None:
    """Return what a peak's element is above, and the same for a row and a stretch, None if no level is.

    Elements of a row that are of no part, or in its first or last cell, get what nothing exceeds.
    """
    if levels is None:
        floor: Any = np.float32(threshold)
        never: Any = np.float32(np.nan)
    else:
        above = np.flatnonzero(real_table(*levels) > np.float32(threshold))
        if len(above) == 0:
            return None
        floor, never = np.uint8(above[0] - 1), np.uint8(255)  # level 0 is never above 0
    row = np.full((width, channels), never)
    row[1:-1, :num_parts] = floor
    return floor, np.concatenate([row.reshape(-1), np.full(_stretch(), never)])


def _keep_best_pairs(space: Workspace, num_limbs: int, edges: NDArray[np.int64]) -> int:
    """Keep the limbs of highest sum, edge by edge; return how many. Scores are finite, so that it always ends."""
    from scipy.optimize import linear_sum_assignment

    counts = space.peaks[0]
    limbs, _, ranks = (values[:num_limbs] for values in space.limbs)
    chosen = []
    for edge, (parent_part, child_part) in enumerate(edges[:, :2]):
        candidates = np.flatnonzero(limbs[:, 0] == edge)
        if len(candidates):
            numbers = np.full((counts[parent_part], counts[child_part]), -1)
            numbers[limbs[candidates, 1], limbs[candidates, 2]] = candidates
            pairs = numbers[linear_sum_assignment(np.where(numbers >= 0, ranks[numbers], 0.0), maximize=True)]
            chosen.append(pairs[pairs >= 0])
    if not chosen:
        return 0
    kept = np.sort(np.concatenate(chosen))
    for values in space.limbs:
        values[: len(kept)] = values[kept]
    return len(kept)


@cache
def _kernels() -> tuple[Any, Any]:
    """Return the loops; numba is imported here, on first use."""
    from bottomup.paf.kernels.fill import find_people
    from bottomup.paf.kernels.limbs import find_limbs

    return find_limbs, find_people


@cache
def _stretch() -> int:
    """Return how many elements kernels look at together."""
    from bottomup.paf.kernels.peaks import STRETCH

    return STRETCH


@lru_cache(maxsize=64)
def _part_tables(skeleton: Skeleton) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    """Return, of each part, how OKS falls off with distance, and whether it counts as one of a person's parts."""
    is_foot = [part.endswith(("toe", "heel")) for part in skeleton.parts]
    return 2 * AREA_OF_JOINTS * np.square(skeleton.kappas), np.array([not foot for foot in is_foot], np.uint8)
