"""Windows that are stored once and shown many times, and the training on them."""

import cv2
import numpy as np
import pytest

from models.train.data import SceneViews, render_views
from models.train.lessons import Lesson
from models.train.sights import LABELS, Sight, Teachers, taught
from models.train.targets import Targets
from models.train.windows import SIDE, Sources, Store

CELLS, FINE_CELLS = SIDE // 16 + 1, SIDE // 8 + 1


def look(image):
    """Answer as teachers would who see the same everywhere."""
    shapes = ((17, CELLS, CELLS), (17, 2, CELLS, CELLS), (57, FINE_CELLS, FINE_CELLS))
    return Sight(*(np.full(shape, 0.25, np.float32) for shape in shapes))


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


def targets_of(**known):
    """Return targets of one cell, zeros but for these."""
    shapes = {name: (17, 2, 1, 1) if name.endswith("offsets") else (17, 1, 1) for name in Targets._fields}
    return Targets(**{name: known.get(name, np.zeros(shape, np.float32)) for name, shape in shapes.items()})


def one_cell(values):
    return np.array(values, np.float32)[:, None, None]


def test_heatmaps_are_half_the_labels_and_half_the_teachers_and_the_teachers_where_nothing_is_known():
    labels, known = np.zeros(17), np.ones(17)
    labels[0], known[2] = 1, 0
    sight = Sight(one_cell([0.4] * 17), np.zeros((17, 2, 1, 1), np.float32), np.zeros((17, 1, 1), np.float32))
    found = taught(targets_of(heatmaps=one_cell(labels), heatmap_weights=one_cell(known)), sight)
    np.testing.assert_allclose(found.heatmaps[:3, 0, 0], [0.7, 0.2, 0.4], rtol=1e-6)
    assert (found.heatmap_weights == 1).all()


def test_offsets_are_the_mean_where_label_and_teacher_mean_one_part_and_else_the_label_then_the_sure_teacher():
    has_label, scores = one_cell([1, 1, 1, 0, 0] + [0] * 12), one_cell([0.9, 0.9, 0.29, 0.31, 0.29] + [0] * 12)
    labels, seen = np.zeros((2, 17, 2, 1, 1), np.float32)
    labels[:3, 0], seen[:, 0] = 20, 30
    seen[1, 1] = 13  # 16.4 pixels apart
    sight = Sight(scores, seen, np.zeros((17, 1, 1), np.float32))
    found = taught(targets_of(offsets=labels, offset_weights=has_label), sight)
    np.testing.assert_allclose(found.offsets[:4, 0, 0, 0], [25, 20, 20, 30])
    np.testing.assert_allclose(found.offset_weights[:, 0, 0], [1, 1, 1, 1, 0] + [0] * 12)


def test_a_store_gives_back_parts_of_windows(scenes, store):
    sample = Sources(scenes, [], look, seed=1).sample(2)
    part = store.read(2, 3, 1, 257)
    assert np.array_equal(part["image"], sample.image[48 : 48 + 257, 16 : 16 + 257])
    np.testing.assert_allclose(part["heatmaps"], sample.targets.heatmaps[:, 3:20, 1:18], atol=1e-3)
    np.testing.assert_allclose(part["maps"], sample.targets.maps[:, 6:39, 2:35], atol=1e-3)
    np.testing.assert_allclose(part["long_offsets"], sample.targets.long_offsets[..., 3:20, 1:18], rtol=1e-3)
    assert part.keys() == {"image", *Targets._fields} - {"heatmap_weights", "map_weights"}


def test_a_store_that_was_begun_is_continued(scenes, tmp_path):
    sources = Sources(scenes, [], look, seed=1)
    Store(tmp_path, 2).write(0, sources.sample(0))
    again = Store(tmp_path, 2)
    assert len(again) == 1
    again.write(1, sources.sample(1))
    assert len(Store(tmp_path)) == 2
    assert np.array_equal(Store(tmp_path).arrays["image"][0], sources.sample(0).image)


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
    assert terms.keys() >= {"heatmaps", "parts"}
    assert all(np.isfinite(value) and value > 0 for value in terms.values())
    training.save()
    resumed = Training(tmp_path, store, minutes=1, seed=1)
    assert resumed.step == 1
    for each in (training, resumed):  # as far again, by what the optimisers remember
        each.advance(*batch)
    for one, other in zip(training.network.parameters(), resumed.network.parameters(), strict=True):
        torch.testing.assert_close(one, other)


def test_a_step_trains_every_parameter_and_matrices_are_those_of_1x1_convolutions(store, tmp_path):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    torch.set_num_threads(1)
    from models.train.loader import Batches
    from models.train.train import Training

    images, targets = next(iter(Batches(store, [1])))
    training = Training(tmp_path, store, minutes=1, seed=1)
    layers = [layer for layer in training.network.modules() if isinstance(layer, torch.nn.Conv2d)]
    assert len(training.matrices) == sum(layer.kernel_size == (1, 1) and layer.groups == 1 for layer in layers)
    before = {name: values.detach().clone() for name, values in training.network.named_parameters()}
    training.advance(images[:1], {name: values[:1] for name, values in targets.items()})
    same = [name for name, values in training.network.named_parameters() if torch.equal(values, before[name])]
    assert not same


def test_batchnorm_learns_no_more_after_a_while(store, tmp_path):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    torch.set_num_threads(1)
    from models.train.loader import Batches
    from models.train.train import FIXED_FROM, Training

    images, targets = next(iter(Batches(store, [1])))
    batch = images[:1], {name: values[:1] for name, values in targets.items()}
    training = Training(tmp_path, store, minutes=1, seed=1)
    norm = training.network.blocks[0].depthwise[1]
    for progress, learns in ((FIXED_FROM - 0.01, True), (FIXED_FROM, False)):
        training.spent = progress * 60
        before = norm.running_mean.clone()
        training.advance(*batch)
        assert torch.equal(before, norm.running_mean) != learns


def test_what_teachers_see_moves_with_the_picture(shared):
    pytest.importorskip("openvino", reason="OpenVINO is not installed")
    models = shared / "models"
    teachers = Teachers(
        models / "omz-0001" / "human-pose-estimation-0001-FP16-INT8.xml",
        models / "coral" / "posenet_mobilenet_v1_075_481_641_quant_decoder.tflite",
        SIDE,
    )
    picture = cv2.imread(str(models / "coral" / "test_couple.jpg"))
    picture = cv2.resize(picture, (500, 375), interpolation=cv2.INTER_AREA)
    one, other = (teachers.look(picture[:SIDE, left : left + SIDE]) for left in (40, 72))
    assert np.corrcoef(one.maps[:18, 8:-8, 12:-8].ravel(), other.maps[:18, 8:-8, 8:-12].ravel())[0, 1] > 0.9
    assert 0.5 < one.maps[:18].max() < 1.2
    left, right = one.heatmaps[:, 4:-4, 6:-4], other.heatmaps[:, 4:-4, 4:-6]
    assert np.corrcoef(left.ravel(), right.ravel())[0, 1] > 0.9
    is_sure = np.minimum(left, right) > 0.8
    for axis in range(2):
        vectors = (each[:, axis][is_sure] for each in (one.offsets[..., 4:-4, 6:-4], other.offsets[..., 4:-4, 4:-6]))
        assert np.corrcoef(*vectors)[0, 1] > 0.9
    nose = np.unravel_index(one.heatmaps[0].argmax(), (CELLS, CELLS))
    y, x = np.array(nose) * 16 + one.offsets[0][:, nose[0], nose[1]]
    peak = np.unravel_index(one.maps[0].argmax(), (FINE_CELLS, FINE_CELLS))
    np.testing.assert_allclose([y, x], np.array(peak) * 8 + 3.5, atol=8)
