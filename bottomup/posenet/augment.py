"""Fields of a mirrored input, and means of fields: what test-time augmentation needs."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bottomup.errors import InputError
from bottomup.posenet.fields import BODY_PARTS, EDGES, PoseNetFields
from bottomup.skeletons import COCO17
from bottomup.tensors import Field, Quantized

_PARTS = list(COCO17.mirror)
_EDGES = [EDGES.index((_PARTS[parent], _PARTS[child])) for parent, child in EDGES]
_SIDES = {"left": "right", "right": "left"}
_BODY_PARTS = [
    BODY_PARTS.index(_SIDES.get(part[: part.index("_")], "torso") + part[part.index("_") :]) for part in BODY_PARTS
]


def mirror_fields(fields: PoseNetFields, input_width: int) -> PoseNetFields:
    """Return the fields that a network sees in the horizontally mirrored input, in float.

    Columns are reversed, left and right parts exchanged, x components turned
    round. Mirroring twice gives the same numbers again.

    Parameters
    ----------
    fields : PoseNetFields
        One image's network outputs.
    input_width : int
        Width of the network's input in pixels: pixel x becomes input_width - 1 - x.
    """
    beyond_grid = input_width - 1 - (fields.grid[1] - 1) * fields.output_stride
    return PoseNetFields(
        np.ascontiguousarray(_real(fields.heatmaps)[:, ::-1, _PARTS]),
        _turned(fields.offsets, _PARTS, beyond_grid),
        _turned(fields.displacements_fwd, _EDGES),
        _turned(fields.displacements_bwd, _EDGES),
        fields.output_stride,
        fields.logits,
        None if fields.long_offsets is None else _turned(fields.long_offsets, _PARTS, beyond_grid),
        None if fields.segments is None else np.ascontiguousarray(_real(fields.segments)[:, ::-1]),
        None
        if fields.part_heatmaps is None
        else np.ascontiguousarray(_real(fields.part_heatmaps)[:, ::-1, _BODY_PARTS]),
    )


def average_fields(one: PoseNetFields, other: PoseNetFields) -> PoseNetFields:
    """Return the mean of two fields of one network, in float.

    Raises
    ------
    InputError
        If grid, stride or kind of heatmap differ.
    """
    if (one.grid, one.output_stride, one.logits) != (other.grid, other.output_stride, other.logits):
        raise InputError(f"fields of {one.grid} and {other.grid} cells have no mean: pass those of one input size")
    return PoseNetFields(
        _mean(one.heatmaps, other.heatmaps),
        _mean(one.offsets, other.offsets),
        _mean(one.displacements_fwd, other.displacements_fwd),
        _mean(one.displacements_bwd, other.displacements_bwd),
        one.output_stride,
        one.logits,
        *(
            None if own is None or others is None else _mean(own, others)
            for own, others in (
                (one.long_offsets, other.long_offsets),
                (one.segments, other.segments),
                (one.part_heatmaps, other.part_heatmaps),
            )
        ),
    )


def _real(field: Field) -> NDArray[np.float32]:
    return field.dequantize() if isinstance(field, Quantized) else field


def _mean(one: Field, other: Field) -> NDArray[np.float32]:
    return (_real(one) + _real(other)) / np.float32(2)


def _turned(field: Field, channels: list[int], shift: float = 0) -> NDArray[Any]:
    """Return vectors, y of every channel and then x, as the mirrored input has them."""
    down, right = np.split(_real(field)[:, ::-1], 2, axis=2)
    return np.concatenate([down[..., channels], np.float32(shift) - right[..., channels]], axis=2)
