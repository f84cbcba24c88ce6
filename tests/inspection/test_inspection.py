import argparse
import base64
import dataclasses
import hashlib
import json
import re
import shlex
import zlib
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from tiny_posenet import TinyPoseNet

import bottomup as bu
from bottomup import cli
from bottomup.cli.options import add_decoder_options, choose_decoder
from bottomup.families import FAMILIES
from bottomup.geometry import ImageSize
from bottomup.inspection import inspect_fields, inspect_image
from bottomup.inspection.calls import call_of
from bottomup.inspection.packing import Pack
from bottomup.layers import VectorField
from bottomup.posenet.best import PoseNetDecoder
from bottomup.skeletons import COCO17
from bottomup.synthetic import paf_fields, posenet_fields, random_poses

SIZE = (193, 161)
GREY = np.full((SIZE[1], SIZE[0], 3), 90, np.uint8)
FLAVOURS = {
    "best": PoseNetDecoder(),
    "coral": PoseNetDecoder.coral(),
    "tfjs": PoseNetDecoder.tfjs(),
    "personlab": PoseNetDecoder.personlab(),
}


@pytest.fixture(autouse=True)
def _few_steps(monkeypatch):
    """Sliders of few steps, for the sake of runs without a compiler."""
    steps = {"score_threshold": (0.01, 0.3, 0.9), "nms_radius": (1.0, 80.0)}
    monkeypatch.setattr("bottomup.posenet.layers._SLIDERS", steps)
    monkeypatch.setattr("bottomup.paf.layers._SLIDERS", {"peak_threshold": (0.1, 0.5), "max_overlap": (0.1,)})


def unpack(page):
    """Return the page's JSON, and the bytes beside it."""
    (text,) = re.findall(r'<script type="application/octet-stream" id="data">(.*?)</script>', page, re.DOTALL)
    whole = zlib.decompress(base64.b64decode(text))
    end = 4 + int.from_bytes(whole[:4], "little")
    return json.loads(whole[4:end]), whole[end:]


def data_of(page):
    """Return the page's JSON, with its first decoder's data beside the rest."""
    data, _ = unpack(page)
    return {**data["decoders"][0], **data}


def piece(page, place):
    start, size = place
    return unpack(page)[1][start : start + size]


def noisy_posenet(num_people=2):
    """Fields in which every walk goes its own way."""
    fields = posenet_fields(random_poses(num_people, SIZE, seed=3), SIZE)
    noise = np.random.default_rng(0)
    parts = (fields.heatmaps, fields.offsets, fields.displacements_fwd, fields.displacements_bwd)
    return bu.PoseNetFields.from_displacements(*(part + noise.normal(0, 0.7, part.shape) for part in parts))


def chaos():
    """Fields of no people at all, in which many are found, and fewer by stricter settings."""
    noise = np.random.default_rng(1)
    spreads = {17: 2, 34: 8, 32: 30}
    heatmaps, offsets, fwd, bwd = (noise.normal(0, spreads[count], (11, 13, count)) for count in (17, 34, 32, 32))
    return bu.PoseNetFields.from_displacements(heatmaps - 2, offsets, fwd, bwd)


def step_of(data, **chosen):
    """Return the poses that the page shows at these steps of its sliders."""
    index = 0
    for setting in data["settings"]:
        index = index * len(setting["steps"]) + setting["steps"].index(
            chosen.get(setting["name"], setting["steps"][setting["start"]])
        )
    return data["decodes"][index]


def keypoints_of(data, step):
    return np.array(
        [[each or (np.nan, np.nan, 0) for each in data["poses"][pose]["keypoints"]] for pose, *_ in step]
    ).reshape(len(step), -1, 3)


# What the page knows


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_it_opens_with_the_decoders_own_poses(flavour):
    fields, decoder = noisy_posenet(), FLAVOURS[flavour]
    data = data_of(inspect_fields(GREY, fields, decoder))
    poses = decoder.decode(fields)
    assert len(poses) > 1
    np.testing.assert_allclose(keypoints_of(data, step_of(data)), poses.keypoints, atol=0.051)
    np.testing.assert_allclose([score for _, score, _ in step_of(data)], poses.scores, atol=5.1e-4)


def test_its_sliders_decode_again():
    fields = chaos()
    data = data_of(inspect_fields(GREY, fields, PoseNetDecoder()))
    assert [setting["name"] for setting in data["settings"]] == ["score_threshold", "nms_radius"]
    counts = set()
    for threshold, radius in ((0.01, 1.0), (0.1, 80.0), (0.9, 20.0)):
        poses = PoseNetDecoder(score_threshold=threshold, nms_radius=radius).decode(fields)
        step = step_of(data, score_threshold=threshold, nms_radius=radius)
        np.testing.assert_allclose(keypoints_of(data, step), poses.keypoints, atol=0.051)
        counts.add(len(poses))
    assert len(counts) > 1


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_the_walk_from_a_poses_root_ends_in_its_keypoints(flavour):
    data = data_of(inspect_fields(GREY, noisy_posenet(), FLAVOURS[flavour]))
    assert data["poses"]
    for pose in data["poses"]:
        part, x, y, _ = data["peaks"][pose["root"]]
        ends = {part: (x, y), **{step[0]: tuple(step[-2:]) for step in data["traces"][pose["root"]]}}
        assert sorted(ends) == list(range(17))
        for part, keypoint in enumerate(pose["keypoints"]):
            np.testing.assert_allclose(ends[part], keypoint[:2], atol=0.11)


def test_a_walk_leads_from_part_to_part():
    data = data_of(inspect_fields(GREY, noisy_posenet(), PoseNetDecoder.coral(refinement_steps=2)))
    part, x, y, _ = data["peaks"][0]
    reached = {part: [x, y]}
    for target, *numbers in data["traces"][0]:
        assert numbers[:2] in reached.values()
        assert len(numbers) == 2 * (1 + 1 + 2)  # where it begins, where the displacement lands, two refinements
        reached[target] = numbers[-2:]
    assert len(reached) == 17


def test_candidates_come_best_first():
    scores = [score for *_, score in data_of(inspect_fields(GREY, noisy_posenet(), PoseNetDecoder()))["peaks"]]
    assert scores == sorted(scores, reverse=True)
    assert len(scores) > 20


def test_heatmaps_are_the_networks_own():
    fields = noisy_posenet()
    page = inspect_fields(GREY, fields, PoseNetDecoder())
    maps = data_of(page)["maps"]
    assert [each["name"] for each in maps["each"]] == list(COCO17.parts)
    nose = maps["each"][0]
    shown = np.frombuffer(piece(page, nose["place"]), np.uint8).reshape(nose["height"], nose["width"])
    np.testing.assert_allclose(shown / 255, 1 / (1 + np.exp(-fields.heatmaps[..., 0])), atol=0.003)
    assert (maps["origin"], maps["pitch"]) == ([0, 0], [16, 16])


def test_vectors_are_the_networks_own():
    fields = noisy_posenet()
    page = inspect_fields(GREY, fields, PoseNetDecoder())
    vectors = data_of(page)["vectors"]
    assert len(vectors) == 17 + 2 * 16

    def assert_arrows(name, axis, values, part):
        (field,) = (each for each in vectors if each["name"] == name)
        levels = np.frombuffer(piece(page, field["place"]), "<i2").reshape(field["height"], field["width"], 2)
        is_drawn = 1 / (1 + np.exp(-fields.heatmaps[..., part])) >= 0.03
        assert 0 < is_drawn.sum() < is_drawn.size
        np.testing.assert_allclose(levels[..., axis] * field["length"], np.where(is_drawn, values, 0), atol=0.07)

    assert_arrows("short offsets: nose", 0, fields.offsets[..., 17], 0)
    assert_arrows("nose to left_eye", 1, fields.displacements_fwd[..., 0], 0)
    assert_arrows("left_eye to nose", 0, fields.displacements_bwd[..., 16], 1)


def test_of_part_affinity_fields_it_knows_peaks_limbs_and_what_was_filled_in():
    poses = random_poses(2, (192, 160), seed=1)
    fields, decoder = paf_fields(poses, (192, 160)), bu.PafDecoder()
    data = data_of(inspect_fields(np.zeros((160, 192, 3), np.uint8), fields, decoder))
    found = decoder.decode(fields)
    assert len(found) == 2
    np.testing.assert_allclose(keypoints_of(data, step_of(data)), found.keypoints, atol=0.051)
    edges, peaks = fields.skeleton.edges, data["peaks"]
    assert [setting["name"] for setting in data["settings"]] == ["peak_threshold", "max_overlap"]
    for edge, parent, child, score in data["limbs"]:
        assert (peaks[parent][0], peaks[child][0]) == edges[edge]
        assert 0 < score <= 1
    places = {(part, x, y) for part, x, y, _ in peaks}
    for number, *_ in step_of(data):
        pose = data["poses"][number]
        for part, keypoint in enumerate(pose["keypoints"]):
            if keypoint and part not in pose["filled"]:
                assert any(
                    each[0] == part and np.hypot(each[1] - keypoint[0], each[2] - keypoint[1]) < 0.2 for each in places
                )
    assert {tuple(np.flatnonzero(row)) for row in found.filled} == {
        tuple(data["poses"][number]["filled"]) for number, *_ in step_of(data)
    }


def test_the_arrows_of_a_finer_field_lie_where_its_cells_do():
    poses = random_poses(1, (192, 160), seed=1)
    fields = paf_fields(poses, (192, 160))
    fine = bu.PafFields(
        fields.heatmaps, fields.pafs.repeat(2, axis=0).repeat(2, axis=1) + np.float32(1e-3) * np.arange(48)[:, None]
    )
    first = data_of(inspect_fields(np.zeros((160, 192, 3), np.uint8), fine, bu.PafDecoder()))["vectors"][0]
    assert (first["pitch"], first["origin"]) == ([4, 4], [1.5, 1.5])


@pytest.mark.parametrize("value", [np.nan, np.inf, -1e30])
def test_spoiled_fields_make_a_page(value):
    fields = noisy_posenet()
    heatmaps = fields.heatmaps.copy()
    value_of_posenet = value if np.isfinite(value) else 1e30  # its fields refuse what is no number
    heatmaps[3:5, 2:6], fields.offsets[2, 2] = value_of_posenet, value_of_posenet
    spoiled = bu.PoseNetFields.from_displacements(
        heatmaps, fields.offsets, fields.displacements_fwd, fields.displacements_bwd
    )
    assert data_of(inspect_fields(GREY, spoiled, PoseNetDecoder()))["family"] == "posenet"
    of_paf = paf_fields(random_poses(1, SIZE), SIZE)
    heatmaps, pafs = of_paf.heatmaps.copy(), of_paf.pafs.copy()
    heatmaps[3:5, 2:6], pafs[8] = value, value
    assert data_of(inspect_fields(GREY, bu.PafFields(heatmaps, pafs), bu.PafDecoder()))["family"] == "paf"


def test_nobody_makes_a_page():
    nobody = bu.PoseNetFields.from_mid_offsets(np.full((9, 9, 17), -9.0), np.zeros((9, 9, 34)), np.zeros((9, 9, 64)))
    data = data_of(inspect_fields(GREY, nobody, PoseNetDecoder()))
    assert (data["peaks"], data["poses"]) == ([], [])


# The file


class Outline(HTMLParser):
    """A page's policy, and the texts of its scripts and styles."""

    def __init__(self, page):
        super().__init__()
        self.policy, self.texts, self.tags, self._kind = "", [], [], None
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.tags.append((tag, given))
        self._kind = tag if tag in ("script", "style") and "id" not in given else None
        if given.get("http-equiv") == "Content-Security-Policy":
            self.policy = given["content"]

    def handle_data(self, text):
        if self._kind:
            self.texts.append((self._kind, text))
            self._kind = None


def test_it_needs_no_other_file_and_no_network():
    page = inspect_fields(GREY, noisy_posenet(), PoseNetDecoder())
    assert not re.findall(r"https?:|@import|url\(|<link|<script src|\bfetch\(|XMLHttpRequest", page)
    assert not [given for _, given in Outline(page).tags if {"src", "href", "style", "onclick"} & given.keys()]


def test_its_policy_allows_its_own_script_and_style_alone():
    outline = Outline(inspect_fields(GREY, noisy_posenet(1), PoseNetDecoder(), title="<script>alert(1)</script>"))
    assert "default-src 'none'" in outline.policy
    assert not re.findall(r"unsafe|https?:|data:|\*", outline.policy)
    assert [kind for kind, _ in outline.texts] == ["style", "script"]
    for kind, text in outline.texts:
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in outline.policy


def test_a_title_is_text():
    page = inspect_fields(GREY, noisy_posenet(1), PoseNetDecoder(), title="</script><b>{{DATA}}")
    assert "<b>" not in page
    assert data_of(page)["title"] == "</script><b>{{DATA}}"


def test_scripts_never_write_markup():
    for path in Path(bu.inspection.__file__).parent.glob("page/*.js"):
        assert not re.findall(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", path.read_text("utf-8"))
        assert len(path.read_text("utf-8").splitlines()) <= 350


def test_the_photo_comes_with_its_place_in_the_input(tmp_path):
    model = TinyPoseNet().write(tmp_path / "tiny.tflite")
    photo = np.random.default_rng(0).integers(0, 256, (300, 200, 3), np.uint8)
    estimator = bu.load(model)
    html = inspect_image(estimator, photo)
    page = data_of(html)["photo"]
    placement = estimator.resize.place(ImageSize(200, 300), estimator.input_size)
    assert (page["width"], page["height"]) == (200, 300)
    assert page["scale"] == [placement.scale_x, placement.scale_y]
    assert decoded(html).shape == photo.shape
    width, height = estimator.input_size
    assert data_of(html)["command"] == f"bottomup predict PHOTO --model tiny.tflite --input-size {width}x{height}"
    assert str(tmp_path) not in json.dumps(data_of(html))
    other = inspect_image(estimator, np.ascontiguousarray(photo[..., ::-1]), channel_order="rgb")
    np.testing.assert_array_equal(decoded(other), decoded(html))


def decoded(html):
    """Return the page's photo."""
    encoded = np.frombuffer(piece(html, data_of(html)["photo"]["place"]), np.uint8)
    return cv2.imdecode(encoded, cv2.IMREAD_COLOR)


def test_a_large_photo_is_shrunk(tmp_path):
    html = inspect_fields(np.zeros((2000, 4000, 3), np.uint8), noisy_posenet(1), PoseNetDecoder())
    page = data_of(html)["photo"]
    assert (page["width"], page["height"]) == (4000, 2000)
    assert decoded(html).shape == (800, 1600, 3)


@pytest.mark.parametrize(
    ("image", "fields", "complaint"),
    [
        ("photo.jpg", None, "image must be a uint8"),
        (GREY[..., 0], None, r"got uint8 \(161, 193\)"),
        (GREY, "fields", "fields must be one of PoseNetFields, PafFields, .*got str"),
    ],
)
def test_what_it_cannot_show_is_refused(image, fields, complaint):
    with pytest.raises(bu.InputError, match=complaint):
        inspect_fields(image, noisy_posenet(1) if fields is None else fields, PoseNetDecoder())


# Two decoders, labels, and what is copied

MAKERS = {
    "posenet": lambda: posenet_fields(random_poses(1, SIZE), SIZE),
    "paf": lambda: paf_fields(random_poses(1, SIZE), SIZE),
    "centers": lambda: bu.synthetic.center_fields(random_poses(1, SIZE), SIZE),
    "tags": lambda: bu.synthetic.tag_fields(random_poses(1, (192, 160)), (192, 160)),
    "boxes": lambda: bu.synthetic.box_fields(random_poses(1, (192, 160)), (192, 160)),
}
ANNOTATION = {
    "id": 1,
    "image_id": 1,
    "category_id": 1,
    "iscrowd": 0,
    "area": 900,
    "bbox": [10, 10, 30, 30],
    "num_keypoints": 2,
    "keypoints": [10, 10, 2, 30, 40, 1, *[0] * 45],
}


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_the_call_and_the_options_make_the_decoder_again(family):
    names = {
        name: getattr(bu, name)
        for name in ("PoseNetDecoder", "PafDecoder", "CenterDecoder", "TagDecoder", "BoxDecoder")
    }
    options = argparse.ArgumentParser()
    add_decoder_options(options, "best")
    for make in family.decoders.values():
        changes = {
            "nms_radius": 12.5,
            "max_poses": 3,
            "tag_threshold": 0.7,
            "iou_threshold": 0.3,
            "peak_threshold": 0.2,
        }
        known = {field.name for field in dataclasses.fields(make())}
        decoder = dataclasses.replace(make(), **{name: value for name, value in changes.items() if name in known})
        call = call_of(decoder, family).shown()
        written = ", ".join(f"{name}={value}" for name, value in call["given"].items())
        assert eval(f"{call['python']}({written})", names) == decoder
        line = [
            "--decoder",
            call["option"],
            *(word for value in call["quoted"].values() for word in ("--set", *shlex.split(value))),
        ]
        assert choose_decoder(family, family.decoders["best"](), options.parse_args(line)) == decoder


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_two_decoders_share_fields_and_have_their_own_poses(family):
    fields = MAKERS[family.name]()
    best, other = family.decoders["best"](), list(family.decoders.values())[-1]()
    data, _ = unpack(inspect_fields(GREY, fields, best, compare=other))
    alone, _ = unpack(inspect_fields(GREY, fields, other))
    assert [each["title"] for each in data["decoders"]] == [type(best).__name__, type(other).__name__]
    assert data["decoders"][1] == alone["decoders"][0]
    assert len(data["decoders"][0]["decodes"]) > 1
    assert len(data["decoders"][0]["peaks"]) > 0
    assert all(text for name, text in data["words"].items() if name in ("maps", "peaks", "links"))


@pytest.mark.parametrize("compare", ["omz", bu.TagDecoder(), 3])
def test_a_decoder_of_another_family_is_no_comparison(compare):
    with pytest.raises(bu.InputError, match="compare must be"):
        inspect_fields(GREY, noisy_posenet(1), PoseNetDecoder(), compare=compare)


def test_labels_are_shown_and_matched():
    fields = posenet_fields(random_poses(2, SIZE, seed=3), SIZE)
    labels = random_poses(2, SIZE, seed=3)
    data = data_of(inspect_fields(GREY, fields, PoseNetDecoder(), labels=labels))
    assert len(data["labels"]["people"]) == 2
    matched = {data["poses"][number]["label"][0] for number, score, _ in step_of(data) if score > 0.5}
    assert matched == {0, 1}
    assert data_of(inspect_fields(GREY, fields, PoseNetDecoder()))["labels"] is None
    with pytest.raises(bu.InputError, match="labels must be Poses"):
        inspect_fields(GREY, fields, PoseNetDecoder(), labels=np.zeros((1, 17, 3)))


class Twice:
    """A user's own decoder, which finds somebody twice."""

    def decode(self, fields):
        person = random_poses(1, SIZE).keypoints[0]
        return bu.Poses(np.stack([person + (100, 0, 0), person, person + (1, 0, 0)]), [0.9, 0.8, 0.7], COCO17)


def test_a_users_own_decoder_is_shown_and_worse_duplicates_name_the_better_pose():
    data = data_of(inspect_fields(GREY, noisy_posenet(), Twice()))
    assert data["decodes"] == [[[0, 0.9, -1], [1, 0.8, -1], [2, 0.7, 1]]]
    assert data["settings"] == []
    assert data["call"]["python"] is None


def test_a_photo_of_640_x_480_stays_below_3_megabytes():
    noise = np.random.default_rng(0)
    photo = noise.integers(0, 256, (480, 640, 3), np.uint8)
    people = random_poses(8, (640, 480), seed=1)
    fields = bu.synthetic.center_fields(people, (640, 480))  # the family with the most numbers
    floats = {name: values + noise.normal(0, 0.5, values.shape) for name, values in fields.as_floats.items()}
    page = inspect_fields(photo, bu.CenterFields(**floats), bu.CenterDecoder())
    assert len(page) < 3_000_000


def test_maps_that_were_enlarged_are_thinned_out():
    fields = paf_fields(random_poses(1, SIZE), SIZE)
    heatmaps, pafs = (tensor.repeat(30, axis=0).repeat(30, axis=1) for tensor in (fields.heatmaps, fields.pafs))
    layers = SimpleNamespace(maps={"nose": heatmaps[..., 0]}, map_origin=(0, 0), map_pitch=(1, 1))
    field = VectorField("limb", pafs[..., 0, :] if pafs.ndim == 4 else pafs[..., :2], (0, 0), (1, 1), 0.9, None)
    pack = Pack()
    maps, vectors = pack.maps(layers), pack.vectors(field, layers)
    for grid in (maps["each"][0], vectors):
        assert grid["width"] * grid["height"] <= 256 * 256
    assert maps["pitch"] == [maps["step"]] * 2
    assert maps["origin"] == [(maps["step"] - 1) / 2] * 2


# The command


def test_the_command_writes_the_page(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    TinyPoseNet().write(tmp_path / "tiny.tflite")
    cv2.imwrite("photo.png", GREY)
    assert cli.main(["inspect", "photo.png", "--model", "tiny.tflite"]) == 0
    assert "photo.html: open it in a browser" in capsys.readouterr().out
    assert data_of((tmp_path / "photo.html").read_text())["title"] == "photo.png, tiny.tflite"
    assert cli.main(["inspect", "photo.png", "--model", "tiny.tflite", "--decoder", "tfjs", "--out", "why.html"]) == 0
    assert data_of((tmp_path / "why.html").read_text())["title"] == "photo.png, tiny.tflite"
    assert data_of((tmp_path / "why.html").read_text())["decoders"][0]["title"] == "TfjsDecoder"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["missing.jpg"], "'missing.jpg' cannot be opened"),
        (["note.txt"], "is not an image: it is a text file"),
        (["photo.png", "--out", "photo.png"], "is the image"),
        (["photo.png", "--out", "missing/page.html", "--model", "tiny.tflite"], "cannot be written"),
        (["photo.png", "--model", "missing.tflite"], "missing.tflite"),
        (["photo.png", "--model", "tiny.tflite", "--compare", "omz"], "--compare omz cannot decode PoseNet networks"),
        (["photo.png", "--model", "tiny.tflite", "--set", "speed=3"], "--set speed: PoseNetDecoder has local_max"),
        (["photo.png", "--model", "tiny.tflite", "--set", "nms_radius=far"], "nms_radius must be one number"),
        (["photo.png", "--annotations", "coco.json"], "has no images called photo.png"),
    ],
)
def test_the_command_complains_in_one_line(arguments, complaint, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    TinyPoseNet().write(tmp_path / "tiny.tflite")
    cv2.imwrite("photo.png", GREY)
    (tmp_path / "note.txt").write_text("no image")
    document = {"images": [{"id": 1, "file_name": "other.png"}], "annotations": [ANNOTATION]}
    (tmp_path / "coco.json").write_text(json.dumps(document))
    assert cli.main(["inspect", *arguments]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert complaint in said.err
    assert said.err.count("\n") == 1


def test_the_command_finds_labels_by_the_photos_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    TinyPoseNet().write(tmp_path / "tiny.tflite")
    cv2.imwrite("photo.png", GREY)
    document = {
        "images": [{"id": 1, "file_name": "a/photo.png", "width": 193, "height": 161}],
        "annotations": [ANNOTATION],
    }
    (tmp_path / "coco.json").write_text(json.dumps(document))
    command = ["inspect", "photo.png", "--model", "tiny.tflite", "--annotations", "coco.json", "--compare", "coral"]
    assert cli.main([*command, "--set", "nms_radius=15"]) == 0
    data = data_of((tmp_path / "photo.html").read_text())
    assert data["labels"]["people"] == [[[10, 10, 1], [30, 40, 1], *[None] * 15]]
    assert len(data["decoders"]) == 2
    assert data["call"]["given"] == {"nms_radius": "15.0"}
    assert data["command"] == "bottomup predict photo.png --model tiny.tflite"


def test_a_row_that_others_voted_for_keeps_its_candidate():
    people = random_poses(3, (192, 160), seed=2)
    fields = bu.synthetic.box_fields(people, (192, 160))
    decoder = bu.BoxDecoder(score_threshold=0.05, vote_threshold=0.5, shift=-0.25)
    data = data_of(inspect_fields(GREY, fields, decoder))
    boxes = decoder.decode(fields).own_boxes
    assert len(data["peaks"]) > len(boxes) > 1
    for (number, *_), box in zip(step_of(data), boxes, strict=True):
        left, top, right, bottom = data["boxes"][data["poses"][number]["root"]]
        np.testing.assert_allclose([left, top, right - left, bottom - top], box + (0.25, 0.25, 0, 0), atol=0.11)
