import dataclasses
import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from tiny_posenet import TinyPoseNet

import bottomup as bu
from bottomup import cli, families
from bottomup.cli.options import choose_decoder
from bottomup.posenet.best import PoseNetDecoder
from bottomup.posenet.coral import CoralDecoder
from bottomup.poses import Poses
from bottomup.skeletons import COCO17
from bottomup.synthetic import posenet_fields, random_poses

GOLDENS = Path(__file__).resolve().parents[3] / "shared" / "goldens" / "posenet"
DECODERS = {"best": PoseNetDecoder(), "coral": PoseNetDecoder.coral(), "tfjs": PoseNetDecoder.tfjs()}


class FakeEstimator:
    """Finds one person in every image, whose nose is in its first pixel."""

    skeleton, decoder, family = COCO17, None, families.get("posenet")

    def batch(self, images):
        for _ in images:
            keypoints = np.full((1, 17, 3), (np.nan, np.nan, 0), np.float32)
            keypoints[0, 0] = 0, 0, 1
            yield Poses(keypoints, [0.5], COCO17)


@pytest.fixture
def run(command_line, monkeypatch):
    """Run the command line with a fake model."""
    monkeypatch.setattr("bottomup.estimation.loading.load", lambda *_, **__: FakeEstimator())
    return command_line


def one_line(complaints):
    assert complaints.startswith("bottomup: ")
    assert complaints.count("\n") == 1
    return complaints


def save_image(path, size=(40, 30)):
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((size[1], size[0], 3), 90, np.uint8))
    return path


def predicted(path="poses/poses.json"):
    return json.loads(Path(path).read_text())


# The command itself


def test_without_a_command_it_helps(run):
    status, helped, complaints = run()
    assert (status, complaints) == (0, "")
    assert all(command in helped for command in ("predict", "decode", "models", "warmup"))


def test_it_tells_its_version(run):
    assert run("--version") == (0, f"bottomup {bu.__version__}\n", "")


@pytest.mark.parametrize("command", ["predict", "decode", "models", "warmup"])
def test_every_command_helps(run, command):
    status, helped, _ = run(command, "--help")
    assert status == 0
    assert f"usage: bottomup {command}" in helped


@pytest.mark.parametrize(
    "arguments",
    [
        ["bogus"],
        ["models", "bogus"],
        ["models", "show"],
        ["decode"],
        ["decode", "x.npz", "--stride", "wide"],
        ["warmup", "now"],
    ],
)
def test_wrong_arguments_are_one_line(run, arguments):
    status, out, complaints = run(*arguments)
    assert (status, out) == (2, "")
    assert "--help" in one_line(complaints)


def test_it_runs_as_a_module_and_loads_nothing_heavy():
    code = (
        "import sys, runpy; sys.argv[1:] = ['--version']\n"
        "try: runpy.run_module('bottomup', run_name='__main__')\n"
        "finally: print(sorted({'numpy', 'numba', 'cv2', 'tqdm', 'ai_edge_litert'} & set(sys.modules)))"
    )
    root = Path(bu.__file__).parents[1]
    ran = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True)
    assert (ran.returncode, ran.stdout) == (0, f"bottomup {bu.__version__}\n[]\n")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_output_that_is_full_or_closed_is_no_traceback(tmp_path):
    save_raw(tmp_path / "raw.npz")
    command = [sys.executable, "-m", "bottomup", "decode", str(tmp_path / "raw.npz")]
    root = Path(bu.__file__).parents[1]
    with open("/dev/full", "w") as full:
        ran = subprocess.run(command, cwd=root, stdout=full, stderr=subprocess.PIPE, text=True)
    assert (ran.returncode, ran.stderr) == (2, f"bottomup: {os.strerror(errno.ENOSPC)}\n")
    reading, writing = os.pipe()
    os.close(reading)
    ran = subprocess.run(command, cwd=root, stdout=writing, stderr=subprocess.PIPE, text=True)
    os.close(writing)
    assert (ran.returncode, ran.stderr) == (2, "")


# decode


def save_raw(path, count=3, **changes):
    """Save the fields of made-up people under the names that tfjs's tensors have here."""
    fields = posenet_fields(random_poses(count))
    tensors = {
        "heatmaps": fields.heatmaps,
        "offsets": fields.offsets,
        "displacements_fwd": fields.displacements_fwd,
        "displacements_bwd": fields.displacements_bwd,
    }
    if "stride" not in changes:
        tensors["output_stride"] = 16
    np.savez(path, **{name: values for name, values in (tensors | changes).items() if values is not None})
    return fields


def as_told(poses):
    return [np.array(pose.keypoints[0], float).round(3).tolist() for pose in poses]


def told(text):
    return [pose["keypoints"] for pose in json.loads(text)["poses"]]


@pytest.mark.parametrize("name", DECODERS)
def test_decoding_tells_what_the_decoder_finds(run, name):
    fields = save_raw("raw.npz")
    status, out, complaints = run("decode", "raw.npz", "--decoder", name)
    assert (status, complaints) == (0, "")
    np.testing.assert_allclose(told(out), as_told(DECODERS[name].decode(fields)), atol=1e-3)
    assert json.loads(out)["skeleton"]["parts"] == list(COCO17.parts)


def test_the_best_decoder_is_the_default(run):
    save_raw("raw.npz")
    assert run("decode", "raw.npz") == run("decode", "raw.npz", "--decoder", "best")


def test_decoder_settings_are_passed_on(run):
    save_raw("raw.npz")
    assert len(told(run("decode", "raw.npz", "--max-poses", 2)[1])) == 2
    assert len(told(run("decode", "raw.npz", "--score-threshold", 1)[1])) == 0
    assert "score_threshold must be" in one_line(run("decode", "raw.npz", "--score-threshold", 3)[2])


@pytest.mark.parametrize(
    ("names", "ending"), [(("heatmap", "short", "mid"), "_q"), (("heatmaps", "short_offsets", "mid_offsets"), "")]
)
@pytest.mark.parametrize("zero_point", ["_zp", "_zero_point"])
def test_8_bit_tensors_come_with_their_units_beside_them(run, names, ending, zero_point):
    fields = posenet_fields(random_poses(3), quantized=True)
    levels = [
        fields.heatmaps.values,
        fields.offsets.values,
        np.concatenate([fields.displacements_fwd.values, fields.displacements_bwd.values], axis=2),
    ]
    arrays = {}
    for name, values, units in zip(
        names, levels, (fields.heatmaps, fields.offsets, fields.displacements_fwd), strict=True
    ):
        arrays |= {name + ending: values, f"{name}_scale": units.scale, f"{name}{zero_point}": units.zero_point}
    np.savez("raw.npz", **arrays)
    status, out, _ = run("decode", "raw.npz", "--decoder", "coral")
    assert status == 0
    np.testing.assert_allclose(told(out), as_told(DECODERS["coral"].decode(fields)), atol=1e-3)


def test_the_stride_is_asked_for_or_in_the_file_and_told(run):
    save_raw("raw.npz")
    save_raw("with_stride.npz", stride=8)
    by_16, by_8 = run("decode", "raw.npz"), run("decode", "raw.npz", "--stride", 8)
    assert by_16 == run("decode", "raw.npz", "--stride", 16) == run("decode", "raw.npz", "--input-size", "641x481")
    assert by_8 == run("decode", "with_stride.npz") == run("decode", "raw.npz", "--input-size", "321x241")
    assert json.loads(by_16[1])["output_stride"] == 16
    assert json.loads(by_8[1])["output_stride"] == 8
    assert by_8[1] != by_16[1]


def test_a_stride_that_nobody_tells_is_assumed_and_said(run):
    save_raw("raw.npz", stride=None)
    status, out, complaints = run("decode", "raw.npz")
    assert (status, json.loads(out)["output_stride"]) == (0, 16)
    assert "16 input pixels per cell are assumed: pass --stride or --input-size" in one_line(complaints)


def test_maps_of_any_stride_can_be_decoded(run):
    size = (96, 64)
    fields = bu.synthetic.paf_fields(random_poses(1, size), size, 2)
    np.savez("raw.npz", heatmaps=fields.heatmaps, pafs=fields.pafs)
    status, out, _ = run("decode", "raw.npz", "--stride", 2)
    assert status == 0
    assert len(told(out)) == len(bu.PafDecoder().decode(fields))


@pytest.mark.skipif(not GOLDENS.exists(), reason="needs ../shared/goldens/posenet")
@pytest.mark.parametrize(
    ("tensors", "answers", "max_poses"),
    [
        ("coral/pp353_couple", "coral_fixed/pp353_couple", 10),
        ("coral/bp512_couple", "coral_fixed/bp512_couple", 20),
        ("synthetic/s353_n10", "synthetic/s353_n10", 20),
    ],
)
def test_golden_files_are_decoded_as_they_lie(run, tensors, answers, max_poses):
    status, out, _ = run("decode", GOLDENS / f"{tensors}.npz", "--decoder", "coral", "--max-poses", max_poses)
    assert status == 0
    expected = np.load(GOLDENS / f"{answers}.npz")["coral_fixed_keypoints_yx"]
    np.testing.assert_allclose(np.array(told(out))[..., 1::-1], expected, atol=1e-3)


def test_poses_go_into_a_file_if_asked(run):
    save_raw("raw.npz")
    _, expected, _ = run("decode", "raw.npz")
    assert run("decode", "raw.npz", "--json", "found.json") == (0, "", "")
    assert Path("found.json").read_text() == expected


def test_nobody_found_is_no_failure(run):
    save_raw("raw.npz", count=0)
    status, out, complaints = run("decode", "raw.npz")
    assert (status, told(out), complaints) == (0, [], "")


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"heatmaps": None}, "are of no network that Bottomup knows"),
        ({"offsets": np.zeros((3, 3, 34))}, "grid"),
        ({"heatmaps": np.zeros((31, 41, 17), np.uint8)}, "save heatmaps_scale and heatmaps_zero_point beside it"),
        ({"heatmaps": np.full((31, 41, 17), np.nan)}, "nothing but NaN"),
        ({"stride": "wide"}, "stride must be one number"),
        ({"stride": np.nan}, "stride"),
        ({"stride": -5}, "stride"),
    ],
)
def test_tensors_that_do_not_fit_are_refused_by_file_and_name(run, changes, complaint):
    save_raw("raw.npz", **changes)
    status, out, complaints = run("decode", "raw.npz")
    assert (status, out) == (2, "")
    assert "raw.npz" in one_line(complaints)
    assert complaint in complaints


def test_one_tensor_that_fits_both_layouts_is_refused(run):
    np.savez("raw.npz", maps=np.zeros((57, 32, 57), np.float32))
    status, out, complaints = run("decode", "raw.npz")
    assert (status, out) == (2, "")
    assert "'maps' (57, 32, 57) may be channels first or last: pass the input's size" in one_line(complaints)
    assert run("decode", "raw.npz", "--input-size", "256x456")[0] == 0


def test_files_that_are_none_are_refused(run, tmp_path):
    save_raw("raw.npz")
    whole = Path("raw.npz").read_bytes()
    Path("notes.npz").write_text("not arrays")
    Path("empty.npz").write_bytes(b"")
    np.save("one.npy", np.zeros(3))
    np.savez("objects.npz", heatmaps=np.array([{}], dtype=object))
    for number, kept in enumerate((1, 30, 1000, len(whole) // 2, len(whole) - 1)):
        Path(f"cut{number}.npz").write_bytes(whole[:kept])
    Path("flipped.npz").write_bytes(whole[:5000] + bytes(byte ^ 255 for byte in whole[5000:6000]) + whole[6000:])
    for path in [*tmp_path.glob("*.np[zy]"), tmp_path, "nowhere.npz"]:
        if Path(path).name != "raw.npz":
            status, out, complaints = run("decode", path)
            assert (status, out) == (2, ""), path
            assert Path(path).name in one_line(complaints)


def test_the_raw_file_is_not_overwritten(run):
    save_raw("raw.npz")
    whole = Path("raw.npz").read_bytes()
    assert "name another file" in one_line(run("decode", "raw.npz", "--json", "./raw.npz")[2])
    assert Path("raw.npz").read_bytes() == whole


# predict


def test_pictures_and_poses_are_written(run):
    save_image("in/a.jpg", (40, 30))
    status, out, complaints = run("predict", "in/a.jpg", "--model", "m", "--out", "out")
    assert (status, complaints) == (0, "")
    assert out == f"in/a.jpg: 1 person: {Path('out/a.jpg')}\n1 image, 1 person: {Path('out/poses.json')}\n"
    assert cv2.imread("out/a.jpg").shape == (30, 40, 3)
    assert cv2.imread("out/a.jpg")[0, 0].min() > 150
    (image,) = predicted("out/poses.json")["images"]
    assert (image["image"], image["width"], image["height"]) == ("in/a.jpg", 40, 30)
    assert image["drawn"] == str(Path("out/a.jpg"))
    assert image["poses"] == [{"score": 0.5, "keypoints": [[0.0, 0.0, 1.0], *[None] * 16]}]
    assert predicted("out/poses.json")["skeleton"]["name"] == "coco_17"


def test_folders_give_their_own_images_sorted(run):
    for name in ("b.png", "a.jpg", "c.JPG", ".hidden.jpg", "deeper/d.jpg"):
        save_image(f"in/{name}")
    Path("in/notes.txt").write_text("no image")
    run("predict", "in", "--model", "m")
    assert [Path(image["image"]).name for image in predicted()["images"]] == ["a.jpg", "b.png", "c.JPG"]


def test_quoted_patterns_and_names_with_brackets_are_found(run):
    save_image("in/a1.jpg")
    save_image("in/a2.jpg")
    save_image("in/b[1].jpg")
    Path("in/a.txt").write_text("no image")
    run("predict", "in/a*", "in/b[1].jpg", "--model", "m")
    assert [Path(image["image"]).name for image in predicted()["images"]] == ["a1.jpg", "a2.jpg", "b[1].jpg"]


def test_an_image_named_twice_is_predicted_once(run):
    save_image("in/a.jpg")
    run("predict", "in", "in/a.jpg", "./in/*.jpg", "--model", "m")
    assert len(predicted()["images"]) == 1


def test_images_that_few_programs_show_are_drawn_as_jpeg(run):
    save_image("in/a.ppm")
    assert run("predict", "in/a.ppm", "--model", "m")[0] == 0
    assert Path("poses/a.jpg").read_bytes()[:2] == b"\xff\xd8"


def test_images_of_one_name_keep_apart(run):
    save_image("one/a.jpg", (40, 30))
    save_image("two/a.jpg", (50, 30))
    save_image("three/A.jpg", (60, 30))
    run("predict", "one", "two", "three", "--model", "m")
    drawn = {Path(image["drawn"]).name: image["width"] for image in predicted()["images"]}
    assert {name: cv2.imread(f"poses/{name}").shape[1] for name in drawn} == drawn
    assert len({name.casefold() for name in drawn}) == 3


def test_sources_are_never_overwritten(run):
    source = save_image("in/a.jpg")
    whole = source.read_bytes()
    status, _, _ = run("predict", "in", "--model", "m", "--out", "in")
    assert status == 0
    assert source.read_bytes() == whole
    assert predicted("in/poses.json")["images"][0]["drawn"] == str(Path("in/a-2.jpg"))
    assert "name another file" in one_line(run("predict", "in/a.jpg", "--model", "m", "--json", "in/a.jpg")[2])
    assert source.read_bytes() == whole


def test_an_unreadable_image_is_one_complaint_and_the_others_are_done(run):
    save_image("in/a.jpg")
    save_image("in/c.jpg")
    Path("in/b.jpg").write_text("no image")
    status, _, complaints = run("predict", "in", "--model", "m")
    assert status == 2
    assert str(Path("in/b.jpg")) in one_line(complaints)
    assert [Path(image["image"]).name for image in predicted()["images"]] == ["a.jpg", "c.jpg"]


def test_a_source_that_is_not_there_is_one_complaint_and_the_others_are_done(run):
    save_image("in/a.jpg")
    status, _, complaints = run("predict", "nowhere.jpg", "in", "--model", "m")
    assert status == 2
    assert "no image or video matches 'nowhere.jpg'" in one_line(complaints)
    assert len(predicted()["images"]) == 1


@pytest.mark.parametrize("sources", [["nowhere"], ["no*where", ""], ["empty"]])
def test_without_any_image_it_is_one_line(run, sources):
    Path("empty").mkdir()
    status, out, complaints = run("predict", *sources, "--model", "m")
    assert (status, out) == (2, "")
    assert repr(sources[0]) in one_line(complaints)
    assert not Path("poses").exists()


def test_without_a_model_the_one_that_ships_is_taken(run, monkeypatch):
    asked = []
    monkeypatch.setattr("bottomup.estimation.loading.load", lambda model, **_: asked.append(model) or FakeEstimator())
    run("predict", save_image("a.jpg"))
    assert asked == [None]


def test_a_model_of_the_catalogue_is_fetched(run, monkeypatch):
    fetched = []
    monkeypatch.setattr("bottomup.catalogue.cards.fetch", lambda name, progress: fetched.append(name))
    run("predict", save_image("a.jpg"), "--model", "coral-posenet-481x353")
    assert fetched == ["coral-posenet-481x353"]


def test_without_a_source_the_demo_scene_is_taken(run, monkeypatch):
    monkeypatch.setattr("bottomup.cli.predict.DEMO", save_image("package/demo.jpg"))
    status, _, complaints = run("predict")
    assert (status, complaints) == (0, "")
    assert [image["drawn"] for image in predicted()["images"]] == [str(Path("poses/demo.jpg"))]


def test_a_demo_scene_that_is_missing_is_one_line(run, monkeypatch):
    monkeypatch.setattr("bottomup.cli.predict.DEMO", Path("nowhere.jpg"))
    status, _, complaints = run("predict")
    assert status == 2
    assert "name an image" in one_line(complaints)


def test_poses_are_written_where_asked(run):
    save_image("a.jpg")
    run("predict", "a.jpg", "--model", "m", "--json", "elsewhere.json")
    assert len(predicted("elsewhere.json")["images"]) == 1
    assert not Path("poses/poses.json").exists()


def test_a_folder_that_is_missing_is_told_before_the_work_is_done(run):
    save_image("a.jpg")
    status, said, complaints = run("predict", "a.jpg", "--model", "m", "--json", "nowhere/poses.json")
    assert (status, said) == (2, "")
    assert "make its folder first" in one_line(complaints)
    assert not list(Path("poses").glob("*.jpg"))


def test_poses_of_an_earlier_run_stay_where_nothing_could_be_read(run):
    save_image("a.jpg")
    run("predict", "a.jpg", "--model", "m")
    Path("broken.jpg").write_text("no image")
    status, said, _ = run("predict", "broken.jpg", "--model", "m")
    assert (status, said) == (2, "")
    assert len(predicted()["images"]) == 1


def test_what_cannot_be_written_is_one_line(run):
    save_image("a.jpg")
    Path("file").write_text("not a folder")
    Path("folder").mkdir()
    for arguments in (["--out", "file"], ["--out", "file/deeper"], ["--json", "folder"], ["--json", "none/x.json"]):
        status, out, complaints = run("predict", "a.jpg", "--model", "m", *arguments)
        assert (status, out) == (2, "")
        assert arguments[1] in one_line(complaints)


def test_a_full_disk_is_one_line(run, monkeypatch):
    save_image("in/a.jpg")
    save_image("in/b.jpg")

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", full)
    status, _, complaints = run("predict", "in", "--model", "m")
    assert status == 2
    assert os.strerror(errno.ENOSPC) in one_line(complaints)


@pytest.mark.parametrize(
    ("trouble", "expected"),
    [
        (KeyboardInterrupt(), (130, "", "")),
        (MemoryError(), (2, "", "bottomup: out of memory\n")),
        (PermissionError(errno.EACCES, "Permission denied", "x"), (2, "", "bottomup: Permission denied: x\n")),
        (bu.ModelError("two\nlines"), (2, "", "bottomup: two lines\n")),
    ],
)
def test_trouble_is_a_status_and_at_most_one_line(run, monkeypatch, trouble, expected):
    def load(*_, **__):
        raise trouble

    save_image("a.jpg")
    monkeypatch.setattr("bottomup.estimation.loading.load", load)
    assert run("predict", "a.jpg", "--model", "m") == expected


def test_a_defect_is_one_line_that_asks_for_a_report(run, monkeypatch):
    save_image("a.jpg")
    monkeypatch.setattr("bottomup.estimation.loading.load", lambda *_, **__: 1 / 0)
    assert "please report it" in one_line(run("predict", "a.jpg", "--model", "m")[2])


def test_the_runtimes_chatter_is_dropped_but_not_its_warnings(monkeypatch, capfd, tmp_path):
    def load(*_, **__):
        os.write(2, b"INFO: Created a delegate.\nWARNING: it is slow.\n")
        return FakeEstimator()

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("bottomup.estimation.loading.load", load)
    save_image("a.jpg")
    assert cli.main(["predict", "a.jpg", "--model", "m"]) == 0
    assert capfd.readouterr().err == "WARNING: it is slow.\n"


def test_arguments_reach_the_model(run, monkeypatch):
    asked = {}

    def load(model, **options):
        asked.update(options, model=model)
        return FakeEstimator()

    save_image("a.jpg")
    monkeypatch.setattr("bottomup.estimation.loading.load", load)
    run("predict", "a.jpg", "--model", "m", "--threads", 3, "--runtime", "r", "--delegate", "d")
    expected = {"model": "m", "threads": 3, "runtime": "r", "delegate": "d", "min_score": 0.2}
    assert {name: value for name, value in asked.items() if value is not None} == expected


def test_accuracy_can_be_bought_on_the_command_line(run, monkeypatch):
    asked = {}

    def load(model, **options):
        asked.update(options)
        return FakeEstimator()

    save_image("a.jpg")
    monkeypatch.setattr("bottomup.estimation.loading.load", load)
    Path("paw.json").write_text('{"name": "paw", "parts": ["wrist", "tip"], "edges": [[0, 1]]}')
    options = ["--input-size", "961x721", "--flip", "--scales", "1,1.5", "--decoder", "coral", "--skeleton", "paw.json"]
    assert run("predict", "a.jpg", "--model", "m", *options, "--min-score", 0.4)[0] == 0
    assert asked["input_size"] == (961, 721)
    assert asked["augmentation"] == bu.Augmentation(flip=True, scales=(1.0, 1.5))
    assert asked["decoder"] == "coral"
    assert asked["skeleton"].parts == ("wrist", "tip")
    assert asked["min_score"] == 0.4


@pytest.mark.parametrize("option", [("--input-size", "641"), ("--input-size", "axb"), ("--scales", "1;2")])
def test_settings_of_another_form_are_one_line(run, option):
    status, out, complaints = run("predict", "a.jpg", *option)
    assert (status, out) == (2, "")
    assert f"argument {option[0]}: must be" in one_line(complaints)


POSENET, PAF = PoseNetDecoder.coral(max_poses=7), bu.PafDecoder(shift=-0.2)


@pytest.mark.parametrize(
    ("own", "options", "expected"),
    [
        (POSENET, [], POSENET),
        (POSENET, ["--decoder", "file"], POSENET),
        (
            POSENET,
            ["--max-poses", "3", "--score-threshold", "0.4"],
            PoseNetDecoder.coral(max_poses=3, score_threshold=0.4),
        ),
        (POSENET, ["--decoder", "best"], POSENET),
        (POSENET, ["--decoder", "tfjs", "--max-poses", "3"], PoseNetDecoder.tfjs(max_poses=3)),
        (PAF, ["--score-threshold", "0.1"], bu.PafDecoder(shift=-0.2, peak_threshold=0.1)),
        (PAF, ["--decoder", "best"], bu.PafDecoder(shift=-0.2)),
        (PAF, ["--decoder", "openpose"], bu.PafDecoder.openpose()),
    ],
)
def test_a_decoder_is_chosen_for_the_models_family(own, options, expected):
    asked = cli._parser().parse_args(["predict", "a.jpg", *options])
    assert choose_decoder(families.get("paf" if own is PAF else "posenet"), own, asked) == expected


@pytest.mark.parametrize(
    ("own", "options", "message"),
    [
        (
            PAF,
            ["--decoder", "coral"],
            "--decoder coral cannot read .* part affinity fields networks: choose best",
        ),
        (POSENET, ["--decoder", "openpose"], "--decoder openpose cannot read the outputs of PoseNet networks"),
        (PAF, ["--max-poses", "3"], "--max-poses: PafDecoder finds everybody at once"),
        (None, ["--decoder", "coral"], "decodes by itself"),
    ],
)
def test_a_decoder_of_another_family_is_refused(own, options, message):
    asked = cli._parser().parse_args(["predict", "a.jpg", *options])
    with pytest.raises(bu.InputError, match=message):
        choose_decoder(families.get("paf" if own is PAF else "posenet"), own, asked)


def test_settings_change_the_decoder_that_the_file_asks_for(command_line, monkeypatch):
    used = []
    model = TinyPoseNet(decoder_op=True).write(Path("tiny.tflite").resolve())
    save_image("a.jpg")
    monkeypatch.setattr(CoralDecoder, "decode", lambda self, fields: used.append(self) or Poses.empty(COCO17))
    assert command_line("predict", "a.jpg", "--model", model, "--decoder", "file", "--max-poses", "3")[0] == 0
    assert (used[0].max_poses, used[0].score_threshold) == (3, 0.25)


def test_a_model_that_decodes_by_itself_takes_no_settings(run):
    save_image("a.jpg")
    assert "decodes by itself" in one_line(run("predict", "a.jpg", "--model", "m", "--max-poses", 3)[2])


def test_a_real_model_is_run_quietly(capfd, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = TinyPoseNet(size=(129, 97)).write(tmp_path / "tiny.tflite")
    image = np.full((97, 129, 3), (255, 90, 0), np.uint8)  # no red, but for the square where the network sees a person
    image[44:53, 60:69] = (0, 90, 255)
    for name in ("a.png", "b.png", "c.png", "d.png"):
        cv2.imwrite(name, image)
    assert cli.main(["predict", "*.png", "--model", str(model), "--decoder", "coral"]) == 0
    assert capfd.readouterr().err == ""
    assert [Path(image["drawn"]).name for image in predicted()["images"]] == ["a.png", "b.png", "c.png", "d.png"]
    for image in predicted()["images"]:
        (pose,) = image["poses"]
        np.testing.assert_allclose(np.array(pose["keypoints"])[:, :2], np.tile([64, 48], (17, 1)), atol=1e-3)


# warmup


@pytest.fixture
def only(monkeypatch):
    """Make one family the only one there is: compiling all of them takes most of a minute."""

    def choose(name):
        monkeypatch.setattr(families, "FAMILIES", (families.get(name),))

    return choose


def test_warming_up_tells_how_long_it_took_and_where_kernels_are_kept(run, only):
    only("boxes")
    status, out, complaints = run("warmup")
    assert (status, complaints) == (0, "")
    assert out.startswith("kernels compiled in ")
    assert " s, " in out


def test_warming_up_shows_a_terminal_what_it_compiles_of_how_many(run, only, monkeypatch):
    only("posenet")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    status, out, complaints = run("warmup")
    assert (status, out.count("\n")) == (0, 1)
    assert "PoseNet, coral:" in complaints
    assert "PoseNet, personlab, 8-bit: 100%" in complaints
    assert "10/10 [" in complaints


def test_warming_up_runs_every_decoder_of_every_family_and_the_masks(run, monkeypatch):
    ran = []

    class Recorder:
        def __init__(self, *names):
            self.names = names

        def decode(self, fields):
            ran.append((*self.names, type(fields)))

        def decode_batch(self, batch):
            ran.append((*self.names, len(batch) > 1))

    def recorded(family):
        decoders = {name: lambda name=name: Recorder(family.name, name) for name in family.decoders}
        segment = family.segment and (lambda *_: ran.append((family.name, "masks")))
        return dataclasses.replace(family, decoders=decoders, segment=segment)

    every = families.FAMILIES
    monkeypatch.setattr(families, "FAMILIES", tuple(map(recorded, every)))
    assert run("warmup")[0] == 0
    expected = []
    for family in every:
        once = [(family.name, name, told) for name in family.decoders for told in (family.fields, True)]
        expected += 2 * (once + [(family.name, "masks")] * (family.segment is not None))
    assert ran == expected


@pytest.mark.slow
def test_warming_up_leaves_nothing_to_compile(run, only):
    def versions():
        modules = [module for name, module in sys.modules.items() if name.startswith("bottomup.")]
        values = {value for module in modules for value in vars(module).values() if hasattr(value, "py_func")}
        kernels = [value for value in values if not isinstance(value, type)]
        return {kernel.__name__: len(kernel.signatures) for kernel in kernels}

    only("posenet")
    run("warmup")
    warm = versions()
    for quantized in (False, True):
        fields = posenet_fields(random_poses(4), quantized=quantized)
        for decoder in (*DECODERS.values(), PoseNetDecoder.tfjs(max_poses=1)):
            decoder.decode(fields)
    assert versions() == warm


# models

CORAL_AP = f"{bu.catalogue.get('coral-posenet-641x481').measured[0].ap:.3f}".removeprefix("0")


@pytest.mark.parametrize("arguments", [["models"], ["models", "list"]])
def test_all_models_are_listed_by_name(run, arguments):
    status, said, complaints = run(*arguments)
    assert (status, complaints) == (0, "")
    assert [line.split()[0] for line in said.splitlines()[1:-1]] == list(bu.catalogue.names())
    row = next(line for line in said.splitlines() if line.startswith("coral-posenet-641x481 "))
    assert row.split() == ["coral-posenet-641x481", CORAL_AP, "641x481", *row.split()[3:]]


@pytest.mark.parametrize("name", bu.catalogue.names())
def test_a_card_is_shown_with_what_it_says(run, name):
    status, said, complaints = run("models", "show", name)
    card = bu.catalogue.get(name)
    assert (status, complaints) == (0, "")
    assert said.startswith(f"{name}: {card.title}\n")
    assert all(f"{output.channels} channels, {output.pattern}" in said for output in card.outputs)
    assert card.file is None or (card.file.address in said and card.file.sha256 in said)
    assert card.note in said


def test_a_shipped_model_stands_beside_corals(run):
    assert f"coral-posenet-641x481  AP {CORAL_AP}" in run("models", "show", "bottomup-tiny")[1]


def test_a_model_that_is_fetched_says_where_it_is(run, monkeypatch, tmp_path):
    monkeypatch.setattr("bottomup.catalogue.cards.fetch", lambda name, progress: tmp_path / f"{name}.tflite")
    assert run("models", "pull", "coral-posenet-481x353") == (0, f"{tmp_path / 'coral-posenet-481x353.tflite'}\n", "")


@pytest.mark.parametrize("command", ["show", "pull"])
def test_an_unknown_model_is_one_line(run, command):
    status, said, complaints = run("models", command, "coral-posenet-481x35")
    assert (status, said) == (2, "")
    assert "did you mean 'coral-posenet-481x353'?" in one_line(complaints)


def test_a_model_without_an_address_cannot_be_pulled(run):
    assert "users bring" in one_line(run("models", "pull", "trt-pose")[2])
