"""What part affinity fields may be made of: scales, shifts and ranks, or a line that says what is wrong."""

import math

import numpy as np
from numpy.typing import NDArray

from bottomup.errors import InputError
from bottomup.tensors import Field, FieldLike, Quantized, as_fields, as_number

__all__ = ["as_real", "as_shift", "refuse_other_scales", "refuse_rank"]


def refuse_other_scales(pafs: Field) -> None:
    """Refuse maps as OpenPose writes them with a `heatmaps_scale`: where nothing is, fields are not 0."""
    values, units = (
        (pafs.values, (pafs.scale, float(pafs.zero_point))) if isinstance(pafs, Quantized) else (pafs, (1.0, 0.0))
    )
    if values.size == 0:
        return
    corners = [(float(values[at, at, at]) - units[1]) * units[0] for at in (0, -1)]
    if not all(0.4 < corner < 0.6 or 100 < corner < 156 for corner in corners):
        return
    real = as_real(pafs)
    lowest, middle, highest = float(np.min(real)), float(np.median(real)), float(np.max(real))
    if lowest == highest or not (lowest >= 0 and np.median(np.abs(real - middle)) < 0.1 * middle):
        return
    if 0.4 < middle < 0.6 and highest <= 1:
        raise InputError(f"pafs lie around {middle:.2f}, not 0 (OpenPose's heatmaps_scale 1): pass 2 * pafs - 1")
    if 100 < middle < 156 and highest <= 255:
        raise InputError(
            f"pafs lie around {middle:.0f}, not 0 (OpenPose's heatmaps_scale 2): "
            "pass pafs / 127.5 - 1 and heatmaps / 255"
        )


def as_shift(shift: float | tuple[float, float]) -> tuple[float, float]:
    """Return a shift as x and y, finite."""
    given = shift if isinstance(shift, (tuple, list)) else (shift, shift)
    if len(given) != 2:
        raise InputError(f"shift must be one number or two, x and y in input pixels, got {shift!r}")
    x, y = (as_number(number, "shift") for number in given)
    if not (math.isfinite(x) and math.isfinite(y)):
        raise InputError(f"shift must be finite, in input pixels, got {shift!r}")
    return x, y


def refuse_rank(name: str, shape: tuple[int, ...], tensor: FieldLike) -> None:
    """Refuse a tensor that is not one image's, by name."""
    if len(shape) == 4 and shape[3] == 2:
        merged = (*shape[:2], 2 * shape[2])
        raise InputError(f"{name} must have shape (H, W, 2E), got {shape}: pass {name}.reshape{merged}")
    if len(shape) != 3:
        as_fields(**{name: (tensor, 1)})


def as_real(field: Field) -> NDArray[np.float32]:
    """Return a field's real numbers."""
    return np.ascontiguousarray(field.dequantize() if isinstance(field, Quantized) else field)
