"""Fields of a mirrored input, and means of fields: what test-time augmentation needs."""

import numpy as np
from numpy.typing import NDArray

from bottomup.errors import InputError
from bottomup.paf.fields import PafFields
from bottomup.skeletons import Skeleton
from bottomup.tensors import Field, Quantized


def mirror_fields(fields: PafFields) -> PafFields:
    """Return the fields that a network sees in the horizontally mirrored input, in float.

    Columns are reversed, left and right parts and edges exchanged, x
    components turned round. Mirroring twice gives the same numbers again.

    Raises
    ------
    InputError
        If the skeleton has an edge without a mirror image.
    """
    heatmaps, pafs = _real(fields.heatmaps)[:, ::-1], _real(fields.pafs)[:, ::-1]
    parts = [*fields.skeleton.mirror, *range(len(fields.skeleton.parts), heatmaps.shape[2])]
    turned = np.zeros_like(pafs)
    channels = fields.skeleton.paf_channels
    for edge, (other, sign) in enumerate(_mirror_edges(fields.skeleton)):
        (to_x, to_y), (from_x, from_y) = channels[edge], channels[other]
        turned[..., to_x], turned[..., to_y] = -sign * pafs[..., from_x], sign * pafs[..., from_y]
    return PafFields(
        np.ascontiguousarray(heatmaps[..., parts]),
        turned,
        fields.skeleton,
        fields.output_stride,
        paf_shift=fields.paf_shift,
    )


def average_fields(one: PafFields, other: PafFields) -> PafFields:
    """Return the mean of two fields of one network, in float.

    Raises
    ------
    InputError
        If their shapes or skeletons differ.
    """
    if (one.heatmaps.shape, one.pafs.shape, one.skeleton) != (other.heatmaps.shape, other.pafs.shape, other.skeleton):
        raise InputError(
            f"fields of {one.heatmaps.shape} and {other.heatmaps.shape} have no mean: pass those of one input size"
        )
    return PafFields(
        (_real(one.heatmaps) + _real(other.heatmaps)) / np.float32(2),
        (_real(one.pafs) + _real(other.pafs)) / np.float32(2),
        one.skeleton,
        one.output_stride,
        paf_shift=one.paf_shift,
    )


def _real(field: Field) -> NDArray[np.float32]:
    return field.dequantize() if isinstance(field, Quantized) else field


def _mirror_edges(skeleton: Skeleton) -> list[tuple[int, float]]:
    """Return, for each edge, the edge on the other side and -1 if that one runs the other way, else 1."""
    mirrored = []
    for parent, child in skeleton.edges:
        there = (skeleton.mirror[parent], skeleton.mirror[child])
        if there in skeleton.edges:
            mirrored.append((skeleton.edges.index(there), 1.0))
        elif there[::-1] in skeleton.edges:
            mirrored.append((skeleton.edges.index(there[::-1]), -1.0))
        else:
            raise InputError(
                f"edge {(parent, child)} of skeleton {skeleton.name!r} has no mirror image: leave flip out"
            )
    return mirrored
