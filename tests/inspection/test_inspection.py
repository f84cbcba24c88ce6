import base64
import json
import re
import shutil
import subprocess

import cv2
import numpy as np
import pytest
from tiny_posenet import TinyPoseNet

import bottomup as bu
from bottomup import cli
from bottomup.geometry import ImageSize
from bottomup.inspection import inspect_fields, inspect_image
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
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.fixture(autouse=True)
def _few_steps(monkeypatch):
    """Sliders of few steps, for the sake of runs without a compiler."""
    steps = {"score_threshold": (0.01, 0.3, 0.9), "nms_radius": (1.0, 80.0)}
    monkeypatch.setattr("bottomup.posenet.layers._SLIDERS", steps)
    monkeypatch.setattr("bottomup.paf.layers._SLIDERS", {"peak_threshold": (0.1, 0.5), "max_overlap": (0.1,)})


def data_of(page):
    (text,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    return json.loads(text)


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
        [[each or (np.nan, np.nan, 0) for each in data["poses"][pose]["keypoints"]] for pose, _ in step]
    ).reshape(len(step), -1, 3)


# What the page knows


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_it_opens_with_the_decoders_own_poses(flavour):
    fields, decoder = noisy_posenet(), FLAVOURS[flavour]
    data = data_of(inspect_fields(GREY, fields, decoder))
    poses = decoder.decode(fields)
    assert len(poses) > 1
    np.testing.assert_allclose(keypoints_of(data, step_of(data)), poses.keypoints, atol=0.051)
    np.testing.assert_allclose([score for _, score in step_of(data)], poses.scores, atol=5.1e-4)


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
    maps = data_of(inspect_fields(GREY, fields, PoseNetDecoder()))["maps"]
    assert [each["name"] for each in maps["each"]] == list(COCO17.parts)
    nose = maps["each"][0]
    shown = np.frombuffer(base64.b64decode(nose["values"]), np.uint8).reshape(nose["height"], nose["width"])
    np.testing.assert_allclose(shown / 255, 1 / (1 + np.exp(-fields.heatmaps[..., 0])), atol=0.003)
    assert (maps["origin"], maps["pitch"]) == ([0, 0], [16, 16])


def test_vectors_are_the_networks_own():
    fields = noisy_posenet()
    vectors = data_of(inspect_fields(GREY, fields, PoseNetDecoder()))["vectors"]
    assert len(vectors) == 17 + 2 * 16

    def arrows(name):
        (field,) = (each for each in vectors if each["name"] == name)
        levels = np.frombuffer(base64.b64decode(field["values"]), "<i2").reshape(field["height"], field["width"], 2)
        return levels * field["length"]

    np.testing.assert_allclose(arrows("short offsets: nose")[..., 0], fields.offsets[..., 17], atol=0.07)
    np.testing.assert_allclose(arrows("nose to left_eye")[..., 1], fields.displacements_fwd[..., 0], atol=0.07)
    np.testing.assert_allclose(arrows("left_eye to nose")[..., 0], fields.displacements_bwd[..., 16], atol=0.07)


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
    for number, _ in step_of(data):
        pose = data["poses"][number]
        for part, keypoint in enumerate(pose["keypoints"]):
            if keypoint and part not in pose["filled"]:
                assert any(
                    each[0] == part and np.hypot(each[1] - keypoint[0], each[2] - keypoint[1]) < 0.2 for each in places
                )
    assert {tuple(np.flatnonzero(row)) for row in found.filled} == {
        tuple(data["poses"][number]["filled"]) for number, _ in step_of(data)
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


def test_it_needs_no_other_file_and_no_network():
    page = inspect_fields(GREY, noisy_posenet(), PoseNetDecoder())
    assert not re.findall(r"https?:|@import|url\(|<link|<script src|\bfetch\(|XMLHttpRequest", page)
    assert "default-src 'none'" in page


def test_a_title_is_text():
    page = inspect_fields(GREY, noisy_posenet(1), PoseNetDecoder(), title="</script><b>{{DATA}}")
    assert "<b>" not in page
    assert data_of(page)["title"] == "</script><b>{{DATA}}"


def test_the_photo_comes_with_its_place_in_the_input(tmp_path):
    model = TinyPoseNet().write(tmp_path / "tiny.tflite")
    photo = np.random.default_rng(0).integers(0, 256, (300, 200, 3), np.uint8)
    estimator = bu.load(model)
    page = data_of(inspect_image(estimator, photo))["photo"]
    placement = estimator.resize.place(ImageSize(200, 300), estimator.input_size)
    assert (page["width"], page["height"]) == (200, 300)
    assert page["scale"] == [placement.scale_x, placement.scale_y]
    encoded = np.frombuffer(base64.b64decode(page["source"].split(",")[1]), np.uint8)
    assert cv2.imdecode(encoded, cv2.IMREAD_COLOR).shape == photo.shape
    mirrored = data_of(inspect_image(estimator, np.ascontiguousarray(photo[..., ::-1]), channel_order="rgb"))
    assert mirrored["photo"] == page


def test_a_large_photo_is_shrunk(tmp_path):
    photo = np.zeros((2000, 4000, 3), np.uint8)
    page = data_of(inspect_fields(photo, noisy_posenet(1), PoseNetDecoder()))["photo"]
    assert (page["width"], page["height"]) == (4000, 2000)
    encoded = np.frombuffer(base64.b64decode(page["source"].split(",")[1]), np.uint8)
    assert cv2.imdecode(encoded, cv2.IMREAD_COLOR).shape == (800, 1600, 3)


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


# The command


def test_the_command_writes_the_page(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    TinyPoseNet().write(tmp_path / "tiny.tflite")
    cv2.imwrite("photo.png", GREY)
    assert cli.main(["inspect", "photo.png", "--model", "tiny.tflite"]) == 0
    assert "photo.html: open it in a browser" in capsys.readouterr().out
    assert data_of((tmp_path / "photo.html").read_text())["title"] == "photo.png, tiny.tflite"
    assert cli.main(["inspect", "photo.png", "--model", "tiny.tflite", "--decoder", "tfjs", "--out", "why.html"]) == 0
    assert data_of((tmp_path / "why.html").read_text())["decoder"].startswith("TfjsDecoder")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["missing.jpg"], "'missing.jpg' cannot be opened"),
        (["note.txt"], "is not an image: it is a text file"),
        (["photo.png", "--out", "photo.png"], "is the image"),
        (["photo.png", "--out", "missing/page.html", "--model", "tiny.tflite"], "cannot be written"),
        (["photo.png", "--model", "missing.tflite"], "missing.tflite"),
    ],
)
def test_the_command_complains_in_one_line(arguments, complaint, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    TinyPoseNet().write(tmp_path / "tiny.tflite")
    cv2.imwrite("photo.png", GREY)
    (tmp_path / "note.txt").write_text("no image")
    assert cli.main(["inspect", *arguments]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert complaint in said.err
    assert said.err.count("\n") == 1


# The browser


def browse(page, address, folder):
    """Open a page in a browser without a screen; return its document when all is drawn, and what it complained of."""
    (folder / "page.html").write_text(page, encoding="utf-8")
    flags = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    options = [*flags.split(), "--disable-component-update", "--disable-sync", f"--user-data-dir={folder / 'profile'}"]
    options += ["--enable-logging=stderr", "--virtual-time-budget=4000", "--dump-dom"]
    run = subprocess.run(
        [BROWSER, *options, f"{(folder / 'page.html').as_uri()}{address}"], capture_output=True, text=True, timeout=60
    )
    return run.stdout, [line for line in run.stderr.splitlines() if "CONSOLE" in line]


@pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed")
@pytest.mark.parametrize("family", ["posenet", "paf"])
def test_a_browser_shows_it_and_its_sliders_move(family, tmp_path):
    if family == "posenet":
        fields, decoder, moved = chaos(), PoseNetDecoder.coral(), "#score_threshold=2&nms_radius=2&edges=1&map=nose"
    else:
        sure, decoder = paf_fields(random_poses(2, (192, 160), seed=1), (192, 160)), bu.PafDecoder()
        fields = bu.PafFields(sure.heatmaps * 0.4, sure.pafs * 0.4, skeleton=sure.skeleton, output_stride=8)
        moved = "#lowest=1&edges=1&vectors=1"
    page = inspect_fields(GREY, fields, decoder)
    shown, complaints = browse(page, "", tmp_path)
    assert complaints == []
    assert 'data-ready="yes"' in shown
    poses = decoder.decode(fields)
    assert f'data-poses="{(poses.scores >= 0.2).sum()}"' in shown
    again, complaints = browse(page, moved, tmp_path)
    assert complaints == []
    fewer = decoder.decode(fields)[:0]
    if family == "posenet":
        fewer = PoseNetDecoder.coral(score_threshold=0.3, nms_radius=80).decode(fields)
    assert len(fewer) < len(poses)
    assert f'data-poses="{(fewer.scores >= 0.2).sum()}"' in again
