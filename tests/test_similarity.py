"""Object keypoint similarity, and the constants that go into it."""

import numpy as np
import pytest

from bottomup import skeletons
from bottomup.similarity import (
    AREA_OF_BOX,
    AREA_OF_JOINTS,
    alike_pairs,
    pose_areas,
    pose_similarities,
    similarity,
    squared_reach,
)
from bottomup.skeletons import COCO17, Skeleton

ARM = Skeleton("arm", ("shoulder", "elbow", "wrist"), ((0, 1), (1, 2)))


def test_constants_are_those_that_decoders_were_fitted_with():
    assert (AREA_OF_BOX, AREA_OF_JOINTS, skeletons.UNKNOWN_SIGMA) == (0.64, 0.53, 0.08)
    assert COCO17.kappas == tuple(
        2 * each
        for each in (
            0.026, 0.025, 0.025, 0.035, 0.035, 0.079, 0.079, 0.072, 0.072, 0.062, 0.062, 0.107, 0.107, 0.087, 0.087,
            0.089, 0.089,
        )
    )  # fmt: skip


def test_parts_that_nobody_measured_have_a_constant_of_their_own():
    assert ARM.kappas == (0.16, 0.16, 0.16)


def test_edges_have_two_channels_each_where_none_are_given():
    assert ARM.paf_channels == ((0, 1), (2, 3))
    assert Skeleton("points", ("one", "other")).paf_channels == ()


def test_area_is_that_of_the_box_around_the_parts_found():
    xy = np.array([[[0, 0], [10, 20], [np.nan, np.nan]]], np.float32)
    assert pose_areas(xy) == pytest.approx(0.64 * 200)
    assert pose_areas(xy, area_of_box=AREA_OF_JOINTS) == pytest.approx(0.53 * 200)


def test_boxes_of_people_seen_from_the_side_are_widened():
    line = np.array([[[5, 0], [5, 20]]], np.float64)
    assert pose_areas(line) == 0
    assert pose_areas(line, narrowest=0.25) == pytest.approx(0.64 * 20 * 5)


def test_a_pose_without_parts_has_the_smallest_area():
    nobody = np.full((1, 3, 2), np.nan)
    assert pose_areas(nobody) == 0
    assert pose_areas(nobody, smallest=1) == 1


def test_similarity_is_cocos():
    assert similarity(np.array([50.0]), 1000.0, 0.16) == pytest.approx(np.exp(-50 / (2 * 1000 * 0.16**2)))


def test_the_reach_is_where_similarity_falls_to_the_limit():
    reach = squared_reach(0.5, 1000.0, 0.16)
    assert similarity(reach * 0.999, 1000.0, 0.16) > 0.5 > similarity(reach * 1.001, 1000.0, 0.16)


def test_poses_are_compared_over_the_parts_that_both_have():
    one = np.array([[[0, 0], [100, 0], [0, 100]]], np.float64)
    other = np.array([[[4, 0], [100, 0], [np.nan, np.nan]], [[np.nan, np.nan]] * 3])
    near = np.exp(-16 / (2 * 6400 * 0.16**2))
    np.testing.assert_allclose(pose_similarities(one, other, ARM), [[(near + 1) / 2, 0]])
    wider = np.exp(-16 / (2 * 6400 * 0.32**2))
    np.testing.assert_allclose(pose_similarities(one, other, ARM, widened=2), [[(wider + 1) / 2, 0]])


def test_pairs_that_are_alike_are_those_of_the_whole_table():
    rng = np.random.default_rng(0)
    people = rng.normal(0, 40, (60, 17, 2)) + rng.uniform(0, 1500, (60, 1, 2))
    people[rng.random((60, 17)) < 0.3] = np.nan
    others = people[::-1] + rng.normal(0, 6, (60, 17, 2))
    for lowest in (0.01, 0.2, 0.5, 1.0):
        for settings in ({}, {"widened": 2.0, "narrowest": 0.25}):
            table = pose_similarities(people, others, COCO17, **settings)
            rows, columns, alike = alike_pairs(people, others, COCO17, lowest=lowest, **settings)
            np.testing.assert_array_equal(np.argwhere(table >= lowest), np.stack([rows, columns], axis=1))
            np.testing.assert_allclose(alike, table[rows, columns])
    assert len(alike_pairs(people[:0], others, COCO17, lowest=0.5)[0]) == 0


def test_kernels_that_cannot_import_the_constant_have_the_same():
    from bottomup.posenet.kernels import best

    assert getattr(best, "_AREA_OF_BOX", np.float32(AREA_OF_BOX)) == np.float32(AREA_OF_BOX)
