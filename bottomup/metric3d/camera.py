"""Cameras: pixels to rays and back, through a lens, and between camera and world.

Three frames. The *camera* frame has x to the right, y down and z ahead,
in millimetres. The *world* frame is wherever the extrinsic matrix says.
*Normalised* coordinates are camera x / z and y / z, without the lens.
Pixels are those of `bottomup.geometry`: pixel (0, 0) has its centre at (0.0, 0.0).
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bottomup.errors import InputError
from bottomup.tensors import as_number

#: The lens coefficients that a camera keeps, in OpenCV's order: k1 k2 p1 p2 k3 k4 k5 k6 s1 s2 s3 s4.
NUM_COEFFICIENTS = 12
_NEWTON_STEPS = 50
_LARGEST = 1e9  # pixels, millimetres or lens coefficients: beyond, float64 loses the rest
_TOLERANCE = 1e-12  # of undistorted normalised coordinates: 1e-9 px at a focal length of 1000 px


def _identity() -> NDArray[np.float64]:
    return np.eye(4)


def _no_distortion() -> NDArray[np.float64]:
    return np.zeros(NUM_COEFFICIENTS)


def _upwards() -> NDArray[np.float64]:
    return np.array([0.0, -1.0, 0.0])


@dataclass(frozen=True, eq=False)
class Camera:
    """A camera with a lens, at a place in the world.

    Shapes are checked when it is made, numbers are not: `problem` says what
    is wrong with them, so that one bad camera does not stop a batch.

    Attributes
    ----------
    intrinsics : (3, 3) float64
        Focal lengths, skew and principal point, in pixels; last row 0, 0, 1.
    distortion : (12,) float64
        Lens coefficients in OpenCV's order (k1, k2, p1, p2, k3, k4, k5, k6,
        s1, s2, s3, s4); from 4 to 12 may be given, the rest are 0. Default: no distortion.
    extrinsics : (4, 4) float64
        World to camera, translation in millimetres. Default: the world is the camera's frame.
    world_up : (3,) float64
        Where up is in the world. Default: (0, -1, 0), against the camera's y.

    Raises
    ------
    InputError
        If a shape is none of these.

    Examples
    --------
    >>> camera = Camera([[1000, 0, 320], [0, 1000, 240], [0, 0, 1]])
    >>> camera.project([100, 0, 2000])
    array([370., 240.])
    """

    intrinsics: NDArray[np.float64]
    distortion: NDArray[np.float64] = field(default_factory=_no_distortion)
    extrinsics: NDArray[np.float64] = field(default_factory=_identity)
    world_up: NDArray[np.float64] = field(default_factory=_upwards)

    def __post_init__(self) -> None:
        for name, shape in (("intrinsics", (3, 3)), ("extrinsics", (4, 4)), ("world_up", (3,))):
            array = as_float64(getattr(self, name), name)
            if array.shape != shape:
                raise InputError(f"{name} must have shape {shape}, got {array.shape}")
            object.__setattr__(self, name, array)
        given = as_float64(self.distortion, "distortion")
        if given.ndim != 1 or (given.size and not 4 <= given.size <= NUM_COEFFICIENTS):
            raise InputError(
                f"distortion must be 4 to {NUM_COEFFICIENTS} coefficients in OpenCV's order (k1, k2, p1, p2, k3, ...), "
                f"got shape {given.shape}: fisheye and tilted lenses are not known, undistort their images first"
            )
        padded = _no_distortion()
        padded[: given.size] = given
        object.__setattr__(self, "distortion", padded)

    @classmethod
    def from_fov(cls, image_size: tuple[int, int], fov_degrees: float = 55, **rest: Any) -> "Camera":
        """Return a camera of unknown intrinsics, guessed from the field of view.

        The principal point is (width / 2, height / 2), as in MeTRAbs.

        Parameters
        ----------
        image_size : (int, int)
            Width and height in pixels.
        fov_degrees : float
            Field of view along the larger side, above 0 and below 180. 55 is MeTRAbs's.
        **rest
            The other attributes.

        Examples
        --------
        >>> Camera.from_fov((640, 480)).intrinsics.round(1)
        array([[614.7,   0. , 320. ],
               [  0. , 614.7, 240. ],
               [  0. ,   0. ,   1. ]])
        """
        width, height = image_size
        fov = as_number(fov_degrees, "fov_degrees")
        if not 0 < fov < 180:
            raise InputError(f"fov_degrees must be above 0 and below 180, got {fov}")
        focal = max(width, height) / (2 * np.tan(np.radians(fov) / 2))
        return cls(np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1.0]]), **rest)

    @property
    def problem(self) -> str | None:
        """What makes the camera unusable, or None."""
        return (
            intrinsics_problem(self.intrinsics)
            or (None if (abs(self.distortion) < _LARGEST).all() else "the lens coefficients are not finite")
            or _extrinsics_problem(self.extrinsics)
            or _up_problem(self.world_up)
        )

    @property
    def has_lens(self) -> bool:
        """Whether the lens distorts at all."""
        return bool(self.distortion.any())

    @property
    def up(self) -> NDArray[np.float64]:
        """The (3,) direction that is up, in the camera's frame."""
        return turned(self.world_up, self.extrinsics[:3, :3].T)

    def to_camera(self, world: ArrayLike) -> NDArray[np.float64]:
        """Turn (..., 3) world points into the camera's frame, millimetres."""
        return turned(as_points(world, 3, "world"), self.extrinsics[:3, :3].T) + self.extrinsics[:3, 3]

    def to_world(self, points: ArrayLike) -> NDArray[np.float64]:
        """Turn (..., 3) points of the camera's frame into the world's; undoes `to_camera`.

        The rotation may hold any invertible matrix, as that of a stitched or scaled world.
        """
        inverse = np.asarray(np.linalg.inv(self.extrinsics[:3, :3]), np.float64)
        return turned(as_points(points, 3, "points") - self.extrinsics[:3, 3], inverse.T)

    def project(self, points: ArrayLike) -> NDArray[np.float64]:
        """Turn (..., 3) points of the camera's frame into (..., 2) pixels; NaN where a point is not ahead."""
        points = as_points(points, 3, "points")
        ahead = points[..., 2:] > 0
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            normalised = np.where(ahead, points[..., :2] / points[..., 2:], np.nan)
            return to_pixels(distort(normalised, self.distortion) if self.has_lens else normalised, self.intrinsics)

    def normalise(self, pixels: ArrayLike) -> NDArray[np.float64]:
        """Turn (..., 2) pixels into normalised coordinates without the lens; NaN where no ray meets the pixel."""
        seen = from_pixels(as_points(pixels, 2, "pixels"), self.intrinsics)
        return undistort(seen, self.distortion) if self.has_lens else seen


def as_float64(values: ArrayLike, name: str) -> NDArray[np.float64]:
    """Return an array-like as a float64 array, or say that it is none."""
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
    """Return row vectors (..., 3) times a matrix (..., 3, 3), term by term: no result depends on how many there are."""
    x, y, z = points[..., 0:1], points[..., 1:2], points[..., 2:3]
    total: NDArray[np.float64] = x * matrix[..., 0, :] + y * matrix[..., 1, :] + z * matrix[..., 2, :]
    return total


def to_pixels(normalised: NDArray[np.float64], intrinsics: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn (..., 2) normalised coordinates into pixels of a camera without a lens."""
    x, y = normalised[..., 0], normalised[..., 1]
    return np.stack(
        [
            intrinsics[..., 0, 0] * x + intrinsics[..., 0, 1] * y + intrinsics[..., 0, 2],
            intrinsics[..., 1, 0] * x + intrinsics[..., 1, 1] * y + intrinsics[..., 1, 2],
        ],
        axis=-1,
    )


def from_pixels(pixels: NDArray[np.float64], intrinsics: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn (..., 2) pixels into normalised coordinates of a camera without a lens; undoes `to_pixels`."""
    a, b, c, d = (intrinsics[..., row, column] for row in range(2) for column in range(2))
    x, y = pixels[..., 0] - intrinsics[..., 0, 2], pixels[..., 1] - intrinsics[..., 1, 2]
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        scale = 1 / (a * d - b * c)
        return np.stack([(d * x - b * y) * scale, (a * y - c * x) * scale], axis=-1)


def distort(points: ArrayLike, coefficients: ArrayLike) -> NDArray[np.float64]:
    """Return where a lens brings (..., 2) normalised coordinates; equal to `cv2.projectPoints`.

    `coefficients` are the 12 of `Camera.distortion`.
    """
    points = as_points(points, 2, "points")
    return np.stack(distort_planes(points[..., 0], points[..., 1], as_float64(coefficients, "coefficients")), axis=-1)


def distort_planes(
    x: NDArray[np.float64], y: NDArray[np.float64], coefficients: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return `distort` of coordinates that lie in two arrays: some ten times faster on those of a whole picture."""
    k1, k2, p1, p2, k3, k4, k5, k6, s1, s2, s3, s4 = coefficients.tolist()
    r2 = x * x + y * y
    factor = 1 + r2 * (k1 + r2 * (k2 + r2 * k3))
    if k4 or k5 or k6:
        factor = factor / (1 + r2 * (k4 + r2 * (k5 + r2 * k6)))
    factor = factor + (2 * p2 * x + 2 * p1 * y)
    return x * factor + r2 * (s1 + p2 + r2 * s2), y * factor + r2 * (s3 + p1 + r2 * s4)


def undistort(points: ArrayLike, coefficients: ArrayLike) -> NDArray[np.float64]:
    """Undo `distort`, by Newton's method, to 1e-12; NaN where the lens brings no ray to that place.

    Starts at the distorted place, from where it converges on lenses that
    bend rays one way; five rounds of the fixed point that others use leave
    0.1 px on a strong lens.
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
            if not (steps > _TOLERANCE).any():  # those that diverged to NaN stay there
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


def intrinsics_problem(intrinsics: NDArray[np.float64]) -> str | None:
    """Return what makes intrinsics unusable, or None."""
    (a, b, c), (d, e, f), last = intrinsics.tolist()
    if not np.isfinite(a + b + c + d + e + f + sum(last)):
        return "the intrinsics are not finite"
    if abs(a * e - b * d) < 1e-12:
        return "the focal length is zero"
    if max(map(abs, (a, b, c, d, e, f))) > _LARGEST:
        return "the intrinsics are no pixels"
    if last != [0, 0, 1]:
        return "the last row of the intrinsics is not 0, 0, 1"
    return None


def _extrinsics_problem(extrinsics: NDArray[np.float64]) -> str | None:
    if not np.isfinite(extrinsics).all():
        return "the extrinsics are not finite"
    if (abs(extrinsics) > _LARGEST).any():
        return "the extrinsics are no millimetres"
    if abs(np.linalg.det(extrinsics[:3, :3])) < 1e-12:
        return "the rotation of the extrinsics cannot be inverted"
    return None


def _up_problem(up: NDArray[np.float64]) -> str | None:
    if not 1e-9 < np.abs(up).max() < _LARGEST:
        return "the world's up vector has no direction"
    return None
