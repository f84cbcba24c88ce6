"""Fields as kernels read them: flat tensors, the real numbers of their levels, where cells lie."""

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bottomup.tensors import Field, Quantized, as_flat

__all__ = ["Cells", "Tensors", "cells_of", "flat_tensors", "level_scores", "levels_and_units", "real"]


class Tensors(NamedTuple):
    """For kernels that work in pixels: flat tensors of one type, real = (level - zero) * scale; floats have scale 1."""

    heatmaps: NDArray[Any]  #: (H * W * 17,) uint8 or float32
    heatmap_scale: np.float32
    heatmap_zero: np.float32
    offsets: NDArray[Any]  #: (H * W * 34,) y of every part, then x
    offset_scale: np.float32
    offset_zero: np.float32
    displacements: NDArray[Any]  #: (H * W * 64,) forward y, forward x, backward y, backward x of every edge
    fwd_scale: np.float32
    fwd_zero: np.float32
    bwd_scale: np.float32
    bwd_zero: np.float32
    is_quantized: bool
    is_logits: bool  #: the heatmaps hold logits
    height: int
    width: int
    output_stride: float
    shift_x: float
    shift_y: float


class Cells(NamedTuple):
    """For kernels that work in cells: tables give the real numbers of levels; floats are multiplied by `unit`."""

    heatmaps: NDArray[Any]  #: (H * W * 17,) uint8 or float32
    logits: NDArray[np.float32] | None  #: the real numbers of the 256 levels; like all tables, None for floats
    scores: NDArray[np.float32] | None  #: their scores
    offsets: NDArray[Any]  #: (H * W * 34,)
    offset_table: NDArray[np.float32] | None
    displacements: NDArray[Any]  #: (H * W * 64,)
    fwd_table: NDArray[np.float32] | None
    bwd_table: NDArray[np.float32] | None
    unit: np.float32  #: cells per 1 of a float tensor
    height: int
    width: int
    output_stride: np.float32
    shift_x: np.float32
    shift_y: np.float32


def flat_tensors(
    tensors: tuple[Field, Field, Field, Field],
    mid_offsets: Field | None,
    logits: bool,
    output_stride: float,
    shift: tuple[float, float],
) -> Tensors:
    """Return heatmaps, offsets and displacements as one element type; `mid_offsets` holds both displacements."""
    all_quantized = all(isinstance(tensor, Quantized) for tensor in tensors)
    if not all_quantized:
        tensors = tuple(map(real, tensors))  # type: ignore[assignment]
    heatmaps, offsets, fwd, bwd = map(levels_and_units, tensors)
    if mid_offsets is not None and isinstance(mid_offsets, Quantized) == all_quantized:
        displacements = levels_and_units(mid_offsets)[0]
    else:
        displacements = np.concatenate([fwd[0], bwd[0]], axis=2)
    return Tensors(
        heatmaps=as_flat(heatmaps[0]),
        heatmap_scale=heatmaps[1],
        heatmap_zero=heatmaps[2],
        offsets=as_flat(offsets[0]),
        offset_scale=offsets[1],
        offset_zero=offsets[2],
        displacements=as_flat(displacements),
        fwd_scale=fwd[1],
        fwd_zero=fwd[2],
        bwd_scale=bwd[1],
        bwd_zero=bwd[2],
        is_quantized=all_quantized,
        is_logits=logits,
        height=heatmaps[0].shape[0],
        width=heatmaps[0].shape[1],
        output_stride=output_stride,
        shift_x=shift[0],
        shift_y=shift[1],
    )


def cells_of(tensors: Tensors) -> Cells:
    """Return tensors whose vectors are in cells."""
    t, per_stride = tensors, np.float32(1) / np.float32(tensors.output_stride)
    table = _level_table if t.is_quantized else _no_table
    return Cells(
        heatmaps=t.heatmaps,
        logits=table(t.heatmap_scale, t.heatmap_zero),
        scores=level_scores(t.heatmap_scale, t.heatmap_zero) if t.is_quantized else None,
        offsets=t.offsets,
        offset_table=table(t.offset_scale * per_stride, t.offset_zero),
        displacements=t.displacements,
        fwd_table=table(t.fwd_scale * per_stride, t.fwd_zero),
        bwd_table=table(t.bwd_scale * per_stride, t.bwd_zero),
        unit=per_stride,
        height=t.height,
        width=t.width,
        output_stride=np.float32(t.output_stride),
        shift_x=np.float32(t.shift_x),
        shift_y=np.float32(t.shift_y),
    )


def real(field: Field) -> NDArray[np.float32]:
    """Return a tensor's real numbers."""
    return field.dequantize() if isinstance(field, Quantized) else field


def levels_and_units(field: Field) -> tuple[NDArray[Any], np.float32, np.float32]:
    """Return a tensor's elements, their scale and their zero."""
    if isinstance(field, Quantized):
        return field.values, np.float32(field.scale), np.float32(field.zero_point)
    return field, np.float32(1), np.float32(0)


@lru_cache(maxsize=256)
def _level_table(scale: np.float32, zero: np.float32) -> NDArray[np.float32]:
    """Return the real numbers of the 256 levels."""
    return np.asarray((np.arange(256, dtype=np.float32) - zero) * scale, np.float32)


@lru_cache(maxsize=256)
def level_scores(scale: np.float32, zero: np.float32) -> NDArray[np.float32]:
    """Return the scores of the 256 levels of quantised logits."""
    with np.errstate(over="ignore"):
        return np.float32(1) / (np.float32(1) + np.exp(-_level_table(scale, zero)))


def _no_table(scale: np.float32, zero: np.float32) -> None:
    """Return what kernels take as the table of a float tensor."""
