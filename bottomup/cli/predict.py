"""`bottomup predict`: images and videos to poses."""

import argparse
import contextlib
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import bottomup
from bottomup.cli.console import Progress, complain, patience, quiet_opencv, write_json
from bottomup.cli.drawing import add_drawing_options, draw
from bottomup.cli.loading import add_model_options, load_estimator
from bottomup.cli.masks import add_mask_options, check_mask_options, find_people, tint, write_masks
from bottomup.cli.outputs import Outputs, Table, open_lines, open_table
from bottomup.cli.parsing import MIN_SCORE, add_command, score
from bottomup.cli.sources import find_sources, read_source
from bottomup.cli.video import Interrupted, predict_video
from bottomup.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from bottomup.estimation.estimator import PoseEstimator

DEMO = Path(bottomup.__file__).parent / "demo.jpg"  # what predict shows its skill on unless given something better
_FAILED = 2
_MANY = 20  # images, from which on each has no line of its own


def add_parser(commands: Any) -> None:
    """Add this command."""
    parser = add_command(
        commands,
        "predict",
        help="find people in images and videos",
        description="Find the people in images, videos and camera streams. "
        "Ctrl-C stops after the current frame, and the video so far plays.",
        command=predict_sources,
    )
    parser.add_argument(
        "sources",
        nargs="*",
        metavar="SOURCE",
        help="image, video, folder, quoted glob pattern, camera number, URL of a picture or stream, or - for a picture "
        "from standard input (default: the demo scene that ships with bottomup)",
    )
    parser.add_argument("--recursive", action="store_true", help="also search the folders inside a folder")
    parser.add_argument(
        "--out", metavar="DIR", default="poses", help="folder for the drawn pictures and videos (default: poses)"
    )
    parser.add_argument(
        "--json",
        metavar="FILE",
        help="file for the poses, or - for standard output: one JSON object, or one line per image or frame if there "
        "are videos or FILE ends with .jsonl (default: DIR/poses.json for images, DIR/NAME.jsonl for each video)",
    )
    parser.add_argument("--csv", metavar="FILE", help="also write a table with one line per keypoint")
    parser.add_argument(
        "--openpose", metavar="DIR", help="also write OpenPose's JSON into this folder, one file per image or frame"
    )
    parser.add_argument("--no-pictures", action="store_true", help="write only poses, no pictures or videos")
    parser.add_argument("--show", action="store_true", help="show each picture in a window; press q to quit")
    add_drawing_options(parser)
    parser.add_argument(
        "--rotate",
        type=int,
        choices=[0, 90, 180, 270],
        default=0,
        help="first turn pictures and frames clockwise by this many degrees",
    )
    parser.add_argument("--mirror", action="store_true", help="first mirror pictures and frames, left to right")
    parser.add_argument(
        "--codec",
        choices=["h264", "mp4v", "gif"],
        help="codec of the drawn videos: h264 plays everywhere, keeps the sound, needs pip install 'bottomup[video]'; "
        "mp4v is silent and does not play in browsers (default: h264 if that is installed, else mp4v)",
    )
    parser.add_argument("--track", action="store_true", help="give each person in a video an id that stays the same")
    parser.add_argument("--smooth", action="store_true", help="also steady the keypoints over time; implies --track")
    add_mask_options(parser)
    add_model_options(parser)
    parser.add_argument(
        "--min-score",
        type=score,
        metavar="S",
        default=MIN_SCORE,
        help="leave out poses below this score, and worse duplicates of a person; 0 keeps everything; with --track, "
        f"people who are already known need only half of it (default: {MIN_SCORE})",
    )


def predict_sources(asked: argparse.Namespace) -> int:
    """Find the people in images and videos: pictures into a folder, poses into JSON."""
    if not asked.sources and not DEMO.is_file():
        raise InputError("the demo scene is missing from this installation: name an image, bottomup predict PHOTO.jpg")
    quiet_opencv()
    asked.track = asked.track or asked.smooth or asked.trail
    sources = find_sources(asked.sources or [str(DEMO)], out=asked.out, is_recursive=asked.recursive)
    if not sources.images and not sources.videos:
        raise InputError("; ".join(sources.complaints))
    if asked.track and not sources.videos:
        raise InputError("--track, --smooth and --trail follow people from frame to frame: name a video")
    check_mask_options(asked)
    if asked.show:
        from bottomup.presentation import check_screen

        check_screen()
    outputs = Outputs(asked, sources)
    with patience("loading the model"):
        estimator = load_estimator(asked, min_score=0.0 if asked.track else asked.min_score)
    outputs.make_folders()
    for complaint in sources.complaints:
        complain(complaint)
    failures = len(sources.complaints)
    with contextlib.ExitStack() as stack:
        lines = stack.enter_context(open_lines(outputs.lines_path)) if outputs.lines_path else None
        table = stack.enter_context(open_table(outputs.csv_path))
        try:
            if sources.images:
                failures += _predict_images(estimator, sources.images, outputs, lines, table, asked)
            for source in sources.videos:
                failures += not predict_video(estimator, source, outputs, lines, table, asked)
        except Interrupted as interruption:
            return interruption.status
    return _FAILED if failures else 0


def _predict_images(
    estimator: "PoseEstimator",
    paths: Sequence[str],
    outputs: Outputs,
    lines: TextIO | None,
    table: Table,
    asked: argparse.Namespace,
) -> int:
    """Find the people in images; return how many could not be read. What Ctrl-C leaves finished is written out."""
    from bottomup.export import json_line, poses_json, skeleton_json
    from bottomup.images import write_image
    from bottomup.presentation import count_of

    images: list[dict[str, Any]] = []
    waiting: deque[tuple[str, NDArray[np.uint8]]] = deque()
    num_images = num_people = 0
    interrupt: BaseException | None = None
    with Progress(len(paths)) as progress, contextlib.ExitStack() as patient:
        patient.enter_context(patience("reading the first image, and compiling the decoder if this is its first time"))
        try:
            for poses, found in find_people(estimator, _read_images(paths, waiting, progress, asked), asked):
                patient.close()
                path, pixels = waiting.popleft()
                drawn = outputs.picture(path)
                height, width = pixels.shape[:2]
                about: dict[str, Any] = {"image": path, "width": width, "height": height}
                if outputs.has_pictures or asked.show:
                    picture = draw(tint(pixels, found, asked), poses, asked)
                if outputs.has_pictures:
                    write_image(drawn, picture)
                    about["drawn"] = str(drawn)
                outputs.write_openpose(poses, drawn)
                about |= write_masks(found, drawn, outputs, asked)
                if lines is not None:
                    lines.write(json_line(poses, **about))
                else:
                    images.append({**about, "poses": poses_json(poses)})
                table.add(poses, path)
                num_images += 1
                num_people += len(poses)
                progress.advance()
                if len(paths) <= _MANY:
                    outputs.say(f"{path}: {count_of(len(poses))}" + (f": {drawn}" if outputs.has_pictures else ""))
                if asked.show and _is_quit(picture):
                    break
        except KeyboardInterrupt as error:
            interrupt = error
    if num_images:  # else the poses of an earlier run stay
        if lines is None:
            write_json(outputs.json_path, {"skeleton": skeleton_json(estimator.skeleton), "images": images})
        outputs.say(f"{count_of(num_images, 'image', 'images')}, {count_of(num_people)}: {outputs.json_path}")
    if interrupt is not None:
        raise interrupt
    return progress.complaints


def _read_images(
    paths: Sequence[str],
    waiting: "deque[tuple[str, NDArray[np.uint8]]]",
    progress: Progress,
    asked: argparse.Namespace,
) -> Iterator["NDArray[np.uint8]"]:
    """Yield the images that can be read, each of which waits with its path, and complain about the others."""
    from bottomup.errors import BottomupError
    from bottomup.images import turned

    for path in paths:
        try:
            pixels = turned(read_source(path), asked.rotate, asked.mirror)
        except BottomupError as error:
            progress.complain(error)
            progress.advance()
        else:
            waiting.append((path, pixels))
            yield pixels


def _is_quit(picture: "NDArray[np.uint8]") -> bool:
    """Show a picture until a key is pressed; return whether no more is asked for."""
    from bottomup.presentation import with_window

    return with_window(picture, milliseconds=0)
