"""The files that ship: small, and right about the demo scene and about scenes that no training saw."""

from pathlib import Path

import cv2
import numpy as np
import pytest

import bottomup as bu
from bottomup.similarity import similarity as similarity_of_keypoints
from models.train.demo import NUM_PEOPLE, SEED
from models.train.evaluate import INPUT_SIZE
from models.train.examples import FRESH
from models.train.scenes import render_scene

NAMES = ("bottomup-tiny", "bottomup-tiny-uint8")
MODELS = Path(__file__).parents[2] / "models"
DEMO = Path(bu.__file__).parent / "demo.jpg"


@pytest.fixture(
    scope="module",
    params=[(name, head) for name in NAMES for head in ("posenet", "paf")],
    ids=" ".join,
)
def estimator(request):
    name, head = request.param
    decoder = bu.PoseNetDecoder() if head == "posenet" else bu.PafDecoder()
    return bu.load(MODELS / f"{name}.tflite", decoder=decoder, min_score=0)


def similarity(poses, keypoints, area):
    """Return the best OKS of any pose with a person."""
    labelled = keypoints[:, 2] > 0
    squared = ((poses.xy - keypoints[:, :2]) ** 2).sum(axis=2)
    each = np.nan_to_num(similarity_of_keypoints(squared, area, bu.COCO17.kappas))
    return each[:, labelled].mean(axis=1).max(initial=0)


def test_the_files_are_small():
    assert (MODELS / "bottomup-tiny.tflite").stat().st_size < 3_000_000
    assert (MODELS / "bottomup-tiny-uint8.tflite").stat().st_size < 1_300_000


@pytest.mark.parametrize("name", NAMES)
def test_the_files_open_at_the_size_that_their_figures_are_of(name):
    assert bu.load(MODELS / f"{name}.tflite").input_size == INPUT_SIZE == (705, 529)


def test_everyone_of_the_demo_scene_is_found(estimator):
    scene = render_scene(SEED, num_people=NUM_PEOPLE)
    poses = estimator(cv2.imread(str(DEMO))).to_coco17()
    sure = poses[poses.scores > 0.2]
    assert len(sure) >= NUM_PEOPLE
    for keypoints, mask in zip(scene.keypoints, scene.masks, strict=True):
        assert similarity(sure, keypoints, mask.sum()) > 0.6


@pytest.mark.slow
def test_most_people_of_fresh_scenes_are_found(estimator):
    similarities = []
    for seed in range(FRESH, FRESH + 8):
        scene = render_scene(seed)
        poses = estimator(scene.image).to_coco17()
        people = [(keypoints, mask.sum()) for keypoints, mask in zip(scene.keypoints, scene.masks, strict=True)]
        similarities += [similarity(poses, *person) for person in people if (person[0][:, 2] > 0).sum() > 5]
    assert np.mean(np.array(similarities) > 0.5) > 0.6
