"""`bottomup inspect`: one page that shows how a model arrives at its poses."""

import argparse
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bottomup.cli.console import identity, patience, quiet_opencv, say, write
from bottomup.cli.loading import add_model_options, load_estimator
from bottomup.cli.parsing import MIN_SCORE, add_command
from bottomup.cli.predict import DEMO
from bottomup.errors import InputError
from bottomup.files import check_writable

if TYPE_CHECKING:
    from bottomup.geometry import ImageSize
    from bottomup.poses import Poses


def add_parser(commands: Any) -> None:
    """Add this command."""
    parser = add_command(
        commands,
        "inspect",
        help="write a page that explains the poses in an image",
        description="Write a page that shows, over the photo, how a model arrives at its poses.",
        command=inspect_photo,
    )
    parser.add_argument(
        "photo", nargs="?", metavar="PHOTO", help="image (default: the demo scene that ships with bottomup)"
    )
    parser.add_argument("--out", metavar="FILE.html", help="file for the page (default: PHOTO's name with .html)")
    parser.add_argument("--compare", metavar="NAME", help="a second decoder to show side by side, such as coral")
    parser.add_argument(
        "--annotations",
        metavar="COCO.json",
        help="COCO keypoint annotations that list the photo by its file name: shows the labelled people as well",
    )
    add_model_options(parser)


def inspect_photo(asked: argparse.Namespace) -> int:
    """Write a page about one image."""
    quiet_opencv()
    photo = asked.photo or str(DEMO)
    out = asked.out or f"{Path(photo).stem}.html"
    if identity(out) == identity(photo):
        raise InputError(f"--out {out} is the image: name another file")

    from bottomup.geometry import ImageSize
    from bottomup.images import read_image
    from bottomup.inspection import inspect_image

    pixels = read_image(photo)  # what cannot be read is said before the network is loaded
    check_writable(out)
    labels = None
    if asked.annotations is not None:
        labels = read_labels(asked.annotations, photo, ImageSize(pixels.shape[1], pixels.shape[0]))
    estimator = load_estimator(asked, min_score=MIN_SCORE)
    if asked.compare is not None and asked.compare not in estimator.family.decoders:
        known = ", ".join(estimator.family.decoders)
        raise InputError(f"--compare {asked.compare} cannot decode {estimator.family.title} networks: choose {known}")
    with patience("looking into the photo, and compiling the decoder if this is its first time"):
        page = inspect_image(estimator, photo, compare=asked.compare, labels=labels, command=_command(asked))
    write(out, page.encode())
    say(f"{out}: open it in a browser")
    return 0


def read_labels(annotations: str, photo: str, size: "ImageSize") -> "Poses":
    """Return the people labelled in a photo, which the annotations know by its file name."""
    import numpy as np

    from bottomup.evaluate.documents import read_truth
    from bottomup.evaluate.photos import size_problem
    from bottomup.poses import Poses

    truth, name = read_truth(annotations), Path(photo).name
    numbers = [number for number, image in truth.images.items() if Path(str(image.get("file_name"))).name == name]
    if len(numbers) != 1:
        raise InputError(f"--annotations {annotations} has {len(numbers) or 'no'} images called {name}: one is needed")
    if problem := size_problem(truth.images[numbers[0]], size):
        raise InputError(f"--annotations {annotations}: {problem}")
    people = [each["keypoints"] for each in truth.people if each["image_id"] == numbers[0] and each["num_keypoints"]]
    keypoints = np.array(people, np.float32).reshape(-1, len(truth.skeleton.parts), 3)
    keypoints = np.where(keypoints[..., 2:] > 0, keypoints, np.array([np.nan, np.nan, 0], np.float32))
    keypoints[..., 2] = keypoints[..., 2] > 0
    return Poses(keypoints, np.ones(len(keypoints), np.float32), truth.skeleton, size)


def _command(asked: argparse.Namespace) -> str:
    """Return the command that predicts what the page shows, without the decoder's options."""
    words = ["bottomup", "predict", *([asked.photo] if asked.photo else [])]
    for option in ("model", "runtime", "delegate", "skeleton"):
        if value := getattr(asked, option):
            words += [f"--{option}", str(value)]
    if asked.input_size is not None:
        size = asked.input_size
        words += ["--input-size", size if isinstance(size, str) else f"{size[0]}x{size[1]}"]
    return shlex.join(words + (["--flip"] if asked.flip else []))
