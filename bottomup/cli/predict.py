"""`bottomup predict`: images to poses."""

import argparse
import glob
import itertools
import os
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bottomup
from bottomup.cli.console import Progress, identity, make_folder, say, write, write_json
from bottomup.cli.loading import load_estimator
from bottomup.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


DEMO = Path(bottomup.__file__).parent / "demo.jpg"  # what predict shows its skill on unless given something better
_IMAGE_SUFFIXES = {".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}  # which OpenCV reads and writes
_FAILED = 2


def predict_images(asked: argparse.Namespace) -> int:
    """Find the people in images: pictures into a folder, poses into one JSON file."""
    if not asked.sources and not DEMO.is_file():
        raise InputError("the demo scene is missing from this installation: name an image, bottomup predict PHOTO.jpg")
    paths, complaints = _find_images(asked.sources or [str(DEMO)])
    if not paths:
        raise InputError("; ".join(complaints))
    out = Path(asked.out)
    json_path = Path(asked.json) if asked.json else out / "poses.json"
    occupied = {identity(path) for path in paths}
    if identity(json_path) in occupied:
        raise InputError(f"--json {json_path} is one of the images: name another file")
    occupied.add(identity(json_path))

    from bottomup.draw import draw_poses
    from bottomup.export import poses_json, skeleton_json

    estimator = load_estimator(asked)
    make_folder(out)
    images: list[dict[str, Any]] = []
    waiting: deque[tuple[str, NDArray[np.uint8]]] = deque()
    with Progress(len(paths)) as progress:
        for complaint in complaints:
            progress.complain(complaint)
        for poses in estimator.batch(_read_images(paths, waiting, progress)):
            path, pixels = waiting.popleft()
            poses = poses[poses.scores >= asked.min_score]
            drawn = _free_name(out, path, occupied)
            write(drawn, _encoded(draw_poses(pixels, poses, score_threshold=0), drawn.suffix))
            height, width = pixels.shape[:2]
            found = {"image": path, "width": width, "height": height, "drawn": str(drawn), "poses": poses_json(poses)}
            images.append(found)
            progress.advance()
    write_json(json_path, {"skeleton": skeleton_json(estimator.skeleton), "images": images})
    say(f"{len(images)} images, {sum(len(image['poses']) for image in images)} people: {json_path}")
    return _FAILED if progress.complaints else 0


def _read_images(
    paths: Sequence[str], waiting: "deque[tuple[str, NDArray[np.uint8]]]", progress: Progress
) -> Iterator["NDArray[np.uint8]"]:
    """Yield the images that can be read, each of which waits with its path, and complain about the others."""
    from bottomup.opencv import read_image

    for path in paths:
        try:
            pixels = read_image(path)
        except InputError as error:
            progress.complain(error)
            progress.advance()
        else:
            waiting.append((path, pixels))
            yield pixels


def _find_images(sources: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the images that the sources name, each once, and a complaint about each source that names none."""
    found: dict[str, str] = {}
    complaints = []
    for source in sources:
        name = os.path.expanduser(source)
        if os.path.isdir(name):
            paths = [os.path.join(name, entry) for entry in os.listdir(name) if not entry.startswith(".")]
            paths = sorted(path for path in paths if _is_image(path))
            complaint = f"folder {source!r} holds no images"
        else:
            paths = [name] if os.path.exists(name) else sorted(filter(_is_image, glob.glob(name, recursive=True)))
            complaint = f"no image matches {source!r}"
        if not paths:
            complaints.append(complaint)
        for path in paths:
            found.setdefault(os.path.realpath(path), path)
    return list(found.values()), complaints


def _is_image(path: str) -> bool:
    return Path(path).suffix.lower() in _IMAGE_SUFFIXES and os.path.isfile(path)


def _free_name(folder: Path, source: str, occupied: set[str]) -> Path:
    """Return the source's name in the folder, numbered where it is occupied, and occupy it."""
    stem, suffix = os.path.splitext(os.path.basename(source))
    if suffix.lower() not in _IMAGE_SUFFIXES:
        suffix = ".jpg"
    names = itertools.chain([stem + suffix], (f"{stem}-{number}{suffix}" for number in itertools.count(2)))
    path = next(folder / name for name in names if identity(folder / name) not in occupied)
    occupied.add(identity(path))
    return path


def _encoded(image: "NDArray[np.uint8]", suffix: str) -> bytes:
    """Return the image as a file's bytes."""
    from bottomup.opencv import import_cv2

    _, encoded = import_cv2().imencode(suffix, image)
    return bytes(encoded)
