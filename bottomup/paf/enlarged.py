"""Maps that were enlarged before they came here: to four or eight times the size, or to that of the photo.

OpenPose's files, tf-pose and many ports enlarge heatmaps and fields before they look for peaks. Nothing is in such maps
that is not in the network's own cells, but they take up to 64 times as long, have peaks where a cubic rings at a
border, and windows in cells mean other lengths. So the network's cells are read out of them again.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bottomup.paf.fields import PafFields
from bottomup.tensors import Field, Quantized

#: Sum of squared differences between neighbouring cells of a network's heatmaps, by that of their squares: 0.31
#: to 0.48 in those measured. It falls with the square of the enlargement.
_USUAL_CHANGE = 0.4
_MOST = 32  # times as large
_LEAST = 1.5
_NEAR = math.log(1.45)  # how far the factor measured may be from the one that divides the grid
_EVEN_BETTER = 0.12  # of powers of two
_SEEN = 0.1  # scores from which on a map says how far its cells reach
_USUAL_STRIDES = (8, 4, 16)  # of networks


def as_raw(fields: PafFields) -> PafFields:
    """Return the fields before their cells were enlarged, or the same where they were not.

    A map that was enlarged k times in a row holds, in the middle of each k x k block, what the network gave. k is
    measured by how smooth the heatmaps are, or by how long their rows repeat; among factors near that, the one counts
    that leads to a usual stride, then the one that divides the grid.
    """
    heatmaps = _parts(fields)
    factor = _repeat(heatmaps) or _smoothness(heatmaps)
    if factor is None:
        return fields
    height, width = fields.grid
    factor = _snapped(factor, (height, width), fields.output_stride)
    if round(height / factor) < 1 or round(width / factor) < 1:
        return fields
    paf_factor = factor * fields.pafs.shape[0] / height
    pafs = _middles(fields.pafs, paf_factor) if paf_factor >= _LEAST else fields.pafs
    raw = PafFields(
        _middles(fields.heatmaps, factor),
        pafs if isinstance(pafs, np.ndarray) else pafs.dequantize(),
        fields.skeleton,
        fields.output_stride * factor,
        paf_shift=fields.paf_shift / factor,
        shift=fields.shift,
    )
    raw.__dict__["raw"] = raw
    return raw


def _parts(fields: PafFields) -> NDArray[np.float32]:
    """Return the real numbers of the heatmaps, without background and what is no number."""
    heatmaps = fields.heatmaps.dequantize() if isinstance(fields.heatmaps, Quantized) else fields.heatmaps
    parts = heatmaps[..., : len(fields.skeleton.parts)]
    return np.where(np.isfinite(parts) & (parts > 0), parts, np.float32(0))


def _repeat(heatmaps: NDArray[np.float32]) -> float | None:
    """Return how often rows and columns repeat, None if they do not."""
    factors = []
    for axis in (0, 1):
        is_seen = np.asarray((heatmaps > _SEEN).any(axis=(1 - axis, 2)))
        changes = np.asarray((np.diff(heatmaps, axis=axis) != 0).any(axis=(1 - axis, 2)))
        inner = is_seen[1:] & is_seen[:-1]
        if inner.sum() < 2:
            return None
        factors.append(inner.sum() / max((changes & inner).sum(), 1))
    factor = math.sqrt(factors[0] * factors[1])
    return factor if min(factors) > _LEAST else None


def _smoothness(heatmaps: NDArray[np.float32]) -> float | None:
    """Return how many times as smooth as a network's heatmaps are, None if they are no smoother."""
    squares = float(np.square(heatmaps, dtype=np.float64).sum())
    changes = sum(float(np.square(np.diff(heatmaps, axis=axis), dtype=np.float64).sum()) for axis in (0, 1)) / 2
    if not (squares > 0 and changes > 0 and math.isfinite(squares)):
        return None
    factor = math.sqrt(_USUAL_CHANGE * squares / changes)
    return min(factor, _MOST) if factor >= _LEAST else None


def _snapped(measured: float, grid: tuple[int, int], stride: float) -> float:
    """Return the factor near the one measured that was probably meant."""
    whole = [factor for factor in range(2, _MOST + 1) if all(side % factor == 0 for side in grid)]
    usual = [usual / stride for usual in _USUAL_STRIDES if usual / stride > 1]
    for factors in ([factor for factor in usual if factor in whole], whole, usual if stride < 4 else []):
        near = [(abs(math.log(factor / measured)), factor) for factor in factors]
        fitting = [(far - _EVEN_BETTER * (math.log2(factor) % 1 == 0), factor) for far, factor in near if far < _NEAR]
        if fitting:
            return float(min(fitting)[1])
    return measured


def _middles(field: Field, factor: float) -> NDArray[np.float32]:
    """Return the middle of each block of `factor` x `factor` cells, bilinear: the mean of four cells, or one."""
    values: NDArray[Any] = field.values if isinstance(field, Quantized) else field
    places = []
    for side in values.shape[:2]:
        size = max(int(side / factor + 0.75), 1)
        middles = np.clip((np.arange(size) + 0.5) * factor - 0.5, 0, side - 1)
        first = np.minimum(middles.astype(np.intp), max(side - 2, 0))
        places.append((first, np.minimum(first + 1, side - 1), (middles - first).astype(np.float32)))
    (top, bottom, below), (left, right, beside) = places
    below, beside = below[:, None, None], beside[None, :, None]

    def at(rows: NDArray[np.intp], columns: NDArray[np.intp]) -> NDArray[np.float32]:
        cells = values[rows[:, None], columns[None]]
        return Quantized(cells, field.scale, field.zero_point).dequantize() if isinstance(field, Quantized) else cells

    upper = at(top, left) * (1 - beside) + at(top, right) * beside
    lower = at(bottom, left) * (1 - beside) + at(bottom, right) * beside
    middles_of_all: NDArray[np.float32] = upper * (1 - below) + lower * below
    return middles_of_all
