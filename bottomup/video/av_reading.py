"""Frames of video files and streams, by PyAV: exact times, rotation, any codec of FFmpeg."""

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bottomup.errors import InputError, MissingRuntimeError

__all__ = ["AvSource", "has_av", "import_av"]

_MOST_FRAMES = 10**9  # a file that claims more does not know
_SECONDS = 10.0  # for a server to answer


def import_av() -> Any:
    """Return PyAV."""
    try:
        import av
    except ImportError as error:
        raise MissingRuntimeError(f"PyAV cannot be imported, {error}: pip install 'bottomup[video]'") from error
    return av


def has_av() -> bool:
    """Return whether PyAV is installed."""
    with contextlib.suppress(MissingRuntimeError):
        import_av()
        return True
    return False


class AvSource:
    """A file or stream that is open for reading.

    Attributes
    ----------
    fps : float
        As the source reports it; 0 if it does not.
    duration : float or None
        Seconds, if the source reports it.
    is_endless : bool
        Whether the source is a stream that reports neither a length nor a size.
    """

    def __init__(self, source: str, is_url: bool) -> None:
        self._av = import_av()
        options = (
            {} if is_url else {"protocol_whitelist": "file"}
        )  # a file that refers to others cannot open remote ones
        timeout = (_SECONDS, _SECONDS) if is_url else None
        try:
            self._container: Any = self._av.open(source, options=options, timeout=timeout)
        except (self._av.FFmpegError, UnicodeError, ValueError) as error:
            raise InputError(str(error)) from error
        streams = [it for it in self._container.streams.video if not _is_cover(it)]
        if not streams:
            self.close()
            raise InputError("it has no video stream")
        self._stream = streams[0]
        self._stream.thread_type = "AUTO"
        self.fps = float(self._stream.average_rate or self._stream.guessed_rate or 0)
        own, base = self._stream.duration, self._stream.time_base
        whole = self._container.duration
        self.duration = float(own * base) if own and base else whole / self._av.time_base if whole else None
        if (
            self.fps > 0 and 0 < self._stream.frames < _MOST_FRAMES
        ):  # a truncated file still reports how many frames it had
            self.duration = max(self.duration or 0, self._stream.frames / self.fps)
        self.is_endless = is_url and not self.duration and not self._container.size > 0
        self._frames = self._decoded()

    def read(self) -> tuple[NDArray[np.uint8], float | None] | None:
        """Return the next frame, upright, BGR, and its time in seconds if it has one; None after the last."""
        for frame in self._frames:
            image = frame.to_ndarray(format="bgr24")
            turns = round(getattr(frame, "rotation", 0) / 90) % 4
            upright = np.ascontiguousarray(np.rot90(image, turns)) if turns else image
            return upright, None if frame.time is None else float(frame.time)
        return None

    def _decoded(self) -> Iterator[Any]:
        """Yield frames, skipping damaged ones."""
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets, None)
            except self._av.FFmpegError:  # the file ends here
                return
            if packet is None:
                return
            with contextlib.suppress(self._av.FFmpegError):
                yield from packet.decode()

    def close(self) -> None:
        """Close the file."""
        self._container.close()


def _is_cover(stream: Any) -> bool:
    """Return whether a stream is the cover picture of an audio file."""
    return "attached_pic" in str(getattr(stream, "disposition", "")).lower()
