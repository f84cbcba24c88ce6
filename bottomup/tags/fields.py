"""The outputs of a network of associative embedding, whatever layout they came in."""

from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bottomup.errors import InputError
from bottomup.skeletons import COCO17, Skeleton, as_skeleton
from bottomup.tags.shapes import enlarged, fine_heatmaps, told_apart
from bottomup.tensors import Field, FieldLike, Quantized, as_flat, as_number, short_repr

__all__ = ["TagFields", "Tensors", "as_tag_fields", "level_table", "real"]

_FAINT = 0.1  # a heatmap's noise is nearer to 0 than this


class Tensors(NamedTuple):
    """What kernels read: planes of parts, each row after row; element part * height * width + row * width + column."""

    heatmaps: NDArray[Any]  #: flat, uint8 or float32
    heat_reals: NDArray[np.float32] | None  #: the scores of 256 levels; None of floats
    tags: NDArray[Any]  #: flat, the same type; all parts of the first number, then all of the second
    tag_reals: NDArray[np.float32] | None  #: the tags of 256 levels
    num_parts: int
    tag_size: int  #: numbers a tag
    height: int
    width: int
    is_negated: bool  #: whether scores of cells that are no peaks have a minus sign


@dataclass(frozen=True, eq=False, init=False)
class TagFields:
    """One image's heatmaps and tags, checked.

    Tensors may be (H, W, C), (1, H, W, C), (C, H, W) or (1, C, H, W), float
    or `Quantized`. The caller's arrays are never written to.

    Attributes
    ----------
    heatmaps : (H, W, N) field
        Part scores, about [0, 1]; no logits.
    tags : (H, W, N, L) field
        L numbers in each cell that are about the same in all parts of a
        person, and differ between people by 1 or more. Given as (H, W, N),
        (H, W, N, L), (N, H, W, L), (L, N, H, W), or as L * N channels, all
        parts of the first number first. L is 1, or 2 after a mirrored input.
    output_stride : float
        Input pixels per cell.
    skeleton : Skeleton
        Names the N parts.
    negated : bool
        Whether cells that the network itself turned down as peaks hold their
        score with a minus sign, as in OMZ's human-pose-estimation-0005 to
        0007. Default: if more cells are below -0.1 than above 0.1.
    shift : (float, float)
        Where the middle of the first cell lies, x and y in input pixels, less
        the usual (output_stride - 1) / 2.

    Raises
    ------
    InputError
        If a rank, channel count, grid or element type does not fit, or a
        tensor holds nothing but NaN. The message names the tensor.

    References
    ----------
    Newell et al., "Associative Embedding", NeurIPS 2017. arXiv:1611.05424

    Examples
    --------
    >>> fields = TagFields(np.zeros((1, 17, 96, 128)), np.zeros((1, 17, 96, 128)))
    >>> fields.grid, fields.tag_size
    ((96, 128), 1)
    """

    heatmaps: Field
    tags: Field
    output_stride: float
    skeleton: Skeleton
    negated: bool
    shift: tuple[float, float]
    _planes: tuple[Field, Field] = field(repr=False)  # heatmaps (N, H, W) and tags (L * N, H, W)
    __repr__ = short_repr

    def __init__(
        self,
        heatmaps: FieldLike,
        tags: FieldLike,
        output_stride: float = 4,
        *,
        skeleton: Skeleton = COCO17,
        negated: bool | None = None,
        shift: tuple[float, float] = (0.0, 0.0),
    ) -> None:
        num_parts = len(as_skeleton(skeleton).parts)
        self._set(told_apart(heatmaps, tags, num_parts), output_stride, skeleton, negated, shift)

    def _set(
        self,
        planes: tuple[Field, Field],
        output_stride: float,
        skeleton: Skeleton,
        negated: bool | None,
        shift: tuple[float, float],
    ) -> None:
        """Check the numbers and keep everything."""
        stride = as_number(output_stride, "output_stride")
        if not 0 < stride < 1e6:
            raise InputError(f"output_stride must be above 0, in input pixels per cell (2 or 4), got {output_stride}")
        if not isinstance(shift, (tuple, list)) or len(shift) != 2:
            raise InputError(f"shift must be two numbers, x and y in input pixels, got {shift!r}")
        x, y = (as_number(each, "shift") for each in shift)
        if not abs(x) + abs(y) < 1e6:
            raise InputError(f"shift must be x and y in input pixels, got {shift!r}")
        if negated is not None and not isinstance(negated, (bool, np.bool_)):
            raise InputError(f"negated must be True, False or None, got {negated!r}")
        is_negated = _is_negated(planes[0]) if negated is None else bool(negated)
        heatmaps, tags = _seen(planes[0], None), _seen(planes[1], len(skeleton.parts))
        values = (heatmaps, tags, stride, skeleton, is_negated, (x, y), planes)
        for name, value in zip(self.__dataclass_fields__, values, strict=True):
            object.__setattr__(self, name, value)

    @classmethod
    def from_concatenated(
        cls,
        maps: FieldLike,
        output_stride: float = 4,
        *,
        skeleton: Skeleton = COCO17,
        shift: tuple[float, float] = (0.0, 0.0),
    ) -> "TagFields":
        """Take the one tensor of mmpose's networks: N heatmaps, then N or 2N channels of tags.

        Parameters
        ----------
        maps : array or Quantized
            34 channels of COCO's 17 parts; (H, W, C), (1, H, W, C), (C, H, W) or (1, C, H, W).
        output_stride, skeleton, shift
            See the class.

        Raises
        ------
        InputError
            As the class does.
        """
        num_parts = len(as_skeleton(skeleton).parts)
        fields = cls.__new__(cls)
        fields._set(told_apart(maps, None, num_parts, "maps"), output_stride, skeleton, False, shift)
        return fields

    @classmethod
    def from_two_sizes(
        cls,
        coarse: FieldLike,
        fine: FieldLike,
        output_stride: float = 2,
        *,
        skeleton: Skeleton = COCO17,
        shift: tuple[float, float] = (0.0, 0.0),
    ) -> "TagFields":
        """Take the two tensors of HigherHRNet, and average its heatmaps of two sizes.

        Heatmaps are the mean of the fine ones and the coarse ones, enlarged
        bilinearly; so are tags enlarged. The grid is the fine one.

        Parameters
        ----------
        coarse : array or Quantized
            N heatmaps and N tags, a quarter of the input's size.
        fine : array or Quantized
            N heatmaps, half of the input's size.
        output_stride : float
            Input pixels per cell of the fine grid.
        skeleton, shift
            See the class.

        Raises
        ------
        InputError
            As the class does, and where the grids are not of one picture.

        References
        ----------
        Cheng et al., "HigherHRNet", CVPR 2020, section 3.4. arXiv:1908.10357
        """
        num_parts = len(as_skeleton(skeleton).parts)
        heatmaps, tags = told_apart(coarse, None, num_parts, "coarse")
        finer = fine_heatmaps(fine, num_parts)
        (_, *grid), (_, *small) = finer.shape, heatmaps.shape
        if 0 in small or small[0] > grid[0] or small[1] > grid[1]:
            raise InputError(f"fine must have more cells than coarse, got {grid} and {small}: pass coarse, then fine")
        mean = (enlarged(real(heatmaps), grid) + real(finer)) / np.float32(2)
        fields = cls.__new__(cls)
        fields._set((mean, enlarged(real(tags), grid)), output_stride, skeleton, False, shift)
        return fields

    def with_stride(self, output_stride: float) -> "TagFields":
        """Return these fields with another number of input pixels per cell."""
        fields = type(self).__new__(type(self))
        fields._set(self._planes, output_stride, self.skeleton, self.negated, self.shift)
        return fields

    @property
    def grid(self) -> tuple[int, int]:
        """H and W, in cells."""
        return self.heatmaps.shape[0], self.heatmaps.shape[1]

    @property
    def tag_size(self) -> int:
        """How many numbers a tag has."""
        return self.tags.shape[3]

    @cached_property
    def tensors(self) -> tuple[Any, ...]:
        """What kernels read, a plain tuple of `Tensors`."""
        heatmaps, tags = self._planes
        if isinstance(heatmaps, Quantized) != isinstance(tags, Quantized):
            heatmaps, tags = real(heatmaps), real(tags)
        tensors = Tensors(
            heatmaps=_flat(heatmaps),
            heat_reals=_reals(heatmaps, self.negated),
            tags=_flat(tags),
            tag_reals=_reals(tags, False),
            num_parts=len(self.skeleton.parts),
            tag_size=self.tag_size,
            height=self.grid[0],
            width=self.grid[1],
            is_negated=self.negated,
        )
        return tuple(tensors)


def real(field: Field) -> NDArray[np.float32]:
    """Return a field's real numbers."""
    return field.dequantize() if isinstance(field, Quantized) else field


def as_tag_fields(fields: Any) -> TagFields:
    """Return fields, if they are TagFields."""
    if not isinstance(fields, TagFields):
        raise InputError(
            f"fields must be TagFields, got {type(fields).__name__}: build them with TagFields(heatmaps, tags), "
            "TagFields.from_concatenated or TagFields.from_two_sizes"
        )
    return fields


def _seen(planes: Field, num_parts: int | None) -> Field:
    """Return (N, H, W) planes as (H, W, N), or (L * N, H, W) ones of N parts as (H, W, N, L), a view."""
    if isinstance(planes, Quantized):
        return Quantized(_last(planes.values, num_parts), planes.scale, planes.zero_point)
    return _last(planes, num_parts)


def _last(planes: NDArray[Any], num_parts: int | None) -> NDArray[Any]:
    if num_parts is None:
        return np.moveaxis(planes, 0, 2)
    return planes.reshape(len(planes) // num_parts, num_parts, *planes.shape[1:]).transpose(2, 3, 1, 0)


def _is_negated(heatmaps: Field) -> bool:
    """Tell whether more cells are clearly below 0 than above."""
    if isinstance(heatmaps, Quantized):
        faint = _FAINT / heatmaps.scale
        low, high = heatmaps.zero_point - faint, heatmaps.zero_point + faint
        return bool(np.count_nonzero(heatmaps.values < low) > np.count_nonzero(heatmaps.values > high))
    return bool(np.count_nonzero(heatmaps < -_FAINT) > np.count_nonzero(heatmaps > _FAINT))


def _flat(field: Field) -> NDArray[Any]:
    """Return a field's elements, channel after channel."""
    return as_flat(field.values if isinstance(field, Quantized) else field)


def _reals(field: Field, negated: bool) -> NDArray[np.float32] | None:
    """Return the real numbers of a quantised tensor's levels, without their signs if they say something else."""
    if not isinstance(field, Quantized):
        return None
    table = level_table(field.scale, field.zero_point)
    return np.abs(table) if negated else table


@lru_cache(maxsize=256)
def level_table(scale: float, zero: float) -> NDArray[np.float32]:
    """Return the real numbers of 256 levels, computed in float32 as TFLite does."""
    return np.asarray((np.arange(256, dtype=np.float32) - np.float32(zero)) * np.float32(scale), np.float32)
