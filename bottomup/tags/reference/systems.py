"""What the decoders of OMZ, mmpose and HigherHRNet have in common."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bottomup.poses import Poses
from bottomup.tags.fields import TagFields
from bottomup.tags.reference.peaks import Maps, Peak, find_peaks, order_of_parts

__all__ = ["Pairs", "Person", "Pose", "find_filling", "group", "half_up", "sign", "slopes", "tag_distances", "to_poses"]

_FAR = 1e10
Pairs = Callable[[NDArray[np.float64]], NDArray[np.intp]]


@dataclass
class Person:
    """Peaks by part, in the order in which they came."""

    peaks: dict[int, Peak] = field(default_factory=dict)

    def score(self, num_parts: int) -> float:
        """Return the mean of the scores of all parts, 0 of those missing."""
        return sum(float(self.peaks[part].score) for part in range(num_parts) if part in self.peaks) / num_parts

    def mean_tag(self) -> NDArray[np.float32]:
        """Return the mean of the parts' tags."""
        total: Any = np.float32(0)
        for peak in self.peaks.values():
            total = total + peak.tag
        return np.asarray(total / np.float32(len(self.peaks)), np.float32)


def group(
    maps: Maps,
    decoder: Any,
    distances_of: Callable[[list[Peak], list[Person]], tuple[NDArray[np.float32], NDArray[np.float32]]],
    pair: Pairs,
    most_groups: int | None,
    drops: bool,
) -> list[Person]:
    """Return the people that peaks make up, part after part.

    `distances_of` returns the distances that pairs are chosen by, and those that must be below the threshold;
    `most_groups` is how many people may get a part, the first; with `drops` those behind them are lost.
    """
    people: list[Person] = []
    for part in order_of_parts(len(maps.scores)):
        peaks = find_peaks(maps, part, decoder.score_threshold, decoder.max_people, radius=2)
        if not peaks:
            continue
        if not people:
            people = [Person({part: peak}) for peak in peaks]
            continue
        if drops:
            people = people[:most_groups]
        groups = people[:most_groups]
        chosen_by, distances = distances_of(peaks, groups)
        scores = np.array([peak.score for peak in peaks], np.float64)
        costs = np.rint(chosen_by.astype(np.float64)) * 100 - scores[:, None]
        costs = np.maximum(np.where(costs < _FAR, costs, _FAR), -_FAR)
        costs = np.pad(costs, ((0, 0), (0, max(len(peaks) - len(groups), 0))), constant_values=_FAR)
        for peak, column in zip(range(len(peaks)), pair(costs), strict=True):
            if column < len(groups) and distances[peak, column] < decoder.tag_threshold:
                groups[column].peaks[part] = peaks[peak]
            else:
                people.append(Person({part: peaks[peak]}))
    return people[:most_groups] if drops else people


def tag_distances(peaks: list[Peak], tags: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Return how far the tags of peaks are from those of people, in float32."""
    apart = np.array([peak.tag for peak in peaks])[:, None] - np.array(tags)[None]
    total = np.zeros(apart.shape[:2], np.float32)
    for number in range(apart.shape[2]):
        total += apart[:, :, number] * apart[:, :, number]
    return np.asarray(np.sqrt(total), np.float32)


def find_filling(
    maps: Maps, part: int, tag: NDArray[np.float32], weight: float, round_half: Callable[[Any], Any]
) -> tuple[int, int] | None:
    """Return the cell where `weight` times the rounded distance of the tag, less the score, is least; the first."""
    total = np.zeros(maps.scores.shape[1:], np.float32)
    for number in range(len(tag)):
        apart = maps.tags[part, :, :, number] - tag[number]
        total += apart * apart
    distances = np.abs(maps.tags[part, :, :, 0] - tag[0]) if len(tag) == 1 else np.sqrt(total)
    costs = np.asarray(round_half(distances) * np.float32(weight) - maps.scores[part], np.float32)
    costs = np.where(np.isnan(costs), np.float32(np.inf), costs)
    row, column = np.unravel_index(np.argmin(costs), costs.shape)
    return (int(row), int(column)) if costs[row, column] < np.inf else None


def half_up(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Round to the nearest whole number, halves up."""
    return np.asarray(np.floor(values + np.float32(0.5)), np.float32)


def slopes(heatmap: NDArray[np.float32], row: int, column: int) -> tuple[float, float]:
    """Return how much higher it is right than left, and below than above; beyond the border, the border's score."""
    height, width = heatmap.shape
    right = heatmap[row, min(column + 1, width - 1)] - heatmap[row, max(column - 1, 0)]
    down = heatmap[min(row + 1, height - 1), column] - heatmap[max(row - 1, 0), column]
    return float(right), float(down)


def sign(value: float) -> float:
    """Return 1, 0 or -1; 0 of nan."""
    return float(value > 0) - float(value < 0)


@dataclass
class Pose:
    """One person's parts in cells."""

    score: float
    places: dict[int, tuple[float, float]]  #: x and y by part
    scores: dict[int, float]
    filled: set[int]


def to_poses(found: list[Pose], fields: TagFields, scale: tuple[float, float] | None = None) -> Poses:
    """Return the people, best first, in input pixels."""
    num_parts = len(fields.skeleton.parts)
    found = sorted(found, key=lambda pose: -pose.score)
    keypoints = np.full((len(found), num_parts, 3), np.nan, np.float32)
    keypoints[..., 2] = 0
    filled = np.zeros((len(found), num_parts), np.bool_)
    scale_x, scale_y = scale or (fields.output_stride, fields.output_stride)
    for rank, pose in enumerate(found):
        for part, (x, y) in pose.places.items():
            filled[rank, part] = part in pose.filled
            place = np.array([x * scale_x + fields.shift[0], y * scale_y + fields.shift[1]], np.float32)
            if np.isfinite(place).all():
                keypoints[rank, part] = (*place, min(max(pose.scores[part], 0), 1))
    scores = np.clip(np.array([pose.score for pose in found], np.float32), 0, 1)
    return Poses(keypoints, scores, fields.skeleton, filled=filled)
