"""Where the pixels of masks lie in the grid."""

from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bottomup.errors import InputError
from bottomup.geometry import ImageSize, Placement, Stretch, as_size, image_to_input, input_to_cell
from bottomup.posenet.fields import PoseNetFields
from bottomup.poses import Poses

__all__ = ["Size", "from_first_cell", "pixels_in_cells"]

#: Pixels of masks: one per cell ("grid", or None), or (width, height) of them.
Size: TypeAlias = tuple[int, int] | Literal["grid"] | None


def pixels_in_cells(
    fields: PoseNetFields, size: Size, placement: Placement | None
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return where the rows and the columns of masks lie, in cells, ascending; those beyond the grid on its border."""
    height, width = fields.grid
    if size is None or (isinstance(size, str) and size == "grid"):
        if placement is not None:
            raise InputError("placement needs the image's size too: pass size=(width, height)")
        return np.arange(height, dtype=np.float32), np.arange(width, dtype=np.float32)
    asked = as_size(size, "size")
    if placement is None:
        placement = Stretch().place(asked, _input_size(fields, asked))
    diagonal = np.repeat(np.arange(max(asked)), 2).reshape(-1, 2)
    cells = input_to_cell(image_to_input(diagonal, placement) - fields.shift, fields.output_stride)
    rows, columns = cells[: asked.height, 0], cells[: asked.width, 1]
    return tuple(
        np.clip(places, 0, max(cells - 1, 0)).astype(np.float32) for places, cells in ((rows, height), (columns, width))
    )


def _input_size(fields: PoseNetFields, asked: ImageSize) -> ImageSize:
    """Return the size of the network's input: as asked if the grid fits it, else whole strides plus 1."""
    stride = fields.output_stride
    sides = []
    for side, cells in zip(asked, reversed(fields.grid), strict=True):
        whole = int((cells - 1) * stride) + 1
        sides.append(side if abs(side - whole) < stride else max(whole, 1))
    return ImageSize(*sides)


def from_first_cell(poses: Poses, fields: PoseNetFields) -> NDArray[np.float32]:
    """Return keypoints whose positions count from the middle of the first cell."""
    keypoints = np.array(poses.keypoints, np.float32, order="C")
    keypoints[..., :2] -= np.array(fields.shift, np.float32)
    return keypoints
