"""`bottomup inspect`: one page that shows how a model comes to its poses."""

import argparse
from pathlib import Path
from typing import Any

from bottomup.cli.console import identity, patience, quiet_opencv, say, write
from bottomup.cli.loading import add_model_options, load_estimator
from bottomup.cli.parsing import add_command
from bottomup.cli.predict import DEMO
from bottomup.errors import InputError
from bottomup.files import check_writable


def add_parser(commands: Any) -> None:
    """Add this command."""
    parser = add_command(
        commands,
        "inspect",
        help="why poses are as they are",
        description="Show how a model comes to its poses, on one page.",
        command=inspect_photo,
    )
    parser.add_argument(
        "photo", nargs="?", metavar="PHOTO", help="image (default: the demo scene that ships with bottomup)"
    )
    parser.add_argument("--out", metavar="FILE.html", help="where the page goes (default: PHOTO's name with .html)")
    add_model_options(parser)


def inspect_photo(asked: argparse.Namespace) -> int:
    """Write a page about one image."""
    quiet_opencv()
    photo = asked.photo or str(DEMO)
    out = asked.out or f"{Path(photo).stem}.html"
    if identity(out) == identity(photo):
        raise InputError(f"--out {out} is the image: name another file")

    from bottomup.images import read_image
    from bottomup.inspection import inspect_image

    read_image(photo)  # what cannot be read is said before the network is loaded
    check_writable(out)
    estimator = load_estimator(asked)
    with patience("looking into the photo, and compiling the decoder if this is its first time"):
        page = inspect_image(estimator, photo)
    write(out, page.encode())
    say(f"{out}: open it in a browser")
    return 0
