"""Poses that a network of centres decoded itself, as MoveNet's graphs do."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bottomup.errors import InputError
from bottomup.family import Pixels
from bottomup.geometry import ImageSize
from bottomup.poses import Poses
from bottomup.skeletons import COCO17, Skeleton
from bottomup.tensors import FieldLike, Quantized

__all__ = ["MOVENET_PIXELS", "FinishedLayout", "finished_rows", "legal_size"]

#: How MoveNet takes images: bytes as they are, zeros around.
MOVENET_PIXELS = Pixels(scale=1.0, shift=(0.0, 0.0, 0.0), pad_value=0)
_MOST_ROWS = 20  # of finished poses: MoveNet gives six; YOLO's tensors of 56 channels have more rows
_LEAST_PART = 0.2  # keypoint scores above this count towards a single person's score, as in tfjs
_MULTIPLE = 32  # sides of the input are multiples of this, pixels


@dataclass(frozen=True)
class FinishedLayout:
    """The poses that MoveNet's graphs decode themselves.

    Attributes
    ----------
    name : str
        Name of the only output: (1, 1, 17, 3), y, x and score of one person's parts; or (1, M, 56), the same for M
        people, then top, left, bottom and right of the box and the person's score. Positions are fractions of the
        input.
    """

    name: str
    skeleton: Skeleton = COCO17
    output_stride: float | None = None

    @property
    def pixels(self) -> Pixels:
        """How MoveNet takes images: bytes as they are, zeros around."""
        return MOVENET_PIXELS

    def read(self, outputs: Mapping[str, FieldLike], input_size: ImageSize | None) -> Poses:
        """Return the poses of one image, in the graph's order, in pixels of the network's input.

        Poses of several people have the network's boxes, and rows that score 0 are left out. A single person's score is
        the mean of the keypoint scores above 0.2, as in tfjs.

        Raises
        ------
        InputError
            If the output is missing or has another shape, or if `input_size` is None.
        """
        if self.name not in outputs:
            raise InputError(f"output {self.name!r} is missing, got {', '.join(map(repr, outputs)) or 'none'}")
        if input_size is None:
            raise InputError("input_size must be (width, height) in pixels: MoveNet's positions are fractions of it")
        values = outputs[self.name]
        rows = np.asarray(values.dequantize() if isinstance(values, Quantized) else values, np.float32)
        if finished_rows(rows.shape) is None:
            raise InputError(f"output {self.name!r} must be (1, 1, 17, 3) or (1, M, 56), got {rows.shape}")
        return _finished_one(rows, input_size) if rows.ndim == 4 else _finished_many(rows[0], input_size)

    def legal_size(self, size: ImageSize) -> ImageSize:
        """Return the input size nearest to `size` that such networks take: multiples of 32."""
        return legal_size(size)

    def best_decoder(self) -> None:
        """Return None: the graph decodes by itself."""

    def file_decoder(self) -> None:
        """Return None: the graph decodes by itself."""


def finished_rows(shape: tuple[int, ...]) -> int | None:
    """Return how many rows finished poses of this shape have; None if finished poses have another shape."""
    if tuple(shape) == (1, 1, 17, 3):
        return 1
    return shape[1] if len(shape) == 3 and shape[0] == 1 and shape[2] == 56 and shape[1] <= _MOST_ROWS else None


def _finished_one(rows: NDArray[np.float32], size: ImageSize) -> Poses:
    """Return the pose of a SinglePose graph."""
    keypoints = _keypoints(rows.reshape(1, 17, 3), size)
    sure = keypoints[0, :, 2][keypoints[0, :, 2] > _LEAST_PART]
    return Poses(keypoints, np.array([sure.mean() if len(sure) else 0], np.float32), COCO17)


def _finished_many(rows: NDArray[np.float32], size: ImageSize) -> Poses:
    """Return the poses of the MultiPose graph."""
    rows = rows[rows[:, 55] > 0]
    top, left, bottom, right = rows[:, 51:55].T * np.array([size.height, size.width] * 2, np.float32)[:, None]
    boxes = np.stack([left, top, right - left, bottom - top], axis=1)
    return Poses(_keypoints(rows[:, :51].reshape(-1, 17, 3), size), np.minimum(rows[:, 55], 1), COCO17, own_boxes=boxes)


def _keypoints(rows: NDArray[np.float32], size: ImageSize) -> NDArray[np.float32]:
    """Turn y, x and score, as fractions of the input, into x, y and score in pixels."""
    keypoints = rows[..., [1, 0, 2]] * np.array([size.width, size.height, 1], np.float32)
    keypoints[..., 2] = np.where(keypoints[..., 2] > 0, np.minimum(keypoints[..., 2], 1), 0)
    keypoints[~np.isfinite(keypoints).all(axis=2)] = np.nan, np.nan, 0
    return keypoints


def legal_size(size: ImageSize) -> ImageSize:
    """Return the nearest size whose sides are multiples of 32."""
    return ImageSize(*(max(int(side / _MULTIPLE + 0.5), 1) * _MULTIPLE for side in size))
