"""What the loops take: bundles of arrays and numbers, whose order these classes name."""

from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "FillRules",
    "FillSpace",
    "Found",
    "Heat",
    "LimbRules",
    "LimbSpace",
    "Limbs",
    "PartTables",
    "PeakSpace",
    "Peaks",
    "PeopleRules",
    "PeopleSpace",
    "Placing",
    "Rules",
    "Vectors",
    "Workspace",
    "make_workspace",
    "stretch",
]


class Heat(NamedTuple):
    """What kernels read of heatmaps, in the order in which they take it."""

    heatmaps: NDArray[Any]  #: flat, uint8 or float32; element (row * width + column) * channels + part
    heat_table: NDArray[np.float64] | None  #: the real numbers of 256 levels; None of floats
    logs: NDArray[np.float64] | None  #: their logarithms, as of 0.001 where they are less
    channels: int
    heat_height: int
    heat_width: int
    num_parts: int


class Vectors(NamedTuple):
    """What kernels read of part affinity fields, in the order in which they take it."""

    pafs: NDArray[Any]  #: flat, the heatmaps' type; element row * row_step + column * column_step + one of `edges`
    table: NDArray[np.float64] | None
    row_step: int
    column_step: int
    height: int
    width: int
    ratio_y: float  #: cells of this grid per cell of the heatmaps, down
    ratio_x: float  #: and across
    offset_y: float  #: where the middle of the heatmaps' cell 0 is in this grid, down
    offset_x: float  #: and across
    edges: NDArray[np.int64]  #: (E, 5) parent part, child part, x channel, y channel, whether redundant


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
    is_face: NDArray[np.uint8]  #: eyes and ears
    landmarks: NDArray[np.int64]  #: (6,) nose, left and right shoulder, hip, neck; -1 where there is none


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


def make_workspace(shape: tuple[int, ...], num_limbs: int) -> Workspace:
    """Return arrays for (N, E, K, H, W), and room for that many limbs."""
    num_parts, num_edges, most, height, width = shape
    num_people = min(num_limbs, num_parts * most // 2)
    words = np.empty(stretch() // 8, np.uint64)
    peaks = Peaks(
        counts=np.empty(num_parts, np.int64),
        cells=np.empty((num_parts, 2 * most), np.int64),
        places=np.empty((5, num_parts, most), np.float64),
    )
    peak_space = PeakSpace(
        flags=words.view(np.uint8),
        words=words,
        flagged=np.empty(stretch(), np.int64),
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


@cache
def stretch() -> int:
    """Return how many elements kernels look at together."""
    from bottomup.paf.kernels.peaks import STRETCH

    return STRETCH
