"""Checks of PoseNet fields beyond their shapes."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bottomup.errors import InputError
from bottomup.tensors import Field, Quantized, as_number

__all__ = ["are_logits", "as_shift", "as_stride", "refuse_non_finite", "refuse_non_scores"]

_LARGEST_STRIDE = 1024
_OVERSHOOT = 0.25  # how far above 1 resizing can take a map of scores


def refuse_non_finite(tensor: NDArray[np.float32], name: str) -> None:
    """Refuse a tensor that holds NaN or infinite numbers, and name their channel.

    The sum of squares is the fastest test: it is finite unless some number is not, or some are huge.
    """
    flat = tensor.reshape(-1)
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isfinite(np.dot(flat, flat)):
            return
    is_wrong = ~np.isfinite(tensor)
    if is_wrong.any():
        channel = int(is_wrong.any(axis=(0, 1)).argmax())
        count, cells = np.count_nonzero(is_wrong[..., channel]), tensor.shape[0] * tensor.shape[1]
        raise InputError(
            f"{name} holds NaN or infinite numbers, channel {channel} in {count} of {cells} cells: "
            "the model's outputs were not computed, or left the range of their type"
        )


def refuse_non_scores(heatmaps: Field) -> None:
    """Refuse heatmaps of scores that lie far above 1; resizing can take them a little above."""
    lowest, highest = _range(heatmaps)
    if highest > 1 + _OVERSHOOT:
        raise InputError(
            f"heatmaps go from {lowest:.3g} to {highest:.3g}, but logits=False means scores in [0, 1]: pass logits=True"
        )


def are_logits(logits: bool | None, fields: dict[str, Field]) -> bool:
    """Return what the caller says, by default True; refuse to guess if heatmaps look like scores."""
    if logits is not None:
        return bool(logits)
    lowest, highest = _range(fields["heatmaps"])
    if lowest >= 0 and 0 < highest <= 1:
        raise InputError(
            f"heatmaps lie within [0, 1], from {lowest:.3g} to {highest:.3g}, like scores: pass logits=False, or "
            "logits=True if they are logits"
        )
    return True


def _range(heatmaps: Field) -> tuple[float, float]:
    """Return the lowest and highest number that heatmaps hold; 0 and 0 if there are no cells."""
    if isinstance(heatmaps, Quantized):
        levels = (heatmaps.values.min(), heatmaps.values.max()) if heatmaps.values.size else (heatmaps.zero_point,) * 2
        lowest, highest = ((int(level) - heatmaps.zero_point) * heatmaps.scale for level in levels)
        return lowest, highest
    return (float(heatmaps.min()), float(heatmaps.max())) if heatmaps.size else (0.0, 0.0)


def as_stride(output_stride: float) -> float:
    """Return a valid stride."""
    stride = as_number(output_stride, "output_stride")
    if not 0.5 <= stride <= _LARGEST_STRIDE:
        raise InputError(
            f"output_stride must be input pixels per cell, such as 8, 16 or 32, from 0.5 to {_LARGEST_STRIDE}, "
            f"got {output_stride!r}"
        )
    return stride


def as_shift(shift: Any) -> tuple[float, float]:
    """Return a valid shift: x and y of the first cell's middle."""
    try:
        x, y = (as_number(number, "shift") for number in shift)
    except (TypeError, ValueError) as error:
        raise InputError(f"shift must be x and y in input pixels, such as (15.0, 15.0), got {shift!r}") from error
    if not max(abs(x), abs(y)) <= _LARGEST_STRIDE:
        raise InputError(f"shift must be x and y, each at most {_LARGEST_STRIDE} input pixels, got {shift!r}")
    return x, y
