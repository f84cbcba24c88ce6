"""Poses: what every decoder returns."""

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import bottomup
from bottomup import presentation, similarity
from bottomup.errors import InputError
from bottomup.geometry import ImageSize, Placement, input_to_image
from bottomup.skeletons import COCO17, Skeleton, as_skeleton
from bottomup.tensors import as_number

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["MIN_SCORE", "Poses", "as_poses"]

#: Poses that score less are rarely correct: the default of every `min_score`.
MIN_SCORE = 0.2


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
        Size of the image that the coordinates refer to, if known.
    filled : (M, N) bool
        Keypoints that the decoder guessed, without a peak, for a person it had
        already found; less reliable than the rest. Default: none.
        `without_filled` drops them.
    ids : (M,) int32, optional
        Ids that people keep from frame to frame, assigned by
        `tracking.Tracker`; None for a single image.
    own_boxes : (M, 4) float32, optional
        Boxes from the network itself: left, top, width, height; None if it
        gives none. `boxes` falls back to boxes around the keypoints.

    Raises
    ------
    InputError
        If the shapes do not match, or an array holds anything but numbers.

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
    filled: NDArray[np.bool_] = None  # type: ignore[assignment]  # none of them
    ids: NDArray[np.int32] | None = None
    own_boxes: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        keypoints, scores = _as_float32(self.keypoints, "keypoints"), _as_float32(self.scores, "scores")
        if scores.ndim != 1:
            raise InputError(f"scores must have shape (M,), one per pose, got {scores.shape}")
        expected = (len(scores), len(as_skeleton(self.skeleton).parts), 3)
        if keypoints.shape != expected:
            raise InputError(
                f"keypoints must have shape (M, N, 3) = {expected} for {len(scores)} scores "
                f"and skeleton {self.skeleton.name!r}, got {keypoints.shape}"
            )
        object.__setattr__(self, "keypoints", keypoints)
        object.__setattr__(self, "scores", scores)
        filled = _nothing(*expected[:2]) if self.filled is None else np.asarray(self.filled, dtype=np.bool_)
        if filled.shape != expected[:2]:
            raise InputError(f"filled must have shape (M, N) = {expected[:2]}, got {filled.shape}")
        object.__setattr__(self, "filled", filled)
        if self.own_boxes is not None:
            boxes = _as_float32(self.own_boxes, "own_boxes")
            if boxes.shape != (len(scores), 4):
                raise InputError(f"own_boxes must have shape (M, 4) = {(len(scores), 4)}, got {boxes.shape}")
            object.__setattr__(self, "own_boxes", boxes)
        if self.ids is not None:
            ids = np.asarray(self.ids)
            if ids.shape != scores.shape or (ids.dtype.kind not in "iu" and ids.size):
                raise InputError(f"ids must be {len(scores)} whole numbers, one per pose, got {ids.dtype} {ids.shape}")
            if ids.size and not -(2**31) <= ids.min() <= ids.max() < 2**31:
                raise InputError(f"ids must fit into 32 bits, got {ids.min()} to {ids.max()}")
            object.__setattr__(self, "ids", ids.astype(np.int32, copy=False))

    @classmethod
    def empty(cls, skeleton: Skeleton, image_size: ImageSize | None = None) -> "Poses":
        """Return zero poses of this skeleton."""
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
        """Wrap a decoder's arrays without checking them, because checks take a noticeable share of a small decode."""
        if filled is None:
            filled = _nothing(*keypoints.shape[:2])
        poses = object.__new__(cls)
        poses.__dict__.update(keypoints=keypoints, scores=scores, skeleton=skeleton, filled=filled, own_boxes=boxes)
        return poses

    @property
    def xy(self) -> NDArray[np.float32]:
        """The (M, N, 2) positions, a view."""
        return self.keypoints[..., :2]

    @property
    def keypoint_scores(self) -> NDArray[np.float32]:
        """The (M, N) keypoint scores, a view."""
        return self.keypoints[..., 2]

    @property
    def boxes(self) -> NDArray[np.float32]:
        """The (M, 4) boxes: left, top, width, height in pixels, as in COCO and MeTRAbs.

        These are the network's own boxes if it gives any; otherwise the smallest boxes around the keypoints found,
        which cut off hair and hands. A pose without keypoints has nan.
        """
        if self.own_boxes is not None:
            return self.own_boxes
        is_somewhere = np.isfinite(self.xy).all(axis=2, keepdims=True)
        low = np.where(is_somewhere, self.xy, np.inf).min(axis=1, initial=np.inf)
        high = np.where(is_somewhere, self.xy, -np.inf).max(axis=1, initial=-np.inf)
        boxes = np.hstack([low, np.minimum(high.astype(np.float64) - low, np.finfo(np.float32).max)])  # finite
        return np.where(np.isfinite(low[:, :1]), boxes, np.nan).astype(np.float32)

    def __repr__(self) -> str:
        return presentation.one_line(self)

    def _repr_html_(self) -> str:
        return presentation.table(self)

    def __len__(self) -> int:
        return len(self.scores)

    def __getitem__(self, index: Any) -> "Poses":
        """Select poses by number, slice, index array or mask: `poses[poses.scores > 0.4]`; always Poses."""
        chosen: Any = [index] if isinstance(index, (int, np.integer)) else index
        ids = None if self.ids is None else self.ids[chosen]
        own_boxes = None if self.own_boxes is None else self.own_boxes[chosen]
        return replace(
            self,
            keypoints=self.keypoints[chosen],
            scores=self.scores[chosen],
            filled=self.filled[chosen],
            ids=ids,
            own_boxes=own_boxes,
        )

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.array(self.keypoints, dtype) if copy else np.asarray(self.keypoints, dtype)

    def to_image(self, placement: Placement, image_size: ImageSize) -> "Poses":
        """Convert poses from pixels of the network's input to pixels of the image that was placed in it."""
        keypoints = self.keypoints.copy()
        keypoints[..., :2] = input_to_image(self.xy, placement)
        boxes = self.own_boxes
        if boxes is not None:
            corner = input_to_image(boxes[:, :2], placement)
            boxes = np.concatenate([corner, boxes[:, 2:] / (placement.scale_x, placement.scale_y)], axis=1)
        return replace(self, keypoints=keypoints, image_size=image_size, own_boxes=boxes)

    def mirrored(self, *, width: int | None = None, swap_sides: bool = False) -> "Poses":
        """Return the poses as seen in the horizontally mirrored image: x becomes width - 1 - x.

        Parameters
        ----------
        width : int, optional
            Width of the image in pixels; default `image_size.width`.
        swap_sides : bool
            Also exchange left and right parts. False is tfjs's
            `flipHorizontal`: a webcam picture is shown mirrored, and the left
            hand stays the left hand. True undoes the mirroring of an image
            that the network saw mirrored.

        Raises
        ------
        InputError
            If no width is known.
        """
        if width is None:
            if self.image_size is None:
                raise InputError("these poses have no image size: pass mirrored(width=...), in pixels")
            width = self.image_size.width
        poses = self._of_parts(list(self.skeleton.mirror), self.skeleton) if swap_sides else self
        keypoints = poses.keypoints.copy()
        keypoints[..., 0] = width - 1 - keypoints[..., 0]
        boxes = self.own_boxes
        if boxes is not None:
            boxes = boxes.copy()
            boxes[:, 0] = width - 1 - boxes[:, 0] - boxes[:, 2]
        return replace(poses, keypoints=keypoints, own_boxes=boxes)

    def flipped(self, *, width: int | None = None) -> "Poses":
        """Return what a perfect network finds in the mirrored image: `mirrored(swap_sides=True)`."""
        return self.mirrored(width=width, swap_sides=True)

    def above(self, score: float) -> "Poses":
        """Return the poses that score at least this much."""
        return self[self.scores >= as_number(score, "score")]

    def without_duplicates(self) -> "Poses":
        """Drop poses that duplicate a better one: their similarity to it (OKS) is above 0.5."""
        are_duplicates = similarity.are_duplicates(self.xy, self.scores, self.skeleton)
        return self[~are_duplicates] if are_duplicates.any() else self

    def sure(self, min_score: float = MIN_SCORE) -> "Poses":
        """Return the poses worth showing: those that score at least `min_score`, each person once. 0 keeps them all."""
        return self.above(min_score).without_duplicates() if min_score > 0 else self

    def angle(self, first: str, middle: str, last: str) -> NDArray[np.float32]:
        """Return the (M,) angles, in degrees from 0 to 180, at the middle of three parts.

        nan where a part was not found, or where the first or last one lies exactly on the middle one.

        Parameters
        ----------
        first, middle, last : str
            Names of parts: "left_shoulder", "left_elbow", "left_wrist" give the angle of the left elbow.

        Raises
        ------
        InputError
            If the skeleton has no part of that name.

        Examples
        --------
        >>> arm = Skeleton("arm", ("shoulder", "elbow", "wrist"), ((0, 1), (1, 2)))
        >>> poses = Poses([[(0, 0, 1), (10, 0, 1), (10, 5, 1)]], [1], arm)
        >>> poses.angle("shoulder", "elbow", "wrist")
        array([90.], dtype=float32)
        """
        start, corner, end = (
            self.xy[:, self.skeleton.index(part)].astype(np.float64) for part in (first, middle, last)
        )
        one, other = start - corner, end - corner
        across, along = one[:, 0] * other[:, 1] - one[:, 1] * other[:, 0], (one * other).sum(axis=1)
        angles = np.degrees(np.abs(np.arctan2(across, along)))
        is_point = ~(one.any(axis=1) & other.any(axis=1))
        return np.where(is_point, np.nan, angles).astype(np.float32)

    def plot(self, image: Any, **settings: Any) -> presentation.Drawing:
        """Return a copy of the image with these poses drawn on it: a BGR array, which a notebook shows as a picture.

        `image` is a path, the bytes of a file, a Pillow image or a uint8 (H, W, 3) array; settings are those of
        `draw_poses`: `colour="person"`, `boxes=True`, ...
        """
        return presentation.drawn(self, image, settings)

    def save(self, path: str | Path, image: Any, **settings: Any) -> None:
        """Write the image with these poses drawn on it; arguments as for `plot`. The suffix sets the format."""
        bottomup.images.write_image(path, self.plot(image, **settings))

    def show(self, image: Any, **settings: Any) -> None:
        """Show the image with these poses drawn on it in a window until a key is pressed; arguments as for `plot`.

        Raises
        ------
        MissingRuntimeError
            If there is no screen, or OpenCV was built without windows.
        """
        presentation.show_until_key(self.plot(image, **settings))

    def to_json(self) -> str:
        """Return the skeleton, the size of the image and the poses as JSON; `export.read_json_lines` reads it."""
        return bottomup.export.to_json(self)

    def to_frame(self, **about: Any) -> "pd.DataFrame":
        """Return a pandas DataFrame with one row per keypoint: `export.data_frame`."""
        return bottomup.export.data_frame(self, **about)

    def without_filled(self) -> "Poses":
        """Return these poses with their guessed keypoints marked as not found."""
        if not self.filled.any():
            return self
        keypoints = self.keypoints.copy()
        keypoints[self.filled] = np.nan, np.nan, 0
        return replace(self, keypoints=keypoints, filled=np.zeros_like(self.filled))

    def to_coco17(self) -> "Poses":
        """Return only COCO's 17 parts, in COCO's order: `to_skeleton(COCO17)`. Necks and feet are dropped."""
        return self.to_skeleton(COCO17)

    def to_skeleton(self, skeleton: Skeleton) -> "Poses":
        """Return only the parts of another skeleton, in its order; the rest are dropped.

        Raises
        ------
        InputError
            If one of its parts is missing here.
        """
        if self.skeleton.parts == as_skeleton(skeleton).parts:
            return replace(self, skeleton=skeleton)
        return self._of_parts([self.skeleton.index(part) for part in skeleton.parts], skeleton)

    def _of_parts(self, parts: list[int], skeleton: Skeleton) -> "Poses":
        """Return some parts of the poses, as those of another skeleton."""
        return replace(self, keypoints=self.keypoints[:, parts], skeleton=skeleton, filled=self.filled[:, parts])


@lru_cache(maxsize=64)
def _nothing(num_poses: int, num_parts: int) -> NDArray[np.bool_]:
    """Return a cached, read-only (M, N) array of False."""
    nothing = np.zeros((num_poses, num_parts), np.bool_)
    nothing.flags.writeable = False
    return nothing


def _as_float32(values: Any, name: str) -> NDArray[np.float32]:
    """Return `values` as float32, without a copy if they already are."""
    try:
        return np.asarray(values, dtype=np.float32)
    except (TypeError, ValueError) as error:  # words, or rows of different length
        raise InputError(f"{name} must be an array of numbers: {error}") from error


def as_poses(poses: Poses) -> Poses:
    """Return `poses`, or raise if they are not `Poses`."""
    if not isinstance(poses, Poses):
        given = type(poses).__name__
        raise InputError(f"poses must be Poses, got {given}: pass what a decoder or an estimator returns")
    return poses
