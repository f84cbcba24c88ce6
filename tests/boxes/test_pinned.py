"""Whole answers stay what they were when they were stored; tests/boxes_answers.py says how."""

import numpy as np
from boxes_answers import DECODERS, STORED, answers


def test_every_decoder_answers_as_it_was_stored():
    stored = np.load(STORED)
    for name, array in answers(stored).items():
        np.testing.assert_allclose(array, stored[name], rtol=1e-5, atol=1e-4, err_msg=name)


def test_the_scene_tells_the_decoders_apart():
    stored = np.load(STORED)
    assert [len(stored[f"{name}_scores"]) for name in DECODERS] == [3, 3, 3]
    assert np.abs(stored["best_keypoints"][0, :, :2] - stored["default_keypoints"][0, :, :2]).max() > 0.5
