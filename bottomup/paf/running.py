"""The run of a part affinity field decoder: two calls of the loops, and poses."""

import math
from functools import cache, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bottomup.errors import InputError
from bottomup.paf.bundles import PartTables, Rules, Workspace, make_workspace, stretch
from bottomup.paf.enlarged import LARGE
from bottomup.paf.fields import PafFields
from bottomup.paf.levels import real_table
from bottomup.poses import Poses
from bottomup.similarity import AREA_OF_JOINTS
from bottomup.skeletons import Skeleton
from bottomup.workspaces import Shelf

__all__ = ["LANDMARKS", "decode_fields"]

_LIMBS_TO_START_WITH = 2048
# What a decode does at most: so much, and so much more for each element of its maps.
_MOST_PAIRS, _PAIRS_AN_ELEMENT = 1 << 24, 4  # of peaks
_MOST_WORK, _ELEMENTS_A_WORK = 20_000_000, 16  # on limbs, in about nanoseconds

_shelf: Shelf[Workspace] = Shelf()


def decode_fields(fields: PafFields, rules: Rules) -> Poses:
    """Return the people that a decoder of these rules finds, best first."""
    if not isinstance(fields, PafFields):
        raise InputError(
            f"fields must be PafFields, got {type(fields).__name__}: build them with PafFields(heatmaps, pafs, "
            "skeleton=...) or PafFields.from_concatenated"
        )
    (heat, vectors), skeleton = fields.bundles, fields.skeleton
    _, _, _, channels, height, width, num_parts = heat
    num_edges, num_cells = len(skeleton.edges), height * width
    floors = _floors(fields.levels, rules.peak_threshold, width, channels, num_parts)
    if floors is None or num_cells == 0:
        return _nobody(skeleton)
    if num_cells >= LARGE and fields.raw is not fields:
        return decode_fields(fields.raw, rules)
    elements = fields.num_elements
    most_pairs, most_work = _MOST_PAIRS + _PAIRS_AN_ELEMENT * elements, _MOST_WORK + elements // _ELEMENTS_A_WORK
    most = min(rules.max_peaks, math.isqrt(most_pairs // num_edges), (num_cells + 1) // 2 + 1)
    shape = (num_parts, num_edges, most, height, width)
    space = _shelf.take(lambda spare: spare.shape == shape, lambda: make_workspace(shape, _LIMBS_TO_START_WITH))
    find_limbs, find_people = _kernels()
    may_be_enlarged = not fields.is_raw
    while True:
        num_limbs = find_limbs(
            heat,
            vectors,
            *floors,
            most,
            space.peaks,
            space.peak_space,
            space.limbs,
            space.limb_space,
            rules.limb_rules,
            may_be_enlarged,
            most_work,
        )
        if num_limbs < 0:
            if fields.raw is not fields:
                _shelf.put_back(space)
                return decode_fields(fields.raw, rules)
            may_be_enlarged = False
        elif num_limbs <= space.num_limbs:
            break
        else:
            space = make_workspace(shape, num_limbs)
    if rules.is_hungarian:
        num_limbs = _keep_best_pairs(space, num_limbs, vectors[-1])
    if num_limbs == 0:
        _shelf.put_back(space)
        return _nobody(skeleton)
    placing = (fields.output_stride, rules.shifts[0] + fields.shift[0], rules.shifts[1] + fields.shift[1])
    found = find_people(
        heat,
        vectors,
        _part_tables(skeleton),
        placing,
        space.peaks,
        space.limbs,
        num_limbs,
        space.people_space,
        space.fill_space,
        space.found,
        rules.people_rules,
        rules.fill_rules,
    )
    keypoints, scores, filled = (values[:found].copy() for values in space.found)
    _shelf.put_back(space)
    return Poses.of_decoder(keypoints, scores, skeleton, filled)


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
    return floor, np.concatenate([row.reshape(-1), np.full(stretch(), never)])


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


#: Parts that say how large a face is, and where.
LANDMARKS = ("nose", "left_shoulder", "right_shoulder", "left_hip", "right_hip", "neck")


@lru_cache(maxsize=64)
def _part_tables(skeleton: Skeleton) -> tuple[Any, ...]:
    """Return, of each part, how OKS falls off with distance, and whether it counts as one of a person's parts."""
    parts = skeleton.parts
    tables = PartTables(
        falloffs=2 * AREA_OF_JOINTS * np.square(skeleton.kappas),
        counts_as_part=np.array([not part.endswith(("toe", "heel")) for part in parts], np.uint8),
        is_face=np.array([part.endswith(("eye", "ear")) for part in parts], np.uint8),
        landmarks=np.array([parts.index(part) if part in parts else -1 for part in LANDMARKS], np.int64),
    )
    return tuple(tables)
