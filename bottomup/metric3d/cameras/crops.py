"""From a box to the crop network's input: a virtual camera that looks at the person, and its picture."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bottomup.images import import_cv2
from bottomup.metric3d.arrays import turned
from bottomup.metric3d.cameras.camera import Camera, from_pixels, to_pixels
from bottomup.metric3d.cameras.lens import distort_planes
from bottomup.metric3d.cameras.schedules import Schedule

__all__ = ["CropCameras", "LinearImage", "crop_cameras", "crop_homography", "crop_to_image", "warp_crop"]

_DISPLAY_GAMMA = 2.2
_DEEPEST_LEVEL = 2  # of the image pyramid
_SMALLEST = 1e-3  # pixels: the least that a box may measure as a virtual camera sees it
_FAR = 1e5  # pixels: beyond any image


class CropCameras(NamedTuple):
    """The A virtual cameras of one box."""

    rotations: NDArray[np.float64]  #: (A, 3, 3), the image's camera frame to each crop's
    intrinsics: NDArray[np.float64]  #: (A, 3, 3), of the crops, which have no lens
    scales: NDArray[np.float64]  #: (A,), crop pixels per image pixel
    problem: str | None  #: why there is no such camera; all numbers are then NaN


def crop_cameras(
    camera: Camera, box: NDArray[np.float64], image_size: tuple[int, int], crop_size: int, schedule: Schedule
) -> CropCameras:
    """Aim a virtual camera at a box, upright in the world, and zoom until the box fills the crop.

    The crop's principal point is its middle, (S / 2, S / 2). The larger of the
    box's height and width fills the crop, measured between the middles of
    opposite sides as the virtual camera sees them.

    Parameters
    ----------
    camera : Camera
        The image's.
    box : (4,) or longer array
        Left, top, width, height in image pixels; further numbers are ignored.
    image_size : (int, int)
        Width and height; a box off the image has no cameras.
    crop_size : int
        Side S of the square crop, in pixels.
    schedule : Schedule
        How the A crops differ.

    References
    ----------
    Sárándi et al., "MeTRAbs: Metric-Scale Truncation-Robust Heatmaps for
    Absolute 3D Human Pose Estimation", T-BIOM 2021, arXiv:2007.07227
    """
    problem = camera.problem or _box_problem(box, image_size)
    if problem is not None:
        return _no_cameras(len(schedule), problem)
    with np.errstate(all="ignore"):  # meaningless numbers give no size
        rays = _rays_of_box(camera, box)
        upright = _look_at(rays[0], camera.up)
        sides = to_pixels(_flattened(turned(rays[1:], upright.T)), camera.intrinsics)
        size = np.maximum(np.linalg.norm(sides[0] - sides[2]), np.linalg.norm(sides[1] - sides[3]))
    if not _SMALLEST < size < _FAR:
        return _no_cameras(len(schedule), "no camera sees the whole box: it reaches beyond the lens or the horizon")
    rotations, intrinsics = np.empty((len(schedule), 3, 3)), np.zeros((len(schedule), 3, 3))
    scales = crop_size / size * schedule.scales
    for crop in range(len(schedule)):
        rotations[crop] = _roll(schedule.angles[crop], bool(schedule.flips[crop])) @ upright
        intrinsics[crop, :2, :2] = scales[crop] * camera.intrinsics[:2, :2]
        intrinsics[crop, :, 2] = crop_size / 2, crop_size / 2, 1
    return CropCameras(rotations, intrinsics, scales, None)


def _no_cameras(count: int, problem: str) -> CropCameras:
    nowhere = np.full((count, 3, 3), np.nan)
    return CropCameras(nowhere, nowhere, np.full(count, np.nan), problem)


def _box_problem(box: NDArray[np.float64], image_size: tuple[int, int]) -> str | None:
    """Return why no camera can look at a box, or None."""
    left, top, width, height = box[:4]
    if not np.isfinite(box[:4]).all():
        return "the box is not finite"
    if width <= 0 or height <= 0:
        return "the box is empty"
    if left >= image_size[0] or top >= image_size[1] or left + width <= 0 or top + height <= 0:
        return "the box lies off the image"
    return None


def _rays_of_box(camera: Camera, box: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (5, 3) rays, z = 1, through the box's centre and the middles of its top, right, bottom and left."""
    left, top, width, height = box[:4]
    x, y = left + width / 2, top + height / 2
    places = np.array([(x, y), (x, top), (left + width, y), (x, top + height), (left, y)])
    return np.concatenate([camera.normalise(places), np.ones((5, 1))], axis=1)


def _look_at(ray: NDArray[np.float64], up: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the (3, 3) rotation to a frame whose z is the ray and whose y points down as far as possible."""
    ahead = ray / np.linalg.norm(ray)
    right = np.cross(ahead, up)
    if np.linalg.norm(right) < 1e-12 * np.linalg.norm(up):  # looking straight up or down: any roll is upright
        right = np.array([ahead[2], 0, -ahead[0]])
    right = right / np.linalg.norm(right)
    return np.stack([right, np.cross(ahead, right), ahead])


def _roll(angle: float, flip: bool) -> NDArray[np.float64]:
    """Return the (3, 3) rotation by -angle about the line of sight, with x then mirrored if `flip`."""
    cos, sin = np.cos(angle), np.sin(angle)
    turn: NDArray[np.float64] = np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]])
    return np.diag([-1.0 if flip else 1.0, 1.0, 1.0]) @ turn


def _flattened(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return x / z and y / z of (..., 3) points; NaN for points that are not ahead."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(points[..., 2:] > 0, points[..., :2] / points[..., 2:], np.nan)


class LinearImage:
    """An image in linear light, and its halved versions, computed on demand."""

    def __init__(self, image: NDArray[np.uint8]) -> None:
        table = ((np.arange(256) / 255) ** _DISPLAY_GAMMA).astype(np.float32)
        self._levels: list[NDArray[np.float32]] = [table[image]]

    def level(self, number: int) -> NDArray[np.float32]:
        """Return the image halved that many times; its pixel (x, y) lies at (x, y) * 2 ** number of the original."""
        while len(self._levels) <= number:
            self._levels.append(import_cv2().pyrDown(self._levels[-1]))
        return self._levels[number]


def warp_crop(
    image: LinearImage,
    camera: Camera,
    rotation: NDArray[np.float64],
    intrinsics: NDArray[np.float64],
    crop_size: int,
    *,
    scale: float = 1.0,
    antialias_factor: int = 1,
    gamma: float = 1.0,
) -> NDArray[np.float32]:
    """Return the (S, S, 3) picture, in [0, 1], that a virtual camera takes of an image.

    Resampling is bilinear, in linear light and through the image's lens; outside the image is black.

    Parameters
    ----------
    image : LinearImage
        The image, with channels in any order.
    camera : Camera
        The image's.
    rotation, intrinsics : (3, 3) arrays
        Of the virtual camera: one of `crop_cameras`.
    crop_size : int
        Side S of the crop, in pixels.
    scale : float
        Crop pixels per image pixel; below one half, the crop is taken from a halved image.
    antialias_factor : int
        Render the crop this many times larger, then average.
    gamma : float
        Exponent applied to colours as displayed.
    """
    cv2 = import_cv2()
    side = crop_size * antialias_factor
    finer = np.array([[1, 0, (antialias_factor - 1) / 2], [0, 1, (antialias_factor - 1) / 2], [0, 0, 1]])
    finer[:2, :2] *= antialias_factor
    level = int(np.clip(np.floor(-np.log2(scale * antialias_factor)), 0, _DEEPEST_LEVEL))
    coarser = np.diag([0.5**level, 0.5**level, 1])
    to_ray = np.asarray(np.linalg.inv(finer @ intrinsics @ rotation), np.float64)
    source = image.level(level)
    if camera.has_lens:
        columns, rows = _places_in_image(to_ray, camera, coarser, side)
        crop = cv2.remap(source, columns, rows, cv2.INTER_LINEAR)
    else:
        homography = coarser @ camera.intrinsics @ to_ray
        crop = cv2.warpPerspective(source, homography, (side, side), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    if antialias_factor > 1:
        crop = cv2.resize(crop, (crop_size, crop_size), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.pow(crop.clip(0, 1), gamma / _DISPLAY_GAMMA), dtype=np.float32)


def _places_in_image(
    to_ray: NDArray[np.float64], camera: Camera, coarser: NDArray[np.float64], side: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the (S, S) columns and rows of the image that a crop's pixels see; far outside if they see none."""
    pixels = np.arange(side, dtype=np.float64)
    x, y, z = (row[0] * pixels + (row[1] * pixels + row[2])[:, None] for row in to_ray)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        scale = np.where(z > 0, 1 / z, np.nan)
        x, y = distort_planes(x * scale, y * scale, camera.distortion)
        columns, rows = (row[0] * x + row[1] * y + row[2] for row in (coarser @ camera.intrinsics)[:2])
    columns, rows = (np.where(abs(plane) < _FAR, plane, -_FAR).astype(np.float32) for plane in (columns, rows))
    return columns, rows


def crop_homography(
    camera: Camera, rotation: NDArray[np.float64], intrinsics: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the (3, 3) homography that takes crop pixels to pixels of the image, for a camera without a lens.

    Parameters
    ----------
    camera : Camera
        The image's.
    rotation, intrinsics : (3, 3) arrays
        Of the virtual camera: one of `crop_cameras`.
    """
    homography: NDArray[np.float64] = camera.intrinsics @ np.linalg.inv(intrinsics @ rotation)
    return homography


def crop_to_image(
    pixels: NDArray[np.float64], camera: Camera, rotation: NDArray[np.float64], intrinsics: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Turn (..., 2) crop pixels into pixels of the image, through its lens.

    Parameters
    ----------
    pixels : (..., 2) array
        Crop pixels.
    camera : Camera
        The image's.
    rotation, intrinsics : (3, 3) arrays
        Of the virtual camera: one of `crop_cameras`.
    """
    rays = from_pixels(np.asarray(pixels, np.float64), intrinsics)
    return camera.project(turned(np.concatenate([rays, np.ones((*rays.shape[:-1], 1))], axis=-1), rotation))
