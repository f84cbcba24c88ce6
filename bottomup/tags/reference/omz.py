"""Open Model Zoo's decoder, said aloud."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from bottomup.poses import Poses
from bottomup.tags.fields import TagFields
from bottomup.tags.omz import OmzTagDecoder
from bottomup.tags.reference.peaks import Peak, read_fields
from bottomup.tags.reference.systems import (
    Person,
    Pose,
    find_filling,
    group,
    half_up,
    sign,
    slopes,
    tag_distances,
    to_poses,
)

__all__ = ["decode_omz", "running_centre", "running_tag"]


def decode_omz(fields: TagFields, decoder: OmzTagDecoder) -> Poses:
    """Return what `OmzTagDecoder.decode` returns."""
    if 0 in fields.grid:
        return to_poses([], fields)
    maps = read_fields(fields)
    num_parts, height, width = maps.scores.shape

    def distances_of(peaks: list[Peak], people: list[Person]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        distances = tag_distances(peaks, [running_tag(person) for person in people])
        centres = np.array([running_centre(person) for person in people])
        places = np.array([(peak.column, peak.row) for peak in peaks], np.float64)
        to_centres = np.sqrt(np.square(places[:, None] - centres[None]).sum(axis=2))
        ratios = to_centres / (to_centres.min(axis=0) + 1e-10)
        near = distances < decoder.tag_threshold
        return np.where(near, (distances * ratios).astype(np.float32), distances), distances

    def pair(costs: NDArray[np.float64]) -> NDArray[np.intp]:
        columns: NDArray[np.intp] = linear_sum_assignment(costs)[1]
        return columns

    def place(part: int, row: int, column: int, delta: float) -> tuple[float, float]:
        right, down = slopes(maps.scores[part], row, column)
        if not (1 < column < width - 1 and 1 < row < height - 1):
            right = down = 0
        return column + 0.25 * sign(right) + delta, row + 0.25 * sign(down) + delta

    found = []
    for person in group(maps, decoder, distances_of, pair, None, False):
        score = person.score(num_parts)
        if not score > decoder.min_score:
            continue
        pose = Pose(score, {}, {}, set())
        for part, peak in person.peaks.items():
            pose.places[part] = place(part, peak.row, peak.column, decoder.delta)
            pose.scores[part] = float(peak.score)
        for part in range(num_parts) if decoder.fill else ():
            if part not in person.peaks:
                cell = find_filling(maps, part, running_tag(person), 1, half_up)
                if cell is not None and maps.scores[part][cell] > 0:
                    pose.places[part], pose.scores[part] = place(part, *cell, 0), float(maps.scores[part][cell])
                    pose.filled.add(part)
        found.append(pose)
    return to_poses(found, fields)


def running_tag(person: Person) -> NDArray[np.float32]:
    """Return a person's tag, the mean so far times the number of parts plus the next, divided again."""
    mean: Any = None
    for count, peak in enumerate(person.peaks.values()):
        mean = peak.tag if mean is None else (mean * np.float32(count) + peak.tag) / np.float32(count + 1)
    return np.asarray(mean, np.float32)


def running_centre(person: Person) -> NDArray[np.float64]:
    """Return the mean place of a person's parts, x and y, likewise."""
    mean = np.zeros(2)
    for count, peak in enumerate(person.peaks.values()):
        mean = (mean * count + (peak.column, peak.row)) / (count + 1)
    return mean
