"""Where an output's cells lie in the input image, traced through convolutions, pools and pads.

A convolution with stride 2 and "SAME" padding adds nothing before an even
side, so the centre of its first cell lies one pixel further in than for an
odd side. Four such layers add up to 15 pixels. It depends on the input size,
so it is computed for each size.
"""

from collections.abc import Hashable, Iterable, Mapping
from typing import NamedTuple, TypeAlias

from bottomup.geometry import ImageSize

__all__ = ["Axis", "Resample", "Step", "Window", "first_cells", "scaled_side"]


class Axis(NamedTuple):
    """One axis of a grid: where its cells lie, in input pixels."""

    first: float  #: centre of cell 0; that of pixel 0 is 0
    pitch: float  #: from one cell to the next
    cells: int


class Window(NamedTuple):
    """A convolution, pool or pad, along one axis."""

    size: int = 1
    stride: int = 1
    dilation: int = 1
    before: int = 0  #: cells of padding, negative where some are cut off
    after: int = 0
    same: bool = False  #: padded like TensorFlow's "SAME", an odd cell at the end; `before` and `after` do not count
    transposed: bool = False

    def along(self, axis: Axis) -> Axis:
        """Return the axis of the output."""
        reach, before, after = (self.size - 1) * self.dilation + 1, self.before, self.after
        if self.transposed:
            before = max(reach - self.stride, 0) // 2 if self.same else before
            cells = axis.cells * self.stride if self.same else (axis.cells - 1) * self.stride + reach - before - after
            return Axis(
                axis.first + axis.pitch * (before - (reach - 1) / 2) / self.stride, axis.pitch / self.stride, cells
            )
        if self.same:
            cells = -(-axis.cells // self.stride)
            before = max((cells - 1) * self.stride + reach - axis.cells, 0) // 2
        else:
            cells = (axis.cells + before + after - reach) // self.stride + 1
        return Axis(axis.first + axis.pitch * ((reach - 1) / 2 - before), axis.pitch * self.stride, cells)


class Resample(NamedTuple):
    """A resize along one axis; `given` and `made` are the numbers of cells in the file."""

    given: int
    made: int
    half_pixel: bool = True  #: edges meet edges
    align_corners: bool = False  #: first and last cells meet first and last

    def along(self, axis: Axis) -> Axis:
        """Return the axis of the output."""
        cells = scaled_side(self.made, self.given, axis.cells)
        ratio = (axis.cells - 1) / max(cells - 1, 1) if self.align_corners else axis.cells / cells
        start = 0.5 * ratio - 0.5 if self.half_pixel and not self.align_corners else 0.0
        return Axis(axis.first + axis.pitch * start, axis.pitch * ratio, cells)


Change: TypeAlias = Window | Resample | None


class Step(NamedTuple):
    """What an operator does to a grid; no changes if it leaves cells where they are."""

    reads: tuple[Hashable, ...]  #: the first one that has a grid counts
    writes: tuple[Hashable, ...]
    rows: Change = None
    columns: Change = None


def first_cells(steps: Iterable[Step], image: Hashable, size: ImageSize) -> Mapping[Hashable, tuple[float, float]]:
    """Return x and y of the first cell's centre, for every tensor that known operators compute from the image."""
    grids = {image: (Axis(0.0, 1.0, size.height), Axis(0.0, 1.0, size.width))}
    for step in steps:
        grid = next((grids[tensor] for tensor in step.reads if tensor in grids), None)
        if grid is None:
            continue
        rows, columns = (
            axis if change is None else change.along(axis)
            for axis, change in zip(grid, (step.rows, step.columns), strict=True)
        )
        if rows.cells > 0 and columns.cells > 0:
            grids |= dict.fromkeys(step.writes, (rows, columns))
    return {tensor: (columns.first, rows.first) for tensor, (rows, columns) in grids.items()}


def scaled_side(side: int, old: int, new: int) -> int:
    """Return the new length of a grid's side when the input's side changes from `old` to `new`.

    A whole number of strides plus 1 stays one; any other length is rounded up, as "SAME" padding does.

    Examples
    --------
    >>> scaled_side(12, 192, 256), scaled_side(17, 257, 513), scaled_side(12, 192, 200), scaled_side(61, 31, 17)
    (16, 33, 13, 33)
    """
    if side > 1 < old and ((old - 1) % (side - 1) == 0 or (side - 1) % (old - 1) == 0) and old != side and new % 2:
        return -(-(new - 1) * (side - 1) // (old - 1)) + 1
    return max(-(-new * side // old), 1)
