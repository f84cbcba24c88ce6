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
from models.train.runners import Runner
from models.train.scenes import render_scene

MODELS = Path(__file__).parents[2] / "models"
DEMO = Path(bu.__file__).parent / "demo.jpg"
DECODERS = {"posenet": bu.PoseNetDecoder(), "paf": bu.PafDecoder()}


@pytest.fixture(scope="module", params=["bottomup-tiny", "bottomup-tiny-uint8"])
def runner(request):
    return Runner(MODELS / f"{request.param}.tflite", INPUT_SIZE)


def found(runner, image, head):
    posenet, maps, placement = runner(image)
    size = bu.ImageSize(image.shape[1], image.shape[0])
    return DECODERS[head].decode(posenet if head == "posenet" else maps).to_image(placement, size).to_coco17()


def similarity(poses, keypoints, area):
    """Return the best OKS of any pose with a person."""
    labelled = keypoints[:, 2] > 0
    squared = ((poses.xy - keypoints[:, :2]) ** 2).sum(axis=2)
    each = np.nan_to_num(similarity_of_keypoints(squared, area, bu.COCO17.kappas))
    return each[:, labelled].mean(axis=1).max(initial=0)


def test_the_files_are_small():
    assert (MODELS / "bottomup-tiny.tflite").stat().st_size < 3_000_000
    assert (MODELS / "bottomup-tiny-uint8.tflite").stat().st_size < 1_300_000


@pytest.mark.parametrize("head", ["posenet", "paf"])
def test_everyone_of_the_demo_scene_is_found(runner, head):
    scene = render_scene(SEED, num_people=NUM_PEOPLE)
    poses = found(runner, cv2.imread(str(DEMO)), head)
    sure = poses[poses.scores > 0.2]
    assert len(sure) >= NUM_PEOPLE
    for keypoints, mask in zip(scene.keypoints, scene.masks, strict=True):
        assert similarity(sure, keypoints, mask.sum()) > 0.6


@pytest.mark.slow
@pytest.mark.parametrize("head", ["posenet", "paf"])
def test_most_people_of_fresh_scenes_are_found(runner, head):
    similarities = []
    for seed in range(FRESH, FRESH + 8):
        scene = render_scene(seed)
        poses = found(runner, scene.image, head)
        people = [(keypoints, mask.sum()) for keypoints, mask in zip(scene.keypoints, scene.masks, strict=True)]
        similarities += [similarity(poses, *person) for person in people if (person[0][:, 2] > 0).sum() > 5]
    assert np.mean(np.array(similarities) > 0.5) > 0.6
