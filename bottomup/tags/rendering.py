"""Known poses -> the heatmaps and tags that a perfect network would give for them."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bottomup.errors import InputError
from bottomup.geometry import as_size
from bottomup.poses import Poses, as_poses
from bottomup.tags.fields import TagFields
from bottomup.tensors import Quantized, as_number

__all__ = ["tag_fields"]


def tag_fields(
    poses: Poses,
    input_size: tuple[int, int] = (512, 384),
    output_stride: float = 4,
    *,
    sigma: float = 2.0,
    tag_distance: float = 2.0,
    tag_size: int = 1,
    negated: bool = False,
    quantized: bool = False,
) -> TagFields:
    """Render the heatmaps and tags that a perfect network of associative embedding gives for known poses.

    A heatmap is, in each cell, the highest of the people's Gaussians at the
    middle of the cell. Within three `sigma` of a keypoint, a tag is its
    person's: the first one's is `tag_distance`, the next one's twice that.
    Where people meet, the nearer keypoint counts; far from all, tags are 0.

    Parameters
    ----------
    poses : Poses
        People in input pixels. Parts that are nan are absent; scores are not looked at.
    input_size : (int, int)
        Width and height of the network's input; the grid has `size // output_stride` cells.
    output_stride : float
        Input pixels per cell.
    sigma : float
        Of the Gaussians, in cells. HigherHRNet: 2.
    tag_distance : float
        How much the tags of one person and the next differ.
    tag_size : int
        Numbers a tag; every second one counts people from the last.
    negated : bool
        Give cells that are not the highest of their 5 x 5 a minus sign, as OMZ's networks do.
    quantized : bool
        Give uint8 `Quantized` tensors.

    Returns
    -------
    TagFields

    Raises
    ------
    InputError
        If a size, stride, sigma, distance or number cannot be.

    References
    ----------
    Newell et al., "Associative Embedding", NeurIPS 2017, section 3. arXiv:1611.05424

    Examples
    --------
    >>> from bottomup.synthetic import random_poses
    >>> tag_fields(random_poses(3, (512, 384))).grid
    (96, 128)
    """
    stride, spread = as_number(output_stride, "output_stride"), as_number(sigma, "sigma")
    distance = as_number(tag_distance, "tag_distance")
    if not (0 < stride < math.inf and 0 < spread < math.inf and 0 <= distance < math.inf):
        raise InputError(
            f"output_stride, sigma and tag_distance must be above 0, got {output_stride}, {sigma} and {tag_distance}"
        )
    if isinstance(tag_size, bool) or not isinstance(tag_size, (int, np.integer)) or not 1 <= tag_size <= 16:
        raise InputError(f"tag_size must be a whole number from 1 to 16, got {tag_size!r}")
    width, height = (int(side // stride) for side in as_size(input_size))
    if width < 1 or height < 1:
        raise InputError(f"input_size must be at least {stride:g} pixels each way, got {input_size}")
    cells = (as_poses(poses).xy.astype(np.float64) - (stride - 1) / 2) / stride
    squared, owners = _nearest(cells, height, width)
    heatmaps = np.exp(-squared / (2 * spread**2))
    numbers = [np.where(owners < 0, 0, owners + 1), np.where(owners < 0, 0, len(poses) - owners)]
    near = squared <= (3 * spread) ** 2
    tags = np.stack([np.where(near, numbers[number % 2], 0) * distance for number in range(tag_size)], axis=3)
    if negated:
        heatmaps = np.where(_is_highest(heatmaps), heatmaps, -heatmaps)
    if not quantized:
        return TagFields(heatmaps, tags, stride, skeleton=poses.skeleton, negated=negated)
    most = max(distance * len(poses), 1.0)
    heat_levels = Quantized((np.round(heatmaps * 127) + 128).astype(np.uint8), 1 / 127, 128)
    tag_levels = Quantized(np.round(tags * (255 / most)).astype(np.uint8), most / 255, 0)
    return TagFields(heat_levels, tag_levels, stride, skeleton=poses.skeleton, negated=negated)


def _nearest(cells: NDArray[np.float64], height: int, width: int) -> tuple[NDArray[Any], NDArray[np.intp]]:
    """Return, for each cell and part, the squared distance to the nearest person's in cells, and whose it is, or -1."""
    rows, columns = np.indices((height, width))
    squared = np.full((height, width, cells.shape[1]), np.inf)
    owners = np.full(squared.shape, -1)
    for person, parts in enumerate(cells):
        to_person = (columns[..., None] - parts[:, 0]) ** 2 + (rows[..., None] - parts[:, 1]) ** 2
        nearer = to_person < squared  # False of nan
        squared[nearer], owners[nearer] = to_person[nearer], person
    return squared, owners


def _is_highest(heatmaps: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Tell which cells none of their 5 x 5 exceeds."""
    height, width = heatmaps.shape[:2]
    padded = np.pad(heatmaps, ((2, 2), (2, 2), (0, 0)), constant_values=-np.inf)
    windows = [padded[down : down + height, right : right + width] for down in range(5) for right in range(5)]
    highest: NDArray[np.bool_] = heatmaps >= np.max(windows, axis=0)
    return highest
