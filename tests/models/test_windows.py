"""Windows that are stored once and shown many times, and the training on them."""

import cv2
import numpy as np
import pytest

from models.train.data import SceneViews, render_views
from models.train.features import HINTS, FeatureTeachers, Seen
from models.train.lessons import Lesson
from models.train.targets import Targets
from models.train.windows import LABELS, SIDE, Sources, Store

CELLS, FINE_CELLS = SIDE // 16 + 1, SIDE // 8 + 1


def look(image):
    """Answer as teachers would: with something that is told from the image."""
    hints = {
        name: np.full((hint.channels, CELLS, CELLS), int(image.mean()), np.uint8) + np.arange(CELLS, dtype=np.uint8)
        for name, hint in HINTS.items()
    }
    return Seen(hints, np.full((57, FINE_CELLS, FINE_CELLS), 0.25, np.float32))


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scenes")
    render_views(folder, 2)
    return SceneViews(folder)


@pytest.fixture(scope="module")
def store(scenes, tmp_path_factory):
    folder, sources = tmp_path_factory.mktemp("store"), Sources(scenes, [], look, seed=1)
    store = Store(folder, 3)
    for number in range(3):
        store.write(number, sources.sample(number))
    return store


def test_a_windows_number_decides_all_about_it(scenes):
    one, other, third = (Sources(scenes, [], look, seed).sample(5) for seed in (1, 1, 2))
    assert np.array_equal(one.image, other.image)
    assert all(np.array_equal(*pair) for pair in zip(one.targets, other.targets, strict=True))
    assert not np.array_equal(one.image, third.image)


def test_maps_of_photos_are_half_the_labels_and_half_the_teachers_and_the_teachers_where_nothing_is_known(scenes):
    people = np.zeros((1, 17, 3), np.float32)
    people[0, :, :2] = np.random.default_rng(0).uniform(100, 200, (17, 2))
    people[0, :, 2] = 1
    photo = Lesson(
        np.zeros((300, 300, 3), np.uint8),
        people,
        np.zeros((1, 17), bool),
        np.array([[220, 0, 80, 300]], np.float32),
        None,
    )
    samples = [Sources(scenes, [(1.0, [photo])], look, seed=3).sample(number) for number in range(12)]
    maps = np.stack([sample.targets.maps for sample in samples if not sample.targets.segment_weights.any()])
    assert len(maps) > 4  # photos; the map of people is known of scenes alone
    np.testing.assert_allclose(maps[:, :18].max(), LABELS + (1 - LABELS) * 0.25, atol=0.05)
    np.testing.assert_allclose(maps[:, :18].min(), (1 - LABELS) * 0.25, atol=1e-6)
    assert np.isclose(maps, 0.25).any()  # on the person without keypoints
    assert all((sample.targets.map_weights == 1).all() for sample in samples)


def test_a_store_gives_back_parts_of_windows(scenes, store):
    sample = Sources(scenes, [], look, seed=1).sample(2)
    part = store.read(2, 3, 1, 257)
    assert np.array_equal(part["image"], sample.image[48 : 48 + 257, 16 : 16 + 257])
    assert np.array_equal(part["bodypix13"], sample.hints["bodypix13"][:, 3:20, 1:18])
    np.testing.assert_allclose(part["maps"], sample.targets.maps[:, 6:39, 2:35], atol=1e-3)
    np.testing.assert_allclose(part["long_offsets"], sample.targets.long_offsets[..., 3:20, 1:18], rtol=1e-3)
    assert part.keys() == {"image", *Targets._fields, *HINTS}


def test_a_store_that_was_begun_is_continued(scenes, tmp_path):
    sources = Sources(scenes, [], look, seed=1)
    Store(tmp_path, 2).write(0, sources.sample(0))
    again = Store(tmp_path, 2)
    assert len(again) == 1
    again.write(1, sources.sample(1))
    assert len(Store(tmp_path)) == 2
    assert np.array_equal(Store(tmp_path).arrays["image"][0], sources.sample(0).image)


def test_hints_have_a_variance_of_about_one(store):
    scales = store.hint_scales()
    for name in HINTS:
        values = store.arrays[name][:] * scales[name]
        assert 0.2 < values.var(axis=(0, 2, 3)).mean() < 1.0


def test_a_training_goes_on_where_it_was_stopped(store, tmp_path):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    torch.set_num_threads(1)
    from models.train.loader import SIDES, Batches
    from models.train.train import Training

    images, targets = next(iter(Batches(store, [1])))
    assert SIDES[images.shape[-1]] == len(images)
    batch = images[:2], {name: values[:2] for name, values in targets.items()}
    training = Training(tmp_path, store, minutes=1, seed=1)
    terms = training.advance(*batch)
    assert terms.keys() >= {"heatmaps", "parts", *HINTS}
    assert all(np.isfinite(value) and value > 0 for value in terms.values())
    training.save()
    resumed = Training(tmp_path, store, minutes=1, seed=1)
    assert resumed.step == 1
    for one, other in zip(training.trained, resumed.trained, strict=True):
        torch.testing.assert_close(one, other)


def test_hints_lose_their_weight_and_batchnorm_learns_no_more_towards_the_end(store, tmp_path):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    torch.set_num_threads(1)
    from models.train.loader import Batches
    from models.train.train import FIXED_FROM, HINTS_UNTIL, Training

    images, targets = next(iter(Batches(store, [1])))
    batch = images[:1], {name: values[:1] for name, values in targets.items()}
    training = Training(tmp_path, store, minutes=1, seed=1)
    norm = training.network.blocks[0].depthwise[1]
    for progress, learns in ((FIXED_FROM - 0.01, True), (FIXED_FROM, False)):
        training.spent = progress * 60
        before = norm.running_mean.clone()
        training.advance(*batch)
        assert torch.equal(before, norm.running_mean) != learns
    assert training.hint_weight == pytest.approx(1 - FIXED_FROM / HINTS_UNTIL)
    training.spent = HINTS_UNTIL * 60
    assert training.hint_weight == 0
    images, targets = next(iter(Batches(store, [1], has_hints=False)))
    terms = training.advance(images[:1], {name: values[:1] for name, values in targets.items()})
    assert not terms.keys() & HINTS.keys()


def test_what_teachers_see_moves_with_the_picture(shared):
    pytest.importorskip("openvino", reason="OpenVINO is not installed")
    models = shared / "models"
    teachers = FeatureTeachers(
        models / "omz-0001" / "human-pose-estimation-0001-FP16-INT8.xml",
        models / "bodypix" / "bodypix_mobilenet_v1_075_720_1280_16_quant.tflite",
        SIDE,
    )
    picture = cv2.imread(str(models / "coral" / "test_couple.jpg"))
    picture = cv2.resize(picture, (500, 375), interpolation=cv2.INTER_AREA)
    one, other = (teachers.look(picture[:SIDE, left : left + SIDE]) for left in (40, 72))
    for name, hint in HINTS.items():
        assert one.hints[name].shape == (hint.channels, CELLS, CELLS)
        left, right = one.hints[name][..., 4:-4, 6:-4].ravel(), other.hints[name][..., 4:-4, 4:-6].ravel()
        assert np.corrcoef(left, right)[0, 1] > 0.9, name
    assert np.corrcoef(one.maps[:18, 8:-8, 12:-8].ravel(), other.maps[:18, 8:-8, 8:-12].ravel())[0, 1] > 0.9
    assert 0.5 < one.maps[:18].max() < 1.2
