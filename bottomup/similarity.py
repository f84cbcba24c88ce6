"""How alike two poses of one person are: COCO's object keypoint similarity (OKS), and the constants it needs.

The similarity of two keypoints a distance d apart is exp(-d^2 / (2 A k^2)): A is the person's area in square pixels,
and k = 2 sigma says how far people who label the part by hand are apart, by the root of the area
(`Skeleton.kappas`). A pose's similarity is the mean over its parts. Of a labelled person the area is known; of a pose
it is taken from the box around its keypoints.

References
----------
https://cocodataset.org/#keypoints-eval. Ronchi and Perona, "Benchmarking and Error Diagnosis in Multi-Instance Pose
Estimation", ICCV 2017. arXiv:1707.05388
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bottomup.skeletons import Skeleton

__all__ = [
    "AREA_OF_BOX",
    "AREA_OF_JOINTS",
    "SAME",
    "alike_pairs",
    "are_duplicates",
    "pose_areas",
    "pose_similarities",
    "similarity",
    "squared_reach",
]

#: A person's area by the area of the box around all of their keypoints: the mean ratio of COCO's segments to that box.
AREA_OF_BOX = 0.64
#: The same ratio inside the PAF decoder. Its box is around the joints found, so filled and missing ones move it, and it
#: was fitted there. COCO's segments have this share of the wider box that is labelled with them.
AREA_OF_JOINTS = 0.53
#: Poses more alike than this are of one person: so are 9 of the 695 people whom COCO labels in 240 photos.
SAME = 0.5

_AT_ONCE = 20_000  # pairs
_FEW, _ROWS = 1024, 256


def pose_areas(
    xy: NDArray[Any], *, area_of_box: float = AREA_OF_BOX, narrowest: float = 0.0, smallest: float = 0.0
) -> NDArray[np.float64]:
    """Return the (M,) areas of M poses, in square pixels.

    Parameters
    ----------
    xy : (M, N, 2) array
        Positions in pixels, nan where a part was not found.
    area_of_box : float
        A person's area by the area of the box around the keypoints.
    narrowest : float
        Shorter sides of boxes are widened to this share of the longer one: people seen from the side are no lines.
    smallest : float
        Smaller areas become this one. A pose without keypoints has 0 without it.
    """
    is_somewhere = np.isfinite(xy).all(axis=2, keepdims=True)
    lowest = np.where(is_somewhere, xy, np.inf).min(axis=1, initial=np.inf)
    highest = np.where(is_somewhere, xy, -np.inf).max(axis=1, initial=-np.inf)
    sides = np.maximum(highest - lowest, 0).astype(np.float64)
    sides = np.maximum(sides, narrowest * sides.max(axis=1, keepdims=True))
    areas: NDArray[np.float64] = np.maximum(area_of_box * sides.prod(axis=1), smallest)
    return areas


def similarity(squared: NDArray[Any], areas: Any, kappas: Any) -> NDArray[np.float64]:
    """Return the similarities of keypoints, in [0, 1].

    Parameters
    ----------
    squared : array
        Squared distances in pixels.
    areas : array or float
        Areas of the people in square pixels, above 0; broadcast against `squared`.
    kappas : array or sequence of float
        The parts' constants, as `Skeleton.kappas`; broadcast against `squared`.
    """
    return np.asarray(np.exp(-squared / (2 * areas * np.square(kappas))), np.float64)


def squared_reach(lowest: float, areas: Any, kappas: Any) -> NDArray[np.float64]:
    """Return the squared distances in pixels below which two keypoints are more alike than `lowest`, in (0, 1).

    Parameters
    ----------
    lowest : float
        The similarity.
    areas : array or float
        Areas of the people in square pixels.
    kappas : array or sequence of float
        The parts' constants, as `Skeleton.kappas`.
    """
    return np.asarray(-2 * np.log(lowest) * areas * np.square(kappas), np.float64)


def pose_similarities(
    one: NDArray[Any],
    other: NDArray[Any],
    skeleton: Skeleton,
    *,
    widened: float = 1.0,
    narrowest: float = 0.0,
    smallest: float = 1.0,
) -> NDArray[np.float64]:
    """Return the (L, M) object keypoint similarities of L and M poses, over the parts that both of a pair have.

    A person is as large as the larger of the two poses. A pair without a common part has similarity 0.

    Parameters
    ----------
    one, other : (L, N, 2), (M, N, 2) arrays
        Positions in pixels, nan where a part was not found.
    skeleton : Skeleton
        Names the N parts.
    widened : float
        Factor on the spread of hand-made labels, for people who moved in between.
    narrowest, smallest : float
        As `pose_areas` takes them; `smallest` must be above 0.
    """
    areas = [pose_areas(xy, narrowest=narrowest, smallest=smallest) for xy in (one, other)]
    squared = np.square(one[:, None].astype(np.float64) - other[None]).sum(axis=3)
    are_common = np.isfinite(squared)
    larger = np.maximum(areas[0][:, None], areas[1][None])[..., None]
    alike = similarity(np.where(are_common, squared, 0), larger, widened * np.array(skeleton.kappas))
    found: NDArray[np.float64] = np.where(are_common, alike, 0).sum(axis=2) / np.maximum(are_common.sum(axis=2), 1)
    return found


def alike_pairs(
    one: NDArray[Any],
    other: NDArray[Any],
    skeleton: Skeleton,
    *,
    lowest: float,
    widened: float = 1.0,
    narrowest: float = 0.0,
    smallest: float = 1.0,
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]]:
    """Return the pairs of L and M poses that are alike by `lowest` or more: their rows, their columns, how alike.

    The same figures as `pose_similarities`, of people near each other alone, so that time and memory grow with those.

    Parameters
    ----------
    one, other : (L, N, 2), (M, N, 2) arrays
        Positions in pixels, nan where a part was not found.
    skeleton : Skeleton
        Names the N parts.
    lowest : float
        In (0, 1].
    widened, narrowest, smallest : float
        As `pose_similarities` takes them.
    """
    areas = [pose_areas(xy, narrowest=narrowest, smallest=smallest) for xy in (one, other)]
    kappas = widened * np.array(skeleton.kappas)
    # Where the mean of the parts' similarities reaches `lowest`, one part's does.
    reach = [np.sqrt(squared_reach(min(lowest, 1 - 1e-9), area, kappas.max(initial=0.0))) for area in areas]
    rows, columns = _near(one, other, reach[0], reach[1])
    alike = np.empty(len(rows))
    for start in range(0, len(rows), _AT_ONCE):
        chosen = slice(start, start + _AT_ONCE)
        row, column = rows[chosen], columns[chosen]
        with np.errstate(invalid="ignore"):  # infinite places
            squared = np.square(one[row].astype(np.float64) - other[column]).sum(axis=2)
        are_common = np.isfinite(squared)
        larger = np.maximum(areas[0][row], areas[1][column])[:, None]
        found = np.where(are_common, similarity(np.where(are_common, squared, 0), larger, kappas), 0)
        alike[chosen] = found.sum(axis=1) / np.maximum(are_common.sum(axis=1), 1)
    are_alike = alike >= lowest
    return rows[are_alike], columns[are_alike], alike[are_alike]


def _near(
    one: NDArray[Any], other: NDArray[Any], reach: NDArray[np.float64], other_reach: NDArray[np.float64]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return rows and columns of the pairs whose boxes are within the larger reach of the two; of few people, all."""
    if len(one) * len(other) <= _FEW:
        rows, columns = np.divmod(np.arange(len(one) * len(other)), max(len(other), 1))
        return rows, columns
    middles, halves = [], []
    for xy in (one, other):
        is_somewhere = np.isfinite(xy).all(axis=2, keepdims=True)
        low = np.where(is_somewhere, xy, np.inf).min(axis=1, initial=np.inf)
        high = np.where(is_somewhere, xy, -np.inf).max(axis=1, initial=-np.inf)
        low[~np.isfinite(low)] = high[~np.isfinite(high)] = 1e30  # nobody is near
        middles.append(((low + high) / 2).astype(np.float32))
        halves.append((1.0001 * (high - low) / 2).astype(np.float32))
    found = []
    for start in range(0, len(one), _ROWS):
        some = slice(start, start + _ROWS)
        far = np.maximum(reach[some, None], other_reach[None]).astype(np.float32)
        are_near = np.abs(middles[0][some, None, 0] - middles[1][None, :, 0]) <= (
            far + halves[0][some, None, 0] + halves[1][None, :, 0]
        )
        row, column = np.nonzero(are_near)
        apart = np.abs(middles[0][start + row, 1] - middles[1][column, 1])
        is_near = apart <= far[row, column] + halves[0][start + row, 1] + halves[1][column, 1]
        found.append((start + row[is_near], column[is_near]))
    return np.concatenate([row for row, _ in found]), np.concatenate([column for _, column in found])


def are_duplicates(xy: NDArray[Any], scores: NDArray[Any], skeleton: Skeleton) -> NDArray[np.bool_]:
    """Return which of M poses are of a person whom a better pose shows already: more alike than `SAME`.

    The best pose stays, then the best of those that it leaves, and so on; of equal scores the first.

    Parameters
    ----------
    xy : (M, N, 2) array
        Positions in pixels, nan where a part was not found.
    scores : (M,) array
        Of each pose.
    skeleton : Skeleton
        Names the N parts.
    """
    order = np.argsort(-scores, kind="stable")
    rows, columns, alike = alike_pairs(xy[order], xy[order], skeleton, lowest=SAME)
    are_worse = (rows < columns) & (alike > SAME)
    is_duplicate = np.zeros(len(order), np.bool_)
    for better, worse in zip(rows[are_worse].tolist(), columns[are_worse].tolist(), strict=True):  # better ones first
        if not is_duplicate[better]:
            is_duplicate[worse] = True
    found = np.empty_like(is_duplicate)
    found[order] = is_duplicate
    return found
