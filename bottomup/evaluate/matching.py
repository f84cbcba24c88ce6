"""Match poses to labelled people."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bottomup.evaluate.documents import Annotations, Results, Truth, read_results, read_truth
from bottomup.similarity import similarity as similarity_of_keypoints
from bottomup.skeletons import COCO17, Skeleton

__all__ = ["ImageMatches", "Person", "keypoint_similarity", "match_people", "similarity"]

_MOST_POSES = 20  # per image, as in COCO's evaluation


class Person(NamedTuple):
    """A labelled person."""

    keypoints: NDArray[np.float64]  #: (N, 3): x, y, visibility; 0 where it is not labelled
    area: float  #: square pixels
    box: tuple[float, float, float, float]  #: x, y, width, height
    ignored: bool  #: a crowd, or no keypoint is labelled: finding or missing it does not count
    skeleton: Skeleton = COCO17  #: names the N parts

    @property
    def labelled(self) -> NDArray[np.bool_]:
        """Which of the parts are labelled."""
        return self.keypoints[:, 2] > 0


class ImageMatches(NamedTuple):
    """The people who were found in an image."""

    image: dict[str, Any]  #: its record in the annotations
    people: list[Person]
    poses: NDArray[np.float64]  #: (K, N, 3): x, y, score; best first
    scores: NDArray[np.float64]  #: (K,)
    pairs: list[tuple[int, int, float]]  #: index of a person, index of their pose, OKS of the two
    false: list[int]  #: indices of poses that match neither a person nor a crowd
    skeleton: Skeleton = COCO17  #: names the N parts


def match_people(
    results: Results,
    annotations: Annotations | Truth,
    *,
    min_score: float = 0.0,
    lowest_similarity: float = 0.1,
    image_ids: Iterable[int] | None = None,
    skeleton: Skeleton | None = None,
) -> list[ImageMatches]:
    """Match the poses in each image to its labelled people.

    The pose with the highest score takes the person with the highest OKS; the
    next pose chooses among the people left. `lowest_similarity` is meant for
    looking at errors: it is below COCO's .5, so that a wrong pose still matches
    its person and shows what is wrong.

    Parameters
    ----------
    results, annotations, image_ids, skeleton
        As for `keypoint_ap`.
    min_score : float
        Poses below this score are left out.
    lowest_similarity : float
        OKS from which a pose matches a person. Default: that of the reference.

    Returns
    -------
    list of ImageMatches
        One per image, in the annotations' order.

    Raises
    ------
    InputError
        If a document is not valid; the message names the entry.

    References
    ----------
    Ronchi and Perona, "Benchmarking and Error Diagnosis in Multi-Instance Pose Estimation", ICCV 2017. arXiv:1707.05388
    """
    truth = read_truth(annotations, skeleton)
    checked = read_results(results, truth)
    truth = truth.of_images(image_ids)
    people: dict[int, list[Person]] = {number: [] for number in truth.images}
    poses: dict[int, list[dict[str, Any]]] = {number: [] for number in truth.images}
    for person in truth.people:
        keypoints = np.array(person["keypoints"], np.float64).reshape(-1, 3)
        people[person["image_id"]].append(
            Person(keypoints, float(person["area"]), tuple(person["bbox"]), bool(person["ignore"]), truth.skeleton)
        )
    for result in checked:
        if result["image_id"] in poses and result["score"] >= min_score:
            poses[result["image_id"]].append(result)
    return [
        _match(dict(image), people[number], poses[number], lowest_similarity, truth.skeleton)
        for number, image in truth.images.items()
    ]


def similarity(poses: NDArray[np.float64], person: Person) -> NDArray[np.float64]:
    """Return the (K,) object keypoint similarities (OKS) of (K, N, 3) poses to a person, in [0, 1].

    For a person without labelled keypoints, it says how near the pose is to the
    person's box, extended by its own size on all sides, as in COCO's evaluation.

    Parameters
    ----------
    poses : (K, N, 3) array
        x, y and score of each part, in pixels.
    person : Person
        A labelled person of the same parts.
    """
    if person.labelled.any():
        labelled = np.flatnonzero(person.labelled)
        return np.asarray(keypoint_similarity(poses[:, labelled, :2], person, labelled).mean(axis=1))
    x, y, width, height = person.box
    low, high = np.array([x - width, y - height]), np.array([x + 2 * width, y + 2 * height])
    outside = np.maximum(low - poses[..., :2], 0) + np.maximum(poses[..., :2] - high, 0)
    kappas = np.array(person.skeleton.kappas)
    every = similarity_of_keypoints(np.square(outside).sum(axis=-1), person.area + np.spacing(1), kappas)
    return np.asarray(every.mean(axis=1))


def keypoint_similarity(
    positions: NDArray[np.float64], person: Person, parts: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return the (..., P) similarities of (..., P, 2) positions to P parts of a person."""
    squared = np.square(positions - person.keypoints[parts, :2]).sum(axis=-1)
    kappas = np.array(person.skeleton.kappas)[parts]
    return similarity_of_keypoints(squared, person.area + np.spacing(1), kappas)


def _match(
    image: dict[str, Any], people: list[Person], results: Sequence[dict[str, Any]], lowest: float, skeleton: Skeleton
) -> ImageMatches:
    """Match one image's poses with its people."""
    results = sorted(results, key=lambda result: -result["score"])[:_MOST_POSES]
    poses = np.array([result["keypoints"] for result in results], np.float64).reshape(-1, len(skeleton.parts), 3)
    scores = np.array([result["score"] for result in results], np.float64)
    table = np.array([similarity(poses, person) for person in people]).reshape(len(people), len(results))
    pairs, false = [], []
    free = [number for number, person in enumerate(people) if not person.ignored]
    ignored = [number for number, person in enumerate(people) if person.ignored]
    for pose in range(len(results)):
        best = max(free, key=lambda person: table[person, pose], default=None)
        if best is not None and table[best, pose] >= lowest:
            free.remove(best)
            pairs.append((best, pose, float(table[best, pose])))
        elif not any(table[person, pose] >= lowest for person in ignored):
            false.append(pose)
    return ImageMatches(image, people, poses, scores, pairs, false, skeleton)
