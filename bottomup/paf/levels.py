"""What the 256 levels of a quantised tensor stand for."""

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

__all__ = ["log_table", "real_table"]


@lru_cache(maxsize=256)
def real_table(scale: float, zero: float) -> NDArray[np.float64]:
    """Return the real numbers of 256 levels, computed in float32 as TFLite does."""
    return ((np.arange(256, dtype=np.float32) - np.float32(zero)) * np.float32(scale)).astype(np.float64)


@lru_cache(maxsize=256)
def log_table(scale: float, zero: float) -> NDArray[np.float64]:
    """Return the logarithms of the real numbers of 256 levels, as of 0.001 where they are less."""
    return np.array([math.log(max(value, 1e-3)) for value in real_table(scale, zero).tolist()])
