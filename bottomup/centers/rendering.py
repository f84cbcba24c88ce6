"""Known poses -> the fields that a perfect network of centres would give for them."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bottomup.centers.fields import CenterFields
from bottomup.errors import InputError
from bottomup.geometry import as_size, cell_to_input
from bottomup.poses import Poses, as_poses
from bottomup.tensors import Quantized, as_number

__all__ = ["center_fields"]

_PEAK_LOGIT = 8.0
_MARGIN = 0.1  # of a person's height, between their parts and the box


def center_fields(
    poses: Poses,
    input_size: tuple[int, int],
    output_stride: float = 4,
    *,
    radius: float = 12.0,
    boxes: bool = True,
    quantized: bool = False,
) -> CenterFields:
    """Render the fields that a perfect MoveNet would give.

    Logits fall as paraboloids from 8 at a keypoint to 0 at the edge of a disk around it and to -8 outside; the centre
    of a person is the middle of the box around their parts. Regressions and boxes of a cell are those of the person
    whose centre is nearest, offsets lead to the nearest person's part and are 0 beyond the disk.

    Parameters
    ----------
    poses : Poses
        People in input pixels, of any skeleton. Parts that are nan or lie outside the input are absent, and regressions
        lead to the person's centre in their place; people without parts are left out. Scores are ignored.
    input_size : (int, int)
        Width and height of the network's input.
    output_stride : float
        Input pixels per cell.
    radius : float
        Radius of the disks, input pixels; at least 0.71 strides, or keypoints fall between cells.
    boxes : bool
        Give boxes, as MultiPose does; they reach a tenth of the person's height beyond their parts on each side.
    quantized : bool
        Give int8 `Quantized` tensors, as Coral's files do; positions are then off by up to half a level.

    Returns
    -------
    CenterFields
        Logits.

    Raises
    ------
    InputError
        If a size, stride or radius is out of range.

    Examples
    --------
    >>> from bottomup import synthetic
    >>> center_fields(synthetic.random_poses(3), input_size=(640, 480)).grid
    (120, 160)
    """
    width, height = as_size(input_size)
    stride, disk = as_number(output_stride, "output_stride"), as_number(radius, "radius")
    if not (0 < stride < math.inf and 0 < disk < math.inf):
        raise InputError(f"output_stride and radius must be above 0 pixels, got {output_stride} and {radius}")
    skeleton = as_poses(poses).skeleton
    num_parts = len(skeleton.parts)
    x, y = poses.xy[..., 0], poses.xy[..., 1]
    seen = (x >= -0.5) & (x < width - 0.5) & (y >= -0.5) & (y < height - 0.5)
    targets = np.where(seen[..., None], poses.xy, np.nan)[seen.any(axis=1)].astype(np.float64)
    cells = np.indices((math.ceil(height / stride), math.ceil(width / stride)))
    places = cell_to_input(np.moveaxis(cells, 0, 2), stride)
    grid = places.shape[:2]
    tensors: dict[str, tuple[NDArray[Any], float]] = {}
    if len(targets):
        low, high = np.nanmin(targets, axis=1), np.nanmax(targets, axis=1)
        middles = (low + high) / 2
        margins = _MARGIN * (high - low)[:, 1:]
        sizes = high - low + 2 * margins
        distances = np.linalg.norm(places[:, :, None] - middles, axis=3)
        owners = distances.argmin(axis=2)
        tensors["center"] = _logits(distances.min(axis=2), disk)[..., None], _PEAK_LOGIT
        wanted = np.where(np.isnan(targets), middles[:, None], targets)[owners] - places[:, :, None]
        vectors = {"regressions": wanted, "box_sizes": sizes[owners][:, :, None]}
        vectors["box_offsets"] = middles[owners][:, :, None] - places[:, :, None]
        to_parts = np.nan_to_num(np.linalg.norm(places[:, :, None, None] - targets, axis=4), nan=np.inf)
        nearest = to_parts.argmin(axis=2)
        tensors["heatmaps"] = _logits(to_parts.min(axis=2), disk), _PEAK_LOGIT
        offsets = targets[nearest, np.arange(num_parts)] - places[:, :, None]
        reach = disk + math.sqrt(2) * stride
        vectors["offsets"] = np.where(to_parts.min(axis=2)[..., None] > reach, 0, np.nan_to_num(offsets))
    else:
        nothing = {"center": 1, "heatmaps": num_parts}
        tensors = {name: (np.full((*grid, count), -_PEAK_LOGIT), _PEAK_LOGIT) for name, count in nothing.items()}
        one, all_parts = np.zeros((*grid, 1, 2)), np.zeros((*grid, num_parts, 2))
        vectors = {"regressions": all_parts, "offsets": all_parts, "box_sizes": one, "box_offsets": one}
    for name, values in vectors.items():
        in_cells = values[..., ::-1].reshape(*grid, -1) / stride  # y before x
        tensors[name] = in_cells, max(float(np.abs(in_cells).max()), 1.0)
    if not boxes:
        del tensors["box_sizes"], tensors["box_offsets"]
    given: dict[str, Any] = {
        name: _levels(values, limit) if quantized else values for name, (values, limit) in tensors.items()
    }
    return CenterFields(**given, output_stride=stride, skeleton=skeleton)


def _logits(distances: NDArray[Any], disk: float) -> NDArray[Any]:
    """Return a paraboloid's logits at these distances from its top."""
    return np.asarray(np.maximum(_PEAK_LOGIT * (1 - np.minimum(distances, 2 * disk) ** 2 / disk**2), -_PEAK_LOGIT))


def _levels(values: NDArray[Any], limit: float) -> Quantized:
    """Quantise values within plus or minus `limit` to int8 around 0."""
    scale = limit / 127
    return Quantized(np.clip(np.round(values / scale), -128, 127).astype(np.int8), scale, 0)
