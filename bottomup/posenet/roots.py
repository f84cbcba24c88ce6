"""What every PoseNet decoder does before its loops: check, find roots, lay out the walk through the tree."""

from collections.abc import Callable
from dataclasses import fields as fields_of
from functools import cache, lru_cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bottomup.checks import as_number
from bottomup.errors import InputError
from bottomup.posenet.fields import EDGES, NUM_EDGES, NUM_PARTS, PoseNetFields
from bottomup.skeletons import COCO17

_PEAKS_TO_START_WITH = 1024


def check(decoder: Any) -> None:
    """Refuse parameters of a decoder, a frozen dataclass, that cannot be; bring the rest to plain int and float."""
    for parameter in fields_of(decoder):
        name, value = parameter.name, getattr(decoder, parameter.name)
        low = 0 if name == "refinement_steps" else 1
        if isinstance(parameter.default, int):
            if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < low:
                raise InputError(f"{name} must be a whole number, at least {low}, got {value!r}")
            object.__setattr__(decoder, name, int(value))
            continue
        number = as_number(value, name)
        if name.endswith(("_threshold", "_score", "_similarity")):
            if not 0 <= number <= 1:
                raise InputError(f"{name} must be a score in [0, 1], got {value!r}")
        elif not (number > 0 or (number == 0 and name == "nms_radius")):
            raise InputError(f"{name} must be a length above 0, got {value!r}")
        object.__setattr__(decoder, name, number)


def as_posenet_fields(fields: Any) -> PoseNetFields:
    """Return `fields`, or say what to pass instead."""
    if not isinstance(fields, PoseNetFields):
        raise InputError(
            f"fields must be PoseNetFields, got {type(fields).__name__}: "
            "build them with PoseNetFields.from_mid_offsets or from_displacements"
        )
    return fields


def find_roots(fields: PoseNetFields, lowest: float, radius: int, compare_scores: bool = False) -> NDArray[np.int64]:
    """Return the flat indices of heatmap peaks whose real value reaches `lowest`."""
    tensors, (height, width) = fields.tensors, fields.grid
    if tensors.heatmaps.dtype == np.float32:
        return find_peaks(tensors.heatmaps, height, width, lowest, radius, compare_scores)
    level = _lowest_level(tensors.heatmap_scale, tensors.heatmap_zero, lowest)
    find = partial(
        _kernels().find_peaks_u8,
        tensors.heatmaps,
        tensors.words,
        height,
        width,
        NUM_PARTS,
        level,
        min(radius, height + width),
    )
    return _grow(find)


def find_peaks(
    values: NDArray[np.float32], height: int, width: int, lowest: float, radius: int, compare_scores: bool = False
) -> NDArray[np.int64]:
    """Return the flat indices of the peaks of 17 float maps that reach `lowest`."""
    find = _kernels().find_peaks_f32
    radius = min(radius, height + width)
    return _grow(partial(find, values, height, width, NUM_PARTS, np.float32(lowest), radius, compare_scores))


def _grow(find: Callable[[NDArray[np.int64]], int]) -> NDArray[np.int64]:
    """Return all that `find` finds: it says how many there are, even where they do not fit."""
    peaks = np.empty(_PEAKS_TO_START_WITH, np.int64)
    count = find(peaks)
    if count > len(peaks):
        peaks = np.empty(count, np.int64)
        find(peaks)
    return peaks[:count]


@cache
def _kernels() -> Any:
    """Return the loops; numba is imported here, on first use."""
    from bottomup.kernels import peaks

    return peaks


@lru_cache(maxsize=256)
def logit(score: float) -> float:
    """Return the logit of a score in [0, 1]."""
    if score <= 0:
        return -np.inf
    return float(np.log(score / (1 - score))) if score < 1 else np.inf


@cache
def squared_kappas() -> NDArray[np.float32]:
    """Return COCO's squared constants per part, (2 sigma)^2."""
    return np.array([4 * sigma**2 for sigma in COCO17.sigmas or ()], np.float32)


@lru_cache(maxsize=256)
def _lowest_level(scale: np.float32, zero: np.float32, lowest: float) -> int:
    """Return the first of the 256 levels whose real value reaches `lowest`, 256 if none does."""
    values = (np.arange(256, dtype=np.float32) - zero) * scale
    return int(np.count_nonzero(~(values >= np.float32(lowest))))


@cache
def walks() -> NDArray[np.int64]:
    """Return (17, 16, 4): from each root, breadth first, steps of (source, target, displacement channel, is backward).

    The edges form a tree: each part is reached along one path, so that the
    order of steps changes nothing and upstream's queues can be done without.
    """
    table = np.empty((NUM_PARTS, NUM_EDGES, 4), np.int64)
    for root in range(NUM_PARTS):
        reached, steps = [root], []
        for source in reached:
            for edge, (parent, child) in enumerate(EDGES):
                if source == parent and child not in reached:
                    steps.append((source, child, edge, 0))
                    reached.append(child)
                elif source == child and parent not in reached:
                    steps.append((source, parent, 2 * NUM_EDGES + edge, 1))
                    reached.append(parent)
        table[root] = steps
    return table
