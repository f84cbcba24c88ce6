"""The rule of masks of TensorFlow.js's BodyPix."""

from dataclasses import dataclass
from typing import ClassVar

from bottomup.parameters import check, score, whole
from bottomup.posenet.masks.rule import MaskRule
from bottomup.posenet.roots import MOST_STEPS

__all__ = ["TfjsMasks"]


@dataclass(frozen=True, kw_only=True)
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
