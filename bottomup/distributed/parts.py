"""Estimating the images of one part."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bottomup.distributed.results import row_of, row_of_error
from bottomup.distributed.sources import Image, Part, images_of
from bottomup.errors import InputError
from bottomup.estimation.estimator import PoseEstimator

__all__ = ["count_rows", "estimate_part"]


def estimate_part(estimator: PoseEstimator, part: Part, base: str = "") -> list[dict[str, Any]]:
    """Return a part's rows."""
    rows: list[dict[str, Any]] = []
    readable: list[int] = []
    for number, poses in enumerate(estimator.batch(_read(images_of(part, base), rows, readable))):
        row = readable[number]
        rows[row] = row_of(rows[row]["image"], poses)
    return rows


def count_rows(rows: list[dict[str, Any]]) -> tuple[int, int, int]:
    """Return how many images, people and errors there are."""
    return len(rows), sum(len(row["poses"]) for row in rows), sum(row["error"] is not None for row in rows)


def _read(images: Iterable[Image], rows: list[dict[str, Any]], readable: list[int]) -> Iterator[NDArray[np.uint8]]:
    """Yield the images that can be read; append a row for each image, with the error of those that cannot."""
    for image in images:
        try:
            pixels = image.read()
        except InputError as error:
            rows.append(row_of_error(image.name, error))
        else:
            readable.append(len(rows))
            rows.append({"image": image.name})
            yield pixels
