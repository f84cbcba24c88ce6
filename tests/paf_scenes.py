"""Scenes of known people for the tests of part affinity fields, and what to compare them with."""

import numpy as np

import bottomup as bu
from bottomup.skeletons import OPENPOSE18

SIZE = (432, 368)
#: A skeleton of few parts, whose edges form a ring, so that limbs contradict each other.
RING = bu.Skeleton("ring", ("a", "b", "c"), ((0, 1), (1, 2), (2, 0)), redundant_edges=(2,))


def crowd(count, seed=0, size=SIZE, **options):
    """Return people who each have a tile of the picture, and their fields."""
    poses = bu.synthetic.random_poses(count, size, seed)
    return truth(poses), bu.synthetic.paf_fields(poses, size, **options)


def truth(poses):
    """Return (M, 18, 2): where OpenPose's parts of COCO-17 people are."""
    middle = poses.xy[:, [5, 6]].mean(axis=1)
    places = [middle if part == "neck" else poses.xy[:, poses.skeleton.index(part)] for part in OPENPOSE18.parts]
    return np.stack(places, axis=1)


def moved(poses, right=0.0, down=0.0, scale=1.0):
    """Return poses elsewhere."""
    keypoints = poses.keypoints.copy()
    keypoints[..., :2] = keypoints[..., :2] * scale + (right, down)
    return bu.Poses(keypoints, poses.scores, poses.skeleton)


def together(*groups):
    """Return several groups of poses as one."""
    return bu.Poses(
        np.concatenate([poses.keypoints for poses in groups]),
        np.concatenate([poses.scores for poses in groups]),
        groups[0].skeleton,
    )


def errors(expected, poses):
    """Return the distances of the observed joints of M expected people to those found; as many must be found."""
    assert len(poses) == len(expected)
    found = poses.without_filled().xy
    distances = np.linalg.norm(expected[:, None] - found[None], axis=-1)
    nearest = np.nanmean(distances, axis=-1).argmin(axis=1)
    assert sorted(nearest) == list(range(len(poses)))
    return distances[np.arange(len(expected)), nearest]


def assert_same(one, other):
    """Check that two Poses are one, up to rounding."""
    assert len(one) == len(other)
    np.testing.assert_allclose(one.scores, other.scores, atol=1e-5)
    np.testing.assert_allclose(one.keypoints, other.keypoints, atol=1e-3)
    np.testing.assert_array_equal(one.filled, other.filled)
