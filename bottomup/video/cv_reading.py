"""Frames of cameras, video files and streams, by OpenCV."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bottomup.errors import InputError
from bottomup.images import import_cv2, quiet

__all__ = ["Animation", "CvSource", "is_animation"]

_MOST_FRAMES = 10**9  # a file that claims more does not know


class CvSource:
    """A camera, file or stream that is open for reading; attributes as in `AvSource`."""

    def __init__(self, source: str | int, is_url: bool) -> None:
        cv2 = import_cv2()
        try:
            with quiet(cv2):
                self._capture: Any = cv2.VideoCapture(source)
        except cv2.error as error:
            raise InputError(error.err) from error
        if not self._capture.isOpened():
            raise InputError("")
        self._capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 1)  # off by default in OpenCV 4
        self.fps = float(self._capture.get(cv2.CAP_PROP_FPS))
        claimed = float(self._capture.get(cv2.CAP_PROP_FRAME_COUNT))
        knows = 0 < claimed < _MOST_FRAMES and self.fps > 0
        self.duration = claimed / self.fps if knows else None
        self.is_endless = is_url and not knows

    def read(self) -> tuple[NDArray[np.uint8], float | None] | None:
        """Return the next frame, upright, BGR, and the time that OpenCV reports; None after the last."""
        cv2 = import_cv2()
        try:
            is_there, image = self._capture.read()
            milliseconds = self._capture.get(cv2.CAP_PROP_POS_MSEC)
        except cv2.error as error:
            raise InputError(error.err) from error
        if not is_there or image is None or image.size == 0:
            return None
        return image, milliseconds / 1000

    def close(self) -> None:
        """Close the camera or file."""
        self._capture.release()


class Animation:
    """An animated WebP or PNG, decoded all at once; attributes as in `AvSource`."""

    is_endless = False

    def __init__(self, path: str) -> None:
        cv2 = import_cv2()
        if not hasattr(cv2, "imreadanimation"):
            raise InputError("animated pictures need OpenCV 4.11 or newer: pip install -U opencv-python")
        with quiet(cv2):
            is_read, animation = cv2.imreadanimation(path)
        if not is_read or len(animation.frames) == 0:
            raise InputError("")
        self._frames = [np.ascontiguousarray(frame[..., :3]) for frame in animation.frames]
        seconds = [max(int(duration), 10) / 1000 for duration in np.ravel(animation.durations)]
        self._times = np.concatenate([[0.0], np.cumsum(seconds)])[: len(self._frames)]
        self.duration = float(sum(seconds))
        self.fps = len(self._frames) / self.duration
        self._next = 0

    def read(self) -> tuple[NDArray[np.uint8], float | None] | None:
        """Return the next frame and its time; None after the last."""
        if self._next == len(self._frames):
            return None
        self._next += 1
        return self._frames[self._next - 1], float(self._times[self._next - 1])

    def close(self) -> None:
        """Free the frames."""
        self._frames = []
        self._next = 0


def is_animation(head: bytes) -> bool:
    """Return whether a file that begins with these bytes is an animated WebP."""
    return head[:4] == b"RIFF" and head[8:16] == b"WEBPVP8X" and bool(head[20] & 2)
