"""`bottomup predict` on a video or a camera."""

import argparse
import contextlib
import signal
import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TextIO

from bottomup.cli.console import Progress, complain
from bottomup.cli.drawing import draw
from bottomup.cli.masks import find_people_in_frames, tint
from bottomup.cli.outputs import Outputs, Table, open_lines
from bottomup.errors import InputError

if TYPE_CHECKING:
    from bottomup.estimation.estimator import PoseEstimator
    from bottomup.tracking import Tracker

_FINISHED, _INTERRUPTED = 0, 130


class Interrupted(Exception):
    """Somebody pressed Ctrl-C, and the files are closed."""

    def __init__(self, status: int) -> None:
        self.status = status


def predict_video(
    estimator: "PoseEstimator",
    source: str | int,
    outputs: Outputs,
    lines: TextIO | None,
    table: Table,
    asked: argparse.Namespace,
) -> bool:
    """Find the people in a video: a drawn video, and one JSON line a frame; return whether it could be read.

    Ctrl-C, or SIGTERM, ends it after the frame at hand, and everything after
    it. For a camera that is the usual end, and a success; a second one ends
    it at once. In either case the video that was written plays.

    Raises
    ------
    Interrupted
        If it was ended so.
    """
    from bottomup.draw import Trails
    from bottomup.export import coco_rle, json_line
    from bottomup.presentation import count_of, with_window
    from bottomup.video import Reader, Writer

    started, num_frames, num_people = time.monotonic(), 0, 0
    was_quit = False
    tracker = _tracker(asked)
    with contextlib.ExitStack() as stack:
        is_over = stack.enter_context(_ended_by_signal())
        try:
            reader = stack.enter_context(Reader(source, rotate=asked.rotate, mirror=asked.mirror))
        except InputError as error:
            complain(error)
            return False
        drawn, json_path = outputs.video(source)
        writer = None
        if outputs.has_pictures:
            writer = stack.enter_context(Writer(drawn, fps=reader.fps, codec=asked.codec, sound=reader))
            if writer.losses:
                complain(f"{drawn}: {writer.losses}")
        trails = Trails() if asked.trail else None
        if lines is None:
            lines = stack.enter_context(open_lines(json_path))
        progress = stack.enter_context(Progress(reader.num_frames, unit="frame"))
        frames = find_people_in_frames(estimator, reader, tracker, asked)
        stack.callback(frames.close)
        for frame, found in frames:
            if trails is not None:
                trails.add(frame.poses, frame.time)
            if writer is not None or asked.show:
                picture = draw(tint(frame.image, found, asked), frame.poses, asked, trails)
            if writer is not None:
                writer.write(picture, frame.time)
            if asked.show and with_window(picture):
                is_over.set()
                was_quit = True
            table.add(frame.poses, reader.source, frame.number, round(frame.time, 6))
            outputs.write_openpose(frame.poses, drawn, frame.number)
            about: dict[str, Any] = {"video": reader.source, "frame": frame.number, "time": round(frame.time, 6)}
            if found is not None:
                about["masks"] = [{"segmentation": coco_rle(mask)} for mask in found.masks]
            lines.write(json_line(frame.poses, **about))
            num_frames += 1
            num_people += len(frame.poses)
            progress.advance()
            if is_over.is_set():
                break
    people = count_of(tracker.num_people) if tracker else f"{num_people / num_frames:.1f} people a frame"
    speed = num_frames / (time.monotonic() - started)
    written = f"{drawn}, {json_path}" if outputs.has_pictures else str(json_path)
    frames_done = count_of(num_frames, "frame", "frames")
    outputs.say(f"{reader.name}: {frames_done}, {speed:.1f} a second, {people}: {written}")
    if is_over.is_set():
        raise Interrupted(_FINISHED if reader.is_live or was_quit else _INTERRUPTED)
    if reader.ended_early:
        complain(f"{reader.name} may be damaged: {num_frames} of {reader.num_frames} frames could be read")
    return not reader.ended_early


def _tracker(asked: argparse.Namespace) -> "Tracker | None":
    """Return the tracker that was asked for."""
    from bottomup.tracking import OneEuro, Tracker

    if not asked.track:
        return None
    return Tracker(start_score=asked.min_score, smoothing=OneEuro() if asked.smooth else None)


@contextlib.contextmanager
def _ended_by_signal() -> Iterator[threading.Event]:
    """Make the first Ctrl-C or SIGTERM an event, so that no frame is left half written."""
    is_over = threading.Event()

    def end(*_: object) -> None:
        if is_over.is_set():
            raise KeyboardInterrupt
        is_over.set()

    if threading.current_thread() is not threading.main_thread():
        yield is_over
        return
    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield is_over
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
