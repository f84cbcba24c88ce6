"""What the rules of masks share."""

from functools import cache, cached_property
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bottomup.errors import InputError
from bottomup.geometry import Placement
from bottomup.posenet.bundles import levels_and_units, real
from bottomup.posenet.fields import BODY_PARTS, PoseNetFields
from bottomup.posenet.masks.pixels import Size, from_first_cell, pixels_in_cells
from bottomup.posenet.roots import as_posenet_fields, logit
from bottomup.poses import Poses
from bottomup.tensors import Field, Quantized

__all__ = ["MaskRule"]

_STILL = 0.25  # cells; following long offsets ends after a step no longer than that, with the same accuracy on photos
_LANES = 8  # poses that a processor computes at a time; workspaces hold whole groups


class MaskTensors(NamedTuple):
    """What kernels read: flat tensors of one type, real = (level - zero) * scale, vectors in cells."""

    long_offsets: NDArray[Any]  #: (H * W * 2N,) y of every part, then x
    long_scale: np.float32
    long_zero: np.float32
    offsets: NDArray[Any]  #: (H * W * 2N,)
    offset_scale: np.float32
    offset_zero: np.float32
    segments: NDArray[Any]  #: (H * W,); empty where all cells are on people
    segment_scale: np.float32
    segment_zero: np.float32
    height: int
    width: int
    output_stride: np.float32
    num_parts: int | None  #: as `trees.Tree` has it


class MaskRules(NamedTuple):
    """A rule's parameters, as kernels take them."""

    lowest_segment: np.float32  #: logit
    long_steps: int
    short_steps: int
    is_rounded: bool
    keeps_places: bool
    still: np.float32  #: squared cells
    is_squared: bool
    furthest: np.float32


class People(NamedTuple):
    """M poses, or more: M is rounded up with poses infinitely far away."""

    part_rows: NDArray[np.float32]  #: (N, M) in cells
    part_columns: NDArray[np.float32]  #: (N, M)
    weights: NDArray[np.float32]  #: (N, M)


class Pixels(NamedTuple):
    """Where the pixels of masks lie, in cells."""

    rows: NDArray[np.float32]  #: (h,) ascending inside the grid
    columns: NDArray[np.float32]  #: (w,)
    starts: NDArray[np.int64]  #: (W + 1,) where the columns of each cell begin


class MaskSpace(NamedTuple):
    """Workspaces: of two rows of cells, and of one cell."""

    logits: NDArray[np.float32]  #: (2, W)
    winners: NDArray[np.int64]  #: (2, W)
    distances: NDArray[np.float32]  #: (2, W, M)
    places: NDArray[np.float32]  #: (N, 2)
    is_moving: NDArray[np.bool_]  #: (N,)
    squares: NDArray[np.float32]  #: (N, M)


class PartTensors(NamedTuple):
    """What kernels of body parts read, as `MaskTensors`."""

    heatmaps: NDArray[Any]  #: (H * W * 24,); empty where only people are asked for
    heatmap_scale: np.float32
    heatmap_zero: np.float32
    segments: NDArray[Any]
    segment_scale: np.float32
    segment_zero: np.float32
    width: int


class PartSpace(NamedTuple):
    """Workspaces of two rows of cells, and of the two edges of a cell."""

    logits: NDArray[np.float32]  #: (2, W)
    bests: NDArray[np.int8]  #: (2, W)
    edges: NDArray[np.float32]  #: (2, 24)


class MaskRule:
    """What the rules share. Make one with `PoseNetMasks()`, `.coral()` or `.tfjs()`."""

    segment_threshold: float
    long_steps: int
    _is_squared: ClassVar[bool]  # distances are
    _is_mean: ClassVar[bool] = True  # of the distances of the parts, or else their sum
    _by_score: ClassVar[bool] = False  # parts count by their scores, and distances by the person's size
    _is_rounded: ClassVar[bool] = False  # offsets are read at whole pixels
    _covers_all: ClassVar[bool] = False  # cells off people belong to somebody too

    def masks(
        self, fields: PoseNetFields, poses: Poses, size: Size = None, *, placement: Placement | None = None
    ) -> NDArray[np.bool_]:
        """Return the mask of each pose.

        Parameters
        ----------
        fields : PoseNetFields
            One image's network outputs, with long offsets and segments, float or quantised.
        poses : Poses
            M poses of the fields' parts in pixels of the network's input, as `decode` returns them.
        size : (int, int) or "grid", optional
            Width and height of the masks. Default: "grid", one pixel per cell.
            Otherwise, those of a picture that fills the network's input; at
            the input's own size, a mask's pixel is the input's.
        placement : Placement, optional
            Where in the network's input an image of `size` lies, if it does
            not fill it, as `lay_out` returns. A mask's pixel is then the image's.

        Returns
        -------
        (M, H, W) bool array
            Each pixel is one pose's at most; a pose that is not seen at all has an empty mask.

        Raises
        ------
        InputError
            If a tensor that the rule reads is missing, or an argument does not fit.
        """
        fields = as_posenet_fields(fields)
        poses = _as_poses(poses, fields)
        segments = None if self._covers_all else needed(fields, "segments")
        long_offsets = needed(fields, "long_offsets")
        rows, columns = pixels_in_cells(fields, size, placement)
        masks = np.zeros((len(poses), len(rows), len(columns)), np.bool_)
        height, width = fields.grid
        if masks.size == 0 or height == 0 or width == 0:
            return masks
        num_parts = len(fields.skeleton.parts)
        stride = np.float32(fields.output_stride)
        per_stride = np.float32(1) / stride
        of_long, of_short, of_segments = _flat(long_offsets, fields.offsets, segments)
        tensors = MaskTensors(
            long_offsets=of_long[0],
            long_scale=of_long[1] * per_stride,
            long_zero=of_long[2],
            offsets=of_short[0],
            offset_scale=of_short[1] * per_stride,
            offset_zero=of_short[2],
            segments=of_segments[0],
            segment_scale=of_segments[1],
            segment_zero=of_segments[2],
            height=height,
            width=width,
            output_stride=stride,
            num_parts=fields.tree[1],
        )
        lanes = -(-len(poses) // _LANES) * _LANES
        people = People(*np.full((3, num_parts, lanes), np.inf, np.float32))  # idle lanes are infinitely far away
        keypoint_threshold, pose_threshold = self._thresholds()
        owners, painting = _kernels()
        owners.weigh(
            from_first_cell(poses, fields),
            np.ascontiguousarray(poses.scores),
            np.float32(keypoint_threshold),
            np.float32(pose_threshold),
            self._by_score,
            self._is_mean,
            stride,
            *people,
        )
        space = MaskSpace(
            logits=np.empty((2, width), np.float32),
            winners=np.empty((2, width), np.int64),
            distances=np.empty((2, width, lanes), np.float32),
            places=np.empty((num_parts, 2), np.float32),
            is_moving=np.empty(num_parts, np.bool_),
            squares=np.empty((num_parts, lanes), np.float32),
        )
        pixels = _pixels(rows, columns, width)
        painting.paint_masks(tuple(tensors), self._rules, tuple(people), pixels, tuple(space), masks)
        return masks

    @cached_property
    def _rules(self) -> tuple[Any, ...]:
        rules = MaskRules(
            lowest_segment=np.float32(-np.inf if self._covers_all else logit(self.segment_threshold)),
            long_steps=self.long_steps,
            short_steps=self._short_steps(),
            is_rounded=self._is_rounded,
            keeps_places=self._by_score and self.long_steps > 0,
            still=np.float32(_STILL**2 if self._by_score else -1),
            is_squared=self._is_squared,
            furthest=np.float32(self._furthest()),
        )
        return tuple(rules)

    def parts(
        self,
        fields: PoseNetFields,
        poses: Poses | None = None,
        size: Size = None,
        *,
        placement: Placement | None = None,
    ) -> NDArray[np.int8]:
        """Return which part of the body each pixel shows: an index into `BODY_PARTS`, -1 where nobody is.

        Parameters
        ----------
        fields : PoseNetFields
            One image's network outputs, with segments and part heatmaps, float or quantised.
        poses : Poses, optional
            M poses, for one map each, of the pixels in its mask. Default: one map, of all pixels on people.
        size, placement
            As in `masks`.

        Returns
        -------
        (H, W) or (M, H, W) int8 array

        Raises
        ------
        InputError
            If a tensor that this reads is missing, or an argument does not fit.
        """
        fields = as_posenet_fields(fields)
        parts = self._paint(fields, needed(fields, "part_heatmaps"), size, placement)
        if poses is None:
            return parts
        return np.where(self.masks(fields, poses, size, placement=placement), parts, np.int8(-1))

    def people(
        self, fields: PoseNetFields, size: Size = None, *, placement: Placement | None = None
    ) -> NDArray[np.bool_]:
        """Return which pixels show people, in a pose or not, (H, W) bool.

        Parameters
        ----------
        fields : PoseNetFields
            One image's network outputs, with segments, float or quantised.
        size, placement
            As in `masks`.

        Raises
        ------
        InputError
            If there are no segments, or an argument does not fit.
        """
        return self._paint(as_posenet_fields(fields), None, size, placement) >= 0

    def _thresholds(self) -> tuple[float, float]:
        """Return the score that a keypoint must exceed to count, and the score that a pose must reach."""
        return -np.inf, -np.inf

    def _furthest(self) -> float:
        """Return the distance above which a pixel is nobody's."""
        return np.inf

    def _short_steps(self) -> int:
        """Return how often the short offsets are followed after the long ones."""
        return 0

    def _paint(
        self, fields: PoseNetFields, heatmaps: Field | None, size: Size, placement: Placement | None
    ) -> NDArray[np.int8]:
        """Return (H, W) parts of the pixels on people, without heatmaps 0; -1 elsewhere."""
        segments = needed(fields, "segments")
        rows, columns = pixels_in_cells(fields, size, placement)
        parts = np.full((len(rows), len(columns)), -1, np.int8)
        height, width = fields.grid
        if height == 0 or width == 0:
            return parts
        of_parts, of_segments = _flat(heatmaps, segments)
        space = PartSpace(
            logits=np.empty((2, width), np.float32),
            bests=np.empty((2, width), np.int8),
            edges=np.empty((2, len(BODY_PARTS)), np.float32),
        )
        tensors = PartTensors(*of_parts, *of_segments, width)
        lowest = np.float32(logit(self.segment_threshold))
        _, painting = _kernels()
        painting.paint_parts(tuple(tensors), lowest, _pixels(rows, columns, width), tuple(space), parts)
        return parts


def _pixels(rows: NDArray[np.float32], columns: NDArray[np.float32], width: int) -> tuple[Any, ...]:
    """Return the plain tuple of `Pixels`."""
    starts = np.searchsorted(columns, np.arange(width + 1)).astype(np.int64)
    return tuple(Pixels(rows=rows, columns=columns, starts=starts))


@cache
def _kernels() -> Any:
    """Return the loops; numba is imported here, on first use."""
    from bottomup.posenet.kernels import owners, painting

    return owners, painting


def _as_poses(poses: Any, fields: PoseNetFields) -> Poses:
    """Return `poses`, or say what to pass instead."""
    if not isinstance(poses, Poses):
        raise InputError(f"poses must be Poses, got {type(poses).__name__}: pass what the decoder returns")
    if poses.skeleton.parts != fields.skeleton.parts:
        raise InputError(
            f"masks need the {len(fields.skeleton.parts)} parts of {fields.skeleton.name}, "
            f"got poses of skeleton {poses.skeleton.name!r}"
        )
    return poses


def needed(fields: PoseNetFields, name: str) -> Field:
    """Return a tensor that not every network gives."""
    field: Field | None = getattr(fields, name)
    if field is None:
        raise InputError(
            f"these fields have no {name}: take a network that gives them, such as Coral's BodyPix, "
            f"or pass {name} to PoseNetFields.from_mid_offsets or from_displacements"
        )
    return field


def _flat(*fields: Field | None) -> list[tuple[NDArray[Any], np.float32, np.float32]]:
    """Return flat elements, scale and zero of each tensor, one element type for all; of None, no elements."""
    if all(field is None or isinstance(field, Quantized) for field in fields):
        nothing = np.empty(0, np.uint8)
    else:
        fields = tuple(None if field is None else real(field) for field in fields)
        nothing = np.empty(0, np.float32)
    none = nothing, np.float32(1), np.float32(0)
    units = (none if field is None else levels_and_units(field) for field in fields)
    return [(elements.reshape(-1), scale, zero) for elements, scale, zero in units]
