"""The part affinity field decoder read aloud: pure numpy, one definition a function, no numba.

Slow and plain. `PafDecoder` must give what `decode` gives here; hold your
own port against it, too. Positions are (row, column) in cells of the
heatmaps until the last step.
"""

import math
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bottomup.errors import InputError
from bottomup.paf.best import PafDecoder
from bottomup.paf.fields import PafFields
from bottomup.poses import Poses
from bottomup.similarity import AREA_OF_JOINTS
from bottomup.skeletons import Skeleton


class Peak(NamedTuple):
    """Where a part may be."""

    cell: tuple[int, int]
    place: tuple[float, float]  #: the same, refined
    score: float  #: in [0, 1]


class Limb(NamedTuple):
    """Two peaks that a field connects."""

    edge: int
    parent: int  #: number of the peak among those of the parent part
    child: int
    score: float  #: what the field says, in [0, 1]
    rank: float  #: what limbs are sorted by


class Joint(NamedTuple):
    """One person's part."""

    place: tuple[float, float]
    score: float
    filled: bool


class Field(NamedTuple):
    """The vectors of all edges, and how to find a place of the heatmaps' grid in them."""

    vectors: NDArray[np.float64]  #: (H', W', E, 2), x and y
    ratio: tuple[float, float]  #: cells per cell of the heatmaps, down and across
    shift: float

    def at(self, place: tuple[float, float]) -> tuple[float, float]:
        """Return the place in this grid of a place in the heatmaps'."""
        down, across = ((0.5 + self.shift) * ratio - 0.5 for ratio in self.ratio)
        return place[0] * self.ratio[0] + down, place[1] * self.ratio[1] + across


@dataclass
class Person:
    """Parts that belong together; nobody any more when others took their `peaks`."""

    peaks: dict[int, int] = field(default_factory=dict)  #: part -> number of its peak
    filled: dict[int, Joint] = field(default_factory=dict)  #: part -> where it was filled in
    peak_sum: float = 0.0
    limb_sum: float = 0.0
    num_limbs: int = 0


def decode(fields: PafFields, decoder: PafDecoder) -> Poses:
    """Return the poses of one image, best first, in input pixels: what `decoder.decode(fields)` must equal.

    Parameters
    ----------
    fields : PafFields
        One image's network outputs.
    decoder : PafDecoder
        Whose rules to follow.
    """
    if not isinstance(fields, PafFields) or not isinstance(decoder, PafDecoder):
        raise InputError(f"expected PafFields and a PafDecoder, got {type(fields).__name__} and {decoder!r}")
    skeleton = fields.skeleton
    with np.errstate(all="ignore"):  # infinite and missing values are let through, and lead nowhere
        heatmaps, pafs = read_fields(fields)
        peaks = [find_peaks(heatmaps[:, :, part], decoder) for part in range(len(skeleton.parts))]
        limbs = find_limbs(pafs, peaks, len(heatmaps), skeleton, decoder)
        people = assemble(limbs, peaks, skeleton, decoder)
        if decoder.fill:
            fill_people(people, heatmaps, pafs, peaks, skeleton, decoder)
        ranked = rank_people(people, peaks, skeleton, decoder)
        return as_poses(ranked, peaks, fields, decoder)


def read_fields(fields: PafFields) -> tuple[NDArray[np.float64], Field]:
    """Return real numbers: heatmaps (H, W, N) without background, and the field before its cells were repeated."""
    heatmaps, pafs = (
        tensor if isinstance(tensor, np.ndarray) else tensor.dequantize() for tensor in (fields.heatmaps, fields.pafs)
    )
    skeleton, every = fields.skeleton, fields.paf_repeat
    channels = skeleton.paf_channels
    vectors = pafs[::every, ::every][..., np.array(channels)].astype(np.float64)
    ratio = (vectors.shape[0] / max(heatmaps.shape[0], 1), vectors.shape[1] / max(heatmaps.shape[1], 1))
    return heatmaps[:, :, : len(skeleton.parts)].astype(np.float64), Field(vectors, ratio, fields.paf_shift)


def find_peaks(heatmap: NDArray[np.float64], decoder: PafDecoder) -> list[Peak]:
    """Find one part's peaks: plateaus of equal cells, mostly of one, above the threshold, with nothing higher beside.

    A plateau's peak is its cell nearest to its middle. Of too many, the
    strongest stay, of equal ones the first. In the order of their plateaus' first cells.
    """
    tops, seen = [], np.zeros(heatmap.shape, np.bool_)
    for row, column in np.ndindex(*heatmap.shape):
        if heatmap[row, column] > np.float32(decoder.peak_threshold) and not seen[row, column]:
            plateau, around = flood(heatmap, (row, column))
            for cell in plateau:
                seen[cell] = True
            if not any(heatmap[cell] > heatmap[row, column] for cell in around):
                tops.append(middle_of(plateau))
    most = min(decoder.max_peaks, (heatmap.size + 1) // 2 + 1)
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


def assemble(limbs: list[Limb], peaks: list[list[Peak]], skeleton: Skeleton, decoder: PafDecoder) -> list[Person]:
    """Join limbs to people, the best limb first; people who were merged into others keep their place, without peaks."""
    people: list[Person] = []
    owner: dict[tuple[int, int], Person] = {}
    used: set[tuple[int, str, int]] = set()

    def join(person: Person, part: int, peak: int) -> None:
        person.peaks[part] = peak
        person.peak_sum += peaks[part][peak].score
        owner[part, peak] = person

    for limb in sorted(limbs, key=lambda limb: (-limb.rank, limb.edge, limb.parent, limb.child)):
        ends = [(skeleton.edges[limb.edge][0], limb.parent), (skeleton.edges[limb.edge][1], limb.child)]
        uses = {(limb.edge, "parent", limb.parent), (limb.edge, "child", limb.child)}
        if used & uses:
            continue
        one, other = (owner.get(end) for end in ends)
        person, taken = one or other, True
        if person is None:
            person = Person()
            people.append(person)
            for end in ends:
                join(person, *end)
        elif one is None or other is None:
            part, peak = ends[0] if one is None else ends[1]
            taken = part not in person.peaks
            if taken:
                join(person, part, peak)
        elif one is not other:
            person, gone = sorted((one, other), key=lambda each: next(i for i, p in enumerate(people) if p is each))
            taken = limb.edge not in skeleton.redundant_edges and not one.peaks.keys() & other.peaks.keys()
            if taken:
                merge(person, gone, owner)
        if taken:
            person.limb_sum += limb.score
            person.num_limbs += 1
        if taken or decoder.matching == "greedy":
            used |= uses
    return people


def merge(person: Person, gone: Person, owner: dict[tuple[int, int], Person]) -> None:
    """Give a person all that another has."""
    for part, peak in gone.peaks.items():
        person.peaks[part] = peak
        owner[part, peak] = person
    person.peak_sum += gone.peak_sum
    person.limb_sum += gone.limb_sum
    person.num_limbs += gone.num_limbs
    gone.peaks.clear()
    gone.filled.clear()
    gone.peak_sum, gone.limb_sum, gone.num_limbs = 0.0, 0.0, 0


def fill_people(
    people: list[Person],
    heatmaps: NDArray[np.float64],
    field: Field,
    peaks: list[list[Peak]],
    skeleton: Skeleton,
    decoder: PafDecoder,
) -> None:
    """Give everybody the parts they miss, the surest person first; merge people who prove to be one."""
    owner = {(part, peak): person for person in people for part, peak in person.peaks.items()}
    for person in sorted(people, key=lambda person: -(person.peak_sum + person.limb_sum)):
        while person.peaks:
            rival = fill_person(person, owner, heatmaps, field, peaks, skeleton, decoder)
            if rival is None:
                break
            merge(person, rival, owner)


def fill_person(
    person: Person,
    owner: dict[tuple[int, int], Person],
    heatmaps: NDArray[np.float64],
    field: Field,
    peaks: list[list[Peak]],
    skeleton: Skeleton,
    decoder: PafDecoder,
) -> Person | None:
    """Fill one person, the best part first; return who proves to be the same person, None in the end."""
    person.filled.clear()
    height, width = extent(joints_of(person, peaks).values())
    reach = max(decoder.fill_window * max(height, width), decoder.min_fill_window)
    best: dict[int, tuple[float, tuple[int, int], float]] = {}  # part -> worth, cell, score
    new = set(person.peaks)
    while True:
        joints = joints_of(person, peaks)
        for edge, ends in enumerate(skeleton.edges):
            known = [part for part in ends if part in joints]
            if len(known) == 1 and new & set(ends):
                part = ends[1] if known[0] == ends[0] else ends[0]
                factor = decoder.fill_chain_factor if joints[known[0]].filled else 1.0
                others = [
                    peak.cell
                    for number, peak in enumerate(peaks[part])
                    if owner.get((part, number), person) is not person
                ]
                for cell in cells_around(joints[known[0]].place, reach, heatmaps.shape):
                    score = min(float(heatmaps[cell][part]), 1.0)
                    if score >= np.float32(decoder.fill_threshold):
                        mean = mean_along(field, edge, joints[known[0]].place, cell, known[0] == ends[0], decoder)
                        worth = score * factor * mean
                        if any(are_beside(cell, other) for other in others):
                            worth *= decoder.fill_owned_factor
                        if worth > best.get(part, (0.0,))[0]:
                            best[part] = (worth, cell, score * mean)
        missing = [part for part in sorted(best) if part not in joints]
        if not missing:
            return None
        part = max(missing, key=lambda part: best[part][0])
        _, cell, score = best[part]
        for number, peak in enumerate(peaks[part]):
            rival = owner.get((part, number), person)
            if are_beside(cell, peak.cell) and rival is not person and not rival.peaks.keys() & person.peaks.keys():
                return rival
        place = (
            cell[0] + top_of_parabola(heatmaps[:, cell[1], part], cell[0]),
            cell[1] + top_of_parabola(heatmaps[cell[0], :, part], cell[1]),
        )
        person.filled[part] = Joint(place, score, True)
        new = {part}


def cells_around(place: tuple[float, float], reach: float, shape: tuple[int, ...]) -> list[tuple[int, int]]:
    """List the cells at most `reach` from a place, down and across."""
    rows, columns = (
        range(max(math.ceil(at - reach), 0), min(int(at + reach), size - 1) + 1)
        for at, size in zip(place, shape, strict=False)
    )
    return [(row, column) for row in rows for column in columns]


def mean_along(
    field: Field, edge: int, known: tuple[float, float], cell: tuple[int, int], outwards: bool, decoder: PafDecoder
) -> float:
    """Return the mean of a field between a known joint and a cell, 0 where too little of it points along the edge."""
    vectors = field.vectors[:, :, edge]
    (top, left), (bottom, right) = (clamped(field.at(place), vectors.shape) for place in (known, cell))
    down, across = bottom - top, right - left
    length = math.sqrt(down * down + across * across)
    if not length > 0:
        return 0.0
    sign = 1.0 if outwards else -1.0
    x, y = sign * across / length, sign * down / length
    steps = decoder.fill_samples - 1
    total, hits = 0.0, 0
    for index in range(decoder.fill_samples):
        vector = nearest(vectors, top + index * (down / steps), left + index * (across / steps))
        value = vector[0] * x + vector[1] * y
        if value > 0:
            total += min(value, 1.0)
            hits += 1
    return total / decoder.fill_samples if hits >= decoder.fill_ratio * decoder.fill_samples else 0.0


def rank_people(
    people: list[Person], peaks: list[list[Peak]], skeleton: Skeleton, decoder: PafDecoder
) -> list[tuple[float, Person]]:
    """Return the people to believe in, with their scores, best first, without fragments of better ones."""
    scored = []
    for person in people:
        parts = [part for part in person.peaks if not skeleton.parts[part].endswith(("toe", "heel"))]
        evidence = person.peak_sum + person.limb_sum
        if len(parts) >= decoder.min_parts and not evidence < decoder.min_mean_score * len(person.peaks):
            scored.append((person_score(person, evidence, peaks, skeleton, decoder), person))
    kept: list[tuple[float, Person]] = []
    for score, person in sorted(scored, key=lambda each: -each[0]):
        if not any(is_fragment(person, other, peaks, skeleton, decoder) for _, other in kept):
            kept.append((score, person))
    return kept


def person_score(
    person: Person, evidence: float, peaks: list[list[Peak]], skeleton: Skeleton, decoder: PafDecoder
) -> float:
    """Return a person's score, in [0, 1]."""
    if decoder.ranking == "mean":
        return min(evidence / (len(skeleton.parts) + len(skeleton.edges)), 1.0)
    if decoder.ranking == "tao":
        return 1 - 1 / evidence if evidence > 1 else 0.0
    observed = Person(peaks=person.peaks)
    size = max(extent(joints_of(observed, peaks).values()))
    score = evidence / math.sqrt(len(person.peaks) + person.num_limbs)
    score *= size / (size + decoder.half_size) if size > 0 else 0.0
    return 1 / (1 + math.exp(3 * (decoder.half_score - score)))


def is_fragment(
    person: Person, other: Person, peaks: list[list[Peak]], skeleton: Skeleton, decoder: PafDecoder
) -> bool:
    """Tell whether a person's peaks lie, on average and as OKS measures it, on the joints of another."""
    own, theirs = joints_of(Person(peaks=person.peaks), peaks), joints_of(other, peaks)
    height, width = extent(theirs.values())
    area = height * width
    if not area > 0:
        return False
    total = 0.0
    for part in range(len(skeleton.parts)):
        if part in own and part in theirs:
            down, across = (a - b for a, b in zip(own[part].place, theirs[part].place, strict=True))
            away = (down * down + across * across) / (area * (2 * AREA_OF_JOINTS * skeleton.kappas[part] ** 2))
            total += math.exp(-away) if away < 20 else 0.0
    return total > decoder.max_overlap * len(own)


def as_poses(
    ranked: list[tuple[float, Person]], peaks: list[list[Peak]], fields: PafFields, decoder: PafDecoder
) -> Poses:
    """Return people as poses in input pixels: the middle of cell 0 is at pixel (stride - 1) / 2."""
    skeleton, stride = fields.skeleton, fields.output_stride
    keypoints = np.full((len(ranked), len(skeleton.parts), 3), (np.nan, np.nan, 0.0), np.float32)
    filled = np.zeros(keypoints.shape[:2], np.bool_)
    shift_x, shift_y = (one + other for one, other in zip(decoder.shifts, fields.shift, strict=True))
    for pose, (_, person) in enumerate(ranked):
        for part, joint in joints_of(person, peaks).items():
            x, y = (at * stride for at in (joint.place[1] + 0.5, joint.place[0] + 0.5))
            keypoints[pose, part] = x - 0.5 + shift_x, y - 0.5 + shift_y, joint.score
            filled[pose, part] = joint.filled
    return Poses(keypoints, np.array([score for score, _ in ranked], np.float32), skeleton, None, filled)


def joints_of(person: Person, peaks: list[list[Peak]]) -> dict[int, Joint]:
    """Return a person's joints, by part: peaks, and what was filled in."""
    observed = {
        part: Joint(peaks[part][peak].place, peaks[part][peak].score, False) for part, peak in person.peaks.items()
    }
    return {**person.filled, **observed}


def extent(joints: Any) -> tuple[float, float]:
    """Return height and width of the box around joints."""
    rows, columns = zip(*(joint.place for joint in joints), strict=True)
    return max(rows) - min(rows), max(columns) - min(columns)


def nearest(vectors: NDArray[np.float64], row: float, column: float) -> tuple[float, float]:
    """Return x and y of the vector in the nearest cell."""
    row, column = clamped((row, column), vectors.shape)
    x, y = vectors[int(row + 0.5), int(column + 0.5)]
    return float(x), float(y)


def bilinear(vectors: NDArray[np.float64], row: float, column: float) -> tuple[float, float]:
    """Return x and y of the vector between four cells."""
    row, column = clamped((row, column), vectors.shape)
    top, left = int(row), int(column)
    below, beside = row - top, column - left
    bottom, right = top + (below > 0), left + (beside > 0)
    upper = (1 - beside) * vectors[top, left] + beside * vectors[top, right]
    lower = (1 - beside) * vectors[bottom, left] + beside * vectors[bottom, right]
    x, y = (1 - below) * upper + below * lower
    return float(x), float(y)


def clamped(place: tuple[float, float], shape: tuple[int, ...]) -> tuple[float, float]:
    """Return a place inside the grid."""
    return min(max(place[0], 0.0), shape[0] - 1.0), min(max(place[1], 0.0), shape[1] - 1.0)


def are_beside(one: tuple[int, int], other: tuple[int, int]) -> bool:
    """Tell whether two cells are the same or touch."""
    return abs(one[0] - other[0]) <= 1 and abs(one[1] - other[1]) <= 1


def distance(one: tuple[float, float], other: tuple[float, float]) -> float:
    """Return how far two places are apart, in cells."""
    return math.sqrt((other[0] - one[0]) ** 2 + (other[1] - one[1]) ** 2)


def top_of_parabola(line: NDArray[np.float64], place: int) -> float:
    """Return how far from `place` a parabola through its neighbours is highest; 0 at a border."""
    if place in (0, len(line) - 1):
        return 0.0
    before, centre, after = (float(line[at]) for at in (place - 1, place, place + 1))
    curvature = before - 2 * centre + after
    return half_clamp(0.5 * (before - after) / curvature) if curvature < 0 else 0.0


def log(value: float) -> float:
    """Return a logarithm, of at least 0.001."""
    return math.log(value) if value > 1e-3 else math.log(1e-3)


def half_clamp(shift: float) -> float:
    """Return a shift inside [-0.5, 0.5]; nan becomes 0."""
    return 0.0 if math.isnan(shift) else min(max(shift, -0.5), 0.5)


def clip(value: float) -> float:
    """Return a score inside [0, 1]."""
    return min(value, 1.0) if value > 0 else 0.0
