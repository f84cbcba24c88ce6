"""Where pictures, videos and poses go."""

import argparse
import contextlib
import itertools
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from bottomup.cli.console import identity, make_folder, write
from bottomup.cli.sources import Sources
from bottomup.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from bottomup.poses import Poses


class Outputs:
    """The files that a run writes: none of them is a source, or any other's.

    Attributes
    ----------
    json_path : Path
        The poses of images, or of everything where `--json` was given.
    lines_path : Path or None
        `json_path` where that holds JSON lines of everything: there are
        videos, or it is named .jsonl.
    """

    def __init__(self, asked: argparse.Namespace, sources: Sources) -> None:
        self._folder = Path(asked.out)
        self._openpose = Path(asked.openpose) if asked.openpose else None
        self.json_path = Path(asked.json) if asked.json else self._folder / "poses.json"
        in_lines = asked.json and (sources.videos or self.json_path.suffix.lower() == ".jsonl")
        self.lines_path = self.json_path if in_lines else None
        self._occupied = {identity(path) for path in (*sources.images, *sources.videos) if isinstance(path, str)}
        if identity(self.json_path) in self._occupied:
            raise InputError(f"--json {self.json_path} is one of the sources: name another file")
        self._occupied.add(identity(self.json_path))

    def make_folders(self) -> None:
        """Make the folders that are written into, if they are not there."""
        for folder in (self._folder, self._openpose):
            if folder is not None:
                make_folder(folder)
        if not self.json_path.parent.is_dir():
            raise InputError(f"{str(self.json_path)!r} cannot be written: make its folder first")

    def picture(self, path: str) -> Path:
        """Return a path for an image's drawn picture."""
        from bottomup.images import IMAGE_SUFFIXES

        stem, suffix = os.path.splitext(os.path.basename(path))
        suffix = suffix if suffix.lower() in IMAGE_SUFFIXES else ".jpg"
        return self.free_name(self._folder, stem, suffix)

    def video(self, source: str | int) -> tuple[Path, Path]:
        """Return paths for a video's drawn one, and for its JSON lines."""
        if isinstance(source, int):
            stem = f"camera-{source}"
        else:
            stem = Path(source.split("?")[0].rstrip("/")).stem or "stream"
        drawn = self.free_name(self._folder, stem, ".mp4")
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
        """Return a name in a folder, numbered where it is occupied, and occupy it."""
        names = itertools.chain([stem + ending], (f"{stem}-{number}{ending}" for number in itertools.count(2)))
        path = next(folder / name for name in names if identity(folder / name) not in self._occupied)
        self._occupied.add(identity(path))
        return path


def draw(image: "NDArray[np.uint8]", poses: "Poses") -> "NDArray[np.uint8]":
    """Return what the pictures and videos show of an image."""
    from bottomup.draw import draw_poses

    drawn: NDArray[np.uint8] = draw_poses(image, poses, min_score=0)
    return drawn


@contextlib.contextmanager
def open_lines(path: Path) -> Iterator[TextIO]:
    """Open a file of lines, each of which is on the disk as soon as it ends."""
    try:
        file = path.open("w", encoding="utf-8", newline="\n", buffering=1)
    except OSError as error:
        raise InputError(f"{str(path)!r} cannot be written: {error.strerror or error}") from error
    with file:
        yield file
