"""Training data: rendered scenes, and a training that goes on where it stopped."""

import numpy as np
import pytest

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


def test_a_training_goes_on_where_it_was_stopped(tmp_path):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    torch.set_num_threads(1)
    from models.train.loader import Batches, Stage
    from models.train.train import Training

    render_views(tmp_path / "scenes", 2)
    batch = next(iter(Batches(SceneViews(tmp_path / "scenes"), [], Stage(1, (65,), 1), [1])))
    training = Training(tmp_path, minutes=1, seed=1)
    terms = training.advance(*batch)
    assert all(np.isfinite(value) and value > 0 for value in terms.values())
    training.save()
    resumed = Training(tmp_path, minutes=1, seed=1)
    assert resumed.step == 1
    for one, other in zip(training.network.parameters(), resumed.network.parameters(), strict=True):
        torch.testing.assert_close(one, other)


def test_batches_of_larger_windows_have_fewer_of_them(tmp_path):
    pytest.importorskip("torch", reason="PyTorch is not installed")
    from models.train.loader import Batches, Stage

    render_views(tmp_path, 2)
    endless = iter(Batches(SceneViews(tmp_path), [], Stage(1, (193, 353), 1), [1]))
    counts = {images.shape[-1]: len(images) for images, _ in (next(endless) for _ in range(8))}
    assert counts == {193: 28, 353: 8}
