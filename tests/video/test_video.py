import _thread
import contextlib
import http.server
import struct
import sys
import threading
import time
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from clips import SIZE, FakeCapture, SquareEstimator, make_clip, number_of, picture, place_of
from tiny_posenet import TinyPoseNet

import bottomup as bu
from bottomup import video
from bottomup.errors import InputError, MissingRuntimeError
from bottomup.images import read_image
from bottomup.tracking import Tracker

CODECS = ["mp4v", "h264"]


@pytest.fixture(params=CODECS)
def codec(request):
    if request.param == "h264":
        pytest.importorskip("av", reason="PyAV is not installed")
    return request.param


@pytest.fixture
def capture(monkeypatch):
    """Make OpenCV open this fake."""

    def open_instead(frames, **settings):
        fake = FakeCapture(frames, **settings)
        monkeypatch.setattr(cv2, "VideoCapture", lambda *_: fake)
        monkeypatch.setitem(sys.modules, "av", None)
        return fake

    return open_instead


def read(path):
    with video.Reader(path) as reader:
        return list(reader)


# Reading


def test_frames_come_in_order_each_once_with_their_times(tmp_path):
    pictures = read(make_clip(tmp_path / "a.mp4", count=12, fps=25))
    assert [it.number for it in pictures] == list(range(12))
    assert [number_of(it.image) for it in pictures] == list(range(12))
    np.testing.assert_allclose([it.time for it in pictures], np.arange(12) / 25)


@pytest.mark.parametrize(("name", "codec"), [("a.avi", "MJPG"), ("a.webm", "VP80"), ("a.mkv", "mp4v")])
def test_other_containers_are_read(tmp_path, capfd, name, codec):
    with video.Reader(make_clip(tmp_path / name, codec=codec)) as reader:
        assert (reader.size, reader.fps, reader.num_frames) == (SIZE, 25, 12)
        assert [number_of(it.image) for it in reader] == list(range(12))
    assert not reader.ended_early


@pytest.mark.parametrize(("turn", "size"), [(90, (48, 64)), (180, (64, 48)), (270, (48, 64))])
def test_frames_are_turned_upright_as_the_file_says(tmp_path, turn, size):
    data = bytearray(make_clip(tmp_path / "a.mp4").read_bytes())
    matrix = {90: (0, 1, 0, -1, 0, 0, 0, 0), 180: (-1, 0, 0, 0, -1, 0, 0, 0), 270: (0, -1, 0, 1, 0, 0, 0, 0)}[turn]
    header = data.find(b"tkhd")
    data[header + 44 : header + 80] = struct.pack(">9i", *(number << 16 for number in matrix), 1 << 30)
    Path(tmp_path / "turned.mp4").write_bytes(data)
    with video.Reader(tmp_path / "turned.mp4") as reader:
        assert reader.size == size
        first = next(iter(reader)).image
    straight = np.rot90(first, turn // 90)
    assert number_of(np.ascontiguousarray(straight)) == 0
    assert (straight[24, :8] > 128).all()


def test_frames_of_changing_rate_keep_their_times(tmp_path):
    av = pytest.importorskip("av", reason="PyAV is not installed")
    times = [0, 40, 60, 400, 420, 1000]  # ms
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height = SIZE
        stream.codec_context.time_base = Fraction(1, 1000)
        for number, moment in enumerate(times):
            frame = av.VideoFrame.from_ndarray(picture(number), format="bgr24")
            frame.pts, frame.time_base = moment, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    pictures = read(tmp_path / "a.mp4")
    np.testing.assert_allclose([it.time for it in pictures], np.array(times) / 1000, atol=1e-3)
    assert [number_of(it.image) for it in pictures] == list(range(6))


@pytest.mark.parametrize("count", [0, -1, np.nan, -9.2e18, 1e18, np.inf])
def test_a_file_that_does_not_know_its_length_is_read_to_its_end(capture, tmp_path, count):
    capture([picture(number) for number in range(5)], said={cv2.CAP_PROP_FRAME_COUNT: count, cv2.CAP_PROP_FPS: 25.0})
    with video.Reader(make_clip(tmp_path / "a.mp4")) as reader:
        assert reader.num_frames is None
        assert len(list(reader)) == reader.num_read == 5
        assert not reader.ended_early


@pytest.mark.parametrize("fps", [0, -1, np.nan, 90_000, np.inf])
def test_a_rate_that_no_video_has_is_taken_for_30(capture, tmp_path, fps):
    capture([picture(number) for number in range(3)], said={cv2.CAP_PROP_FPS: fps})
    with video.Reader(make_clip(tmp_path / "a.mp4")) as reader:
        assert reader.fps == 30
        np.testing.assert_allclose([it.time for it in reader], np.arange(3) / 30)


def test_a_length_in_nonsensical_frames_is_one_in_seconds(capture, tmp_path):
    capture([picture(0)] * 3, said={cv2.CAP_PROP_FPS: 2000, cv2.CAP_PROP_FRAME_COUNT: 200})
    assert video.Reader(make_clip(tmp_path / "a.mp4")).num_frames == 3


def test_time_always_moves_on(capture, tmp_path):
    capture([picture(0)] * 5, said={cv2.CAP_PROP_FPS: 25}, times=[0, 40, 40, -1e9, np.nan])
    np.testing.assert_allclose([it.time for it in read(make_clip(tmp_path / "a.mp4"))], np.arange(5) / 25)


def test_a_file_that_breaks_off_is_known_by_its_length(tmp_path):
    data = make_clip(tmp_path / "a.avi", count=40, codec="MJPG").read_bytes()
    (tmp_path / "cut.avi").write_bytes(data[: len(data) // 2])
    with video.Reader(tmp_path / "cut.avi") as reader:
        assert 5 < len(list(reader)) < 30
    assert reader.ended_early


def broken(folder):
    """Return files that are no videos, and what is said of each."""
    whole = make_clip(folder / "whole.mp4").read_bytes()
    (folder / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    (folder / "empty.mp4").write_bytes(b"")
    (folder / "text.mp4").write_text("no video " * 100)
    make_clip(folder / "none.mp4", count=0)
    return {
        "cut.mp4": "damaged, truncated, or not a video",
        "empty.mp4": "is empty",
        "text.mp4": "damaged, truncated, or not a video",
        "none.mp4": "damaged, truncated, or not a video",
        "nowhere.mp4": "cannot be opened: No such file",
        ".": "is a folder",
    }


def test_what_is_no_video_is_refused_by_name(tmp_path, capfd):
    for name, complaint in broken(tmp_path).items():
        with pytest.raises(InputError, match=complaint) as refused:
            video.Reader(tmp_path / name)
        assert str(tmp_path / name) in str(refused.value)


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        (97, "camera 97 cannot be opened: check that it is connected"),
        (-1, "must be 0 or more, got -1"),
        (
            "http://me:secret@127.0.0.1:9/a.mp4",
            "'http://127.0.0.1:9/a.mp4' cannot be opened: check that the address is correct",
        ),
    ],
)
def test_cameras_and_streams_that_are_not_there_are_refused(capfd, source, complaint):
    with pytest.raises(InputError, match=complaint) as refused:
        video.Reader(source)
    assert "secret" not in str(refused.value)


def test_a_camera_that_opens_and_gives_nothing_is_refused_and_let_go(capture):
    fake = capture([])
    with pytest.raises(InputError, match="camera 0 has no frames"):
        video.Reader(0)
    assert not fake.is_open


def test_a_camera_gives_its_newest_frame(capture):
    goes_on, released = threading.Event(), threading.Event()

    def pause(number):
        if number == 1:
            goes_on.wait(5)
        if number == 10:
            released.wait(5)

    fake = capture([picture(number) for number in range(12)], pause=pause)
    with video.Reader(0) as camera:
        pictures = iter(camera)
        first = next(pictures)
        goes_on.set()
        deadline = time.monotonic() + 5
        while fake.read_so_far < 10 and time.monotonic() < deadline:
            time.sleep(0.001)
        second = next(pictures)
        released.set()
        rest = list(pictures)
    assert camera.is_live
    assert camera.num_frames is None
    assert (first.number, number_of(first.image)) == (0, 0)
    assert (second.number, number_of(second.image)) == (9, 9)
    assert rest[-1].number == 11
    times = [first.time, second.time, *(it.time for it in rest)]
    assert times == sorted(times)


def test_a_camera_that_fails_says_so_after_its_last_frame(capture):
    def pause(number):
        if number == 3:
            raise cv2.error("unplugged")

    capture([picture(number) for number in range(5)], pause=pause)
    with video.Reader(0) as camera, pytest.raises(InputError, match="camera 0 cannot be read any further"):
        list(camera)


# Writing


def test_what_is_written_is_read_again(tmp_path, codec):
    with video.Writer(tmp_path / "a.mp4", fps=25, codec=codec) as writer:
        for number in range(12):
            writer.write(picture(number))
    pictures = read(tmp_path / "a.mp4")
    assert [number_of(it.image) for it in pictures] == list(range(12))
    np.testing.assert_allclose([it.time for it in pictures], np.arange(12) / 25, atol=1e-3)


@pytest.mark.parametrize("fps", [30000 / 1001, 24000 / 1001, 66.6667, 119.88012, 12.5, 1])
def test_every_rate_is_written_frame_by_frame(tmp_path, codec, fps):
    with video.Writer(tmp_path / "a.mp4", fps=fps, codec=codec) as writer:
        for number in range(14):
            writer.write(picture(number), number / fps)
    with video.Reader(tmp_path / "a.mp4") as reader:
        assert reader.fps == pytest.approx(fps, rel=2e-3)
        assert [number_of(it.image) for it in reader] == list(range(14))


def test_what_was_written_before_an_error_plays(tmp_path, codec):
    def write_and_break_off():
        with video.Writer(tmp_path / "a.mp4", fps=25, codec=codec) as writer:
            for number in range(7):
                writer.write(picture(number))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_and_break_off()
    assert [number_of(it.image) for it in read(tmp_path / "a.mp4")] == list(range(7))


def test_an_odd_row_and_column_are_cut_off(tmp_path, codec):
    with video.Writer(tmp_path / "a.mp4", fps=25, codec=codec) as writer:
        writer.write(picture(3, (65, 49)))
    (only,) = read(tmp_path / "a.mp4")
    assert only.image.shape == (48, 64, 3)
    assert number_of(only.image) == 3


def test_frames_of_another_size_are_made_to_fit(tmp_path, codec):
    with video.Writer(tmp_path / "a.mp4", fps=25, codec=codec) as writer:
        writer.write(picture(0))
        writer.write(cv2.resize(picture(5), (128, 96)))
    assert number_of(read(tmp_path / "a.mp4")[1].image) == 5


def test_a_frame_stands_until_the_next_one(tmp_path, codec):
    moments = [5, 5.04, 5.4, 5.44]  # of any clock
    with video.Writer(tmp_path / "a.mp4", fps=25, codec=codec) as writer:
        for number, moment in enumerate(moments):
            writer.write(picture(number), moment)
    shown = {}
    for it in read(tmp_path / "a.mp4"):
        shown.setdefault(number_of(it.image), it.time)
    assert list(shown) == [0, 1, 2, 3]
    np.testing.assert_allclose(list(shown.values()), np.array(moments) - 5, atol=0.02)


def test_a_clock_that_jumps_makes_no_endless_video(tmp_path, codec):
    with video.Writer(tmp_path / "a.mp4", fps=10, codec=codec) as writer:
        for moment in (0, 0.1, 1e9, 1e9 + 0.1, 0.2):
            writer.write(picture(1), moment)
    assert read(tmp_path / "a.mp4")[-1].time < 62


def test_slides_keep_their_time(tmp_path, codec):
    with video.Writer(tmp_path / "a.mp4", fps=0.09, codec=codec) as writer:
        for number, moment in enumerate((0, 20, 25, 26)):
            writer.write(picture(number), moment)
    shown = {}
    for it in read(tmp_path / "a.mp4"):
        shown.setdefault(number_of(it.image), it.time)
    np.testing.assert_allclose(list(shown.values()), [0, 20, 25, 26], atol=0.1)


def test_without_a_frame_there_is_no_file(tmp_path, codec):
    with video.Writer(tmp_path / "a.mp4", fps=25, codec=codec):
        pass
    assert not (tmp_path / "a.mp4").exists()


def test_what_cannot_be_written_is_refused(tmp_path, codec, capfd):
    (tmp_path / "folder.mp4").mkdir()
    for path in (tmp_path / "folder.mp4", tmp_path / "none" / "a.mp4", tmp_path / "a.nothing"):
        with pytest.raises(InputError, match=path.name), video.Writer(path, fps=25, codec=codec) as writer:
            writer.write(picture(0))
    with pytest.raises(InputError, match="2 x 2 pixels or more, got 1 x 9"):
        video.Writer(tmp_path / "a.mp4", fps=25, codec=codec).write(np.zeros((9, 1, 3), np.uint8))


def test_a_full_disk_is_noticed(tmp_path, codec, capfd):
    resource = pytest.importorskip("resource", reason="only POSIX limits the size of files")
    noise = np.random.default_rng(0).integers(0, 256, (4, 480, 640, 3), np.uint8)

    def write_noise():
        with video.Writer(tmp_path / "a.mp4", fps=25, codec=codec) as writer:
            for image in noise:
                writer.write(image)

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    try:
        with pytest.raises(InputError, match=r"a\.mp4"):
            write_noise()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"fps": 0}, "fps must be"),
        ({"fps": "x"}, "fps must be"),
        ({"fps": np.nan}, "fps must be"),
        ({"fps": 25, "codec": "h265"}, "codec must be one of 'h264', 'mp4v', 'gif', got 'h265'"),
    ],
)
def test_settings_that_no_video_has_are_refused(settings, complaint):
    with pytest.raises(InputError, match=complaint):
        video.Writer("a.mp4", **settings)


def test_without_pyav_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(MissingRuntimeError, match=r"pip install 'bottomup\[video\]'"):
        video.Writer("a.mp4", fps=25, codec="h264")


# Times, sound, what is there already


def written(path, moments, fps=30, codec=None, **settings):
    with video.Writer(path, fps=fps, codec=codec, **settings) as writer:
        for number, moment in enumerate(moments):
            writer.write(picture(number), moment)
    return path


def seconds_of(path):
    """How long players take a file to be."""
    av = pytest.importorskip("av", reason="PyAV is not installed")
    with av.open(str(path)) as container:
        return container.duration / av.time_base


def test_frames_faster_than_the_rate_keep_their_times(tmp_path, codec):
    path = written(tmp_path / "a.mp4", np.arange(120) / 60, codec=codec)
    assert seconds_of(path) == pytest.approx(2.0, abs=0.06)
    assert len(read(path)) == (120 if codec == "h264" else 60)


def test_frames_of_two_rates_keep_their_times(tmp_path, codec):
    moments = [*(np.arange(20) / 10), *(2 + np.arange(120) / 60)]
    path = written(tmp_path / "a.mp4", moments, codec=codec)
    assert seconds_of(path) == pytest.approx(4.0, abs=0.11)


def test_lying_clocks_do_not_repeat_frames_without_end(tmp_path):
    path = written(tmp_path / "a.mp4", 59.0 * np.arange(200), codec="mp4v")
    assert len(read(path)) <= 30 * 200 + 1


def test_the_index_stands_in_front(tmp_path):
    pytest.importorskip("av", reason="PyAV is not installed")
    content = written(tmp_path / "a.mp4", np.arange(20) / 25).read_bytes()
    assert 0 < content.index(b"moov") < content.index(b"mdat")


def clip_with_sound(path, codec="aac", rate=44100, seconds=2):
    av = pytest.importorskip("av", reason="PyAV is not installed")
    with av.open(str(path), "w") as container:
        pictures = container.add_stream("libx264", rate=25)
        pictures.width, pictures.height, pictures.pix_fmt = *SIZE, "yuv420p"
        sound = container.add_stream(codec, rate=rate)
        sound.layout = "mono"
        for number in range(25 * seconds):
            container.mux(pictures.encode(av.VideoFrame.from_ndarray(picture(number), format="bgr24")))
        tone = np.sin(np.arange(rate * seconds) / 20).astype(np.float32)
        for start in range(0, len(tone) // 1024 * 1024, 1024):
            kind = {"aac": "fltp", "pcm_s16le": "s16"}[codec]
            samples = tone[None, start : start + 1024]
            frame = av.AudioFrame.from_ndarray(
                samples if kind == "fltp" else (20000 * samples).astype(np.int16), format=kind, layout="mono"
            )
            frame.sample_rate, frame.pts, frame.time_base = rate, start, Fraction(1, rate)
            container.mux(sound.encode(frame))
        for stream in (pictures, sound):
            container.mux(stream.encode(None))
    return path


def sound_of(path):
    import av

    with av.open(str(path)) as container:
        (stream,) = container.streams.audio
        frames = [frame.to_ndarray() for frame in container.decode(stream)]
        return stream.codec_context.name, np.concatenate(frames, axis=1), stream.codec_context.sample_rate


@pytest.mark.parametrize(("name", "codec"), [("a.mp4", "aac"), ("a.mkv", "pcm_s16le")])
def test_sound_comes_along_as_far_as_frames_do(tmp_path, name, codec):
    source = clip_with_sound(tmp_path / name, codec)
    for reader_source in (source, video.Reader(source)):
        written(tmp_path / "b.mp4", np.arange(25) / 25, sound=reader_source)
        kind, samples, rate = sound_of(tmp_path / "b.mp4")
        assert kind == "aac"
        assert samples.shape[1] / rate == pytest.approx(1.0, abs=0.1)
        assert np.abs(samples).max() > 0.3
    assert seconds_of(tmp_path / "b.mp4") == pytest.approx(1.0, abs=0.1)


def test_a_video_without_sound_gives_none_and_a_camera_neither(tmp_path):
    pytest.importorskip("av", reason="PyAV is not installed")
    source = make_clip(tmp_path / "a.mp4")
    written(tmp_path / "b.mp4", np.arange(5) / 25, sound=source)
    assert len(read(tmp_path / "b.mp4")) == 5


def test_h264_is_the_default_with_pyav_and_what_is_lost_without_is_told(tmp_path, monkeypatch):
    pytest.importorskip("av", reason="PyAV is not installed")
    writer = video.Writer(tmp_path / "a.mp4", fps=25)
    assert (writer.codec, writer.losses) == ("h264", "")
    monkeypatch.setitem(sys.modules, "av", None)
    writer = video.Writer(tmp_path / "a.mp4", fps=25)
    assert writer.codec == "mp4v"
    assert "browsers do not play it: pip install 'bottomup[video]'" in writer.losses


def test_an_earlier_file_stays_until_the_new_one_is_whole(tmp_path, codec):
    path = tmp_path / "a.mp4"
    path.write_bytes(b"earlier")
    with video.Writer(path, fps=25, codec=codec) as writer:
        writer.write(picture(0))
        assert path.read_bytes() == b"earlier"
    assert len(read(path)) == 1
    assert [it.name for it in tmp_path.iterdir()] == ["a.mp4"]


@pytest.mark.parametrize("limit", [0, 10, 2000, 20_000, 200_000])
def test_a_full_disk_loses_no_earlier_file_and_ends_no_process(tmp_path, codec, limit, capfd):
    resource = pytest.importorskip("resource", reason="only POSIX limits the size of files")
    noise = np.random.default_rng(0).integers(0, 256, (8, 240, 320, 3), np.uint8)
    path = tmp_path / "a.mp4"
    path.write_bytes(b"earlier")

    def write_noise():
        with video.Writer(path, fps=25, codec=codec) as writer:
            for number in range(60):
                writer.write(noise[number % 8])

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        with pytest.raises(InputError, match=r"a\.mp4.* cannot be written") as told:
            write_noise()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert "\n" not in str(told.value)
    assert path.read_bytes() == b"earlier"
    assert [it.name for it in tmp_path.iterdir()] == ["a.mp4"]


@pytest.mark.usefixtures("no_collection")
def test_ctrl_c_while_the_file_is_closed_leaves_it_whole(tmp_path, codec):
    writer = video.Writer(tmp_path / "a.mp4", fps=25, codec=codec)
    for number in range(30):
        writer.write(picture(number))
    file = writer._file
    close = file.close

    def interrupted():
        _thread.interrupt_main()
        time.sleep(0.1)
        close()

    file.close = interrupted
    with pytest.raises(KeyboardInterrupt):
        writer.close()
    assert len(read(tmp_path / "a.mp4")) == 30


# GIF, animated WebP, lists


def test_a_gif_is_written_and_read_with_its_times(tmp_path):
    pytest.importorskip("av", reason="PyAV is not installed")
    path = written(tmp_path / "a.gif", [0, 0.1, 0.4, 0.5])
    pictures = read(path)
    assert [number_of(it.image) for it in pictures] == [0, 1, 2, 3]
    np.testing.assert_allclose([it.time for it in pictures], [0, 0.1, 0.4, 0.5], atol=0.011)


def test_an_animated_webp_is_read_with_its_times(tmp_path):
    image = pytest.importorskip("PIL.Image")
    if not hasattr(cv2, "imreadanimation"):
        pytest.skip("this OpenCV reads no animations")
    frames = [image.fromarray(picture(number)) for number in range(3)]
    frames[0].save(
        tmp_path / "a.webp", save_all=True, append_images=frames[1:], duration=[100, 300, 100], lossless=True
    )
    with video.Reader(tmp_path / "a.webp") as reader:
        pictures = list(reader)
        assert (reader.num_frames, reader.size) == (3, SIZE)
    assert [number_of(it.image) for it in pictures] == [0, 1, 2]
    np.testing.assert_allclose([it.time for it in pictures], [0, 0.1, 0.4], atol=0.011)


@pytest.mark.parametrize(
    "content", [b"ffconcat version 1.0\nfile b.mp4\n", b"#EXTM3U\nb.mp4\n", b" \n#EXTM3U\nb.mp4\n"]
)
def test_a_list_of_other_files_is_no_video(tmp_path, content):
    make_clip(tmp_path / "b.mp4")
    (tmp_path / "a.mp4").write_bytes(content)
    with pytest.raises(InputError, match="is a playlist: name the video itself"):
        video.Reader(tmp_path / "a.mp4")


def test_a_cameras_number_as_text_and_names_that_no_file_has(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="for camera 0 pass the number 0, not a string"):
        video.Reader("0")
    for name in ("a\0.mp4", "\ud800.mp4"):
        with pytest.raises(InputError, match="cannot be opened: the name contains a NUL"):
            video.Reader(name)


@pytest.mark.parametrize("has_av", [True, False])
def test_an_http_camera_gives_its_newest_frame_at_the_clocks_time(monkeypatch, has_av):
    if has_av:
        pytest.importorskip("av", reason="PyAV is not installed")
    else:
        monkeypatch.setitem(sys.modules, "av", None)

    class Camera(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
            self.end_headers()
            with contextlib.suppress(OSError):
                for number in range(200):
                    jpeg = cv2.imencode(".jpg", picture(number))[1].tobytes()
                    head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
                    self.wfile.write(head.encode() + jpeg + b"\r\n")
                    time.sleep(0.02)

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Camera)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        with video.Reader(f"http://127.0.0.1:{server.server_port}/camera") as reader:
            assert reader.is_live
            started, seen = time.monotonic(), []
            with contextlib.closing(iter(reader)) as pictures:
                for shown in pictures:
                    time.sleep(0.1)
                    seen.append((shown.number, shown.time, time.monotonic() - started))
                    if len(seen) == 8:
                        break
        assert seen[-1][0] > 15  # frames were left out
        assert seen[-1][1] == pytest.approx(seen[-1][2], abs=0.4)
    finally:
        server.shutdown()
        server.server_close()


# Estimating


def test_every_frame_comes_with_its_own_people(tmp_path):
    frames = list(video.estimate(SquareEstimator(), make_clip(tmp_path / "a.mp4")))
    assert [frame.number for frame in frames] == list(range(12))
    for frame in frames:
        assert frame.poses.xy[0, 0, 0] == place_of(frame.image)
        assert number_of(frame.image) == frame.number


def test_a_source_that_is_not_there_is_refused_at_once():
    with pytest.raises(InputError, match=r"nowhere\.mp4"):
        video.estimate(SquareEstimator(), "nowhere.mp4")


def test_a_tracker_gives_ids(tmp_path):
    frames = video.estimate(SquareEstimator(), make_clip(tmp_path / "a.mp4"), tracker=Tracker())
    assert [frame.poses.ids.tolist() for frame in frames] == [[1]] * 12


def test_a_reader_tells_of_the_video_and_stays_open(tmp_path):
    with video.Reader(make_clip(tmp_path / "a.mp4")) as reader:
        assert len(list(video.estimate(SquareEstimator(), reader))) == reader.num_frames == 12


def test_closing_lets_go_of_camera_and_threads(capture):
    fake = capture([picture(number) for number in range(1000)], pause=lambda _: time.sleep(0.001))
    before = set(threading.enumerate())
    with contextlib.closing(video.estimate(SquareEstimator(), 0)) as frames:
        assert next(frames).poses.xy[0, 0, 0] > 0
        assert any(thread.name == "bottomup-camera" for thread in threading.enumerate())
    assert not fake.is_open
    assert set(threading.enumerate()) <= before


def test_a_real_model_sees_who_comes_and_goes(tmp_path):
    model = TinyPoseNet(size=(129, 97)).write(tmp_path / "tiny.tflite")
    comes_and_goes = [True, False, True, True, False]
    with video.Writer(tmp_path / "a.mp4", fps=25) as writer:
        for is_there in comes_and_goes:
            image = np.full((96, 128, 3), (255, 90, 0), np.uint8)  # no red, but where the network sees a person
            image[40:57, 56:73] = (0, 90, 255) if is_there else (255, 90, 0)
            writer.write(image)
    frames = list(video.estimate(bu.load(model, decoder=bu.PoseNetDecoder.coral()), tmp_path / "a.mp4"))
    assert [len(frame.poses) > 0 for frame in frames] == comes_and_goes


def test_a_trackers_scores_decide_in_place_of_the_estimators(tmp_path):
    image = read_image(Path(bu.__file__).parent / "demo.jpg")
    with video.Writer(tmp_path / "a.mp4", fps=25) as writer:
        writer.write(image)
    estimator = bu.load(min_score=1)
    assert [len(frame.poses) for frame in video.estimate(estimator, tmp_path / "a.mp4")] == [0]
    assert [len(frame.poses) for frame in video.estimate(estimator, tmp_path / "a.mp4", tracker=Tracker())] == [3]
