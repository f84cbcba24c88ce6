"""Known poses -> the fields that a perfect PoseNet would give for them."""

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bottomup.errors import InputError
from bottomup.geometry import as_size, cell_to_input
from bottomup.posenet.fields import BODY_PARTS, PoseNetFields
from bottomup.posenet.trees import tree_of
from bottomup.poses import Poses, as_poses
from bottomup.tensors import Quantized, as_number

__all__ = ["nearest_people", "posenet_fields", "same_padding_shift", "vectors_to_parts"]

_PEAK_LOGIT = 6.0  # a score of 0.9975 at the keypoint, and of 0.0025 far from every keypoint


def posenet_fields(
    poses: Poses,
    input_size: tuple[int, int] = (641, 481),
    output_stride: float = 16,
    *,
    radius: float = 32,
    quantized: bool = False,
    masks: ArrayLike | None = None,
    body_parts: ArrayLike | None = None,
    shift: tuple[float, float] | None = None,
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
        People in input pixels, of COCO's 17 parts or of a skeleton whose edges
        are a tree. Parts that are nan or lie outside the input are absent;
        scores are ignored.
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
        Which pixels of the input show each pose; adds segments and long
        offsets. Person logits are 0 at the edge of all masks together and grow
        with the distance from it. Long offsets lead to the parts of the person
        at the cell, or nearest to it; to an absent part they are 0.
    body_parts : (height, width) int array, optional
        The part of the body that each pixel shows, an index into BodyPix's
        24, or -1; adds part heatmaps.
    shift : (float, float), optional
        x and y, input pixels, of the first cell's middle, for a network whose
        input is not whole strides plus 1: `same_padding_shift` says where its
        cells lie. The grid then has as many cells as fit from there. Default: 0, 0.

    Returns
    -------
    PoseNetFields
        Logits and mid offsets, as in TFLite and Coral models.

    Raises
    ------
    InputError
        If the skeleton's edges are not a tree, or a size, stride or radius is out of range.

    References
    ----------
    Papandreou et al., "PersonLab", ECCV 2018, section 3.1. arXiv:1803.08225

    Examples
    --------
    >>> from bottomup import synthetic
    >>> fields = posenet_fields(synthetic.random_poses(3), input_size=(641, 481))
    >>> fields.grid, fields.logits
    ((31, 41), True)
    """
    width, height = as_size(input_size)
    stride, disk = as_number(output_stride, "output_stride"), as_number(radius, "radius")
    if not (0 < stride < math.inf and 0 < disk < math.inf):
        raise InputError(f"output_stride and radius must be above 0 pixels, got {output_stride} and {radius}")
    skeleton = as_poses(poses).skeleton
    num_parts, edges = len(skeleton.parts), tree_of(skeleton)

    x, y = poses.xy[..., 0], poses.xy[..., 1]
    seen = (x >= -0.5) & (x < width - 0.5) & (y >= -0.5) & (y < height - 0.5)
    nobody = np.full((1, num_parts, 2), np.nan)  # owns the cells that are near no one's part
    targets = np.concatenate([np.where(seen[..., None], poses.xy, np.nan), nobody])

    left, top = (0.0, 0.0) if shift is None else shift
    grid = int((height - 1 - top) // stride) + 1, int((width - 1 - left) // stride) + 1
    if shift is None:
        grid = int(height // stride) + 1, int(width // stride) + 1
    places = cell_to_input(np.moveaxis(np.indices(grid), 0, 2), stride) + (left, top)
    reach = disk + math.sqrt(2) * stride
    distances, owners = nearest_people(places, targets, reach)

    logits = np.maximum(_PEAK_LOGIT * (1 - np.minimum(distances, 2 * disk) ** 2 / disk**2), -_PEAK_LOGIT)
    offsets = vectors_to_parts(places, targets, owners, np.arange(num_parts))
    parents, children = np.array(edges).T
    forward = vectors_to_parts(places, targets, owners[..., parents], children)
    backward = vectors_to_parts(places, targets, owners[..., children], parents)
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
    return PoseNetFields.from_mid_offsets(
        **fields, output_stride=stride, shift=(left, top), logits=True, skeleton=skeleton
    )


def same_padding_shift(side: int, output_stride: int) -> int:
    """Return where, along a side of the input, convolutions of stride 2 that pad like TensorFlow's SAME put cell 0.

    They pad nothing before an even side, so each such step moves all cells by half its own stride.

    Examples
    --------
    >>> [same_padding_shift(side, 16) for side in (481, 480, 512, 505, 488)]
    [0, 15, 15, 8, 7]
    """
    shift, step = 0, 1
    while step < output_stride:
        shift += step * (side % 2 == 0)
        side, step = -(-side // 2), 2 * step
    return shift


def nearest_people(
    places: NDArray[Any], targets: NDArray[Any], reach: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Return, for each cell and part, the distance to the nearest person's, and whose is nearest within reach.

    Parameters
    ----------
    places : (H, W, 2) array
        x and y that each cell stands for, input pixels.
    targets : (M + 1, N, 2) array
        x and y of the people's parts, nan where one is absent; the last person is nobody, who owns all other cells.
    reach : float or (M,) array
        How far from a part a cell may be owned, in input pixels; one for all people, or one each.

    Returns
    -------
    (H, W, N) float64 and int arrays
        Distances, and numbers of people, M for nobody.
    """
    squared = np.full((*places.shape[:2], targets.shape[1]), np.inf)
    owned, owners = squared.copy(), np.full(squared.shape, len(targets) - 1)
    for person, furthest in enumerate(np.broadcast_to(np.asarray(reach, np.float64), len(targets) - 1)):
        to_person = np.square(places[:, :, None] - targets[person]).sum(axis=-1)
        squared = np.fmin(squared, to_person)
        nearer = (to_person < owned) & (to_person <= furthest**2)
        owned[nearer], owners[nearer] = to_person[nearer], person
    return np.sqrt(squared), owners


def vectors_to_parts(
    places: NDArray[Any], targets: NDArray[Any], owners: NDArray[np.intp], parts: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Return (H, W, 2C) vectors from each cell to its owner's part, y of every channel, then x; 0 to an absent part."""
    vectors = np.nan_to_num(targets[owners, parts] - places[:, :, None], nan=0.0)
    return np.concatenate([vectors[..., 1], vectors[..., 0]], axis=2)


def _as_masks(masks: ArrayLike, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Return one mask per pose, of the input's size, or say what they must be."""
    array = np.asarray(masks)
    if array.shape != shape or array.dtype != np.bool_:
        raise InputError(
            f"masks must be bool, one per pose, of the input's size, shape (M, height, width) = {shape}, "
            f"got {array.dtype} {array.shape}"
        )
    return array


def _people(
    masks: NDArray[np.bool_], targets: NDArray[Any], places: NDArray[Any], stride: float
) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """Return person logits and long offsets at the cells: those of the nearest person, or the first of several."""
    anybody = masks.any(axis=0)
    if not anybody.any():
        return np.full((*places.shape[:2], 1), -_PEAK_LOGIT), np.zeros((*places.shape[:2], 2 * targets.shape[1]))
    from scipy.ndimage import distance_transform_edt

    columns, rows = np.moveaxis(np.minimum(places.round().astype(int), np.array(anybody.shape)[::-1] - 1), 2, 0)
    outside, nearest = distance_transform_edt(~anybody, return_indices=True)
    inside = distance_transform_edt(np.pad(anybody, 1, mode="edge"))[1:-1, 1:-1] if not anybody.all() else np.inf
    depth = np.where(anybody, inside - 0.5, 0.5 - outside)[rows, columns]
    logits = np.clip(depth / stride, -1, 1) * _PEAK_LOGIT
    owners = masks.argmax(axis=0)[tuple(nearest[:, rows, columns])]
    return logits[..., None], vectors_to_parts(places, targets, owners[..., None], np.arange(targets.shape[1]))


def _part_logits(body_parts: ArrayLike, shape: tuple[int, ...], places: NDArray[Any]) -> NDArray[np.float64]:
    """Return logits of the part of the body at the cells."""
    array = np.asarray(body_parts)
    if array.shape != shape or array.dtype.kind not in "iu" or (array.size and array.max() >= len(BODY_PARTS)):
        raise InputError(
            f"body_parts must be whole numbers below {len(BODY_PARTS)} and have the input's shape {shape}, "
            f"got {array.dtype} {array.shape}"
        )
    columns, rows = np.moveaxis(np.minimum(places.round().astype(int), np.array(shape)[::-1] - 1), 2, 0)
    here = array[rows, columns][..., None] == np.arange(len(BODY_PARTS))
    return np.where(here, _PEAK_LOGIT, -_PEAK_LOGIT)


def _levels(values: NDArray[Any], limit: float) -> Quantized:
    """Quantise values within plus or minus `limit` to uint8 around 128."""
    scale = limit / 127
    return Quantized(np.clip(np.round(values / scale) + 128, 0, 255).astype(np.uint8), scale, 128)
