"""Limbs: which peaks a part affinity field connects, and how well."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bottomup.paf.best import PafDecoder
from bottomup.paf.reference.peaks import Peak
from bottomup.paf.reference.places import bilinear, clamped, distance, nearest
from bottomup.skeletons import Skeleton

__all__ = ["Field", "Limb", "best_pairs", "find_limbs", "limb_score"]


class Limb(NamedTuple):
    """Two peaks that a field connects."""

    edge: int
    parent: int  #: number of the peak among those of the parent part
    child: int
    score: float  #: what the field says, in [0, 1]
    rank: float  #: what limbs are sorted by


class Field(NamedTuple):
    """The vectors of all edges, and how to find a place of the heatmaps' grid in them."""

    vectors: NDArray[np.float64]  #: (H', W', E, 2), x and y
    ratio: tuple[float, float]  #: cells per cell of the heatmaps, down and across
    shift: float

    def at(self, place: tuple[float, float]) -> tuple[float, float]:
        """Return the place in this grid of a place in the heatmaps'."""
        down, across = ((0.5 + self.shift) * ratio - 0.5 for ratio in self.ratio)
        return place[0] * self.ratio[0] + down, place[1] * self.ratio[1] + across


def find_limbs(
    field: Field, peaks: list[list[Peak]], height: int, skeleton: Skeleton, decoder: PafDecoder
) -> list[Limb]:
    """List every pair of peaks that an edge's field connects, in a picture `height` cells high."""
    limbs = []
    for edge, (parent_part, child_part) in enumerate(skeleton.edges):
        for parent, start in enumerate(peaks[parent_part]):
            for child, end in enumerate(peaks[child_part]):
                score = limb_score(field, edge, start.place, end.place, decoder)
                if score > 0 and decoder.usual_length:
                    usual_length = decoder.usual_length * height
                    score += min(usual_length / distance(start.place, end.place) - 1, 0.0)
                if not score > decoder.min_limb_score:
                    if not distance(start.place, end.place) < decoder.touching:
                        continue
                    score = decoder.peak_threshold
                limbs.append(Limb(edge, parent, child, score, score + decoder.peak_weight * (start.score + end.score)))
    return best_pairs(limbs, peaks, skeleton) if decoder.matching == "hungarian" else limbs


def limb_score(
    field: Field, edge: int, start: tuple[float, float], end: tuple[float, float], decoder: PafDecoder
) -> float:
    """Return the mean of a field's component along a line, 0 where too little of it points so."""
    vectors = field.vectors[:, :, edge]
    (top, left), (bottom, right) = (clamped(field.at(place), vectors.shape) for place in (start, end))
    along = ((end[0] - start[0]) * field.ratio[0], (end[1] - start[1]) * field.ratio[1])
    length = math.sqrt(along[0] * along[0] + along[1] * along[1])
    if not length > 0:
        return 0.0
    votes = 0  # of the nearest cells to three points: cheap, and most wrong pairs get no two
    for part_way in (0.5, 0.25, 0.75):
        x, y = nearest(vectors, top + part_way * (bottom - top), left + part_way * (right - left))
        votes += x * along[1] + y * along[0] > decoder.limb_threshold * length
    if votes < 2:
        return 0.0
    samples = min(max(int(length + 0.5), decoder.min_samples), decoder.max_samples)
    total, hits = 0.0, 0
    for index in range(samples):
        part_way = index / (samples - 1)
        x, y = bilinear(vectors, top + part_way * (bottom - top), left + part_way * (right - left))
        value = x * (along[1] / length) + y * (along[0] / length)
        if value > decoder.limb_threshold:
            total += min(value, 1.0)
            hits += 1
    if hits == 0 or hits < math.ceil(decoder.limb_ratio * samples - 1e-9):
        return 0.0
    return total / (hits if decoder.limb_score == "hits" else samples)


def best_pairs(limbs: list[Limb], peaks: list[list[Peak]], skeleton: Skeleton) -> list[Limb]:
    """Return, of each edge, the limbs of highest sum in which no peak has two."""
    from scipy.optimize import linear_sum_assignment

    chosen = []
    for edge, (parent_part, child_part) in enumerate(skeleton.edges):
        worth = np.zeros((len(peaks[parent_part]), len(peaks[child_part])))
        of_edge = {(limb.parent, limb.child): limb for limb in limbs if limb.edge == edge}
        for pair, limb in of_edge.items():
            worth[pair] = limb.rank
        pairs = zip(*linear_sum_assignment(worth, maximize=True), strict=True)
        chosen += [of_edge[pair] for pair in pairs if pair in of_edge]
    return chosen
