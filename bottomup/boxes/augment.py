"""Rows of a mirrored input, and means of rows: what test-time augmentation needs."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bottomup.boxes.fields import BoxFields
from bottomup.boxes.form import CORNERS, make_form
from bottomup.boxes.grid import grid_shape
from bottomup.boxes.reference.reading import read_boxes, read_class_scores, read_keypoints, read_scores
from bottomup.errors import InputError
from bottomup.geometry import ImageSize

__all__ = ["average_fields", "mirror_fields"]


def mirror_fields(fields: BoxFields, input_size: ImageSize) -> BoxFields:
    """Return the rows that a network gives for the horizontally mirrored input, as float corners in input pixels.

    Rows of cells are those of the cells at the other side; left and right parts change places. Mirroring twice gives
    the same numbers again, to rounding.

    Parameters
    ----------
    fields : BoxFields
        One image's rows.
    input_size : ImageSize
        Of the network's input: x becomes width - x, as networks of boxes measure from the picture's edge.
    """
    boxes, classes, keypoints = _plain(fields)
    width = np.float32(input_size.width)
    boxes = boxes[:, [2, 1, 0, 3]]
    boxes[:, [0, 2]] = width - boxes[:, [0, 2]]
    keypoints = keypoints[:, list(fields.skeleton.mirror)]
    keypoints[..., 0] = width - keypoints[..., 0]
    order = _mirrored_cells(input_size, fields.strides) if fields.strides else np.arange(len(boxes))
    return _fields(fields, boxes[order], classes[order], keypoints[order])


def average_fields(every: Sequence[BoxFields]) -> BoxFields:
    """Return the mean of several looks of one network at one input, row by row; of rows it picked itself, all of them.

    Rows that a network picked belong to no cell, so that they have no mean: they are put together, and the decoder
    keeps the best row of each person.

    Raises
    ------
    InputError
        If strides, number of rows or parts differ.
    """
    first = every[0]
    for fields in every[1:]:
        same = (fields.strides, fields.skeleton, fields.form.scoring.num_classes)
        if same != (first.strides, first.skeleton, first.form.scoring.num_classes):
            raise InputError("rows of different networks have no mean: pass those of one")
        if first.strides and fields.rows.shape[0] != first.rows.shape[0]:
            raise InputError(
                f"{first.rows.shape[0]} and {fields.rows.shape[0]} rows have no mean: pass those of one input size"
            )
    plain = [_plain(fields) for fields in every]
    if not first.strides:
        boxes, classes, keypoints = (np.concatenate(each) for each in zip(*plain, strict=True))
    else:
        boxes, classes, keypoints = (np.mean(each, axis=0) for each in zip(*plain, strict=True))
    return _fields(first, boxes, classes, keypoints)


def _plain(fields: BoxFields) -> tuple[NDArray[np.float32], ...]:
    """Return corners (R, 4), scores of classes (R, C), and keypoints (R, N, 3), in input pixels."""
    with np.errstate(all="ignore"):
        return read_boxes(fields), read_class_scores(fields), read_keypoints(fields, read_scores(fields)[0])


def _fields(
    like: BoxFields, boxes: NDArray[np.float32], classes: NDArray[np.float32], keypoints: NDArray[np.float32]
) -> BoxFields:
    """Return fields of plain rows."""
    rows = np.concatenate([boxes, classes, keypoints.reshape(len(keypoints), -1)], axis=1)
    num_classes, num_parts = classes.shape[1], keypoints.shape[1]
    form = make_form(CORNERS, num_classes, num_parts, 3, first_part=4 + num_classes)
    return BoxFields(np.ascontiguousarray(rows, np.float32), None, form, like.skeleton, like.input_size, like.strides)


def _mirrored_cells(size: ImageSize, strides: tuple[int, ...]) -> NDArray[np.intp]:
    """Return, for the row of each cell, that of the cell at the other side."""
    orders, start = [], 0
    for stride in strides:
        height, width = grid_shape(size, stride)
        orders.append(start + np.arange(height * width).reshape(height, width)[:, ::-1].ravel())
        start += height * width
    return np.concatenate(orders)
