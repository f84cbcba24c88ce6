"""Our own decoder of centres."""

import math
from typing import Any, NamedTuple

import numpy as np

from bottomup.centers.best import EVEN_ODDS, STEEPNESS, CenterDecoder, squared_kappas
from bottomup.centers.fields import CenterFields
from bottomup.centers.reference.fields import Array, Maps, as_poses, f32, first_best, gaussian, read, squared_distances
from bottomup.centers.reference.movenet import box_of
from bottomup.centers.running import lowest_element
from bottomup.poses import Poses
from bottomup.similarity import AREA_OF_BOX

__all__ = ["Candidate", "calibrate", "decode_best", "find_candidates"]

_DISTANCES = 1.5  # widths of the window's Gaussian within which cells count
_FAR = f32(16)  # exp(-16) is negligible
_SMALLEST = f32(1e-6)  # squared cells
_LARGEST_AREA = f32(1e30)  # squared cells, so that no spread is infinite


class Candidate(NamedTuple):
    """One peak of the centre map, and the person it stands for."""

    cell: tuple[int, int]
    box: Array | None  #: top, left, bottom and right, in cells
    spread: Any  #: squared distance at which a cell's weight is 1 / e
    guesses: Array  #: (N, 2) row and column that the centre points to
    windows: list[tuple[int, int, int, int]]  #: for each part: first row and column, and those past the last
    pose: Array  #: (N, 4) row, column, score and weighted score of each part
    score: Any  #: expected similarity


def decode_best(fields: CenterFields, decoder: CenterDecoder) -> Poses:
    """Return what `CenterDecoder.decode` returns."""
    candidates = sorted(find_candidates(fields, decoder), key=lambda each: -each.score)  # keeps the order of equals
    kept: list[Candidate] = []
    kappas = squared_kappas(fields.skeleton)
    for each in candidates:
        if each.score > 0 and not any(_are_alike(each, better, kappas, decoder) for better in kept):
            kept.append(each)
    scores = [calibrate(each.score) for each in kept]
    boxes = [each.box for each in kept] if fields.has_boxes else None
    return as_poses([each.pose[:, :3] for each in kept], scores, fields, boxes)


def find_candidates(fields: CenterFields, decoder: CenterDecoder) -> list[Candidate]:
    """Return the candidate of each peak of the centre map, best peaks first."""
    maps = read(fields)
    lowest = lowest_element(fields, "center", decoder.score_threshold)
    if lowest is None:
        return []
    center = fields.tensors[0][0].reshape(fields.grid)
    peaks = [cell for cell in np.ndindex(fields.grid) if _is_peak(center, cell, lowest, decoder)]
    peaks.sort(key=lambda cell: -float(center[cell]))
    return [_candidate(maps, cell, fields, decoder) for cell in peaks[: decoder.max_poses]]


def calibrate(similarity: Any) -> Any:
    """Return the probability that a pose of this expected similarity is right: OKS to a person above 0.5."""
    odds = np.float64(similarity) / np.float64(f32(EVEN_ODDS))
    return f32(1 / (1 + odds ** np.float64(f32(-STEEPNESS))))


def _is_peak(center: Any, cell: tuple[int, int], lowest: Any, decoder: CenterDecoder) -> bool:
    """Tell whether no cell around this one exceeds it, and no earlier one equals it."""
    row, column = cell
    radius = decoder.local_maximum_radius
    top, left = max(row - radius, 0), max(column - radius, 0)
    window = center[top : row + radius + 1, left : column + radius + 1]
    if not center[cell] >= lowest or (window > center[cell]).any():
        return False
    down, right = np.argwhere(window == center[cell])[0]
    return (top + down, left + right) == cell


def _candidate(maps: Maps, cell: tuple[int, int], fields: CenterFields, decoder: CenterDecoder) -> Candidate:
    """Return the person whose centre is at a cell."""
    guesses = np.array(cell, f32) + maps.regressions[cell]
    box = box_of(maps, cell, fields.grid) if fields.has_boxes else None
    spread = np.maximum(f32(decoder.window) * _area_of_guess(box, guesses, fields.grid), f32(1))
    reach = int(math.sqrt(np.float64(spread)) * _DISTANCES) + 1
    windows = [_window(guess, reach, fields.grid) for guess in guesses]
    pose = np.zeros((len(guesses), 4), f32)
    for part, (guess, (top, left, bottom, right)) in enumerate(zip(guesses, windows, strict=True)):
        pose[part] = np.nan, np.nan, 0, 0
        if not (np.isfinite(guess).all() and top < bottom and left < right):
            continue
        weighted = maps.parts[..., part] * gaussian(squared_distances(fields.grid, guess), spread)
        inside = np.zeros(fields.grid, f32)
        inside[top:bottom, left:right] = weighted[top:bottom, left:right]
        best = first_best(inside)
        if inside[best] > 0:
            place = np.array(best, f32) + maps.offsets[(*best, part)]
            if decoder.vote_radius > 0 and _is_inside(place, fields.grid):
                place = _vote(place, part, maps, fields, decoder)
            pose[part] = *place, maps.parts[(*best, part)], inside[best]
    error = f32(decoder.position_error) / f32(fields.output_stride)
    score = _expected_similarity(pose, maps.centers[cell], squared_kappas(fields.skeleton), error)
    return Candidate(cell, box, spread, guesses, windows, pose, score)


def _area_of_guess(box: Array | None, guesses: Array, grid: tuple[int, int]) -> Any:
    """Return a person's area, squared cells: of their box, or of the box around all guesses inside the grid."""
    if box is not None:
        return (box[2] - box[0]) * (box[3] - box[1])
    inside = np.where(guesses > 0, np.minimum(guesses, np.array(grid, f32)), f32(0))
    height, width = inside.max(axis=0) - inside.min(axis=0)
    return height * width


def _window(guess: Array, reach: int, grid: tuple[int, int]) -> tuple[int, int, int, int]:
    """Return the cells within `reach` of a guess; none if the guess is far off the grid."""
    if not (np.abs(guess) < 2 * sum(grid) + reach).all():
        return 0, 0, 0, 0
    row, column = (math.floor(float(each) + 0.5) for each in guess)
    top, left = (min(max(place - reach, 0), size) for place, size in zip((row, column), grid, strict=True))
    return top, left, min(max(row + reach + 1, top), grid[0]), min(max(column + reach + 1, left), grid[1])


def _is_inside(place: Array, grid: tuple[int, int]) -> bool:
    """Tell whether a place lies in the grid; NaN does not."""
    return bool((place >= 0).all() and (place <= np.array(grid, f32) - f32(1)).all())


def _vote(place: Array, part: int, maps: Maps, fields: CenterFields, decoder: CenterDecoder) -> Array:
    """Return the weighted mean of the nearby places that the surrounding 5 x 5 cells point to."""
    row, column = (int(each + f32(0.5)) for each in place)
    lowest = lowest_element(fields, "heatmaps", decoder.min_vote_score)
    heatmaps = fields.tensors[1][0].reshape(maps.parts.shape)
    per_reach = f32(1) / (f32(decoder.vote_radius) * f32(decoder.vote_radius))
    total, sums = f32(0), np.zeros(2, f32)
    for near_row in range(max(row - 2, 0), min(row + 3, fields.grid[0])):
        for near_column in range(max(column - 2, 0), min(column + 3, fields.grid[1])):
            if lowest is None or not heatmaps[near_row, near_column, part] >= lowest:
                continue
            voted = np.array([near_row, near_column], f32) + maps.offsets[near_row, near_column, part]
            down, right = voted - place
            closeness = f32(1) - (down * down + right * right) * per_reach
            if closeness > 0:
                weight = closeness * closeness
                total += weight
                sums += weight * voted
    return np.asarray(sums / total) if total > 0 else place


def _area(pose: Array) -> Any:
    """Return a person's area, squared cells, from the box around the parts found."""
    places = pose[np.isfinite(pose[:, :2]).all(axis=1), :2]
    if not len(places):
        return f32(0)
    height, width = places.max(axis=0) - places.min(axis=0)
    return min(f32(AREA_OF_BOX) * height * width, _LARGEST_AREA) if height > 0 and width > 0 else f32(0)


def _expected_similarity(pose: Array, center_score: Any, kappas: Array, error: Any) -> Any:
    """Return the root of the centre's score times the expected object keypoint similarity of the parts."""
    total = f32(0)
    for weighted, spread in zip(pose[:, 3], _area(pose) * kappas, strict=True):
        if weighted > 0 and spread > 0:
            total += min(weighted, f32(1)) * spread / (spread + error * error)
    mean = total / f32(len(pose))
    return f32(math.sqrt(np.float64(min(center_score, f32(1))))) * mean


def _are_alike(one: Candidate, other: Candidate, kappas: Array, decoder: CenterDecoder) -> bool:
    """Tell whether two candidates are one person: their object keypoint similarity is above the threshold."""
    larger = max(_area(one.pose), _area(other.pose))
    total, common = f32(0), 0
    for part, kappa in enumerate(kappas):
        down, right = one.pose[part, :2] - other.pose[part, :2]
        squared = down * down + right * right
        if np.isfinite(squared):
            common += 1
            spread = max(f32(2) * larger * kappa, _SMALLEST)
            if squared < _FAR * spread:
                total += f32(np.exp(-np.float64(squared) / np.float64(spread)))
    return bool(total > f32(decoder.nms_similarity) * f32(common))
