"""Turn known poses into the raw tensors that a perfect crop network would return, for tests."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bottomup.errors import InputError
from bottomup.metric3d.arrays import as_points
from bottomup.metric3d.heads.heatmaps import Heads

__all__ = ["encode"]

_NOWHERE = -100.0  # a logit that weighs nothing


def encode(heads: Heads, keypoints: ArrayLike, relative: ArrayLike) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return heatmaps (B, H, W, N) and volumes (B, H, W, D * N) whose soft-argmax is exactly these poses.

    Each is a bilinear splat: the logarithms of the two nearest cells' shares
    along each axis. Points beyond the outermost cells move onto them.

    Parameters
    ----------
    heads : Heads
        Of layout "bhw(dp)".
    keypoints : (B, N, 2) array
        Crop pixels.
    relative : (B, N, 3) array
        Millimetres from the middle of the cube that a volume covers.

    Raises
    ------
    InputError
        If the heads have another layout, or shapes do not fit.

    Examples
    --------
    >>> heads = Heads(num_parts=1)
    >>> decoded = heads.decode(encode(heads, [[[100, 50]]], [[[-300, 20, 444]]]))
    >>> decoded.keypoints.round(3).tolist()
    [[[100.0, 50.0]]]
    """
    pixels, places = as_points(keypoints, 2, "keypoints"), as_points(relative, 3, "relative")
    if heads.layout != "bhw(dp)" or pixels.shape[1:] != (heads.num_parts, 2) or places.shape[:2] != pixels.shape[:2]:
        raise InputError(
            f'encode takes heads of layout "bhw(dp)", keypoints (B, {heads.num_parts}, 2) and relative (B, '
            f"{heads.num_parts}, 3), got {heads.layout}, {pixels.shape} and {places.shape}"
        )
    if heads.volume_xy == "image":
        across = _cells_of_pixels(heads, pixels)
    else:
        across = _cells_of_pixels(heads, (places[..., :2] / heads.box_size + 0.5) * heads.crop_size)
    deep = (places[..., 2:] / heads.box_size + 0.5) * (heads.depth - 1)
    flat = _shares(_cells_of_pixels(heads, pixels), (heads.grid, heads.grid))
    cube = _shares(np.concatenate([across, deep], axis=-1), (heads.grid, heads.grid, heads.depth))
    count, grid, lanes = len(pixels), heads.grid, heads.depth * heads.num_parts
    return _logits(flat, "bpx,bpy->byxp"), _logits(cube, "bpx,bpy,bpz->byxzp").reshape(count, grid, grid, lanes)


def _cells_of_pixels(heads: Heads, pixels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn crop pixels into cells, fractions allowed."""
    halves = int(heads.centred_stride) + int(heads.half_shift)
    return (pixels - halves * (heads.output_stride // 2)) / heads.output_stride


def _shares(places: NDArray[np.float64], sizes: tuple[int, ...]) -> list[NDArray[np.float64]]:
    """Return, for each axis, how much of each part lies in each cell: (B, N, cells)."""
    return [
        (1 - abs(places[..., [axis]].clip(0, size - 1) - np.arange(size))).clip(0) for axis, size in enumerate(sizes)
    ]


def _logits(shares: list[NDArray[np.float64]], product: str) -> NDArray[np.float32]:
    """Return the logarithms of the product of all axes' shares."""
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(np.einsum(product, *shares)).clip(_NOWHERE), np.float32)
