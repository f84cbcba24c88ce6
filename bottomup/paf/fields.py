"""The outputs of a network of part affinity fields, whatever layout they came in."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bottomup.errors import InputError
from bottomup.paf.bundles import Heat, Vectors
from bottomup.paf.checks import as_real, as_shift, refuse_other_scales, refuse_rank
from bottomup.paf.levels import log_table, real_table
from bottomup.skeletons import OPENPOSE18, Skeleton, as_skeleton
from bottomup.tensors import Field, FieldLike, Quantized, as_fields, as_flat, as_number, look_alike, short_repr
from bottomup.tensors import take_channels as take

__all__ = ["PafFields", "is_one_picture", "num_paf_channels_of"]


@dataclass(frozen=True, eq=False, init=False)
class PafFields:
    """One image's heatmaps and part affinity fields, checked.

    The two tensors may come in either order; their numbers of channels tell
    them apart, and where they do not, the heatmaps come first. Each is
    (H, W, C), (1, H, W, C) or (C, H, W), and becomes (H, W, C), float32 or
    `Quantized`. The caller's arrays are shared where they fit and never
    written to.

    Attributes
    ----------
    heatmaps : (H, W, N) or (H, W, N + 1) field
        Part scores, about [0, 1]. A last channel of background is not looked at.
    pafs : (H', W', 2E) field
        Of each edge the x and y of a vector that points from parent to child
        on the limb, about 1 long, and is 0 elsewhere; in which channels, says
        `skeleton.paf_channels`. The grid may be finer than the heatmaps', of
        the same picture. A grid that was enlarged by repeating cells, as in
        BodyPoseNet's deployable files (36 x 48 and 144 x 192), is read at
        every k-th cell, which is the field before it was enlarged.
    skeleton : Skeleton
        Parts, edges and channels: `bottomup.OPENPOSE18` (default),
        `BODYPOSE18`, `BODY25`, `MPI15`, `TRTPOSE18` or your own.
    output_stride : float
        Input pixels per cell of the heatmaps.
    paf_shift : float
        How far the fields lie below and right of the limbs, in cells of the
        heatmaps. 0 (default) in most systems. NVIDIA's TAO Toolkit labels
        heatmaps at the middle of a cell and fields at its top left corner, so
        that BodyPoseNet's is 0.4375, (stride - 1) / 2 pixels.
    shift : (float, float)
        Where the middle of cell 0 lies, x and y in input pixels, beyond its usual place, (stride - 1) / 2. 0 (default)
        but where a network runs at sides that are no whole strides. One number stands for both.

    Raises
    ------
    InputError
        If a rank, channel count, grid or element type does not fit, or a
        tensor holds nothing but NaN.

    References
    ----------
    Cao et al., "Realtime Multi-Person 2D Pose Estimation using Part Affinity Fields", CVPR 2017. arXiv:1611.08050

    Examples
    --------
    >>> fields = PafFields(np.zeros((46, 54, 19)), np.zeros((46, 54, 38)))
    >>> fields.grid
    (46, 54)
    """

    heatmaps: Field
    pafs: Field
    skeleton: Skeleton
    output_stride: float
    paf_shift: float
    shift: tuple[float, float]
    _maps: Field | None = field(init=False, repr=False)  # both in one tensor, if they came so
    __repr__ = short_repr

    def __init__(
        self,
        heatmaps: FieldLike,
        pafs: FieldLike,
        skeleton: Skeleton = OPENPOSE18,
        output_stride: float = 8,
        *,
        paf_shift: float = 0.0,
        shift: float | tuple[float, float] = 0.0,
    ) -> None:
        self._set(*_told_apart(heatmaps, pafs, skeleton), skeleton, output_stride, paf_shift, shift, None)

    def _set(
        self,
        heatmaps: Field,
        pafs: Field,
        skeleton: Skeleton,
        output_stride: float,
        paf_shift: float,
        shift: float | tuple[float, float],
        maps: Field | None,
    ) -> None:
        """Check the numbers and keep everything."""
        stride, cells = as_number(output_stride, "output_stride"), as_number(paf_shift, "paf_shift")
        if not 0 < stride < math.inf:
            raise InputError(f"output_stride must be above 0, in input pixels per cell (4 or 8), got {stride}")
        if not -1 <= cells <= 1:
            raise InputError(f"paf_shift must be at most a cell, got {cells}")
        refuse_other_scales(pafs)
        self._keep(heatmaps, pafs, skeleton, stride, cells, as_shift(shift), maps)

    def _keep(self, *values: Any) -> None:
        """Keep what was checked."""
        for name, value in zip(self.__dataclass_fields__, values, strict=True):
            object.__setattr__(self, name, value)

    @classmethod
    def from_concatenated(
        cls,
        maps: FieldLike,
        *,
        skeleton: Skeleton = OPENPOSE18,
        output_stride: float = 8,
        paf_shift: float = 0.0,
        shift: float | tuple[float, float] = 0.0,
    ) -> "PafFields":
        """Take the one tensor of tf-pose and of OpenPose's own files: heatmaps, then PAFs.

        Parameters
        ----------
        maps : (H, W, C) array or Quantized
            57 channels of OpenPose's 18 parts, 78 of BODY25, 44 of MPI15; one
            less without background. Also (1, H, W, C) and (C, H, W).
        skeleton, output_stride, paf_shift, shift
            See the class.

        Raises
        ------
        InputError
            As the class does, and where a shape fits both layouts.
        """
        num_parts, num_paf_channels = len(as_skeleton(skeleton).parts), num_paf_channels_of(skeleton)
        totals = num_parts + 1 + num_paf_channels, num_parts + num_paf_channels
        shape = _image_shape(maps)
        first, last = (shape[0], shape[2]) if len(shape) == 3 else (0, 0)
        if first in totals and last in totals:
            raise InputError(
                f"maps of shape {shape} may be (H, W, C) or (C, H, W): pass heatmaps and PAFs apart, "
                f"PafFields(maps[..., :{last - num_paf_channels}], maps[..., {last - num_paf_channels}:]) if C is last"
            )
        channels = totals[1] if totals[1] in (first, last) else totals[0]
        [checked] = as_fields(maps=(maps, channels))
        heatmaps, pafs = (take(checked, part) for part in (slice(-num_paf_channels), slice(-num_paf_channels, None)))
        fields = cls.__new__(cls)
        fields._set(heatmaps, pafs, skeleton, output_stride, paf_shift, shift, checked)
        return fields

    def derived(
        self,
        heatmaps: Field,
        pafs: Field,
        *,
        output_stride: float | None = None,
        paf_shift: float | None = None,
        shift: tuple[float, float] | None = None,
    ) -> "PafFields":
        """Return fields with tensors that were computed from these: checks are for what a user passes."""
        fields = object.__new__(PafFields)
        stride = self.output_stride if output_stride is None else output_stride
        cells = self.paf_shift if paf_shift is None else paf_shift
        fields._keep(heatmaps, pafs, self.skeleton, stride, cells, self.shift if shift is None else shift, None)
        return fields

    @property
    def grid(self) -> tuple[int, int]:
        """H and W of the heatmaps, in cells."""
        return self.heatmaps.shape[0], self.heatmaps.shape[1]

    @cached_property
    def paf_repeat(self) -> int:
        """How often each cell of the PAFs is repeated, down and across; 1 where they were not enlarged so."""
        height, width = self.grid
        pafs = _elements(self.pafs)
        if pafs.size == 0:
            return 1
        repeat = pafs.shape[0] // height
        if repeat < 2 or pafs.shape[:2] != (repeat * height, repeat * width):
            return 1
        is_constant = np.array_equal(pafs[::repeat, ::repeat], pafs[repeat - 1 :: repeat, repeat - 1 :: repeat])
        return repeat if is_constant else 1

    @cached_property
    def raw(self) -> "PafFields":
        """The fields before somebody enlarged them; these themselves where nobody did."""
        from bottomup.paf.enlarged import as_raw

        return as_raw(self)

    @property
    def is_raw(self) -> bool:
        """Whether it is known that these are a network's own cells."""
        return self.__dict__.get("raw") is self

    @cached_property
    def num_elements(self) -> int:
        """How many numbers there are to read, in cells that hold a field of their own or repeat one."""
        heat, _ = self.tensors
        return heat.heat_height * heat.heat_width * heat.channels + math.prod(self.pafs.shape)

    @cached_property
    def bundles(self) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        """`tensors` as plain tuples, of which numba makes arguments in half the time."""
        heat, vectors = self.tensors
        return tuple(heat), tuple(vectors)

    @cached_property
    def tensors(self) -> tuple[Heat, Vectors]:
        """The flat tensors that kernels read, one element type for both."""
        heatmaps, pafs, maps = self.heatmaps, self.pafs, self._maps
        if isinstance(heatmaps, Quantized) != isinstance(pafs, Quantized):
            heatmaps, pafs, maps = as_real(heatmaps), as_real(pafs), None
        heat, paf = _elements(heatmaps if maps is None else maps), _elements(pafs if maps is None else maps)
        height, width = self.grid
        repeat, paf_step = self.paf_repeat, paf.shape[2]
        paf_height, paf_width = pafs.shape[0] // repeat, pafs.shape[1] // repeat
        ratio_y, ratio_x = paf_height / max(height, 1), paf_width / max(width, 1)
        own_heat = as_flat(heat)
        return (
            Heat(
                heatmaps=own_heat,
                heat_table=_table(heatmaps, real_table),
                logs=_table(heatmaps, log_table),
                channels=heat.shape[2],
                heat_height=height,
                heat_width=width,
                num_parts=len(self.skeleton.parts),
            ),
            Vectors(
                pafs=own_heat if paf is heat else as_flat(paf),
                table=_table(pafs, real_table),
                row_step=repeat * pafs.shape[1] * paf_step,
                column_step=repeat * paf_step,
                height=paf_height,
                width=paf_width,
                ratio_y=ratio_y,
                ratio_x=ratio_x,
                offset_y=(0.5 + self.paf_shift) * ratio_y - 0.5,
                offset_x=(0.5 + self.paf_shift) * ratio_x - 0.5,
                edges=_edge_table(self.skeleton, 0 if maps is None else self.heatmaps.shape[2]),
            ),
        )

    @cached_property
    def levels(self) -> tuple[float, float] | None:
        """Scale and zero of the heatmaps that kernels read; None where these are floats."""
        is_float = self.tensors[0].heat_table is None
        return None if is_float or not isinstance(self.heatmaps, Quantized) else _units(self.heatmaps)


def _told_apart(heatmaps: FieldLike, pafs: FieldLike, skeleton: Skeleton) -> tuple[Field, Field]:
    """Return heatmaps and PAFs, channels last, from two tensors in either order and layout."""
    num_parts, num_paf_channels = len(as_skeleton(skeleton).parts), num_paf_channels_of(skeleton)
    shapes = [_image_shape(tensor) for tensor in (heatmaps, pafs)]
    if all(len(shape) == 3 for shape in shapes):
        for heat, paf in ((0, 1), (1, 0)):
            for axis in (2, 0):
                heat_channels = shapes[heat][axis]
                fits = heat_channels in (num_parts, num_parts + 1) and shapes[paf][axis] == num_paf_channels
                if fits and is_one_picture(_grid(shapes[heat], axis), _grid(shapes[paf], axis)):
                    given = (heatmaps, pafs) if heat == 0 else (pafs, heatmaps)
                    turned = [tensor if axis == 2 else _channels_last(tensor) for tensor in given]
                    [first] = as_fields(heatmaps=(turned[0], heat_channels))
                    [second] = as_fields(pafs=(turned[1], num_paf_channels))
                    return first, second
    else:
        refuse_rank("heatmaps", shapes[0], heatmaps)
        refuse_rank("pafs", shapes[1], pafs)
    raise InputError(
        f"skeleton {skeleton.name!r} needs heatmaps of {num_parts} channels ({num_parts + 1} with background) and pafs "
        f"of {num_paf_channels}, both (H, W, C) or both (C, H, W), grids of one picture, got {shapes[0]} and "
        f"{shapes[1]}: pass one model's outputs and its skeleton{look_alike(shapes[0], 'PafFields')}"
    )


def num_paf_channels_of(skeleton: Skeleton) -> int:
    """Return how many channels the PAF tensor of a skeleton has."""
    if not skeleton.edges:
        raise InputError(f"skeleton {skeleton.name!r} has no edges: part affinity fields lie along edges")
    return 1 + max(channel for pair in skeleton.paf_channels for channel in pair)


@lru_cache(maxsize=64)
def _edge_table(skeleton: Skeleton, first_channel: int) -> NDArray[np.int64]:
    """Return (E, 5): parent, child, x channel, y channel, whether redundant."""
    rows = [
        (parent, child, x + first_channel, y + first_channel, edge in skeleton.redundant_edges)
        for edge, ((parent, child), (x, y)) in enumerate(zip(skeleton.edges, skeleton.paf_channels, strict=True))
    ]
    return np.array(rows, np.int64)


def _image_shape(tensor: FieldLike) -> tuple[int, ...]:
    """Return a tensor's shape without the axis of a batch of one."""
    try:
        shape = np.shape(tensor.values if isinstance(tensor, Quantized) else tensor)
    except ValueError:  # rows of different length, which as_fields refuses by name
        return ()
    return shape[1:] if len(shape) == 4 and shape[0] == 1 else shape


def _grid(shape: tuple[int, ...], channel_axis: int) -> tuple[int, int]:
    return (shape[0], shape[1]) if channel_axis == 2 else (shape[1], shape[2])


def is_one_picture(heat_grid: tuple[int, int], paf_grid: tuple[int, int]) -> bool:
    """Return whether two grids have the same aspect ratio, to within a cell of the coarser one."""
    if 0 in heat_grid or 0 in paf_grid:
        return heat_grid == paf_grid
    ratio_y, ratio_x = paf_grid[0] / heat_grid[0], paf_grid[1] / heat_grid[1]
    return abs(ratio_y - ratio_x) * min(heat_grid) <= max(ratio_y, ratio_x, 1)


def _channels_last(tensor: FieldLike) -> FieldLike:
    """Return a (C, H, W) or (1, C, H, W) tensor as (H, W, C)."""
    if isinstance(tensor, Quantized):
        return Quantized(np.moveaxis(tensor.values, -3, -1), tensor.scale, tensor.zero_point)
    return np.moveaxis(np.asarray(tensor), -3, -1)


def _elements(field: Field) -> NDArray[Any]:
    """Return a tensor's elements."""
    return field.values if isinstance(field, Quantized) else field


def _units(field: Quantized) -> tuple[float, float]:
    """Return a tensor's scale and its zero."""
    return field.scale, field.zero_point


def _table(field: Field, of: Callable[[float, float], NDArray[np.float64]]) -> NDArray[np.float64] | None:
    """Return a number for each of a quantised tensor's levels."""
    return of(*_units(field)) if isinstance(field, Quantized) else None
