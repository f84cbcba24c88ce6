"""Fields of a mirrored input, and means of fields: what test-time augmentation needs."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bottomup.errors import InputError
from bottomup.geometry import ImageSize
from bottomup.paf.checks import as_real
from bottomup.paf.fields import PafFields
from bottomup.skeletons import Skeleton
from bottomup.tensors import Field

__all__ = ["averaged", "mirrored"]


def mirrored(fields: PafFields, input_size: ImageSize | None = None) -> PafFields:
    """Return the fields that a network sees in the horizontally mirrored input, in float.

    Columns are reversed, left and right parts and edges exchanged, x components turned round. Mirroring twice gives the
    same numbers again.

    Parameters
    ----------
    fields : PafFields
        One image's network outputs.
    input_size : ImageSize, optional
        Width and height of the network's input. Default: the whole cells of the fields.

    Raises
    ------
    InputError
        If the skeleton has an edge without a mirror image.
    """
    heatmaps, pafs = as_real(fields.heatmaps)[:, ::-1], as_real(fields.pafs)[:, ::-1]
    parts = [*fields.skeleton.mirror, *range(len(fields.skeleton.parts), heatmaps.shape[2])]
    turned = np.zeros_like(pafs)
    channels = fields.skeleton.paf_channels
    for edge, (other, sign) in enumerate(_mirror_edges(fields.skeleton)):
        (to_x, to_y), (from_x, from_y) = channels[edge], channels[other]
        turned[..., to_x], turned[..., to_y] = -sign * pafs[..., from_x], sign * pafs[..., from_y]
    # The last cell's middle becomes the first's: where the input is no whole cells wide, that is elsewhere.
    covered = fields.grid[1] * fields.output_stride
    width = covered if input_size is None else input_size.width
    return fields.derived(
        np.ascontiguousarray(heatmaps[..., parts]),
        turned,
        shift=(width - covered - fields.shift[0], fields.shift[1]),
    )


def averaged(several: Sequence[PafFields]) -> PafFields:
    """Return the mean of fields of one network and input, in float; shifts are the first one's.

    Raises
    ------
    InputError
        If there are none, or their shapes or skeletons differ.
    """
    if not several:
        raise InputError("averaged needs at least one PafFields, got none")
    one = several[0]
    for other in several:
        own, its = ((each.heatmaps.shape, each.pafs.shape, each.skeleton) for each in (one, other))
        if own != its:
            raise InputError(
                f"fields of {one.heatmaps.shape} and {other.heatmaps.shape} have no mean: pass those of one input size"
            )
    return one.derived(_mean([fields.heatmaps for fields in several]), _mean([fields.pafs for fields in several]))


def _mean(several: Sequence[Field]) -> NDArray[np.float32]:
    total = as_real(several[0])
    for other in several[1:]:
        total = total + as_real(other)
    return total / np.float32(len(several))


def _mirror_edges(skeleton: Skeleton) -> list[tuple[int, float]]:
    """Return, for each edge, the edge on the other side and -1 if that one runs the other way, else 1."""
    others = []
    for parent, child in skeleton.edges:
        there = (skeleton.mirror[parent], skeleton.mirror[child])
        if there in skeleton.edges:
            others.append((skeleton.edges.index(there), 1.0))
        elif there[::-1] in skeleton.edges:
            others.append((skeleton.edges.index(there[::-1]), -1.0))
        else:
            raise InputError(
                f"edge {(parent, child)} of skeleton {skeleton.name!r} has no mirror image: leave flip out"
            )
    return others
