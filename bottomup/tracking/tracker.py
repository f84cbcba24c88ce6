"""Ids that people keep from frame to frame."""

import math
from dataclasses import replace
from types import NoneType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from bottomup.errors import InputError
from bottomup.poses import MIN_SCORE, Poses, as_poses
from bottomup.similarity import alike_pairs, pose_areas, pose_similarities
from bottomup.skeletons import Skeleton
from bottomup.tensors import as_number
from bottomup.tracking.motion import ConstantVelocity, middle_steps
from bottomup.tracking.smoothing import Calm, OneEuro

__all__ = ["Tracker", "similarities"]

_WIDENED = 2.0  # times the spread of COCO's annotations, because people move between frames
_NARROWEST = 0.25  # of the longer side of a box, for people seen from the side
_SMALLEST = 1.0  # square pixel
_CROWD, _MOVES = 3, 0.05  # so many people share the camera's step, if it is longer than this share of their size
_DENSE = 250_000  # pairs; beyond this, groups are matched one by one
_LIKE: dict[str, Any] = {"narrowest": _NARROWEST, "smallest": _SMALLEST}


class Tracker:
    """Gives people ids that they keep from frame to frame.

    The tracker drops worse duplicates of a person, because they would compete
    for the id. It predicts where each known person is now, and matches each
    frame's poses to these predictions so that the sum of their squared object
    keypoint similarities is highest (the Hungarian method); squared, one close
    match beats two loose ones. Whoever is not found there is looked for where
    they were last seen, because people and cameras stop and turn. Poses that
    score enough to start a new person are matched first. Use one tracker per video: its ids
    count from 1, and it never reuses one. Ids come from position and motion,
    not appearance: a person who comes back after `max_gap` gets a new id.

    Parameters
    ----------
    start_score : float
        Lowest score of a pose that starts a new person.
    keep_score : float, optional
        Lowest score of a pose that continues a person. Default: half of
        `start_score`, so that people do not come and go with their score.
    min_similarity : float
        Lowest similarity, in (0, 1], between a pose and the person that it continues.
    spread : float
        How far a part may move between frames, relative to the spread of
        COCO's annotations. Higher values follow faster people, but mix up people who are close.
    max_overlap : float
        A pose at least this similar, in (0, 1], to a better one in the same frame starts no new person.
    max_gap : float
        Seconds for which a person may be out of sight and still keep the id; 0 allows no missed frame.
    motion : ConstantVelocity
        Predicts where people are next.
    smoothing : OneEuro, optional
        Smooths the keypoints that are returned. Default: none.

    Raises
    ------
    InputError
        If a parameter is out of range.

    References
    ----------
    Object keypoint similarity: https://cocodataset.org/#keypoints-eval. Matching high scores first, then low ones to
    known people only: Zhang et al., "ByteTrack", ECCV 2022, arXiv:2110.06864.

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
        start_score: float = MIN_SCORE,
        keep_score: float | None = None,
        min_similarity: float = 0.2,
        spread: float = _WIDENED,
        max_overlap: float = 0.4,
        max_gap: float = 1.0,
        motion: ConstantVelocity = ConstantVelocity(),  # noqa: B008 (it is frozen)
        smoothing: OneEuro | None = None,
    ) -> None:
        start_score, max_gap = as_number(start_score, "start_score"), as_number(max_gap, "max_gap")
        min_similarity, spread = as_number(min_similarity, "min_similarity"), as_number(spread, "spread")
        max_overlap = as_number(max_overlap, "max_overlap")
        keep_score = start_score / 2 if keep_score is None else as_number(keep_score, "keep_score")
        if not isinstance(smoothing, (OneEuro, NoneType)):
            raise InputError(f"smoothing must be a OneEuro or None, got {smoothing!r}")
        if not isinstance(motion, ConstantVelocity):
            raise InputError(f"motion must be a ConstantVelocity, got {motion!r}")
        if not keep_score <= start_score:
            raise InputError(f"keep_score must not exceed start_score, {start_score}, got {keep_score}")
        if not 0 < min_similarity <= 1:
            raise InputError(f"min_similarity must be above 0 and at most 1, got {min_similarity}")
        if not 0 < max_overlap <= 1:
            raise InputError(f"max_overlap must be above 0 and at most 1, got {max_overlap}")
        if not 0 < spread < math.inf:
            raise InputError(f"spread must be a finite number above 0, got {spread}")
        if not max_gap >= 0:
            raise InputError(f"max_gap must be 0 seconds or more, got {max_gap}")
        self.start_score, self.keep_score = start_score, keep_score
        self.min_similarity, self.max_overlap, self.spread = min_similarity, max_overlap, spread
        self.max_gap, self.motion, self.smoothing = max_gap, motion, smoothing
        self.num_people = 0
        self._time = -math.inf
        self._people: _People | None = None

    def update(self, poses: Poses, time: float) -> Poses:
        """Return the poses of the next frame with their ids, in the order given.

        Worse duplicates of a person are left out, and so are poses that
        neither continue a person nor score enough to start a new one.

        Parameters
        ----------
        poses : Poses
            All poses found in the frame.
        time : float
            Seconds from any start; later than the frame before.

        Raises
        ------
        InputError
            If time does not increase, or the skeleton changes.
        """
        poses, time = as_poses(poses), as_number(time, "time")
        if not (math.isfinite(time) and time > self._time):
            raise InputError(f"time must increase from frame to frame, got {time} s after {self._time} s")
        people = _People(len(poses.skeleton.parts)) if self._people is None else self._people
        if people.xy.shape[1] != len(poses.skeleton.parts):
            raise InputError(
                f"poses must have the {people.xy.shape[1]} parts of the frames before, got {poses.skeleton.name}, "
                f"which has {len(poses.skeleton.parts)}: use a tracker for each skeleton"
            )
        people.take(np.flatnonzero((people.seen == self._time) | (time - people.seen <= self.max_gap)))
        self._people, self._time = people, time
        poses = poses.above(self.keep_score).without_duplicates()
        is_somewhere = np.isfinite(poses.xy).all(axis=2, keepdims=True)
        positions = np.where(is_somewhere, poses.xy, np.nan).astype(np.float64)
        rows = np.full(len(poses), -1)  # of the person that each pose continues
        are_sure = poses.scores >= self.start_score
        for chosen in (np.flatnonzero(are_sure), np.flatnonzero(~are_sure)):
            self._continue(people, positions, chosen, poses.skeleton, rows)
        are_new = np.flatnonzero((rows < 0) & are_sure)
        are_new = are_new[~self._are_shadows(poses, are_new, rows)]
        rows[are_new] = people.add(positions[are_new], time, self.num_people + 1)
        self.num_people += len(are_new)
        kept = np.flatnonzero(rows >= 0)
        keypoints = poses.keypoints[kept]  # a copy
        if self.smoothing is not None:
            sizes = np.sqrt(pose_areas(positions[kept], **_LIKE))
            keypoints[..., :2] = people.calm.smooth(rows[kept], positions[kept], time, sizes, self.smoothing)
        return replace(poses[kept], keypoints=keypoints, ids=people.numbers[rows[kept]].astype(np.int32))

    def _are_shadows(self, poses: Poses, chosen: NDArray[np.intp], rows: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Return which chosen poses cannot be new: they resemble a better pose, or one that continues a person."""
        first, other, _ = alike_pairs(poses.xy[chosen], poses.xy, poses.skeleton, lowest=self.max_overlap)
        are_better = (poses.scores[other] > poses.scores[chosen[first]]) | (rows[other] >= 0)
        shadows = np.zeros(len(chosen), np.bool_)
        shadows[first[are_better & (chosen[first] != other)]] = True
        return shadows

    def _continue(
        self,
        people: "_People",
        positions: NDArray[np.float64],
        chosen: NDArray[np.intp],
        skeleton: Skeleton,
        rows: NDArray[np.intp],
    ) -> None:
        """Match chosen poses to the people not yet seen in this frame; write each match's person to `rows`."""
        waiting = np.flatnonzero(people.seen < self._time)
        if not (len(chosen) and len(waiting)):
            return
        expected = people.expected(waiting, self._time, self.motion)
        known, found = self._matched(expected, positions[chosen], skeleton)
        if self.motion.camera and len(known) >= _CROWD:
            shift = np.nanmedian(middle_steps(positions[chosen[found]] - expected[known]), axis=0)
            if np.square(shift).sum() > _MOVES**2 * np.median(pose_areas(expected[known], **_LIKE)):
                known, found = self._matched(expected + shift, positions[chosen], skeleton)
        lost, loose = np.delete(np.arange(len(waiting)), known), np.delete(np.arange(len(chosen)), found)
        if len(lost) and len(loose):  # a person, or the camera, that stopped or turned: look where they were
            again, late = self._matched(people.xy[waiting[lost]], positions[chosen[loose]], skeleton)
            known, found = np.append(known, lost[again]), np.append(found, loose[late])
        rows[chosen[found]] = waiting[known]
        people.move(waiting[known], positions[chosen[found]], self._time, self.motion)

    def _matched(
        self, expected: NDArray[np.float64], positions: NDArray[np.float64], skeleton: Skeleton
    ) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Match (K, N, 2) expected people to (M, N, 2) poses; return the rows of both."""
        known, found, alike = alike_pairs(
            expected, positions, skeleton, lowest=self.min_similarity, widened=self.spread, **_LIKE
        )
        return _best_pairs(known, found, np.square(alike), (len(expected), len(positions)))


def _best_pairs(
    known: NDArray[np.intp], found: NDArray[np.intp], alike: NDArray[np.float64], shape: tuple[int, int]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Match K people to M poses so that the sum of `alike` is highest; return the rows of both.

    If there are many, groups that no pair connects are matched one by one, which gives the same sum.
    """
    if shape[0] * shape[1] <= _DENSE:
        return _assigned(known, found, alike)
    graph = coo_array((np.ones(len(known)), (known, shape[0] + found)), shape=(sum(shape), sum(shape)))
    _, groups = connected_components(graph, directed=False)
    order = np.argsort(groups[known], kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(groups[known[order]])) + 1)
    people, poses = zip(*(_assigned(known[pairs], found[pairs], alike[pairs]) for pairs in parts), strict=True)
    return np.concatenate(people), np.concatenate(poses)


def _assigned(
    known: NDArray[np.intp], found: NDArray[np.intp], alike: NDArray[np.float64]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the best matching among these pairs."""
    if len(known) == 1:
        return known, found
    people, rows = np.unique(known, return_inverse=True)
    poses, columns = np.unique(found, return_inverse=True)
    table = np.zeros((len(people), len(poses)))
    table[rows, columns] = alike
    best = linear_sum_assignment(table, maximize=True)
    are_pairs = table[best] > 0
    return people[best[0][are_pairs]], poses[best[1][are_pairs]]


def similarities(one: NDArray[Any], other: NDArray[Any], skeleton: Skeleton) -> NDArray[np.float64]:
    """Return the (L, M) similarities of L and M poses as a `Tracker` measures them by default.

    Arguments as for `similarity.pose_similarities`. Each part may spread twice as far as COCO's annotations do, and a
    person's box counts as at least a quarter as wide as it is high, or as high as it is wide.
    """
    return pose_similarities(one, other, skeleton, widened=_WIDENED, **_LIKE)


class _People:
    """The K known people: the last position of each part, and their velocities."""

    def __init__(self, num_parts: int) -> None:
        self.numbers = np.empty(0, np.int64)
        self.xy = np.empty((0, num_parts, 2))
        self.seen = np.empty(0)
        self.velocities = np.empty((0, 2))
        self.calm = Calm(self.xy, 0.0)

    def take(self, rows: NDArray[np.intp]) -> None:
        """Keep only these people."""
        self.numbers, self.xy, self.seen = self.numbers[rows], self.xy[rows], self.seen[rows]
        self.velocities = self.velocities[rows]
        self.calm.take(rows)

    def add(self, xy: NDArray[np.float64], time: float, first: int) -> NDArray[np.intp]:
        """Append people, numbered from `first`; return their rows."""
        before = len(self.numbers)
        self.numbers = np.concatenate([self.numbers, np.arange(first, first + len(xy))])
        self.xy = np.concatenate([self.xy, xy])
        self.seen = np.concatenate([self.seen, np.full(len(xy), time)])
        self.velocities = np.concatenate([self.velocities, np.zeros((len(xy), 2))])
        self.calm.add(Calm(xy, time))
        return np.arange(before, before + len(xy))

    def expected(self, rows: NDArray[np.intp], time: float, motion: ConstantVelocity) -> NDArray[np.float64]:
        """Predict the (L, N, 2) positions of some people at that time."""
        return self.xy[rows] + motion.moved(self.velocities[rows], time - self.seen[rows])[:, None]

    def move(self, rows: NDArray[np.intp], xy: NDArray[np.float64], time: float, motion: ConstantVelocity) -> None:
        """Update the positions of some people; parts that were not seen move along."""
        elapsed = time - self.seen[rows]
        self.velocities[rows] = motion.learned(self.velocities[rows], xy - self.xy[rows], elapsed)
        self.xy[rows] = np.where(np.isfinite(xy), xy, self.expected(rows, time, motion))
        self.seen[rows] = time
