"""Parts that none of a person's peaks gives: where field and heatmap, weak as they are, agree best."""

import math

import numpy as np
from numpy.typing import NDArray

from bottomup.paf.best import PafDecoder
from bottomup.paf.reference.limbs import Field
from bottomup.paf.reference.peaks import Peak
from bottomup.paf.reference.people import Joint, Person, extent, joints_of, merge
from bottomup.paf.reference.places import are_beside, clamped, distance, nearest, top_of_parabola
from bottomup.skeletons import Skeleton

__all__ = ["cells_around", "fill_people", "fill_person", "is_face", "mean_along", "middle_of_places", "size_of_face"]


def fill_people(
    people: list[Person],
    heatmaps: NDArray[np.float64],
    field: Field,
    peaks: list[list[Peak]],
    skeleton: Skeleton,
    decoder: PafDecoder,
) -> None:
    """Give everybody the parts they miss, the surest person first; merge people who prove to be one.

    Eyes and ears that were filled in far from the nose are taken back.
    """
    owner = {(part, peak): person for person in people for part, peak in person.peaks.items()}
    for person in sorted(people, key=lambda person: -(person.peak_sum + person.limb_sum)):
        while person.peaks:
            rival = fill_person(person, owner, heatmaps, field, peaks, skeleton, decoder)
            if rival is None:
                break
            merge(person, rival, owner)
        joints, size = joints_of(person, peaks), size_of_face(person, peaks, skeleton)
        for part, joint in list(person.filled.items()):
            if is_face(skeleton, part) and "nose" in skeleton.parts:
                nose = joints.get(skeleton.index("nose"))
                if nose is not None and distance(joint.place, nose.place) > 1.05 * size:
                    del person.filled[part]


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
                nose = joints.get(skeleton.index("nose")) if "nose" in skeleton.parts else None
                limit = size_of_face(person, peaks, skeleton) if is_face(skeleton, part) and nose else math.inf
                for cell in cells_around(joints[known[0]].place, reach, heatmaps.shape):
                    score = min(float(heatmaps[cell][part]), 1.0)
                    if nose is not None and distance(cell, nose.place) > limit:
                        continue
                    if score >= np.float32(decoder.fill_threshold):
                        mean = mean_along(field, edge, joints[known[0]].place, cell, known[0] == ends[0], decoder)
                        worth = score * factor * mean
                        if any(are_beside(cell, other) for other in others):
                            worth *= 0.0 if is_face(skeleton, part) else decoder.fill_owned_factor
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


def is_face(skeleton: Skeleton, part: int) -> bool:
    """Tell whether a part is an eye or an ear."""
    return skeleton.parts[part].endswith(("eye", "ear"))


def size_of_face(person: Person, peaks: list[list[Peak]], skeleton: Skeleton) -> float:
    """Return the larger of a person's shoulder width and 0.7 lengths of the torso; infinite where neither is known.

    The torso begins between the shoulders or at the neck, whichever is nearer to the hips.
    """
    joints = {skeleton.parts[part]: joint.place for part, joint in joints_of(person, peaks).items()}
    shoulders, hips = (
        [joints[f"{side}_{part}"] for side in ("left", "right") if f"{side}_{part}" in joints]
        for part in ("shoulder", "hip")
    )
    size = distance(*shoulders) if len(shoulders) == 2 else 0.0
    tops = [middle_of_places(shoulders)] if shoulders else []
    tops += [joints["neck"]] if "neck" in joints else []
    if tops and hips:
        size = max(size, 0.7 * min(distance(top, middle_of_places(hips)) for top in tops))
    return size if size > 0 else math.inf


def middle_of_places(places: list[tuple[float, float]]) -> tuple[float, float]:
    """Return the mean of places."""
    rows, columns = zip(*places, strict=True)
    return sum(rows) / len(places), sum(columns) / len(places)


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
