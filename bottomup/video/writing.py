"""Video files that grow frame by frame."""

import contextlib
import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bottomup.errors import InputError
from bottomup.files import replacing
from bottomup.images import import_cv2
from bottomup.tensors import as_number
from bottomup.video.av_reading import has_av, import_av
from bottomup.video.av_writing import AvFile
from bottomup.video.cv_writing import CvFile
from bottomup.video.reading import Reader, is_url

__all__ = ["CODECS", "Codec", "Writer"]

Codec: TypeAlias = Literal["h264", "mp4v", "gif"]
CODECS: tuple[Codec, ...] = ("h264", "mp4v", "gif")

_LONGEST_GAP = 60.0  # seconds between frames; a longer gap is treated as a clock that jumped


class Writer:
    """A video file, written frame by frame.

    `close` finishes the file, even after an interruption, and only then replaces an existing one; use the writer in a
    `with` statement. An odd last row or column is cut off, except in a GIF. Frames are resized to the first one's size.

    Parameters
    ----------
    path : str or Path
        The file, usually .mp4, or .gif; an existing one stays until this one is complete.
    fps : float
        Frames per second, such as `Reader.fps`.
    codec : {"h264", "mp4v", "gif"}, optional
        "h264" keeps sound and the exact time of every frame, and plays everywhere, even while it loads. It needs PyAV:
        `pip install 'bottomup[video]'`. "mp4v" is MPEG-4 Part 2 by OpenCV, without sound and at a constant rate; VLC
        plays it, browsers do not. Default: "gif" for a .gif file, else "h264" with PyAV and "mp4v" without; `losses`
        says what is lost.
    sound : Reader, str or Path, optional
        A video to copy the sound from, for as long as frames are written.

    Attributes
    ----------
    losses : str
        What the file lacks because PyAV is missing, in one line; empty if it lacks nothing.

    Raises
    ------
    InputError
        If the file cannot be written: at the first frame, or on `close`. An existing file stays.
    MissingRuntimeError
        If `codec` is "h264" or "gif" and PyAV is not installed.

    Examples
    --------
    >>> with Writer("grey.mp4", fps=25) as writer:  # doctest: +SKIP
    ...     writer.write(np.full((480, 640, 3), 128, np.uint8))
    """

    def __init__(
        self, path: str | Path, *, fps: float, codec: Codec | None = None, sound: Reader | str | Path | None = None
    ) -> None:
        fps = as_number(fps, "fps")
        if not 0 < fps < float("inf"):
            raise InputError(f"fps must be a number above 0, got {fps}")
        if codec is None:
            codec = "gif" if Path(path).suffix.lower() == ".gif" else "h264" if has_av() else "mp4v"
        if codec not in CODECS:
            raise InputError(f"codec must be one of {', '.join(map(repr, CODECS))}, got {codec!r}")
        if codec != "mp4v":
            import_av()
        self.path = Path(path)
        self.fps = fps
        self.codec: Codec = codec
        self.losses = ""
        if codec == "mp4v" and not has_av():
            self.losses = "no sound, no exact times, and browsers do not play it: pip install 'bottomup[video]'"
        self._sound = _sound_of(sound)
        self._size = self._full_size = 0, 0
        self._given: float | None = None
        self._moment = 0.0
        self._file: _File | None = None
        self._stack = contextlib.ExitStack()
        self._worker: ThreadPoolExecutor | None = None

    def __enter__(self) -> "Writer":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def write(self, image: NDArray[np.uint8], time: float | None = None) -> None:
        """Add a frame.

        Parameters
        ----------
        image : (height, width, 3) uint8 array
            BGR pixels.
        time : float, optional
            Seconds from any start, such as `Frame.time`, so that cameras and
            videos with a variable frame rate keep their timing. mp4v repeats a
            frame if the next one is late, and drops frames that come too fast
            for `fps`. Default: 1 / fps after the frame before.
        """
        if self._file is None:
            self._open(image)
        if (image.shape[1], image.shape[0]) != self._full_size:
            image = import_cv2().resize(image, self._full_size)
        if time is not None:
            step = 0.0 if self._given is None else time - self._given
            self._moment += min(max(step, 0), _LONGEST_GAP)
            self._given = time
        moment = None if time is None else self._moment
        pixels = np.ascontiguousarray(image[: self._size[1], : self._size[0]])
        if self._file is not None:
            try:
                self._run(functools.partial(self._file.write, pixels, moment))
            except InputError as error:
                self._give_up(error)

    def _open(self, image: NDArray[np.uint8]) -> None:
        """Open the file for frames of this one's size."""
        height, width = image.shape[:2]
        is_gif = self.codec == "gif"
        self._full_size = width, height
        self._size = (width, height) if is_gif else (width // 2 * 2, height // 2 * 2)
        if 0 in self._size:
            raise InputError(f"a video's frames must have 2 x 2 pixels or more, got {width} x {height}")
        try:
            waiting = self._stack.enter_context(replacing(self.path))
            self._worker = ThreadPoolExecutor(1, "bottomup-writer")
            self._file = self._run(lambda: self._made(waiting))
        except BaseException as error:
            self._give_up(error)

    def _made(self, path: Path) -> "_File":
        if self.codec == "mp4v":
            return CvFile(path, self.fps, self._size)
        return AvFile(path, self.fps, self._size, self.codec, self._sound)

    def close(self) -> None:
        """Finish the file; no file is written if there were no frames."""
        file, self._file = self._file, None
        if file is None:
            return
        try:
            self._run(file.close)
        except KeyboardInterrupt:  # the file is complete nevertheless
            self._end()
            self._stack.close()
            raise
        except BaseException as error:
            self._give_up(error)
        self._end()
        self._stack.close()

    def _run(self, step: Callable[[], Any]) -> Any:
        """Run a step in the writing thread, which Ctrl-C cannot interrupt, and wait until it ends."""
        if self._worker is None:
            raise InputError(f"video {str(self.path)!r} is closed")
        future = self._worker.submit(step)
        try:
            return future.result()
        except KeyboardInterrupt:
            future.exception()  # wait for the step: nothing stays half written
            raise
        except (OSError, InputError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise InputError(f"video {str(self.path)!r} cannot be written: {reason or error}") from error

    def _end(self) -> None:
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.shutdown()

    def _give_up(self, error: BaseException) -> None:
        """Remove the unfinished file, so that an existing one stays, and raise the error."""
        self._file = None
        self._end()
        self._stack.__exit__(type(error), error, error.__traceback__)
        raise error


class _File(Protocol):
    """A file that is open for frames of one size."""

    def write(self, image: NDArray[np.uint8], time: float | None) -> None: ...

    def close(self) -> None: ...


def _sound_of(sound: Reader | str | Path | None) -> tuple[str, float] | None:
    """Return the file to copy sound from and the time at which the video starts in it; None if there is none."""
    if isinstance(sound, Reader):
        is_file = isinstance(sound.source, str) and not sound.is_live and not is_url(sound.source)
        return (str(sound.source), sound.start) if is_file else None
    return None if sound is None else (str(sound), 0.0)
