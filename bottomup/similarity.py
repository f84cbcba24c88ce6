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

__all__ = ["AREA_OF_BOX", "AREA_OF_JOINTS", "pose_areas", "pose_similarities", "similarity", "squared_reach"]

#: A person's area by the area of the box around all of their keypoints: the mean ratio of COCO's segments to that box.
AREA_OF_BOX = 0.64
#: The same ratio inside the PAF decoder. Its box is around the joints found, so filled and missing ones move it, and it
#: was fitted there. COCO's segments have this share of the wider box that is labelled with them.
AREA_OF_JOINTS = 0.53


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
    """Return the squared distances in pixels below which two keypoints are more alike than `lowest`, in (0, 1)."""
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
