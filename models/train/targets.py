"""What the network should output for known people: PersonLab's targets, and OpenPose's.

All functions take (M, 17, 3) keypoints of x, y in input pixels and visibility, 0 where a part is not labelled.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bottomup.geometry import cell_to_input
from bottomup.paf.rendering import paf_fields
from bottomup.posenet.fields import EDGES
from bottomup.posenet.rendering import nearest_people, vectors_to_parts
from bottomup.poses import Poses
from bottomup.skeletons import OPENPOSE18
from models.train.labels import as_poses

STRIDE = 16  #: of PoseNet's heads
PAF_STRIDE = 8
#: Lowest and highest radius of disks around keypoints, in cells; small people get the lower one.
RADIUS = (1.3, 1.6)
#: Radius of disks in which offsets are known, in cells: decoders follow offsets from far off, not only at the peak.
REACH = 2.3
#: Spread of OpenPose's heatmaps, input pixels.
SIGMA = 7.0
_PARENTS, _CHILDREN = np.array(EDGES).T
_FROM = np.concatenate([_PARENTS, _CHILDREN])
_TO = np.concatenate([_CHILDREN, _PARENTS])


class Targets(NamedTuple):
    """Channels first, as in the network's heads; vectors are (C, 2, H, W), y first; unknown cells weigh 0."""

    heatmaps: NDArray[np.float32]  #: (17, H, W) scores
    heatmap_weights: NDArray[np.float32]  #: (17, H, W)
    offsets: NDArray[np.float32]  #: (17, 2, H, W) pixels
    offset_weights: NDArray[np.float32]  #: (17, H, W)
    displacements: NDArray[np.float32]  #: (32, 2, H, W) pixels, forward, then backward
    displacement_weights: NDArray[np.float32]  #: (32, H, W)
    segments: NDArray[np.float32]  #: (1, H, W) scores
    segment_weights: NDArray[np.float32]  #: (1, H, W)
    long_offsets: NDArray[np.float32]  #: (17, 2, H, W) pixels
    long_weights: NDArray[np.float32]  #: (17, H, W)
    maps: NDArray[np.float32]  #: (57, H', W') OpenPose's heatmaps, background, fields
    map_weights: NDArray[np.float32]  #: (57, H', W')


def posenet_targets(keypoints: NDArray[np.float32], side: int) -> tuple[NDArray[np.float32], ...]:
    """Return heatmaps, offsets, their weights, displacements and their weights of a square input.

    A disk lies around each keypoint; where disks of two people overlap, the
    nearer keypoint has the cell. Displacements weigh 1 inside the disks of the
    part they start from, offsets inside wider ones, 0 elsewhere.
    """
    people = as_poses(keypoints)
    targets, places = _with_nobody(people), _places(side // STRIDE + 1)
    _, owners = nearest_people(places, targets, STRIDE * np.clip(_extents(people) / 75, *RADIUS))
    weights = _channels_first(owners < len(people))
    _, nearest = nearest_people(places, targets, STRIDE * REACH)
    offsets = vectors_to_parts(places, targets, nearest, np.arange(17))
    displacements = vectors_to_parts(places, targets, owners[..., _FROM], _TO)
    to_labelled = np.isfinite(targets[owners[..., _FROM], _TO, 0])
    return (
        weights,
        _vectors_first(offsets),
        _channels_first(nearest < len(people)),
        _vectors_first(displacements),
        weights[_FROM] * _channels_first(to_labelled),
    )


def long_targets(
    keypoints: NDArray[np.float32], owners: NDArray[np.integer]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return vectors from each cell to all parts of the person who owns it, (H, W) numbers, -1 for nobody."""
    targets = _with_nobody(as_poses(keypoints))
    parts, whose = np.arange(17), owners[..., None].astype(np.intp)
    vectors = vectors_to_parts(_places(owners.shape[0]), targets, whose, parts)
    return _vectors_first(vectors), _channels_first(np.isfinite(targets[whose, parts, 0]))


def openpose_targets(keypoints: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """Return (57, H, W) heatmaps of 18 parts, background, and 19 fields of x and y, a cell every 8 pixels.

    The same as `bottomup.synthetic.paf_fields`, with the neck midway between labelled shoulders.
    """
    reach = PAF_STRIDE * (side // PAF_STRIDE + 1)
    fields = paf_fields(as_poses(keypoints), (reach, reach), PAF_STRIDE, skeleton=OPENPOSE18, sigma=SIGMA)
    return _channels_first(np.concatenate([fields.heatmaps, fields.pafs], axis=2))


def _with_nobody(people: Poses) -> NDArray[np.float32]:
    """Return (M + 1, 17, 2) positions, nan where a part is not labelled; the last person has none."""
    return np.concatenate([people.xy, np.full((1, 17, 2), np.nan, np.float32)])


def _places(cells: int) -> NDArray[np.float32]:
    """Return (H, W, 2) x and y of PoseNet's cells."""
    return np.asarray(cell_to_input(np.moveaxis(np.indices((cells, cells)), 0, 2), STRIDE), np.float32)


def _channels_first(values: NDArray[np.generic]) -> NDArray[np.float32]:
    return np.ascontiguousarray(np.moveaxis(values, 2, 0), np.float32)


def _vectors_first(vectors: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return (H, W, 2C) vectors, y of every channel, then x, as (C, 2, H, W)."""
    height, width, channels = vectors.shape
    return np.ascontiguousarray(vectors.reshape(height, width, 2, channels // 2).transpose(3, 2, 0, 1), np.float32)


def _extents(people: Poses) -> NDArray[np.float64]:
    """Return (M,) the longer side of the box around each person's labelled parts."""
    return np.nan_to_num(people.boxes[:, 2:].astype(np.float64), nan=0.0).max(axis=1, initial=0)
