"""Known poses -> the fields that a perfect network would give for them.

For unit tests of decoders, this library's and anyone's: decoding the fields
must give the poses back.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bottomup.checks import Quantized, as_number
from bottomup.errors import InputError
from bottomup.geometry import as_size, cell_to_input
from bottomup.posenet.fields import BODY_PARTS, EDGES, NUM_PARTS, PoseNetFields
from bottomup.poses import Poses, as_poses
from bottomup.skeletons import COCO17
from bottomup.synthetic_paf import paf_fields

__all__ = ["paf_fields", "posenet_fields", "random_poses"]

_PEAK_LOGIT = 6.0  # a score of 0.9975 at the keypoint, and of 0.0025 far from all
_TRUNK = ((1, 0.03, -0.03), (3, 0.06, -0.015), (5, 0.12, 0.14), (11, 0.08, 0.45))  # left part, x, y
_LIMBS = ((5, 7, 0.17), (7, 9, 0.15), (11, 13, 0.24), (13, 15, 0.23))  # left joint, left part, length


def posenet_fields(
    poses: Poses,
    input_size: tuple[int, int] = (641, 481),
    output_stride: float = 16,
    *,
    radius: float = 32,
    quantized: bool = False,
    masks: ArrayLike | None = None,
    body_parts: ArrayLike | None = None,
) -> PoseNetFields:
    """Render the fields that a perfect PoseNet-family network would give for known poses.

    Around each keypoint lies a disk. Heatmap logits are a paraboloid that
    peaks at the keypoint, crosses 0 (a score of 0.5) at the edge of the disk
    and ends at a floor outside; the highest cell is the nearest one, with a
    tie only where the keypoint is equally far from several. Offsets and
    displacements are exact wherever bilinear sampling inside the disk reads
    a cell, and 0 beyond. Where people overlap, a cell belongs to the one
    whose part is nearest; displacements to an absent part are 0.

    Parameters
    ----------
    poses : Poses
        COCO-17 people in input pixels. Parts that are nan or lie outside the
        input are absent; scores are not looked at.
    input_size : (int, int)
        Width and height of the network's input. The grid has
        `size // output_stride + 1` cells, as these networks have.
    output_stride : float
        Input pixels per cell: 8, 16 or 32.
    radius : float
        Radius of the disks, input pixels. Default: PersonLab's 32. Below
        0.71 strides, a keypoint can fall between the cells.
    quantized : bool
        Give uint8 `Quantized` tensors, as quantised models do. Each level of
        the offsets is then (radius + 1.42 * output_stride) / 127 pixels, 0.43 by
        default, and decoded positions are off by up to half of that;
        displacements have a coarser scale, the longest limb / 127.
    masks : (M, height, width) bool array, optional
        Which pixels of the input show each pose, for segments and long
        offsets too. Person logits grow with the distance from the edge of all
        masks together, 0 there. Long offsets lead to the parts of the person
        at the cell, or nearest to it; to an absent part they are 0.
    body_parts : (height, width) int array, optional
        The part of the body that each pixel shows, an index into BodyPix's
        24, or -1, for part heatmaps too.

    Returns
    -------
    PoseNetFields
        Logits and mid offsets, as in TFLite and Coral models.

    Raises
    ------
    InputError
        If the poses are not of COCO's 17 parts, or a size, stride or radius cannot be.

    References
    ----------
    Papandreou et al., "PersonLab", ECCV 2018, section 3.1. arXiv:1803.08225

    Examples
    --------
    >>> fields = posenet_fields(random_poses(3), input_size=(641, 481))
    >>> fields.grid, fields.logits
    ((31, 41), True)
    """
    width, height = as_size(input_size)
    stride, disk = as_number(output_stride, "output_stride"), as_number(radius, "radius")
    if not (0 < stride < math.inf and 0 < disk < math.inf):
        raise InputError(f"output_stride and radius must be above 0 pixels, got {output_stride} and {radius}")
    if as_poses(poses).skeleton.parts != COCO17.parts:
        raise InputError(f"PoseNet fields have the 17 parts of coco_17, got poses of skeleton {poses.skeleton.name!r}")

    x, y = poses.xy[..., 0], poses.xy[..., 1]
    seen = (x >= -0.5) & (x < width - 0.5) & (y >= -0.5) & (y < height - 0.5)
    nobody = np.full((1, NUM_PARTS, 2), np.nan)  # owns the cells that are near no one's part
    targets = np.concatenate([np.where(seen[..., None], poses.xy, np.nan), nobody])

    rows_and_columns = np.indices((int(height // stride) + 1, int(width // stride) + 1))
    places = cell_to_input(np.moveaxis(rows_and_columns, 0, 2), stride)
    reach = disk + math.sqrt(2) * stride
    distances, owners = _nearest(places, targets, reach)

    logits = np.maximum(_PEAK_LOGIT * (1 - np.minimum(distances, 2 * disk) ** 2 / disk**2), -_PEAK_LOGIT)
    offsets = _vectors(places, targets, owners, np.arange(NUM_PARTS))
    parents, children = np.array(EDGES).T
    forward = _vectors(places, targets, owners[..., parents], children)
    backward = _vectors(places, targets, owners[..., children], parents)
    displacements = np.concatenate([forward, backward], axis=2)
    longest = max(float(np.abs(displacements).max()), 1.0)
    tensors = {
        "heatmaps": (logits, _PEAK_LOGIT),
        "short_offsets": (offsets, reach),
        "mid_offsets": (displacements, longest),
    }
    if masks is not None:
        whose = _as_masks(masks, (len(poses), height, width))
        segments, long_offsets = _people(whose, targets, places, stride)
        tensors["segments"] = segments, _PEAK_LOGIT
        tensors["long_offsets"] = long_offsets, max(float(np.abs(long_offsets).max()), 1.0)
    if body_parts is not None:
        tensors["part_heatmaps"] = _part_logits(body_parts, (height, width), places), _PEAK_LOGIT
    fields: dict[str, Any] = {
        name: _levels(values, limit) if quantized else values for name, (values, limit) in tensors.items()
    }
    return PoseNetFields.from_mid_offsets(**fields, output_stride=stride)


def random_poses(
    count: int, input_size: tuple[int, int] = (641, 481), seed: int = 0, *, overlapping: bool = False
) -> Poses:
    """Make up COCO-17 people who stand, walk, wave and turn, all parts inside the input.

    The same arguments give the same people. Scores are 1.

    Parameters
    ----------
    count : int
        How many people.
    input_size : (int, int)
        Width and height in pixels, also the poses' `image_size`.
    seed : int
        Choose another crowd.
    overlapping : bool
        Let people of all sizes stand anywhere, in front of each other. By
        default each has a tile of the picture to themselves, so their size
        falls with their number, and all face the same way, so that the same
        part of two people is seldom near.

    Raises
    ------
    InputError
        If `count` or `seed` is no whole number or negative, or the size is not one.

    Examples
    --------
    >>> random_poses(2).keypoints.shape
    (2, 17, 3)
    """
    size = as_size(input_size)
    for name, number in (("count", count), ("seed", seed)):
        if not isinstance(number, (int, np.integer)) or number < 0:
            raise InputError(f"{name} must be a whole number, 0 or more, got {number!r}")
    count = int(count)
    generator = np.random.default_rng(seed)
    facing = generator.choice([-1, 1], count if overlapping else 1)
    figures = _figures(np.broadcast_to(facing, count), generator)
    fill = generator.uniform(0.6, 0.95, (count, 1))
    corners, tiles = np.zeros((count, 2)), np.tile(np.array(size, dtype=np.float64) - 1, (count, 1))
    if overlapping:
        fill = generator.uniform(0.25, 0.95, (count, 1))
    elif count:
        columns = round(math.sqrt(2 * count * size.width / size.height))  # tiles twice as high as wide
        columns = min(max(columns, 1), count)
        tiles = tiles / (columns, math.ceil(count / columns))
        person = np.arange(count)
        corners = np.stack([person % columns, person // columns], axis=1) * tiles
    low, high = figures.min(axis=1), figures.max(axis=1)
    scale = fill * (tiles / (high - low)).min(axis=1, keepdims=True)
    slack = generator.uniform(0, 1, (count, 2)) * (tiles - scale * (high - low))
    keypoints = np.ones((count, len(COCO17.parts), 3), np.float32)
    keypoints[..., :2] = (figures - low[:, None]) * scale[:, None] + (corners + slack)[:, None]
    return Poses(keypoints, np.ones(count, np.float32), COCO17, size)


def _figures(facing: NDArray[Any], generator: np.random.Generator) -> NDArray[Any]:
    """Return (M, 17, 2) stick figures about one unit high, y downwards; `facing` is 1, or -1 if seen from behind."""
    count = len(facing)

    def spread(low: float, high: float) -> NDArray[Any]:
        return generator.uniform(low, high, count)

    figures = np.zeros((count, NUM_PARTS, 2))
    breadth = spread(0.4, 1) * facing
    figures[:, 0, 1] = spread(0, 0.02)
    for other, side in ((0, 1), (1, -1)):  # left parts have odd numbers, their right twins come next
        for part, x, y in _TRUNK:
            figures[:, part + other] = np.stack([side * x * breadth, np.full(count, y)], axis=1)
        arm, leg = spread(-0.1, 2.4), spread(-0.1, 0.5)  # 0 hangs down, a quarter turn points outwards
        angles = (arm, arm + spread(-0.5, 1.2), leg, leg + spread(-0.4, 0.2))
        for (joint, part, length), angle in zip(_LIMBS, angles, strict=True):
            direction = np.stack([side * facing * np.sin(angle), np.cos(angle)], axis=1)
            figures[:, part + other] = figures[:, joint + other] + length * direction
    tilt = spread(-0.2, 0.2)
    turn = np.array([[np.cos(tilt), np.sin(tilt)], [-np.sin(tilt), np.cos(tilt)]])
    return np.asarray(np.einsum("mpx,xym->mpy", figures, turn))


def _nearest(places: NDArray[Any], targets: NDArray[Any], reach: float) -> tuple[NDArray[Any], NDArray[np.intp]]:
    """Return, for each cell and part, how far the nearest person's is, and whose; past `reach` the last's, nobody."""
    squared = np.full((*places.shape[:2], NUM_PARTS), np.inf)
    owners = np.full(squared.shape, len(targets) - 1)
    for person, parts in enumerate(targets[:-1]):
        to_person = np.square(places[:, :, None] - parts).sum(axis=-1)
        nearer = to_person < squared
        squared[nearer], owners[nearer] = to_person[nearer], person
    owners[squared > reach**2] = len(targets) - 1
    return np.sqrt(squared), owners


def _vectors(
    places: NDArray[Any], targets: NDArray[Any], owners: NDArray[np.intp], parts: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Return (H, W, 2C) vectors from each cell to its owner's part, y of every channel, then x; 0 to an absent part."""
    vectors = np.nan_to_num(targets[owners, parts] - places[:, :, None], nan=0.0)
    return np.concatenate([vectors[..., 1], vectors[..., 0]], axis=2)


def _as_masks(masks: ArrayLike, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Return one mask a pose, of the input's size, or say what they must be."""
    array = np.asarray(masks)
    if array.shape != shape or array.dtype != np.bool_:
        raise InputError(
            f"masks must be bool, one a pose, of the input's size, shape (M, height, width) = {shape}, "
            f"got {array.dtype} {array.shape}"
        )
    return array


def _people(
    masks: NDArray[np.bool_], targets: NDArray[Any], places: NDArray[Any], stride: float
) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """Return person logits and long offsets at the cells: those of the nearest person, the first of several."""
    anybody = masks.any(axis=0)
    if not anybody.any():
        return np.full((*places.shape[:2], 1), -_PEAK_LOGIT), np.zeros((*places.shape[:2], 2 * NUM_PARTS))
    from scipy.ndimage import distance_transform_edt

    columns, rows = np.moveaxis(np.minimum(places.round().astype(int), np.array(anybody.shape)[::-1] - 1), 2, 0)
    outside, nearest = distance_transform_edt(~anybody, return_indices=True)
    inside = distance_transform_edt(np.pad(anybody, 1, mode="edge"))[1:-1, 1:-1] if not anybody.all() else np.inf
    depth = np.where(anybody, inside - 0.5, 0.5 - outside)[rows, columns]
    logits = np.clip(depth / stride, -1, 1) * _PEAK_LOGIT
    owners = masks.argmax(axis=0)[tuple(nearest[:, rows, columns])]
    return logits[..., None], _vectors(places, targets, owners[..., None], np.arange(NUM_PARTS))


def _part_logits(body_parts: ArrayLike, shape: tuple[int, ...], places: NDArray[Any]) -> NDArray[np.float64]:
    """Return logits of the part of the body at the cells."""
    array = np.asarray(body_parts)
    if array.shape != shape or array.dtype.kind not in "iu" or (array.size and array.max() >= len(BODY_PARTS)):
        raise InputError(
            f"body_parts must be whole numbers below {len(BODY_PARTS)} and of the input's shape = {shape}, "
            f"got {array.dtype} {array.shape}"
        )
    columns, rows = np.moveaxis(np.minimum(places.round().astype(int), np.array(shape)[::-1] - 1), 2, 0)
    here = array[rows, columns][..., None] == np.arange(len(BODY_PARTS))
    return np.where(here, _PEAK_LOGIT, -_PEAK_LOGIT)


def _levels(values: NDArray[Any], limit: float) -> Quantized:
    """Quantise values within plus or minus `limit` to uint8 around 128."""
    scale = limit / 127
    return Quantized(np.clip(np.round(values / scale) + 128, 0, 255).astype(np.uint8), scale, 128)
