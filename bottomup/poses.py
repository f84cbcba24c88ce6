"""Poses: what every decoder returns."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bottomup.errors import InputError
from bottomup.geometry import ImageSize, Placement, input_to_image
from bottomup.skeletons import COCO17, Skeleton, as_skeleton


@dataclass(frozen=True, eq=False)
class Poses:
    """M poses of N parts found in one image, best first.

    Attributes
    ----------
    keypoints : (M, N, 3) float32
        x, y and score in [0, 1]. Pixels of the original image, or of the
        network's input where a decoder was called on raw fields. A part that
        was not found is (nan, nan, 0).
    scores : (M,) float32
        Score of each whole pose.
    skeleton : Skeleton
        Names the N parts.
    image_size : ImageSize, optional
        Size of the image that the coordinates live in, where it is known.
    filled : (M, N) bool, optional
        Keypoints that the decoder guessed for a person it had found otherwise,
        where no peak was; less often right than the others. None where the
        decoder guesses none. `without_filled` drops them.
    ids : (M,) int32, optional
        Who is who from frame to frame, as `tracking.Tracker` tells; None of a
        single image.
    boxes : (M, 4) float32, optional
        Left, top, width and height around each person, pixels as the
        keypoints', where the network gives boxes of its own; else None.

    Raises
    ------
    InputError
        If the shapes do not fit together, or hold anything but numbers.

    Examples
    --------
    >>> from bottomup.skeletons import COCO17
    >>> poses = Poses(np.zeros((3, 17, 3)), [0.9, 0.5, 0.2], COCO17)
    >>> len(poses), len(poses[poses.scores > 0.4]), np.asarray(poses).shape
    (3, 2, (3, 17, 3))
    """

    keypoints: NDArray[np.float32]
    scores: NDArray[np.float32]
    skeleton: Skeleton
    image_size: ImageSize | None = None
    filled: NDArray[np.bool_] | None = None
    ids: NDArray[np.int32] | None = None
    boxes: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        keypoints, scores = _as_float32(self.keypoints, "keypoints"), _as_float32(self.scores, "scores")
        if scores.ndim != 1:
            raise InputError(f"scores must have shape (M,), one a pose, got {scores.shape}")
        expected = (len(scores), len(as_skeleton(self.skeleton).parts), 3)
        if keypoints.shape != expected:
            raise InputError(
                f"keypoints must have shape (M, N, 3) = {expected} for {len(scores)} scores "
                f"and skeleton {self.skeleton.name!r}, got {keypoints.shape}"
            )
        object.__setattr__(self, "keypoints", keypoints)
        object.__setattr__(self, "scores", scores)
        if self.filled is not None:
            filled = np.asarray(self.filled, dtype=np.bool_)
            if filled.shape != expected[:2]:
                raise InputError(f"filled must have shape (M, N) = {expected[:2]}, got {filled.shape}")
            object.__setattr__(self, "filled", filled)
        if self.ids is not None:
            ids = np.asarray(self.ids)
            if ids.shape != scores.shape or (ids.dtype.kind not in "iu" and ids.size):
                raise InputError(f"ids must be {len(scores)} whole numbers, one a pose, got {ids.dtype} {ids.shape}")
            if ids.size and not -(2**31) <= ids.min() <= ids.max() < 2**31:
                raise InputError(f"ids must fit into 32 bits, got {ids.min()} to {ids.max()}")
            object.__setattr__(self, "ids", ids.astype(np.int32, copy=False))
        if self.boxes is not None:
            boxes = _as_float32(self.boxes, "boxes")
            if boxes.shape != (len(scores), 4):
                raise InputError(f"boxes must have shape (M, 4) = ({len(scores)}, 4), one a pose, got {boxes.shape}")
            object.__setattr__(self, "boxes", boxes)

    @classmethod
    def empty(cls, skeleton: Skeleton, image_size: ImageSize | None = None) -> "Poses":
        """Return no poses, yet N parts wide."""
        return cls(
            np.empty((0, len(as_skeleton(skeleton).parts), 3), np.float32),
            np.empty(0, np.float32),
            skeleton,
            image_size,
        )

    @classmethod
    def of_decoder(
        cls,
        keypoints: NDArray[np.float32],
        scores: NDArray[np.float32],
        skeleton: Skeleton,
        filled: NDArray[np.bool_] | None = None,
        boxes: NDArray[np.float32] | None = None,
    ) -> "Poses":
        """Return poses of arrays that fit together, as decoders make them: unchecked, which small decodes notice."""
        poses = object.__new__(cls)
        poses.__dict__.update(keypoints=keypoints, scores=scores, skeleton=skeleton, filled=filled, boxes=boxes)
        return poses

    @property
    def xy(self) -> NDArray[np.float32]:
        """The (M, N, 2) positions, a view."""
        return self.keypoints[..., :2]

    @property
    def keypoint_scores(self) -> NDArray[np.float32]:
        """The (M, N) keypoint scores, a view."""
        return self.keypoints[..., 2]

    def __len__(self) -> int:
        return len(self.scores)

    def __getitem__(self, index: Any) -> "Poses":
        """Select poses by number, slice, index array or mask: `poses[poses.scores > 0.4]`; always Poses."""
        chosen: Any = [index] if isinstance(index, (int, np.integer)) else index
        filled = None if self.filled is None else self.filled[chosen]
        ids = None if self.ids is None else self.ids[chosen]
        boxes = None if self.boxes is None else self.boxes[chosen]
        keypoints, scores = self.keypoints[chosen], self.scores[chosen]
        return replace(self, keypoints=keypoints, scores=scores, filled=filled, ids=ids, boxes=boxes)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.array(self.keypoints, dtype) if copy else np.asarray(self.keypoints, dtype)

    def to_image(self, placement: Placement, image_size: ImageSize) -> "Poses":
        """Return these poses, found in the network's input, in pixels of the image that was placed there."""
        keypoints = self.keypoints.copy()
        keypoints[..., :2] = input_to_image(self.xy, placement)
        boxes = self.boxes
        if boxes is not None:
            corners = input_to_image(boxes[:, :2], placement)
            boxes = np.hstack([corners, boxes[:, 2:] / (placement.scale_x, placement.scale_y)]).astype(np.float32)
        return replace(self, keypoints=keypoints, image_size=image_size, boxes=boxes)

    def mirrored(self, *, width: int | None = None, swap_sides: bool = False) -> "Poses":
        """Return the poses as seen in the horizontally mirrored image: x becomes width - 1 - x.

        Parameters
        ----------
        width : int, optional
            Width of the image in pixels; default `image_size.width`.
        swap_sides : bool
            Also exchange left and right parts. False is tfjs's
            `flipHorizontal`: a webcam picture is shown mirrored, and the left
            hand stays the left hand. True undoes a mirroring of the image
            before the network saw it.

        Raises
        ------
        InputError
            If no width is known.
        """
        if width is None:
            if self.image_size is None:
                raise InputError("these poses know no image size: pass mirrored(width=...), in pixels")
            width = self.image_size.width
        poses = self._of_parts(list(self.skeleton.mirror), self.skeleton) if swap_sides else self
        keypoints = poses.keypoints.copy()
        keypoints[..., 0] = width - 1 - keypoints[..., 0]
        boxes = poses.boxes
        if boxes is not None:
            boxes = boxes.copy()
            boxes[:, 0] = width - 1 - boxes[:, 0] - boxes[:, 2]
        return replace(poses, keypoints=keypoints, boxes=boxes)

    def without_filled(self) -> "Poses":
        """Return these poses with the keypoints that were only guessed marked as not found."""
        if self.filled is None:
            return self
        keypoints = self.keypoints.copy()
        keypoints[self.filled] = np.nan, np.nan, 0
        return replace(self, keypoints=keypoints, filled=None)

    def to_coco17(self) -> "Poses":
        """Return COCO's 17 parts of these poses, in COCO's order, as its evaluation asks.

        Of any skeleton that has parts of those names; OpenPose's neck, mid
        hip and feet are dropped.

        Raises
        ------
        InputError
            If a part is missing.
        """
        if self.skeleton.parts == COCO17.parts:
            return replace(self, skeleton=COCO17)
        return self._of_parts([self.skeleton.index(part) for part in COCO17.parts], COCO17)

    def _of_parts(self, parts: list[int], skeleton: Skeleton) -> "Poses":
        """Return some parts of the poses, as those of another skeleton."""
        filled = None if self.filled is None else self.filled[:, parts]
        return replace(self, keypoints=self.keypoints[:, parts], skeleton=skeleton, filled=filled)


def _as_float32(values: Any, name: str) -> NDArray[np.float32]:
    """Return `values` as an array, the same one if it is one."""
    try:
        return np.asarray(values, dtype=np.float32)
    except (TypeError, ValueError) as error:  # words, or rows of different length
        raise InputError(f"{name} must be an array of numbers: {error}") from error


def as_poses(poses: Poses) -> Poses:
    """Return poses, if they are Poses."""
    if not isinstance(poses, Poses):
        raise InputError(
            f"poses must be Poses, got {type(poses).__name__}: pass what a decoder or an estimator returns"
        )
    return poses
