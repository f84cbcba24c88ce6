"""Masks written, drawn and read: COCO's encoding, pictures, the command line, the operator's own."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra.numpy import array_shapes, arrays

import bottomup as bu
from bottomup import cli
from bottomup.export import coco_rle
from bottomup.posenet.masks import Segmentation

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of pycocotools
SHAPES = {"poses": (1, 5, 17, 2), "keypoints": (1, 5, 17), "scores": (1, 5), "masks": (1, 5, 33, 33)}


# COCO's encoding


@settings(max_examples=200, deadline=None)
@given(arrays(np.bool_, array_shapes(min_dims=2, max_dims=2, max_side=40)))
def test_masks_are_encoded_as_pycocotools_does_and_read_back_by_it(mask):
    pycocotools = pytest.importorskip("pycocotools.mask")
    encoded = coco_rle(mask)
    theirs = pycocotools.encode(np.asfortranarray(mask.astype(np.uint8)))
    assert encoded == {"size": list(theirs["size"]), "counts": theirs["counts"].decode()}
    np.testing.assert_array_equal(pycocotools.decode(json.loads(json.dumps(encoded))), mask)


def test_long_runs_are_encoded_too():
    pycocotools = pytest.importorskip("pycocotools.mask")
    mask = np.zeros((720, 1280), bool)
    mask[100:700, 5:1000] = True
    np.testing.assert_array_equal(pycocotools.decode(coco_rle(mask)), mask)


def test_several_masks_are_no_mask():
    with pytest.raises(bu.InputError, match="masks\\[0\\]"):
        coco_rle(np.zeros((2, 3, 3)))


# Pictures


def test_masks_are_tinted_each_in_its_colour_and_the_rest_is_left():
    image = np.full((20, 30, 3), 100, np.uint8)
    masks = np.zeros((2, 20, 30), bool)
    masks[0, 2:8, 2:8] = masks[1, 2:8, 12:28] = True
    drawn = bu.draw_masks(image, masks)
    np.testing.assert_array_equal((drawn != 100).any(axis=2), masks.any(axis=0))
    assert (drawn[5, 5] != drawn[5, 20]).any()
    assert (image == 100).all()
    np.testing.assert_array_equal(bu.draw_masks(image, masks, channel_order="rgb"), drawn[..., ::-1])


def test_parts_are_tinted_each_in_its_colour_and_the_rest_is_left():
    image = np.full((20, 24, 3), 100, np.uint8)
    parts = np.repeat(np.arange(24, dtype=np.int8)[None], 20, axis=0)
    parts[10:] = -1
    drawn = bu.draw_parts(image, parts)
    assert (drawn[10:] == 100).all()
    assert len(np.unique(drawn[0], axis=0)) == 24


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda image: bu.draw_masks(image, np.zeros((1, 5, 5), bool)), r"masks must be bool \(M, 20, 30\)"),
        (lambda image: bu.draw_masks(image, np.zeros((1, 20, 30))), "masks must be bool"),
        (lambda image: bu.draw_parts(image, np.zeros((5, 5), np.int8)), "parts must be whole numbers"),
        (lambda image: bu.draw_parts(image, np.full((20, 30), 24)), "below 24"),
        (lambda image: bu.draw_masks(image[..., 0], np.zeros((1, 20, 30), bool)), "image must be"),
        (lambda image: bu.draw_masks(image, np.zeros((1, 20, 30), bool), channel_order="xyz"), "channel_order"),
    ],
)
def test_what_cannot_be_drawn_is_refused(draw, message):
    with pytest.raises(bu.InputError, match=message):
        draw(np.zeros((20, 30, 3), np.uint8))


# The command line


class FakeEstimator:
    """Finds two people in every image: one in its upper half, one in the lower; and parts, if it is told to."""

    skeleton, decoder, path, knows_parts = bu.COCO17, None, "fake.tflite", True

    def masks(self, image, *, min_score):
        height, width = image.shape[:2]
        masks = np.zeros((2, height, width), bool)
        masks[0, : height // 2] = masks[1, height // 2 :] = True
        keypoints = np.full((2, 17, 3), (5, 5, 1), np.float32)
        parts = masks[0].astype(np.int8) - 1 if self.knows_parts else None
        return Segmentation(bu.Poses(keypoints, [0.9, 0.5], bu.COCO17), masks, masks.any(axis=0), parts)


@pytest.fixture
def predict(tmp_path, monkeypatch, capsys):
    """Run `bottomup predict a.png` with more arguments in an empty folder; gives its status and complaints."""
    monkeypatch.chdir(tmp_path)
    cv2.imwrite("a.png", np.full((30, 40, 3), 90, np.uint8))
    monkeypatch.setattr("bottomup.estimation.loading.load", lambda *_, **__: FakeEstimator())

    def predict(*arguments):
        status = cli.main(["predict", *(arguments or ["a.png"]), "--model", "m"])
        return status, capsys.readouterr().err

    return predict


def test_masks_are_written_beside_the_picture_and_told_in_the_json(predict):
    pycocotools = pytest.importorskip("pycocotools.mask")
    assert predict("a.png", "--masks") == (0, "")
    (image,) = json.loads(Path("poses/poses.json").read_text())["images"]
    assert len(image["poses"]) == len(image["masks"]) == 2
    for mask, rows in zip(image["masks"], (slice(0, 15), slice(15, 30)), strict=True):
        pixels = cv2.imread(mask["file"], cv2.IMREAD_UNCHANGED)
        np.testing.assert_array_equal(pixels == 255, pycocotools.decode(mask["segmentation"]) > 0)
        assert (pixels[rows] == 255).all()
        assert (pixels == 255).sum() == 15 * 40
    assert "parts" not in image
    drawn = cv2.imread("poses/a.png")
    assert (drawn[8, 30] != 90).any()
    assert (drawn[8, 30] != drawn[22, 30]).any()


def test_parts_are_written_too(predict):
    assert predict("a.png", "--parts", "--json", "lines.jsonl") == (0, "")
    image = json.loads(Path("lines.jsonl").read_text())
    parts = cv2.imread(image["parts"], cv2.IMREAD_UNCHANGED)
    assert (parts[:15] == 1).all()
    assert (parts[15:] == 0).all()
    assert len(image["masks"]) == 2


def test_parts_of_a_model_that_tells_none_are_one_line(predict, monkeypatch):
    monkeypatch.setattr(FakeEstimator, "knows_parts", False)
    status, complaint = predict("a.png", "--parts")
    assert status == 2
    assert complaint.startswith("bottomup: fake.tflite tells no parts of the body")
    assert complaint.count("\n") == 1


def test_masks_of_videos_tint_each_frame_and_are_told_in_its_line(predict):
    pycocotools = pytest.importorskip("pycocotools.mask")
    writer = cv2.VideoWriter("clip.mp4", cv2.VideoWriter.fourcc(*"mp4v"), 10, (64, 48))
    for _ in range(3):
        writer.write(np.full((48, 64, 3), 90, np.uint8))
    writer.release()
    assert predict("clip.mp4", "--masks") == (0, "")
    lines = [json.loads(line) for line in Path("poses/clip.jsonl").read_text().splitlines()]
    assert [line["frame"] for line in lines] == [0, 1, 2]
    for line in lines:
        upper, lower = (pycocotools.decode(mask["segmentation"]) for mask in line["masks"])
        assert upper[:24].all()
        assert lower[24:].all()
    capture = cv2.VideoCapture("poses/clip.mp4")
    _, frame = capture.read()
    assert abs(frame[12, 50].astype(int) - frame[36, 50]).max() > 20


def test_masks_of_people_who_are_tracked_are_refused(predict):
    Path("clip.mp4").write_bytes(b"")
    status, complaint = predict("clip.mp4", "--masks", "--track")
    assert status == 2
    assert (
        complaint == "bottomup: --masks and --parts tell of each frame alone: leave --track, --smooth and --trail out\n"
    )


def test_masks_of_earlier_images_are_not_overwritten(predict):
    Path("more").mkdir()
    cv2.imwrite("more/a.png", np.full((10, 10, 3), 90, np.uint8))
    assert predict("a.png", "more", "--masks") == (0, "")
    images = json.loads(Path("poses/poses.json").read_text())["images"]
    files = [mask["file"] for image in images for mask in image["masks"]]
    assert len(set(files)) == 4
    assert [cv2.imread(file, 0).shape for file in files] == [(30, 40)] * 2 + [(10, 10)] * 2


# The operator's own masks


def decoded(count=2, **changes):
    return {"count": np.float32(count)} | {
        name: np.ones(shape, np.float32) for name, shape in (SHAPES | changes).items()
    }


def test_the_operators_masks_are_read_with_its_poses():
    outputs = decoded(3)
    outputs["masks"][0, 1] = 0
    masks = bu.read_masks(outputs, (512, 512))
    assert masks.shape == (3, 33, 33)
    assert masks.dtype == np.bool_
    assert masks.any(axis=(1, 2)).tolist() == [True, False, True]
    assert len(bu.read_outputs(outputs, (512, 512))) == 3


@pytest.mark.parametrize("input_size", [(640, 480), (1280, 720)])
def test_the_operators_masks_of_inputs_that_are_not_square_are_refused(input_size):
    with pytest.raises(bu.ModelError, match="use PoseNetMasks"):
        bu.read_masks(decoded(), input_size)


def test_outputs_without_masks_are_none():
    outputs = decoded()
    del outputs["masks"]
    with pytest.raises(bu.ModelError, match="outputs must be those of a decoder with masks"):
        bu.read_masks(outputs, (512, 512))
    with pytest.raises(bu.ModelError, match="outputs must be those of a decoder with masks"):
        bu.read_masks({"masks": np.zeros((1, 5, 33, 33))}, (512, 512))
    with pytest.raises(bu.InputError, match="outputs must be a dict"):
        bu.read_masks([1], (512, 512))


@pytest.mark.parametrize("names", [("long", "other"), ("a_short", "b")])
def test_part_heatmaps_segments_and_long_offsets_are_told_by_name_and_channels(names):
    first, second = names
    maps = {"parts": 24, "person": 1, first: 34, "heat": 17, second: 34, "mid": 64}
    outputs = {name: np.full((3, 3, channels), float(number)) for number, (name, channels) in enumerate(maps.items())}
    fields = bu.read_outputs(outputs, (33, 33))
    assert fields.part_heatmaps[0, 0, 0] == 0
    assert fields.segments[0, 0, 0] == 1
    assert {fields.long_offsets[0, 0, 0], fields.offsets[0, 0, 0]} == {2, 4}
    assert fields.long_offsets[0, 0, 0] == (2 if first == "long" else 4)


def test_two_tensors_that_could_both_be_the_long_offsets_are_refused_with_the_way_out():
    maps = {"a": 34, "b": 34, "heat": 17, "mid": 64}
    with pytest.raises(bu.ModelError, match="Name them 'short_offsets' and 'long_offsets'"):
        bu.read_outputs({name: np.zeros((3, 3, channels)) for name, channels in maps.items()}, (33, 33))


@pytest.mark.parametrize(("step", "columns"), [(0.249, [10]), (0.251, [9, 10])])
def test_long_offsets_are_followed_until_a_step_is_a_quarter_of_a_cell(step, columns):
    """A longer step is followed by three more, which end nearer to the keypoints at column 10.5."""
    rows = np.linspace(0, 8, 17)
    long_offsets = np.full((9, 33, 34), step * 16)
    long_offsets[..., :17] = (rows - np.arange(9)[:, None, None]) * 16
    nothing = (np.zeros((9, 33, channels)) for channels in (17, 34, 64))
    fields = bu.PoseNetFields.from_mid_offsets(*nothing, long_offsets=long_offsets, segments=np.full((9, 33, 1), 9.0))
    keypoints = np.ones((1, 17, 3))
    keypoints[0, :, 0], keypoints[0, :, 1] = 10.5 * 16, rows * 16
    masks = bu.PoseNetMasks().masks(fields, bu.Poses(keypoints, [1], bu.COCO17))
    assert np.flatnonzero(masks[0].all(axis=0)).tolist() == columns
