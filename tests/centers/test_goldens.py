"""MoveNet's own answers, on tensors of real photos."""

from pathlib import Path

import numpy as np
import pytest

from bottomup.centers.best import CenterDecoder
from bottomup.centers.fields import CenterFields
from bottomup.tensors import Quantized

SHARED = Path(__file__).parents[3] / "shared" / "goldens"
needs_shared = pytest.mark.skipif(
    not SHARED.is_dir(), reason="the golden tensors of further networks are not beside this checkout"
)


def read(path):
    """Return the fields of a golden, its answer and the size of its input."""
    golden = dict(np.load(path))
    names = {"center": "center", "heatmaps": "heat", "regressions": "regress", "offsets": "offset"}
    if "heatmap" in golden:
        names["heatmaps"] = "heatmap"
    if "box_scale" in golden:
        names |= {"box_sizes": "box_scale", "box_offsets": "box_offset"}
    tensors = {
        what: Quantized(golden[name], *golden[f"{name}_quantization"])
        if f"{name}_quantization" in golden
        else golden[name]
        for what, name in names.items()
    }
    return CenterFields(**tensors), golden["finished"], golden["input_size"]


def files(pattern):
    return sorted((SHARED / "movenet").glob(pattern)) or [pytest.param(None, marks=needs_shared)]


def named(path):
    return path.stem if isinstance(path, Path) else "none"


@needs_shared
@pytest.mark.parametrize("path", files("multipose_*.npz"), ids=named)
def test_movenet_answers_as_the_multipose_graph(path):
    fields, finished, (width, height) = read(path)
    poses = CenterDecoder.movenet().decode(fields)
    rows = finished[0]
    assert len(poses) == 6
    expected = rows[:, :51].reshape(6, 17, 3)[..., [1, 0, 2]]
    np.testing.assert_allclose(poses.keypoints / [width, height, 1], expected, rtol=0, atol=1e-6)
    np.testing.assert_allclose(poses.scores, rows[:, 55], rtol=0, atol=1e-6)
    left, top, wide, tall = poses.boxes.T
    ends = np.stack([top / height, left / width, (top + tall) / height, (left + wide) / width], axis=1)
    np.testing.assert_allclose(ends, rows[:, 51:55], rtol=0, atol=1e-6)


@needs_shared
@pytest.mark.parametrize("path", files("thunder_*.npz") + files("lightning_*.npz"), ids=named)
def test_movenet_single_answers_as_the_singlepose_graphs(path):
    fields, finished, (width, height) = read(path)
    poses = CenterDecoder.movenet_single().decode(fields)
    expected = finished[0, 0][:, [1, 0, 2]]
    close = 3e-4 if "lightning" in path.stem else 1e-6  # Lightning multiplies with 1 / 48 as float16
    assert len(poses) == 1
    np.testing.assert_allclose(poses.keypoints[0] / [width, height, 1], expected, rtol=0, atol=close)


@needs_shared
@pytest.mark.parametrize("path", files("coral_lightning_*.npz"), ids=named)
def test_quantised_heads_come_near_to_corals_8_bit_graph(path):
    fields, finished, (width, height) = read(path)
    assert fields.is_quantized
    keypoints = CenterDecoder.movenet_single().decode(fields).keypoints[0]
    expected = finished[0, 0][:, [1, 0, 2]]
    distances = np.hypot(*(keypoints - expected * [width, height, 1]).T[:2])
    is_same_cell = np.abs(keypoints[:, 2] - expected[:, 2]) < 0.01
    assert is_same_cell.sum() >= 6
    assert np.median(distances[is_same_cell]) < 0.75  # pixels: a level of Coral's coordinates
    assert np.median(distances) < 4


@needs_shared
@pytest.mark.parametrize(
    "path", sorted((SHARED / "dekr").glob("*.npz")) or [pytest.param(None, marks=needs_shared)], ids=named
)
def test_dekr_answers_as_mmpose(path):
    golden = dict(np.load(path))
    fields = CenterFields.from_dekr(golden["heatmaps"], golden["displacements"])
    poses = CenterDecoder.dekr().decode(fields)
    np.testing.assert_allclose(poses.xy, golden["mmpose_keypoints"], rtol=0, atol=1e-4)
    scores = golden["mmpose_scores"]
    np.testing.assert_allclose(poses.keypoint_scores, np.maximum(scores, 0), rtol=0, atol=1e-6)
    np.testing.assert_allclose(poses.scores, scores.mean(axis=1), rtol=0, atol=1e-6)
