import json
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import cv2
import pytest
from clips import SIZE, FakeCapture, SquareEstimator, make_clip, number_of, picture

import bottomup as bu


@pytest.fixture
def run(command_line, monkeypatch):
    """Run the command line with a fake model."""
    monkeypatch.setattr("bottomup.estimation.loading.load", lambda *_, **__: SquareEstimator())
    return partial(command_line, "predict")


def one_line(complaints):
    assert complaints.startswith("bottomup: ")
    assert complaints.count("\n") == 1
    return complaints


def frames_of(path):
    capture, frames = cv2.VideoCapture(str(path)), []
    while (read := capture.read())[0]:
        frames.append(read[1])
    return frames


def lines_of(path):
    text = Path(path).read_text()
    assert text.endswith("\n")
    return [json.loads(line) for line in text.splitlines()]


def save_image(path):
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), picture(2))
    return path


# What comes out


def test_a_drawn_video_and_a_line_a_frame_are_written(run):
    make_clip("in/a.avi", codec="MJPG")
    status, out, complaints = run("in/a.avi", "--out", "out")
    assert (status, complaints) == (0, "")
    assert out.startswith("video 'in/a.avi': 12 frames, ")
    assert out.endswith(f" a second, 1.0 people a frame: {Path('out/a.mp4')}, {Path('out/a.jsonl')}\n")
    drawn, lines = frames_of("out/a.mp4"), lines_of("out/a.jsonl")
    assert len(drawn) == len(lines) == 12
    for number, (frame, line) in enumerate(zip(drawn, lines, strict=True)):
        assert frame[43:46, 4 * number + 2 : 4 * number + 6].max() > 100  # a hip, where the clip is black
        assert (line["video"], line["frame"], line["skeleton"]) == ("in/a.avi", number, "coco_17")
        assert line["time"] == pytest.approx(number / 25)
        assert line["poses"][0]["keypoints"][0][0] == pytest.approx(4 * number + 3.5, abs=1)


def test_images_and_videos_of_a_folder_are_all_done(run):
    for path in ("in/a.jpg", "in/b.png"):
        save_image(path)
    make_clip("in/a.mp4")
    make_clip("in/c.webm", codec="VP80", count=3)
    Path("in/notes.txt").write_text("neither")
    status, out, complaints = run("in", "--out", "out")
    assert (status, complaints) == (0, "")
    assert out.count("\n") == 5
    assert sorted(path.name for path in Path("out").iterdir()) == [
        *("a.jpg", "a.jsonl", "a.mp4", "b.png", "c.jsonl", "c.mp4", "poses.json")
    ]
    assert len(json.loads(Path("out/poses.json").read_text())["images"]) == 2
    assert [len(lines_of(f"out/{name}.jsonl")) for name in "ac"] == [12, 3]


def test_one_json_file_takes_everything_in_lines(run):
    save_image("a.jpg")
    make_clip("b.mp4", count=3)
    assert run("a.jpg", "b.mp4", "--json", "all.json")[0] == 0
    assert [line.get("image") or line["video"] for line in lines_of("all.json")] == ["a.jpg", *["b.mp4"] * 3]
    assert run("a.jpg", "--json", "images.jsonl")[0] == 0
    (line,) = lines_of("images.jsonl")
    assert line["image"] == "a.jpg"
    assert (line["width"], line["height"]) == SIZE


def test_openposes_files_are_one_an_image_and_a_frame(run):
    save_image("a.jpg")
    save_image("a.png")
    make_clip("b.mp4", count=3)
    assert run("a.jpg", "a.png", "b.mp4", "--openpose", "op")[0] == 0
    frames = [f"b_{number:012d}_keypoints.json" for number in range(3)]
    assert sorted(path.name for path in Path("op").iterdir()) == [*("a-2_keypoints.json", "a_keypoints.json", *frames)]
    for path in Path("op").iterdir():
        told = json.loads(path.read_text())
        assert told["version"] == 1.3
        assert [len(person["pose_keypoints_2d"]) for person in told["people"]] == [54]


@pytest.mark.parametrize("option", ["--track", "--smooth"])
def test_ids_are_in_every_export(run, option):
    make_clip("a.mp4")
    status, out, _ = run("a.mp4", option, "--openpose", "op")
    assert status == 0
    assert ", 1 person: " in out
    assert [[pose["id"] for pose in line["poses"]] for line in lines_of("poses/a.jsonl")] == [[1]] * 12
    for path in Path("op").iterdir():
        assert [person["person_id"] for person in json.loads(path.read_text())["people"]] == [[1]]


def test_h264_is_written_where_asked(run):
    av = pytest.importorskip("av", reason="PyAV is not installed")
    make_clip("a.mp4")
    assert run("a.mp4", "--codec", "h264")[0] == 0
    with av.open("poses/a.mp4") as container:
        assert container.streams.video[0].codec_context.name == "h264"
        assert sum(1 for _ in container.decode(video=0)) == 12


def test_without_pyav_the_extra_is_named_and_nothing_is_written(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    make_clip("a.mp4")
    status, out, complaints = run("a.mp4", "--codec", "h264")
    assert (status, out) == (2, "")
    assert "pip install 'bottomup[video]'" in one_line(complaints)
    assert list(Path("poses").iterdir()) == []


def test_a_video_is_never_overwritten(run):
    whole = make_clip("in/a.mp4").read_bytes()
    make_clip("deeper/a.mp4", count=3)
    assert run("in", "deeper/a.mp4", "--out", "in")[0] == 0
    assert Path("in/a.mp4").read_bytes() == whole
    assert [len(frames_of(f"in/a-{number}.mp4")) for number in (2, 3)] == [12, 3]
    assert "name another file" in one_line(run("in/a.mp4", "--json", "in/a.mp4")[2])
    assert Path("in/a.mp4").read_bytes() == whole


def test_an_image_or_video_is_known_by_its_content_where_its_name_tells_nothing(run):
    save_image("a.png")
    Path("a.png").rename("image")
    make_clip("b.mp4", count=3)
    Path("b.mp4").rename("clip.bin")
    assert run("image", "clip.bin")[0] == 0
    assert len(json.loads(Path("poses/poses.json").read_text())["images"]) == 1
    assert len(lines_of("poses/clip.jsonl")) == 3


# What is wrong


def test_a_broken_video_is_one_complaint_and_the_others_are_done(run):
    make_clip("a.mp4", count=3)
    Path("b.mp4").write_text("no video")
    status, out, complaints = run("b.mp4", "nowhere.mp4", "a.mp4")
    assert status == 2
    first, second = complaints.splitlines()
    assert "no image or video matches 'nowhere.mp4'" in first
    assert "video 'b.mp4' cannot be opened" in second
    assert "3 frames" in out
    assert sorted(path.name for path in Path("poses").iterdir()) == ["a.jsonl", "a.mp4"]


def test_a_video_that_breaks_off_is_done_as_far_as_it_goes(run):
    data = make_clip("a.avi", count=40, codec="MJPG").read_bytes()
    Path("cut.avi").write_bytes(data[: len(data) // 2])
    status, _, complaints = run("cut.avi")
    assert status == 2
    assert "of 40 frames could be read" in one_line(complaints)
    assert len(frames_of("poses/cut.mp4")) == len(lines_of("poses/cut.jsonl")) > 5


def test_following_people_needs_a_video(run):
    assert "name a video" in one_line(run(save_image("a.jpg"), "--track")[2])


def test_nothing_but_our_own_lines_is_on_standard_error(tmp_path):
    (tmp_path / "text.mp4").write_text("no video " * 100)
    (tmp_path / "empty.mp4").write_bytes(b"")
    whole = make_clip(tmp_path / "whole.mp4").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    sources = ["text.mp4", "empty.mp4", "cut.mp4", "97", "rtsp://127.0.0.1:9/live"]
    environment = {**os.environ, "PYTHONPATH": str(Path(bu.__file__).parents[1])}
    command = [sys.executable, "-m", "bottomup", "predict", *sources]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=environment)
    assert (ran.returncode, ran.stdout) == (2, "")
    lines = ran.stderr.splitlines()
    assert len(lines) == len(sources)
    for line, source in zip(lines, sources, strict=True):
        assert line.startswith("bottomup: ")
        assert source in line


# Ctrl-C


class InterruptedEstimator(SquareEstimator):
    """Presses Ctrl-C while it looks at a frame."""

    def __init__(self, at, signals):
        self.at, self.signals = at, signals

    def batch(self, images):
        for number, poses in enumerate(super().batch(images)):
            if number == self.at:
                for name in self.signals:
                    os.kill(os.getpid(), name)
            yield poses


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_what_was_written_before_ctrl_c_is_whole(run, monkeypatch, name):
    monkeypatch.setattr(
        "bottomup.estimation.loading.load", lambda *_, **__: InterruptedEstimator(4, [getattr(signal, name)])
    )
    make_clip("a.mp4")
    make_clip("b.mp4")
    before = signal.getsignal(getattr(signal, name))
    status, out, complaints = run("a.mp4", "b.mp4")
    assert (status, complaints) == (130, "")
    assert "5 frames" in out
    assert len(frames_of("poses/a.mp4")) == len(lines_of("poses/a.jsonl")) == 5
    assert not Path("poses/b.mp4").exists()
    assert signal.getsignal(getattr(signal, name)) is before


def test_a_second_ctrl_c_ends_at_once_and_what_was_written_plays(run, monkeypatch):
    monkeypatch.setattr(
        "bottomup.estimation.loading.load", lambda *_, **__: InterruptedEstimator(4, [signal.SIGINT] * 2)
    )
    make_clip("a.mp4")
    assert run("a.mp4") == (130, "", "")
    assert len(frames_of("poses/a.mp4")) == len(lines_of("poses/a.jsonl")) == 4


def test_ctrl_c_is_how_a_camera_ends(run, monkeypatch):
    camera = FakeCapture([picture(number) for number in range(1000)], pause=lambda _: time.sleep(0.002))
    open_file = cv2.VideoCapture
    monkeypatch.setattr(cv2, "VideoCapture", lambda source: camera if source == 0 else open_file(source))
    monkeypatch.setattr("bottomup.estimation.loading.load", lambda *_, **__: InterruptedEstimator(4, [signal.SIGINT]))
    status, out, complaints = run("0")
    assert (status, complaints) == (0, "")
    assert out.startswith("camera 0: 5 frames")
    assert not camera.is_open
    assert [line["video"] for line in lines_of("poses/camera-0.jsonl")] == [0] * 5
    assert len(frames_of("poses/camera-0.mp4")) >= 5


def test_a_trouble_of_the_model_leaves_a_video_that_plays(run, monkeypatch):
    class Failing(SquareEstimator):
        def batch(self, images):
            for number, poses in enumerate(super().batch(images)):
                if number == 4:
                    raise bu.ModelError("out of order")
                yield poses

    monkeypatch.setattr("bottomup.estimation.loading.load", lambda *_, **__: Failing())
    make_clip("a.mp4")
    assert run("a.mp4") == (2, "", "bottomup: out of order\n")
    drawn = frames_of("poses/a.mp4")
    assert len(drawn) == len(lines_of("poses/a.jsonl")) == 4
    assert number_of(frames_of("a.mp4")[3]) == 3
