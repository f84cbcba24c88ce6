"""Estimating all images of a source: here, or on Ray's actors."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from bottomup.distributed.on_ray import estimate_on_ray, import_ray
from bottomup.distributed.parts import count_rows, estimate_part
from bottomup.distributed.results import FORMATS, Format, begin, is_whole, part_path, write_part
from bottomup.distributed.sources import Part, import_arrow, split
from bottomup.errors import InputError
from bottomup.estimation.estimator import PoseEstimator
from bottomup.estimation.loading import load
from bottomup.export import skeleton_json

__all__ = ["Report", "estimate_images"]


class Report(NamedTuple):
    """What one call of `estimate_images` did."""

    images: int  #: estimated now, those that could not be read among them
    people: int  #: found in them
    errors: int  #: images that could not be read
    parts: int  #: written now
    resumed: int  #: parts that an earlier call had written


def estimate_images(
    source: str | Path | Sequence[str | Path],
    out: str | Path,
    *,
    make_estimator: Callable[[], PoseEstimator] = load,
    actors: int = 0,
    format: Format = "jsonl",
    part_size: int = 200,
) -> Report:
    """Find the people in many images, and write one row per image into the files of a folder.

    The images are split into parts, and the file of each part is either
    complete or absent. To resume an interrupted call, call it again: finished
    parts are not done again. If an actor dies, another one does its part. An
    image that cannot be read becomes a row with its error.

    Parameters
    ----------
    source : str, Path, or sequence of them
        A folder, with all images or all Parquet files below it; a list of
        images; or a Parquet file, or a list of them, with a column "path" of
        image paths, or "image" or "bytes" of encoded images.
    out : str or Path
        The folder for the results. Every machine must see it, and the images, under the same paths.
    make_estimator : function
        Makes an estimator, once per actor: `functools.partial(bottomup.load, "coral-posenet-641x481")`. Default:
        `bottomup.load`, the model in the package.
    actors : int
        Number of Ray processes, on all machines of its cluster, with one estimator each; Ray is started here if it is
        not running. 0, the default, runs the estimator in this process.
    format : {"jsonl", "parquet"}
        Format of the results. `read_rows` reads both; pandas reads their files one by one.
    part_size : int
        Maximum number of images in a part.

    Returns
    -------
    Report

    Raises
    ------
    InputError
        If the source names no images, or the folder holds results of other images or another model.
    MissingRuntimeError
        If Ray or pyarrow is needed and not installed.

    Examples
    --------
    >>> from functools import partial
    >>> estimate_images("photos", "poses", make_estimator=partial(load, "coral-posenet-641x481"))  # doctest: +SKIP
    Report(images=5000, people=15480, errors=0, parts=25, resumed=0)
    """
    for name, value, low in (("actors", actors, 0), ("part_size", part_size, 1)):
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < low:
            raise InputError(f"{name} must be a whole number, at least {low}, got {value!r}")
    if format not in FORMATS:
        raise InputError(f"format must be one of {', '.join(FORMATS)}, got {format!r}")
    if format == "parquet":
        import_arrow()
    ray = import_ray() if actors else None
    parts, digest = split(source, int(part_size))
    estimator = make_estimator()  # also with actors: what is wrong with the model is said at once, and here
    folder = Path(out).absolute()
    begin(folder, _plan(estimator, parts, digest, int(part_size), format))
    waiting = [part for part in parts if not is_whole(part_path(folder, part.number, format), part.size)]
    done: Iterator[tuple[int, int, int]]
    if ray is None:
        done = _here(estimator, waiting, folder, format)
    else:
        del estimator
        done = estimate_on_ray(ray, waiting, (make_estimator, str(folder), format, os.getcwd()), int(actors))
    return _sum(done, len(waiting), len(parts) - len(waiting))


def _plan(estimator: PoseEstimator, parts: list[Part], digest: str, part_size: int, format: Format) -> dict[str, Any]:
    """Return what results are of; a call that differs in any of it may not go on with them."""
    return {
        "source": digest,
        "parts": len(parts),
        "rows": [part.size for part in parts],
        "part_size": part_size,
        "format": format,
        "model": estimator.path.name,
        "decoder": repr(estimator.decoder),
        "skeleton": skeleton_json(estimator.skeleton),
    }


def _here(estimator: PoseEstimator, parts: list[Part], folder: Path, format: Format) -> Iterator[tuple[int, int, int]]:
    """Estimate parts in this process; yield of each part how many images, people and errors it had."""
    for part in parts:
        rows = estimate_part(estimator, part)
        write_part(part_path(folder, part.number, format), rows)
        yield count_rows(rows)


def _sum(done: Iterable[tuple[int, int, int]], num_parts: int, resumed: int) -> Report:
    """Count what was done, with a bar on a terminal."""
    from tqdm import tqdm

    totals = np.zeros(3, np.int64)
    for counts in tqdm(done, total=num_parts, unit="part", disable=None):
        totals += counts
    images, people, errors = totals.tolist()
    return Report(images, people, errors, num_parts, resumed)
