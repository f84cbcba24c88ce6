"""Pictures of an evaluation: the curve of precision over recall, and the images with the worst errors."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bottomup.draw import draw_poses
from bottomup.errors import InputError, MissingRuntimeError
from bottomup.evaluate.matching import ImageMatches
from bottomup.evaluate.precision import OKS_THRESHOLDS, RECALLS, KeypointAP
from bottomup.files import replacing
from bottomup.images import import_cv2, read_image
from bottomup.poses import Poses
from bottomup.skeletons import Skeleton

__all__ = ["contact_sheet", "import_matplotlib", "plot_precision_recall", "worst_images"]

_PAIRS_ACROSS = 2
_TILE = (360, 270)  # width and height of each half of a pair
_MARGIN, _CAPTION = 6, 22


def plot_precision_recall(evaluation: KeypointAP, path: str | Path) -> None:
    """Write a picture of precision over recall, one curve for each OKS from .50 to .95.

    Parameters
    ----------
    evaluation : KeypointAP
        What `keypoint_ap` returns.
    path : str or Path
        PNG, PDF or SVG, by its ending.

    Raises
    ------
    MissingRuntimeError
        If matplotlib is not installed.
    InputError
        If the file cannot be written.
    """
    colormaps, figure_of = import_matplotlib()
    figure = figure_of(figsize=(6.4, 4.8), layout="constrained")
    axes = figure.add_subplot()
    colours = colormaps["viridis"](np.linspace(0, 0.9, len(OKS_THRESHOLDS)))
    for threshold, colour, precision in zip(OKS_THRESHOLDS, colours, evaluation.precision, strict=True):
        ap = f"{precision.mean():.3f}" if (precision > -1).all() else "none"
        shown = np.where(RECALLS[precision > 0].max(initial=0) >= RECALLS, precision, np.nan)
        axes.plot(RECALLS, shown, color=colour, label=f"OKS {threshold:.2f}: AP {ap}")
    axes.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="recall", ylabel="precision")
    axes.set_title(f"AP {evaluation.ap:.3f}, {evaluation.num_people} people in {evaluation.num_images} images")
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small", frameon=False)
    try:
        with replacing(path) as waiting:
            figure.savefig(waiting, dpi=150)
    except InputError:
        raise
    except ValueError as error:  # matplotlib does not know the ending
        raise InputError(f"{str(path)!r} cannot be written: {error}") from error


def import_matplotlib() -> tuple[Any, Any]:
    """Return matplotlib's colour maps and its class of figures, which need no screen."""
    try:
        from matplotlib import colormaps
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingRuntimeError(f"matplotlib cannot be imported, {error}: pip install 'bottomup[eval]'") from error
    return colormaps, Figure


def worst_images(matches: Iterable[ImageMatches], *, count: int = 12) -> list[ImageMatches]:
    """Return the images where most went wrong, worst first.

    Each person costs 1 - OKS of their pose, or 1 without a pose; each false
    pose costs its score. Images without an error are left out.

    Parameters
    ----------
    matches : iterable of ImageMatches
        What `match_people` returns.
    count : int
        Return at most this many.
    """
    ranked = sorted(matches, key=_loss, reverse=True)
    return [match for match in ranked[: max(count, 0)] if _loss(match) > 0]


def contact_sheet(
    matches: Sequence[ImageMatches], read: Callable[[str], NDArray[np.uint8]] | str | Path
) -> NDArray[np.uint8]:
    """Draw images on one sheet, each twice: labelled people on the left, found poses on the right.

    Parameters
    ----------
    matches : sequence of ImageMatches
        Which images, as `worst_images` chooses them; at least one.
    read : str, Path or function
        The folder of the images, or a function that returns the image of a file name in the annotations.

    Returns
    -------
    (height, width, 3) uint8 array
        BGR.

    Raises
    ------
    InputError
        If an image cannot be read, or `matches` is empty.
    """
    if not matches:
        raise InputError("matches must name at least one image: worst_images found nothing wrong")
    folder = Path(read) if isinstance(read, (str, Path)) else None
    tiles = []
    for match in matches:
        name = str(match.image.get("file_name", ""))
        image = read_image(folder / name) if folder is not None else read(name)  # type: ignore[operator]
        tiles.append(_pair(image, match, name))
    across = min(_PAIRS_ACROSS, len(tiles))
    tiles += [np.full_like(tiles[0], 255)] * (-len(tiles) % across)
    rows = [np.hstack(tiles[start : start + across]) for start in range(0, len(tiles), across)]
    return np.vstack(rows)


def _loss(match: ImageMatches) -> float:
    """Return how much went wrong in an image."""
    people = sum(not person.ignored for person in match.people)
    return people - sum(pair[2] for pair in match.pairs) + float(np.clip(match.scores[match.false], 0, 1).sum())


def _pair(image: NDArray[np.uint8], match: ImageMatches, name: str) -> NDArray[np.uint8]:
    """Draw one image twice, with its caption."""
    cv2 = import_cv2()
    people = [person.keypoints for person in match.people if not person.ignored]
    truth = _shrunk(
        image, np.array(people, np.float64).reshape(-1, len(match.skeleton.parts), 3), match.skeleton, is_truth=True
    )
    found = _shrunk(image, match.poses, match.skeleton, is_truth=False)
    canvas = np.full((_TILE[1] + _CAPTION + _MARGIN, 2 * (_TILE[0] + _MARGIN), 3), 255, np.uint8)
    captions = (f"{name}: {len(people)} labelled", f"{len(match.pairs)} of them found, {len(match.false)} false")
    for column, (picture, caption) in enumerate(zip((truth, found), captions, strict=True)):
        start = column * (_TILE[0] + _MARGIN)
        left = start + (_TILE[0] - picture.shape[1]) // 2
        canvas[: picture.shape[0], left : left + picture.shape[1]] = picture
        where = (start + 4, _TILE[1] + _CAPTION - 7)
        cv2.putText(canvas, caption, where, cv2.FONT_HERSHEY_SIMPLEX, 0.45, (0, 0, 0), 1, cv2.LINE_AA)
    return canvas


def _shrunk(
    image: NDArray[np.uint8], poses: NDArray[np.float64], skeleton: Skeleton, *, is_truth: bool
) -> NDArray[np.uint8]:
    """Return an image that fits a tile, with poses drawn."""
    cv2 = import_cv2()
    height, width = image.shape[:2]
    scale = min(_TILE[0] / width, _TILE[1] / height)
    size = (max(round(width * scale), 1), max(round(height * scale), 1))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    keypoints: Any = poses.copy()
    keypoints[..., :2] *= scale
    keypoints[..., 2] = (keypoints[..., 2] > 0) if is_truth else 1
    keypoints[~poses.any(axis=2)] = np.nan, np.nan, 0
    found = Poses(keypoints, np.ones(len(poses), np.float32), skeleton)
    drawn: NDArray[np.uint8] = draw_poses(small, found, min_score=0)
    return drawn
