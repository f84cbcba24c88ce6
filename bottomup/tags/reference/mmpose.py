"""mmpose's decoder, said aloud."""

import numpy as np
from numpy.typing import NDArray

from bottomup.poses import Poses
from bottomup.tags.fields import TagFields
from bottomup.tags.mmpose import MmposeTagDecoder
from bottomup.tags.reference.munkres import pair_by_covers
from bottomup.tags.reference.peaks import Maps, Peak, read_fields
from bottomup.tags.reference.systems import Person, Pose, find_filling, group, sign, slopes, tag_distances, to_poses

__all__ = ["decode_mmpose", "log_blurred", "mean_distances", "newton_step", "tag_of_places"]


def decode_mmpose(fields: TagFields, decoder: MmposeTagDecoder) -> Poses:
    """Return what `MmposeTagDecoder.decode` returns."""
    if 0 in fields.grid:
        return to_poses([], fields)
    maps = read_fields(fields)
    num_parts, height, width = maps.scores.shape
    logs = [log_blurred(heatmap) for heatmap in maps.scores] if decoder.udp else []

    def place(part: int, row: int, column: int) -> tuple[float, float]:
        if decoder.udp:
            return newton_step(logs[part], row, column)
        right, down = slopes(maps.scores[part], row, column)
        right = right if 1 < column < width - 1 and row > 0 else 0
        down = down if 1 < row < height - 1 and column > 0 else 0
        return column + 0.25 * sign(right) + decoder.delta, row + 0.25 * sign(down) + decoder.delta

    found = []
    for person in group(maps, decoder, mean_distances, pair_by_covers, decoder.max_people, True):
        pose = Pose(person.score(num_parts), {}, {}, set())
        for part, peak in person.peaks.items():
            pose.places[part], pose.scores[part] = place(part, peak.row, peak.column), float(peak.score)
        tag = tag_of_places(maps, pose.places)
        for part in range(num_parts) if decoder.fill else ():
            if part not in person.peaks:
                cell = find_filling(maps, part, tag, 100, np.rint)
                if cell is not None:
                    pose.places[part], pose.scores[part] = place(part, *cell), float(maps.scores[part][cell])
                    pose.filled.add(part)
        found.append(pose)
    if not decoder.udp:
        return to_poses(found, fields)
    stride = fields.output_stride
    return to_poses(found, fields, tuple((side * stride - 1) / max(side - 1, 1) for side in (width, height)))


def mean_distances(peaks: list[Peak], people: list[Person]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the distances between the tags of peaks and the mean ones of people, twice."""
    distances = tag_distances(peaks, [person.mean_tag() for person in people])
    return distances, distances


def tag_of_places(maps: Maps, places: dict[int, tuple[float, float]]) -> NDArray[np.float32]:
    """Return the mean of the tags read where a person's parts were placed."""
    num_parts, height, width = maps.scores.shape
    total = np.zeros(maps.tags.shape[3], np.float32)
    for part in range(num_parts):
        if part in places:
            x, y = places[part]
            column, row = int(min(max(x, 0), width - 1)), int(min(max(y, 0), height - 1))
            total += maps.tags[part, row, column]
    return total / np.float32(len(places))


def log_blurred(heatmap: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the logarithms of a heatmap blurred by 1 2 1, as high as before, within [0.001, 50], with a border."""
    padded = np.pad(heatmap, 1)
    weights = np.array([0.25, 0.5, 0.25], np.float32)
    lines = sum(weight * padded[:, shift : shift + heatmap.shape[1]] for shift, weight in enumerate(weights))
    blurred = sum(weight * lines[shift : shift + heatmap.shape[0]] for shift, weight in enumerate(weights))
    scale = np.fmax.reduce(heatmap, axis=None) / np.fmax.reduce(blurred, axis=None)
    scaled = np.fmin(np.fmax(blurred * (scale if scale > 0 else np.float32(1)), np.float32(1e-3)), np.float32(50))
    return np.log(np.pad(scaled, 1, mode="edge").astype(np.float64))


def newton_step(logs: NDArray[np.float64], row: int, column: int) -> tuple[float, float]:
    """Return x and y of the top of the paraboloid around a cell; the cell where there is none."""
    (above_left, above, _), (left, centre, right), (_, below, below_right) = logs[row : row + 3, column : column + 3]
    gradient = 0.5 * np.array([right - left, below - above])
    mixed = 0.5 * (below_right - right - below + centre + centre - left - above + above_left)
    across, down = right - 2 * centre + left, below - 2 * centre + above
    epsilon = float(np.finfo(np.float32).eps)
    hessian = np.array([[across + epsilon, mixed], [mixed, down + epsilon]])
    determinant = hessian[0, 0] * hessian[1, 1] - mixed * mixed
    inverse = np.array([[hessian[1, 1], -mixed], [-mixed, hessian[0, 0]]]) / determinant
    x, y = np.array([column, row]) - inverse @ gradient
    return (float(x), float(y)) if np.isfinite([x, y]).all() else (float(column), float(row))
