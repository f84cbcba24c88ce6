"""Fields of a mirrored input, and means of fields: what test-time augmentation needs."""

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bottomup.errors import InputError
from bottomup.posenet.bundles import real
from bottomup.posenet.fields import BODY_PARTS, PoseNetFields
from bottomup.posenet.trees import tree_of
from bottomup.skeletons import Skeleton
from bottomup.tensors import Field

__all__ = ["average_fields", "mirror_fields"]

_SIDES = {"left": "right", "right": "left"}
_BODY_PARTS = [
    BODY_PARTS.index(_SIDES.get(part[: part.index("_")], "torso") + part[part.index("_") :]) for part in BODY_PARTS
]


def mirror_fields(fields: PoseNetFields, input_width: int) -> PoseNetFields:
    """Return the fields that a network sees in the horizontally mirrored input, in float.

    Columns are reversed, left and right parts exchanged, x components
    negated. The first cell is the former last one, so it may lie elsewhere:
    `shift` says where. Mirroring twice gives the same numbers again.

    Parameters
    ----------
    fields : PoseNetFields
        One image's network outputs.
    input_width : int
        Width of the network's input in pixels: pixel x becomes input_width - 1 - x.
    """
    parts, edges = list(fields.skeleton.mirror), _mirrored_edges(fields.skeleton)
    forward, backward = (_turned(field, edges) for field in (fields.displacements_fwd, fields.displacements_bwd))
    is_reversed = np.tile(_are_reversed(fields.skeleton), 2)
    left, top = fields.shift
    right = input_width - 1 - (fields.grid[1] - 1) * fields.output_stride - left
    return PoseNetFields(
        np.ascontiguousarray(real(fields.heatmaps)[:, ::-1, parts]),
        _turned(fields.offsets, parts),
        np.where(is_reversed, backward, forward),
        np.where(is_reversed, forward, backward),
        fields.output_stride,
        fields.logits,
        None if fields.long_offsets is None else _turned(fields.long_offsets, parts),
        None if fields.segments is None else np.ascontiguousarray(real(fields.segments)[:, ::-1]),
        None
        if fields.part_heatmaps is None
        else np.ascontiguousarray(real(fields.part_heatmaps)[:, ::-1, _BODY_PARTS]),
        (right, top),
        fields.skeleton,
    )


def average_fields(one: PoseNetFields, *others: PoseNetFields) -> PoseNetFields:
    """Return the mean of fields of one network, in float, on the cells of the first.

    If the cells of other fields lie elsewhere, as in a mirrored input of even
    width, each cell is averaged with the nearest of them, at the border with
    the last. Their offsets are corrected for the distance.

    Raises
    ------
    InputError
        If grid, stride, parts or kind of heatmap differ.
    """
    for other in others:
        if _kind(one) != _kind(other):
            raise InputError(
                f"fields of {one.grid} and {other.grid} cells have no mean: pass those of one network and input size"
            )
    all_of_them = [one, *(_on_cells_of(one, other) for other in others)]

    def mean(name: str) -> Any:
        tensors = [getattr(fields, name) for fields in all_of_them]
        if any(tensor is None for tensor in tensors):
            return None
        return sum(map(real, tensors[1:]), real(tensors[0])) / np.float32(len(tensors))

    return PoseNetFields(
        mean("heatmaps"),
        mean("offsets"),
        mean("displacements_fwd"),
        mean("displacements_bwd"),
        one.output_stride,
        one.logits,
        mean("long_offsets"),
        mean("segments"),
        mean("part_heatmaps"),
        one.shift,
        one.skeleton,
    )


def _kind(fields: PoseNetFields) -> tuple[Any, ...]:
    return fields.grid, fields.output_stride, fields.logits, fields.skeleton


def _on_cells_of(one: PoseNetFields, other: PoseNetFields) -> PoseNetFields:
    """Return `other` on the cells of `one`: each takes what the nearest cell of `other` has."""
    stride, (rows, columns) = one.output_stride, one.grid
    right, down = (own - its for own, its in zip(one.shift, other.shift, strict=True))
    across, below = round(right / stride), round(down / stride)
    if right == 0 and down == 0:
        return other
    row = np.clip(np.arange(rows) + below, 0, rows - 1)
    column = np.clip(np.arange(columns) + across, 0, columns - 1)
    aside = (column - np.arange(columns)) * stride - right  # x of the cell taken, less that of the one that takes it
    under = (row - np.arange(rows)) * stride - down

    def taken(field: Field | None) -> Any:
        return None if field is None else np.ascontiguousarray(real(field)[row][:, column])

    def moved(field: Field | None) -> Any:
        if field is None:
            return None
        vectors = taken(field)
        half = vectors.shape[2] // 2
        vectors[..., :half] += under[:, None, None].astype(np.float32)
        vectors[..., half:] += aside[None, :, None].astype(np.float32)
        return vectors

    return PoseNetFields(
        taken(other.heatmaps),
        moved(other.offsets),
        taken(other.displacements_fwd),
        taken(other.displacements_bwd),
        stride,
        other.logits,
        moved(other.long_offsets),
        taken(other.segments),
        taken(other.part_heatmaps),
        one.shift,
        other.skeleton,
    )


@cache
def _mirrored_edges(skeleton: Skeleton) -> list[int]:
    """Return, for each edge, the number of the edge between the parts on the other side.

    Raises
    ------
    InputError
        If there is no such edge.
    """
    edges, mirror = [frozenset(edge) for edge in tree_of(skeleton)], skeleton.mirror
    try:
        return [edges.index(frozenset(mirror[part] for part in edge)) for edge in edges]
    except ValueError as error:
        raise InputError(
            f"skeleton {skeleton.name!r} cannot be mirrored: some edge has no counterpart on the other side of the body"
        ) from error


def _are_reversed(skeleton: Skeleton) -> list[bool]:
    """Tell, for each edge, whether the one on the other side leads from child to parent."""
    edges, mirror = tree_of(skeleton), skeleton.mirror
    return [
        edges[other] != (mirror[edges[edge][0]], mirror[edges[edge][1]])
        for edge, other in enumerate(_mirrored_edges(skeleton))
    ]


def _turned(field: Field, channels: list[int]) -> NDArray[Any]:
    """Return vectors, y of every channel and then x, as the mirrored input has them."""
    down, right = np.split(real(field)[:, ::-1], 2, axis=2)
    return np.concatenate([down[..., channels], -right[..., channels]], axis=2)
