"""The run of a part affinity field decoder: arrays for the loops, two calls of them, poses."""

import math
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
# What a decode does at most: so much, and so much more for each element of its maps.
_MOST_PAIRS, _PAIRS_AN_ELEMENT = 1 << 24, 4  # of peaks
_MOST_WORK, _ELEMENTS_A_WORK = 20_000_000, 16  # on limbs, in about nanoseconds


class LimbRules(NamedTuple):
    """What `find_limbs` is told of a decoder, whose parameters they are."""

    min_samples: int
    max_samples: int
    threshold: float
    hit_ratio: float
    hits_only: bool
    usual_length: float
    min_score: float
    touching: float
    touching_score: float
    peak_weight: float


class PeopleRules(NamedTuple):
    """What `find_people` is told of a decoder, but for filling."""

    exclusive: bool
    min_parts: int
    min_mean: float
    ranking: int
    half_size: float
    half_score: float
    max_overlap: float


class FillRules(NamedTuple):
    """What `find_people` is told of how parts without a peak are filled in."""

    fill: bool
    samples: int
    hit_ratio: float
    lowest: float
    window: float
    min_window: float
    owned_factor: float
    chain_factor: float


class Rules(NamedTuple):
    """All that the loops are told of a decoder."""

    peak_threshold: float
    max_peaks: int
    is_hungarian: bool
    limb_rules: tuple[Any, ...]  #: a plain tuple of `LimbRules`, and so on
    people_rules: tuple[Any, ...]
    fill_rules: tuple[Any, ...]
    shifts: tuple[float, float]  #: x and y that are added to all keypoints


class Peaks(NamedTuple):
    """The peaks of N parts, at most K each, while they are found twice as many."""

    counts: NDArray[np.int64]  #: (N,)
    cells: NDArray[np.int64]  #: (N, 2K)
    places: NDArray[np.float64]  #: (5, N, K) row, column, score; row and column in the fields' grid


class PeakSpace(NamedTuple):
    """What peaks are found with."""

    flags: NDArray[np.uint8]  #: one an element of a stretch
    words: NDArray[np.uint64]  #: the same, eight at a time
    flagged: NDArray[np.int64]  #: places in a stretch
    seen: NDArray[np.uint8]  #: (N, H * W) whether a cell's plateau was looked at
    plateau: NDArray[np.int64]  #: (H * W,) its cells
    weakest: NDArray[np.int64]  #: (N,) cell that a peak must exceed where a part has too many, else -1
    strengths: NDArray[np.float64]  #: (2K,) what a part's peaks are sorted by
    order: NDArray[np.int64]  #: (2, 2K)
    keys: NDArray[np.float64]  #: (2, 2K)


class Limbs(NamedTuple):
    """L limbs."""

    ends: NDArray[np.int64]  #: (L, 3) edge, number of the parent's peak, of the child's
    limb_scores: NDArray[np.float64]  #: (L,) what the field says
    limb_ranks: NDArray[np.float64]  #: (L,) what they are sorted by


class LimbSpace(NamedTuple):
    """What limbs from one parent are found with."""

    lines: NDArray[np.float64]  #: (3, K)
    points: NDArray[np.int64]  #: (4, K)


class PeopleSpace(NamedTuple):
    """M people while they are put together."""

    order: NDArray[np.int64]  #: (2, L) of limbs or people, best first
    keys: NDArray[np.float64]  #: (2, L)
    owner: NDArray[np.int64]  #: (N, K) whose a peak is, -1 if nobody's
    used: NDArray[np.uint8]  #: (E, 2, K) whether a peak has a limb of an edge
    members: NDArray[np.int64]  #: (M, N) number of a peak, or that the part was filled in or is missing
    sums: NDArray[np.float64]  #: (M, 4) scores of peaks and limbs, their numbers
    joints: NDArray[np.float64]  #: (M, N, 3) row, column, score
    totals: NDArray[np.float64]  #: (M,)
    kept: NDArray[np.int64]  #: (M,)
    boxes: NDArray[np.float64]  #: (M, 4)


class FillSpace(NamedTuple):
    """What one person is filled with."""

    best: NDArray[np.float64]  #: (N, 3) worth, cell and score of the best cell of a part
    planes: NDArray[np.float32]  #: (N, H, W) one part's scores together
    is_made: NDArray[np.uint8]  #: (N,) whether they are there yet
    work: NDArray[np.int64]  #: (1,) how much may still be done


class Found(NamedTuple):
    """The answer, with room for M people."""

    keypoints: NDArray[np.float32]  #: (M, N, 3) x, y, score
    pose_scores: NDArray[np.float32]  #: (M,)
    filled: NDArray[np.bool_]  #: (M, N)


class PartTables(NamedTuple):
    """What is known of N parts."""

    falloffs: NDArray[np.float64]  #: how similarity falls off with distance
    counts_as_part: NDArray[np.uint8]  #: toes and heels do not


class Placing(NamedTuple):
    """From cells to input pixels."""

    output_stride: float
    shift_x: float
    shift_y: float


class Workspace(NamedTuple):
    """All arrays for one grid and skeleton, with room for a number of limbs and for the people they can make.

    Each bundle is a plain tuple: a call then costs half of what it does with named ones.
    """

    shape: tuple[int, ...]  #: N, E, K, H, W
    num_limbs: int
    peaks: tuple[Any, ...]
    peak_space: tuple[Any, ...]
    limbs: tuple[Any, ...]
    limb_space: tuple[Any, ...]
    people_space: tuple[Any, ...]
    fill_space: tuple[Any, ...]
    found: tuple[Any, ...]


def _make_workspace(shape: tuple[int, ...], num_limbs: int) -> Workspace:
    """Return arrays for (N, E, K, H, W), and room for that many limbs."""
    num_parts, num_edges, most, height, width = shape
    num_people = min(num_limbs, num_parts * most // 2)
    words = np.empty(_stretch() // 8, np.uint64)
    peaks = Peaks(
        counts=np.empty(num_parts, np.int64),
        cells=np.empty((num_parts, 2 * most), np.int64),
        places=np.empty((5, num_parts, most), np.float64),
    )
    peak_space = PeakSpace(
        flags=words.view(np.uint8),
        words=words,
        flagged=np.empty(_stretch(), np.int64),
        seen=np.empty((num_parts, height * width), np.uint8),
        plateau=np.empty(height * width, np.int64),
        weakest=np.empty(num_parts, np.int64),
        strengths=np.empty(2 * most, np.float64),
        order=np.empty((2, 2 * most), np.int64),
        keys=np.empty((2, 2 * most), np.float64),
    )
    limbs = Limbs(
        ends=np.empty((num_limbs, 3), np.int64),
        limb_scores=np.empty(num_limbs, np.float64),
        limb_ranks=np.empty(num_limbs, np.float64),
    )
    people_space = PeopleSpace(
        order=np.empty((2, num_limbs), np.int64),
        keys=np.empty((2, num_limbs), np.float64),
        owner=np.empty((num_parts, most), np.int64),
        used=np.empty((num_edges, 2, most), np.uint8),
        members=np.empty((num_people, num_parts), np.int64),
        sums=np.empty((num_people, 4), np.float64),
        joints=np.empty((num_people, num_parts, 3), np.float64),
        totals=np.empty(num_people, np.float64),
        kept=np.empty(num_people, np.int64),
        boxes=np.empty((num_people, 4), np.float64),
    )
    fill_space = FillSpace(
        best=np.empty((num_parts, 3), np.float64),
        planes=np.empty((num_parts, height, width), np.float32),
        is_made=np.empty(num_parts, np.uint8),
        work=np.empty(1, np.int64),
    )
    found = Found(
        keypoints=np.empty((num_people, num_parts, 3), np.float32),
        pose_scores=np.empty(num_people, np.float32),
        filled=np.empty((num_people, num_parts), np.bool_),
    )
    limb_space = LimbSpace(lines=np.empty((3, most), np.float64), points=np.empty((4, most), np.int64))
    bundles = (peaks, peak_space, limbs, limb_space, people_space, fill_space, found)
    return Workspace(shape, num_limbs, *map(tuple, bundles))


_shelf: Shelf[Workspace] = Shelf()


def decode_fields(fields: PafFields, rules: Rules) -> Poses:
    """Return the people that a decoder of these rules finds, best first."""
    if not isinstance(fields, PafFields):
        raise InputError(
            f"fields must be PafFields, got {type(fields).__name__}: build them with PafFields(heatmaps, pafs, "
            "skeleton=...) or PafFields.from_concatenated"
        )
    (heat, vectors), (height, width), skeleton = fields.bundles, fields.grid, fields.skeleton
    num_parts, num_cells = len(skeleton.parts), height * width
    floors = _floors(fields.levels, rules.peak_threshold, width, heat[3], num_parts)
    if floors is None or num_cells == 0:
        return _nobody(skeleton)
    elements = num_cells * heat[3] + fields.pafs.shape[0] * fields.pafs.shape[1] * fields.pafs.shape[2]
    most_pairs, most_work = _MOST_PAIRS + _PAIRS_AN_ELEMENT * elements, _MOST_WORK + elements // _ELEMENTS_A_WORK
    num_edges = len(skeleton.edges)
    most = min(rules.max_peaks, math.isqrt(most_pairs // num_edges), (num_cells + 1) // 2 + 1)
    shape = (num_parts, num_edges, most, height, width)
    space = _shelf.take(lambda spare: spare.shape == shape, lambda: _make_workspace(shape, _LIMBS_TO_START_WITH))
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
            space = _make_workspace(shape, num_limbs)
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
def _part_tables(skeleton: Skeleton) -> tuple[Any, ...]:
    """Return, of each part, how OKS falls off with distance, and whether it counts as one of a person's parts."""
    is_foot = [part.endswith(("toe", "heel")) for part in skeleton.parts]
    tables = PartTables(
        falloffs=2 * AREA_OF_JOINTS * np.square(skeleton.kappas),
        counts_as_part=np.array([not foot for foot in is_foot], np.uint8),
    )
    return tuple(tables)
