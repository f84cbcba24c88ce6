"""On real photos' tensors, OpenPose's rules on the raw grid find the people that OpenPose finds."""

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

import bottomup as bu

SIGMAS = np.array(bu.OPENPOSE18.sigmas)


@pytest.fixture
def photos(shared):
    paths = sorted((shared / "goldens" / "paf" / "raw").glob("*.npz"))
    if not paths:
        pytest.skip("the tensors of real photos are not beside this checkout")
    return paths


def oks(theirs, ours):
    """Return the object keypoint similarity of (18, 2) joints to theirs, nan where absent."""
    there = ~np.isnan(theirs[:, 0])
    area = 0.53 * np.prod(np.nanmax(theirs, axis=0) - np.nanmin(theirs, axis=0))
    squared = np.square(theirs - ours).sum(axis=1)
    return np.nansum(np.exp(-squared / (2 * area * (2 * SIGMAS) ** 2))) / there.sum()


def agreement(photos, peer, decoder):
    """Return the shares of theirs and of ours that match, and the median distance of matched joints."""
    num_theirs, num_ours, matched, distances = 0, 0, 0, []
    for path in photos:
        answers = np.load(path.parents[1] / "outputs" / path.name)[f"{peer}__kp"]
        theirs = np.where(answers[..., 2:] > 0, answers[..., :2], np.nan)
        with np.load(path) as raw:
            ours = decoder.decode(bu.PafFields(raw["heat"], raw["paf"])).xy
        num_theirs, num_ours = num_theirs + len(theirs), num_ours + len(ours)
        similar = np.array([[oks(one, other) for other in ours] for one in theirs]).reshape(len(theirs), len(ours))
        for one, other in zip(*linear_sum_assignment(similar + 100 * (similar > 0.5), maximize=True), strict=True):
            if similar[one, other] > 0.5:
                matched += 1
                distances.append(np.linalg.norm(theirs[one] - ours[other], axis=1))
    return matched / num_theirs, matched / num_ours, np.nanmedian(np.concatenate(distances))


@pytest.mark.parametrize(
    ("peer", "decoder", "share"),
    [
        ("openpose_gpu_path", bu.PafDecoder.openpose(), 0.95),
        ("openpose_cpu", bu.PafDecoder.openpose(), 0.94),  # of 52 people, three are its own split and shared ones
        ("tao_bpnet_x8", bu.PafDecoder.bodyposenet(), 0.95),
    ],
)
def test_finds_the_people_that_the_original_finds(photos, peer, decoder, share):
    of_theirs, of_ours, distance = agreement(photos, peer, decoder)
    assert of_theirs >= share
    assert of_ours >= share
    assert distance < 0.8
