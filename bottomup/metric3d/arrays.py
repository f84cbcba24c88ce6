"""Convert points and matrices to float64, or refuse them with a clear message."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bottomup.errors import InputError

__all__ = ["as_float64", "as_points", "turned"]


def as_float64(values: ArrayLike, name: str) -> NDArray[np.float64]:
    """Return an array-like as a float64 array, or raise `InputError`."""
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"{name} must be an array of numbers: {error}") from error


def as_points(values: ArrayLike, size: int, name: str) -> NDArray[np.float64]:
    """Return an array-like as a float64 array whose last axis has that size."""
    points = as_float64(values, name)
    if points.ndim == 0 or points.shape[-1] != size:
        raise InputError(f"{name} must have shape (..., {size}), got {points.shape}")
    return points


def turned(points: NDArray[np.float64], matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Multiply row vectors (..., 3) by a matrix (..., 3, 3), term by term: results do not depend on their number."""
    x, y, z = points[..., 0:1], points[..., 1:2], points[..., 2:3]
    total: NDArray[np.float64] = x * matrix[..., 0, :] + y * matrix[..., 1, :] + z * matrix[..., 2, :]
    return total
