"""Who is who from frame to frame, and movements without jitter."""

import math
from dataclasses import dataclass, field, fields, replace
from types import NoneType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from bottomup.errors import InputError
from bottomup.poses import Poses
from bottomup.similarity import pose_areas, pose_similarities
from bottomup.skeletons import Skeleton
from bottomup.tensors import as_number

_WIDENED = 2.0  # times COCO's spread of annotations: people move between frames
_NARROWEST = 0.25  # of the longer side of a box, for people seen from the side
_SMALLEST = 1.0  # square pixel
_INERTIA = 0.5  # seconds for which somebody who is out of sight is taken to walk on
_MEMORY = 0.5  # of the velocity so far, in each frame's


class Tracker:
    """Gives people the ids that they keep from frame to frame.

    Each frame's poses are matched with the people known so far, so that the
    sum of their object keypoint similarities is highest (the Hungarian
    method), each person being expected where their velocity takes them; poses
    that are sure enough to make a new person come first. One
    tracker serves one video: its ids count from 1, and none is given twice.
    It knows people by where they are, not by their looks: who comes back
    after `max_gap` is new.

    Parameters
    ----------
    start_score : float
        Lowest score of a pose that makes a new person.
    keep_score : float, optional
        Lowest score of a pose that continues a person. Default: half of
        `start_score`, so that people do not come and go with their score.
    min_similarity : float
        Lowest similarity, in [0, 1], of a pose and the person that it continues.
    max_gap : float
        Seconds that a person may be out of sight and still keep the id; with 0 in no frame.
    smoothing : OneEuro, optional
        Smooths the keypoints that are returned. Default: none.

    Raises
    ------
    InputError
        If a parameter is out of range.

    References
    ----------
    Object keypoint similarity: https://cocodataset.org/#keypoints-eval. New people from sure poses alone,
    known ones also from unsure poses: Zhang et al., "ByteTrack", ECCV 2022, arXiv:2110.06864.

    Examples
    --------
    >>> from bottomup.synthetic import random_poses
    >>> tracker, people = Tracker(), random_poses(3, seed=1)
    >>> tracker.update(people, time=0.0).ids
    array([1, 2, 3], dtype=int32)
    >>> tracker.update(people[[2, 0]], time=0.1).ids
    array([3, 1], dtype=int32)
    """

    def __init__(
        self,
        *,
        start_score: float = 0.2,
        keep_score: float | None = None,
        min_similarity: float = 0.2,
        max_gap: float = 1.0,
        smoothing: "OneEuro | None" = None,
    ) -> None:
        start_score, max_gap = as_number(start_score, "start_score"), as_number(max_gap, "max_gap")
        min_similarity = as_number(min_similarity, "min_similarity")
        keep_score = start_score / 2 if keep_score is None else as_number(keep_score, "keep_score")
        if not isinstance(smoothing, (OneEuro, NoneType)):
            raise InputError(f"smoothing must be a OneEuro, or None for none, got {smoothing!r}")
        if not keep_score <= start_score:
            raise InputError(f"keep_score must not exceed start_score, {start_score}, got {keep_score}")
        if not 0 < min_similarity <= 1:
            raise InputError(f"min_similarity must be above 0 and at most 1, got {min_similarity}")
        if not max_gap >= 0:
            raise InputError(f"max_gap must be 0 seconds or more, got {max_gap}")
        self.start_score, self.keep_score = start_score, keep_score
        self.min_similarity, self.max_gap = min_similarity, max_gap
        self.smoothing = smoothing
        self.num_people = 0
        self._time = -math.inf
        self._people: list[_Person] = []

    def update(self, poses: Poses, time: float) -> Poses:
        """Return the poses of the people in the next frame, with ids, in the order given.

        Poses that neither continue a person nor make a new one, for their
        score, are left out.

        Parameters
        ----------
        poses : Poses
            All that was found in the frame.
        time : float
            Seconds from any start; more than at the frame before.

        Raises
        ------
        InputError
            If time does not move on.
        """
        if not (math.isfinite(time) and time > self._time):
            raise InputError(f"time must move on from frame to frame, got {time} s after {self._time} s")
        self._people = [it for it in self._people if it.seen == self._time or time - it.seen <= self.max_gap]
        self._time = time
        poses = poses[poses.scores >= self.keep_score]
        is_somewhere = np.isfinite(poses.xy).all(axis=2, keepdims=True)
        positions = np.where(is_somewhere, poses.xy, np.nan).astype(np.float64)
        owners: dict[int, _Person] = {}
        are_sure = poses.scores >= self.start_score
        for indices in (np.flatnonzero(are_sure), np.flatnonzero(~are_sure)):
            owners |= self._continued(positions, indices, poses.skeleton, time)
        for index, score in enumerate(poses.scores):
            if index not in owners and score >= self.start_score:
                self.num_people += 1
                owners[index] = _Person(self.num_people, positions[index], time)
                self._people.append(owners[index])
        chosen = sorted(owners)
        keypoints = poses.keypoints[chosen]  # a copy
        if self.smoothing is not None:
            for row, index in enumerate(chosen):
                keypoints[row, :, :2] = owners[index].smooth(positions[index], time, self.smoothing)
        numbers = np.array([owners[index].number for index in chosen], np.int32)
        return replace(poses[chosen], keypoints=keypoints, ids=numbers)

    def _continued(
        self, positions: NDArray[np.float64], indices: NDArray[np.intp], skeleton: Skeleton, time: float
    ) -> "dict[int, _Person]":
        """Return, of those of the (M, N, 2) positions that continue a person not seen yet at this time, whom."""
        people = [person for person in self._people if person.seen < time]
        if not (len(indices) and people):
            return {}
        expected = np.stack([person.expected(time) for person in people])
        alike = similarities(expected, positions[indices], skeleton)
        alike[alike < self.min_similarity] = 0
        owners = {}
        for known, chosen in zip(*linear_sum_assignment(alike, maximize=True), strict=True):
            if alike[known, chosen] > 0:
                people[known].move(positions[indices[chosen]], time)
                owners[int(indices[chosen])] = people[known]
        return owners


@dataclass(frozen=True)
class OneEuro:
    """The one-euro filter: calm where somebody stands, quick where they move.

    A low-pass filter whose cut-off rises with the speed. Speed is measured in
    sizes of the person a second, so that the near and the far, and videos of
    any resolution, are smoothed alike.

    Attributes
    ----------
    min_cutoff : float
        Cut-off in Hz of who stands still; lower is calmer.
    beta : float
        What a person's size a second adds to the cut-off, in Hz; higher lags less.
    speed_cutoff : float
        Cut-off in Hz of the speed itself.

    Raises
    ------
    InputError
        If one of them is out of range.

    References
    ----------
    Casiez, Roussel, Vogel, "1 € Filter", CHI 2012.
    """

    min_cutoff: float = 1.0
    beta: float = 10.0
    speed_cutoff: float = 1.0

    def __post_init__(self) -> None:
        for parameter in fields(self):
            object.__setattr__(self, parameter.name, as_number(getattr(self, parameter.name), parameter.name))
        if not (self.min_cutoff > 0 and self.speed_cutoff > 0 and self.beta >= 0):
            raise InputError(
                "min_cutoff and speed_cutoff must be above 0 Hz, and beta 0 or more, "
                f"got {self.min_cutoff}, {self.speed_cutoff} and {self.beta}"
            )


def similarities(one: NDArray[Any], other: NDArray[Any], skeleton: Skeleton) -> NDArray[np.float64]:
    """Return the (L, M) object keypoint similarities of L and M poses, over the parts that both of a pair have.

    The spread of each part is twice that of COCO's annotators, and a person is
    as large as the larger box of the two. A pair without a common part has 0.

    Parameters
    ----------
    one, other : (L, N, 2), (M, N, 2) arrays
        Positions in pixels, nan where a part was not found.
    skeleton : Skeleton
        Names the N parts.
    """
    return pose_similarities(one, other, skeleton, widened=_WIDENED, narrowest=_NARROWEST, smallest=_SMALLEST)


@dataclass(eq=False)
class _Person:
    """Somebody who was seen: where each part was last, and where they are going."""

    number: int
    xy: NDArray[np.float64]  # (N, 2)
    seen: float
    velocity: NDArray[np.float64] = field(default_factory=lambda: np.zeros(2))

    def __post_init__(self) -> None:
        self._calm = self.xy.copy()
        self._calm_speed = np.zeros_like(self.xy)
        self._calm_since = np.full(len(self.xy), self.seen)

    def expected(self, time: float) -> NDArray[np.float64]:
        """Return the (N, 2) positions that are expected at that time."""
        return self.xy + self.velocity * min(time - self.seen, _INERTIA)

    def move(self, xy: NDArray[np.float64], time: float) -> None:
        """Take in where the person is now; parts that are not seen move along."""
        steps = xy - self.xy
        are_common = np.isfinite(steps[:, 0])
        if are_common.any():
            velocity = np.median(steps[are_common], axis=0) / (time - self.seen)
            self.velocity = _MEMORY * self.velocity + (1 - _MEMORY) * velocity
        self.xy = np.where(np.isfinite(xy), xy, self.expected(time))
        self.seen = time

    def smooth(self, xy: NDArray[np.float64], time: float, settings: OneEuro) -> NDArray[np.float64]:
        """Return the (N, 2) positions without jitter, nan where a part was not found."""
        size = math.sqrt(pose_areas(xy[None], narrowest=_NARROWEST, smallest=_SMALLEST)[0])
        elapsed = (time - self._calm_since)[:, None]
        is_new = ~np.isfinite(self._calm)
        steady = np.where(is_new, xy, self._calm)
        with np.errstate(divide="ignore", invalid="ignore"):
            speed = np.where(elapsed > 0, (xy - steady) / elapsed, 0)
        calm_speed = self._calm_speed + _share(settings.speed_cutoff, elapsed) * (speed - self._calm_speed)
        cutoff = settings.min_cutoff + settings.beta * np.linalg.norm(calm_speed, axis=1, keepdims=True) / size
        calm = steady + _share(cutoff, elapsed) * (xy - steady)
        is_seen = np.isfinite(xy)
        self._calm = np.where(is_seen, calm, self._calm)
        self._calm_speed = np.where(is_seen, calm_speed, self._calm_speed)
        self._calm_since = np.where(is_seen[:, 0], time, self._calm_since)
        return np.where(is_seen, calm, np.nan)


def _share(cutoff: NDArray[np.float64] | float, elapsed: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the share that a low-pass filter takes of the new value."""
    angle = 2 * np.pi * cutoff * elapsed
    share: NDArray[np.float64] = angle / (1 + angle)
    return share
