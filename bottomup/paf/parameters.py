"""What parameters of the part affinity field decoder may be."""

from typing import Any, Literal

import numpy as np

from bottomup.errors import InputError
from bottomup.tensors import as_number

Matching = Literal["global", "greedy", "hungarian"]
Ranking = Literal["evidence", "mean", "tao"]

RANKINGS: tuple[Ranking, ...] = ("evidence", "mean", "tao")
MATCHINGS: tuple[Matching, ...] = ("global", "greedy", "hungarian")


def check(decoder: Any) -> None:
    """Refuse parameters of a `PafDecoder` that it cannot work with; bring the rest to plain int and float."""
    for name, low in (("max_peaks", 1), ("min_samples", 2), ("max_samples", 2), ("fill_samples", 2), ("min_parts", 1)):
        value = getattr(decoder, name)
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or not low <= value < 2**31:
            raise InputError(f"{name} must be a whole number, at least {low} and below 2**31, got {value!r}")
        object.__setattr__(decoder, name, int(value))
    if decoder.max_samples < decoder.min_samples:
        raise InputError(f"max_samples must be at least min_samples, {decoder.min_samples}, got {decoder.max_samples}")
    numbers = {
        "peak_threshold": (0, 1),
        "limb_threshold": (-1, 1),
        "limb_ratio": (0, 1),
        "usual_length": (0, np.inf),
        "min_limb_score": (0, 1),
        "touching": (0, np.inf),
        "peak_weight": (0, np.inf),
        "fill_threshold": (0, 1),
        "fill_ratio": (0, 1),
        "fill_window": (0, np.inf),
        "min_fill_window": (0, np.inf),
        "fill_owned_factor": (0, 1),
        "fill_chain_factor": (0, 1),
        "min_mean_score": (0, np.inf),
        "half_size": (0, np.inf),
        "half_score": (0, np.inf),
        "max_overlap": (0, 1),
    }
    for name, (low, high) in numbers.items():
        value = as_number(getattr(decoder, name), name)
        if not low <= value <= high or value == np.inf:
            raise InputError(f"{name} must be a number {_range(low, high)}, got {value}")
        object.__setattr__(decoder, name, value)
    choices: dict[str, tuple[str, ...]] = {
        "limb_score": ("samples", "hits"),
        "matching": MATCHINGS,
        "ranking": RANKINGS,
    }
    for name, allowed in choices.items():
        if getattr(decoder, name) not in allowed:
            raise InputError(f"{name} must be one of {', '.join(allowed)}, got {getattr(decoder, name)!r}")
    shift = decoder.shift if isinstance(decoder.shift, (tuple, list)) else (decoder.shift, decoder.shift)
    if len(shift) != 2:
        raise InputError(f"shift must be one number or two, x and y in input pixels, got {decoder.shift!r}")
    shift_x, shift_y = (as_number(number, "shift") for number in shift)
    if not np.isfinite([shift_x, shift_y]).all():
        raise InputError(f"shift must be finite, in input pixels, got {decoder.shift!r}")
    object.__setattr__(decoder, "shift", (shift_x, shift_y))


def _range(low: float, high: float) -> str:
    return f"of at least {low}" if high == np.inf else f"in [{low}, {high}]"
