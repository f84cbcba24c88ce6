"""Frames of a video file, a camera or a stream."""

import math
import os
import re
import threading
import time
from collections import deque
from collections.abc import Generator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bottomup.errors import InputError
from bottomup.files import reason
from bottomup.geometry import ImageSize
from bottomup.images import turned
from bottomup.video.av_reading import AvSource, has_av
from bottomup.video.cv_reading import Animation, CvSource, is_animation

__all__ = ["Picture", "Reader", "is_url"]

_LIVE = ("rtsp", "rtsps", "rtmp", "rtp", "srt", "udp", "tcp")
_LISTS = (b"ffconcat", b"#EXTM3U", b"#FFCONCAT")  # playlists, which would open files that somebody else chose
_FASTEST = 240  # frames per second; a file that claims more does not know
_USUAL = 30.0


class Picture(NamedTuple):
    """One frame of a video."""

    number: int  #: from 0
    time: float  #: seconds from the start
    image: NDArray[np.uint8]  #: (height, width, 3), BGR, upright


class Reader:
    """The frames of a video file, a camera or a stream, once and in order.

    PyAV reads files and streams, with exact times, if it is installed: `pip
    install 'bottomup[video]'`. OpenCV reads cameras, and everything if PyAV is
    missing. Animated WebP files work too. The constructor reads the first
    frame, so a source without frames raises an error there. Frames are turned
    upright as the file says.

    A file gives every frame. A camera or a live stream (rtsp, rtmp, rtp, srt,
    udp, tcp, or http without a length) gives its newest frame whenever you ask
    for one, with the time of the clock, and skips those that came in between,
    so poses never lag behind.

    Close the reader, or use it in a `with` statement.

    Parameters
    ----------
    source : str, Path or int
        A file, the number of a camera, from 0, or a URL that FFmpeg takes:
        rtsp://..., http://...
    rotate : {0, 90, 180, 270}
        Degrees to rotate frames clockwise, after they are turned upright.
    mirror : bool
        Whether to mirror frames, left to right, after that, as webcams show people.

    Attributes
    ----------
    source : str or int
        The path, number or URL, without the URL's user and password.
    name : str
        The source as messages name it.
    size : ImageSize
        Of the first frame.
    fps : float
        Frames per second, as the file or camera reports it; 30 if it does not.
    num_frames : int or None
        Number of frames that the file reports, which may be an estimate;
        None if it reports none.
    num_read : int
        Frames read so far.
    start : float
        Time of the first frame in the file's own time, in seconds; `Picture.time` counts from there.
    is_live : bool
        Whether it is a camera or a live stream.

    Raises
    ------
    InputError
        If the file or camera cannot be opened, or has no frames.

    Examples
    --------
    >>> with Reader("street.mp4") as reader:  # doctest: +SKIP
    ...     pictures = list(reader)
    """

    def __init__(self, source: str | Path | int, *, rotate: int = 0, mirror: bool = False) -> None:
        turned(np.zeros((1, 1, 3), np.uint8), rotate)  # raises unless it is a number of quarter turns
        self._rotate, self._mirror = rotate, mirror
        self.source = source if isinstance(source, int) else re.sub(r"//[^/@]*@", "//", str(source))
        self.name = f"camera {source}" if isinstance(source, int) else f"video {self.source!r}"
        self._lock = threading.Lock()  # a file must not be closed while another thread reads it
        self._capture = _opened(source, self.name)
        is_stream = str(source).lower().startswith(tuple(f"{it}://" for it in _LIVE))
        self.is_live = isinstance(source, int) or is_stream or self._capture.is_endless
        self._started = time.monotonic()
        self.num_read = 0
        self.start = 0.0
        fps = self._capture.fps
        self.fps = fps if 0 < fps <= _FASTEST else _USUAL
        self._duration = None if self.is_live else self._capture.duration
        self.num_frames = round(self._duration * self.fps) if self._duration else None
        self._time = -1 / self.fps
        first = self._read()
        if first is None:
            self.close()
            raise InputError(f"{self.name} has no frames: {_way_out(source)}")
        self._first: Picture | None = first
        self.size = ImageSize(first.image.shape[1], first.image.shape[0])

    @property
    def ended_early(self) -> bool:
        """Whether far less was read than the file announced: it is damaged, or reading was stopped."""
        if self._duration is None or self.num_frames is None:
            return False
        return self.num_read < 0.9 * self.num_frames and self._time + 1 / self.fps < 0.9 * self._duration

    def __iter__(self) -> Generator[Picture, None, None]:
        return _newest(self._pictures()) if self.is_live else self._pictures()

    def __enter__(self) -> "Reader":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file or camera."""
        with self._lock:
            self._capture.close()

    def _pictures(self) -> Generator[Picture, None, None]:
        """Yield every frame."""
        picture, self._first = self._first, None
        while picture is not None:
            yield picture
            picture = self._read()

    def _read(self) -> Picture | None:
        """Return the next frame; None after the last."""
        with self._lock:
            try:
                read = self._capture.read()
            except InputError as error:
                raise InputError(f"{self.name} cannot be read any further: {error}") from error
        if read is None:
            return None
        image, own = read
        if self._rotate or self._mirror:
            image = turned(image, self._rotate, self._mirror)
        if self.num_read == 0:
            self._started, self.start, moment = time.monotonic(), own or 0.0, 0.0
        else:
            moment = time.monotonic() - self._started if self.is_live else math.nan if own is None else own - self.start
            if not (math.isfinite(moment) and moment > self._time):  # the file has no times, or they run backwards
                moment = self._time + 1 / self.fps
        self._time = moment
        self.num_read += 1
        return Picture(self.num_read - 1, moment, image)


def _newest(pictures: Generator[Picture, None, None]) -> Generator[Picture, None, None]:
    """Yield the newest picture on each request, while a thread reads all of them."""
    waiting: deque[Picture] = deque(maxlen=1)
    changed = threading.Condition()
    is_over = threading.Event()
    failures: list[Exception] = []

    def read() -> None:
        try:
            for picture in pictures:
                with changed:
                    waiting.append(picture)
                    changed.notify()
                if is_over.is_set():
                    return
        except Exception as error:
            failures.append(error)
        finally:
            is_over.set()
            with changed:
                changed.notify()

    thread = threading.Thread(target=read, name="bottomup-camera", daemon=True)
    thread.start()
    try:
        while True:
            with changed:
                changed.wait_for(lambda: waiting or is_over.is_set())
                if not waiting:
                    break
                picture = waiting.pop()
            yield picture
        if failures:
            raise failures[0]
    finally:
        is_over.set()
        thread.join()


def _opened(source: str | Path | int, name: str) -> AvSource | CvSource | Animation:
    """Open a camera, file or stream, or raise an error that says why it cannot be opened."""
    head = b""
    if isinstance(source, int):
        if source < 0:
            raise InputError(f"a camera's number must be 0 or more, got {source}")
    elif not is_url(source):
        head = _head(source, name)
    try:
        if isinstance(source, int):
            return CvSource(source, is_url=False)
        if is_animation(head):
            return Animation(str(source))
        return (AvSource if has_av() else CvSource)(str(source), is_url(source))
    except InputError as error:
        raise InputError(
            f"{name} cannot be opened: {str(error) if 'pip' in str(error) else _way_out(source)}"
        ) from error


def _head(path: str | Path, name: str) -> bytes:
    """Return the first bytes of a file that may be a video."""
    if os.path.isdir(path):
        raise InputError(f"{name} is a folder: name a file in it")
    try:
        with open(path, "rb") as file:
            head = file.read(64)
    except (OSError, ValueError) as error:
        is_number = str(path).isdecimal()
        hint = f"; for camera {path} pass the number {path}, not a string" if is_number else ""
        raise InputError(f"{name} cannot be opened: {reason(error)}{hint}") from error
    if not head:
        raise InputError(f"{name} is empty")
    if head.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(_LISTS):
        raise InputError(f"{name} is a playlist: name the video itself")
    return head


def _way_out(source: str | Path | int) -> str:
    if isinstance(source, int):
        return "check that it is connected, not in use by another program, and that you have permission to use it"
    if is_url(source):
        return "check that the address is correct and reachable"
    return "it is damaged, truncated, or not a video that we can read"


def is_url(source: str | Path) -> bool:
    """Return whether a source is a URL."""
    return "://" in str(source)
