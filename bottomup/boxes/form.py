"""What kernels are told of rows: where each value is, and what it means."""

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bottomup.tensors import Field, Quantized, as_flat

__all__ = ["NUM_BINS", "Boxing", "Cells", "Form", "Parting", "Parts", "Rows", "Scoring", "make_bundles", "make_form"]

#: How the first values of a row give its box: x and y of the middle, width and height; left, top, right and bottom;
#: logits of 16 distances to each side; x, y and logarithms of width and height, from a cell.
CENTRE, CORNERS, BINS, POINT = range(4)
NUM_BINS = 16
_NO_CELLS = np.array([[0, 0, 1]], np.float32)


class Rows(NamedTuple):
    """Where a value of a row is: element row * row_step + value * value_step."""

    elements: NDArray[Any]  #: flat, uint8 or float32
    reals: NDArray[np.float32] | None  #: the real numbers of 256 levels; None of floats
    num_rows: int
    row_step: int
    value_step: int


class Parts(NamedTuple):
    """The same of parts, which may be values of the rows."""

    elements: NDArray[Any]
    reals: NDArray[np.float32] | None
    row_step: int
    value_step: int


class Cells(NamedTuple):
    """Where rows come from."""

    priors: NDArray[np.float32]  #: (R, 3) x, y and stride of each row's cell, or one for all rows
    prior_step: int  #: 1, or 0 of one for all


class Scoring(NamedTuple):
    """Which values of a row are scores."""

    first_class: int  #: where those of classes begin
    num_classes: int
    objectness: int  #: where a factor of all of them is, or -1
    is_logits: bool  #: whether they need the sigmoid


class Boxing(NamedTuple):
    """What the first values of a row are."""

    kind: int  #: CENTRE, CORNERS, BINS or POINT
    box_unit_x: np.float32  #: input pixels per unit, or strides where rows come from cells
    box_unit_y: np.float32


class Parting(NamedTuple):
    """Which values are those of parts."""

    first_part: int  #: where x of the first one is
    num_parts: int
    num_values: int  #: of each: x, y and perhaps a score
    are_logits: bool  #: whether scores need the sigmoid
    part_unit_x: np.float32  #: input pixels per unit, or strides where rows come from cells
    part_unit_y: np.float32


class Form(NamedTuple):
    """What the values of a row mean."""

    scoring: Scoring
    boxing: Boxing
    parting: Parting
    is_final: bool  #: whether the network itself left one row a person


def make_form(
    kind: int,
    num_classes: int,
    num_parts: int,
    num_values: int,
    *,
    first_class: int = 4,
    objectness: int = -1,
    first_part: int = 0,
    is_logits: bool = False,
    is_final: bool = False,
    box_unit: tuple[float, float] = (1, 1),
    part_unit: tuple[float, float] = (1, 1),
) -> Form:
    """Return a form; units are x and y."""
    box_x, box_y, part_x, part_y = (np.float32(unit) for unit in (*box_unit, *part_unit))
    scoring = Scoring(first_class, num_classes, objectness, is_logits)
    parting = Parting(first_part, num_parts, num_values, is_logits, part_x, part_y)
    return Form(scoring, Boxing(kind, box_x, box_y), parting, is_final)


def make_bundles(rows: Field, parts: Field | None, priors: NDArray[np.float32] | None, form: Form) -> tuple[Any, ...]:
    """Return the first arguments of the kernel, of one element type: `Rows`, `Parts`, `Cells` and the form's three."""
    if parts is not None and isinstance(rows, Quantized) != isinstance(parts, Quantized):
        rows, parts = (field.dequantize() if isinstance(field, Quantized) else field for field in (rows, parts))
    flat, row_step, value_step = _flat(rows)
    of_rows = Rows(flat, _reals(rows), rows.shape[0], row_step, value_step)
    of_parts = Parts(flat, of_rows.reals, row_step, value_step)
    if parts is not None:
        flat, row_step, value_step = _flat(parts)
        of_parts = Parts(flat, _reals(parts), row_step, value_step)
    cells = Cells(_NO_CELLS, 0) if priors is None else Cells(priors, 1)
    return tuple(tuple(bundle) for bundle in (of_rows, of_parts, cells, form.scoring, form.boxing, form.parting))


def _flat(field: Field) -> tuple[NDArray[Any], int, int]:
    """Return a table as a flat array, without a copy of one that lies row by row or value by value; and both steps."""
    array = field.values if isinstance(field, Quantized) else field
    num_rows, num_values = array.shape
    if array.flags.c_contiguous or not array.T.flags.c_contiguous:
        return as_flat(np.ascontiguousarray(array)), num_values, 1
    return as_flat(array.T), 1, num_rows


def _reals(field: Field) -> NDArray[np.float32] | None:
    return _table(field.scale, field.zero_point) if isinstance(field, Quantized) else None


@lru_cache(maxsize=64)
def _table(scale: float, zero_point: int) -> NDArray[np.float32]:
    """Return the real numbers of 256 levels."""
    return Quantized(np.arange(256, dtype=np.uint8), scale, zero_point).dequantize()
