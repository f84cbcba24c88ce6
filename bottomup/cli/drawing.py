"""How the pictures and videos of `bottomup predict` look."""

import argparse
from typing import TYPE_CHECKING, Any

from bottomup.cli.parsing import width

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from bottomup.draw import Trails
    from bottomup.poses import Poses


def add_drawing_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that `draw` reads."""
    parser.add_argument("--boxes", action="store_true", help="draw a box around each person")
    parser.add_argument("--scores", action="store_true", help="write each person's score")
    parser.add_argument(
        "--colour",
        choices=["side", "person", "id"],
        help="colour left and right sides, each person, or each id (default: id with --track, person with five people "
        "or more, else side)",
    )
    parser.add_argument(
        "--line-width",
        type=width,
        metavar="N",
        help="pixels (default: depends on the size of image and person)",
    )
    parser.add_argument("--black", action="store_true", help="draw on black instead of the picture")
    parser.add_argument("--trail", action="store_true", help="draw the recent path of each id; implies --track")


def draw(
    image: "NDArray[np.uint8]", poses: "Poses", asked: argparse.Namespace, trails: "Trails | None" = None
) -> "NDArray[np.uint8]":
    """Return what the pictures and videos show of an image."""
    from bottomup.draw import draw_poses

    if trails is not None:
        image = trails.draw(image)
    colour: Any = asked.colour if asked.colour != "id" or poses.ids is not None else "person"
    drawn: NDArray[np.uint8] = draw_poses(
        image,
        poses,
        min_score=0,
        boxes=asked.boxes,
        scores=asked.scores,
        colour=colour,
        line_width=asked.line_width,
        black=asked.black,
    )
    return drawn
