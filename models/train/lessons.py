"""What is known of a training photo: COCO's labels and the teachers' answers, brought together."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from bottomup.similarity import similarity
from bottomup.skeletons import COCO17
from models.train.photos import Photo
from models.train.teachers import read_answers

#: Lowest score of a pose that no label confirms, and of a part that a teacher alone has seen.
SURE_POSE, SURE_PART = 0.35, 0.3
#: Lowest similarity of a pose and a label that are one person, and lowest share of a pose's parts inside its box.
SAME, INSIDE = 0.3, 0.6


class Lesson(NamedTuple):
    """A photo with everything that a network should learn from it, in its pixels."""

    image: NDArray[np.uint8]  #: (H, W, 3) BGR
    keypoints: NDArray[np.float32]  #: (M, 17, 3) x, y, 1; zeros where a part is not to be found
    unsure: NDArray[np.bool_]  #: (M, 17) parts that are missing from the labels, though they may be in sight
    unknown: NDArray[np.float32]  #: (K, 4) left, top, width, height of people and crowds without keypoints
    people: NDArray[np.uint8] | None  #: (H', W') 0 to 255: where people are, one cell every `teachers.STEP` pixels


def lesson(photo: Photo, answers: Path | None, is_rough: bool = False) -> Lesson:
    """Return a photo's lesson.

    With exact labels, every person has a box: a teacher's pose counts where a
    box has no keypoints, and completes a labelled person's parts. With rough
    labels, which know one person, a teacher's pose of that person comes first,
    and others count too; parts that are then missing may be in sight.
    """
    image = cv2.imread(str(photo.path))
    is_labelled = (photo.keypoints[..., 2] > 0).any(axis=1) & ~photo.crowds
    labelled = photo.keypoints[is_labelled].copy()
    labelled[..., 2] = labelled[..., 2] > 0
    boxes, people = photo.boxes[~is_labelled], None
    added, unsure = [], np.zeros((len(labelled), 17), bool)
    if is_rough:
        unsure = labelled[..., 2] == 0
    if answers is not None:
        found, scores, people = read_answers(answers, photo.path)
        taken = np.zeros(len(boxes), bool)
        free = np.ones(len(labelled), bool)
        for pose, score in zip(found, scores, strict=True):
            is_sure = pose[:, 2] >= SURE_PART
            alike = [_similarity(pose, person) for person in labelled]
            best = int(np.argmax(alike)) if alike else -1
            if best >= 0 and alike[best] >= SAME:
                if free[best]:
                    free[best] = False
                    _complete(labelled[best], pose, is_sure, is_rough and alike[best] >= 0.5)
                    unsure[best] &= labelled[best, :, 2] == 0
                continue
            if is_sure.sum() < 4 or _touches(pose[is_sure], labelled):
                continue
            if is_rough:
                is_new = score >= SURE_POSE
            else:
                shares = _shares_inside(pose[is_sure], boxes)
                is_new = bool(len(shares)) and shares.max() >= INSIDE
                if is_new and not photo.crowds[~is_labelled][shares.argmax()]:
                    is_new, taken[shares.argmax()] = not taken[shares.argmax()], True
            if is_new:
                person = np.zeros((17, 3), np.float32)
                _complete(person, pose, is_sure, False)
                added.append(person)
        boxes = boxes[~taken]
    more = np.array(added, np.float32).reshape(-1, 17, 3)
    return Lesson(
        image,
        np.concatenate([labelled, more]),
        np.concatenate([unsure, more[..., 2] == 0]),
        boxes,
        people,
    )


def lessons(photos: Iterable[Photo], answers: Path | None, is_rough: bool = False) -> list[Lesson]:
    """Return the lessons of all photos that teachers have answered, or of all if there are no teachers."""
    known = [photo for photo in photos if answers is None or (answers / f"{photo.path.stem}.npz").exists()]
    return [lesson(photo, answers, is_rough) for photo in known]


def _complete(person: NDArray[np.float32], pose: NDArray[np.float32], is_sure: NDArray[np.bool_], over: bool) -> None:
    """Give a person the parts of a pose that it lacks, or all that the pose is sure of."""
    which = is_sure if over else is_sure & (person[:, 2] == 0)
    person[which, :2], person[which, 2] = pose[which, :2], 1


def _similarity(pose: NDArray[np.float32], person: NDArray[np.float32]) -> float:
    """Return the object keypoint similarity over the parts that both have."""
    both = (person[:, 2] > 0) & (pose[:, 2] > 0)
    if both.sum() < 2:
        return 0.0
    seen = person[person[:, 2] > 0, :2]
    area = max(float(np.prod(np.ptp(seen, axis=0))), 64.0)
    squared = np.square(pose[both, :2] - person[both, :2]).sum(axis=1)
    return float(similarity(squared, area, np.array(COCO17.kappas)[both]).mean())


def _touches(seen: NDArray[np.float32], people: NDArray[np.float32]) -> bool:
    """Return whether most of a pose's parts lie within the box of somebody who is labelled."""
    for person in people:
        known = person[person[:, 2] > 0, :2]
        low, high = known.min(axis=0), known.max(axis=0)
        if ((seen[:, :2] >= low) & (seen[:, :2] <= high)).all(axis=1).mean() > 0.5:
            return True
    return False


def _shares_inside(seen: NDArray[np.float32], boxes: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return which share of a pose's parts lies inside each box."""
    low, high = boxes[:, None, :2], boxes[:, None, :2] + boxes[:, None, 2:]
    return np.asarray(((seen[None, :, :2] >= low) & (seen[None, :, :2] <= high)).all(axis=2).mean(axis=1))
