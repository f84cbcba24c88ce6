"""What is wrong with each part of the people who were found."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bottomup.evaluate.matching import ImageMatches, Person, keypoint_similarity
from bottomup.skeletons import COCO17

__all__ = ["PartErrors", "part_errors"]

_GOOD, _NEAR = 0.85, 0.5  # keypoint similarities of the reference
_KINDS = ("good", "jitter", "inversion", "swap", "miss", "absent")


class PartErrors(NamedTuple):
    """How one part was placed in all the people who were found; the last six are shares that sum to 1."""

    part: str
    labelled: int  #: in people who were found
    median_error: float  #: distance over the root of the person's area, for keypoints that poses have
    good: float  #: keypoint similarity of at least .85
    jitter: float  #: near but not exact: .5 to .85
    inversion: float  #: at the same person's part on the other side
    swap: float  #: at someone else's part of that kind, on either side
    miss: float  #: elsewhere
    absent: float  #: the pose has no such keypoint


def part_errors(matches: Iterable[ImageMatches]) -> list[PartErrors]:
    """Sort the labelled keypoints of the people who were found by kind of error, part by part.

    Parameters
    ----------
    matches : iterable of ImageMatches
        What `match_people` returns.

    Returns
    -------
    list of PartErrors
        One per part, in the skeleton's order. Shares and error are nan for a part that nobody has labelled.

    References
    ----------
    Ronchi and Perona, "Benchmarking and Error Diagnosis in Multi-Instance Pose Estimation", ICCV 2017, section 3.
    arXiv:1707.05388. "absent" is ours: bottom-up decoders need not find every part.
    """
    every = list(matches)
    skeleton = every[0].skeleton if every else COCO17
    counts = np.zeros((len(skeleton.parts), len(_KINDS)), np.int64)
    errors: list[list[float]] = [[] for _ in skeleton.parts]
    for match in every:
        for number, pose, _ in match.pairs:
            person, others = match.people[number], [each for each in match.people if not each.ignored]
            others = [each for each in others if each is not person]
            for part in np.flatnonzero(person.labelled).tolist():
                kind = _kind(match.poses[pose, part], part, person, others)
                counts[part, _KINDS.index(kind)] += 1
                if kind != "absent":
                    apart = np.linalg.norm(match.poses[pose, part, :2] - person.keypoints[part, :2])
                    errors[part].append(float(apart / np.sqrt(max(person.area, 1.0))))
    table = []
    for part, name in enumerate(skeleton.parts):
        total = int(counts[part].sum())
        shares = [float(count) / total if total else np.nan for count in counts[part]]
        median = float(np.median(errors[part])) if errors[part] else np.nan
        table.append(PartErrors(name, total, median, *shares))
    return table


def _kind(keypoint: NDArray[np.float64], part: int, person: Person, others: list[Person]) -> str:
    """Return what is wrong with a keypoint."""
    if not keypoint.any():  # COCO writes zeros for a part that was not found
        return "absent"
    right = _near(keypoint, person, part)
    if right >= _NEAR:
        return "good" if right >= _GOOD else "jitter"
    mirrored = person.skeleton.mirror[part]
    inverted = _near(keypoint, person, mirrored) if mirrored != part else 0.0
    swapped = max((_near(keypoint, other, each) for other in others for each in {part, mirrored}), default=0.0)
    if max(inverted, swapped) < _NEAR:
        return "miss"
    return "inversion" if inverted >= swapped else "swap"


def _near(keypoint: NDArray[np.float64], person: Person, part: int) -> float:
    """Return the similarity to a person's part; 0 if that is not labelled."""
    if not person.labelled[part]:
        return 0.0
    return float(keypoint_similarity(keypoint[None, :2], person, np.array([part]))[0])
