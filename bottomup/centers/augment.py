"""Fields of a mirrored input, and means of fields: what test-time augmentation needs."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bottomup.centers.fields import CenterFields
from bottomup.errors import InputError
from bottomup.geometry import ImageSize

__all__ = ["averaged", "mirrored"]


def mirrored(fields: CenterFields, input_size: ImageSize) -> CenterFields:
    """Return the fields that a network sees in the horizontally mirrored input, in float.

    Columns are reversed, left and right parts exchanged, x components mirrored. Mirroring twice gives the same numbers
    again.

    Parameters
    ----------
    fields : CenterFields
        One image's network outputs.
    input_size : ImageSize
        Size of the network's input, in pixels: pixel x becomes width - 1 - x.
    """
    parts = list(fields.skeleton.mirror)
    beyond_grid = (input_size.width - 1 - 2 * fields.shift[0]) / fields.output_stride - (fields.grid[1] - 1)
    real = {name: values[:, ::-1] for name, values in fields.as_floats.items()}
    turned: dict[str, Any] = {
        "center": real["center"],
        "heatmaps": real["heatmaps"][..., parts],
        "regressions": _turned(real["regressions"], parts, beyond_grid),
    }
    if "offsets" in real:
        shared = real["offsets"].shape[2] == 2
        turned["offsets"] = _turned(real["offsets"], [0] if shared else parts, beyond_grid)
    if "box_sizes" in real:
        turned["box_sizes"] = real["box_sizes"]
        turned["box_offsets"] = _turned(real["box_offsets"], [0], beyond_grid)
    contiguous: dict[str, Any] = {name: np.ascontiguousarray(values) for name, values in turned.items()}
    return replace(fields, **contiguous)


def averaged(several: Sequence[CenterFields]) -> CenterFields:
    """Return the mean of several fields of one network, in float.

    Raises
    ------
    InputError
        If `several` is empty, or grids, strides, tensors or kinds of heatmap differ.
    """
    if not several:
        raise InputError("a mean needs at least one image's fields, got none")
    first = several[0]
    for fields in several:
        if _kind(fields) != _kind(first):
            raise InputError(
                f"fields of {first.grid} and {fields.grid} cells have no mean: pass those of one network and input size"
            )
    means: dict[str, Any] = {
        name: np.mean([fields.as_floats[name] for fields in several], axis=0, dtype=np.float32)
        for name in first.present
    }
    return replace(first, **means)


def _kind(fields: CenterFields) -> tuple[Any, ...]:
    """Return what fields must have in common to have a mean."""
    shapes = tuple((name, tensor.shape) for name, tensor in fields.present.items())
    return (shapes, fields.output_stride, fields.logits, fields.shift, fields.skeleton)


def _turned(vectors: NDArray[np.float32], parts: list[int], beyond_grid: float) -> NDArray[np.float32]:
    """Return vectors, y and x of every part in turn, as seen in the mirrored input."""
    pairs = vectors.reshape(*vectors.shape[:2], -1, 2)[:, :, parts].copy()
    pairs[..., 1] = np.float32(beyond_grid) - pairs[..., 1]
    return pairs.reshape(vectors.shape)
