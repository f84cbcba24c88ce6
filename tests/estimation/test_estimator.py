"""From an image to poses in its pixels."""

import itertools
import threading
from typing import ClassVar

import cv2
import numpy as np
import pytest
from tiny_posenet import TinyPoseNet

import bottomup as bu
from bottomup.geometry import image_to_input
from bottomup.tensors import TensorInfo

CORAL = bu.PoseNetDecoder.coral(max_poses=7, score_threshold=0.25, nms_radius=12)


@pytest.fixture
def model(tmp_path):
    return TinyPoseNet(size=(129, 97), decoder_op=True).write(tmp_path / "tiny.tflite")


@pytest.fixture
def estimator(model):
    return bu.load(model, decoder="file")


def red_square(x, y, size=(129, 97), channel_order="bgr"):
    """Return a grey image, dark in red but for a square around (x, y)."""
    image = np.full((size[1], size[0], 3), (255, 90, 0), np.uint8)
    image[y - 4 : y + 5, x - 4 : x + 5] = (0, 90, 255)
    return image if channel_order == "bgr" else image[..., ::-1]


# --- where people are


@pytest.mark.parametrize("dtype", ["uint8", "int8", "float32"])
def test_a_person_is_found_where_the_network_sees_one(tmp_path, runtime, dtype):
    model = TinyPoseNet(dtype, size=(129, 97), decoder_op=True).write(tmp_path / "tiny.tflite")
    poses = bu.load(model, runtime=runtime, decoder="file")(red_square(64, 48))
    assert len(poses) == 1
    np.testing.assert_allclose(poses.xy[0], np.tile([64, 48], (17, 1)), atol=1e-3)
    assert poses.keypoint_scores.min() > 0.9
    assert poses.image_size == (129, 97)
    assert poses.skeleton is bu.COCO17


@pytest.mark.parametrize("resize", [bu.Letterbox(), bu.Letterbox(centred=True), bu.Stretch()])
@pytest.mark.parametrize("size", [(516, 200), (120, 160), (65, 49)])
def test_poses_are_in_pixels_of_the_image_however_it_came_into_the_input(model, resize, size):
    width, height = size
    placement = resize.place(bu.ImageSize(*size), bu.ImageSize(129, 97))
    image = np.full((height, width, 3), (255, 90, 0), np.uint8)
    seen = image_to_input(np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1), placement)
    image[np.abs(seen - [64, 48]).max(axis=-1) < 6] = (0, 90, 255)
    poses = bu.load(model, resize=resize, decoder="file")(image)
    assert len(poses) == 1
    np.testing.assert_allclose(image_to_input(poses.xy[0], placement), np.tile([64, 48], (17, 1)), atol=0.01)


def test_channel_order_says_which_channel_is_red(estimator):
    bgr, rgb = red_square(64, 48), red_square(64, 48, channel_order="rgb")
    np.testing.assert_array_equal(estimator(bgr).keypoints, estimator(rgb, channel_order="rgb").keypoints)
    assert not np.array_equal(estimator(bgr).keypoints, estimator(rgb).keypoints)


def test_an_empty_scene_has_no_poses(estimator):
    poses = estimator(np.zeros((60, 80, 3), np.uint8))
    assert len(poses) == 0
    assert poses.image_size == (80, 60)


def test_fields_are_what_the_decoder_gets(estimator):
    image = red_square(64, 48)
    fields = estimator.fields(image)
    assert isinstance(fields, bu.PoseNetFields)
    assert fields.output_stride == 16
    np.testing.assert_array_equal(CORAL.decode(fields).keypoints, estimator(image).keypoints)


# --- images


def test_a_file_gives_what_its_pixels_give(estimator, tmp_path):
    path = tmp_path / "señor in red.png"
    path.write_bytes(cv2.imencode(".png", red_square(80, 32))[1].tobytes())
    for image in (path, str(path)):
        np.testing.assert_array_equal(estimator(image).keypoints, estimator(red_square(80, 32)).keypoints)
        np.testing.assert_array_equal(
            estimator(image, channel_order="rgb").keypoints, estimator(red_square(80, 32)).keypoints
        )


def test_a_photo_is_turned_upright_as_its_exif_data_say(estimator, tmp_path):
    image = pytest.importorskip("PIL.Image")
    exif = image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise
    image.fromarray(np.zeros((30, 50, 3), np.uint8)).save(tmp_path / "turned.jpg", exif=exif)
    assert estimator(tmp_path / "turned.jpg").image_size == (30, 50)


@pytest.mark.parametrize(
    ("image", "way_out"),
    [
        (np.zeros((9, 9), np.uint8), r"for a grey image pass np\.repeat"),
        (np.zeros((9, 9, 1), np.uint8), r"for a grey image pass np\.repeat"),
        (np.zeros((9, 9, 4), np.uint8), r"drop the alpha channel, image\[\.\.\., :3\]"),
        (np.zeros((9, 9, 3)), r"pass \(image \* 255\)\.astype\(np\.uint8\)"),
        (np.zeros((9, 9, 3), np.uint16), "got uint16"),
        (np.zeros((0, 9, 3), np.uint8), "no pixels"),
        (np.zeros((2, 9, 9, 3), np.uint8), r"many to estimator\.batch\(images\)"),
        (np.zeros((3, 9, 9), np.uint8), r"channels come last, np\.moveaxis\(image, 0, 2\)"),
        (np.zeros(9, np.uint8), r"uint8 \(H, W, 3\) array, got uint8 \(9,\)"),
        (None, "the image is None, which cv2.imread returns"),
        ([[[0, 0, 0]]], "got list"),
        ("absent.jpg", "image 'absent.jpg' cannot be opened: No such file"),
    ],
)
def test_what_is_no_image_is_refused_with_the_way_out(estimator, image, way_out):
    with pytest.raises(bu.InputError, match=way_out):
        estimator(image)


def test_the_advice_on_grey_images_works(estimator):
    grey = np.zeros((9, 9), np.uint8)
    assert len(estimator(np.repeat(grey.reshape(*grey.shape[:2], 1), 3, axis=2))) == 0


@pytest.mark.parametrize(
    ("content", "why"), [(b"", "is empty"), (b"no image at all", "is not an image: it is a text file")]
)
def test_a_file_that_is_no_image_is_named(estimator, tmp_path, content, why):
    (tmp_path / "odd.jpg").write_bytes(content)
    with pytest.raises(bu.InputError, match=rf"odd\.jpg' {why}"):
        estimator(tmp_path / "odd.jpg")


@pytest.mark.parametrize(
    "use", [lambda e: e(red_square(9, 9), channel_order="grb"), lambda e: e.batch([], channel_order=1)]
)
def test_an_unknown_channel_order_is_refused(estimator, use):
    with pytest.raises(bu.InputError, match='channel_order must be "bgr" or "rgb"'):
        use(estimator)


def test_slices_and_read_only_images_are_images(estimator):
    image = np.repeat(red_square(64, 48), 2, axis=1)[:, ::2]
    image.flags.writeable = False
    np.testing.assert_array_equal(estimator(image).keypoints, estimator(red_square(64, 48)).keypoints)


# --- many images


def test_a_batch_gives_what_each_image_gives_in_order(estimator):
    images = [red_square(16 * column, 16 * row) for row in range(1, 6) for column in range(1, 8)]
    batch = list(estimator.batch(images))
    assert len(batch) == len(images)
    for poses, image in zip(batch, images, strict=True):
        np.testing.assert_array_equal(poses.keypoints, estimator(image).keypoints)


def test_a_batch_of_nothing_is_nothing(estimator):
    assert list(estimator.batch(iter([]))) == []


def test_a_batch_takes_files_and_arrays(estimator, tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), red_square(64, 48))
    first, second = estimator.batch([tmp_path / "a.png", red_square(64, 48)])
    np.testing.assert_array_equal(first.keypoints, second.keypoints)


def test_a_batch_reads_little_ahead_of_an_endless_source(estimator):
    source = itertools.count()
    batch = estimator.batch(red_square(64, 48) for _ in source)
    assert next(source) == 0  # nothing is read before poses are asked for
    for _ in range(5):
        next(batch)
    batch.close()
    assert next(source) <= 12


def test_closing_a_batch_ends_its_threads(estimator):
    before = threading.active_count()
    batch = estimator.batch(red_square(64, 48) for _ in itertools.count())
    next(batch)
    assert threading.active_count() > before
    batch.close()
    assert threading.active_count() == before


@pytest.mark.parametrize("at", [0, 1, 2, 5])
def test_an_error_comes_at_its_images_turn(estimator, at):
    images = [red_square(64, 48) for _ in range(6)]
    images[at] = np.zeros((9, 9), np.uint8)
    batch, found = estimator.batch(images), []
    with pytest.raises(bu.InputError, match="for a grey image"):
        found.extend(batch)
    assert len(found) == at
    assert list(batch) == []


def test_errors_can_stand_in_the_place_of_their_images(estimator):
    images = [red_square(64, 48), np.zeros((9, 9), np.uint8), "absent.jpg", red_square(64, 48)]
    first, grey, absent, last = estimator.batch(images, on_error="skip")
    assert len(first) == len(last) == 1
    assert isinstance(grey, bu.InputError)
    assert "absent.jpg" in str(absent)
    with pytest.raises(bu.InputError, match='on_error must be "raise" or "skip"'):
        estimator.batch(images, on_error="ignore")


def test_an_error_of_the_source_comes_at_its_turn(estimator):
    def source():
        yield red_square(64, 48)
        yield red_square(64, 48)
        raise OSError("the camera is gone")

    found = []
    with pytest.raises(OSError, match="the camera is gone"):
        found.extend(estimator.batch(source()))
    assert len(found) == 2


def test_an_error_of_the_decoder_comes_at_its_turn(model):
    class Moody:
        decoded = 0

        def decode(self, fields):
            self.decoded += 1
            if self.decoded == 3:
                raise ArithmeticError("not today")
            return CORAL.decode(fields)

    found = []
    with pytest.raises(ArithmeticError, match="not today"):
        found.extend(bu.load(model, decoder=Moody()).batch([red_square(64, 48)] * 5))
    assert len(found) == 2


def test_one_path_is_not_many_images(estimator):
    with pytest.raises(bu.InputError, match=r"got the one 'a\.jpg': pass a list of it"):
        estimator.batch("a.jpg")


def test_threads_may_share_an_estimator(estimator):
    images = [red_square(16 * column, 48) for column in range(1, 8)] * 4
    results = [None] * len(images)

    def work(start):
        for number in range(start, len(images), 4):
            results[number] = estimator(images[number])

    threads = [threading.Thread(target=work, args=(start,)) for start in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for image, poses in zip(images, results, strict=True):
        np.testing.assert_array_equal(poses.keypoints, estimator(image).keypoints)


# --- loading


def test_a_file_with_corals_decoder_is_decoded_with_its_settings_where_that_is_asked(estimator):
    assert estimator.decoder == CORAL


def test_every_file_gets_our_best_decoder(tmp_path, model):
    plain = TinyPoseNet().write(tmp_path / "plain.tflite")
    for loaded in (bu.load(model), bu.load(plain), bu.load(plain, decoder="file"), bu.load(plain, decoder="best")):
        assert loaded.decoder == bu.PoseNetDecoder()


def test_a_decoder_can_be_chosen_by_name(model):
    assert bu.load(model, decoder="tfjs").decoder == bu.PoseNetDecoder.tfjs()
    with pytest.raises(bu.InputError, match="is a PoseNet network, which openpose does not decode: choose best"):
        bu.load(model, decoder="openpose")


def test_a_score_below_which_poses_are_left_out(model):
    faint, sure = (bu.load(model, decoder="file", min_score=score) for score in (0.95, 0.9))
    assert len(faint(red_square(64, 48))) == 0
    assert len(sure(red_square(64, 48))) == 1


def test_outputs_without_names_are_given_them(tmp_path):
    channels = {"a": 17, "b": 34, "c": 32, "d": 32}
    names = {"a": "heatmaps", "b": "short_offsets", "c": "displacement_bwd", "d": "displacement_fwd"}
    model = TinyPoseNet(channels=channels).write(tmp_path / "tiny.tflite")
    with pytest.raises(bu.ModelError, match="leads forward, which backward"):
        bu.load(model)
    assert bu.load(model, outputs=names).fields(red_square(64, 48)).grid == (4, 5)
    with pytest.raises(bu.InputError, match=r"outputs names e, but .* gives a, b, c, d"):
        bu.load(model, outputs={"e": "heatmaps"})
    with pytest.raises(bu.InputError, match="outputs must be a dict"):
        bu.load(model, outputs=["heatmaps"])


def test_a_decoder_that_was_chosen_is_used(model):
    decoder = bu.PoseNetDecoder.tfjs(max_poses=1)
    assert bu.load(model, decoder=decoder).decoder is decoder


def test_an_estimator_says_what_it_is(estimator, model):
    assert estimator.path == model
    assert estimator.input_size == (129, 97)
    assert estimator.output_stride == 16
    assert estimator.resize == bu.Letterbox()
    assert estimator.skeleton is bu.COCO17


@pytest.mark.parametrize(
    ("asked", "given"),
    [((640, 480), (641, 481)), ((257, 353), (257, 353)), ((100, 66), (97, 65)), ((129, 97), (129, 97))],
)
def test_input_sizes_become_whole_strides_plus_1(model, asked, given):
    estimator = bu.load(model, input_size=asked)
    assert estimator.input_size == given
    assert estimator.fields(red_square(64, 48)).grid == (given[1] // 16 + 1, given[0] // 16 + 1)


def test_the_models_own_size_is_not_rounded(tmp_path):
    model = TinyPoseNet(size=(128, 96)).write(tmp_path / "tiny.tflite")
    assert bu.load(model, input_size=(128, 96)).input_size == (128, 96)


@pytest.mark.parametrize(
    ("arguments", "way_out"),
    [
        ({"input_size": 640}, r"input_size must be \(width, height\)"),
        ({"input_size": (640,)}, r"input_size must be \(width, height\)"),
        ({"input_size": (16, 480)}, "above 16 pixels each"),
        ({"decoder": bu.PoseNetDecoder}, r"decoder must be one, such as PoseNetDecoder\(\)"),
        ({"decoder": "corral"}, "decoder must be one of best, coral, .* or file"),
        ({"decoder": bu.PafDecoder()}, "is a PoseNet network, which PafDecoder does not decode"),
        ({"resize": "letterbox"}, r"resize must be Letterbox\(\) or Stretch\(\)"),
        ({"scaling": "greyscale"}, "scaling must be one of"),
        ({"runtime": "onnx"}, "runtime must be one of"),
        ({"threads": 0}, "threads must be"),
        ({"min_score": 1.1}, r"min_score must be a score in \[0, 1\]"),
        ({"min_score": "high"}, "min_score must be one number"),
        ({"skeleton": "coco"}, "skeleton"),
    ],
)
def test_arguments_that_cannot_be_are_refused(model, arguments, way_out):
    with pytest.raises(bu.InputError, match=way_out):
        bu.load(model, **arguments)


def test_a_name_that_is_no_file_is_refused_with_the_way_out():
    with pytest.raises(bu.ModelError, match="there is no model 'best', in the catalogue or as a file"):
        bu.load("best")


def test_a_model_of_another_kind_is_refused(tmp_path):
    with pytest.raises(bu.ModelError, match=r"outputs 'maps' \(1, 4, 5, 60\) are of no network that Bottomup knows"):
        bu.load(TinyPoseNet(channels={"maps": 60}).write(tmp_path / "tiny.tflite"))


def test_a_posenet_of_another_stride_is_refused(tmp_path):
    net = TinyPoseNet()
    for operator in net.graph.operators:
        operator.builtinOptions.strideW = operator.builtinOptions.strideH = 5
    with pytest.raises(bu.ModelError, match="fit no stride of 8, 16 or 32"):
        bu.load(net.write(tmp_path / "tiny.tflite"))


# --- networks that decode by themselves


class DecodingNetwork:
    """Gives two poses, as PosenetDecoderOp does, and no fields."""

    input = TensorInfo("input", (1, 97, 129, 3), np.dtype(np.uint8), 1 / 128, 128)
    input_size = bu.ImageSize(129, 97)
    options: ClassVar = {}
    producers: ClassVar = {}
    aliases: ClassVar = {}

    def __init__(self, path):
        self.path = path
        outputs = {name: np.shape(values) for name, values in self.run(None).items()}
        self.outputs = tuple(TensorInfo(name, shape, np.dtype(np.float32), 0, 0) for name, shape in outputs.items())

    def cell_shift(self, output, size):
        return None

    def run(self, image):
        yx = np.full((1, 5, 17, 2), (48.0, 64.0))
        yx[0, 1] += 20
        return {"a": yx, "b": np.full((1, 5, 17), 0.5), "c": np.array([[0.9, 0.8, 7, 7, 7]]), "d": np.float32(2)}


@pytest.fixture
def load_decoding(model, monkeypatch):
    monkeypatch.setattr("bottomup.estimation.loading.open_network", lambda *_, **__: DecodingNetwork(model))
    return lambda **options: bu.load(model, **options)


def test_poses_that_the_network_decoded_are_brought_to_the_image(load_decoding):
    poses = load_decoding()(np.zeros((97 * 2, 129 * 2, 3), np.uint8))
    assert poses.scores.tolist() == pytest.approx([0.9, 0.8])
    assert poses.keypoints[0, 0].tolist() == [128.5, 96.5, 0.5]
    assert poses.image_size == (258, 194)


def test_a_network_that_decodes_has_no_fields(load_decoding):
    with pytest.raises(bu.ModelError, match="decodes by itself and gives no fields"):
        load_decoding().fields(np.zeros((9, 9, 3), np.uint8))


def test_a_network_that_decodes_takes_no_decoder(load_decoding):
    assert load_decoding().decoder is None
    assert load_decoding(decoder="file").decoder is None
    with pytest.raises(bu.InputError, match="decodes by itself: leave decoder out"):
        load_decoding(decoder=CORAL)


# --- Coral's own files


@pytest.mark.parametrize(
    "name",
    [
        *(f"coral/posenet_mobilenet_v1_075_{size}_quant_decoder" for size in ("353_481", "481_641", "721_1281")),
        *(f"coral/posenet_mobilenet_v1_075_{size}_quant" for size in ("353_481", "481_641", "721_1281")),
        "coral/posenet_mobilenet_v1_075_481_641_16_quant_decoder",
        "bodypix/bodypix_mobilenet_v1_075_512_512_16_quant_decoder",
        "bodypix/bodypix_mobilenet_v1_075_640_480_16_quant_decoder",
        "bodypix/bodypix_mobilenet_v1_075_720_1280_16_quant",
    ],
)
def test_corals_models_find_the_couple(runtime, shared, name):
    poses = bu.load(shared / f"models/{name}.tflite", runtime=runtime)(shared / "models/coral/test_couple.jpg")
    assert poses.image_size == (1920, 1278)
    couple = poses[poses.scores > 0.5]
    assert len(couple) == 2
    noses = couple.keypoints[np.argsort(couple.keypoints[:, 0, 0]), 0, :2]
    np.testing.assert_allclose(noses[0], [815, 357], atol=15)


def test_bodypix_brings_long_offsets_and_segments(shared):
    estimator = bu.load(shared / "models/bodypix/bodypix_mobilenet_v1_075_512_512_16_quant_decoder.tflite")
    fields = estimator.fields(shared / "models/coral/test_couple.jpg")
    assert fields.long_offsets.shape == (33, 33, 34)
    assert fields.segments.shape == (33, 33, 1)


def test_corals_models_run_at_other_sizes(runtime, shared):
    model = shared / "models/coral/posenet_mobilenet_v1_075_721_1281_quant_decoder.tflite"
    estimator = bu.load(model, runtime=runtime, input_size=(961, 721))
    assert estimator.fields(shared / "models/coral/test_couple.jpg").grid == (46, 61)


def test_a_model_for_the_edge_tpu_is_refused_with_the_way_out(shared):
    with pytest.raises(bu.ModelError, match="compiled for the Edge TPU"):
        bu.load(shared / "models/coral/posenet_mobilenet_v1_075_481_641_quant_decoder_edgetpu.tflite")


def test_a_decoder_without_network_is_refused_with_the_way_out(shared):
    with pytest.raises(bu.ModelError, match="is a decoder without a network"):
        bu.load(shared / "models/coral/posenet_mobilenet_v1_075_481_641_decoder.tflite")


# --- more looks at an image


def test_flipping_makes_an_image_and_its_mirror_image_alike(shared):
    path = shared / "models" / "coral" / "posenet_mobilenet_v1_075_353_481_quant_decoder.tflite"
    estimator = bu.load(path, augmentation=bu.Augmentation(flip=True), resize=bu.Stretch())
    image = cv2.resize(cv2.imread(str(shared / "models" / "coral" / "test_couple.jpg")), estimator.input_size)
    poses = estimator(image)
    seen = estimator(np.ascontiguousarray(image[:, ::-1])).mirrored(swap_sides=True)
    assert len(poses) == len(seen) == 2
    errors = np.abs(seen.xy - poses.xy)  # few differ: tied roots may be taken in another order
    assert np.median(errors) < 1e-3
    assert errors.max() < 3


@pytest.mark.parametrize("scales", [(1.0,), (1.0, 1.5), (0.5, 2.0)])
def test_a_person_seen_at_several_sizes_is_one_person(model, scales):
    estimator = bu.load(model, decoder="file", augmentation=bu.Augmentation(flip=True, scales=scales))
    poses = estimator(red_square(64, 48))
    assert len(poses) == 1
    np.testing.assert_allclose(poses.xy[0], np.tile([64, 48], (17, 1)), atol=1.5)
    [streamed] = estimator.batch([red_square(64, 48)])
    np.testing.assert_array_equal(streamed.keypoints, poses.keypoints)


def test_sizes_are_rounded_to_what_the_network_takes(model):
    estimator = bu.load(model, augmentation=bu.Augmentation(flip=False, scales=(1.0, 1.5)))
    assert [network.input_size for network in (estimator.network, *estimator.more_networks)] == [(129, 97), (193, 145)]


def test_anything_but_an_augmentation_is_refused(model):
    with pytest.raises(bu.InputError, match="augmentation must be an Augmentation"):
        bu.load(model, augmentation="flip")


# --- an input of the image's aspect


def test_an_automatic_size_spends_nothing_on_padding(model):
    estimator = bu.load(model, input_size="auto")
    for size in [(64, 64), (129, 97), (300, 50), (40, 400)]:
        fields = estimator.fields(np.zeros((size[1], size[0], 3), np.uint8))
        rows, columns = fields.grid
        resized = bu.Letterbox().place(bu.ImageSize(*size), estimator.input_size).resized
        assert 0 <= columns * 16 - resized.width < 32
        assert 0 <= rows * 16 - resized.height < 32
        assert columns <= 9
        assert rows <= 7


def test_people_are_where_they_are_at_an_automatic_size(model):
    poses = bu.load(model, input_size="auto", decoder="file")(red_square(30, 48, size=(60, 97)))
    assert len(poses) == 1
    np.testing.assert_allclose(poses.xy[0], np.tile([30, 48], (17, 1)), atol=3)


def test_an_unknown_word_for_the_size_is_refused(model):
    with pytest.raises(bu.InputError, match=r'input_size must be \(width, height\) or "auto", got'):
        bu.load(model, input_size="large")
