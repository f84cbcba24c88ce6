"""Video files that grow frame by frame."""

import math
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from bottomup.errors import InputError, MissingRuntimeError
from bottomup.images import import_cv2
from bottomup.tensors import as_number

_LONGEST_GAP = 60.0  # seconds that one frame may stand; more is taken for a clock that jumped
_SLOWEST, _EVEN = 1.0, 10.0  # frames per second: below the one, mp4v repeats frames to come to the other
_TICKS = 90_000  # a second, the usual time base of MPEG


class Writer:
    """A video file without sound, written frame by frame.

    However the writing ends, `close` makes what was written a whole file;
    use it in a `with` statement. An odd last row or column is cut off, for
    neither codec has it. A frame of another size than the first is resized.

    Parameters
    ----------
    path : str or Path
        The file, .mp4 as a rule; an existing one is replaced at the first frame.
    fps : float
        Frames per second; as `Reader.fps` says it.
    codec : {"mp4v", "h264"}
        "mp4v" is MPEG-4 Part 2 by OpenCV, which VLC and most programs play,
        browsers do not. "h264" plays everywhere, and is smaller; PyAV writes
        it: `pip install 'bottomup[video]'`.

    Raises
    ------
    InputError
        If the file cannot be written, at the first frame or when it is closed.
    MissingRuntimeError
        If PyAV is not installed and H.264 is asked for.

    Examples
    --------
    >>> with Writer("grey.mp4", fps=25) as writer:  # doctest: +SKIP
    ...     writer.write(np.full((480, 640, 3), 128, np.uint8))
    """

    def __init__(self, path: str | Path, *, fps: float, codec: Literal["mp4v", "h264"] = "mp4v") -> None:
        fps = as_number(fps, "fps")
        if not 0 < fps < float("inf"):
            raise InputError(f"fps must be a number above 0, got {fps}")
        if codec not in ("mp4v", "h264"):
            raise InputError(f"codec must be 'mp4v' or 'h264', got {codec!r}")
        if codec == "h264":
            _import_av()
        self.path = Path(path)
        self.fps = fps
        self.codec = codec
        self._size = 0, 0
        self._given: float | None = None
        self._moment = 0.0
        self._file: _File | None = None

    def __enter__(self) -> "Writer":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def write(self, image: NDArray[np.uint8], time: float | None = None) -> None:
        """Add a frame.

        Parameters
        ----------
        image : (height, width, 3) uint8 array
            Its pixels, BGR.
        time : float, optional
            Seconds from any start, as `Frame.time` tells them: so cameras and
            videos of changing frame rate keep their time. mp4v repeats a frame
            where the next comes late. Default: one frame after the other,
            1 / fps apart.
        """
        if self._file is None:
            height, width = image.shape[:2]
            self._size = width // 2 * 2, height // 2 * 2
            if 0 in self._size:
                raise InputError(f"a video's frames must have 2 x 2 pixels or more, got {width} x {height}")
            _check_writable(self.path)
            kind = _H264File if self.codec == "h264" else _Mp4vFile
            self._file = kind(self.path, self.fps, self._size)
            self._full_size = width, height
        if (image.shape[1], image.shape[0]) != self._full_size:
            image = import_cv2().resize(image, self._full_size)
        if time is not None:
            step = 0.0 if self._given is None else time - self._given
            self._moment += min(max(step, 0), _LONGEST_GAP)
            self._given = time
        moment = None if time is None else self._moment
        self._file.write(np.ascontiguousarray(image[: self._size[1], : self._size[0]]), moment)

    def close(self) -> None:
        """End the file; without a frame there is none."""
        file, self._file = self._file, None
        if file is not None:
            file.close()


class _File(Protocol):
    """A file that is open for frames of one size."""

    def write(self, image: NDArray[np.uint8], time: float | None) -> None: ...

    def close(self) -> None: ...


class _Mp4vFile:
    """MPEG-4 Part 2 by OpenCV, whose frames are all equally long."""

    def __init__(self, path: Path, fps: float, size: tuple[int, int]) -> None:
        cv2 = import_cv2()
        if fps < _SLOWEST:
            fps *= math.ceil(_EVEN / fps)
        self._path, self._fps = path, round(fps, 3 if fps < 65 else 2)  # finer ones are beyond MPEG-4's time base
        self._written = 0
        self._last: NDArray[np.uint8] | None = None
        self._writer: Any = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), self._fps, size)
        if not self._writer.isOpened():
            raise InputError(f"OpenCV cannot write the video {str(path)!r}: name a file that ends with .mp4")

    def write(self, image: NDArray[np.uint8], time: float | None) -> None:
        """Add a frame, after the one before it was repeated until now."""
        if time is not None and self._last is not None:
            for _ in range(round(time * self._fps) - self._written):
                self._add(self._last)
        self._add(image)
        self._last = image

    def _add(self, image: NDArray[np.uint8]) -> None:
        self._writer.write(image)
        self._written += 1

    def close(self) -> None:
        """End the file, and see whether it can be read: OpenCV does not tell when the disk is full."""
        self._writer.release()
        capture = import_cv2().VideoCapture(str(self._path))
        is_whole = capture.isOpened()
        capture.release()
        if not is_whole:
            raise InputError(f"video {str(self._path)!r} could not be written to its end: is the disk full?")


class _H264File:
    """H.264 by PyAV, every frame at its time."""

    def __init__(self, path: Path, fps: float, size: tuple[int, int]) -> None:
        self._av, self._path, self._fps = _import_av(), path, fps
        self._last = -1
        try:
            self._container = self._av.open(str(path), "w")
            self._stream = self._container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1001))
        except (self._av.FFmpegError, ValueError) as error:
            raise InputError(f"PyAV cannot write the video {str(path)!r}: {error}") from error
        self._stream.width, self._stream.height = size
        self._stream.pix_fmt = "yuv420p"
        self._stream.options = {"preset": "veryfast", "crf": "20"}
        self._stream.time_base = self._stream.codec_context.time_base = Fraction(1, _TICKS)

    def write(self, image: NDArray[np.uint8], time: float | None) -> None:
        """Add a frame."""
        frame = self._av.VideoFrame.from_ndarray(image, format="bgr24")
        ticks = self._last + _TICKS / self._fps if time is None else time * _TICKS
        self._last = frame.pts = max(round(ticks), self._last + 1)
        frame.time_base = Fraction(1, _TICKS)
        self._mux(frame)

    def close(self) -> None:
        """End the file."""
        try:
            self._mux(None)
        finally:
            self._end()

    def _mux(self, frame: Any) -> None:
        try:
            self._container.mux(self._stream.encode(frame))
        except self._av.FFmpegError as error:
            raise InputError(f"video {str(self._path)!r} cannot be written: {error.strerror or error}") from error

    def _end(self) -> None:
        try:
            self._container.close()
        except self._av.FFmpegError as error:
            raise InputError(f"video {str(self._path)!r} cannot be written: {error.strerror or error}") from error


def _check_writable(path: Path) -> None:
    """Refuse a file that cannot be opened for writing."""
    try:
        path.open("wb").close()
    except OSError as error:
        raise InputError(f"video {str(path)!r} cannot be written: {error.strerror or error}") from error


def _import_av() -> Any:
    """Return PyAV."""
    try:
        import av
    except ImportError as error:
        raise MissingRuntimeError(
            f"PyAV, which writes H.264, cannot be imported, {error}: pip install 'bottomup[video]'"
        ) from error
    return av
