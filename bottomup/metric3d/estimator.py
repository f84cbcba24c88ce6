"""A crop network as a 3D pose estimator: images and boxes in, absolute poses out."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bottomup.errors import InputError
from bottomup.geometry import ImageSize
from bottomup.metric3d import metrabs
from bottomup.metric3d.arrays import as_float64
from bottomup.metric3d.boxes import Detector
from bottomup.metric3d.cameras.camera import Camera
from bottomup.metric3d.cameras.crops import CropCameras, LinearImage, crop_cameras, warp_crop
from bottomup.metric3d.cameras.schedules import Schedule
from bottomup.metric3d.distance.absolute import RootFit
from bottomup.metric3d.heads.heatmaps import Heads
from bottomup.metric3d.network import UNIT, CropModel, as_crop_model, as_input
from bottomup.metric3d.people import PoseOfCrop, Seen, as_seen, poses_of_crops
from bottomup.metric3d.plausibility import as_boxes, finite_mean
from bottomup.metric3d.plausibility import suppress_implausible_poses as are_plausible
from bottomup.metric3d.results import Poses3DBatch
from bottomup.metric3d.settings import Settings
from bottomup.networks.pixels import InputRule
from bottomup.skeletons import Skeleton

__all__ = ["PoseEstimator3D"]


class _Person(NamedTuple):
    """One box of a batch, and the cameras that look at it."""

    image: int
    cameras: CropCameras


@dataclass(frozen=True, eq=False)
class PoseEstimator3D:
    """A crop network and what its outputs mean.

    `estimate` does all the work; the other methods are MeTRAbs's and take its arguments.

    Attributes
    ----------
    crop_model : str, Path or callable
        A .tflite file, or a callable that takes (B, S, S, 3) float32 crops and
        returns raw tensors. Crops come box by box, all augmentations of a box together.
    heads : Heads
        How to read those tensors.
    skeleton : Skeleton
        The poses' N parts: their names, their edges, and which ones mirror each other.
    detector : callable, optional
        Used by the `detect_` methods. Takes a BGR uint8 image and returns
        `Poses`, as `bottomup.PoseEstimator` does, or (M, 5) boxes. Default: `bottomup.load()`.
    skeletons : dict of str to sequence of int
        Further skeletons that can be selected by name: which of the N parts each one has, in order.
    fit : RootFit
        How distances are found. Default: exactly; `RootFit.metrabs()` reproduces MeTRAbs's bias.
    schedule : callable
        Turns `num_aug` into a `Schedule`. Default: `Schedule.default`; `Schedule.metrabs` has MeTRAbs's single crop.
    scaling : str or InputRule
        Which pixel values the network expects, as for `bottomup.load`. Default: RGB in [0, 1].
    bone_lengths : (E,) array, optional
        Lengths of the skeleton's edges, millimetres. They reveal implausible bones; 2.5D volumes require them.
    recombination : (L, N) array, optional
        For networks whose heads predict L latent points: the weight of each point in each part.

    Raises
    ------
    InputError
        If the attributes do not fit together.
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
            raise InputError("2.5D volumes need bone_lengths, one per edge, in mm: distances are computed from them")
        for name, parts in self.skeletons.items():
            if not all(0 <= part < count for part in parts):
                raise InputError(f"skeletons[{name!r}] must be part numbers from 0 to {count - 1}, got {tuple(parts)}")

    @cached_property
    def per_skeleton_joint_names(self) -> dict[str, tuple[str, ...]]:
        """Part names of each skeleton that can be selected; "" is the complete one."""
        return {name: tuple(self.skeleton.parts[part] for part in parts) for name, parts in self._selections.items()}

    @cached_property
    def per_skeleton_edges(self) -> dict[str, NDArray[np.int64]]:
        """Edges (E, 2) of each skeleton that can be selected: the complete one's edges that have both ends in it."""
        every = {}
        for name, parts in self._selections.items():
            place = {part: number for number, part in enumerate(parts)}
            edges = [(place[a], place[b]) for a, b in self.skeleton.edges if a in place and b in place]
            every[name] = np.array(edges, np.int64).reshape(-1, 2)
        return every

    def estimate(
        self,
        images: Sequence[NDArray[np.uint8]],
        boxes: Sequence[ArrayLike],
        cameras: Sequence[Camera] | None = None,
        settings: Settings | None = None,
    ) -> Poses3DBatch:
        """Return the absolute poses of the people in the boxes of many images.

        Parameters
        ----------
        images : sequence of uint8 (H, W, 3) arrays
            BGR, of any sizes.
        boxes : sequence of (M, 4) or (M, 5) arrays
            For each image: left, top, width, height in pixels, and optionally a score; [] for nobody.
        cameras : sequence of Camera, optional
            One per image. Default: guessed from a field of view of 55 degrees.
        settings : Settings, optional
            Default: `Settings()`.

        Returns
        -------
        Poses3DBatch
            People in the order of their boxes.

        Raises
        ------
        InputError
            If an argument has the wrong shape. Meaningless numbers are not an
            error: they appear in `problems` of the people concerned.
        """
        settings = Settings() if settings is None else settings
        if settings.skeleton not in self._selections:
            names = ", ".join(repr(name) for name in self._selections)
            raise InputError(f"skeleton must be one of {names}, got {settings.skeleton!r}")
        sizes = [ImageSize(image.shape[1], image.shape[0]) for image in images]
        cameras = [Camera.from_fov(size) for size in sizes] if cameras is None else list(cameras)
        for name, given in (("boxes", boxes), ("cameras", cameras)):
            if len(given) != len(images):
                raise InputError(f"{name} must have one entry per image, {len(images)} of them, got {len(given)}")
        places, schedule = [as_boxes(each) for each in boxes], self.schedule(settings.num_aug)
        people = [
            _Person(number, crop_cameras(cameras[number], box, size, self.heads.crop_size, schedule))
            for number, size in enumerate(sizes)
            for box in places[number]
        ]
        found = self._look(people, images, cameras, schedule, settings)
        results: dict[str, list[Any]] = {"boxes": [], "poses3d": [], "poses2d": [], "problems": []}
        for number, camera in enumerate(cameras):
            looks = [found[place] for place, person in enumerate(people) if person.image == number]
            problems = [person.cameras.problem for person in people if person.image == number]
            seen = as_seen(looks, problems, camera, len(schedule), len(self.skeleton.parts))
            for name, values in self._finished(seen, places[number], camera, settings).items():
                results[name].append(values)
        return Poses3DBatch(**results)

    detect_poses, detect_poses_batched = metrabs.detect_poses, metrabs.detect_poses_batched
    estimate_poses, estimate_poses_batched = metrabs.estimate_poses, metrabs.estimate_poses_batched

    @cached_property
    def _selections(self) -> dict[str, list[int]]:
        """Part numbers of each skeleton that can be selected."""
        every = list(range(len(self.skeleton.parts)))
        more = {name: [int(part) for part in parts] for name, parts in self.skeletons.items()}
        return {"": every, self.skeleton.name: every, **more}

    def _finished(self, seen: Seen, boxes: NDArray[np.float64], camera: Camera, settings: Settings) -> dict[str, Any]:
        """Return one image's people: those to keep, with the selected parts, in the world's frame."""
        kept = np.full(len(boxes), True)
        if settings.suppress_implausible_poses:
            kept = self._kept(seen.poses3d, seen.poses2d, boxes)
        parts = self._selections[settings.skeleton]
        poses3d, poses2d = seen.poses3d[kept][:, :, parts], seen.poses2d[kept][:, :, parts]
        if camera.problem is None:
            poses3d = camera.to_world(poses3d)
        if settings.average_aug:
            poses3d, poses2d = finite_mean(poses3d, axis=1), finite_mean(poses2d, axis=1)
        problems = tuple(np.array(seen.problems, object)[kept])
        return {"boxes": boxes[kept], "poses3d": poses3d, "poses2d": poses2d, "problems": problems}

    def _look(
        self,
        people: list[_Person],
        images: Sequence[NDArray[np.uint8]],
        cameras: Sequence[Camera],
        schedule: Schedule,
        settings: Settings,
    ) -> list[list[PoseOfCrop]]:
        """Return the poses of each person's crops; none for people whose cameras have a problem."""
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
        network: Any = self.crop_model
        outputs = network(as_input(np.stack(pictures), self.scaling))
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
        """Return which people to keep: those with a plausible pose, and those with none."""
        kept = np.full(len(boxes), True)
        judged = np.isfinite(poses3d).any(axis=(1, 2, 3))
        kept[judged] = are_plausible(
            poses3d[judged], poses2d[judged], boxes[judged], edges=self.skeleton.edges, bone_lengths=self.bone_lengths
        )
        return kept
