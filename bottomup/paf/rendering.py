"""Known poses -> the part affinity fields that a perfect network would give for them."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bottomup.errors import InputError
from bottomup.geometry import as_size
from bottomup.paf.fields import PafFields
from bottomup.poses import Poses, as_poses
from bottomup.skeletons import OPENPOSE18, Skeleton, as_skeleton
from bottomup.tensors import Quantized, as_number

__all__ = ["paf_fields"]

#: Parts that nobody labels, each midway between two that are.
_MIDWAY = {"neck": ("left_shoulder", "right_shoulder"), "mid_hip": ("left_hip", "right_hip")}


def paf_fields(
    poses: Poses,
    input_size: tuple[int, int] = (432, 368),
    output_stride: float = 8,
    *,
    skeleton: Skeleton | None = None,
    sigma: float = 7.0,
    paf_repeat: int = 1,
    paf_shift: float = 0.0,
    background: bool = True,
    quantized: bool = False,
) -> PafFields:
    """Render the heatmaps and part affinity fields that OpenPose's labels give for known poses.

    A heatmap is, in each cell, the highest of the people's Gaussians at the
    middle of the cell. A field is the unit vector from parent to child where
    the cell lies within a stride of the line between them and within the box
    around both, grown by a stride: it continues about one cell past both
    joints, as networks learn. Where people's fields meet, it is their mean.

    Parameters
    ----------
    poses : Poses
        People in input pixels. Parts that are nan are absent; scores are not looked at.
    input_size : (int, int)
        Width and height of the network's input; the grid has `size // output_stride` cells.
    output_stride : float
        Input pixels per cell.
    skeleton : Skeleton, optional
        Whose fields to render. Default: that of the poses; of COCO-17 poses
        `OPENPOSE18`. Parts are found by name; a neck or mid hip that the poses
        do not have lies midway between shoulders or hips.
    sigma : float
        Of the Gaussians, input pixels. OpenPose and TAO: 7.
    paf_repeat : int
        Repeat each cell of the fields so often, down and across, as
        BodyPoseNet's deployable files do with 4.
    paf_shift : float
        How far the fields lie below and right of the limbs, in cells; TAO: 0.4375.
    background : bool
        Append 1 less the highest part.
    quantized : bool
        Give uint8 `Quantized` tensors.

    Returns
    -------
    PafFields

    Raises
    ------
    InputError
        If a size, stride or sigma cannot be.

    References
    ----------
    Cao et al., TPAMI 2019, sections 3.2 and 3.3. arXiv:1812.08008

    Examples
    --------
    >>> from bottomup.synthetic import random_poses
    >>> paf_fields(random_poses(3, (432, 368))).grid
    (46, 54)
    """
    stride, width_of_peaks = as_number(output_stride, "output_stride"), as_number(sigma, "sigma")
    if not (0 < stride < math.inf and 0 < width_of_peaks < math.inf):
        raise InputError(f"output_stride and sigma must be above 0 pixels, got {output_stride} and {sigma}")
    width, height = (int(side // stride) for side in as_size(input_size))
    if width < 1 or height < 1 or paf_repeat < 1:
        raise InputError(
            f"input_size must be at least {stride:g} pixels each way and paf_repeat at least 1, "
            f"got {input_size} and {paf_repeat}"
        )
    poses = as_poses(poses)
    if skeleton is None:
        skeleton = OPENPOSE18 if poses.skeleton.name in ("coco_17", "posenet_17") else poses.skeleton
    people = _people(poses, as_skeleton(skeleton))
    heatmaps = _heatmaps(people, _centres(height, width, stride, 0.0), width_of_peaks)
    pafs = _pafs(people, skeleton, _centres(height, width, stride, paf_shift), stride)
    pafs = pafs.repeat(paf_repeat, axis=0).repeat(paf_repeat, axis=1)
    if background:
        heatmaps = np.concatenate([heatmaps, 1 - heatmaps.max(axis=2, keepdims=True)], axis=2)
    if not quantized:
        return PafFields(heatmaps, pafs, skeleton, stride, paf_shift=paf_shift)
    heat_levels = Quantized(np.round(heatmaps * 255).astype(np.uint8), 1 / 255, 0)
    paf_levels = Quantized((np.round(pafs * 127) + 128).astype(np.uint8), 1 / 127, 128)
    return PafFields(heat_levels, paf_levels, skeleton, stride, paf_shift=paf_shift)


def _people(poses: Poses, skeleton: Skeleton) -> NDArray[np.float64]:
    """Return (M, N, 2): x and y of the skeleton's parts, nan where a pose has none."""
    own = poses.skeleton.parts
    people = np.full((len(poses), len(skeleton.parts), 2), np.nan)
    for part, name in enumerate(skeleton.parts):
        sources = (name,) if name in own else _MIDWAY.get(name, ())
        if sources and all(source in own for source in sources):
            people[:, part] = poses.xy[:, [own.index(source) for source in sources]].mean(axis=1)
    return people


def _centres(height: int, width: int, stride: float, shift: float) -> NDArray[Any]:
    """Return (H, W, 2): x and y that each cell stands for."""
    rows, columns = np.indices((height, width))
    return (np.stack([columns, rows], axis=2) - shift) * stride + (stride - 1) / 2


def _heatmaps(people: NDArray[np.float64], centres: NDArray[np.float64], sigma: float) -> NDArray[Any]:
    """Return (H, W, N)."""
    heatmaps = np.zeros((*centres.shape[:2], people.shape[1]))
    columns, rows = centres[0, :, :1], centres[:, 0, 1:]
    for person in people:
        across, down = np.square(columns - person[:, 0]), np.square(rows - person[:, 1])
        squared = across[None] + down[:, None]
        heatmaps = np.fmax(heatmaps, np.exp(-squared / (2 * sigma**2)))
    return heatmaps


def _pafs(people: NDArray[np.float64], skeleton: Skeleton, centres: NDArray[np.float64], stride: float) -> NDArray[Any]:
    """Return (H, W, 2E), each edge's x and y in its own channels."""
    channels = skeleton.paf_channels
    pafs = np.zeros((*centres.shape[:2], 1 + max(channel for pair in channels for channel in pair)))
    columns, rows = centres[0, :, 0], centres[:, 0, 1]
    for (parent, child), pair in zip(skeleton.edges, channels, strict=True):
        total, count = np.zeros((*centres.shape[:2], 2)), np.zeros(centres.shape[:2])
        for start, end in zip(people[:, parent], people[:, child], strict=True):
            length = np.hypot(*(end - start))
            if length > 0:  # False of nan
                direction = (end - start) / length
                low, high = np.minimum(start, end) - stride, np.maximum(start, end) + stride
                box = tuple(
                    slice(np.searchsorted(cells, low[axis], "left"), np.searchsorted(cells, high[axis], "right"))
                    for axis, cells in ((1, rows), (0, columns))
                )
                across = (rows[box[0], None] - start[1]) * direction[0] - (columns[box[1]] - start[0]) * direction[1]
                on_limb = np.abs(across) <= stride
                total[box][on_limb] += direction
                count[box][on_limb] += 1
        pafs[:, :, list(pair)] = total / np.maximum(count, 1)[..., None]
    return pafs
