"""What a tensor of rows is, told by its shape and its numbers: which axis is which, and in what units."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bottomup.boxes.form import NUM_BINS
from bottomup.boxes.grid import STRIDES, count_rows, find_strides, grid_shape, guess_size
from bottomup.errors import InputError
from bottomup.geometry import ImageSize
from bottomup.tensors import Field, FieldLike, Quantized, as_fields, as_planes, look_alike

__all__ = [
    "are_shares",
    "as_table",
    "find_grids",
    "has_rows",
    "join",
    "join_heads",
    "of_field",
    "real",
    "refuse_dead_values",
    "refuse_other_lengths",
    "rows_of",
    "shape_of",
    "sure_rows",
]

_SURE = 0.01  # rows above this score are people often enough to tell units by
_PIXELS = 4.0  # boxes and parts that are shares of the input stay below this: real files reach 1.54


def of_field(field: Field, change: Callable[[NDArray[Any]], NDArray[Any]]) -> Field:
    """Return a field with a changed array."""
    if isinstance(field, Quantized):
        return Quantized(change(field.values), field.scale, field.zero_point)
    return change(field)


def real(field: Field) -> NDArray[np.float32]:
    """Return the real numbers of a field."""
    return field.dequantize() if isinstance(field, Quantized) else field


def shape_of(values: FieldLike, name: str) -> tuple[int, ...]:
    """Return a tensor's shape."""
    try:
        return np.shape(values.values if isinstance(values, Quantized) else values)
    except ValueError as error:  # rows of different length
        raise InputError(f"{name} must be a numeric array: {error}") from error


def as_table(values: FieldLike, name: str, shape: tuple[int, int], *, rows_last: bool = False) -> Field:
    """Return a tensor as (rows, values), float32 or uint8 `Quantized`, C-contiguous or the transpose of what is.

    `shape` is that of the tensor as it lies: (rows, values), or (values, rows) if `rows_last`.
    """
    image = (shape[0], 1, shape[1]) if rows_last else (1, *shape)
    if isinstance(values, Quantized):
        values = Quantized(values.values.reshape(image), values.scale, values.zero_point)
    else:
        values = np.asarray(values).reshape(image)
    if rows_last:
        return of_field(as_planes(values, name), lambda planes: planes[:, 0].T)
    [field] = as_fields(**{name: (values, shape[1])})
    return of_field(field, lambda array: array[0])


def rows_of(values: FieldLike, name: str, size: ImageSize, num_values: int | None = None) -> Field:
    """Return a tensor as (rows, values), a view: the first or the last axis, that which is as long as there are cells.

    Where both are, the rows are the axis that leaves `num_values`, or the last. Values may have axes of their own, as
    (17, 3, R), unless `num_values` is told.
    """
    given = shape_of(values, name)
    shape = given[1:] if len(given) > 2 and given[0] == 1 else given
    while len(shape) > 2 and shape[-1] == 1:
        shape = shape[:-1]
    count = int(np.prod(shape))
    fitting = {axis: shape[axis] for axis in (0, -1) if shape and find_strides(shape[axis], size)}
    if len(shape) > (3 if num_values is None else 2) and len(given) != 1 and fitting:
        raise InputError(f"{name} must be one image's tensor, got a batch of shape {given}: pass {name}[0]")
    if not fitting or len(shape) < 2:
        raise InputError(f"{name} must have {_misfit(given, size)}")
    last = -1 in fitting and (0 not in fitting or count != (num_values or -1) * fitting[0])
    if last:
        return as_table(values, name, (count // shape[-1], shape[-1]), rows_last=True)
    return as_table(values, name, (shape[0], count // shape[0]))


def has_rows(shape: tuple[int, ...], size: ImageSize) -> bool:
    """Tell whether one of a tensor's axes is as long as the input has cells."""
    return any(find_strides(side, size) for side in shape)


def _misfit(shape: tuple[int, ...], size: ImageSize) -> str:
    """Return the message on a shape of which no axis is as long as the input has cells, after its name."""
    hint = look_alike(shape, "BoxFields")
    if not hint:
        side = next((side for side in map(guess_size, shape) if side), None)
        hint = f": pass input_size=({side}, {side})" if side else ": pass the (width, height) of the network's input"
    expected = count_rows(size, STRIDES[0])
    return f"{expected} rows for an input of {size.width} x {size.height}, got shape {shape}{hint}"


def join_heads(values: FieldLike | Sequence[FieldLike], name: str, size: ImageSize) -> Field:
    """Return a network's raw heads as (rows, values): one tensor, several to be put side by side, or maps of the grids.

    Several maps of one grid are put side by side, too, boxes first.
    """
    if not isinstance(values, (list, tuple)) or not all(len(shape_of(each, name)) > 1 for each in values):
        return rows_of(values, name, size)  # type: ignore[arg-type]
    shapes = [shape_of(each, name) for each in values]
    shapes = [shape[1:] if len(shape) == 4 and shape[0] == 1 else shape for shape in shapes]
    grids, channel_axis = find_grids(shapes, size)
    if not grids and all(has_rows(shape, size) for shape in shapes):
        return join(sorted((rows_of(each, name, size) for each in values), key=lambda rows: _place(rows.shape[1])), 1)
    if not grids:
        raise InputError(
            f"{name} must be maps of one layout, whose grids fit an input of {size.width} x {size.height}, got shapes "
            f"{shapes}"
        )
    of_stride: dict[int, list[Field]] = {}
    for each, shape, stride in sorted(
        zip(values, shapes, grids, strict=True), key=lambda one: _place(one[1][channel_axis])
    ):
        count = int(np.prod(shape)) // shape[channel_axis]
        sides = (count, shape[-1]) if channel_axis == -1 else (shape[0], count)
        table = as_table(each, name, sides, rows_last=channel_axis == 0)
        of_stride.setdefault(stride, []).append(table)
    joined = [join(of_stride[stride], 1) for stride in sorted(of_stride)]
    if len({field.shape[1] for field in joined}) != 1 or not find_strides(
        sum(field.shape[0] for field in joined), size
    ):
        raise InputError(f"{name} must be the maps of all grids, with the same channels, got shapes {shapes}")
    return join(joined, 0)


def _place(num_values: int) -> int:
    """Return by what heads are sorted: logits of distances before those of classes."""
    return -1 if num_values == 4 * NUM_BINS else num_values


def find_grids(shapes: Sequence[tuple[int, ...]], size: ImageSize) -> tuple[list[int], int]:
    """Return the strides of maps of one layout and the axis of their channels, -1 or 0; no strides if none fit."""
    strides = sorted({stride for each in STRIDES for stride in each})
    grids = {grid_shape(size, stride): stride for stride in strides}
    for channel_axis, first in ((-1, 0), (0, 1)):
        found = [grids.get((shape[first], shape[first + 1]), 0) if len(shape) == 3 else 0 for shape in shapes]
        if all(found):
            return found, channel_axis
    return [], -1


def join(fields: Sequence[Field], axis: int) -> Field:
    """Return several tables as one, below or beside each other; of levels only where all have the same units."""
    units = {(each.scale, each.zero_point) if isinstance(each, Quantized) else None for each in fields}
    if len(units) == 1 and (of_all := units.pop()) is not None:
        levels = [each.values for each in fields if isinstance(each, Quantized)]
        return Quantized(np.concatenate(levels, axis), *of_all)
    return np.concatenate([real(each) for each in fields], axis)


def sure_rows(rows: Field, scores: slice) -> NDArray[np.intp]:
    """Return the numbers of the rows that have some score; where none has, of about 256 from all over the input."""
    values = real(of_field(rows, lambda array: array[:, scores]))
    sure = (
        np.flatnonzero(values[:, 0] > _SURE) if values.shape[1] == 1 else np.flatnonzero((values > _SURE).any(axis=1))
    )
    return sure if sure.size else np.arange(0, len(values), len(values) // 256 + 1)


def are_shares(rows: Field, chosen: NDArray[np.intp], places: NDArray[np.intp], given: bool | None, name: str) -> bool:
    """Tell whether the columns `places` are shares of the input, 0 to 1, and not pixels; `given` is the caller's word.

    The `chosen` rows tell, or the levels of an 8-bit tensor whose range is small.
    """
    if given is not None:
        if not isinstance(given, (bool, np.bool_)):
            raise InputError(f"{name} must be True, False or None, got {given!r}")
        return bool(given)
    if isinstance(rows, Quantized) and max(rows.zero_point, 255 - rows.zero_point) * rows.scale < _PIXELS:
        return True
    found = np.abs(real(of_field(rows, lambda array: array[chosen[:, None], places])))
    found = found[np.isfinite(found)]
    return bool(found.size and found.max() < _PIXELS)


def refuse_dead_values(field: Field, name: str) -> None:
    """Refuse a table of which a column holds no number at all: that network's outputs were not computed."""
    if isinstance(field, Quantized) or not field.size:
        return
    suspects = np.flatnonzero(~np.isfinite(field[0]))
    for column in suspects:
        if not np.isfinite(field[:, column]).any():
            raise InputError(
                f"{name} holds no finite number as value {column} of its rows: the model's outputs were not computed"
            )


def refuse_other_lengths(**fields: Field) -> None:
    """Refuse tables of different numbers of rows."""
    lengths = {name: field.shape[0] for name, field in fields.items()}
    if len(set(lengths.values())) != 1:
        listing = " but ".join(f"{name} {length}" for name, length in lengths.items())
        raise InputError(f"tensors of one image must have the same number of rows, got {listing}: pass one model's")
