"""Where pictures, videos and poses go."""

import argparse
import contextlib
import itertools
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from bottomup.cli.console import identity, make_folder, plain, say, write
from bottomup.cli.sources import Sources
from bottomup.errors import InputError
from bottomup.files import check_writable, reason, replacing

if TYPE_CHECKING:
    from bottomup.poses import Poses


class Outputs:
    """The files that a run writes: none of them is a source, or any other's.

    Attributes
    ----------
    json_path : Path
        The poses of images, or of everything where `--json` was given; "-" for standard output.
    has_pictures : bool
        Whether pictures and videos are drawn.
    lines_path : Path or None
        `json_path` where that holds JSON lines of everything: there are
        videos, or it is named .jsonl.
    """

    def __init__(self, asked: argparse.Namespace, sources: Sources) -> None:
        self._folder = Path(asked.out)
        self._is_gif = asked.codec == "gif"
        self._openpose = Path(asked.openpose) if asked.openpose else None
        self.json_path = Path(asked.json) if asked.json else self._folder / "poses.json"
        self.has_pictures = not asked.no_pictures
        self.csv_path = Path(asked.csv) if asked.csv else None
        in_lines = asked.json and (sources.videos or self.json_path.suffix.lower() == ".jsonl")
        self.lines_path = self.json_path if in_lines else None
        self._occupied = {
            identity(path) for path in (*sources.images, *sources.videos) if isinstance(path, str) and path != "-"
        }
        if identity(self.json_path) in self._occupied:
            raise InputError(f"--json {self.json_path} is one of the sources: name another file")
        self._occupied.add(identity(self.json_path))
        if self.csv_path is not None:
            if identity(self.csv_path) in self._occupied:
                raise InputError(f"--csv {self.csv_path} is one of the sources, or the --json file: name another file")
            self._occupied.add(identity(self.csv_path))

    def make_folders(self) -> None:
        """Make the folders that are written into, if they are not there."""
        for folder in (self._folder, self._openpose):
            if folder is not None:
                make_folder(folder)
        for path in (self.json_path, self.csv_path):
            if path is None or str(path) == "-":
                continue
            if not path.parent.is_dir():
                raise InputError(f"{str(path)!r} cannot be written: make its folder first")
            check_writable(path)

    def say(self, line: str) -> None:
        """Print a line, on standard error where standard output takes the poses."""
        if str(self.json_path) == "-":
            print(plain(line), file=sys.stderr)
        else:
            say(line)

    def picture(self, path: str) -> Path:
        """Return a path for an image's drawn picture."""
        from bottomup.images import IMAGE_SUFFIXES

        name = path.split("?")[0].rstrip("/") if "://" in path else path
        stem, suffix = os.path.splitext("standard-input" if path == "-" else os.path.basename(name))
        suffix = suffix if suffix.lower() in IMAGE_SUFFIXES else ".jpg"
        return self.free_name(self._folder, stem, suffix)

    def video(self, source: str | int) -> tuple[Path, Path]:
        """Return paths for a video's drawn one, and for its JSON lines."""
        if isinstance(source, int):
            stem = f"camera-{source}"
        else:
            stem = Path(source.split("?")[0].rstrip("/")).stem or "stream"
        drawn = self.free_name(self._folder, stem, ".gif" if self._is_gif else ".mp4")
        return drawn, self.lines_path or self.free_name(self._folder, drawn.stem, ".jsonl")

    def write_openpose(self, poses: "Poses", drawn: Path, frame: int | None = None) -> None:
        """Write the poses of an image or frame as OpenPose does, under its name for them, if that was asked for."""
        from bottomup.export import openpose_json

        if self._openpose is not None:
            ending = "_keypoints.json"
            if frame is None:
                path = self.free_name(self._openpose, drawn.stem, ending)
            else:
                path = self._openpose / f"{drawn.stem}_{frame:012d}{ending}"
            write(path, json.dumps(openpose_json(poses), allow_nan=False).encode())

    def free_name(self, folder: Path, stem: str, ending: str) -> Path:
        """Return a path in a folder that nothing else of this run uses."""
        return free_name(folder, stem, ending, self._occupied)


def free_name(folder: Path, stem: str, ending: str, occupied: set[str]) -> Path:
    """Return a path in a folder whose `identity` is not in `occupied`, numbered if need be, and add it there."""
    names = itertools.chain([stem + ending], (f"{stem}-{number}{ending}" for number in itertools.count(2)))
    path = next(folder / name for name in names if identity(folder / name) not in occupied)
    occupied.add(identity(path))
    return path


@contextlib.contextmanager
def open_lines(path: Path) -> Iterator[TextIO]:
    """Open a file of lines, each of which is on the disk as soon as it ends.

    A new file grows in place. An earlier one stays until the new one is whole, or Ctrl-C ends it.
    """
    if str(path) == "-":
        yield sys.stdout
        return
    interrupt: BaseException | None = None
    with contextlib.ExitStack() as stack:
        waiting = stack.enter_context(replacing(path)) if path.exists() else path
        try:
            file = stack.enter_context(waiting.open("w", encoding="utf-8", newline="\n", buffering=1))
        except (OSError, ValueError) as error:
            raise InputError(f"{str(path)!r} cannot be written: {reason(error)}") from error
        try:
            yield file
        except KeyboardInterrupt as error:
            interrupt = error
    if interrupt is not None:
        raise interrupt


class Table:
    """The CSV file, a line a keypoint, if one was asked for."""

    def __init__(self, file: TextIO | None) -> None:
        from bottomup.export import csv_header

        self._file = file
        if file is not None:
            file.write(csv_header("source", "frame", "time"))

    def add(self, poses: "Poses", source: str | int, frame: int | None = None, time: float | None = None) -> None:
        """Add the people in an image or frame."""
        from bottomup.export import csv_rows

        if self._file is not None:
            self._file.write(csv_rows(poses, source=source, frame=frame, time=time))


@contextlib.contextmanager
def open_table(path: Path | None) -> Iterator[Table]:
    """Open the CSV file, if one was asked for."""
    if path is None:
        yield Table(None)
        return
    with open_lines(path) as file:
        yield Table(file)
