"""What the sources of a command name: images, videos, cameras, folders of them."""

import glob
import os
from collections.abc import Sequence, Set
from pathlib import Path
from typing import NamedTuple

_VIDEO_SUFFIXES = {
    *(".3gp", ".asf", ".avi", ".flv", ".gif", ".m2ts", ".m4v", ".mjpeg", ".mjpg", ".mkv", ".mov", ".mp4", ".mpeg"),
    *(".mpg", ".mts", ".ogv", ".ts", ".webm", ".wmv"),
}


class Sources(NamedTuple):
    """What was found, each file once."""

    images: list[str]  #: paths
    videos: list[str | int]  #: paths, URLs and numbers of cameras
    complaints: list[str]  #: one about each source that names nothing


def find_sources(names: Sequence[str]) -> Sources:
    """Return the images and videos that are named: files, folders, patterns, URLs, numbers of cameras."""
    from bottomup.images import IMAGE_SUFFIXES

    suffixes = IMAGE_SUFFIXES | _VIDEO_SUFFIXES
    images: dict[str, str] = {}
    videos: dict[str, str | int] = {}
    complaints = []
    for name in names:
        path = os.path.expanduser(name)
        if "://" in name:
            videos.setdefault(name, name)
            continue
        if os.path.isdir(path):
            paths = [os.path.join(path, entry) for entry in os.listdir(path) if not entry.startswith(".")]
            paths = sorted(entry for entry in paths if _has_suffix(entry, suffixes))
            complaint = f"folder {name!r} holds no images and no videos"
        elif os.path.exists(path):
            paths = [path]
        elif name.isdecimal():
            videos.setdefault(name, int(name))
            continue
        else:
            found = glob.glob(path, recursive=True)
            paths = sorted(entry for entry in found if _has_suffix(entry, suffixes))
            complaint = f"no image or video matches {name!r}"
        if not paths:
            complaints.append(complaint)
        for path in paths:
            kind: dict[str, str] | dict[str, str | int] = videos if _is_video(path) else images
            kind.setdefault(os.path.realpath(path), path)
    return Sources(list(images.values()), list(videos.values()), complaints)


def _is_video(path: str) -> bool:
    """Return whether a file is a video by its suffix, or, where that says nothing, no image that OpenCV knows."""
    from bottomup.images import IMAGE_SUFFIXES, import_cv2

    suffix = Path(path).suffix.lower()
    if suffix in IMAGE_SUFFIXES or suffix in _VIDEO_SUFFIXES:
        return suffix in _VIDEO_SUFFIXES
    return not import_cv2().haveImageReader(path)


def _has_suffix(path: str, suffixes: Set[str]) -> bool:
    return Path(path).suffix.lower() in suffixes and os.path.isfile(path)
