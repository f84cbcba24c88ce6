"""What segments and long offsets are worth: where people are, and whose each cell is."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from bottomup.geometry import ImageSize, Placement, cell_to_input, image_to_input, input_to_image
from bottomup.posenet.fields import PoseNetFields
from bottomup.tensors import Quantized
from models.train.examples import Example


def person_mask(fields: PoseNetFields, placement: Placement, size: ImageSize) -> NDArray[np.bool_]:
    """Return where in the image the network sees people: segments enlarged to it, above 0."""
    segments = as_array(fields.segments)
    grid_x, grid_y = (
        ((np.arange(length, dtype=np.float32) + 0.5) * scale - 0.5 + corner) / fields.output_stride
        for length, scale, corner in (
            (size.width, placement.scale_x, placement.left),
            (size.height, placement.scale_y, placement.top),
        )
    )
    columns, rows = np.meshgrid(grid_x.astype(np.float32), grid_y.astype(np.float32))
    return np.asarray(cv2.remap(segments[..., 0], columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE) > 0)


def owners_found(fields: PoseNetFields, placement: Placement, example: Example) -> tuple[int, int]:
    """Return of how many cells on people the long offsets lead to their own person, and how many there are.

    Counted in pictures of at least two people. The labelled parts of that
    person must lie nearest, on average, to where the offsets lead.
    """
    keypoints = np.array([person["keypoints"] for person in example.annotations], np.float64).reshape(-1, 17, 3)
    labelled = keypoints[..., 2] > 0
    if labelled.any(axis=1).sum() < 2 or example.masks is None or fields.long_offsets is None:
        return 0, 0
    targets = np.where(labelled[..., None], image_to_input(keypoints[..., :2], placement), np.nan)
    offsets = as_array(fields.long_offsets)
    height, width = fields.grid
    places = cell_to_input(np.moveaxis(np.indices((height, width)), 0, 2), fields.output_stride)
    columns, rows = np.moveaxis(np.round(input_to_image(places, placement)).astype(int), 2, 0)
    inside = (columns >= 0) & (columns < example.image.shape[1]) & (rows >= 0) & (rows < example.image.shape[0])
    right = cells = 0
    for person in np.flatnonzero(labelled.any(axis=1)):
        here = inside.copy()
        here[inside] = example.masks[person][rows[inside], columns[inside]]
        led_to = places[here][:, None] + np.stack([offsets[here][:, 17:], offsets[here][:, :17]], axis=2)
        away = np.linalg.norm(led_to[:, None] - targets, axis=3)
        sums, counts = np.nansum(away, axis=2), np.isfinite(away).sum(axis=2)
        means = np.where(counts > 0, sums / np.maximum(counts, 1), np.inf)
        right, cells = right + int((means.argmin(axis=1) == person).sum()), cells + len(means)
    return right, cells


def as_array(field: Any) -> NDArray[np.float32]:
    """Return a field's real numbers."""
    return np.asarray(field.dequantize() if isinstance(field, Quantized) else field, np.float32)
