"""Lens distortion and its inverse, in normalised coordinates: camera x / z and y / z."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bottomup.errors import InputError
from bottomup.metric3d.arrays import as_float64, as_points

__all__ = ["NUM_COEFFICIENTS", "as_coefficients", "distort", "distort_planes", "undistort"]

#: The lens coefficients that a camera keeps, in OpenCV's order: k1 k2 p1 p2 k3 k4 k5 k6 s1 s2 s3 s4.
NUM_COEFFICIENTS = 12
_NEWTON_STEPS = 50
_TOLERANCE = 1e-12  # of undistorted normalised coordinates: 1e-9 px at a focal length of 1000 px


def as_coefficients(values: ArrayLike) -> NDArray[np.float64]:
    """Return a lens's 12 coefficients from as many as were measured, in any shape that OpenCV returns.

    Parameters
    ----------
    values : array
        Coefficients in OpenCV's order.

    Raises
    ------
    InputError
        If they are not 4 to 12, or 14 with zeros as the last two.
    """
    given = as_float64(values, "distortion")
    row = given.reshape(-1) if given.size == max(given.shape, default=0) else given
    if row.shape == (NUM_COEFFICIENTS + 2,):
        if row[NUM_COEFFICIENTS:].any():
            raise InputError(
                f"distortion has a tilted sensor, tau = {row[NUM_COEFFICIENTS:].tolist()}, which is not supported: "
                "undistort the images first"
            )
        row = row[:NUM_COEFFICIENTS]
    if row.ndim != 1 or (row.size and not 4 <= row.size <= NUM_COEFFICIENTS):
        raise InputError(
            f"distortion must be 4 to {NUM_COEFFICIENTS} coefficients in OpenCV's order (k1, k2, p1, p2, k3, ...), got "
            f"shape {given.shape}: undistort images of fisheye lenses first"
        )
    padded = np.zeros(NUM_COEFFICIENTS)
    padded[: row.size] = row
    return padded


def distort(points: ArrayLike, coefficients: ArrayLike) -> NDArray[np.float64]:
    """Distort (..., 2) normalised coordinates as a lens does; equal to `cv2.projectPoints`.

    Parameters
    ----------
    points : (..., 2) array
        Normalised coordinates.
    coefficients : (12,) array
        The lens, as in `Camera.distortion`.
    """
    points = as_points(points, 2, "points")
    return np.stack(distort_planes(points[..., 0], points[..., 1], as_float64(coefficients, "coefficients")), axis=-1)


def distort_planes(
    x: NDArray[np.float64], y: NDArray[np.float64], coefficients: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Do what `distort` does with x and y in two arrays, about ten times faster for a whole picture.

    Parameters
    ----------
    x, y : arrays
        Normalised coordinates, of one shape.
    coefficients : (12,) array
        The lens.
    """
    k1, k2, p1, p2, k3, k4, k5, k6, s1, s2, s3, s4 = coefficients.tolist()
    r2 = x * x + y * y
    factor = 1 + r2 * (k1 + r2 * (k2 + r2 * k3))
    if k4 or k5 or k6:
        factor = factor / (1 + r2 * (k4 + r2 * (k5 + r2 * k6)))
    factor = factor + (2 * p2 * x + 2 * p1 * y)
    return x * factor + r2 * (s1 + p2 + r2 * s2), y * factor + r2 * (s3 + p1 + r2 * s4)


def undistort(points: ArrayLike, coefficients: ArrayLike) -> NDArray[np.float64]:
    """Undo `distort`, by Newton's method, to 1e-12; NaN where no ray arrives through the lens.

    It starts at the distorted place, from which it converges for lenses that
    bend all rays in one direction. The usual five rounds of fixed-point
    iteration leave 0.1 px on a strong lens.

    Parameters
    ----------
    points : (..., 2) array
        Normalised coordinates, distorted by the lens.
    coefficients : (12,) array
        The lens.
    """
    wanted = as_points(points, 2, "points")
    coefficients = as_float64(coefficients, "coefficients")
    found = wanted.copy()
    with np.errstate(all="ignore"):
        for _ in range(_NEWTON_STEPS):
            a, b, c, d = _distortion_slopes(found, coefficients)
            missing = distort(found, coefficients) - wanted
            scale = 1 / (a * d - b * c)
            step_x = (d * missing[..., 0] - b * missing[..., 1]) * scale
            step_y = (a * missing[..., 1] - c * missing[..., 0]) * scale
            found = found - np.stack([step_x, step_y], axis=-1)
            steps = np.maximum(abs(step_x), abs(step_y))
            if not (steps > _TOLERANCE).any():  # points that diverged to NaN stay NaN
                break
        a, b, c, d = _distortion_slopes(found, coefficients)
        missing = abs(distort(found, coefficients) - wanted).max(axis=-1)
        same_side = (found * wanted).sum(axis=-1) >= 0
        good = (missing < 1e3 * _TOLERANCE) & (a * d - b * c > 0) & same_side  # else a wider ray was folded back here
    return np.where(good[..., None], found, np.nan)


def _distortion_slopes(points: NDArray[np.float64], coefficients: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Return dx'/dx, dx'/dy, dy'/dx and dy'/dy of `distort`."""
    k1, k2, p1, p2, k3, k4, k5, k6, s1, s2, s3, s4 = coefficients
    x, y = points[..., 0], points[..., 1]
    r2 = x * x + y * y
    above, below = 1 + r2 * (k1 + r2 * (k2 + r2 * k3)), 1 + r2 * (k4 + r2 * (k5 + r2 * k6))
    slope_above, slope_below = k1 + r2 * (2 * k2 + r2 * 3 * k3), k4 + r2 * (2 * k5 + r2 * 3 * k6)
    factor = above / below + 2 * (x * p2 + y * p1)
    by_r2 = (slope_above * below - above * slope_below) / (below * below)
    factor_x, factor_y = 2 * (x * by_r2 + p2), 2 * (y * by_r2 + p1)
    shift_x, shift_y = 2 * (s1 + p2 + 2 * r2 * s2), 2 * (s3 + p1 + 2 * r2 * s4)
    return [
        factor + x * factor_x + x * shift_x,
        x * factor_y + y * shift_x,
        y * factor_x + x * shift_y,
        factor + y * factor_y + y * shift_y,
    ]
