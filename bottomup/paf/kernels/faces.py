"""Faces: how far from the nose an eye or ear that was filled in may be."""

import math

import numpy as np

from bottomup.kernels.jit import helper
from bottomup.paf.kernels.people import FILLED, MISSING

NEAR = 1.0  # sizes of a face from the nose within which eyes and ears are looked for
_FARTHEST = 1.05  # and farther than which none stays
_OF_TORSO = 0.7

# Of `landmarks`.
NOSE = 0
LEFT_SHOULDER = 1
RIGHT_SHOULDER = 2
LEFT_HIP = 3
RIGHT_HIP = 4
NECK = 5


@helper
def size_of_face(members, joints, person, landmarks):
    """Return the larger of shoulder width and 0.7 lengths of the torso, in cells; inf where neither is known.

    The torso begins between the shoulders or at the neck, whichever is nearer to the hips.
    """
    size = 0.0
    left = landmarks[LEFT_SHOULDER]
    right = landmarks[RIGHT_SHOULDER]
    if has(members, person, left) and has(members, person, right):
        size = apart(
            joints[person, left, 0], joints[person, left, 1], joints[person, right, 0], joints[person, right, 1]
        )
    shoulder_row, shoulder_column, shoulders = middle(members, joints, person, left, right)
    hip_row, hip_column, hips = middle(members, joints, person, landmarks[LEFT_HIP], landmarks[RIGHT_HIP])
    torso = np.inf
    if shoulders > 0.0:
        torso = apart(shoulder_row, shoulder_column, hip_row, hip_column)
    neck = landmarks[NECK]
    if has(members, person, neck):
        torso = min(torso, apart(joints[person, neck, 0], joints[person, neck, 1], hip_row, hip_column))
    if hips > 0.0 and torso < np.inf:
        size = max(size, _OF_TORSO * torso)
    return size if size > 0.0 else np.inf


@helper
def has(members, person, part):
    """Tell whether a person has a part, found or filled in."""
    return part >= 0 and members[person, part] != MISSING


@helper
def middle(members, joints, person, one, other):
    """Return row and column midway between two parts, or of the one that is known, and how many are."""
    row = 0.0
    column = 0.0
    number = 0.0
    for part in (one, other):
        if has(members, person, part):
            row += joints[person, part, 0]
            column += joints[person, part, 1]
            number += 1.0
    return row / max(number, 1.0), column / max(number, 1.0), number


@helper
def apart(row, column, other_row, other_column):
    """Return how far two places are apart."""
    return math.sqrt((row - other_row) * (row - other_row) + (column - other_column) * (column - other_column))


@helper
def take_back_faces(members, joints, person, part_tables):
    """Take back the eyes and ears that were filled in too far from the nose, now that all of a person is known."""
    (_falloffs, _counts_as_part, is_face, landmarks) = part_tables
    nose = landmarks[NOSE]
    if not has(members, person, nose):
        return
    limit = _FARTHEST * size_of_face(members, joints, person, landmarks)
    for part in range(members.shape[1]):
        if is_face[part] and members[person, part] == FILLED:
            away = apart(
                joints[person, part, 0], joints[person, part, 1], joints[person, nose, 0], joints[person, nose, 1]
            )
            if away > limit:
                members[person, part] = MISSING
