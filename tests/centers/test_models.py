"""MoveNet's own files, from `load` to poses."""

import cv2
import numpy as np
import pytest

import bottomup as bu

MULTIPOSE = "models/movenet/movenet_multipose_lightning_float16_1.tflite"
CORAL = "models/movenet/movenet_single_pose_lightning_ptq.tflite"
HEADS = {"center": "center", "heatmaps": "heatmap", "regressions": "regress", "offsets": "offset"}


def photo(shared, number):
    return shared / "photos" / "dev" / f"{number:012d}.jpg"


def laid_out(image, size, scale):
    """Return the input that the stored heads were computed from: area averages, zeros around."""
    width, height = (round(side * by) for side, by in zip(image.shape[1::-1], scale, strict=True))
    laid = np.zeros((size[1], size[0], 3), np.uint8)
    laid[:height, :width] = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    return laid


@pytest.mark.parametrize(
    ("model", "golden"), [(MULTIPOSE, "multipose_256_000000119995"), (CORAL, "coral_lightning_ptq_000000119995")]
)
def test_cut_files_give_the_stored_heads(shared, model, golden):
    stored = np.load(shared / "goldens" / "movenet" / f"{golden}.npz")
    size = tuple(int(side) for side in stored["input_size"])
    estimator = bu.load(shared / model, input_size=size)
    fields = estimator.fields(laid_out(cv2.imread(str(photo(shared, 119995))), size, stored["scale"]))
    assert fields.is_quantized == (model == CORAL)
    for name, head in HEADS.items():
        expected = stored[head][0].astype(np.float32)
        if model == CORAL:
            scale, zero = stored[f"{head}_quantization"]
            expected = (expected - np.float32(zero)) * np.float32(scale)
        close = np.abs(fields.as_floats[name] - expected)
        assert np.median(close) < 1e-4, name  # runtimes round in ways of their own
        assert close.mean() < 0.1, name


def test_the_whole_graph_and_its_heads_decoded_here_agree(shared):
    image = photo(shared, 2006)
    settings = {"input_size": (256, 192), "min_score": 0}
    whole = bu.load(shared / MULTIPOSE, decoder="file", **settings)(image)
    cut = bu.load(shared / MULTIPOSE, decoder="movenet", **settings)(image)
    assert len(cut) == 6
    assert len(whole) >= 4  # rows that score 0 are left out
    assert (cut.scores[len(whole) :] == 0).all()
    cut = cut[: len(whole)]
    np.testing.assert_allclose(whole.keypoints, cut.keypoints, rtol=0, atol=1e-3)
    np.testing.assert_allclose(whole.boxes, cut.boxes, rtol=0, atol=1e-3)
    np.testing.assert_allclose(whole.scores, cut.scores, rtol=0, atol=1e-5)


def test_finished_poses_come_back_in_pixels_of_the_photo(shared):
    ours = bu.load(shared / CORAL)(photo(shared, 119995))
    own = bu.load(shared / CORAL, decoder="file", min_score=0)(photo(shared, 119995))
    assert len(own) == 1
    assert own.image_size == ours.image_size == (468, 500)
    inside = (own.xy[0] >= 0) & (own.xy[0] <= (468, 500))
    assert inside.all()


def test_a_singlepose_file_runs_at_other_sizes_and_finds_several_people(shared):
    estimator = bu.load(shared / CORAL, input_size=(384, 288))
    assert estimator.fields(photo(shared, 2006)).grid == (72, 96)
    assert len(estimator(photo(shared, 2006))) >= 2
