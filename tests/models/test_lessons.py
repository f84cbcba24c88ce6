"""Photos to learn from: labels and teachers' answers brought together, and windows of them with targets."""

import json

import cv2
import numpy as np
import pytest

import bottomup as bu
from models.train.lessons import lesson
from models.train.mixing import Tile, mixed
from models.train.photos import read_photos
from models.train.scenes import render_scene
from models.train.teachers import STEP, ask_all, read_answers

SIZE = (320, 240)


@pytest.fixture(scope="module")
def scene():
    return render_scene(40, SIZE, num_people=3)


@pytest.fixture(scope="module")
def photos(tmp_path_factory, scene):
    """A photo, half as large as annotated: a rendered scene whose last person has a box, but no keypoints."""
    folder = tmp_path_factory.mktemp("photos")
    cv2.imwrite(str(folder / "0.png"), scene.image)
    people = []
    for person, mask in enumerate(scene.masks):
        keypoints = scene.keypoints[person].copy()
        keypoints[:, :2] = (keypoints[:, :2] + 0.5) * 2 - 0.5
        keypoints[keypoints[:, 2] == 0] = 0
        keypoints *= person < 2
        box = [2 * side for side in cv2.boundingRect(mask.astype(np.uint8))]
        people.append({"image_id": 0, "bbox": box, "iscrowd": 0, "keypoints": keypoints.ravel().tolist()})
    images = [{"id": 0, "file_name": "0.png", "width": 640, "height": 480}]
    (folder / "labels.json").write_text(json.dumps({"images": images, "annotations": people}))
    return read_photos(folder, folder / "labels.json")


def answered(folder, scene, keypoints):
    """Store teachers' answers that find these people."""
    people = cv2.resize(scene.masks.any(axis=0).astype(np.uint8) * 255, (SIZE[0] // STEP, SIZE[1] // STEP))
    seen = keypoints.copy()
    seen[..., 2] = np.where(seen[..., 2] > 0, 0.9, 0)
    np.savez(folder / "0.npz", keypoints=seen, scores=np.ones(len(seen), np.float32), people=people)
    return folder


def test_annotations_are_brought_to_the_size_of_the_file(photos, scene):
    np.testing.assert_allclose(photos[0].keypoints[:2], scene.keypoints[:2], atol=0.01)
    assert not photos[0].keypoints[2].any()


def test_without_teachers_a_person_without_keypoints_is_unknown(photos):
    known = lesson(photos[0], None)
    assert len(known.keypoints) == 2
    np.testing.assert_allclose(known.unknown, photos[0].boxes[2:])


def test_a_pose_fills_the_box_of_a_person_without_keypoints(photos, scene, tmp_path):
    known = lesson(photos[0], answered(tmp_path, scene, scene.keypoints))
    assert len(known.keypoints) == 3
    assert len(known.unknown) == 0
    seen = scene.keypoints[2, :, 2] > 0
    np.testing.assert_allclose(known.keypoints[2, seen, :2], scene.keypoints[2, seen, :2])


def test_a_pose_outside_every_box_does_not_count_where_all_people_have_boxes(photos, scene, tmp_path):
    ghost = scene.keypoints[2:].copy()
    ghost[..., 0] += 1000
    answers = answered(tmp_path, scene, ghost)
    assert len(lesson(photos[0], answers).keypoints) == 2
    assert len(lesson(photos[0], answers, is_rough=True).keypoints) == 3


def test_a_pose_completes_the_labels_of_its_person_and_keeps_them(photos, scene, tmp_path):
    partly, moved = photos[0].keypoints.copy(), scene.keypoints.copy()
    [missing] = np.flatnonzero(partly[0, :, 2] > 0)[-1:]
    partly[0, missing] = 0
    moved[0, :, 0] += 1
    known = lesson(photos[0]._replace(keypoints=partly), answered(tmp_path, scene, moved)).keypoints[0]
    np.testing.assert_allclose(known[missing, :2], moved[0, missing, :2])
    others = partly[0, :, 2] > 0
    np.testing.assert_allclose(known[others, :2], partly[0, others, :2])


def test_rough_labels_yield_to_the_pose_and_parts_that_are_missing_are_unsure(photos, scene, tmp_path):
    moved = scene.keypoints.copy()
    moved[0, :, 0] += 1
    moved[0, 0] = 0
    known = lesson(photos[0], answered(tmp_path, scene, moved), is_rough=True)
    others = (moved[0, :, 2] > 0) & (photos[0].keypoints[0, :, 2] > 0)
    np.testing.assert_allclose(known.keypoints[0, others, :2], moved[0, others, :2])
    assert (known.unsure == (known.keypoints[..., 2] == 0)).all()


def test_keypoints_move_with_the_pixels_of_a_window(photos, scene):
    """Where a lone white dot goes, its keypoint goes."""
    image = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
    cv2.circle(image, (150, 110), 4, (255, 255, 255), -1)
    keypoints = np.zeros((1, 17, 3), np.float32)
    keypoints[0, 5] = 150, 110, 1
    known = lesson(photos[0], None)._replace(image=image, keypoints=keypoints, unsure=np.zeros((1, 17), bool))
    for seed in range(20):
        tile = Tile(known, (10, 20, 210, 250), 1.0, np.random.default_rng(seed))
        window = np.zeros((257, 257, 3), np.uint8)
        tile.paint(window, (0, 0, 0))
        [placed], _ = tile.keypoints()
        part = 6 if tile.is_mirrored else 5
        if placed[part, 2] > 0 and window.max() > 200:
            rows, columns = np.nonzero(window[..., 0] > 100)
            near_border = {columns.min(), 255 - columns.max(), rows.min()} & {10, 20, 46, 47}
            if not near_border:
                np.testing.assert_allclose(placed[part, :2], (columns.mean(), rows.mean()), atol=1.5)


def test_windows_have_targets_of_all_heads(photos, scene, tmp_path):
    known = lesson(photos[0], answered(tmp_path, scene, scene.keypoints[:2]))
    generator = np.random.default_rng(0)
    windows = [mixed([known], 193, generator) for _ in range(20)]
    for image, targets in windows:
        assert image.shape == (193, 193, 3)
        assert targets.heatmaps.shape == targets.heatmap_weights.shape == (17, 13, 13)
        assert targets.long_offsets.shape == (17, 2, 13, 13)
        assert targets.maps.shape == targets.map_weights.shape == (57, 25, 25)
        assert all(np.isfinite(values).all() for values in targets)
    assert any((targets.map_weights == 0).any() for _, targets in windows)  # the third person
    assert any((targets.long_weights > 0).any() for _, targets in windows)


def test_teachers_are_asked_once(photos, scene, tmp_path):
    image = cv2.imread(str(photos[0].path))
    cv2.imwrite(str(tmp_path / "0.jpg"), image)
    teacher = bu.load()
    ask_all(tmp_path, tmp_path / "answers", teacher, teacher)
    answers = read_answers(tmp_path / "answers", tmp_path / "0.jpg")
    assert answers.people.shape == (SIZE[1] // STEP, SIZE[0] // STEP)
    covered = scene.masks.any(axis=0).astype(np.uint8)
    inside = cv2.resize(covered, (SIZE[0] // STEP, SIZE[1] // STEP), interpolation=cv2.INTER_AREA) > 0
    assert answers.people[inside].mean() > 2 * answers.people[~inside].mean()
    ask_all(tmp_path, tmp_path / "answers", None, None)
