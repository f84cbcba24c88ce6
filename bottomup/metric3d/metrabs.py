"""MeTRAbs's four methods with its arguments: thin layers over `PoseEstimator3D.estimate`.

They are methods of `PoseEstimator3D`, where `estimator` is `self`.

References
----------
Sárándi et al., "MeTRAbs: Metric-Scale Truncation-Robust Heatmaps for Absolute 3D Human Pose Estimation", T-BIOM 2021,
arXiv:2007.07227
"""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bottomup.errors import InputError
from bottomup.images import Order, as_pixels
from bottomup.metric3d.arrays import as_float64, as_points
from bottomup.metric3d.boxes import Detector, detect_boxes
from bottomup.metric3d.cameras.camera import Camera
from bottomup.metric3d.results import Poses3D, Poses3DBatch
from bottomup.metric3d.settings import Settings

__all__ = ["detect_poses", "detect_poses_batched", "estimate_poses", "estimate_poses_batched"]

#: A path, or a uint8 (H, W, 3) array.
Image: TypeAlias = str | Path | NDArray[np.uint8]
UPWARDS = (0.0, -1.0, 0.0)


class _Estimator(Protocol):
    """What the methods need of their estimator."""

    @property
    def detector(self) -> Detector | None: ...

    def estimate(
        self, images: Any, boxes: Any, cameras: Any = None, settings: Settings | None = None
    ) -> Poses3DBatch: ...


def detect_poses(
    estimator: _Estimator,
    image: Image,
    intrinsic_matrix: ArrayLike | None = None,
    distortion_coeffs: ArrayLike | None = None,
    extrinsic_matrix: ArrayLike | None = None,
    world_up_vector: ArrayLike = UPWARDS,
    default_fov_degrees: float = 55,
    internal_batch_size: int = 64,
    antialias_factor: int = 1,
    num_aug: int = 5,
    average_aug: bool = True,
    skeleton: str = "",
    detector_threshold: float = 0.3,
    detector_nms_iou_threshold: float = 0.7,
    max_detections: int = -1,
    detector_flip_aug: bool = False,
    suppress_implausible_poses: bool = True,
    *,
    channel_order: Order = "bgr",
) -> Poses3D:
    """Find the people in an image and their absolute poses.

    Arguments as for `detect_poses_batched`, but for one image.
    """
    matrix, lens, place = _of_one_image(intrinsic_matrix, distortion_coeffs, extrinsic_matrix)
    many = detect_poses_batched(
        estimator, [_one(image)], matrix, lens, place,
        world_up_vector, default_fov_degrees, internal_batch_size, antialias_factor, num_aug, average_aug, skeleton,
        detector_threshold, detector_nms_iou_threshold, max_detections, detector_flip_aug,
        suppress_implausible_poses, channel_order=channel_order,
    )  # fmt: skip
    return next(iter(many))


def detect_poses_batched(
    estimator: _Estimator,
    images: Sequence[Image] | NDArray[np.uint8],
    intrinsic_matrix: ArrayLike | None = None,
    distortion_coeffs: ArrayLike | None = None,
    extrinsic_matrix: ArrayLike | None = None,
    world_up_vector: ArrayLike = UPWARDS,
    default_fov_degrees: float = 55,
    internal_batch_size: int = 64,
    antialias_factor: int = 1,
    num_aug: int = 5,
    average_aug: bool = True,
    skeleton: str = "",
    detector_threshold: float = 0.3,
    detector_nms_iou_threshold: float = 0.7,
    max_detections: int = -1,
    detector_flip_aug: bool = False,
    suppress_implausible_poses: bool = True,
    *,
    channel_order: Order = "bgr",
) -> Poses3DBatch:
    """Find the people in many images and their absolute poses.

    Parameters
    ----------
    images : sequence of paths or uint8 (H, W, 3) arrays, or (B, H, W, 3) array
        The images, of any sizes.
    intrinsic_matrix, distortion_coeffs, extrinsic_matrix, world_up_vector, default_fov_degrees, \
internal_batch_size, antialias_factor, num_aug, average_aug, skeleton, channel_order
        As for `estimate_poses_batched`.
    detector_threshold : float
        Lowest score of a person.
    detector_nms_iou_threshold : float
        Intersection over union above which only the better of two boxes is kept.
    max_detections : int
        Keep at most this many people per image; -1 keeps all.
    detector_flip_aug : bool
        Also run the detector on the mirrored image.
    suppress_implausible_poses : bool
        As in `Settings`.

    Returns
    -------
    Poses3DBatch
        People with the highest scores first.
    """
    pixels = _checked_images(images, channel_order)
    boxes = [
        detect_boxes(
            estimator.detector or _shipped_detector(), image, score_threshold=detector_threshold,
            nms_iou_threshold=detector_nms_iou_threshold, max_detections=max_detections, flip=detector_flip_aug,
        )
        for image in pixels
    ]  # fmt: skip
    cameras = _cameras(
        pixels, intrinsic_matrix, distortion_coeffs, extrinsic_matrix, world_up_vector, default_fov_degrees
    )
    settings = Settings(
        num_aug, average_aug, skeleton, internal_batch_size, antialias_factor, suppress_implausible_poses
    )
    return estimator.estimate(pixels, boxes, cameras, settings)


def estimate_poses(
    estimator: _Estimator,
    image: Image,
    boxes: ArrayLike,
    intrinsic_matrix: ArrayLike | None = None,
    distortion_coeffs: ArrayLike | None = None,
    extrinsic_matrix: ArrayLike | None = None,
    world_up_vector: ArrayLike = UPWARDS,
    default_fov_degrees: float = 55,
    internal_batch_size: int = 64,
    antialias_factor: int = 1,
    num_aug: int = 5,
    average_aug: bool = True,
    skeleton: str = "",
    *,
    channel_order: Order = "bgr",
) -> Poses3D:
    """Return the absolute poses of the people in an image's boxes.

    Arguments as for `estimate_poses_batched`, but for one image.
    """
    matrix, lens, place = _of_one_image(intrinsic_matrix, distortion_coeffs, extrinsic_matrix)
    many = estimate_poses_batched(
        estimator, [_one(image)], [boxes], matrix, lens, place,
        world_up_vector, default_fov_degrees, internal_batch_size, antialias_factor, num_aug, average_aug, skeleton,
        channel_order=channel_order,
    )  # fmt: skip
    return next(iter(many))


def estimate_poses_batched(
    estimator: _Estimator,
    images: Sequence[Image] | NDArray[np.uint8],
    boxes: Sequence[ArrayLike],
    intrinsic_matrix: ArrayLike | None = None,
    distortion_coeffs: ArrayLike | None = None,
    extrinsic_matrix: ArrayLike | None = None,
    world_up_vector: ArrayLike = UPWARDS,
    default_fov_degrees: float = 55,
    internal_batch_size: int = 64,
    antialias_factor: int = 1,
    num_aug: int = 5,
    average_aug: bool = True,
    skeleton: str = "",
    *,
    channel_order: Order = "bgr",
) -> Poses3DBatch:
    """Return the absolute poses of the people in the boxes of many images.

    Parameters
    ----------
    images : sequence of paths or uint8 (H, W, 3) arrays, or (B, H, W, 3) array
        The images, of any sizes.
    boxes : sequence of (M, 4) or (M, 5) arrays
        For each image: left, top, width, height in pixels, and optionally a score; [] for nobody.
    intrinsic_matrix : (B, 3, 3) or (1, 3, 3) array, optional
        One per image, or one for all. Default, and where a matrix is all -1: from `default_fov_degrees`.
    distortion_coeffs : (B, K) or (1, K) array, optional
        4 to 12 coefficients in OpenCV's order.
    extrinsic_matrix : (B, 4, 4) or (1, 4, 4) array, optional
        World to camera, translation in millimetres. Default: poses are in the camera's frame.
    world_up_vector : (3,) array
        The up direction in the world, by which crops are upright.
    default_fov_degrees : float
        Field of view along the image's larger side, for images without intrinsics.
    internal_batch_size, antialias_factor, num_aug, average_aug, skeleton
        As in `Settings`.
    channel_order : {"bgr", "rgb"}
        Channel order of arrays: BGR as from OpenCV, RGB as from Pillow and most other libraries.

    Returns
    -------
    Poses3DBatch
        People in the order of their boxes, none left out.

    Raises
    ------
    InputError
        If an argument has the wrong shape. Meaningless numbers are not an
        error: they appear in `problems` of the people concerned.
    """
    pixels = _checked_images(images, channel_order)
    cameras = _cameras(
        pixels, intrinsic_matrix, distortion_coeffs, extrinsic_matrix, world_up_vector, default_fov_degrees
    )
    settings = Settings(num_aug, average_aug, skeleton, internal_batch_size, antialias_factor)
    return estimator.estimate(pixels, boxes, cameras, settings)


@cache
def _shipped_detector() -> Detector:
    """Return the 2D estimator that ships with the package."""
    from bottomup.estimation.loading import load

    return load()


def _one(image: Any) -> Any:
    """Return one image; refuse a batch."""
    if isinstance(image, np.ndarray) and image.ndim == 4:
        raise InputError(
            f"an image must be a path or a uint8 (H, W, 3) array, got {image.dtype} {image.shape}: "
            "for many images, use the methods that end in _batched"
        )
    return image


def _of_one_image(
    intrinsics: ArrayLike | None, distortion: ArrayLike | None, extrinsics: ArrayLike | None
) -> list[NDArray[np.float64] | None]:
    """Return one image's camera as a batch of one; takes the shapes that OpenCV returns, and K[None]."""
    names = ("intrinsic_matrix", "distortion_coeffs", "extrinsic_matrix")
    given = [
        None if values is None else as_float64(values, name)
        for values, name in zip((intrinsics, distortion, extrinsics), names, strict=True)
    ]
    matrix, lens, place = given
    if lens is not None and lens.size == max(lens.shape, default=0):
        lens = lens.reshape(-1)
    matrix, place = (
        each[0] if each is not None and each.ndim == 3 and len(each) == 1 else each for each in (matrix, place)
    )
    return [None if each is None else each[None] for each in (matrix, lens, place)]


def _checked_images(images: Any, channel_order: Order) -> list[NDArray[np.uint8]]:
    """Return BGR pixels of every image."""
    if isinstance(images, (str, Path)):
        raise InputError(f"images must be a sequence, got the path {str(images)!r}: pass [{str(images)!r}]")
    return [as_pixels(image, channel_order) for image in images]


def _cameras(
    images: list[NDArray[np.uint8]],
    intrinsics: ArrayLike | None,
    distortion: ArrayLike | None,
    extrinsics: ArrayLike | None,
    world_up: ArrayLike,
    fov_degrees: float,
) -> list[Camera]:
    """Return each image's camera."""
    count = len(images)
    matrices = _of_each(intrinsics, count, "intrinsic_matrix", (3, 3))
    lenses = _of_each(distortion, count, "distortion_coeffs", (-1,))
    places = _of_each(extrinsics, count, "extrinsic_matrix", (4, 4))
    up = as_points(world_up, 3, "world_up_vector").reshape(-1)
    cameras = []
    for image, matrix, lens, place in zip(images, matrices, lenses, places, strict=True):
        rest: dict[str, Any] = {"world_up": up}
        rest.update({} if lens is None else {"distortion": lens})
        rest.update({} if place is None else {"extrinsics": place})
        if matrix is None or (matrix == -1).all():
            cameras.append(Camera.from_fov((image.shape[1], image.shape[0]), fov_degrees, **rest))
        else:
            cameras.append(Camera(matrix, **rest))
    return cameras


def _of_each(
    values: ArrayLike | None, count: int, name: str, shape: tuple[int, ...]
) -> list[NDArray[np.float64]] | list[None]:
    """Return each image's entry of an argument that is given per image or once for all."""
    if values is None:
        return [None] * count
    array = as_float64(values, name)
    if array.ndim == len(shape) + 2 and 1 in array.shape[1:-1]:  # as cv2.calibrateCamera gives coefficients, (1, K)
        array = array.reshape(len(array), *[size for size in array.shape[1:] if size != 1])
    wanted = ", ".join("K" if size < 0 else str(size) for size in shape)
    fits = array.ndim == len(shape) + 1 and len(array) in (1, count)
    if not fits or any(size not in (-1, given) for size, given in zip(shape, array.shape[1:], strict=True)):
        raise InputError(f"{name} must have shape ({count}, {wanted}) or (1, {wanted}), got {array.shape}")
    return list(np.broadcast_to(array, (count, *array.shape[1:])))
