"""Maps that were enlarged before they came here: two to sixteen times, or to the size of the photo.

OpenPose's files, tf-pose and many ports enlarge heatmaps and fields before they look for peaks. Nothing is in such maps
that is not in the network's own cells, but they take up to 250 times as long, have peaks where a cubic rings at a
border, and windows in cells mean other lengths. So the network's cells are read out of them again.
"""

import math
from functools import cache, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bottomup.paf.fields import PafFields
from bottomup.paf.levels import real_table
from bottomup.tensors import Field, Quantized, as_flat

__all__ = ["FLAT", "LARGE", "as_raw"]

#: Grids of at least so many cells are looked at before anything else is done; smaller ones if their peaks are flat.
LARGE = 7 << 10
#: How much lower a peak's neighbours are, by its height, in maps that were enlarged: 0.40 and more in networks' own,
#: 0.30 and less in those of three times the size.
FLAT = 0.31
#: Rows that are looked along, and how many where all peaks on these are not as high as `_ENOUGH` together. Columns are
#: slow to read: they are looked at where cells repeat along rows.
_FEW, _MANY, _ENOUGH = 8, 16, 1.0
#: Sum of squared differences between neighbouring cells of a network's heatmaps, by that of their squares: 0.31 to 0.48
#: in those measured. It falls with the square of the enlargement.
_USUAL_CHANGE = 0.4
_LEAST, _MOST = 1.6, 32.0  # times as large
_DIAGONAL = 4.0  # from here on, two cells around the middle of a block are as good as four
_BLURRED = 2.5  # below, the middle of a block holds an eighth of each block beside it, if linear; 0.08 if cubic
_SHARPEN = 0.1  # so much of the difference from each neighbour is put back
_NEAR = math.log(1.45)  # how far the factor measured may be from the one that was meant
_EVEN_BETTER = 0.12  # of powers of two
_USUAL_STRIDES = (8, 4, 16)  # of networks


def as_raw(fields: PafFields) -> PafFields:
    """Return the fields before their cells were enlarged, or the same where they were not.

    A map that was enlarged k times in a row holds, in the middle of each k x k block, what the network gave. Where
    cells repeat, k is how often; else it is measured by how smooth the heatmaps are, and among factors near that, the
    one counts that leads to a usual stride, then the one that divides the grid.
    """
    heat, (height, width) = fields.bundles[0], fields.grid
    if height < 2 or width < 2:
        return fields
    for rows in (_FEW, _MANY):
        sums, changed = np.zeros(4), np.zeros(width, np.uint8)
        _kernels().look_along(heat, False, max(height // rows, 1), sums, changed)
        if sums[3] >= _ENOUGH:
            break
    factor = _repeat(changed)
    if factor is not None:
        factor = _also_down(heat, height, width, factor)
    repeats = factor is not None
    if factor is None:
        squares, changes, drops, tops = sums.tolist()
        if not drops < FLAT * tops or not changes > 0 or not math.isfinite(squares):
            return fields
        factor = math.sqrt(_USUAL_CHANGE * squares / changes)
        if factor < _LEAST:
            return fields
        factor = _snapped(min(factor, _MOST), (height, width), fields.output_stride)
    paf_factor = factor * fields.pafs.shape[0] / height
    pafs = _cells(fields.pafs, paf_factor, repeats) if paf_factor >= _LEAST else fields.pafs
    raw = fields.derived(
        _cells(fields.heatmaps, factor, repeats),
        pafs.dequantize() if isinstance(pafs, Quantized) else pafs,
        output_stride=fields.output_stride * factor,
        paf_shift=fields.paf_shift / factor,
    )
    raw.__dict__["raw"] = raw
    return raw


def _also_down(heat: tuple[Any, ...], height: int, width: int, across: float) -> float | None:
    """Return how often cells repeat both ways, None if only across."""
    for columns in (_FEW // 2, _MANY):
        changed = np.zeros(height, np.uint8)
        _kernels().look_along(heat, True, max(width // columns, 1), np.zeros(4), changed)
        down = _repeat(changed)
        if down is not None:
            return min(across, down)
    return None


def _repeat(changed: NDArray[np.uint8]) -> float | None:
    """Return how often cells repeat, from where they differ from the one before, or None if they do not."""
    places = np.flatnonzero(changed)
    if len(places) < 3:
        return None
    often = float(math.gcd(int(np.gcd.reduce(places)), len(changed)))
    if often < 2:
        often = _uneven_repeat(places, len(changed))
    return None if often < 2 else often


def _uneven_repeat(places: NDArray[np.intp], size: int) -> float:
    """Return how often cells repeat whose number does not divide the size, 0 if they do not.

    Cell c of n begins where OpenCV's INTER_NEAREST, or its exact kind, has it begin.
    """
    shortest = int(np.diff(places).min())
    if shortest < 2:
        return 0.0
    for cells in range(max(size // (shortest + 1), 1), math.ceil(size / (shortest - 0.99)) + 1):
        for offset in (0.0, 0.5):
            begins = np.ceil(np.arange(cells) * (size / cells) - offset - 1e-9).astype(np.intp)
            if np.isin(places, begins).all():
                return size / cells
    return 0.0


def _snapped(measured: float, grid: tuple[int, int], stride: float) -> float:
    """Return the factor near the one measured that was probably meant."""
    whole = [float(factor) for factor in range(2, int(_MOST) + 1) if all(side % factor == 0 for side in grid)]
    usual = [usual / stride for usual in _USUAL_STRIDES if usual > stride]
    for factors in ([factor for factor in usual if factor in whole], whole, usual if stride < 4 else []):
        near = [(abs(math.log(factor / measured)), factor) for factor in factors]
        fitting = [(far - _EVEN_BETTER * (math.log2(factor) % 1 == 0), factor) for far, factor in near if far < _NEAR]
        if fitting:
            return min(fitting)[1]
    return measured


def _cells(field: Field, factor: float, repeats: bool) -> NDArray[np.float32]:
    """Return the cells that were enlarged `factor` times: the middles of blocks, sharper where those are blurred."""
    middles = _middles(field, factor)
    if repeats or factor >= _BLURRED:
        return middles
    sharpened = np.empty_like(middles)
    _kernels().sharpen(middles, np.float32(_SHARPEN), sharpened)
    return sharpened


def _middles(field: Field, factor: float) -> NDArray[np.float32]:
    """Return the middle of each block of `factor` x `factor` cells, bilinear: the mean of four cells, or one.

    In large blocks, two of the four are as good, those on the diagonal; they take half the time.
    """
    values: NDArray[Any] = field.values if isinstance(field, Quantized) else field
    table = real_table(field.scale, field.zero_point) if isinstance(field, Quantized) else None
    places = [*_around_middles(values.shape[0], factor), *_around_middles(values.shape[1], factor)]
    width, channels = values.shape[1:]
    found = np.empty((places[0].shape[1], places[2].shape[1], channels), np.float32)
    _kernels().read_middles(as_flat(values), table, width, channels, factor >= _DIAGONAL, *places, found)
    return found


@lru_cache(maxsize=64)
def _around_middles(side: int, factor: float) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return (2, N) cells before and behind each block's middle along a side, and (N,) the shares of the latter."""
    middles = np.clip((np.arange(max(int(side / factor + 0.75), 1)) + 0.5) * factor - 0.5, 0, side - 1)
    first = middles.astype(np.int64)
    return np.stack([first, np.minimum(first + 1, side - 1)]), middles - first


@cache
def _kernels() -> Any:
    """Return the module of the loops; numba is imported here, on first use."""
    from bottomup.paf.kernels import enlarged

    return enlarged
