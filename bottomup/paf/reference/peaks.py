"""Peaks of heatmaps: one a plateau, refined below a cell."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bottomup.paf.best import PafDecoder
from bottomup.paf.enlarged import FLAT
from bottomup.paf.reference.places import clip, half_clamp, log

__all__ = ["Peak", "find_peaks", "flood", "look_enlarged", "middle_of", "refine"]


class Peak(NamedTuple):
    """Where a part may be."""

    cell: tuple[int, int]
    place: tuple[float, float]  #: the same, refined
    score: float  #: in [0, 1]


def find_peaks(heatmap: NDArray[np.float64], decoder: PafDecoder) -> list[Peak]:
    """Find one part's peaks: plateaus of equal cells, mostly of one, above the threshold, with nothing higher beside.

    A plateau's peak is its cell nearest to its middle; one of more than 4096 cells has none. Of too many, the
    strongest stay, of equal ones the first. In the order of their plateaus' first cells.
    """
    tops, seen = [], np.zeros(heatmap.shape, np.bool_)
    for row, column in np.ndindex(*heatmap.shape):
        if heatmap[row, column] > np.float32(decoder.peak_threshold) and not seen[row, column]:
            plateau, around = flood(heatmap, (row, column))
            for cell in plateau:
                seen[cell] = True
            if len(plateau) <= 4096 and not any(heatmap[cell] > heatmap[row, column] for cell in around):
                tops.append(middle_of(plateau))
    most = decoder.max_peaks
    strongest = sorted(range(len(tops)), key=lambda top: (-heatmap[tops[top]], top))[:most]
    peaks = []
    for top in sorted(strongest):
        row, column = tops[top]
        place = (refine(heatmap[:, column], row), refine(heatmap[row], column))
        peaks.append(Peak((row, column), place, clip(float(heatmap[row, column]))))
    return peaks


def flood(heatmap: NDArray[np.float64], cell: tuple[int, int]) -> tuple[list[tuple[int, int]], set[tuple[int, int]]]:
    """Return the cells that are equal to `cell` and joined to it, sides and corners, and all cells beside them."""
    plateau, around = [cell], set()
    for row, column in plateau:
        for near in np.ndindex(3, 3):
            other = (row + near[0] - 1, column + near[1] - 1)
            if 0 <= other[0] < heatmap.shape[0] and 0 <= other[1] < heatmap.shape[1] and other not in plateau:
                if heatmap[other] == heatmap[cell]:
                    plateau.append(other)
                else:
                    around.add(other)
    return plateau, around


def middle_of(plateau: list[tuple[int, int]]) -> tuple[int, int]:
    """Return the cell nearest to the mean of some cells, the first of several; in whole numbers, so that ties tie."""
    rows, columns = sum(row for row, _ in plateau), sum(column for _, column in plateau)
    size = len(plateau)
    return min(plateau, key=lambda cell: ((size * cell[0] - rows) ** 2 + (size * cell[1] - columns) ** 2, cell))


def refine(line: NDArray[np.float64], place: int) -> float:
    """Return where a peak is highest along a row or column: the top of a parabola through logarithms."""
    low = high = place
    while low > 0 and line[low - 1] == line[place]:
        low -= 1
    while high < len(line) - 1 and line[high + 1] == line[place]:
        high += 1
    middle, centre = (low + high) / 2, log(line[place])
    if low > 0 and high < len(line) - 1:
        before, after = log(line[low - 1]), log(line[high + 1])
        curvature = before - 2 * centre + after
        reach = (high - low) / 2 + 1
        return middle + (half_clamp(0.5 * reach * (before - after) / curvature) if curvature < 0 else 0.0)
    if low == high and len(line) >= 3:  # at a border: through the next two cells inside
        inwards = 1 if low == 0 else -1
        near, far = log(line[place + inwards]), log(line[place + 2 * inwards])
        curvature = centre - 2 * near + far
        if curvature < 0:
            return middle + inwards * half_clamp(1 + 0.5 * (centre - far) / curvature)
    return middle


def look_enlarged(heatmaps: NDArray[np.float64], peaks: list[list[Peak]]) -> bool:
    """Tell whether the first peaks look as if maps had been enlarged: flatter than any network's, or plateaus."""
    first = [(part, peak.cell) for part, several in enumerate(peaks) for peak in several][:64]
    drop, total, repeated = 0.0, 0.0, 0
    for part, (row, column) in first:
        heatmap = heatmaps[..., part]
        value, plateaus = float(heatmap[row, column]), []
        for line, at in ((heatmap[:, column], row), (heatmap[row], column)):
            beside = [float(line[near]) if 0 <= near < len(line) else None for near in (at - 1, at + 1)]
            drop += sum(value - near for near in beside if near is not None)
            plateaus.append(value in beside)
        total += 2 * value
        repeated += all(plateaus)
    return drop < FLAT * total or 2 * repeated > len(first)
