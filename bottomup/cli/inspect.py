"""`bottomup inspect`: one page that shows how a model comes to its poses."""

import argparse
from pathlib import Path

from bottomup.cli.console import identity, quiet_opencv, say, write
from bottomup.cli.loading import load_estimator
from bottomup.cli.predict import DEMO
from bottomup.errors import InputError


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
    page = inspect_image(load_estimator(asked), photo)
    write(out, page.encode())
    say(f"{out}: open it in a browser")
    return 0
