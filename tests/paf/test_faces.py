"""How large a face is, and which eyes and ears that were filled in stay."""

import numba
import numpy as np
import pytest

from bottomup.paf.kernels import faces
from bottomup.paf.kernels.people import FILLED, MISSING

# Parts: nose, left and right shoulder, left and right hip, an eye. No neck.
LANDMARKS = np.array([0, 1, 2, 3, 4, -1])
TABLES = np.ones(6), np.ones(6, np.uint8), np.array([0, 0, 0, 0, 0, 1], np.uint8), LANDMARKS


@numba.njit
def size_of_face(members, joints):
    return faces.size_of_face(members, joints, 0, LANDMARKS)


@numba.njit
def take_back_faces(members, joints, tables):
    faces.take_back_faces(members, joints, 0, tables)


def person(shoulders, torso, eye=0.0):
    """Return one person's members and joints: so wide, so long, and with an eye filled in so far from the nose."""
    members = np.zeros((1, 6), np.int64)
    members[0, 5] = FILLED
    joints = np.zeros((1, 6, 3))
    joints[0, 1:5, :2] = [[5, 0], [5, shoulders], [5 + torso, 0], [5 + torso, shoulders]]
    joints[0, 5, 1] = eye
    return members, joints


@pytest.mark.parametrize(("shoulders", "torso", "size"), [(8, 10, 8), (6, 10, 7), (7.1, 10, 7.1), (2, 20, 14)])
def test_a_face_is_as_large_as_shoulders_are_wide_or_seven_tenths_of_the_torso(shoulders, torso, size):
    assert size_of_face(*person(shoulders, torso)) == pytest.approx(size)


@pytest.mark.parametrize(("eye", "stays"), [(8.39, True), (8.41, False)])
def test_an_eye_stays_within_a_twentieth_more_than_the_size_of_the_face(eye, stays):
    members, joints = person(8, 10, eye)
    take_back_faces(members, joints, TABLES)
    assert members[0, 5] == (FILLED if stays else MISSING)
