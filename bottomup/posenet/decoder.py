"""The PoseNet decoders: parameters, checks, results. Loops are in `kernels`."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bottomup.batch import map_on_threads
from bottomup.checks import as_number
from bottomup.errors import InputError
from bottomup.poses import Poses
from bottomup.posenet.fields import EDGES, NUM_EDGES, NUM_PARTS, PoseNetFields, Tensors
from bottomup.skeletons import COCO17

_PEAKS_TO_START_WITH = 1024


@dataclass(frozen=True)
class CoralDecoder:
    """Decode exactly as Coral's PosenetDecoderOp does (libcoral, with its backward edges as fixed there in 2021).

    Bilinear samples, best root first, keypoints refined by short offsets,
    soft NMS over keypoints. Make it with `PoseNetDecoder.coral()`.

    Attributes
    ----------
    max_poses : int
        Most poses to find; Coral's `max_detections`.
    score_threshold : float
        Lowest score, in [0, 1], of a root, of a pose, and of a pose after soft NMS.
    nms_radius : float
        Input pixels within which two keypoints of one part are one.
    refinement_steps : int
        Short-offset steps after each displacement; 5 upstream.
    local_maximum_radius : int
        Half-width, in cells, of the window in which a root is highest; 1 upstream.

    References
    ----------
    google-coral/libcoral, `coral/pose_estimation/posenet_decoder.cc`, commit 6589d0b.
    """

    max_poses: int = 10
    score_threshold: float = 0.2
    nms_radius: float = 10.0
    refinement_steps: int = 5
    local_maximum_radius: int = 1

    def __post_init__(self) -> None:
        _check(self)

    def decode(self, fields: PoseNetFields) -> Poses:
        """Return the poses of one image, best first, in input pixels.

        Parameters
        ----------
        fields : PoseNetFields
            One image's network outputs, float or quantised. Heatmaps of scores are turned into logits first.

        Returns
        -------
        Poses
            At most `max_poses` of COCO-17 parts; none where nobody is found.

        Raises
        ------
        InputError
            If `fields` is not a PoseNetFields.
        """
        from bottomup.posenet.kernels import decode_coral

        tensors = _as_fields(fields).as_logits.tensors
        height, width = fields.grid
        peaks = _find_peaks(tensors, height, width, _coral_logit(self.score_threshold), self.local_maximum_radius, False)
        count = len(peaks)
        if count == 0:
            return Poses.empty(COCO17)
        most = min(self.max_poses, count)
        stride = np.float32(fields.output_stride)
        per_stride = np.float32(1) / stride
        radius = np.float32(self.nms_radius) / stride
        keypoints, scores = np.empty((most, NUM_PARTS, 3), np.float32), np.empty(most, np.float32)
        found = decode_coral(
            peaks,
            np.empty(count, np.float32),
            _walks(),
            tensors.heatmaps,
            tensors.heatmap_scale,
            tensors.heatmap_zero,
            tensors.offsets,
            tensors.offset_scale * per_stride,
            tensors.offset_zero,
            tensors.displacements,
            tensors.fwd_scale * per_stride,
            tensors.fwd_zero,
            tensors.bwd_scale * per_stride,
            tensors.bwd_zero,
            height,
            width,
            np.float32(self.score_threshold),
            radius * radius,
            self.refinement_steps,
            stride,
            np.empty((most, NUM_PARTS, 3), np.float32),
            np.empty(most, np.float32),
            np.empty(most, np.int64),
            np.empty(NUM_PARTS, np.float32),
            keypoints,
            scores,
        )
        return Poses(keypoints[:found], scores[:found], COCO17)

    def decode_batch(self, fields: Iterable[PoseNetFields], *, threads: int = 1) -> list[Poses]:
        """Return `decode` of every item, in order, on that many threads."""
        return map_on_threads(self.decode, fields, threads)


@dataclass(frozen=True)
class TfjsDecoder:
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

    def __post_init__(self) -> None:
        _check(self)

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
        from bottomup.posenet.kernels import decode_tfjs, decode_tfjs_single

        tensors = _as_fields(fields).tensors
        height, width = fields.grid
        if tensors.heatmaps.size == 0:
            return Poses.empty(COCO17)
        if fields.logits and _scores_tie(tensors):
            tensors = fields.as_floats.tensors
        heatmaps = (tensors.heatmaps, tensors.heatmap_scale, tensors.heatmap_zero)
        offsets = (tensors.offsets, tensors.offset_scale, tensors.offset_zero)
        stride = fields.output_stride
        if self.max_poses == 1:
            keypoints, scores = np.empty((1, NUM_PARTS, 3), np.float32), np.empty(1, np.float32)
            best = np.empty(NUM_PARTS, np.int64)
            decode_tfjs_single(*heatmaps, *offsets, height, width, fields.logits, stride, best, keypoints, scores)
            return Poses(keypoints, scores, COCO17)
        lowest = _tfjs_lowest(self.score_threshold, fields.logits)
        peaks = _find_peaks(tensors, height, width, lowest, self.local_maximum_radius, fields.logits)
        count = len(peaks)
        most = min(self.max_poses, count)
        keypoints, scores = np.empty((most, NUM_PARTS, 3), np.float32), np.empty(most, np.float32)
        found = decode_tfjs(
            peaks,
            np.empty(count, np.float64),
            _walks(),
            *heatmaps,
            *offsets,
            tensors.displacements,
            tensors.fwd_scale,
            tensors.fwd_zero,
            tensors.bwd_scale,
            tensors.bwd_zero,
            height,
            width,
            fields.logits,
            float(self.score_threshold),
            float(self.nms_radius) ** 2,
            self.refinement_steps,
            stride,
            np.empty((most, NUM_PARTS, 3), np.float64),
            keypoints,
            scores,
        )
        return Poses(keypoints[:found], scores[:found], COCO17)

    def decode_batch(self, fields: Iterable[PoseNetFields], *, threads: int = 1) -> list[Poses]:
        """Return `decode` of every item, in order, on that many threads."""
        return map_on_threads(self.decode, fields, threads)


class PoseNetDecoder:
    """tmp."""

    @staticmethod
    def coral(
        *, max_poses: int = 10, score_threshold: float = 0.2, nms_radius: float = 10.0, refinement_steps: int = 5,
        local_maximum_radius: int = 1,
    ) -> CoralDecoder:  # fmt: skip
        """Return libcoral's decoder; see `CoralDecoder` for its parameters."""
        return CoralDecoder(max_poses, score_threshold, nms_radius, refinement_steps, local_maximum_radius)

    @staticmethod
    def tfjs(
        *, max_poses: int = 5, score_threshold: float = 0.5, nms_radius: float = 20.0, refinement_steps: int = 2,
        local_maximum_radius: int = 1,
    ) -> TfjsDecoder:  # fmt: skip
        """Return tfjs's decoder; see `TfjsDecoder` for its parameters."""
        return TfjsDecoder(max_poses, score_threshold, nms_radius, refinement_steps, local_maximum_radius)


def _check(decoder: Any) -> None:
    """Refuse parameters that no decoder can work with."""
    for name in ("max_poses", "refinement_steps", "local_maximum_radius"):
        value = getattr(decoder, name)
        low = 0 if name == "refinement_steps" else 1
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < low:
            raise InputError(f"{name} must be a whole number, at least {low}, got {value!r}")
        object.__setattr__(decoder, name, int(value))
    score_threshold, nms_radius = as_number(decoder.score_threshold, "score_threshold"), as_number(decoder.nms_radius, "nms_radius")
    if not 0 <= score_threshold <= 1:
        raise InputError(f"score_threshold must be a score in [0, 1], got {score_threshold}")
    if not nms_radius >= 0:
        raise InputError(f"nms_radius must be at least 0 input pixels, got {nms_radius}")
    object.__setattr__(decoder, "score_threshold", score_threshold)
    object.__setattr__(decoder, "nms_radius", nms_radius)


def _as_fields(fields: Any) -> PoseNetFields:
    """Return `fields`, or say what to pass instead."""
    if not isinstance(fields, PoseNetFields):
        raise InputError(
            f"fields must be PoseNetFields, got {type(fields).__name__}: "
            "build them with PoseNetFields.from_mid_offsets or from_displacements"
        )
    return fields


def _find_peaks(
    tensors: Tensors, height: int, width: int, lowest: float, radius: int, compare_scores: bool
) -> NDArray[np.int64]:
    """Return the flat indices of heatmap peaks whose real value reaches `lowest`."""
    from bottomup.kernels.peaks import find_peaks_f32, find_peaks_u8

    radius = min(radius, max(height, width))
    peaks = np.empty(_PEAKS_TO_START_WITH, np.int64)
    while True:
        if tensors.heatmaps.dtype == np.uint8:
            level = _lowest_level(tensors.heatmap_scale, tensors.heatmap_zero, lowest)
            count = find_peaks_u8(tensors.heatmaps, tensors.words, height, width, NUM_PARTS, level, radius, peaks)
        else:
            count = find_peaks_f32(
                tensors.heatmaps, height, width, NUM_PARTS, np.float32(lowest), radius, compare_scores, peaks
            )
        if count <= len(peaks):
            return peaks[:count]
        peaks = np.empty(count, np.int64)


@lru_cache(maxsize=256)
def _lowest_level(scale: np.float32, zero: np.float32, lowest: float) -> int:
    """Return the first of the 256 levels whose real value reaches `lowest`, 256 if none does."""
    values = (np.arange(256, dtype=np.float32) - zero) * scale
    return int(np.count_nonzero(~(values >= np.float32(lowest))))


@lru_cache(maxsize=256)
def _coral_logit(score: float) -> float:
    """Return the logit of a score as libcoral computes it: in double precision, then float32."""
    return float(np.float32(-np.log(1.0 / (score + 1e-6) - 1.0))) if score < 1 else np.inf


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


@cache
def _walks() -> NDArray[np.int64]:
    """Return (17, 16, 4): from each root, breadth first, steps of (source, target, displacement channel, is backward).

    The edges form a tree: each part is reached along one path, so that the
    order of steps changes nothing and upstream's queues can be done without.
    """
    walks = np.empty((NUM_PARTS, NUM_EDGES, 4), np.int64)
    for root in range(NUM_PARTS):
        reached, steps = [root], []
        for source in reached:
            for edge, (parent, child) in enumerate(EDGES):
                if source == parent and child not in reached:
                    steps.append((source, child, edge, 0))
                    reached.append(child)
                elif source == child and parent not in reached:
                    steps.append((source, parent, 2 * NUM_EDGES + edge, 1))
                    reached.append(parent)
        walks[root] = steps
    return walks
