"""Which person each pixel of an image shows."""

from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bottomup.errors import InputError, ModelError
from bottomup.geometry import ImageSize, Placement, image_to_input
from bottomup.posenet.fields import PoseNetFields
from bottomup.posenet.masks.best import PoseNetMasks
from bottomup.posenet.masks.pixels import Size
from bottomup.posenet.masks.rule import MaskRule
from bottomup.poses import Poses

__all__ = ["Segmentation", "Segmenting", "segment"]


class Segmentation(NamedTuple):
    """Which person each pixel of an image shows."""

    poses: Poses  #: M people, in pixels of the image
    masks: NDArray[np.bool_]  #: (M, H, W) the pixels of each
    people: NDArray[np.bool_]  #: (H, W) the pixels of anybody, in a pose or not
    parts: NDArray[np.int8] | None  #: (H, W) indices into `BODY_PARTS`, -1 for nobody; None if the network gives none


class Segmenting:
    """What PoseNet's decoders share: masks of the people they find, each by its own system's rule."""

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
    """Return which person each pixel of an image shows.

    Parameters
    ----------
    fields : PoseNetFields
        The network's outputs for the input that the image was laid into.
    poses : Poses
        People in pixels of the image.
    rule : MaskRule, optional
        Decides whose each pixel is. Default: `PoseNetMasks()`.
    placement : Placement
        Where the image lies in the network's input.
    size : ImageSize
        Of the image.

    Raises
    ------
    ModelError
        If the network gives no segments or no long offsets.
    InputError
        If `rule` is not a rule of masks.
    """
    rule = PoseNetMasks() if rule is None else rule
    if not isinstance(rule, MaskRule):
        raise InputError(f"rule must be a rule of masks, such as PoseNetMasks.coral(), got {rule!r}")
    if fields.long_offsets is None or fields.segments is None:
        raise ModelError(
            "gives no masks: they need segments and long offsets, which Coral's BodyPix (bottomup models lists it) and "
            "the shipped model give"
        )
    keypoints = poses.keypoints.copy()
    keypoints[..., :2] = image_to_input(poses.xy, placement)
    in_input = Poses(keypoints, poses.scores, poses.skeleton)
    masks = rule.masks(fields, in_input, size, placement=placement)
    people = rule.people(fields, size, placement=placement)
    has_parts = fields.part_heatmaps is not None
    parts = rule.parts(fields, None, size, placement=placement) if has_parts else None
    return Segmentation(poses, masks, people, parts)
