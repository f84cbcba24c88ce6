"""`bottomup blur`: people, or faces, made unrecognisable."""

import argparse
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bottomup.cli.console import complain, identity, make_folder, patience, quiet_opencv, say
from bottomup.cli.loading import add_model_options, load_estimator
from bottomup.cli.outputs import free_name
from bottomup.cli.parsing import add_command, score
from bottomup.cli.sources import find_sources, read_source
from bottomup.errors import BottomupError, InputError, ModelError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from bottomup.estimation.estimator import PoseEstimator
    from bottomup.poses import Poses

_FAILED = 2
_LOW = 0.1  # a score: hiding too much does no harm


def add_parser(commands: Any) -> None:
    """Add this command."""
    parser = add_command(
        commands,
        "blur",
        help="hide people or faces in images and videos",
        description="Make people or their faces unrecognisable, using poses, and masks if the model gives them. "
        "Networks miss people, especially small ones: check every picture before you publish it.",
        command=blur_sources,
    )
    parser.add_argument(
        "sources", nargs="+", metavar="SOURCE", help="image, video, folder, quoted glob pattern, or URL"
    )
    parser.add_argument("--faces", action="store_true", help="blur only faces (default: whole people)")
    parser.add_argument("--recursive", action="store_true", help="also search the folders inside a folder")
    parser.add_argument("--out", metavar="DIR", default="blurred", help="folder for the results (default: blurred)")
    add_model_options(parser)
    parser.add_argument(
        "--min-score",
        type=score,
        metavar="S",
        default=_LOW,
        help=f"do not blur poses below this score (default: {_LOW})",
    )


def blur_sources(asked: argparse.Namespace) -> int:
    """Write every image and video again, with its people hidden."""
    from bottomup.presentation import count_of

    quiet_opencv()
    sources = find_sources(asked.sources, out=asked.out, is_recursive=asked.recursive)
    if not sources.images and not sources.videos:
        raise InputError("; ".join(sources.complaints))
    with patience("loading the model"):
        estimator = load_estimator(asked, min_score=asked.min_score)
    out = Path(asked.out)
    make_folder(out)
    taken = {identity(path) for path in (*sources.images, *sources.videos) if isinstance(path, str)}
    for complaint in sources.complaints:
        complain(complaint)
    failures = len(sources.complaints)
    hide = _hider(estimator, asked)
    for source in (*sources.images, *sources.videos):
        path = _free(out, source, source in sources.videos, taken)
        try:
            count = (_blur_video if source in sources.videos else _blur_image)(source, path, hide)
        except BottomupError as error:
            complain(error)
            failures += 1
        else:
            say(f"{source}: {count_of(count)} hidden: {path}")
    return _FAILED if failures else 0


def _hider(
    estimator: "PoseEstimator", asked: argparse.Namespace
) -> "Callable[[NDArray[np.uint8]], tuple[NDArray[np.uint8], Poses]]":
    """Return what hides the people in an image: with masks where the model gives them."""
    from bottomup.draw import blur_people

    has_masks = not asked.faces

    def hide(image: "NDArray[np.uint8]") -> "tuple[NDArray[np.uint8], Poses]":
        nonlocal has_masks
        masks = None
        if has_masks:
            try:
                found = estimator.masks(image, min_score=asked.min_score)
                poses, masks = found.poses, found.people
            except ModelError:
                has_masks = False
        if not has_masks:
            poses = estimator(image)
        return blur_people(image, poses, what="faces" if asked.faces else "people", masks=masks), poses

    return hide


def _blur_image(source: Any, path: Path, hide: Any) -> int:
    """Hide the people in an image; return how many."""
    from bottomup.images import write_image

    hidden, poses = hide(read_source(source))
    write_image(path, hidden)
    return len(poses)


def _blur_video(source: Any, path: Path, hide: Any) -> int:
    """Hide the people in a video; return the most in a frame."""
    from bottomup.video import Reader, Writer

    most = 0
    with Reader(source) as reader, Writer(path, fps=reader.fps, sound=reader) as writer:
        with contextlib.closing(iter(reader)) as pictures:
            for picture in pictures:
                hidden, poses = hide(picture.image)
                writer.write(hidden, picture.time)
                most = max(most, len(poses))
        losses = writer.losses
    if losses:
        complain(f"{path}: {losses}")
    return most


def _free(out: Path, source: Any, is_video: bool, taken: set[str]) -> Path:
    """Return a name for a result that is no source's, nor another result's."""
    from bottomup.images import IMAGE_SUFFIXES

    name = Path(str(source).split("?")[0].rstrip("/") if "://" in str(source) else str(source))
    suffix = ".mp4" if is_video else name.suffix if name.suffix.lower() in IMAGE_SUFFIXES else ".jpg"
    stem = "standard-input" if source == "-" else f"camera-{source}" if isinstance(source, int) else name.stem
    return free_name(out, stem, suffix, taken)
