"""TensorFlow.js's decoder: what tfjs PoseNet answers, exactly."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bottomup.batch import map_on_threads
from bottomup.posenet.fields import NUM_PARTS, PoseNetFields, Tensors
from bottomup.posenet.masks import MaskRule, Segmenting, TfjsMasks
from bottomup.posenet.roots import MOST_CELLS, as_posenet_fields, check, find_peaks, lowest_value, walks
from bottomup.poses import Poses
from bottomup.skeletons import COCO17


class Search(NamedTuple):
    """What the kernel works on: P peaks, at most M poses."""

    peaks: NDArray[np.int64]  #: (P,) becomes a heap
    heap_scores: NDArray[np.float64]  #: (P,)
    found: NDArray[np.float64]  #: (M, 17, 3) y, x, score


class Rules(NamedTuple):
    """What the kernel is told of a decoder."""

    score_threshold: float
    squared_radius: float  #: input pixels
    refinement_steps: int


@dataclass(frozen=True)
class TfjsDecoder(Segmenting):
    """Decode exactly as TensorFlow.js PoseNet 2.2 does.

    Nearest-cell samples, greedy from the best root along the tree. Poses come
    in the order of their roots, so their scores need not descend. Make it
    with `PoseNetDecoder.tfjs()`.

    Attributes
    ----------
    max_poses : int
        Most poses to find. 1 is tfjs's single-pose decoder: each part where
        its heatmap is highest, always one pose, no thresholds.
    score_threshold : float
        Lowest score, in [0, 1], of a root. Poses have none.
    nms_radius : float
        Input pixels within which two keypoints of one part are one.
    refinement_steps : int
        Short-offset steps after each displacement; 2 upstream.
    local_maximum_radius : int
        Half-width, in cells, of the window in which a root is highest; 1 upstream.

    References
    ----------
    tensorflow/tfjs-models, `posenet/src/multi_pose/decode_multiple_poses.ts`, commit 18a7342.
    """

    max_poses: int = 5
    score_threshold: float = 0.5
    nms_radius: float = 20.0
    refinement_steps: int = 2
    local_maximum_radius: int = 1
    _mask_rule: ClassVar[MaskRule] = TfjsMasks()

    def __post_init__(self) -> None:
        check(self)

    def decode(self, fields: PoseNetFields) -> Poses:
        """Return the poses of one image, in tfjs's order, in input pixels.

        Parameters
        ----------
        fields : PoseNetFields
            One image's network outputs, float or quantised.

        Returns
        -------
        Poses
            At most `max_poses` of COCO-17 parts. Positions may lie outside the image, as upstream.

        Raises
        ------
        InputError
            If `fields` is not a PoseNetFields.
        """
        fields = as_posenet_fields(fields)
        height, width = fields.grid
        if height == 0 or width == 0:
            return Poses.empty(COCO17)
        if fields.logits and _scores_tie(fields.tensors):
            fields = fields.as_floats
        t = fields.tensors
        if self.max_poses == 1:
            keypoints, scores = np.empty((1, NUM_PARTS, 3), np.float32), np.empty(1, np.float32)
            best = np.empty(NUM_PARTS, np.int64)
            _kernels().decode_tfjs_single(tuple(t), best, keypoints, scores)
            return Poses(keypoints, scores, COCO17)
        lowest = lowest_value(t, _tfjs_lowest(self.score_threshold, fields.logits))
        if lowest is None:
            return Poses.empty(COCO17)
        radius = min(self.local_maximum_radius, MOST_CELLS)
        compare_scores = fields.logits and not t.is_quantized  # of different levels, none ties here
        peaks = find_peaks(t.heatmaps, height, width, lowest, radius, compare_scores=compare_scores)
        count = len(peaks)
        most = min(self.max_poses, count)
        keypoints, scores = np.empty((most, NUM_PARTS, 3), np.float32), np.empty(most, np.float32)
        search = Search(
            peaks=peaks, heap_scores=np.empty(count, np.float64), found=np.empty((most, NUM_PARTS, 3), np.float64)
        )
        rules = Rules(self.score_threshold, self.nms_radius**2, self.refinement_steps)
        found = _kernels().decode_tfjs(tuple(t), walks(), tuple(search), tuple(rules), keypoints, scores)
        return Poses(keypoints[:found], scores[:found], COCO17)

    def decode_batch(self, fields: Iterable[PoseNetFields], *, threads: int = 1) -> list[Poses]:
        """Return `decode` of every item, in order, on that many threads."""
        return map_on_threads(self.decode, fields, threads)


@cache
def _kernels() -> Any:
    """Return the loops; numba is imported here, on first use."""
    from bottomup.posenet.kernels import tfjs

    return tfjs


def _tfjs_lowest(score: float, is_logits: bool) -> float:
    """Return a value just below the heatmap values that reach `score`; the kernel compares scores once more."""
    if not is_logits:
        return score - 1e-6
    if score <= 0:
        return -np.inf
    return np.log(score / (1 - score)) - 1e-2 if score < 1 else 16.0


@lru_cache(maxsize=256)
def _level_scores_tie(scale: np.float32, zero: np.float32) -> bool:
    """Tell whether two of the 256 levels have one float32 score."""
    logits = (np.arange(256, dtype=np.float32) - zero) * scale
    scores = np.float32(1) / (np.float32(1) + np.exp(-logits))
    return len(np.unique(scores)) < 256


def _scores_tie(tensors: Tensors) -> bool:
    return tensors.heatmaps.dtype == np.uint8 and _level_scores_tie(tensors.heatmap_scale, tensors.heatmap_zero)
