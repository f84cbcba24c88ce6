"""Whose pixel is it: masks of the people found, and the part of the body that each pixel shows.

Rules are frozen dataclasses: `PoseNetMasks()` is our own, PersonLab's with
more steps; `.personlab()`, `.coral()` and `.tfjs()` are theirs. All decide at the cells of the
grid. Between cells, person logits are bilinear, and so is each pose's distance
over the cells on people, cut at the rule's largest: the nearest pose has the
pixel, and nobody has it where cells that are nobody's prevail.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bottomup.errors import InputError, ModelError
from bottomup.geometry import ImageSize, Placement, Stretch, image_to_input, input_to_cell
from bottomup.parameters import check, number, score, whole
from bottomup.posenet.fields import BODY_PARTS, NUM_PARTS, PoseNetFields
from bottomup.posenet.roots import LONGEST, MOST_STEPS, as_posenet_fields, logit
from bottomup.poses import Poses
from bottomup.skeletons import COCO17
from bottomup.tensors import Field, Quantized

#: Pixels of masks: one a cell, or as many as (width, height) says.
Size: TypeAlias = tuple[int, int] | Literal["grid"] | None

_STILL = 0.25  # cells; a step no longer than that ends those along the long offsets, and changes no figure of photos
_LANES = 8  # poses that a processor reckons at a time; workspaces hold whole groups


class Segmentation(NamedTuple):
    """Whose the pixels of an image are."""

    poses: Poses  #: M people, in pixels of the image
    masks: NDArray[np.bool_]  #: (M, H, W) the pixels of each
    people: NDArray[np.bool_]  #: (H, W) those of anybody, in a pose or not
    parts: NDArray[np.int8] | None  #: (H, W) indices into `BODY_PARTS`, -1 for nobody; None if the network tells none


class MaskRule:
    """What the rules have in common. Make one with `PoseNetMasks()`, `.coral()` or `.tfjs()`."""

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
            M poses of COCO-17 parts in pixels of the network's input, as `decode` returns them.
        size : (int, int) or "grid", optional
            Width and height of the masks. Default: "grid", a pixel a cell.
            Else those of a picture that fills the network's input. At the
            input's own size, a mask's pixel is the input's.
        placement : Placement, optional
            Where in the network's input an image of `size` lies, if it does
            not fill it: as `lay_out` says. A mask's pixel is then the image's.

        Returns
        -------
        (M, H, W) bool array
            A pixel is one pose's at most; a pose of which nothing is seen has an empty mask.

        Raises
        ------
        InputError
            If a tensor is missing that the rule reads, or an argument is not what it must be.
        """
        fields, poses = as_posenet_fields(fields), _as_coco_poses(poses)
        segments = None if self._covers_all else needed(fields, "segments")
        long_offsets = needed(fields, "long_offsets")
        rows, columns = pixels_in_cells(fields, size, placement)
        masks = np.zeros((len(poses), len(rows), len(columns)), np.bool_)
        height, width = fields.grid
        if masks.size == 0 or height == 0 or width == 0:
            return masks
        tensors = _tensors(long_offsets, fields.offsets, segments)
        stride = np.float32(fields.output_stride)
        keypoint_threshold, pose_threshold = self._thresholds()
        lanes = -(-len(poses) // _LANES) * _LANES
        parts_and_weights = np.full((3, NUM_PARTS, lanes), np.inf, np.float32)  # idle lanes are infinitely far away
        _kernels().weigh(
            _from_first_cell(poses, fields),
            np.ascontiguousarray(poses.scores),
            np.float32(keypoint_threshold),
            np.float32(pose_threshold),
            self._by_score,
            self._is_mean,
            stride,
            *parts_and_weights,
        )
        _kernels().paint_masks(
            *_in_cells(tensors[0], stride),
            *_in_cells(tensors[1], stride),
            *tensors[2],
            height,
            width,
            stride,
            np.float32(-np.inf if self._covers_all else logit(self.segment_threshold)),
            self.long_steps,
            self._short_steps(),
            self._is_rounded,
            self._by_score and self.long_steps > 0,
            np.float32(_STILL**2 if self._by_score else -1),
            *parts_and_weights,
            self._is_squared,
            np.float32(self._furthest()),
            rows,
            columns,
            np.searchsorted(columns, np.arange(width + 1)).astype(np.int64),
            np.empty((2, width), np.float32),
            np.empty((2, width), np.int64),
            np.empty((2, width, lanes), np.float32),
            np.empty((NUM_PARTS, 2), np.float32),
            np.empty(NUM_PARTS, np.bool_),
            np.empty((NUM_PARTS, lanes), np.float32),
            masks,
        )
        return masks

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
            M poses, for one map each, of the pixels in their masks. Default: one map, of the pixels of anybody.
        size, placement
            As of `masks`.

        Returns
        -------
        (H, W) or (M, H, W) int8 array

        Raises
        ------
        InputError
            If a tensor is missing that this reads, or an argument is not what it must be.
        """
        fields = as_posenet_fields(fields)
        parts = self._paint(fields, needed(fields, "part_heatmaps"), size, placement)
        if poses is None:
            return parts
        return np.where(self.masks(fields, poses, size, placement=placement), parts, np.int8(-1))

    def people(
        self, fields: PoseNetFields, size: Size = None, *, placement: Placement | None = None
    ) -> NDArray[np.bool_]:
        """Return where anybody is, whether in a pose or not, (H, W) bool.

        Parameters
        ----------
        fields : PoseNetFields
            One image's network outputs, with segments, float or quantised.
        size, placement
            As of `masks`.

        Raises
        ------
        InputError
            If there are no segments, or an argument is not what it must be.
        """
        return self._paint(as_posenet_fields(fields), None, size, placement) >= 0

    def _thresholds(self) -> tuple[float, float]:
        """Return the score above which a keypoint counts, and that from which on a pose does."""
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
        """Return (H, W) parts of the pixels of anybody; without heatmaps 0."""
        segments = needed(fields, "segments")
        rows, columns = pixels_in_cells(fields, size, placement)
        parts = np.full((len(rows), len(columns)), -1, np.int8)
        height, width = fields.grid
        if height == 0 or width == 0:
            return parts
        heatmap_tensor, segment_tensor = _tensors(heatmaps, segments)
        _kernels().paint_parts(
            *heatmap_tensor,
            *segment_tensor,
            width,
            np.float32(logit(self.segment_threshold)),
            rows,
            columns,
            np.searchsorted(columns, np.arange(width + 1)).astype(np.int64),
            np.empty((2, width), np.float32),
            np.empty((2, width), np.int8),
            np.empty((2, len(BODY_PARTS)), np.float32),
            parts,
        )
        return parts


@dataclass(frozen=True)
class CoralMasks(MaskRule):
    """Give cells to people exactly as Coral's PosenetDecoderOp does, on grids of any shape.

    The pose wins whose 17 parts are nearest, by the sum of squared distances,
    to where the long offsets lead, followed once and then again from there.
    Every cell goes to somebody, those of the background as well: the people's
    are `masks(...) & people(...)`. Upstream, masks are right on square grids
    alone. Make it with `PoseNetMasks.coral()`.

    Attributes
    ----------
    segment_threshold : float
        Lowest person score of a pixel of `people` and `parts`; `masks` have none upstream.
    long_steps : int
        Times that the long offsets are followed once more; 2 upstream.

    References
    ----------
    google-coral/libcoral, `coral/pose_estimation/posenet_decoder.cc`, commit 6589d0b.
    """

    segment_threshold: float = score(0.5)
    long_steps: int = whole(2, low=0, high=MOST_STEPS)
    _is_squared: ClassVar[bool] = True
    _is_mean: ClassVar[bool] = False
    _covers_all: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True)
class TfjsMasks(MaskRule):
    """Give cells to people as TensorFlow.js's BodyPix 2.2 does in a browser.

    The pose wins whose believed parts are nearest, by the mean of squared
    distances, to where the long offsets lead, followed again and again and
    read at whole pixels. Upstream decides so at each pixel of the image, with
    offsets of input pixels added to image pixels; here it is done at the
    cells, in input pixels. Make it with `PoseNetMasks.tfjs()`.

    Attributes
    ----------
    segment_threshold : float
        Lowest person score of a pixel of anybody's; 0.7 upstream.
    keypoint_threshold : float
        Keypoints count whose score is above this; 0.3 upstream.
    pose_threshold : float
        Lowest score of a pose that has pixels; 0.2 upstream.
    long_steps : int
        Times that the long offsets are followed once more; 8 upstream.

    References
    ----------
    tensorflow/tfjs-models, `body-pix/src/multi_person/decode_multiple_masks_webgl.ts`, commit 18a7342.
    """

    segment_threshold: float = score(0.7)
    keypoint_threshold: float = score(0.3)
    pose_threshold: float = score(0.2)
    long_steps: int = whole(8, low=0, high=MOST_STEPS)
    _is_squared: ClassVar[bool] = True
    _is_rounded: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check(self)

    def _thresholds(self) -> tuple[float, float]:
        return self.keypoint_threshold, self.pose_threshold


@dataclass(frozen=True)
class PoseNetMasks(MaskRule):
    """Give pixels to people by the PersonLab paper's rule, with more steps.

    The pose wins whose parts are nearest, by the mean distance weighted with
    their scores and measured in sizes of the person, to where the long
    offsets lead, refined by short offsets. A network's long offsets fall
    short of parts far away, so they are followed again from there; but where
    somebody else stands in front of a part, they lead off to theirs, so the
    nearest of all the places that they led to counts. `personlab()` is the
    paper's rule as it is, `coral()` and `tfjs()` are those systems'.

    Attributes
    ----------
    segment_threshold : float
        Lowest person score of a pixel of anybody's; 0.5 in section 3.3.
    max_distance : float
        Distance above which a pixel is nobody's, in square roots of the area
        of the box around a person's keypoints; 0.25 in section 3.3.
    long_steps : int
        Times at most that the long offsets are followed once more, while they
        move a place by more than a quarter of a cell; 4 measured best. 0: the paper's rule.
    refinement_steps : int
        Short-offset steps after the long offsets; 2 in section 3.3.

    References
    ----------
    Papandreou et al., "PersonLab", ECCV 2018, section 3.3. arXiv:1803.08225

    Examples
    --------
    >>> from bottomup.synthetic import posenet_fields, random_poses
    >>> poses = random_poses(2)
    >>> people = np.zeros((2, 481, 641), bool)
    >>> people[0, 100:300, 50:150] = people[1, 100:300, 400:500] = True
    >>> fields = posenet_fields(poses, masks=people)
    >>> PoseNetMasks().masks(fields, poses).shape
    (2, 31, 41)
    >>> masks = PoseNetMasks().masks(fields, poses, size=(641, 481))
    >>> bool((masks == people).mean() > 0.99)
    True
    """

    segment_threshold: float = score(0.5)
    max_distance: float = number(0.25, low=0, high=LONGEST, above=True)
    long_steps: int = whole(4, low=0, high=MOST_STEPS)
    refinement_steps: int = whole(2, low=0, high=MOST_STEPS)
    _is_squared: ClassVar[bool] = False
    _by_score: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check(self)

    @staticmethod
    def personlab(
        *, segment_threshold: float = 0.5, max_distance: float = 0.25, refinement_steps: int = 2
    ) -> "PoseNetMasks":
        """Return the paper's rule as it is: long offsets are followed once, then refined by short ones."""
        return PoseNetMasks(segment_threshold, max_distance, 0, refinement_steps)

    @staticmethod
    def coral(*, segment_threshold: float = 0.5, long_steps: int = 2) -> CoralMasks:
        """Return Coral's rule; see `CoralMasks` for its parameters."""
        return CoralMasks(segment_threshold, long_steps)

    @staticmethod
    def tfjs(
        *,
        segment_threshold: float = 0.7,
        keypoint_threshold: float = 0.3,
        pose_threshold: float = 0.2,
        long_steps: int = 8,
    ) -> TfjsMasks:
        """Return tfjs's rule; see `TfjsMasks` for its parameters."""
        return TfjsMasks(segment_threshold, keypoint_threshold, pose_threshold, long_steps)

    def _thresholds(self) -> tuple[float, float]:
        return 0.0, -np.inf

    def _furthest(self) -> float:
        return self.max_distance

    def _short_steps(self) -> int:
        return self.refinement_steps


class Segmenting:
    """What PoseNet's decoders share: masks of the people that they found, each by its own system's rule."""

    _mask_rule: ClassVar[MaskRule]

    def masks(
        self, fields: PoseNetFields, poses: Poses, size: Size = None, *, placement: Placement | None = None
    ) -> NDArray[np.bool_]:
        """Return the (M, H, W) bool masks of decoded poses, by this system's own rule; see `MaskRule.masks`.

        At the grid's resolution, or that of `size`, (width, height) of the
        network's input or of any picture that fills it.
        """
        return self._mask_rule.masks(fields, poses, size, placement=placement)

    def parts(
        self,
        fields: PoseNetFields,
        poses: Poses | None = None,
        size: Size = None,
        *,
        placement: Placement | None = None,
    ) -> NDArray[np.int8]:
        """Return the (H, W) int8 part of the body that each pixel shows, or each pose's (M, H, W); -1 elsewhere.

        Indices into `BODY_PARTS`; see `MaskRule.parts`.
        """
        return self._mask_rule.parts(fields, poses, size, placement=placement)


def segment(
    fields: PoseNetFields, poses: Poses, rule: MaskRule | None, placement: Placement, size: ImageSize
) -> Segmentation:
    """Return whose the pixels of an image are.

    Parameters
    ----------
    fields : PoseNetFields
        The network's outputs of an input that the image was laid into.
    poses : Poses
        People in pixels of the image.
    rule : MaskRule, optional
        What decides. Default: `PoseNetMasks()`.
    placement : Placement
        Where the image lies in the network's input.
    size : ImageSize
        The image's.

    Raises
    ------
    ModelError
        If the network gives no segments or no long offsets.
    InputError
        If `rule` is none.
    """
    rule = PoseNetMasks() if rule is None else rule
    if not isinstance(rule, MaskRule):
        raise InputError(f"rule must be one, such as PoseNetMasks.coral(), got {rule!r}")
    if fields.long_offsets is None or fields.segments is None:
        raise ModelError(
            "gives no masks: they need segments and long offsets, as Coral's BodyPix (bottomup models lists it) and "
            "the model that ships have"
        )
    keypoints = poses.keypoints.copy()
    keypoints[..., :2] = image_to_input(poses.xy, placement)
    in_input = Poses(keypoints, poses.scores, poses.skeleton)
    masks = rule.masks(fields, in_input, size, placement=placement)
    people = rule.people(fields, size, placement=placement)
    has_parts = fields.part_heatmaps is not None
    parts = rule.parts(fields, None, size, placement=placement) if has_parts else None
    return Segmentation(poses, masks, people, parts)


@cache
def _kernels() -> Any:
    """Return the loops; numba is imported here, on first use."""
    from bottomup.posenet.kernels import masks as mask_kernels

    return mask_kernels


def _as_coco_poses(poses: Any) -> Poses:
    """Return `poses`, or say what to pass instead."""
    if not isinstance(poses, Poses):
        raise InputError(f"poses must be Poses, got {type(poses).__name__}: pass what the decoder returns")
    if poses.skeleton.parts != COCO17.parts:
        raise InputError(f"masks need the 17 parts of coco_17, got poses of skeleton {poses.skeleton.name!r}")
    return poses


def _from_first_cell(poses: Poses, fields: PoseNetFields) -> NDArray[np.float32]:
    """Return keypoints whose positions count from the middle of the first cell."""
    keypoints = np.array(poses.keypoints, np.float32, order="C")
    keypoints[..., :2] -= np.array(fields.shift, np.float32)
    return keypoints


def needed(fields: PoseNetFields, name: str) -> Field:
    """Return a tensor that not every network gives."""
    field: Field | None = getattr(fields, name)
    if field is None:
        raise InputError(
            f"these fields have no {name}: take a network that gives them, as Coral's BodyPix, "
            f"or pass {name} to PoseNetFields.from_mid_offsets or from_displacements"
        )
    return field


def _tensors(*fields: Field | None) -> list[tuple[NDArray[Any], np.float32, np.float32]]:
    """Return flat elements, scale and zero of each tensor, one element type for all; of None, no elements."""
    if all(field is None or isinstance(field, Quantized) for field in fields):
        nothing = np.empty(0, np.uint8)
    else:
        fields = tuple(field.dequantize() if isinstance(field, Quantized) else field for field in fields)
        nothing = np.empty(0, np.float32)
    tensors: list[tuple[NDArray[Any], np.float32, np.float32]] = []
    for field in fields:
        if isinstance(field, Quantized):
            tensors.append((field.values.reshape(-1), np.float32(field.scale), np.float32(field.zero_point)))
        else:
            tensors.append((nothing if field is None else field.reshape(-1), np.float32(1), np.float32(0)))
    return tensors


def _in_cells(
    tensor: tuple[NDArray[Any], np.float32, np.float32], output_stride: np.float32
) -> tuple[NDArray[Any], np.float32, np.float32]:
    """Return a tensor of pixels as one of cells."""
    elements, scale, zero = tensor
    return elements, scale * (np.float32(1) / output_stride), zero


def pixels_in_cells(
    fields: PoseNetFields, size: Size, placement: Placement | None
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return where the rows and the columns of masks lie, in cells, ascending; those beyond the grid on its border."""
    height, width = fields.grid
    if size is None or (isinstance(size, str) and size == "grid"):
        if placement is not None:
            raise InputError("placement is an image's: pass the image's size too, size=(width, height)")
        return np.arange(height, dtype=np.float32), np.arange(width, dtype=np.float32)
    asked = _as_size(size)
    if placement is None:
        placement = Stretch().place(asked, _input_size(fields, asked))
    diagonal = np.repeat(np.arange(max(asked)), 2).reshape(-1, 2)
    cells = input_to_cell(image_to_input(diagonal, placement) - fields.shift, fields.output_stride)
    rows, columns = cells[: asked.height, 0], cells[: asked.width, 1]
    return tuple(
        np.clip(places, 0, max(cells - 1, 0)).astype(np.float32) for places, cells in ((rows, height), (columns, width))
    )


def _input_size(fields: PoseNetFields, asked: ImageSize) -> ImageSize:
    """Return the size of the network's input: as asked, where the grid can come from it, else whole strides plus 1."""
    stride = fields.output_stride
    sides = []
    for side, cells in zip(asked, reversed(fields.grid), strict=True):
        whole = int((cells - 1) * stride) + 1
        sides.append(side if abs(side - whole) < stride else max(whole, 1))
    return ImageSize(*sides)


def _as_size(size: Any) -> ImageSize:
    """Return a (width, height) that can be one."""
    try:
        width, height = (int(side) for side in size)
    except (TypeError, ValueError) as error:
        raise InputError(f'size must be (width, height) in pixels or "grid", got {size!r}') from error
    if min(width, height) < 1:
        raise InputError(f"size must be (width, height) of at least 1 pixel each, got {size!r}")
    return ImageSize(width, height)
