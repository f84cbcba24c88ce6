"""Turning what callers pass into what kernels accept, or saying why it cannot be done."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bottomup.errors import InputError

__all__ = [
    "Field",
    "FieldLike",
    "Quantized",
    "TensorInfo",
    "as_fields",
    "as_flat",
    "as_number",
    "as_planes",
    "look_alike",
    "take_channels",
]


_SMALLEST_SCALE, _LARGEST_SCALE = 1e-30, 1e30  # real units a level, of which float32 holds 255, and a stride of them


def short_repr(holder: Any) -> str:
    """Return the `repr` of a dataclass in one line, arrays by their shape."""
    told = []
    for name in (field.name for field in fields(holder) if field.repr):
        value: Any = getattr(holder, name, None)
        if isinstance(value, Quantized):
            value = f"Quantized({value.values.dtype} {value.values.shape})"
        elif isinstance(value, np.ndarray):
            value = f"{value.dtype} {value.shape}"
        elif hasattr(value, "parts") and hasattr(value, "name"):  # a skeleton
            value = value.name
        if value is not None:
            told.append(f"{name}={value}")
    return f"{type(holder).__name__}({', '.join(told)})"


@dataclass(frozen=True, eq=False)
class Quantized:
    """An 8-bit tensor and what its levels mean: real = (values - zero_point) * scale.

    This is TFLite's per-tensor quantisation. Decoders read the levels
    directly; nothing is dequantised but the few cells that they visit.

    Attributes
    ----------
    values : uint8 or int8 array
        The levels, as the model gives them.
    scale : float
        Real units per level, above 0.
    zero_point : int
        The level that stands for 0.

    Raises
    ------
    InputError
        If `values` is neither uint8 nor int8, or `scale` or `zero_point` cannot be.

    Examples
    --------
    >>> Quantized(np.array([[[118, 138]]], np.uint8), scale=0.1, zero_point=128).dequantize()
    array([[[-1.,  1.]]], dtype=float32)
    """

    values: NDArray[Any]
    scale: float
    zero_point: int
    __repr__ = short_repr

    def __post_init__(self) -> None:
        try:
            values = np.asarray(self.values)
        except ValueError as error:  # rows of different length
            raise InputError(f"Quantized takes an array of uint8 or int8 values: {error}") from error
        if values.dtype not in (np.uint8, np.int8):
            raise InputError(f"Quantized takes uint8 or int8 values, got {values.dtype}: pass real numbers unwrapped")
        scale, zero_point = as_number(self.scale, "scale"), as_number(self.zero_point, "zero_point")
        if not _SMALLEST_SCALE <= scale <= _LARGEST_SCALE:
            raise InputError(
                f"scale must be a finite number above 0 that float32 holds, {_SMALLEST_SCALE:g} to {_LARGEST_SCALE:g}, "
                f"got {scale}: a scale of 0 marks a float tensor"
            )
        limits = np.iinfo(values.dtype)
        if not zero_point.is_integer() or not limits.min <= zero_point <= limits.max:
            raise InputError(
                f"zero_point must be a whole number in [{limits.min}, {limits.max}] for {values.dtype}, "
                f"got {zero_point}"
            )
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "scale", scale)
        object.__setattr__(self, "zero_point", int(zero_point))

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the tensor."""
        return self.values.shape

    def dequantize(self) -> NDArray[np.float32]:
        """Return the real numbers, float32, computed as TFLite does: (level - zero_point) * scale."""
        return (self.values.astype(np.float32) - np.float32(self.zero_point)) * np.float32(self.scale)


class TensorInfo(NamedTuple):
    """One input or output of a network, known before it runs."""

    name: str
    shape: tuple[int, ...]  #: -1 where a size is left open
    dtype: np.dtype[Any]
    scale: float = 0.0  #: real units per level; 0 for a tensor that is not quantised
    zero_point: int = 0  #: the level that stands for 0


_PAF_CHANNELS = {16, 18, 19, 26, 28, 38, 42, 44, 52, 57, 78}
_FINISHED: dict[tuple[int, ...], str] = {
    (6, 56): "the finished poses of MoveNet MultiPose, which bottomup.read_outputs takes",
    (17, 3): "the finished pose of a one-person MoveNet, which bottomup.read_outputs takes",
}

Field: TypeAlias = NDArray[np.float32] | Quantized
FieldLike: TypeAlias = ArrayLike | Quantized


def as_number(value: Any, name: str) -> float:
    """Return `value` as a float, be it a Python number, a NumPy scalar or an array of one."""
    try:
        if isinstance(value, (str, bytes)):
            raise TypeError
        return float(np.asarray(value).reshape(()))
    except (TypeError, ValueError) as error:
        raise InputError(f"{name} must be one number, got {value!r}") from error


def as_fields(**tensors: tuple[FieldLike, int]) -> list[Field]:
    """Bring the tensors of one image to C-contiguous (H, W, C), float32 or uint8 `Quantized`.

    Each argument is `name=(values, channels)`. A batch of one loses its
    first axis. All tensors share one layout, channels last or channels
    first: one tensor alone can be ambiguous, several are not. Grids must
    agree. int8 levels become uint8 ones, moved by 128 with their zero
    point, so that kernels know two element types.
    """
    arrays = {name: _as_image(values, name) for name, (values, _) in tensors.items()}
    channels = {name: count for name, (_, count) in tensors.items()}
    if all(array.shape[2] == channels[name] for name, array in arrays.items()):
        grids = {name: array.shape[:2] for name, array in arrays.items()}
        fields = arrays
    elif all(array.shape[0] == channels[name] for name, array in arrays.items()):
        grids = {name: array.shape[1:] for name, array in arrays.items()}
        fields = {name: np.moveaxis(array, 0, 2) for name, array in arrays.items()}
    else:
        name = next(name for name, array in arrays.items() if array.shape[2] != channels[name])
        raise InputError(
            f"{name} must have {channels[name]} channels, shape (H, W, {channels[name]}) or ({channels[name]}, H, W), "
            f"got {arrays[name].shape}: all tensors of one image share one layout{look_alike(arrays[name].shape)}"
        )
    first = next(iter(grids))
    for name, grid in grids.items():
        if grid != grids[first]:
            raise InputError(
                f"{name} has a grid of {grid} cells but {first} has {grids[first]}: pass one model's outputs"
            )
    return [_as_kernel_field(field, tensors[name][0], name) for name, field in fields.items()]


def look_alike(shape: Sequence[int], own: str = "") -> str:
    """Return what networks give tensors of that shape, and what takes them, as the end of a message; "" if any may.

    `own` is the class that refuses it, which is not proposed again.
    """
    sides = tuple(side for side in shape if side != 1)
    found = _FINISHED.get(sides, "")
    if len(sides) == 2 and {56, 57} & set(sides) and max(sides) > 57:
        found = "the rows of a YOLO-pose, which BoxFields.from_yolo takes"
    elif len(sides) == 2 and 65 in sides and max(sides) > 65:
        found = "the raw heads of a YOLO-pose, which BoxFields.from_yolo_heads takes"
    elif len(sides) == 3 and {sides[0], sides[-1]} & _PAF_CHANNELS:
        found = "maps of part affinity fields, which PafFields takes"
    elif len(sides) == 3 and 17 in (sides[0], sides[-1]):
        found = "heatmaps of 17 parts, which PoseNetFields, CenterFields and TagFields take"
    elif len(sides) == 3 and 34 in (sides[0], sides[-1]):
        found = "heatmaps with tags, which TagFields takes, or vectors to 17 parts (PoseNetFields, CenterFields)"
    return f"; it looks like {found}" if found and not (own and own in found) else ""


def _as_image(values: FieldLike, name: str) -> NDArray[Any]:
    """Return one image's three-dimensional array, levels or real numbers."""
    array = values.values if isinstance(values, Quantized) else _as_real_array(values, name)
    if array.ndim == 4:
        if array.shape[0] != 1:
            raise InputError(f"{name} must be one image's tensor, got a batch of shape {array.shape}: pass {name}[0]")
        array = array[0]
    if array.ndim != 3:
        raise InputError(f"{name} must have shape (H, W, C), got {array.shape}")
    return array


def _as_real_array(values: ArrayLike, name: str) -> NDArray[Any]:
    """Return `values` as an array of real numbers, not yet float32."""
    try:
        array = np.asarray(values)
    except ValueError as error:  # rows of different length
        raise InputError(f"{name} must be a numeric array of shape (H, W, C): {error}") from error
    if array.dtype in (np.uint8, np.int8):
        raise InputError(
            f"{name} is {array.dtype}, whose levels mean nothing alone: "
            f"pass bottomup.Quantized({name}, scale, zero_point) with the tensor's own scale and zero point"
        )
    if array.dtype.kind in "iu" and array.dtype.itemsize < 8:  # 64 bits are those of lists of whole numbers
        raise InputError(
            f"{name} is {array.dtype}: of levels pass bottomup.Quantized({name}.astype(np.uint8), scale, zero_point), "
            f"of real numbers {name}.astype(np.float32)"
        )
    if array.dtype.kind not in "fiub":
        raise InputError(f"{name} must hold real numbers, got dtype {array.dtype}")
    return array


def as_planes(planes: FieldLike, name: str) -> Field:
    """Bring the planes of one image to C-contiguous (C, H, W), as `as_fields` does with (H, W, C)."""
    return _as_kernel_field(_as_image(planes, name), planes, name, channels_first=True)


def _as_kernel_field(array: NDArray[Any], given: FieldLike, name: str, *, channels_first: bool = False) -> Field:
    """Return a C-contiguous field of one of the two element types that kernels are compiled for."""
    if isinstance(given, Quantized):
        if array.dtype == np.int8:
            moved = np.ascontiguousarray(array).view(np.uint8) ^ np.uint8(128)
            return Quantized(moved, given.scale, given.zero_point + 128)
        return Quantized(np.ascontiguousarray(array), given.scale, given.zero_point)
    with np.errstate(over="ignore"):  # a float64 too large for float32 becomes infinite, which kernels accept
        field = np.ascontiguousarray(array, dtype=np.float32)
    last = np.moveaxis(field, 0, 2) if channels_first else field
    if field.size and not np.isfinite(last[0, 0]).all():
        _refuse_what_was_not_computed(last, name)
    return field


def _refuse_what_was_not_computed(field: NDArray[np.float32], name: str) -> None:
    """Refuse a tensor without a finite number, and one with a channel of nothing but NaN."""
    is_nan = np.isnan(field).all(axis=(0, 1))
    if is_nan.all() or not np.isfinite(field).any():
        what = "NaN" if is_nan.all() else "NaN and infinite numbers" if np.isnan(field).any() else "infinite numbers"
        raise InputError(f"{name} holds nothing but {what}: the model's outputs were not computed")
    if is_nan.any() and field.shape[:2] != (1, 1):
        raise InputError(
            f"channel {int(np.argmax(is_nan))} of {name} holds nothing but NaN: the model's outputs were not computed"
        )


def take_channels(field: Field, channels: slice) -> Field:
    """Return some channels of a field, a view."""
    if isinstance(field, Quantized):
        return Quantized(field.values[..., channels], field.scale, field.zero_point)
    return field[..., channels]


def as_flat(array: NDArray[Any]) -> NDArray[Any]:
    """Return a flat tensor of the one array type that kernels are compiled for, a copy where it is read-only."""
    flat = array.reshape(-1)
    return flat if flat.flags.writeable and flat.flags.aligned else flat.copy()
