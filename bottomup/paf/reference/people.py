"""People: limbs that share peaks, best first; then which of them to believe, and how much."""

import math
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from bottomup.paf.best import PafDecoder
from bottomup.paf.reference.limbs import Limb
from bottomup.paf.reference.peaks import Peak
from bottomup.similarity import AREA_OF_JOINTS
from bottomup.skeletons import Skeleton

__all__ = ["Joint", "Person", "assemble", "extent", "is_fragment", "joints_of", "merge", "person_score", "rank_people"]


class Joint(NamedTuple):
    """One person's part."""

    place: tuple[float, float]
    score: float
    filled: bool


@dataclass
class Person:
    """Parts that belong together; nobody any more when others took their `peaks`."""

    peaks: dict[int, int] = field(default_factory=dict)  #: part -> number of its peak
    filled: dict[int, Joint] = field(default_factory=dict)  #: part -> where it was filled in
    peak_sum: float = 0.0
    limb_sum: float = 0.0
    num_limbs: int = 0


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


def rank_people(
    people: list[Person], peaks: list[list[Peak]], skeleton: Skeleton, decoder: PafDecoder
) -> list[tuple[float, Person]]:
    """Return the people to believe in, with their scores, best first, without fragments of better ones."""
    scored = []
    countable = sum(not part.endswith(("toe", "heel")) for part in skeleton.parts)
    for person in people:
        parts = [part for part in person.peaks if not skeleton.parts[part].endswith(("toe", "heel"))]
        evidence = person.peak_sum + person.limb_sum
        if len(parts) >= max(min(decoder.min_parts, countable), 1) and not evidence < decoder.min_mean_score * len(
            person.peaks
        ):
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
