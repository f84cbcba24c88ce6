"""Places on grids: reading between cells, parabolas through them, distances."""

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["are_beside", "bilinear", "clamped", "clip", "distance", "half_clamp", "log", "nearest", "top_of_parabola"]


def nearest(vectors: NDArray[np.float64], row: float, column: float) -> tuple[float, float]:
    """Return x and y of the vector in the nearest cell."""
    row, column = clamped((row, column), vectors.shape)
    x, y = vectors[int(row + 0.5), int(column + 0.5)]
    return float(x), float(y)


def bilinear(vectors: NDArray[np.float64], row: float, column: float) -> tuple[float, float]:
    """Return x and y of the vector between four cells."""
    row, column = clamped((row, column), vectors.shape)
    top, left = int(row), int(column)
    below, beside = row - top, column - left
    bottom, right = top + (below > 0), left + (beside > 0)
    upper = (1 - beside) * vectors[top, left] + beside * vectors[top, right]
    lower = (1 - beside) * vectors[bottom, left] + beside * vectors[bottom, right]
    x, y = (1 - below) * upper + below * lower
    return float(x), float(y)


def clamped(place: tuple[float, float], shape: tuple[int, ...]) -> tuple[float, float]:
    """Return a place inside the grid."""
    return min(max(place[0], 0.0), shape[0] - 1.0), min(max(place[1], 0.0), shape[1] - 1.0)


def are_beside(one: tuple[int, int], other: tuple[int, int]) -> bool:
    """Tell whether two cells are the same or touch."""
    return abs(one[0] - other[0]) <= 1 and abs(one[1] - other[1]) <= 1


def distance(one: tuple[float, float], other: tuple[float, float]) -> float:
    """Return how far two places are apart, in cells."""
    return math.sqrt((other[0] - one[0]) ** 2 + (other[1] - one[1]) ** 2)


def top_of_parabola(line: NDArray[np.float64], place: int) -> float:
    """Return how far from `place` a parabola through its neighbours is highest; 0 at a border."""
    if place in (0, len(line) - 1):
        return 0.0
    before, centre, after = (float(line[at]) for at in (place - 1, place, place + 1))
    curvature = before - 2 * centre + after
    return half_clamp(0.5 * (before - after) / curvature) if curvature < 0 else 0.0


def log(value: float) -> float:
    """Return a logarithm, of at least 0.001."""
    return math.log(value) if value > 1e-3 else math.log(1e-3)


def half_clamp(shift: float) -> float:
    """Return a shift inside [-0.5, 0.5]; nan becomes 0."""
    return 0.0 if math.isnan(shift) else min(max(shift, -0.5), 0.5)


def clip(value: float) -> float:
    """Return a score inside [0, 1]."""
    return min(value, 1.0) if value > 0 else 0.0
