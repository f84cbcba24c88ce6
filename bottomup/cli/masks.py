"""`bottomup predict --masks`: whose the pixels of images are."""

import argparse
import contextlib
from collections.abc import Generator, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from bottomup.cli.console import make_folder, write
from bottomup.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from bottomup.cli.outputs import Outputs
    from bottomup.estimation.estimator import PoseEstimator
    from bottomup.posenet.masks import Segmentation
    from bottomup.poses import Poses
    from bottomup.tracking import Tracker
    from bottomup.video import Frame, Reader


def add_mask_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that this module reads."""
    parser.add_argument(
        "--masks",
        action="store_true",
        help="also find the pixels that show each person, if the model can, such as Coral's BodyPix: people are tinted "
        "in pictures and videos, the JSON holds COCO's run-length encoding, and DIR/masks gets a PNG for each person "
        "in an image",
    )
    parser.add_argument(
        "--parts",
        action="store_true",
        help="also find the part of the body that each pixel shows (BodyPix only): parts are tinted, and for images "
        "DIR/masks/NAME-parts.png holds part numbers, counted from 1, or 0 for nobody; implies --masks",
    )


def check_mask_options(asked: argparse.Namespace) -> None:
    """Refuse masks of people who are tracked: a tracker remembers poses, not pixels."""
    if has_masks(asked) and asked.track:
        raise InputError("--masks and --parts tell of each frame alone: leave --track, --smooth and --trail out")


def has_masks(asked: argparse.Namespace) -> bool:
    """Tell whether masks are asked for."""
    return bool(asked.masks or asked.parts)


def find_people(
    estimator: "PoseEstimator", images: Iterable["NDArray[np.uint8]"], asked: argparse.Namespace
) -> Iterator[tuple["Poses", "Segmentation | None"]]:
    """Yield the poses in each image that score well enough, and whose its pixels are where that is asked for."""
    if not has_masks(asked):
        for poses in estimator.batch(images):
            yield poses.sure(asked.min_score), None
        return
    for image in images:
        found = _segment(estimator, image, asked)
        yield found.poses, found


def find_people_in_frames(
    estimator: "PoseEstimator", reader: "Reader", tracker: "Tracker | None", asked: argparse.Namespace
) -> Generator[tuple["Frame", "Segmentation | None"], None, None]:
    """Yield the frames of a video with the poses that score well enough, and whose the pixels are if that is asked."""
    from bottomup.video import Frame, estimate

    if has_masks(asked):
        with contextlib.closing(iter(reader)) as pictures:
            for picture in pictures:
                found = _segment(estimator, picture.image, asked)
                yield Frame(*picture, found.poses), found
        return
    with contextlib.closing(estimate(estimator, reader, tracker=tracker)) as frames:  # type: ignore[type-var]
        for frame in frames:
            poses = frame.poses if tracker else frame.poses.sure(asked.min_score)
            yield frame._replace(poses=poses), None


def _segment(estimator: "PoseEstimator", image: "NDArray[np.uint8]", asked: argparse.Namespace) -> "Segmentation":
    """Return the people in an image, and whose its pixels are."""
    found: Segmentation = estimator.masks(image, min_score=asked.min_score)
    if asked.parts and found.parts is None:
        raise InputError(f"{estimator.path} tells no parts of the body, as Coral's BodyPix does: leave --parts out")
    return found


def tint(image: "NDArray[np.uint8]", found: "Segmentation | None", asked: argparse.Namespace) -> "NDArray[np.uint8]":
    """Return the image with its people tinted, or their parts."""
    from bottomup.draw import draw_masks, draw_parts

    if found is None:
        return image
    tinted: NDArray[np.uint8]
    if asked.parts and found.parts is not None:
        tinted = draw_parts(image, found.parts)
    else:
        tinted = draw_masks(image, found.masks)
    return tinted


def write_masks(
    found: "Segmentation | None", drawn: "Path", outputs: "Outputs", asked: argparse.Namespace
) -> dict[str, Any]:
    """Write the masks of an image; return what its JSON says of them: {"masks": one a pose, "parts": a file}."""
    import numpy as np

    from bottomup.export import coco_rle
    from bottomup.images import import_cv2

    if found is None:
        return {}
    cv2 = import_cv2()
    folder = drawn.parent / "masks"
    make_folder(folder)
    told: dict[str, Any] = {"masks": []}
    for number, mask in enumerate(found.masks, start=1):
        path = outputs.free_name(folder, f"{drawn.stem}-{number}", ".png")
        write(path, bytes(cv2.imencode(".png", mask.astype(np.uint8) * 255)[1]))
        told["masks"].append({"file": str(path), "segmentation": coco_rle(mask)})
    if asked.parts and found.parts is not None:
        path = outputs.free_name(folder, f"{drawn.stem}-parts", ".png")
        write(path, bytes(cv2.imencode(".png", (found.parts + 1).astype(np.uint8))[1]))
        told["parts"] = str(path)
    return told
