"""The measure of a network in training: a perfect one is perfect, and one that sees nobody is not."""

import numpy as np
import pytest

import bottomup as bu
from models.train.evaluate import measure
from models.train.examples import scene_examples

SIZE = bu.ImageSize(641, 481)


@pytest.fixture(scope="module")
def examples():
    return [example for example in scene_examples(3) if len(example.annotations) > 1]


def runner(examples, render):
    """Return a runner of a network that gives these fields for the people in each picture."""
    waiting = iter(examples)

    def run(image):
        example = next(waiting)
        _, placement = bu.geometry.lay_out(image, bu.Letterbox(), SIZE)
        keypoints = example.poses.keypoints.copy()
        keypoints[..., :2] = bu.geometry.image_to_input(example.poses.xy, placement)
        masks = np.zeros((len(keypoints), SIZE.height, SIZE.width), bool)
        height, width = example.masks.shape[1:]
        masks[:, :height, :width] = example.masks
        return *render(bu.Poses(keypoints, np.ones(len(keypoints)), bu.COCO17), masks), placement

    return run


def perfect(poses, masks):
    return (
        bu.synthetic.posenet_fields(poses, SIZE, masks=masks),
        bu.synthetic.paf_fields(poses, SIZE, skeleton=bu.OPENPOSE18),
    )


def test_a_perfect_network_is_measured_as_one(examples):
    assert len(examples) > 1
    figures = measure(runner(examples, perfect), examples)
    assert figures["ap50_posenet"] > 0.9
    assert figures["ap50_paf"] > 0.6  # parts outside the picture have no peaks
    assert figures["mask_iou"] > 0.7  # cells of 16 pixels
    assert figures["owners_found"] > 0.9, figures


def test_a_network_that_takes_people_for_each_other_owns_less(examples):
    def confused(poses, masks):
        return perfect(poses, masks[::-1])

    figures = measure(runner(examples, confused), examples)
    assert figures["mask_iou"] > 0.7  # cells of 16 pixels
    assert figures["owners_found"] < 0.5


def test_a_network_that_sees_nobody_finds_nobody(examples):
    def blind(poses, masks):
        return perfect(poses[:0], masks[:0])

    figures = measure(runner(examples, blind), examples)
    assert (figures["ap_posenet"], figures["ap_paf"], figures["mask_iou"]) == (0, 0, 0)
