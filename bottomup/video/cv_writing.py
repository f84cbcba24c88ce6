"""MPEG-4 Part 2 by OpenCV, at a constant frame rate."""

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bottomup.errors import InputError
from bottomup.images import import_cv2

__all__ = ["CvFile"]

_SLOWEST, _EVEN = 1.0, 10.0  # frames per second: below the first, frames are repeated to reach the second
_HEADER = 1 << 14  # bytes, more than OpenCV needs to open a file
_EARLY = 0.25  # of a frame: how early a frame may come and still take its place
_REPEATS, _REPEATS_AT_LEAST = (
    30,
    3000,
)  # limits on written frames per given frame, and in all; a wrong clock would ask for millions


class CvFile:
    """A file that is open for frames of one size.

    A frame stays until the next one. If several frames fall into one place, the last one counts.
    """

    def __init__(self, path: Path, fps: float, size: tuple[int, int]) -> None:
        cv2 = import_cv2()
        if fps < _SLOWEST:
            fps *= math.ceil(_EVEN / fps)
        self._path, self._fps = path, round(fps, 3 if fps < 65 else 2)  # MPEG-4's time base allows no finer rates
        self._given = self._written = 0
        self._waiting: NDArray[np.uint8] | None = None
        self._place = 0  # of the frame that waits
        self._writer: Any = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), self._fps, size)
        if not self._writer.isOpened():
            path.write_bytes(bytes(_HEADER))  # raises if the disk is full
            raise InputError("OpenCV cannot write this kind of file: name a file that ends with .mp4")

    def write(self, image: NDArray[np.uint8], time: float | None) -> None:
        """Add a frame at `time` seconds; None puts it one frame after the last."""
        place = self._place + (self._waiting is not None) if time is None else math.floor(time * self._fps + _EARLY)
        self._given += 1
        if place > self._place:
            self._write_waiting(place)
            self._place = place
        self._waiting = image

    def _write_waiting(self, until: int) -> None:
        """Write the waiting frame once for each place until the next one, within limits."""
        if self._waiting is None:
            return
        room = max(_REPEATS * self._given, _REPEATS_AT_LEAST) - self._written
        for _ in range(max(1, min(until - self._place, room))):
            self._writer.write(self._waiting)
            self._written += 1
        self._waiting = None

    def close(self) -> None:
        """Finish the file and check that it can be read, because OpenCV does not report a full disk."""
        cv2 = import_cv2()
        self._write_waiting(self._place + 1)
        self._writer.release()
        capture = cv2.VideoCapture(str(self._path))
        is_whole = capture.isOpened() and round(capture.get(cv2.CAP_PROP_FRAME_COUNT)) >= self._written
        capture.release()
        if not is_whole:
            raise OSError(None, "it is incomplete: is the disk full?")
