"""Our own tag decoder, said aloud."""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from bottomup.poses import Poses
from bottomup.similarity import AREA_OF_JOINTS
from bottomup.tags.best import TagDecoder
from bottomup.tags.fields import TagFields
from bottomup.tags.reference.peaks import Maps, Peak, find_peaks, order_of_parts, read_fields
from bottomup.tags.reference.systems import Pose, to_poses

__all__ = [
    "Person",
    "decode_best",
    "evidence",
    "extent_of",
    "fill_in",
    "gain",
    "group",
    "is_fragment",
    "score_of",
    "top_between",
    "top_of",
]


@dataclass
class Person:
    """Peaks by part, in the order in which they came."""

    peaks: dict[int, Peak] = field(default_factory=dict)

    @property
    def weight(self) -> float:
        """The sum of the peaks' scores."""
        return sum(score_of(peak) for peak in self.peaks.values())

    @property
    def tag(self) -> NDArray[np.float64]:
        """The mean of the peaks' tags, weighted by their scores."""
        total: Any = sum(score_of(peak) * peak.tag.astype(np.float64) for peak in self.peaks.values())
        return np.asarray(total / self.weight, np.float64)


def decode_best(fields: TagFields, decoder: TagDecoder) -> Poses:
    """Return what `TagDecoder.decode` returns; the limit of how many cells filling looks at is left out."""
    if 0 in fields.grid:
        return to_poses([], fields)
    maps = read_fields(fields)
    people = [person for person in group(maps, decoder) if len(person.peaks) >= decoder.min_parts]
    people = sorted(people, key=lambda person: -evidence(person, decoder))
    kept: list[Pose] = []
    for person in people:
        score = 1 / (1 + math.exp(decoder.slope * (decoder.half_score - evidence(person, decoder))))
        pose = Pose(score, {}, {}, set())
        for part, peak in person.peaks.items():
            pose.places[part] = top_of(maps.scores[part], peak.row, peak.column)
            pose.scores[part] = float(peak.score)
        if decoder.fill:
            fill_in(pose, person, maps, decoder)
        if decoder.max_overlap == 1 or not any(is_fragment(pose, other, fields, decoder) for other in kept):
            kept.append(pose)
    stride = fields.output_stride
    for pose in kept:
        for part, (x, y) in pose.places.items():
            middle = (stride - 1) / 2 / stride
            pose.places[part] = x + middle + decoder.shift[0] / stride, y + middle + decoder.shift[1] / stride
    return to_poses(kept, fields)


def score_of(peak: Peak) -> float:
    """Return a peak's score, capped so that means stay finite."""
    return min(float(peak.score), 1e6)


def group(maps: Maps, decoder: TagDecoder) -> list[Person]:
    """Return the people that peaks make up, part after part, each time with the greatest gain."""
    people: list[Person] = []
    for part in order_of_parts(len(maps.scores)):
        peaks = find_peaks(
            maps, part, decoder.score_threshold, decoder.max_peaks, decoder.local_maximum_radius, first_of_plateau=True
        )
        gains = np.array([[gain(peak, person, maps, decoder) for person in people] for peak in peaks])
        gains = np.concatenate([gains.reshape(len(peaks), len(people)), np.zeros((len(peaks), len(peaks)))], axis=1)
        num_old = len(people)
        for number, column in enumerate(linear_sum_assignment(-gains)[1]):
            if column < num_old and gains[number, column] > 0:
                people[column].peaks[part] = peaks[number]
            elif len(people) < 3 * decoder.max_peaks:
                people.append(Person({part: peaks[number]}))
    return people


def gain(peak: Peak, person: Person, maps: Maps, decoder: TagDecoder) -> float:
    """Return what a peak is worth to a person: 0 if their tags are too far apart."""
    distance = math.sqrt(np.square(peak.tag.astype(np.float64) - person.tag).sum()) / decoder.tag_threshold
    if not distance < 1:
        return 0
    height, width = maps.scores.shape[1:]
    squared = min((peak.row - own.row) ** 2 + (peak.column - own.column) ** 2 for own in person.peaks.values())
    distance += decoder.nearness / math.sqrt(height**2 + width**2) * math.sqrt(squared)
    return score_of(peak) * max(1 - distance * distance, 1e-6)


def extent_of(person: Person) -> float:
    """Return the longer side of the box around a person's peaks, in cells."""
    cells = np.array([(peak.row, peak.column) for peak in person.peaks.values()])
    return float((cells.max(axis=0) - cells.min(axis=0)).max())


def evidence(person: Person, decoder: TagDecoder) -> float:
    """Return how much there is of a person."""
    extent = extent_of(person)
    shrinking = extent / (extent + decoder.half_size) if extent + decoder.half_size > 0 else 1
    return person.weight / math.sqrt(len(person.peaks)) * shrinking


def top_of(heatmap: NDArray[np.float32], row: int, column: int) -> tuple[float, float]:
    """Return x and y of the tops of the parabolas through the logarithms of a cell's neighbours."""
    height, width = heatmap.shape
    across = [heatmap[row, max(column - 1, 0)], heatmap[row, column], heatmap[row, min(column + 1, width - 1)]]
    down = [heatmap[max(row - 1, 0), column], heatmap[row, column], heatmap[min(row + 1, height - 1), column]]
    return column + top_between(across), row + top_between(down)


def top_between(scores: list[np.float32]) -> float:
    """Return where the parabola through three cells' logarithms is highest, within half a cell."""
    low, middle, high = (math.log(score) if score > 1e-3 else math.log(np.float32(1e-3)) for score in scores)
    curvature = low - 2 * middle + high
    if not curvature < 0 or not math.isfinite(curvature):
        return 0
    return min(max(0.5 * (low - high) / curvature, -0.5), 0.5)


def fill_in(pose: Pose, person: Person, maps: Maps, decoder: TagDecoder) -> None:
    """Put each missing part where the score, less the further its tag is from the person's, is highest near them."""
    cells = np.array([(peak.row, peak.column) for peak in person.peaks.values()])
    low, high = cells.min(axis=0), cells.max(axis=0)
    reach = max(decoder.fill_window * extent_of(person), decoder.min_fill_window)
    top, left = (int(max(edge - reach, 0)) for edge in low)
    bottom, right = (
        int(min(edge + reach, side - 1)) + 1 for edge, side in zip(high, maps.scores.shape[1:], strict=True)
    )
    for part in range(len(maps.scores)):
        if part in person.peaks:
            continue
        scores = maps.scores[part, top:bottom, left:right].astype(np.float64)
        squared = np.square(maps.tags[part, top:bottom, left:right].astype(np.float64) - person.tag).sum(axis=2)
        worth = np.minimum(scores, 1e6) * (1 - squared / (decoder.tag_threshold * decoder.tag_threshold))
        worth = np.where(scores > 0, worth, -np.inf)  # nan of either is worth nothing
        worth = np.where(np.isnan(worth), -np.inf, worth)
        row, column = np.unravel_index(worth.argmax(), worth.shape)
        if worth[row, column] > decoder.fill_threshold:
            pose.places[part] = top_of(maps.scores[part], int(row) + top, int(column) + left)
            pose.scores[part] = float(worth[row, column])
            pose.filled.add(part)


def is_fragment(pose: Pose, better: Pose, fields: TagFields, decoder: TagDecoder) -> bool:
    """Tell whether the parts found of a person are on average too near those of a better one."""
    places = np.array(list(better.places.values()), np.float32).astype(np.float64)
    area = float((places.max(axis=0) - places.min(axis=0)).prod())
    found = [part for part in pose.places if part not in pose.filled]
    total = 0.0
    for part in sorted(found):
        if part in better.places and area > 0:
            apart = np.subtract(
                np.array(pose.places[part], np.float32), np.array(better.places[part], np.float32), dtype=np.float64
            )
            falloff = 2 * AREA_OF_JOINTS * fields.skeleton.kappas[part] ** 2
            total += math.exp(-float(np.square(apart).sum()) / (area * falloff))
    return total > decoder.max_overlap * len(found)
