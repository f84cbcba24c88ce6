"""Coral's own files on Coral's own photo."""

import csv
from pathlib import Path

import numpy as np
import pytest

import bottomup as bu

MODELS = Path(__file__).parents[3] / "shared" / "models" / "coral"
pytestmark = pytest.mark.skipif(not MODELS.is_dir(), reason="Coral's model files are not beside this checkout")
FILES = sorted([*MODELS.glob("*_quant.tflite"), *MODELS.glob("*_quant_decoder.tflite")])
PHOTO = MODELS / "test_couple.jpg"
#: Where the two people's noses are in the photo, by eye.
NOSES = np.array([[820, 360], [1030, 368]])


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_cpu_file_finds_the_couple(path):
    poses = bu.load(path)(PHOTO)
    poses = poses[poses.scores > 0.5]
    assert len(poses) == 2
    noses = poses.xy[np.argsort(poses.xy[:, 0, 0]), 0]
    assert np.abs(noses - NOSES).max() < 25


@pytest.mark.parametrize("path", sorted(MODELS.glob("*_reference.csv")), ids=lambda path: path.stem)
def test_corals_reference_poses_come_back(path):
    from PIL import Image

    estimator = bu.load(MODELS / path.name.replace("_reference.csv", ".tflite"), decoder="file")
    stretched = Image.open(PHOTO).convert("RGB").resize(estimator.input_size, Image.Resampling.NEAREST)
    poses = estimator(np.asarray(stretched), channel_order="rgb")
    with path.open() as file:
        rows = list(csv.DictReader(file))
    expected = np.array([[row["keypoint_x"], row["keypoint_y"], row["keypoint_score"]] for row in rows], float)
    expected = expected.reshape(-1, 17, 3)
    assert len(poses) == len(expected) == 2
    np.testing.assert_allclose(poses.xy, expected[..., :2], atol=4)
    np.testing.assert_allclose(poses.keypoint_scores, expected[..., 2], atol=0.1)
    np.testing.assert_allclose(poses.scores, [float(row["pose_score"]) for row in rows[::17]], atol=0.1)
