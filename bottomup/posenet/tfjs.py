"""TensorFlow.js's decoder: exactly tfjs PoseNet's answers."""

from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bottomup.batch import BatchDecoder
from bottomup.parameters import check, number, score, whole
from bottomup.posenet import roots
from bottomup.posenet.bundles import Tensors, level_scores
from bottomup.posenet.fields import PoseNetFields
from bottomup.posenet.masks import MaskRule, Segmenting, TfjsMasks
from bottomup.posenet.roots import (
    LONGEST,
    MOST_POSES,
    MOST_STEPS,
    WIDEST_WINDOW,
    as_posenet_fields,
    find_peaks,
    lowest_value,
    put_back,
)
from bottomup.poses import Poses

__all__ = ["Rules", "Search", "TfjsDecoder"]


class Search(NamedTuple):
    """The arrays that the kernel works on: P peaks, at most M poses."""

    peaks: NDArray[np.int64]  #: (P,) becomes a heap
    heap_scores: NDArray[np.float64]  #: (P,)
    found: NDArray[np.float64]  #: (M, N, 3) y, x, score


class Rules(NamedTuple):
    """A decoder's parameters, as the kernel takes them."""

    score_threshold: float
    squared_radius: float  #: input pixels
    refinement_steps: int
    patience: int


@dataclass(frozen=True, kw_only=True)
class TfjsDecoder(Segmenting, BatchDecoder[PoseNetFields]):
    """Decode exactly as TensorFlow.js PoseNet 2.2 does.

    Nearest-cell samples, greedy from the best root along the tree. Poses come
    in the order of their roots, so their scores need not descend. Make it
    with `PoseNetDecoder.tfjs()`.

    Attributes
    ----------
    max_poses : int
        Most poses to find. 1 selects tfjs's single-pose decoder: each part
        where its heatmap is highest, always one pose, no thresholds.
    score_threshold : float
        Lowest score, in [0, 1], of a root. Poses have no threshold.
    nms_radius : float
        Input pixels within which two keypoints of the same part are one.
    refinement_steps : int
        Short-offset steps after each displacement; 2 upstream.
    local_maximum_radius : int
        Half-width, in cells, of the window in which a root is highest; 1 upstream.

    References
    ----------
    tensorflow/tfjs-models, `posenet/src/multi_pose/decode_multiple_poses.ts`, commit 18a7342.
    """

    max_poses: int = whole(5, high=MOST_POSES)
    score_threshold: float = score(0.5)
    nms_radius: float = number(20.0, low=0, high=LONGEST)
    refinement_steps: int = whole(2, low=0, high=MOST_STEPS)
    local_maximum_radius: int = whole(1, high=WIDEST_WINDOW)
    _mask_rule: ClassVar[MaskRule] = TfjsMasks()

    def __post_init__(self) -> None:
        check(self)

    def decode(self, fields: PoseNetFields) -> Poses:
        """Return the poses of one image, in tfjs's order; see `PoseNetDecoder.decode` for arguments and errors.

        Positions are in input pixels and may lie outside the image, as upstream. Heatmaps of scores stay scores.
        """
        fields = as_posenet_fields(fields)
        skeleton, num_parts = fields.skeleton, len(fields.skeleton.parts)
        if min(fields.grid) == 0:
            return Poses.empty(skeleton)
        if fields.logits and _scores_tie(fields.tensors):
            fields = fields.as_floats
        tensors, tree = fields.tensors, fields.tree
        if self.max_poses == 1:
            keypoints, scores = np.empty((1, num_parts, 3), np.float32), np.empty(1, np.float32)
            _kernels().decode_tfjs_single(tuple(tensors), tree, np.empty(num_parts, np.int64), keypoints, scores)
            return Poses(keypoints, scores, skeleton)
        lowest = lowest_value(tensors, _tfjs_lowest(self.score_threshold, fields.logits))
        if lowest is None:
            return Poses.empty(skeleton)
        compare_scores = fields.logits and not tensors.is_quantized  # at this point, no two levels tie
        room, peaks = find_peaks(
            tensors.heatmaps, fields.grid, num_parts, lowest, self.local_maximum_radius, compare_scores=compare_scores
        )
        most = min(self.max_poses, len(peaks))
        search = Search(
            peaks=peaks,
            heap_scores=np.empty(len(peaks), np.float64),
            found=np.empty((most, num_parts, 3), np.float64),
        )
        keypoints, scores = np.empty((most, num_parts, 3), np.float32), np.empty(most, np.float32)
        found = _kernels().decode_tfjs(tuple(tensors), tree, tuple(search), self._rules, keypoints, scores)
        put_back(room)
        return Poses(keypoints[:found], scores[:found], skeleton)

    @cached_property
    def _rules(self) -> tuple[Any, ...]:
        return tuple(Rules(self.score_threshold, self.nms_radius**2, self.refinement_steps, roots.PATIENCE))


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
    """Tell whether two of the 256 levels have the same float32 score."""
    return len(np.unique(level_scores(scale, zero))) < 256


def _scores_tie(tensors: Tensors) -> bool:
    return tensors.is_quantized and _level_scores_tie(tensors.heatmap_scale, tensors.heatmap_zero)
