"""What every decoder answers is what it answered: stored maps and answers pin all that was fitted."""

from pathlib import Path

import numpy as np
import pytest

import bottomup as bu
from bottomup.paf.family import PAF

STORED = np.load(Path(__file__).parents[1] / "golden" / "answers_paf.npz")


def stored_fields(scene):
    heatmaps, pafs = STORED[f"{scene}_heatmaps"], STORED[f"{scene}_pafs"]
    return bu.PafFields(bu.Quantized(heatmaps, 1 / 250, 0), bu.Quantized(pafs, 0.01, 128))


@pytest.mark.parametrize("name", PAF.decoders)
@pytest.mark.parametrize("scene", ["couple", "crowd"])
def test_the_answers_are_those_of_before(scene, name):
    poses = PAF.decoders[name]().decode(stored_fields(scene))
    expected = {kind: STORED[f"{scene}_{name}_{kind}"] for kind in ("keypoints", "scores", "filled")}
    assert len(poses) == len(expected["scores"])
    np.testing.assert_array_equal(poses.filled, expected["filled"])
    np.testing.assert_allclose(poses.scores, expected["scores"], atol=1e-6)
    np.testing.assert_allclose(poses.keypoints, expected["keypoints"], atol=1e-4)


@pytest.mark.parametrize("name", PAF.decoders)
def test_the_definition_gives_the_same(name):
    poses = bu.paf.reference.decode(stored_fields("crowd"), PAF.decoders[name]())
    np.testing.assert_allclose(poses.scores, STORED[f"crowd_{name}_scores"], atol=1e-6)
    np.testing.assert_allclose(poses.keypoints, STORED[f"crowd_{name}_keypoints"], atol=1e-3)


def test_nothing_of_one_crosses_to_the_other():
    poses = bu.PafDecoder().decode(stored_fields("couple"))
    left, right = poses[np.argsort(poses.xy[:, 1, 0])].xy
    assert np.nanmax(left[:, 0]) < np.nanmin(right[:, 0])


DEFAULTS = {
    "peak_threshold": 0.05, "max_peaks": 1024, "min_samples": 5, "max_samples": 16, "limb_threshold": 0.05,
    "limb_ratio": 0.8, "limb_score": "samples", "usual_length": 0.5, "min_limb_score": 0, "touching": 0,
    "peak_weight": 0.1, "matching": "global", "fill": True, "fill_threshold": 0.01, "fill_samples": 5,
    "fill_ratio": 0.5, "fill_window": 0.8, "min_fill_window": 2, "fill_owned_factor": 0.5, "fill_chain_factor": 0.9,
    "min_parts": 3, "min_mean_score": 0, "ranking": "evidence", "half_size": 6, "half_score": 0.875,
    "max_overlap": 0.5, "shift": (0, 0),
}  # fmt: skip
PLAIN = {"fill": False, "matching": "greedy", "max_overlap": 1, "usual_length": 0}
CHANGES = {
    "best": {},
    "strict": {"min_mean_score": 0.4},
    "openpose": PLAIN
    | {"limb_ratio": 0.95, "limb_score": "hits", "max_samples": 25, "touching": 0.3, "min_mean_score": 0.4}
    | {"ranking": "mean"},
    "bodyposenet": PLAIN
    | {"peak_threshold": 0.1, "min_samples": 10, "max_samples": 10, "limb_ratio": 0.9, "limb_score": "hits"}
    | {"peak_weight": 0, "min_parts": 4, "min_mean_score": 0.4, "ranking": "tao"},
    "trt_pose": PLAIN
    | {"peak_threshold": 0.1, "min_samples": 7, "max_samples": 7, "limb_threshold": -1, "limb_ratio": 0}
    | {"min_limb_score": 0.1, "peak_weight": 0, "matching": "hungarian", "min_parts": 2, "ranking": "mean"},
}


@pytest.mark.parametrize("name", PAF.decoders)
def test_every_default_is_the_one_that_was_measured(name):
    assert vars(PAF.decoders[name]()) == DEFAULTS | CHANGES[name]
