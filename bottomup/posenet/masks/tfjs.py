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

    The pose wins whose confident parts are nearest, by the mean of squared
    distances, to where the long offsets lead; they are followed again and again
    and read at whole pixels. Upstream decides at each pixel of the image, and
    adds offsets in input pixels to image pixels; this rule decides at the
    cells, in input pixels. Make it with `PoseNetMasks.tfjs()`.

    Attributes
    ----------
    segment_threshold : float
        Lowest person score of a pixel on people; 0.7 upstream.
    keypoint_threshold : float
        Only keypoints with a score above this count; 0.3 upstream.
    pose_threshold : float
        Lowest score of a pose that gets pixels; 0.2 upstream.
    long_steps : int
        How many more times the long offsets are followed; 8 upstream.

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
