"""The outputs of a network that finds people by their centres, whatever layout they came in."""

from collections.abc import Mapping
from dataclasses import InitVar, dataclass
from functools import cache, cached_property, lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bottomup.errors import InputError
from bottomup.skeletons import COCO17, Skeleton, as_skeleton
from bottomup.tensors import Field, FieldLike, Quantized, as_fields, as_flat, as_number, short_repr, take_channels

__all__ = ["LARGEST_SCORE", "CenterFields"]

#: What greater scores count as, infinite ones too. Only odd tensors have such.
LARGEST_SCORE = 1000

_VECTORS = ("regressions", "offsets", "box_sizes", "box_offsets")


class Centers(NamedTuple):
    """Centres as kernels read them: flat, uint8 with a table of the 256 levels, or float32 with None."""

    center: NDArray[Any]  #: (H * W,)
    center_scores: NDArray[np.float32] | None  #: scores of the levels


class Heat(NamedTuple):
    """Heatmaps as kernels read them; elements as in `Centers`."""

    heatmaps: NDArray[Any]  #: (H * W * N,)
    part_scores: NDArray[np.float32] | None  #: scores of the levels
    log_scores: NDArray[np.float32]  #: their logarithms; for float logits, in 64 steps a unit from -16 to 16
    logits: bool  #: whether floats, here and in `Centers`, are logits
    num_parts: int
    width: int  #: cells


class Vectors(NamedTuple):
    """Vectors as kernels read them, in cells, y before x; elements as in `Centers`."""

    regressions: NDArray[Any]  #: (H * W * 2N,)
    regression_table: NDArray[np.float32] | None  #: real numbers of the levels
    offsets: NDArray[Any]  #: (H * W * 2N,), or (H * W * 2,) if all parts share them
    offset_table: NDArray[np.float32] | None


class Grid(NamedTuple):
    """Where the cells lie."""

    height: int  #: cells
    width: int
    output_stride: np.float32  #: input pixels per cell
    shift_x: np.float32  #: middle of the first cell, input pixels
    shift_y: np.float32


class Boxes(NamedTuple):
    """Boxes as kernels read them, in cells, y before x; elements as in `Centers`."""

    sizes: NDArray[Any]  #: (H * W * 2,) height and width
    size_table: NDArray[np.float32] | None
    places: NDArray[Any]  #: (H * W * 2,) from the centre's cell to the middle of the box
    place_table: NDArray[np.float32] | None


@dataclass(frozen=True, eq=False)
class CenterFields:
    """One image's centres, part heatmaps and regressions, checked.

    A person is a peak of `center`. From its cell, `regressions` lead to where each part may be; the part is a peak of
    its heatmap near there, moved by that cell's `offsets`. Tensors may be (H, W, C), (1, H, W, C) or, all of them
    together, (C, H, W); float, or `Quantized` and decoded as they are. They are kept as (H, W, C), C-contiguous, y
    before x; the caller's arrays are shared where they fit and never written to.

    Attributes
    ----------
    center : (H, W, 1) field
        Logits of a person's centre, or scores in [0, 1] where `logits` is False.
    heatmaps : (H, W, N) field
        Part logits, or scores.
    regressions : (H, W, 2N) field
        y and x of each part in turn, in cells, from the cell of the person's centre.
    offsets : (H, W, 2N) or (H, W, 2) field, optional
        y and x, in cells, from a cell to the part in it: for each part in turn, or once for all parts. None means 0.
    box_sizes : (H, W, 2) field, optional
        Height and width of the person's box, in cells.
    box_offsets : (H, W, 2) field, optional
        y and x, in cells, from the cell of the centre to the middle of the box.
    output_stride : float
        Input pixels per cell: 4.
    logits : bool
        Whether `center` and `heatmaps` come without a sigmoid.
    shift : (float, float)
        x and y, in input pixels, of the middle of the first cell.
    skeleton : Skeleton
        Names the N parts.
    x_first : bool
        Whether vectors come with x before y, and boxes with width before height, as in PyTorch ports of MoveNet, in
        CenterNet and in DEKR. They are swapped once, here.

    Raises
    ------
    InputError
        If a rank, channel count, grid or element type does not fit, a tensor holds nothing but NaN, or scores are
        passed as logits. The message names the tensor.

    References
    ----------
    Zhou et al., "Objects as Points", 2019, section 5 (human pose). arXiv:1904.07850
    Next-Generation Pose Detection with MoveNet, TensorFlow blog, May 2021.

    Examples
    --------
    >>> maps = {"center": 1, "heatmaps": 17, "regressions": 34, "offsets": 34}
    >>> fields = CenterFields(**{name: np.full((1, 48, 48, count), -5.0) for name, count in maps.items()})
    >>> fields.grid, fields.has_boxes
    ((48, 48), False)
    """

    center: Field
    heatmaps: Field
    regressions: Field
    offsets: Field | None = None
    box_sizes: Field | None = None
    box_offsets: Field | None = None
    output_stride: float = 4.0
    logits: bool = True
    shift: tuple[float, float] = (0.0, 0.0)
    skeleton: Skeleton = COCO17
    x_first: InitVar[bool] = False
    __repr__ = short_repr

    def __post_init__(self, x_first: bool) -> None:
        num_parts = len(as_skeleton(self.skeleton).parts)
        channels = {"center": 1, "heatmaps": num_parts, "regressions": 2 * num_parts}
        channels |= {"offsets": 2 * num_parts, "box_sizes": 2, "box_offsets": 2}
        counts = () if self.offsets is None else _channel_counts(self.offsets)
        if 2 in counts and 2 * num_parts not in counts:
            channels["offsets"] = 2
        if (self.box_sizes is None) != (self.box_offsets is None):
            raise InputError("box_sizes and box_offsets come together: pass both or neither")
        given = {name: (getattr(self, name), count) for name, count in channels.items()}
        given = {name: pair for name, pair in given.items() if pair[0] is not None}
        for name, field in zip(given, as_fields(**given), strict=True):
            turned = _turned(field) if x_first and name in _VECTORS else field
            object.__setattr__(self, name, turned)
        stride, shift = as_number(self.output_stride, "output_stride"), self.shift
        if not 0 < stride < 1e6:
            raise InputError(f"output_stride must be above 0, in input pixels per cell, got {self.output_stride}")
        if not isinstance(shift, (tuple, list)) or len(shift) != 2:
            raise InputError(f"shift must be x and y in input pixels, got {shift!r}")
        x, y = (as_number(each, "shift") for each in shift)
        if not (abs(x) < 1e6 and abs(y) < 1e6):
            raise InputError(f"shift must be x and y in input pixels, got {shift!r}")
        object.__setattr__(self, "output_stride", stride)
        object.__setattr__(self, "shift", (x, y))
        object.__setattr__(self, "logits", bool(self.logits))
        maps = (self.center, self.heatmaps)
        if self.logits and all(look_like_scores(each) and not _is_constant(each) for each in maps):
            raise InputError(
                "center and heatmaps stay within [0, 1], as scores do and logits do not: pass logits=False"
            )

    @classmethod
    def from_dekr(
        cls,
        heatmaps: FieldLike,
        displacements: FieldLike,
        *,
        center_last: bool = True,
        outward: bool = True,
        output_stride: float = 4,
        shift: tuple[float, float] = (0.0, 0.0),
        skeleton: Skeleton = COCO17,
    ) -> "CenterFields":
        """Take the two tensors of DEKR.

        Parameters
        ----------
        heatmaps : (H, W, N + 1) or (N + 1, H, W) array or Quantized
            Scores of the parts and of the centre.
        displacements : (H, W, 2N) or (2N, H, W) array or Quantized
            x and y of each part in turn, in cells.
        center_last : bool
            Whether the centre is the last channel, as in the official code and mmpose 1. False: the first, as in
            mmpose 0.
        outward : bool
            Whether displacements lead from the centre to the parts, as in mmpose 1. False: back to the centre, as in
            the official networks.
        output_stride, shift, skeleton
            See the class.

        Raises
        ------
        InputError
            As the class does.
        """
        num_parts = len(as_skeleton(skeleton).parts)
        maps, vectors = as_fields(heatmaps=(heatmaps, num_parts + 1), displacements=(displacements, 2 * num_parts))
        if not outward:
            vectors = -(vectors.dequantize() if isinstance(vectors, Quantized) else vectors)
        center = take_channels(maps, slice(num_parts, None) if center_last else slice(0, 1))
        parts = take_channels(maps, slice(0, num_parts) if center_last else slice(1, None))
        settings: dict[str, Any] = {"output_stride": output_stride, "shift": shift, "skeleton": skeleton}
        return cls(center, parts, vectors, logits=False, x_first=True, **settings)

    @property
    def grid(self) -> tuple[int, int]:
        """H and W, in cells."""
        return self.heatmaps.shape[0], self.heatmaps.shape[1]

    @property
    def has_boxes(self) -> bool:
        """Whether the network gives boxes."""
        return self.box_sizes is not None

    @property
    def present(self) -> Mapping[str, Field]:
        """The tensors given, by name."""
        tensors = {name: getattr(self, name) for name in ("center", "heatmaps", *_VECTORS)}
        return {name: tensor for name, tensor in tensors.items() if tensor is not None}

    @cached_property
    def as_floats(self) -> Mapping[str, NDArray[np.float32]]:
        """The tensors given, by name, as real numbers."""
        return {
            name: tensor.dequantize() if isinstance(tensor, Quantized) else tensor
            for name, tensor in self.present.items()
        }

    @cached_property
    def is_quantized(self) -> bool:
        """Whether kernels read levels: True if every tensor is quantised."""
        return all(isinstance(tensor, Quantized) for tensor in self.present.values())

    @cached_property
    def tensors(self) -> tuple[tuple[Any, ...], ...]:
        """What kernels read: plain tuples in the order of `Centers`, `Heat` and `Vectors`."""
        heatmaps, part_scores = self._elements("heatmaps", scores=True)
        heat = Heat(
            heatmaps,
            part_scores,
            _log_sigmoids() if part_scores is None else _logarithms(part_scores),
            self.logits,
            len(self.skeleton.parts),
            self.grid[1],
        )
        vectors = Vectors(*self._elements("regressions"), *self._elements("offsets"))
        return self._elements("center", scores=True), tuple(heat), tuple(vectors)

    @cached_property
    def cells(self) -> tuple[Any, ...]:
        """The grid as kernels read it, in the order of `Grid`."""
        return (*self.grid, np.float32(self.output_stride), np.float32(self.shift[0]), np.float32(self.shift[1]))

    @cached_property
    def boxes(self) -> tuple[Any, ...]:
        """Boxes as kernels read them, in the order of `Boxes`."""
        return (*self._elements("box_sizes"), *self._elements("box_offsets"))

    def _elements(self, name: str, scores: bool = False) -> tuple[NDArray[Any], NDArray[np.float32] | None]:
        """Return a tensor's elements, flat, and the table of their levels if kernels read levels."""
        tensor = self.present.get(name)
        if not self.is_quantized:
            zeros = np.zeros((*self.grid, 2), np.float32) if tensor is None else self.as_floats[name]
            return as_flat(zeros), None
        if not isinstance(tensor, Quantized):
            return np.zeros(2 * self.grid[0] * self.grid[1], np.uint8), np.zeros(256, np.float32)
        table = (_score_table if self.logits else _capped_table) if scores else _level_table
        return as_flat(tensor.values), table(np.float32(tensor.scale), np.float32(tensor.zero_point))


def score_of(logits: Any) -> Any:
    """Return the scores of logits, computed in double precision and rounded once so that kernels and NumPy agree."""
    with np.errstate(over="ignore"):
        return np.float32(1 / (1 + np.exp(-np.asarray(logits, np.float64))))


def _channel_counts(tensor: FieldLike) -> tuple[int, ...]:
    """Return how many channels a tensor may have, whether they come first or last."""
    shape = np.shape(tensor.values if isinstance(tensor, Quantized) else tensor)
    return (shape[-1], shape[-3]) if len(shape) > 2 else ()


def _turned(field: Field) -> Field:
    """Return a field with the two channels of each pair swapped."""
    order = np.arange(field.shape[2]) ^ 1
    if isinstance(field, Quantized):
        return Quantized(np.ascontiguousarray(field.values[..., order]), field.scale, field.zero_point)
    return np.ascontiguousarray(field[..., order])


def look_like_scores(values: FieldLike) -> bool:
    """Tell scores from logits, which are far below 0 wherever there is nobody."""
    if isinstance(values, Quantized):
        limits = np.iinfo(values.values.dtype)
        lowest, highest = ((int(level) - values.zero_point) * values.scale for level in (limits.min, limits.max))
        return bool(lowest >= 0 and highest <= 1 + values.scale)
    array = np.asarray(values)
    return bool(array.size and array.min() >= 0 and array.max() <= 1)


def _is_constant(field: Field) -> bool:
    """Tell whether all elements of floats are equal, so that they may be logits or scores."""
    return not isinstance(field, Quantized) and bool(field.size and field.min() == field.max())


@lru_cache(maxsize=256)
def _level_table(scale: np.float32, zero: np.float32) -> NDArray[np.float32]:
    """Return the real numbers of the 256 levels."""
    return np.asarray((np.arange(256, dtype=np.float32) - zero) * scale, np.float32)


@lru_cache(maxsize=256)
def _score_table(scale: np.float32, zero: np.float32) -> NDArray[np.float32]:
    """Return the scores of the 256 levels of quantised logits."""
    return np.asarray(score_of(_level_table(scale, zero)), np.float32)


@lru_cache(maxsize=256)
def _capped_table(scale: np.float32, zero: np.float32) -> NDArray[np.float32]:
    """Return the scores of the 256 levels of quantised scores."""
    return np.minimum(_level_table(scale, zero), np.float32(LARGEST_SCORE))


def _logarithms(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the logarithms of a table of scores."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.log(scores), np.float32)


@cache
def _log_sigmoids() -> NDArray[np.float32]:
    """Return the logarithm of the sigmoid in 64 steps a unit from -16 to 16, raised by the 8e-6 that lines miss."""
    steps = np.arange(-16 * 64, 16 * 64 + 2) / 64
    return (1e-5 - np.log1p(np.exp(-steps))).astype(np.float32)
