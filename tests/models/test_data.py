"""Training data: views of photos and scenes, and a training that goes on where it stopped."""

import json

import cv2
import numpy as np
import pytest

import bottomup as bu
from models.train.data import PhotoViews, SceneViews, Window, random_window, render_views
from models.train.photos import CELLS, SIDE, build_views, read_photos
from models.train.scenes import render_scene

WHOLE = Window(0, 0, SIDE, is_mirrored=False)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Two photos, half as large as annotated: rendered scenes whose last person has no keypoints."""
    folder = tmp_path_factory.mktemp("photos")
    images, people = [], []
    for number in range(2):
        scene = render_scene(40 + number, (320, 240), num_people=3)
        cv2.imwrite(str(folder / f"{number}.png"), scene.image)
        images.append({"id": number, "file_name": f"{number}.png", "width": 640, "height": 480})
        for person, mask in enumerate(scene.masks):
            keypoints = scene.keypoints[person].copy()
            keypoints[:, :2] = (keypoints[:, :2] + 0.5) * 2 - 0.5
            keypoints[keypoints[:, 2] == 0] = 0
            keypoints *= person < 2
            box = [2 * side for side in cv2.boundingRect(mask.astype(np.uint8))]
            people.append({"image_id": number, "bbox": box, "iscrowd": 0, "keypoints": keypoints.ravel().tolist()})
    (folder / "labels.json").write_text(json.dumps({"images": images, "annotations": people}))
    return folder


def test_annotations_are_brought_to_the_size_of_the_file(photos):
    first = read_photos(photos, photos / "labels.json")[0]
    np.testing.assert_allclose(first.keypoints[:2], render_scene(40, (320, 240), num_people=3).keypoints[:2], atol=0.01)
    assert not first.keypoints[2].any()


def test_views_of_photos_mask_out_people_without_keypoints(photos, tmp_path):
    known = read_photos(photos, photos / "labels.json")
    build_views(known, None, tmp_path, rounds=2, seed=3)
    views = PhotoViews(tmp_path, known)
    assert len(views) == 4
    image, targets = views.sample(0, WHOLE)
    assert image.shape == (SIDE, SIDE, 3)
    assert targets.heatmaps.shape == (17, CELLS, CELLS)
    assert any((views.sample(view, WHOLE)[1].map_weights == 0).any() for view in range(4))


def test_views_are_built_on_from_where_they_were_left(photos, tmp_path):
    known = read_photos(photos, photos / "labels.json")
    build_views(known, None, tmp_path, rounds=1, seed=3)
    before = (tmp_path / "views.json").read_text()
    build_views(known, None, tmp_path, rounds=1, seed=3)
    assert (tmp_path / "views.json").read_text() == before


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
    batch = next(iter(Batches(SceneViews(tmp_path / "scenes"), None, Stage(1, 65, 16), [1])))
    training = Training(tmp_path, minutes=1, seed=1)
    terms = training.advance(*batch)
    assert all(np.isfinite(value) and value > 0 for value in terms.values())
    training.save()
    resumed = Training(tmp_path, minutes=1, seed=1)
    assert resumed.step == 1
    for one, other in zip(training.network.parameters(), resumed.network.parameters(), strict=True):
        torch.testing.assert_close(one, other)
