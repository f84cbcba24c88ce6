"""Where rows come from: the cells of several grids, one a stride, finest first, each read row by row."""

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bottomup.geometry import ImageSize

__all__ = ["STRIDES", "count_rows", "find_priors", "find_strides", "grid_shape", "guess_size"]

#: Strides of the public networks, most common first; those of four are the P6 and P2 versions.
STRIDES = ((8, 16, 32), (8, 16, 32, 64), (4, 8, 16, 32), (16, 32), (8, 16))


def grid_shape(size: ImageSize, stride: int) -> tuple[int, int]:
    """Return H and W of the grid of a stride."""
    return -(-size.height // stride), -(-size.width // stride)


def count_rows(size: ImageSize, strides: tuple[int, ...]) -> int:
    """Return how many rows the grids of these strides have together.

    Examples
    --------
    >>> count_rows(ImageSize(640, 640), (8, 16, 32))
    8400
    """
    return sum(height * width for height, width in (grid_shape(size, stride) for stride in strides))


@lru_cache(maxsize=256)
def find_strides(num_rows: int, size: ImageSize) -> tuple[int, ...]:
    """Return the strides whose grids have so many rows together, () where none of those known do."""
    return next((strides for strides in STRIDES if count_rows(size, strides) == num_rows), ())


@lru_cache(maxsize=16)
def find_priors(size: ImageSize, strides: tuple[int, ...]) -> NDArray[np.float32]:
    """Return x and y of each row's cell, its top left corner in input pixels, and the cell's stride: (R, 3)."""
    priors = []
    for stride in strides:
        height, width = grid_shape(size, stride)
        down, right = np.mgrid[:height, :width] * stride
        priors.append(np.stack([right.ravel(), down.ravel(), np.full(height * width, stride)], axis=1))
    return np.ascontiguousarray(np.concatenate(priors), np.float32) if priors else np.zeros((0, 3), np.float32)


def guess_size(num_rows: Any) -> int | None:
    """Return the side of the square input that gives so many rows at strides 8, 16 and 32, None if none does."""
    side = round(float(num_rows * 1024 / 21) ** 0.5)
    return side if side and side % 32 == 0 and count_rows(ImageSize(side, side), STRIDES[0]) == num_rows else None
