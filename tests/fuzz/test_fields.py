"""A few hundred hostile fields; `python -m tests.fuzz.fields` tries a million."""

import numpy as np
import pytest

import bottomup as bu
from tests.fuzz import fields


def test_hostile_fields_end_in_what_the_references_say():
    outcome = fields.run(seed=3, first=0, count=250, every=4)
    assert outcome.complaints == []
    assert min(outcome.accepted.values()) > 30
    assert outcome.compared > 200
    assert outcome.ties < 5


@pytest.mark.parametrize(
    ("x", "score", "pose_score", "complaint"),
    [
        (np.inf, 0.5, 0.5, "neither finite nor"),
        (np.nan, 0.5, 0.5, "neither finite nor"),
        (3, 1.5, 0.5, "keypoint's score is outside"),
        (3, 0.5, np.nan, "pose's score is outside"),
    ],
)
def test_what_poses_may_not_hold_is_told(x, score, pose_score, complaint):
    poses = bu.Poses(np.full((1, 17, 3), (x, 4, score)), [pose_score], bu.COCO17)
    assert any(complaint in told for told in fields.complaints(poses, bu.PafDecoder()))


def test_poses_that_differ_are_told():
    keypoints = np.full((1, 17, 3), (3, 4, 0.5))
    poses, moved = (bu.Poses(keypoints + (shift, 0, 0), [0.5], bu.COCO17) for shift in (0, 0.01))
    assert [*fields.differences(poses, poses)] == []
    assert [*fields.differences(poses, moved)] == [
        "keypoints differ from the reference's",
        "boxes differ from the reference's",
    ]
    assert [*fields.differences(poses, poses[:0])] == ["1 poses where the reference has 0"]
