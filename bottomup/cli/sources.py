"""What the sources of a command name: images, videos, cameras, folders of them."""

import glob
import json
import os
import sys
from collections.abc import Iterator, Sequence, Set
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from bottomup.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_VIDEO_SUFFIXES = {
    *(".3gp", ".asf", ".avi", ".flv", ".gif", ".m2ts", ".m4v", ".mjpeg", ".mjpg", ".mkv", ".mov", ".mp4", ".mpeg"),
    *(".mpg", ".mts", ".ogv", ".ts", ".webm", ".wmv"),
}
_STANDARD = "-"
_SECONDS = 20.0  # that a server may take to answer


class Sources(NamedTuple):
    """What was found, each file once."""

    images: list[str]  #: paths, addresses of pictures, "-" for standard input
    videos: list[str | int]  #: paths, URLs and numbers of cameras
    complaints: list[str]  #: one about each source that names nothing


def find_sources(names: Sequence[str], *, out: str | None = None, is_recursive: bool = False) -> Sources:
    """Return the images and videos that are named: files, folders, patterns, URLs, numbers of cameras.

    What an earlier run drew into the folder `out` is no source, unless it is named itself.
    """
    from bottomup.images import HEIF_SUFFIXES, IMAGE_SUFFIXES

    suffixes = IMAGE_SUFFIXES | HEIF_SUFFIXES | _VIDEO_SUFFIXES
    images: dict[str, str] = {}
    videos: dict[str, str | int] = {}
    complaints: list[str] = []
    drawn = _drawn(out)
    for name in names:
        path = os.path.expanduser(name)
        if name == _STANDARD:
            images.setdefault(name, name)
            continue
        if "://" in name:
            _sort_address(name, images, videos, complaints)
            continue
        if "\0" in name:
            complaints.append(f"no file has a name with a NUL: {name!r}")
            continue
        if os.path.isdir(path):
            paths = sorted(entry for entry in _entries(path, is_recursive, out) if _has_suffix(entry, suffixes))
            paths = [entry for entry in paths if os.path.realpath(entry) not in drawn]
            complaint = f"folder {name!r} holds no images and no videos"
            if (
                not paths
                and not is_recursive
                and any(_has_suffix(entry, suffixes) for entry in _entries(path, True, out))
            ):
                complaint += " itself, but its folders do: add --recursive"
        elif os.path.exists(path):
            paths = [path]
        elif name.isdecimal():
            videos.setdefault(name, int(name))
            continue
        else:
            found = glob.glob(path, recursive=True)
            paths = sorted(entry for entry in found if _has_suffix(entry, suffixes))
            paths = [entry for entry in paths if os.path.realpath(entry) not in drawn]
            complaint = f"no image or video matches {name!r}"
        if not paths:
            complaints.append(complaint)
        for path in paths:
            kind: dict[str, str] | dict[str, str | int] = videos if _is_video(path) else images
            kind.setdefault(os.path.realpath(path), path)
    return Sources(list(images.values()), list(videos.values()), complaints)


def read_source(path: str) -> "NDArray[np.uint8]":
    """Return an image: a file's, an address's, or standard input's."""
    from bottomup.images import MAX_BYTES, decode_image, read_image

    if path == _STANDARD:
        return decode_image(sys.stdin.buffer.read(MAX_BYTES + 1), "standard input")
    if "://" not in path:
        return read_image(path)
    with _opened(path) as answer:
        return decode_image(answer.read(MAX_BYTES + 1), path)


def _opened(address: str) -> Any:
    """Return what a web server answers."""
    from urllib.request import Request, urlopen

    if not address.lower().startswith(("http://", "https://")):
        raise InputError(f"image {address!r} cannot be opened: http and https are")
    try:
        return urlopen(Request(address, headers={"User-Agent": "bottomup"}), timeout=_SECONDS)
    except (OSError, ValueError) as error:
        why = getattr(error, "reason", error)
        raise InputError(f"image {address!r} cannot be opened: {why}: is the address right?") from error


def _sort_address(name: str, images: dict[str, str], videos: dict[str, str | int], complaints: list[str]) -> None:
    """Tell a picture on the web from a video or stream."""
    from bottomup.images import HEIF_SUFFIXES, IMAGE_SUFFIXES

    suffix = Path(name.split("?")[0]).suffix.lower()
    is_web = name.lower().startswith(("http://", "https://"))
    is_image = is_web and suffix in IMAGE_SUFFIXES | HEIF_SUFFIXES
    if is_web and not is_image and suffix not in _VIDEO_SUFFIXES:
        try:
            with _opened(name) as answer:
                is_image = answer.headers.get_content_type().startswith("image/")
        except InputError as error:
            complaints.append(str(error).replace("image ", "", 1))
            return
    if is_image:
        images.setdefault(name, name)
    else:
        videos.setdefault(name, name)


def _entries(folder: str, is_recursive: bool, out: str | None) -> Iterator[str]:
    """Yield the files in a folder, hidden ones left out; below it as well, except in `out`, if that is asked for."""
    if not is_recursive:
        yield from (os.path.join(folder, entry) for entry in os.listdir(folder) if not entry.startswith("."))
        return
    spared = None if out is None else os.path.realpath(out)
    for parent, folders, names in os.walk(folder):
        folders[:] = [
            name
            for name in folders
            if not name.startswith(".") and os.path.realpath(os.path.join(parent, name)) != spared
        ]
        yield from (os.path.join(parent, name) for name in names if not name.startswith("."))


def _drawn(out: str | None) -> set[str]:
    """Return the pictures that an earlier run drew into this folder, as its poses.json says."""
    try:
        told = json.loads((Path(out or "") / "poses.json").read_bytes()) if out else {}
        return {os.path.realpath(str(image["drawn"])) for image in told["images"] if image.get("drawn")}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return set()


def _is_video(path: str) -> bool:
    """Return whether a file is a video: by its suffix, or, where that says nothing, by its first bytes."""
    from bottomup.image_headers import kind_of
    from bottomup.images import HEIF_SUFFIXES, IMAGE_SUFFIXES, import_cv2
    from bottomup.video.cv_reading import is_animation

    suffix = Path(path).suffix.lower()
    if suffix in _VIDEO_SUFFIXES:
        return True
    try:
        with open(path, "rb") as file:
            head = file.read(512)
    except OSError:
        return False
    if suffix in IMAGE_SUFFIXES | HEIF_SUFFIXES:
        return is_animation(head)
    kind = kind_of(head)
    return "video" in kind or (not kind and not import_cv2().haveImageReader(path))


def _has_suffix(path: str, suffixes: Set[str]) -> bool:
    return Path(path).suffix.lower() in suffixes and os.path.isfile(path)
