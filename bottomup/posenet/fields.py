"""The outputs of a PoseNet-family network, whatever layout they came in."""

from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from bottomup.errors import InputError
from bottomup.posenet.bundles import Tensors, cells_of, flat_tensors, real
from bottomup.posenet.checks import are_logits, as_shift, as_stride, refuse_non_finite, refuse_non_scores
from bottomup.posenet.trees import EDGES as EDGES
from bottomup.posenet.trees import NUM_EDGES as NUM_EDGES
from bottomup.posenet.trees import NUM_PARTS as NUM_PARTS
from bottomup.posenet.trees import coco_tree, kernel_tree, tree_of
from bottomup.skeletons import COCO17, Skeleton, as_skeleton
from bottomup.tensors import Field, FieldLike, Quantized, as_fields, short_repr, take_channels

__all__ = ["BODY_PARTS", "PoseNetFields"]

#: The 24 body parts of BodyPix's part heatmaps, in channel order (tfjs `part_channels.ts`).
BODY_PARTS = (
    "left_face", "right_face", "left_upper_arm_front", "left_upper_arm_back", "right_upper_arm_front",
    "right_upper_arm_back", "left_lower_arm_front", "left_lower_arm_back", "right_lower_arm_front",
    "right_lower_arm_back", "left_hand", "right_hand", "torso_front", "torso_back", "left_upper_leg_front",
    "left_upper_leg_back", "right_upper_leg_front", "right_upper_leg_back", "left_lower_leg_front",
    "left_lower_leg_back", "right_lower_leg_front", "right_lower_leg_back", "left_feet", "right_feet",
)  # fmt: skip

_GIVEN = {"offsets": "short_offsets", "_mid_offsets": "mid_offsets"}  # names of arguments
_OPTIONAL = {"long_offsets", "segments", "part_heatmaps", "_mid_offsets"}


@dataclass(frozen=True, eq=False)
class PoseNetFields:
    """One image's heatmaps, short offsets and displacements, checked.

    Build it with `from_displacements` or `from_mid_offsets`. Tensors are
    (H, W, C), C-contiguous, float32 or `Quantized`; the caller's arrays are
    shared where they fit and never written to.

    Attributes
    ----------
    heatmaps : (H, W, 17) field
        Part logits, or part scores in [0, 1] where `logits` is False.
    offsets : (H, W, 34) field
        Short-range vectors from a cell to the part near it, input pixels: y of every part, then x.
    displacements_fwd : (H, W, 32) field
        Vectors along `EDGES` from parent to child, input pixels: y of every edge, then x.
    displacements_bwd : (H, W, 32) field
        The same edges from child to parent.
    output_stride : float
        Input pixels per cell.
    logits : bool
        Whether `heatmaps` holds logits.
    long_offsets : (H, W, 34) field, optional
        Vectors from a person's pixel to each of their parts, input pixels.
    segments : (H, W, 1) field, optional
        Person logits.
    part_heatmaps : (H, W, 24) field, optional
        Logits of `BODY_PARTS`.
    shift : (float, float)
        x and y, input pixels, of the middle of the first cell. 0 in inputs of
        whole strides plus 1; in others, convolutions that pad nothing before an
        even side move all cells.
    skeleton : Skeleton
        Names the parts. Its edges are those of the displacements, in channel
        order: a tree that joins all parts. COCO's 17 parts have PoseNet's `EDGES`.

    References
    ----------
    Papandreou et al., "PersonLab", ECCV 2018, section 3. arXiv:1803.08225
    """

    heatmaps: Field
    offsets: Field
    displacements_fwd: Field
    displacements_bwd: Field
    output_stride: float
    logits: bool = True
    long_offsets: Field | None = None
    segments: Field | None = None
    part_heatmaps: Field | None = None
    shift: tuple[float, float] = (0.0, 0.0)
    skeleton: Skeleton = COCO17
    _mid_offsets: Field | None = field(default=None, repr=False)  # both displacements in one tensor, if they came so
    __repr__ = short_repr

    def __post_init__(self) -> None:
        grid = np.shape(self.heatmaps)[:2]
        object.__setattr__(self, "output_stride", as_stride(self.output_stride))
        object.__setattr__(self, "shift", as_shift(self.shift))
        for name, channels in _channels_of(self.skeleton).items():
            tensor = getattr(self, name)
            if tensor is None and name in _OPTIONAL:
                continue
            elements = tensor.values if isinstance(tensor, Quantized) else tensor
            dtype = np.uint8 if isinstance(tensor, Quantized) else np.float32
            is_checked = isinstance(elements, np.ndarray) and elements.dtype == dtype
            if not is_checked or elements.shape != (*grid, channels):
                raise InputError(
                    f"{name} must be a checked tensor of {channels} channels on the common grid: build PoseNetFields "
                    "with from_displacements or from_mid_offsets, which take any layout"
                )
            if elements is tensor and not (name.startswith("displacements") and self._mid_offsets is not None):
                refuse_non_finite(tensor, name if self._mid_offsets is None else _GIVEN.get(name, name))
        if not self.logits:
            refuse_non_scores(self.heatmaps)

    @classmethod
    def from_displacements(
        cls,
        heatmaps: FieldLike,
        offsets: FieldLike,
        displacements_fwd: FieldLike,
        displacements_bwd: FieldLike,
        *,
        output_stride: float = 16,
        logits: bool | None = None,
        long_offsets: FieldLike | None = None,
        segments: FieldLike | None = None,
        part_heatmaps: FieldLike | None = None,
        shift: tuple[float, float] = (0.0, 0.0),
        skeleton: Skeleton = COCO17,
    ) -> "PoseNetFields":
        """Take the four tensors of tfjs models and frozen graphs.

        Parameters
        ----------
        heatmaps, offsets, displacements_fwd, displacements_bwd : array or Quantized
            17, 34, 32 and 32 channels; (H, W, C), (1, H, W, C) or, all of
            them together, (C, H, W). See the class for what they hold.
        output_stride : float
            Input pixels per cell: 8, 16 or 32.
        logits : bool, optional
            True where no sigmoid was applied to `heatmaps`, as in every model
            file; False for scores in [0, 1], as in tfjs after its sigmoid.
            Default: True; heatmaps that lie within [0, 1] are refused until you say.
        long_offsets, segments, part_heatmaps : array or Quantized, optional
            34, 1 and 24 channels, from models that give them.
        shift : (float, float)
            x and y, input pixels, of the middle of the first cell; see the class.
        skeleton : Skeleton
            For a network trained on other parts: its N parts, and its N - 1
            edges in the displacements' channel order, parent first. Channels
            are then N, 2N and 2(N - 1).

        Raises
        ------
        InputError
            If a rank, channel count, grid or element type does not fit, a
            tensor holds NaN or infinite numbers, or heatmaps are scores and
            `logits` does not say so. The message names the tensor.
        """
        channels = _channels_of(skeleton)
        tensors: dict[str, tuple[FieldLike, int]] = {
            "heatmaps": (heatmaps, channels["heatmaps"]),
            "offsets": (offsets, channels["offsets"]),
            "displacements_fwd": (displacements_fwd, channels["displacements_fwd"]),
            "displacements_bwd": (displacements_bwd, channels["displacements_bwd"]),
        }
        fields = _checked(tensors, long_offsets, segments, part_heatmaps, channels)
        return cls(
            **fields, output_stride=output_stride, logits=are_logits(logits, fields), shift=shift, skeleton=skeleton
        )

    @classmethod
    def from_mid_offsets(
        cls,
        heatmaps: FieldLike,
        short_offsets: FieldLike,
        mid_offsets: FieldLike,
        *,
        output_stride: float = 16,
        logits: bool | None = None,
        long_offsets: FieldLike | None = None,
        segments: FieldLike | None = None,
        part_heatmaps: FieldLike | None = None,
        shift: tuple[float, float] = (0.0, 0.0),
        skeleton: Skeleton = COCO17,
    ) -> "PoseNetFields":
        """Take the three tensors of TFLite and Coral models.

        `mid_offsets` has 64 channels: forward y, forward x, backward y and
        backward x of the 16 edges. The rest is as in `from_displacements`.
        """
        channels = _channels_of(skeleton)
        tensors: dict[str, tuple[FieldLike, int]] = {
            "heatmaps": (heatmaps, channels["heatmaps"]),
            "short_offsets": (short_offsets, channels["offsets"]),
            "mid_offsets": (mid_offsets, channels["_mid_offsets"]),
        }
        fields = _checked(tensors, long_offsets, segments, part_heatmaps, channels)
        mid = fields["_mid_offsets"] = fields.pop("mid_offsets")
        fields["offsets"] = fields.pop("short_offsets")
        half = channels["displacements_fwd"]
        fields["displacements_fwd"] = take_channels(mid, slice(0, half))
        fields["displacements_bwd"] = take_channels(mid, slice(half, None))
        return cls(
            **fields, output_stride=output_stride, logits=are_logits(logits, fields), shift=shift, skeleton=skeleton
        )

    @property
    def grid(self) -> tuple[int, int]:
        """H and W, in cells."""
        return self.heatmaps.shape[0], self.heatmaps.shape[1]

    @cached_property
    def tensors(self) -> Tensors:
        """The flat tensors that kernels read, one element type for all."""
        parts = (self.heatmaps, self.offsets, self.displacements_fwd, self.displacements_bwd)
        return flat_tensors(parts, self._mid_offsets, self.logits, self.output_stride, self.shift)

    @cached_property
    def in_cells(self) -> tuple[Any, ...]:
        """The plain tuple of `Cells`."""
        return tuple(cells_of(self.tensors))

    @cached_property
    def tree(self) -> tuple[Any, ...]:
        """The plain tuple of the `Tree` along which kernels walk."""
        return coco_tree() if self.skeleton is COCO17 else kernel_tree(self.skeleton)

    @cached_property
    def kind(self) -> tuple[Any, ...]:
        """What fields must share for one kernel call to decode them: stride, shift, element type, grid and parts."""
        return (self.output_stride, *self.shift, self.logits, self.tensors.is_quantized, *self.grid, self.skeleton)

    @cached_property
    def as_floats(self) -> "PoseNetFields":
        """These fields with every tensor dequantised."""
        parts = (self.heatmaps, self.offsets, self.displacements_fwd, self.displacements_bwd)
        heat, short, fwd, bwd = map(real, parts)
        return self._with_tensors(heat, short, fwd, bwd, self.logits)

    @property
    def as_logits(self) -> "PoseNetFields":
        """These fields with heatmaps of logits; scores are first moved 1e-7 inside (0, 1)."""
        return self if self.logits else self._of_scores  # not cached: fields that hold themselves wait for gc

    @cached_property
    def _of_scores(self) -> "PoseNetFields":
        """These fields of scores as fields of logits."""
        inside = np.clip(real(self.heatmaps).astype(np.float64), 1e-7, 1 - 1e-7)
        logits = np.log(inside / (1 - inside)).astype(np.float32)
        return self._with_tensors(logits, self.offsets, self.displacements_fwd, self.displacements_bwd, True)

    def _with_tensors(self, heatmaps: Field, offsets: Field, fwd: Field, bwd: Field, logits: bool) -> "PoseNetFields":
        """Return these fields with other tensors for poses, the same for masks."""
        rest = (self.long_offsets, self.segments, self.part_heatmaps, self.shift, self.skeleton)
        return PoseNetFields(heatmaps, offsets, fwd, bwd, self.output_stride, logits, *rest)


def _checked(
    tensors: dict[str, tuple[FieldLike, int]],
    long_offsets: FieldLike | None,
    segments: FieldLike | None,
    part_heatmaps: FieldLike | None,
    channels: dict[str, int],
) -> dict[str, Field]:
    """Check all tensors of one image together."""
    if long_offsets is not None:
        tensors["long_offsets"] = (long_offsets, channels["long_offsets"])
    if segments is not None:
        tensors["segments"] = (segments, 1)
    if part_heatmaps is not None:
        tensors["part_heatmaps"] = (part_heatmaps, len(BODY_PARTS))
    return dict(zip(tensors, as_fields(**tensors), strict=True))


@lru_cache(maxsize=64)
def _channels_of(skeleton: Skeleton) -> dict[str, int]:
    """Return the number of channels of each tensor."""
    num_parts, num_edges = len(as_skeleton(skeleton).parts), len(tree_of(skeleton))
    return {
        "heatmaps": num_parts,
        "offsets": 2 * num_parts,
        "displacements_fwd": 2 * num_edges,
        "displacements_bwd": 2 * num_edges,
        "long_offsets": 2 * num_parts,
        "segments": 1,
        "part_heatmaps": len(BODY_PARTS),
        "_mid_offsets": 4 * num_edges,
    }
