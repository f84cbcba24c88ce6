"""`bottomup predict`: images and videos to poses."""

import argparse
import contextlib
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import bottomup
from bottomup.cli.console import Progress, complain, quiet_opencv, say, write, write_json
from bottomup.cli.loading import load_estimator
from bottomup.cli.masks import check_mask_options, find_people, tint, write_masks
from bottomup.cli.outputs import Outputs, draw, open_lines
from bottomup.cli.sources import find_sources
from bottomup.cli.video import Interrupted, predict_video
from bottomup.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from bottomup.estimation.estimator import PoseEstimator


DEMO = Path(bottomup.__file__).parent / "demo.jpg"  # what predict shows its skill on unless given something better
_FAILED = 2


def predict_sources(asked: argparse.Namespace) -> int:
    """Find the people in images and videos: pictures into a folder, poses into JSON."""
    if not asked.sources and not DEMO.is_file():
        raise InputError("the demo scene is missing from this installation: name an image, bottomup predict PHOTO.jpg")
    quiet_opencv()
    sources = find_sources(asked.sources or [str(DEMO)])
    if not sources.images and not sources.videos:
        raise InputError("; ".join(sources.complaints))
    if (asked.track or asked.smooth) and not sources.videos:
        raise InputError("--track and --smooth follow people from frame to frame: name a video")
    check_mask_options(asked)
    outputs = Outputs(asked, sources)
    is_tracking = asked.track or asked.smooth  # a tracker looks at weaker poses too
    estimator = load_estimator(asked, min_score=0.0 if is_tracking else asked.min_score)
    outputs.make_folders()
    for complaint in sources.complaints:
        complain(complaint)
    failures = len(sources.complaints)
    with contextlib.ExitStack() as stack:
        lines = stack.enter_context(open_lines(outputs.lines_path)) if outputs.lines_path else None
        if sources.images:
            failures += _predict_images(estimator, sources.images, outputs, lines, asked)
        for source in sources.videos:
            try:
                failures += not predict_video(estimator, source, outputs, lines, asked)
            except Interrupted as interruption:
                return interruption.status
    return _FAILED if failures else 0


def _predict_images(
    estimator: "PoseEstimator", paths: Sequence[str], outputs: Outputs, lines: TextIO | None, asked: argparse.Namespace
) -> int:
    """Find the people in images; return how many could not be read."""
    from bottomup.export import json_line, poses_json, skeleton_json

    images: list[dict[str, Any]] = []
    waiting: deque[tuple[str, NDArray[np.uint8]]] = deque()
    num_images = num_people = 0
    with Progress(len(paths)) as progress:
        for poses, found in find_people(estimator, _read_images(paths, waiting, progress), asked):
            path, pixels = waiting.popleft()
            drawn = outputs.picture(path)
            write(drawn, _encoded(draw(tint(pixels, found, asked), poses), drawn.suffix))
            outputs.write_openpose(poses, drawn)
            height, width = pixels.shape[:2]
            about = {"image": path, "width": width, "height": height, "drawn": str(drawn)}
            about |= write_masks(found, drawn, outputs, asked)
            if lines is not None:
                lines.write(json_line(poses, **about))
            else:
                images.append({**about, "poses": poses_json(poses)})
            num_images += 1
            num_people += len(poses)
            progress.advance()
    if num_images == 0:
        return progress.complaints  # the poses of an earlier run stay
    if lines is None:
        write_json(outputs.json_path, {"skeleton": skeleton_json(estimator.skeleton), "images": images})
    say(f"{num_images} images, {num_people} people: {outputs.json_path}")
    return progress.complaints


def _read_images(
    paths: Sequence[str], waiting: "deque[tuple[str, NDArray[np.uint8]]]", progress: Progress
) -> Iterator["NDArray[np.uint8]"]:
    """Yield the images that can be read, each of which waits with its path, and complain about the others."""
    from bottomup.images import read_image

    for path in paths:
        try:
            pixels = read_image(path)
        except InputError as error:
            progress.complain(error)
            progress.advance()
        else:
            waiting.append((path, pixels))
            yield pixels


def _encoded(image: "NDArray[np.uint8]", suffix: str) -> bytes:
    """Return the image as a file's bytes."""
    from bottomup.images import import_cv2

    _, encoded = import_cv2().imencode(suffix, image)
    return bytes(encoded)
