"""Fields of a mirrored input, and several fields in one: what test-time augmentation needs."""

from collections.abc import Sequence

import numpy as np

from bottomup.errors import InputError
from bottomup.geometry import ImageSize
from bottomup.tags.fields import TagFields, real

__all__ = ["averaged", "mirrored"]


def mirrored(fields: TagFields, input_size: ImageSize | None = None) -> TagFields:
    """Return the fields that a network sees in the horizontally mirrored input, in float.

    Columns are reversed, left and right parts exchanged. Mirroring twice gives the same numbers again.

    Parameters
    ----------
    fields : TagFields
        One image's network outputs.
    input_size : ImageSize, optional
        Width and height of the network's input. Default: the whole cells of the fields.
    """
    parts = list(fields.skeleton.mirror)
    covered = fields.grid[1] * fields.output_stride
    width = covered if input_size is None else input_size.width
    return TagFields(
        real(fields.heatmaps)[:, ::-1, parts],
        real(fields.tags)[:, ::-1, parts],
        fields.output_stride,
        skeleton=fields.skeleton,
        negated=fields.negated,
        shift=(width - covered - fields.shift[0], fields.shift[1]),
    )


def averaged(several: Sequence[TagFields]) -> TagFields:
    """Return the mean of heatmaps of one network and input, in float; tags have the numbers of all.

    A mirrored input gets other tags than the input itself, so that their mean says nothing: HigherHRNet and mmpose
    keep both. Shifts are the first one's.

    Raises
    ------
    InputError
        If there are none, or their grids or skeletons differ.
    """
    if not several:
        raise InputError("averaged needs at least one TagFields, got none")
    one = several[0]
    for other in several:
        if (one.grid, one.skeleton) != (other.grid, other.skeleton):
            raise InputError(f"fields of {one.grid} and {other.grid} cells have no mean: pass those of one input size")
    heatmaps = [np.abs(real(fields.heatmaps)) if fields.negated else real(fields.heatmaps) for fields in several]
    return TagFields(
        np.sum(heatmaps, axis=0, dtype=np.float32) / np.float32(len(several)),
        np.concatenate([real(fields.tags) for fields in several], axis=3),
        one.output_stride,
        skeleton=one.skeleton,
        negated=False,
        shift=one.shift,
    )
