"""Cameras: pixels to rays and back, through a lens, and between camera and world.

Three frames. The *camera* frame has x to the right, y down and z ahead,
in millimetres. The *world* frame is where the extrinsic matrix puts it.
*Normalised* coordinates are camera x / z and y / z, without the lens.
Pixels are those of `bottomup.geometry`: pixel (0, 0) has its centre at (0.0, 0.0).
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bottomup.errors import InputError
from bottomup.metric3d.arrays import as_float64, as_points, turned
from bottomup.metric3d.cameras.lens import NUM_COEFFICIENTS, as_coefficients, distort, undistort
from bottomup.tensors import as_number

__all__ = ["Camera", "from_pixels", "intrinsics_problem", "to_pixels"]

_LARGEST = 1e9  # pixels, millimetres or lens coefficients: beyond that, float64 is too coarse


def _identity() -> NDArray[np.float64]:
    return np.eye(4)


def _no_distortion() -> NDArray[np.float64]:
    return np.zeros(NUM_COEFFICIENTS)


def _upwards() -> NDArray[np.float64]:
    return np.array([0.0, -1.0, 0.0])


@dataclass(frozen=True, eq=False)
class Camera:
    """A camera with a lens, at a place in the world.

    The constructor checks shapes but not numbers: `problem` says what is wrong
    with those, so that one bad camera does not stop a batch.

    Attributes
    ----------
    intrinsics : (3, 3) float64
        K: focal lengths, skew and principal point, in pixels; last row 0, 0, 1.
    distortion : (12,) float64
        Lens coefficients in OpenCV's order (k1, k2, p1, p2, k3, k4, k5, k6,
        s1, s2, s3, s4). 4 to 12 may be given; the rest are 0. OpenCV's 14 are accepted if the last two, the tilt of
        the sensor, are 0, and so are its shapes (1, K) and (K, 1). Default: no distortion.
    extrinsics : (4, 4) float64
        World to camera, translation in millimetres. Default: the world is the camera's frame.
    world_up : (3,) float64
        The up direction in the world. Default: (0, -1, 0), opposite to the camera's y.

    Raises
    ------
    InputError
        If a shape is wrong.

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
            if array.shape == (1, *shape):
                array = array[0]
            if array.shape != shape:
                raise InputError(f"{name} must have shape {shape}, got {array.shape}")
            object.__setattr__(self, name, array)
        object.__setattr__(self, "distortion", as_coefficients(self.distortion))

    @classmethod
    def from_fov(cls, image_size: tuple[int, int], fov_degrees: float = 55, **rest: Any) -> "Camera":
        """Return a camera whose intrinsics are guessed from a field of view.

        The principal point is (width / 2, height / 2), as in MeTRAbs.

        Parameters
        ----------
        image_size : (int, int)
            Width and height in pixels.
        fov_degrees : float
            Field of view along the larger side, above 0 and below 180. 55 is MeTRAbs's.
        **rest
            The other attributes.

        Raises
        ------
        InputError
            If the field of view is out of range, or another attribute has a wrong shape.

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
        """Turn (..., 3) world points into the camera's frame, millimetres.

        Parameters
        ----------
        world : (..., 3) array
            Millimetres in the world's frame.
        """
        return turned(as_points(world, 3, "world"), self.extrinsics[:3, :3].T) + self.extrinsics[:3, 3]

    def to_world(self, points: ArrayLike) -> NDArray[np.float64]:
        """Turn (..., 3) points of the camera's frame into the world's; undoes `to_camera`.

        The rotation may be any invertible matrix, such as that of a stitched or scaled world.

        Parameters
        ----------
        points : (..., 3) array
            Millimetres in the camera's frame.
        """
        inverse = np.asarray(np.linalg.inv(self.extrinsics[:3, :3]), np.float64)
        return turned(as_points(points, 3, "points") - self.extrinsics[:3, 3], inverse.T)

    def project(self, points: ArrayLike) -> NDArray[np.float64]:
        """Turn (..., 3) points of the camera's frame into (..., 2) pixels; NaN for points that are not ahead.

        Parameters
        ----------
        points : (..., 3) array
            Millimetres in the camera's frame.
        """
        points = as_points(points, 3, "points")
        ahead = points[..., 2:] > 0
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            normalised = np.where(ahead, points[..., :2] / points[..., 2:], np.nan)
            return to_pixels(distort(normalised, self.distortion) if self.has_lens else normalised, self.intrinsics)

    def normalise(self, pixels: ArrayLike) -> NDArray[np.float64]:
        """Turn (..., 2) pixels into normalised coordinates without the lens; NaN where no ray meets the pixel.

        Parameters
        ----------
        pixels : (..., 2) array
            x, y in image pixels.
        """
        seen = from_pixels(as_points(pixels, 2, "pixels"), self.intrinsics)
        return undistort(seen, self.distortion) if self.has_lens else seen


def to_pixels(normalised: NDArray[np.float64], intrinsics: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn (..., 2) normalised coordinates into pixels of a camera without a lens.

    Parameters
    ----------
    normalised : (..., 2) array
        Camera x / z and y / z.
    intrinsics : (..., 3, 3) array
        K of the camera, or one for each point.
    """
    x, y = normalised[..., 0], normalised[..., 1]
    return np.stack(
        [
            intrinsics[..., 0, 0] * x + intrinsics[..., 0, 1] * y + intrinsics[..., 0, 2],
            intrinsics[..., 1, 0] * x + intrinsics[..., 1, 1] * y + intrinsics[..., 1, 2],
        ],
        axis=-1,
    )


def from_pixels(pixels: NDArray[np.float64], intrinsics: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn (..., 2) pixels into normalised coordinates of a camera without a lens; undoes `to_pixels`.

    Parameters
    ----------
    pixels : (..., 2) array
        x, y in pixels.
    intrinsics : (..., 3, 3) array
        K of the camera, or one for each point.
    """
    a, b, c, d = (intrinsics[..., row, column] for row in range(2) for column in range(2))
    x, y = pixels[..., 0] - intrinsics[..., 0, 2], pixels[..., 1] - intrinsics[..., 1, 2]
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        scale = 1 / (a * d - b * c)
        return np.stack([(d * x - b * y) * scale, (a * y - c * x) * scale], axis=-1)


def intrinsics_problem(intrinsics: NDArray[np.float64]) -> str | None:
    """Return what makes intrinsics unusable, or None."""
    (a, b, c), (d, e, f), last = intrinsics.tolist()
    if not np.isfinite(a + b + c + d + e + f + sum(last)):
        return "the intrinsics are not finite"
    if abs(a * e - b * d) < 1e-12:
        return "the focal length is zero"
    if max(map(abs, (a, b, c, d, e, f))) > _LARGEST:
        return "the intrinsics are too large to be pixels"
    if last != [0, 0, 1]:
        return "the last row of the intrinsics is not 0, 0, 1"
    return None


def _extrinsics_problem(extrinsics: NDArray[np.float64]) -> str | None:
    if not np.isfinite(extrinsics).all():
        return "the extrinsics are not finite"
    if (abs(extrinsics) > _LARGEST).any():
        return "the extrinsics are too large to be millimetres"
    if abs(np.linalg.det(extrinsics[:3, :3])) < 1e-12:
        return "the rotation of the extrinsics cannot be inverted"
    return None


def _up_problem(up: NDArray[np.float64]) -> str | None:
    if not 1e-9 < np.abs(up).max() < _LARGEST:
        return "the world's up vector has no direction"
    return None
