"""A crop network as a 3D pose estimator: images and boxes in, absolute poses out, MeTRAbs's methods one by one."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bottomup.errors import InputError
from bottomup.images import read_image
from bottomup.metric3d.absolute import RootFit
from bottomup.metric3d.boxes import Detector, detect_boxes
from bottomup.metric3d.camera import Camera, as_float64, as_points
from bottomup.metric3d.crops import CropCameras, LinearImage, crop_cameras, warp_crop
from bottomup.metric3d.heatmaps import Heads
from bottomup.metric3d.network import UNIT, CropModel, as_crop_model, as_input
from bottomup.metric3d.people import PoseOfCrop, as_seen, poses_of_crops
from bottomup.metric3d.plausibility import as_boxes, finite_mean
from bottomup.metric3d.plausibility import suppress_implausible_poses as are_plausible
from bottomup.metric3d.results import Poses3D, Poses3DBatch
from bottomup.metric3d.schedules import Schedule
from bottomup.networks.pixels import ChannelOrder, InputRule, checked_order
from bottomup.skeletons import Skeleton

Image: TypeAlias = str | Path | NDArray[np.uint8]
_UPWARDS = (0.0, -1.0, 0.0)


class _Person(NamedTuple):
    """One box of a batch, and the cameras that look at it."""

    image: int
    cameras: CropCameras


@dataclass(frozen=True, eq=False)
class PoseEstimator3D:
    """A crop network and what its outputs mean; its methods are MeTRAbs's, their arguments too.

    Attributes
    ----------
    crop_model : str, Path or callable
        A .tflite file, or whatever takes (B, S, S, 3) float32 crops and
        returns raw tensors. Crops come box by box, the augmentations of one box in turn.
    heads : Heads
        How to read those tensors.
    skeleton : Skeleton
        Names the N parts of the poses, joins and mirrors them.
    detector : callable, optional
        A BGR uint8 image to `Poses` (as a `bottomup.PoseEstimator` gives) or
        to (M, 5) boxes; for the `detect_` methods. Default: `bottomup.load()`.
    skeletons : dict of str to sequence of int
        More skeletons to ask for by name: which of the N parts each has, in its order.
    fit : RootFit
        How distances are found. Default: exactly; `RootFit.metrabs()` has MeTRAbs's bias.
    schedule : callable
        `num_aug` to a `Schedule`. Default: `Schedule.default`; `Schedule.metrabs` for MeTRAbs's single crop too.
    scaling : str or InputRule
        What real numbers the network takes, as for `bottomup.load`. Default: RGB in [0, 1].
    bone_lengths : (E,) array, optional
        Millimetres of the skeleton's edges: what implausible bones are told by, and what 2.5D volumes need.
    recombination : (L, N) array, optional
        Of networks whose heads are of L latent points: weights of these in each part.

    Raises
    ------
    InputError
        If skeleton, heads and the other attributes do not fit together.
    ModelError
        If a file cannot be read or run.

    Examples
    --------
    >>> import bottomup as bu
    >>> heads = Heads(num_parts=24)
    >>> def network(crops):
    ...     return np.zeros((len(crops), 8, 8, 24 * 9), np.float32)
    >>> estimator = PoseEstimator3D(network, heads, bu.skeletons.get("smpl_24"))
    >>> image = np.zeros((480, 640, 3), np.uint8)
    >>> result = estimator.estimate_poses(image, [[100, 100, 80, 200]])
    >>> result.problems
    ('all parts in view lie on one ray',)
    """

    crop_model: str | Path | CropModel
    heads: Heads
    skeleton: Skeleton
    detector: Detector | None = None
    skeletons: Mapping[str, Sequence[int]] = field(default_factory=dict)
    fit: RootFit = field(default_factory=RootFit)
    schedule: Callable[[int], Schedule] = Schedule.default
    scaling: str | InputRule = UNIT
    bone_lengths: ArrayLike | None = None
    recombination: ArrayLike | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "crop_model", as_crop_model(self.crop_model, self.heads.crop_size))
        count, expected = len(self.skeleton.parts), self.heads.num_parts
        if self.recombination is not None:
            weights = as_float64(self.recombination, "recombination")
            if weights.shape != (expected, count):
                raise InputError(f"recombination must have shape {(expected, count)}, got {weights.shape}")
            object.__setattr__(self, "recombination", weights)
        elif count != expected:
            raise InputError(f"skeleton {self.skeleton.name!r} has {count} parts, the heads have {expected}")
        if self.bone_lengths is not None:
            lengths = as_float64(self.bone_lengths, "bone_lengths")
            if lengths.shape != (len(self.skeleton.edges),):
                raise InputError(f"bone_lengths must be {len(self.skeleton.edges)} numbers, got {lengths.shape}")
            object.__setattr__(self, "bone_lengths", lengths)
        elif self.heads.volume_xy == "image":
            raise InputError("2.5D volumes need bone_lengths, one an edge, in mm: distances come from them")
        for name, parts in self.skeletons.items():
            if not all(0 <= part < count for part in parts):
                raise InputError(f"skeletons[{name!r}] must be numbers of the {count} parts, got {tuple(parts)}")

    @cached_property
    def per_skeleton_joint_names(self) -> dict[str, tuple[str, ...]]:
        """Names of the parts of each skeleton that may be asked for; "" is the whole."""
        return {name: tuple(self.skeleton.parts[part] for part in parts) for name, parts in self._selections.items()}

    @cached_property
    def per_skeleton_edges(self) -> dict[str, NDArray[np.int64]]:
        """Edges (E, 2) of each skeleton that may be asked for: those of the whole that it has both ends of."""
        every = {}
        for name, parts in self._selections.items():
            place = {part: number for number, part in enumerate(parts)}
            edges = [(place[a], place[b]) for a, b in self.skeleton.edges if a in place and b in place]
            every[name] = np.array(edges, np.int64).reshape(-1, 2)
        return every

    def detect_poses(
        self,
        image: Image,
        intrinsic_matrix: ArrayLike | None = None,
        distortion_coeffs: ArrayLike | None = None,
        extrinsic_matrix: ArrayLike | None = None,
        world_up_vector: ArrayLike = _UPWARDS,
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
        channel_order: ChannelOrder = "bgr",
    ) -> Poses3D:
        """Find the people in an image and their absolute poses.

        Arguments as for `detect_poses_batched`, of one image.
        """
        many = self.detect_poses_batched(
            [image], _one(intrinsic_matrix), _one(distortion_coeffs), _one(extrinsic_matrix), world_up_vector,
            default_fov_degrees, internal_batch_size, antialias_factor, num_aug, average_aug, skeleton,
            detector_threshold, detector_nms_iou_threshold, max_detections, detector_flip_aug,
            suppress_implausible_poses, channel_order=channel_order,
        )  # fmt: skip
        return next(iter(many))

    def detect_poses_batched(
        self,
        images: Sequence[Image] | NDArray[np.uint8],
        intrinsic_matrix: ArrayLike | None = None,
        distortion_coeffs: ArrayLike | None = None,
        extrinsic_matrix: ArrayLike | None = None,
        world_up_vector: ArrayLike = _UPWARDS,
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
        channel_order: ChannelOrder = "bgr",
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
            Of boxes that overlap by more of their union, the best stays.
        max_detections : int
            At most so many people an image; -1 for all.
        detector_flip_aug : bool
            Ask the detector about the mirrored image too.
        suppress_implausible_poses : bool
            Leave out poses that `bottomup.metric3d.plausibility` does not
            believe. People without a pose stay, with what went wrong.

        Returns
        -------
        Poses3DBatch
            People best first.
        """
        pixels = _checked_images(images, checked_order(channel_order))
        detector = self.detector or _shipped_detector()
        boxes = [
            detect_boxes(
                detector, image, score_threshold=detector_threshold, nms_iou_threshold=detector_nms_iou_threshold,
                max_detections=max_detections, flip=detector_flip_aug,
            )
            for image in pixels
        ]  # fmt: skip
        cameras = _cameras(
            pixels, intrinsic_matrix, distortion_coeffs, extrinsic_matrix, world_up_vector, default_fov_degrees
        )
        settings = _Settings(internal_batch_size, antialias_factor, num_aug, average_aug, skeleton)
        return self._estimate(pixels, boxes, cameras, settings, bool(suppress_implausible_poses))

    def estimate_poses(
        self,
        image: Image,
        boxes: ArrayLike,
        intrinsic_matrix: ArrayLike | None = None,
        distortion_coeffs: ArrayLike | None = None,
        extrinsic_matrix: ArrayLike | None = None,
        world_up_vector: ArrayLike = _UPWARDS,
        default_fov_degrees: float = 55,
        internal_batch_size: int = 64,
        antialias_factor: int = 1,
        num_aug: int = 5,
        average_aug: bool = True,
        skeleton: str = "",
        *,
        channel_order: ChannelOrder = "bgr",
    ) -> Poses3D:
        """Return the absolute poses of the people in an image's boxes.

        Arguments as for `estimate_poses_batched`, of one image.
        """
        many = self.estimate_poses_batched(
            [image], [boxes], _one(intrinsic_matrix), _one(distortion_coeffs), _one(extrinsic_matrix), world_up_vector,
            default_fov_degrees, internal_batch_size, antialias_factor, num_aug, average_aug, skeleton,
            channel_order=channel_order,
        )  # fmt: skip
        return next(iter(many))

    def estimate_poses_batched(
        self,
        images: Sequence[Image] | NDArray[np.uint8],
        boxes: Sequence[ArrayLike],
        intrinsic_matrix: ArrayLike | None = None,
        distortion_coeffs: ArrayLike | None = None,
        extrinsic_matrix: ArrayLike | None = None,
        world_up_vector: ArrayLike = _UPWARDS,
        default_fov_degrees: float = 55,
        internal_batch_size: int = 64,
        antialias_factor: int = 1,
        num_aug: int = 5,
        average_aug: bool = True,
        skeleton: str = "",
        *,
        channel_order: ChannelOrder = "bgr",
    ) -> Poses3DBatch:
        """Return the absolute poses of the people in the boxes of many images.

        Parameters
        ----------
        images : sequence of paths or uint8 (H, W, 3) arrays, or (B, H, W, 3) array
            The images, of any sizes.
        boxes : sequence of (M, 4) or (M, 5) arrays
            Of each image: left, top, width, height in pixels, and perhaps a score; [] for nobody.
        intrinsic_matrix : (B, 3, 3) or (1, 3, 3) array, optional
            Of each image or of all. Default, and where a matrix is all -1: from `default_fov_degrees`.
        distortion_coeffs : (B, K) or (1, K) array, optional
            4 to 12 coefficients in OpenCV's order.
        extrinsic_matrix : (B, 4, 4) or (1, 4, 4) array, optional
            World to camera, translation in millimetres. Default: poses come in the camera's frame.
        world_up_vector : (3,) array
            Where up is in the world: crops are upright in it.
        default_fov_degrees : float
            Field of view along the image's larger side, where intrinsics are not known.
        internal_batch_size : int
            At most so many crops go to the network at once; 0 for no limit.
        antialias_factor : int
            Render crops this many times larger, and average.
        num_aug : int
            Crops of each person: turned, scaled, mirrored, brightened. 1 is the plain crop.
        average_aug : bool
            Return the mean over a person's crops, of those that gave a pose, or every one.
        skeleton : str
            Which parts to return: "" for all, or a name of `skeletons`.
        channel_order : {"bgr", "rgb"}
            Of arrays' channels: BGR as OpenCV reads, RGB as Pillow and most others do.

        Returns
        -------
        Poses3DBatch
            People in the order of their boxes, none left out.

        Raises
        ------
        InputError
            If an argument has not the shape that it must have. Numbers that
            make no sense are no error: they are a problem of the people concerned.
        """
        pixels = _checked_images(images, checked_order(channel_order))
        if len(boxes) != len(pixels):
            raise InputError(f"boxes must have one array an image, {len(pixels)} of them, got {len(boxes)}")
        cameras = _cameras(
            pixels, intrinsic_matrix, distortion_coeffs, extrinsic_matrix, world_up_vector, default_fov_degrees
        )
        settings = _Settings(internal_batch_size, antialias_factor, num_aug, average_aug, skeleton)
        return self._estimate(pixels, [as_boxes(each) for each in boxes], cameras, settings, False)

    @cached_property
    def _selections(self) -> dict[str, list[int]]:
        """Which parts each skeleton has."""
        every = list(range(len(self.skeleton.parts)))
        more = {name: [int(part) for part in parts] for name, parts in self.skeletons.items()}
        return {"": every, self.skeleton.name: every, **more}

    def _estimate(
        self,
        images: list[NDArray[np.uint8]],
        boxes: list[NDArray[np.float64]],
        cameras: list[Camera],
        settings: "_Settings",
        suppress: bool,
    ) -> Poses3DBatch:
        """Look at every box, and put what was found in order."""
        settings.check(self._selections)
        schedule = self.schedule(settings.num_aug)
        people = [
            _Person(number, crop_cameras(camera, box, (image.shape[1], image.shape[0]), self.heads.crop_size, schedule))
            for number, (image, camera) in enumerate(zip(images, cameras, strict=True))
            for box in boxes[number]
        ]
        found = self._look(people, images, cameras, schedule, settings)
        results: dict[str, list[Any]] = {"boxes": [], "poses3d": [], "poses2d": [], "problems": []}
        for number, camera in enumerate(cameras):
            looks = [found[place] for place, person in enumerate(people) if person.image == number]
            problems = [person.cameras.problem for person in people if person.image == number]
            seen = as_seen(looks, problems, camera, len(schedule), len(self.skeleton.parts))
            kept = self._kept(seen.poses3d, seen.poses2d, boxes[number]) if suppress else np.full(len(looks), True)
            parts = self._selections[settings.skeleton]
            poses3d, poses2d = seen.poses3d[kept][:, :, parts], seen.poses2d[kept][:, :, parts]
            if camera.problem is None:
                poses3d = camera.to_world(poses3d)
            if settings.average_aug:
                poses3d, poses2d = finite_mean(poses3d, axis=1), finite_mean(poses2d, axis=1)
            results["boxes"].append(boxes[number][kept])
            results["poses3d"].append(poses3d)
            results["poses2d"].append(poses2d)
            results["problems"].append(tuple(np.array(seen.problems, object)[kept]))
        return Poses3DBatch(**results)

    def _look(
        self,
        people: list[_Person],
        images: list[NDArray[np.uint8]],
        cameras: list[Camera],
        schedule: Schedule,
        settings: "_Settings",
    ) -> list[list[PoseOfCrop]]:
        """Return each person's poses of their crops; none of those whose cameras have a problem."""
        crops = [
            (place, crop)
            for place, person in enumerate(people)
            if person.cameras.problem is None
            for crop in range(len(schedule))
        ]
        found: list[list[PoseOfCrop]] = [[] for _ in people]
        size = settings.internal_batch_size or max(len(crops), 1)
        linear: tuple[int, LinearImage] | None = None
        for first in range(0, len(crops), size):
            chosen, pictures = crops[first : first + size], []
            for place, crop in chosen:
                number = people[place].image
                if linear is None or linear[0] != number:
                    linear = number, LinearImage(images[number][..., ::-1])
                aimed = people[place].cameras
                pictures.append(
                    warp_crop(
                        linear[1], cameras[number], aimed.rotations[crop], aimed.intrinsics[crop],
                        self.heads.crop_size, scale=float(aimed.scales[crop]),
                        antialias_factor=settings.antialias_factor, gamma=float(schedule.gammas[crop]),
                    )
                )  # fmt: skip
            for (place, _), pose in zip(chosen, self._run(pictures, chosen, people, schedule), strict=True):
                found[place].append(pose)
        return found

    def _run(
        self,
        pictures: list[NDArray[np.float32]],
        chosen: list[tuple[int, int]],
        people: list[_Person],
        schedule: Schedule,
    ) -> Iterator[PoseOfCrop]:
        """Run the network on some crops, and return their poses in the frames of the images' cameras."""
        assert callable(self.crop_model)
        outputs = self.crop_model(as_input(np.stack(pictures), self.scaling))
        intrinsics = np.stack([people[place].cameras.intrinsics[crop] for place, crop in chosen])
        rotations = np.stack([people[place].cameras.rotations[crop] for place, crop in chosen])
        flips = schedule.flips[[crop for _, crop in chosen]]
        decoded = self.heads.decode(outputs)
        if len(decoded.keypoints) != len(pictures):
            raise InputError(
                f"the crop model must return as many entries as it got crops, {len(pictures)}, "
                f"got {len(decoded.keypoints)}"
            )
        weights = None if self.recombination is None else as_float64(self.recombination, "recombination")
        return poses_of_crops(
            decoded, self.heads, intrinsics, rotations, flips, self.skeleton, self.fit, self.bone_lengths, weights
        )

    def _kept(
        self, poses3d: NDArray[np.float64], poses2d: NDArray[np.float64], boxes: NDArray[np.float64]
    ) -> NDArray[np.bool_]:
        """Return which people to believe; who has no pose is not judged."""
        kept = np.full(len(boxes), True)
        judged = np.isfinite(poses3d).any(axis=(1, 2, 3))
        kept[judged] = are_plausible(
            poses3d[judged], poses2d[judged], boxes[judged], edges=self.skeleton.edges, bone_lengths=self.bone_lengths
        )
        return kept


class _Settings(NamedTuple):
    """What all methods have in common."""

    internal_batch_size: int
    antialias_factor: int
    num_aug: int
    average_aug: bool
    skeleton: str

    def check(self, skeletons: Mapping[str, Sequence[int]]) -> None:
        """Refuse what cannot be."""
        for name, least in (("internal_batch_size", 0), ("antialias_factor", 1)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
                raise InputError(f"{name} must be a whole number from {least} on, got {value!r}")
        if self.skeleton not in skeletons:
            names = ", ".join(repr(name) for name in skeletons)
            raise InputError(f"skeleton must be one of {names}, got {self.skeleton!r}")


def _one(value: ArrayLike | None) -> Any:
    """Return one image's argument as that of a batch."""
    return None if value is None else np.asarray(value)[None]


@cache
def _shipped_detector() -> Detector:
    """Return the 2D estimator that ships with the package."""
    from bottomup.estimation.loading import load

    return load()


def _checked_images(images: Any, channel_order: ChannelOrder) -> list[NDArray[np.uint8]]:
    """Return BGR pixels of every image."""
    if isinstance(images, (str, Path)):
        raise InputError(f"images must be many, got the one path {str(images)!r}: pass [{str(images)!r}]")
    return [_checked_image(image, channel_order) for image in images]


def _checked_image(image: Any, channel_order: ChannelOrder) -> NDArray[np.uint8]:
    """Return BGR pixels, read from a file where it is one."""
    if isinstance(image, (str, Path)):
        return read_image(image)
    array = np.asarray(image)
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3 or not array.size:
        raise InputError(
            f"an image must be a path or a uint8 (H, W, 3) array, got {array.dtype} {array.shape}: "
            "many images go to the methods that end in _batched"
        )
    return np.ascontiguousarray(array if channel_order == "bgr" else array[..., ::-1])


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
    """Return each image's entry of an argument that is given for all images, or once."""
    if values is None:
        return [None] * count
    array = as_float64(values, name)
    wanted = ", ".join("K" if size < 0 else str(size) for size in shape)
    fits = array.ndim == len(shape) + 1 and len(array) in (1, count)
    if not fits or any(size not in (-1, given) for size, given in zip(shape, array.shape[1:], strict=True)):
        raise InputError(f"{name} must have shape ({count}, {wanted}) or (1, {wanted}), got {array.shape}")
    return list(np.broadcast_to(array, (count, *array.shape[1:])))
