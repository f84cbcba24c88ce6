"""libcoral's and tfjs's own answers, on tensors of real photos and of known people."""

import json
from pathlib import Path

import numpy as np
import pytest

import bottomup as bu

GOLDEN = sorted((Path(__file__).parents[1] / "golden").glob("posenet_*.npz"))
SHARED = Path(__file__).parents[3] / "shared" / "goldens" / "posenet"
needs_shared = pytest.mark.skipif(
    not SHARED.is_dir(), reason="the full set of golden tensors is not beside this checkout"
)
CONFIGS = ["default", "coral_like", "many", "single"]


def read_fields(golden):
    tensors = []
    for name in ("heatmaps", "short_offsets", "mid_offsets"):
        levels = golden[name]
        scale, zero_point = golden.get(f"{name}_scale"), golden.get(f"{name}_zero_point")
        tensors.append(levels if scale is None else bu.Quantized(levels, scale, zero_point))
    return bu.PoseNetFields.from_mid_offsets(*tensors, output_stride=16)


def assert_same_poses(poses, xy, keypoint_scores, pose_scores):
    assert len(poses) == len(pose_scores)
    np.testing.assert_allclose(poses.xy, xy, rtol=0, atol=1e-4)
    np.testing.assert_allclose(poses.keypoint_scores, keypoint_scores, rtol=0, atol=1e-6)
    np.testing.assert_allclose(poses.scores, pose_scores, rtol=0, atol=1e-6)


def assert_equals_coral(fields, golden, options):
    max_poses, score_threshold, nms_radius = options
    decoder = bu.PoseNetDecoder.coral(
        max_poses=int(max_poses), score_threshold=score_threshold, nms_radius=float(nms_radius)
    )
    xy = golden["keypoints_yx"][..., ::-1]
    assert_same_poses(decoder.decode(fields), xy, golden["keypoint_scores"], golden["pose_scores"])


def assert_equals_tfjs(fields, keypoints, pose_scores, options):
    max_poses, score_threshold, nms_radius = options
    decoder = bu.PoseNetDecoder.tfjs(
        max_poses=int(max_poses), score_threshold=float(score_threshold), nms_radius=float(nms_radius)
    )
    assert_same_poses(decoder.decode(fields), keypoints[..., :2], keypoints[..., 2], pose_scores)


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_coral_answers_as_libcoral(path):
    golden = dict(np.load(path))
    answers = {key.removeprefix("coral_"): value for key, value in golden.items() if key.startswith("coral_")}
    assert_equals_coral(read_fields(golden), answers, golden["coral_options"])


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_tfjs_answers_as_tfjs(path, config):
    golden = dict(np.load(path))
    answers = (golden[f"tfjs_{config}_{what}"] for what in ("keypoints", "pose_scores", "options"))
    assert_equals_tfjs(read_fields(golden), *answers)


@pytest.mark.parametrize("path", [path for path in GOLDEN if "_s" in path.stem], ids=lambda path: path.stem)
def test_our_own_decoder_finds_exactly_the_known_people(path):
    golden = dict(np.load(path))
    truth = golden["ground_truth_yx"][..., ::-1]
    poses = bu.PoseNetDecoder().decode(read_fields(golden))
    poses = poses[poses.scores > 0.5]
    assert len(poses) == len(truth)
    errors = np.abs(poses.xy[:, None] - truth[None]).max(axis=(2, 3))
    assert sorted(errors.argmin(axis=1)) == list(range(len(truth)))


@pytest.mark.slow
@needs_shared
def test_coral_answers_as_libcoral_on_every_golden():
    checked = 0
    for path in sorted((SHARED / "coral_fixed").glob("*.npz")):
        raw, answers = np.load(SHARED / "coral" / path.name), np.load(path)
        options = json.loads(str(raw["meta"]))["options"]
        options = (options["max_detections"], options["score_threshold"], options["nms_radius"])
        assert_equals_coral(read_shared_fields(raw), without_prefix(answers), options)
        checked += 1
    for path in sorted((SHARED / "synthetic").glob("*.npz")):
        golden = np.load(path)
        assert_equals_coral(read_shared_fields(golden), without_prefix(golden), (20, 0.2, 10.0))
        checked += 1
    assert checked >= 60


@pytest.mark.slow
@needs_shared
def test_tfjs_answers_as_tfjs_on_every_golden():
    checked = 0
    for path in sorted((SHARED / "tfjs").glob("*.json")):
        answers = json.loads(path.read_text())
        tensors = [SHARED / folder / f"{path.stem}.npz" for folder in ("coral", "synthetic")]
        tensors = [tensor for tensor in tensors if tensor.exists()]
        if not tensors:
            continue  # the answer's tensors are not in the set
        fields = read_shared_fields(np.load(tensors[0]))
        single = {"config": {"maxDetections": 1, "scoreThreshold": 0.5, "nmsRadius": 20}, "poses": [answers["single"]]}
        for run in [*answers["multi"], single]:
            keypoints = np.array([pose["keypoints"] for pose in run["poses"]]).reshape(-1, 17, 3)
            scores = np.array([pose["score"] for pose in run["poses"]])
            options = [run["config"][name] for name in ("maxDetections", "scoreThreshold", "nmsRadius")]
            assert_equals_tfjs(fields, keypoints, scores, options)
            checked += 1
    assert checked >= 250


def read_shared_fields(golden):
    if "heatmap_logits" in golden:
        tensors = (golden["heatmap_logits"], golden["short_px"], golden["mid_px"])
        return bu.PoseNetFields.from_mid_offsets(*tensors, output_stride=int(golden["stride"]))
    names = ("heatmap", "short", "mid")
    tensors = [bu.Quantized(golden[f"{name}_q"], golden[f"{name}_scale"], golden[f"{name}_zp"]) for name in names]
    return bu.PoseNetFields.from_mid_offsets(*tensors, output_stride=16)


def without_prefix(answers):
    return {key.removeprefix("coral_fixed_"): answers[key] for key in answers if key.startswith("coral_fixed_")}
