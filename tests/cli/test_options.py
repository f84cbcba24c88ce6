import csv
import http.server
import io
import json
import os
import sys
import threading
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
from clips import SquareEstimator, make_clip, picture

import bottomup as bu
from bottomup.cli import parsing
from bottomup.images import read_image
from bottomup.poses import MIN_SCORE, Poses
from bottomup.skeletons import COCO17


class WhiteEstimator(SquareEstimator):
    """Finds one person around the white square, and keeps what it saw."""

    path = Path("white.tflite")

    def __init__(self):
        self.seen = []

    def _find(self, image):
        self.seen.append(image)
        rows, columns = np.nonzero(image[..., 0] > 128)
        keypoints = np.full((1, 17, 3), (np.nan, np.nan, 0), np.float32)
        if len(rows):
            for part in range(17):
                keypoints[0, part] = columns.mean() + part % 3, rows.mean() + part // 3, 0.9
        return Poses(keypoints, [0.5], COCO17, bu.ImageSize(image.shape[1], image.shape[0]))

    def __call__(self, image):
        return self._find(image)

    def masks(self, image, **_):
        raise bu.ModelError("no masks")


@pytest.fixture
def estimator(monkeypatch):
    made = WhiteEstimator()
    monkeypatch.setattr("bottomup.estimation.loading.load", lambda *_, **__: made)
    return made


@pytest.fixture
def run(command_line, estimator):
    return partial(command_line, "predict")


def save(path, number=3):
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), picture(number))
    return path


def one_line(complaints):
    assert complaints.startswith("bottomup: ")
    assert complaints.count("\n") == 1
    return complaints


def told(path="poses/poses.json"):
    return json.loads(Path(path).read_text())["images"]


def test_the_default_score_is_the_librarys():
    assert parsing.MIN_SCORE == MIN_SCORE


def test_one_image_and_one_person_are_told_in_plain_grammar(run):
    save("a.png"), save("b.png")
    assert run("a.png")[1].endswith("1 image, 1 person: poses/poses.json\n")
    status, out, _ = run("a.png", "b.png")
    assert status == 0
    assert out.splitlines() == ["a.png: 1 person: poses/a.png", "b.png: 1 person: poses/b.png",
                                "2 images, 2 people: poses/poses.json"]  # fmt: skip


def test_a_table_has_a_line_a_keypoint_of_images_and_frames(run, estimator):
    estimator._find = SquareEstimator()._find
    save("a.png"), make_clip("b.mp4", count=3)
    assert run("a.png", "b.mp4", "--csv", "t.csv", "--track")[0] == 0
    rows = list(csv.DictReader(io.StringIO(Path("t.csv").read_text())))
    assert len(rows) == 17 * 4
    assert {(row["source"], row["frame"], row["id"]) for row in rows} == {
        ("a.png", "", ""), ("b.mp4", "0", "1"), ("b.mp4", "1", "1"), ("b.mp4", "2", "1"),
    }  # fmt: skip
    assert "name another file" in one_line(run("a.png", "--csv", "a.png")[2])


@pytest.mark.parametrize("option", ["--boxes", "--scores", "--black", "--line-width=5", "--colour=person"])
def test_drawing_can_be_chosen(run, option):
    cv2.imwrite("a.png", cv2.resize(picture(3), None, fx=8, fy=8))
    run("a.png", "--out", "plain")
    assert run("a.png", option, "--out", "other")[0] == 0
    assert (read_image("plain/a.png") != read_image("other/a.png")).any()


def test_pictures_can_be_turned_and_mirrored_first(run, estimator):
    save("a.png")
    make_clip("b.mp4", count=2)
    run("a.png", "b.mp4", "--rotate", "90", "--mirror", "--json", "all.jsonl")
    turned = np.rot90(picture(3), -1)[:, ::-1]
    np.testing.assert_array_equal(estimator.seen[0], turned)
    assert all(image.shape == (64, 48, 3) for image in estimator.seen)
    assert read_image("poses/a.png").shape == (64, 48, 3)


def test_poses_can_be_written_without_pictures(run):
    save("a.png")
    make_clip("b.mp4", count=2)
    status, out, _ = run("a.png", "b.mp4", "--no-pictures")
    assert status == 0
    assert sorted(os.listdir("poses")) == ["b.jsonl", "poses.json"]
    assert "drawn" not in told()[0]
    assert "b.mp4: " not in out
    assert "poses/b.jsonl" in out


def test_folders_below_a_folder_are_taken_where_asked(run):
    save("in/a.png"), save("in/deeper/b.png"), save("in/.hidden/c.png")
    run("in")
    assert len(told()) == 1
    run("in", "--recursive")
    assert [image["image"] for image in told()] == [os.path.join("in", "a.png"), os.path.join("in", "deeper", "b.png")]
    save("only/below/d.png")
    assert "its folders do: add --recursive" in one_line(run("only")[2])


def test_what_was_drawn_is_no_source(run):
    save("a.png")
    for _ in range(2):
        run(".", "--recursive")
        assert [image["image"] for image in told()] == [os.path.join(".", "a.png")]
    for _ in range(2):
        run(".", "--out", ".")
        assert sorted(path.name for path in Path().glob("*.png")) == ["a-2.png", "a.png"]


def test_a_picture_comes_from_standard_input_and_poses_go_to_standard_output(run, monkeypatch):
    monkeypatch.setattr(sys, "stdin", type("Stdin", (), {"buffer": io.BytesIO(Path(save("a.png")).read_bytes())}))
    status, out, said = run("-", "--json", "-")
    assert status == 0
    (image,) = json.loads(out)["images"]
    assert image["image"] == "-"
    assert image["drawn"] == str(Path("poses/standard-input.jpg"))
    assert "1 image, 1 person" in said
    monkeypatch.setattr(sys, "stdin", type("Stdin", (), {"buffer": io.BytesIO(b"")}))
    assert "image 'standard input' is empty" in run("-")[2]


def test_pictures_of_the_web_are_fetched(run, tmp_path):
    save(tmp_path / "web" / "a.png")

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments):
            super().__init__(*arguments, directory=str(tmp_path / "web"))

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        address = f"http://127.0.0.1:{server.server_port}/a.png"
        assert run(address + "?size=3")[0] == 0
        assert told()[0]["image"] == address + "?size=3"
        assert Path("poses/a.png").is_file()
        status, _, complaints = run(f"http://127.0.0.1:{server.server_port}/none.png")
        assert status == 2
        assert "cannot be opened: File not found" in one_line(complaints)
    finally:
        server.shutdown()
        server.server_close()


def test_without_a_screen_showing_is_refused_before_the_work(run, monkeypatch, estimator):
    monkeypatch.setattr("sys.platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    assert "there is no screen" in one_line(run(save("a.png"), "--show")[2])
    assert estimator.seen == []


def test_a_window_shows_each_picture_until_q(run, monkeypatch):
    shown = []
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(cv2, "namedWindow", lambda *_: None)
    monkeypatch.setattr(cv2, "imshow", lambda _, image: shown.append(image))
    monkeypatch.setattr(cv2, "waitKey", lambda *_: ord("q") if len(shown) == 2 else ord(" "))
    monkeypatch.setattr(cv2, "getWindowProperty", lambda *_: 1)
    save("a.png"), save("b.png"), save("c.png")
    assert run("a.png", "b.png", "c.png", "--show")[0] == 0
    assert len(shown) == len(told()) == 2
    del shown[:]
    make_clip("d.mp4", count=6)
    assert run("d.mp4", "--show")[0] == 0
    assert len(shown) == 2


def test_trails_are_drawn_behind_people(run, estimator):
    estimator._find = SquareEstimator()._find
    make_clip("a.mp4", count=8)
    run("a.mp4", "--out", "plain", "--track")
    assert run("a.mp4", "--out", "trail", "--trail")[0] == 0
    last = [list(bu.video.Reader(f"{folder}/a.mp4"))[-1].image.astype(int) for folder in ("plain", "trail")]
    assert np.abs(last[0] - last[1]).max() > 60
    assert "name a video" in one_line(run(save("b.png"), "--trail")[2])


def test_what_ctrl_c_leaves_finished_is_written_out(run, monkeypatch, estimator):
    save("a.png"), save("b.png"), save("c.png")
    find = estimator._find

    def interrupted(image):
        if len(estimator.seen) == 2:
            raise KeyboardInterrupt
        return find(image)

    estimator._find = interrupted
    assert run("a.png", "b.png", "c.png", "--csv", "t.csv")[0] == 130
    assert [image["image"] for image in told()] == ["a.png", "b.png"]
    assert len(Path("t.csv").read_text().splitlines()) == 1 + 2 * 17


def test_an_earlier_file_of_lines_stays_where_the_new_one_fails(run, estimator):
    make_clip("a.mp4", count=6)
    Path("lines.jsonl").write_text("earlier\n")

    def failing(image):
        raise bu.InputError("the model has a trouble")

    estimator._find = failing
    assert "a trouble" in run("a.mp4", "--json", "lines.jsonl")[2]
    assert Path("lines.jsonl").read_text() == "earlier\n"


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["predict", "a.png", "--conf", ".3"], "did you mean --min-score?"),
        (["predict", "--source", "a.png"], "did you mean SOURCE, without an option?"),
        (["predict", "a.png", "--imgsz=640"], "did you mean --input-size?"),
        (["predict", "a.png", "--min-scor3", "1"], "did you mean --min-score"),
        (["predict", "a.png", "--qqqq"], "there are --help, --recursive"),
        (["predict", "a.png", "--colour", "purple"], "choose from"),
        (["predict", "a.png", "--rotate", "45"], "choose from"),
        (["predict", "a.png", "--min-score", "high"], "must be a score from 0 to 1, got high"),
        (["predict", "a.png", "--line-width", "wide"], "must be from 0 to 1000 pixels, got wide"),
        (["pedict", "a.png"], "did you mean predict?"),
        (["a.png"], "did you mean bottomup predict a.png?"),
        (["models", "lsit"], "did you mean list?"),
    ],
)
def test_what_is_near_is_named(command_line, arguments, hint):
    save("a.png")
    status, out, complaints = command_line(*arguments)
    assert (status, out) == (2, "")
    assert hint in one_line(complaints)


@pytest.mark.parametrize("name", ["a\0b.png", "a" * 5000 + ".png", "\x1b[31mred.png"])
def test_names_that_no_file_has_are_one_plain_line(run, name):
    complaints = one_line(run(name)[2])
    assert "\x1b" not in complaints


def test_a_document_is_told_to_be_none_and_not_taken_for_a_video(run):
    Path("paper.pdf").write_bytes(b"%PDF-1.7 and so on")
    assert "is not an image: it is a PDF" in one_line(run("paper.pdf")[2])


# blur


def test_people_are_hidden_in_images_and_videos(command_line, estimator):
    size = 320, 240
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 120, (*size[::-1], 3), np.uint8)
    noise[100:140, 100:140] = rng.integers(130, 256, (40, 40, 3))
    Path("in").mkdir()
    cv2.imwrite("in/a.png", noise)
    make_clip("in/b.mp4", count=3)
    status, out, complaints = command_line("blur", "in")
    assert (status, complaints) == (0, "")
    assert "in/a.png: 1 person hidden: blurred/a.png" in out
    hidden = read_image("blurred/a.png").astype(int)
    assert (hidden[117:122, 117:122] != noise[117:122, 117:122]).any(axis=2).mean() > 0.9
    np.testing.assert_array_equal(hidden[200:, 250:], noise[200:, 250:])
    assert len(list(bu.video.Reader("blurred/b.mp4"))) == 3
    assert "check every picture before you publish it" in " ".join(command_line("blur", "--help")[1].split())


def test_what_cannot_be_hidden_is_one_complaint(command_line, estimator):
    Path("a.png").write_text("no image")
    save("b.png")
    status, out, complaints = command_line("blur", "a.png", "b.png", "--faces")
    assert status == 2
    assert "is not an image: it is a text file" in one_line(complaints)
    assert "b.png: 1 person hidden" in out
