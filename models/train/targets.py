"""What the network should say of known people: PersonLab's targets, and OpenPose's.

All functions take (M, 17, 3) keypoints of x, y in input pixels and visibility, 0 where a part is not labelled.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bottomup.posenet.fields import EDGES
from bottomup.skeletons import COCO17, OPENPOSE18

STRIDE = 16  #: of PoseNet's heads
PAF_STRIDE = 8
#: Disks around keypoints, in cells; the lower one for small people.
RADIUS = (1.3, 1.6)
#: Spread of OpenPose's heatmaps, input pixels.
SIGMA = 7.0
_PARENTS, _CHILDREN = np.array(EDGES).T
_FROM = np.concatenate([_PARENTS, _CHILDREN])
_TO = np.concatenate([_CHILDREN, _PARENTS])
_NECK = OPENPOSE18.index("neck")
_OPENPOSE_OF_COCO = [COCO17.index(part) if part in COCO17.parts else -1 for part in OPENPOSE18.parts]


class Targets(NamedTuple):
    """Channels first, as the network's heads; vectors are (C, 2, H, W), y first; weights are 0 where all is unknown."""

    heatmaps: NDArray[np.float32]  #: (17, H, W) scores
    heatmap_weights: NDArray[np.float32]  #: (1, H, W)
    offsets: NDArray[np.float32]  #: (17, 2, H, W) pixels
    offset_weights: NDArray[np.float32]  #: (17, H, W)
    displacements: NDArray[np.float32]  #: (32, 2, H, W) pixels, forward, then backward
    displacement_weights: NDArray[np.float32]  #: (32, H, W)
    segments: NDArray[np.float32]  #: (1, H, W) scores
    segment_weights: NDArray[np.float32]  #: (1, H, W)
    long_offsets: NDArray[np.float32]  #: (17, 2, H, W) pixels
    long_weights: NDArray[np.float32]  #: (17, H, W)
    maps: NDArray[np.float32]  #: (57, H', W') OpenPose's heatmaps, background, fields
    map_weights: NDArray[np.float32]  #: (1, H', W')


def posenet_targets(keypoints: NDArray[np.float32], side: int) -> tuple[NDArray[np.float32], ...]:
    """Return heatmaps, offsets, their weights, displacements and their weights of a square input.

    A disk lies around each keypoint; where disks of two people overlap, the
    nearer keypoint has the cell. Offsets and displacements weigh 1 inside the
    disks of the part they start from, 0 elsewhere.
    """
    cells = side // STRIDE + 1
    places = np.arange(cells, dtype=np.float32) * STRIDE
    if not len(keypoints):
        keypoints = np.zeros((1, 17, 3), np.float32)
    labelled = keypoints[..., 2] > 0
    away = _vectors(keypoints, places)  # (M, 17, 2, H, W)
    radii = STRIDE * np.clip(_extents(keypoints) / 75, *RADIUS)[:, None, None, None]
    squared = (away**2).sum(axis=2)
    squared[~(labelled[:, :, None, None] & (squared <= radii**2))] = np.inf
    owners = squared.argmin(axis=0)  # (17, H, W)
    inside = np.isfinite(squared.min(axis=0))
    offsets = np.take_along_axis(away, owners[None, :, None], axis=0)[0]
    displacements = np.take_along_axis(away[:, _TO], owners[_FROM][None, :, None], axis=0)[0]
    to_labelled = labelled[owners[_FROM], _TO[:, None, None]]
    weights = inside.astype(np.float32)
    return weights, offsets, weights, displacements, weights[_FROM] * to_labelled


def long_targets(
    keypoints: NDArray[np.float32], owners: NDArray[np.integer]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return vectors from each cell to all parts of the person who owns it, (H, W) numbers, -1 for nobody."""
    places = np.arange(owners.shape[0], dtype=np.float32) * STRIDE
    if not len(keypoints):
        return np.zeros((17, 2, *owners.shape), np.float32), np.zeros((17, *owners.shape), np.float32)
    away = _vectors(keypoints, places)
    vectors = np.take_along_axis(away, np.maximum(owners, 0)[None, None, None], axis=0)[0]
    labelled = np.moveaxis((keypoints[..., 2] > 0)[owners], 2, 0) & (owners >= 0)
    return vectors, labelled.astype(np.float32)


def openpose_targets(keypoints: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """Return (57, H, W) heatmaps of 18 parts, background, and 19 fields of x and y, a cell every 8 pixels.

    Cell (r, c) speaks for the middle of its 8 x 8 pixels. Heatmaps are
    Gaussians, of overlapping people the highest; fields are unit vectors
    within one cell of a limb, the mean where limbs overlap.
    """
    cells = side // PAF_STRIDE + 1
    places = np.arange(cells, dtype=np.float32) * PAF_STRIDE + (PAF_STRIDE - 1) / 2
    people = openpose_keypoints(keypoints)
    maps = np.zeros((57, cells, cells), np.float32)
    seen = people[..., 2] > 0
    if len(people):
        across = np.exp(-((places - people[..., :1]) ** 2) / (2 * SIGMA**2)) * seen[..., None]
        down = np.exp(-((places - people[..., 1:2]) ** 2) / (2 * SIGMA**2))
        maps[:18] = (down[..., :, None] * across[..., None, :]).max(axis=0)
    maps[18] = 1 - maps[:18].max(axis=0)
    for person in people:
        for (parent, child), channels in zip(OPENPOSE18.edges, OPENPOSE18.paf_channels, strict=True):
            if person[parent, 2] and person[child, 2]:
                _add_limb(maps[19:], channels, person[parent, :2], person[child, :2], places)
    fields = maps[19:].reshape(19, 2, cells, cells)
    fields /= np.maximum(_count_overlaps(fields), 1)
    return maps


def openpose_keypoints(keypoints: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return (M, 18, 3) keypoints in OpenPose's order; the neck is midway between labelled shoulders."""
    people = keypoints[:, _OPENPOSE_OF_COCO].copy()
    left, right = keypoints[:, COCO17.index("left_shoulder")], keypoints[:, COCO17.index("right_shoulder")]
    people[:, _NECK] = (left + right) / 2
    people[:, _NECK, 2] = np.minimum(left[:, 2], right[:, 2])
    return people


def _add_limb(fields, channels, start, end, places) -> None:  # type: ignore[no-untyped-def]
    """Add a limb's unit vector to the cells within one stride of it; an absolute length above 1 marks overlaps."""
    along = end - start
    length = float(np.hypot(*along))
    if length < 1:
        return
    along = along / length
    low = np.searchsorted(places, np.minimum(start, end) - PAF_STRIDE)
    high = np.searchsorted(places, np.maximum(start, end) + PAF_STRIDE)
    x, y = places[low[0] : high[0]][None] - start[0], places[low[1] : high[1]][:, None] - start[1]
    near = np.abs(x * along[1] - y * along[0]) <= PAF_STRIDE
    window = (slice(low[1], high[1]), slice(low[0], high[0]))
    for channel, component in zip(channels, along, strict=True):
        fields[channel][window] += near * component


def _count_overlaps(fields: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return (E, 1, H, W) lengths of the summed vectors, so that overlaps shrink to unit length."""
    return np.sqrt((fields**2).sum(axis=1, keepdims=True))


def _vectors(keypoints: NDArray[np.float32], places: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return (M, 17, 2, H, W) vectors, y first, from every cell to every part."""
    shape = (*keypoints.shape[:2], 2, len(places), len(places))
    away = np.empty(shape, np.float32)
    away[:, :, 0] = (keypoints[..., 1, None] - places)[..., :, None]
    away[:, :, 1] = (keypoints[..., 0, None] - places)[..., None, :]
    return away


def _extents(keypoints: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return (M,) the longer side of the box around each person's labelled parts."""
    seen = keypoints[..., 2:] > 0
    low = np.where(seen, keypoints[..., :2], np.inf).min(axis=1)
    high = np.where(seen, keypoints[..., :2], -np.inf).max(axis=1)
    return np.maximum(np.nan_to_num(high - low, nan=0.0, neginf=0.0).max(axis=1), 0).astype(np.float32)
