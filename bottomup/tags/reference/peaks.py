"""Real numbers of fields, heatmap peaks, and the order of parts."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bottomup.tags.fields import TagFields, real

__all__ = ["Maps", "Peak", "find_peaks", "order_of_parts", "read_fields"]

_ORDER_OF_COCO = (0, 1, 2, 3, 4, 5, 6, 11, 12, 7, 8, 9, 10, 13, 14, 15, 16)


class Maps(NamedTuple):
    """Fields as decoders see them."""

    scores: NDArray[np.float32]  #: (N, H, W), without the signs of suppressed cells
    signed: NDArray[np.float32]  #: (N, H, W), with them
    tags: NDArray[np.float32]  #: (N, H, W, L)
    negated: bool  #: whether signs mark cells that are no peaks


class Peak(NamedTuple):
    """Where a part may be."""

    row: int
    column: int
    score: np.float32
    tag: NDArray[np.float32]  #: (L,)


def read_fields(fields: TagFields) -> Maps:
    """Return the fields' real numbers."""
    signed = np.moveaxis(real(fields.heatmaps), 2, 0)
    scores = np.abs(signed) if fields.negated else signed
    return Maps(scores, signed, np.moveaxis(real(fields.tags), 2, 0), fields.negated)


def find_peaks(
    maps: Maps, part: int, threshold: float, most: int, radius: int, first_of_plateau: bool = False
) -> list[Peak]:
    """Return at most so many peaks of a part, best first; of equal ones, the first in the grid.

    A peak is above `threshold`, and no cell of the window of `radius` around it is higher. Where the network marks
    peaks by their sign, its marks count. With `first_of_plateau`, no earlier cell of the window is as high.
    """
    heatmap = maps.signed[part]
    found = []
    for row, column in np.argwhere(heatmap > threshold).tolist():
        if not maps.negated:
            top, left = max(row - radius, 0), max(column - radius, 0)
            window = heatmap[top : row + radius + 1, left : column + radius + 1]
            if (window > heatmap[row, column]).any():
                continue
            before = (window == heatmap[row, column]).ravel()[: (row - top) * window.shape[1] + column - left]
            if first_of_plateau and before.any():
                continue
        found.append(Peak(row, column, maps.scores[part, row, column], maps.tags[part, row, column]))
    return sorted(found, key=lambda peak: -float(peak.score))[:most]


def order_of_parts(num_parts: int) -> tuple[int, ...]:
    """Return in which order parts are grouped: COCO's head and trunk before its limbs."""
    return _ORDER_OF_COCO if num_parts == len(_ORDER_OF_COCO) else tuple(range(num_parts))
