"""Rendered scenes as training data."""

import numpy as np

import bottomup as bu
from models.train.data import SIDE, SceneViews, Window, random_window, render_views

WHOLE = Window(0, 0, SIDE, is_mirrored=False)


def test_scenes_are_kept_with_targets_of_all_heads(tmp_path):
    render_views(tmp_path, 2)
    views = SceneViews(tmp_path)
    assert len(views) == 2
    image, targets = views.sample(1, random_window(193, np.random.default_rng(0)))
    assert image.shape == (193, 193, 3)
    assert targets.segments.shape == (1, 13, 13)
    assert targets.long_offsets.shape == (17, 2, 13, 13)
    assert targets.maps.shape == (57, 25, 25)
    assert all(np.isfinite(values).all() for values in targets)


def test_a_mirrored_window_mirrors_the_targets(tmp_path):
    render_views(tmp_path, 1)
    views = SceneViews(tmp_path)
    plain, mirrored = (views.sample(0, Window(0, 0, SIDE, is_mirrored))[1] for is_mirrored in (False, True))
    swap = list(bu.COCO17.mirror)
    np.testing.assert_allclose(mirrored.heatmaps, plain.heatmaps[swap][..., ::-1])
    np.testing.assert_allclose(mirrored.segments, plain.segments[..., ::-1])
