"""Video files by PyAV: H.264 with sound, and GIF."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bottomup.errors import InputError
from bottomup.video.av_reading import import_av

__all__ = ["AvFile"]

_TICKS = 90_000  # per second, the usual time base of MPEG
_GIF_TICKS = 100  # per second, as in GIF
_LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}  # by number of channels, for files that do not name a layout
_AAC_SAMPLES = 1024  # per frame
_COPIED = ("aac", "mp3", "ac3", "eac3", "alac", "opus", "flac")  # codecs that MP4 can hold


class AvFile:
    """A file that is open for frames of one size, each with its own time.

    After the first failure we pass nothing more to FFmpeg, because that would crash the process.
    """

    def __init__(
        self, path: Path, fps: float, size: tuple[int, int], kind: str, sound: tuple[str, float] | None
    ) -> None:
        self._av, self._fps = import_av(), fps
        self._is_gif = kind == "gif"
        self._ticks = _GIF_TICKS if self._is_gif else _TICKS
        self._last, self._has_failed = -1, False
        self._sound: _Sound | None = None
        options = {"loop": "0"} if self._is_gif else {"movflags": "+faststart"}
        try:
            self._container = self._av.open(str(path), "w", options=options)
            codec = "gif" if self._is_gif else "libx264"
            self._stream = self._container.add_stream(codec, rate=Fraction(fps).limit_denominator(1001))
            self._stream.width, self._stream.height = size
            self._stream.pix_fmt = "pal8" if self._is_gif else "yuv420p"
            if not self._is_gif:
                self._stream.options = {"preset": "veryfast", "crf": "20"}
            self._stream.time_base = self._stream.codec_context.time_base = Fraction(1, self._ticks)
            if sound is not None and not self._is_gif:
                self._sound = _Sound(self._av, self._container, *sound)
        except (self._av.FFmpegError, ValueError) as error:
            raise InputError(
                f"PyAV cannot write this kind of file, {error}: name a file that ends with .mp4"
            ) from error
        self._graph = _palettes(self._av, size) if self._is_gif else None

    def write(self, image: NDArray[np.uint8], time: float | None) -> None:
        """Add a frame at `time` seconds; None puts it one frame after the last."""
        ticks = self._last + self._ticks / self._fps if time is None else time * self._ticks
        frame = self._av.VideoFrame.from_ndarray(image, format="bgr24")
        self._last = frame.pts = max(round(ticks), self._last + (2 if self._is_gif and self._last >= 0 else 1), 0)
        frame.time_base = Fraction(1, self._ticks)
        if self._graph is not None:
            self._graph.push(frame)
            frame = self._graph.pull()
        self._mux(frame)
        if self._sound is not None:
            self._guarded(self._sound.until, self._last / self._ticks)

    def close(self) -> None:
        """Finish the file, unless an earlier write failed."""
        try:
            if not self._has_failed and self._last >= 0:
                if self._sound is not None:
                    self._guarded(self._sound.until, self._last / self._ticks + 1 / self._fps)
                    self._guarded(self._sound.end)
                self._mux(None)
        finally:
            if self._sound is not None:
                self._sound.close()
            try:
                self._container.close()
            except self._av.FFmpegError as error:
                if not self._has_failed:
                    raise OSError(error.errno, error.strerror) from error

    def _mux(self, frame: Any) -> None:
        self._guarded(lambda: self._container.mux(self._stream.encode(frame)))

    def _guarded(self, step: Any, *arguments: Any) -> None:
        try:
            step(*arguments)
        except self._av.FFmpegError as error:
            self._has_failed = True
            raise OSError(error.errno, error.strerror or str(error)) from error


class _Sound:
    """The sound of another file, added as frames are written: copied if MP4 can hold it, else converted to AAC."""

    def __init__(self, av: Any, output: Any, path: str, start: float) -> None:
        self._av, self._output, self._start = av, output, start
        self._waiting: Any = None
        self._packets: Any = iter(())
        self._input = av.open(path, options={} if "://" in path else {"protocol_whitelist": "file"})
        streams = self._input.streams.audio
        if not streams:
            return
        self._is_copied = streams[0].codec_context.name.removesuffix("float") in _COPIED
        if self._is_copied:
            self._stream = output.add_stream_from_template(streams[0])
        else:
            self._stream = output.add_stream("aac", rate=streams[0].codec_context.sample_rate)
            self._stream.layout = _LAYOUTS.get(streams[0].codec_context.channels, "stereo")
            self._resampler = av.AudioResampler("fltp", self._stream.layout, self._stream.rate, _AAC_SAMPLES)
        self._packets = self._input.demux(streams[0])

    def until(self, seconds: float) -> None:
        """Add the sound up to that time of the video."""
        while True:
            packet = self._waiting or next(self._packets, None)
            self._waiting = None
            if packet is None:
                return
            if packet.pts is None:  # the packet that ends the stream
                continue
            moment = float(packet.pts * packet.time_base) - self._start
            if moment > seconds:
                self._waiting = packet
                return
            if moment >= 0:
                self._add(packet)

    def _add(self, packet: Any) -> None:
        shift = round(self._start / packet.time_base)
        if self._is_copied:
            packet.pts -= shift
            packet.dts = packet.pts if packet.dts is None else packet.dts - shift
            packet.stream = self._stream
            self._output.mux(packet)
            return
        try:
            frames = packet.decode()
        except self._av.FFmpegError:  # damaged sound becomes silence
            return
        for frame in frames:
            if frame.pts is not None:
                frame.pts -= round(self._start / frame.time_base)
            for part in self._resampler.resample(frame):
                self._output.mux(self._stream.encode(part))

    def end(self) -> None:
        """Flush the encoder."""
        if self._input.streams.audio and not self._is_copied:
            for part in self._resampler.resample(None):
                self._output.mux(self._stream.encode(part))
            self._output.mux(self._stream.encode(None))

    def close(self) -> None:
        """Close the other file."""
        self._input.close()


def _palettes(av: Any, size: tuple[int, int]) -> Any:
    """Return the filters that choose 256 colours for each frame of a GIF."""
    graph = av.filter.Graph()
    source = graph.add_buffer(width=size[0], height=size[1], format="bgr24", time_base=Fraction(1, _GIF_TICKS))
    split, colours = graph.add("split"), graph.add("palettegen", "stats_mode=single")
    used, sink = graph.add("paletteuse", "new=1"), graph.add("buffersink")
    source.link_to(split)
    split.link_to(colours, 0, 0)
    split.link_to(used, 1, 0)
    colours.link_to(used, 0, 1)
    used.link_to(sink)
    graph.configure()
    return graph
