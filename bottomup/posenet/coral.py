"""Coral's decoder: exactly libcoral's answers."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from typing import Any, ClassVar, NamedTuple

import numpy as np

from bottomup.parameters import check, number, score, whole
from bottomup.posenet import roots
from bottomup.posenet.fields import PoseNetFields
from bottomup.posenet.masks import CoralMasks, MaskRule, Segmenting
from bottomup.posenet.roots import LONGEST, MOST_POSES, MOST_STEPS, WIDEST_WINDOW, as_posenet_fields, decode_roots
from bottomup.posenet.together import Call, decode_batch
from bottomup.poses import Poses

__all__ = ["CoralDecoder", "Rules"]


class Rules(NamedTuple):
    """A decoder's parameters, as the kernel takes them."""

    local_maximum_radius: int
    nms_radius: np.float32  #: input pixels
    refinement_steps: int
    score_threshold: np.float32
    patience: int


@dataclass(frozen=True, kw_only=True)
class CoralDecoder(Segmenting):
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
        Input pixels within which two keypoints of the same part are one.
    refinement_steps : int
        Short-offset steps after each displacement; 5 upstream.
    local_maximum_radius : int
        Half-width, in cells, of the window in which a root is highest; 1 upstream.

    References
    ----------
    google-coral/libcoral, `coral/pose_estimation/posenet_decoder.cc`, commit 6589d0b.
    """

    max_poses: int = whole(10, high=MOST_POSES)
    score_threshold: float = score(0.2)
    nms_radius: float = number(10.0, low=0, high=LONGEST)
    refinement_steps: int = whole(5, low=0, high=MOST_STEPS)
    local_maximum_radius: int = whole(1, high=WIDEST_WINDOW)
    _mask_rule: ClassVar[MaskRule] = CoralMasks()

    def __post_init__(self) -> None:
        check(self)

    def decode(self, fields: PoseNetFields) -> Poses:
        """Return the poses of one image, best first; see `PoseNetDecoder.decode` for arguments and errors.

        Positions are in input pixels. A pose's score is libcoral's: the mean of its keypoint scores, after soft NMS.
        """
        fields = as_posenet_fields(fields).as_logits
        lowest = _coral_logit(self.score_threshold)
        return decode_roots(_kernel(), fields, lowest, self.max_poses, self._rules)

    def _call(self, fields: PoseNetFields) -> Call:
        """Return how several images like this one are decoded together."""
        from bottomup.posenet.kernels.together import decode_coral_together

        return Call(decode_coral_together, _coral_logit(self.score_threshold), self.max_poses, self._rules)

    @cached_property
    def _rules(self) -> tuple[Any, ...]:
        rules = Rules(
            local_maximum_radius=self.local_maximum_radius,
            nms_radius=np.float32(self.nms_radius),
            refinement_steps=self.refinement_steps,
            score_threshold=np.float32(self.score_threshold),
            patience=roots.PATIENCE,
        )
        return tuple(rules)

    def decode_batch(self, fields: Iterable[PoseNetFields], *, threads: int = 1) -> list[Poses]:
        """Return `decode` of every item, in order, on that many threads."""
        return decode_batch(self.decode, self._call, fields, threads)


@cache
def _kernel() -> Any:
    """Return the loops; numba is imported here, on first use."""
    from bottomup.posenet.kernels.coral import decode_coral

    return decode_coral


@lru_cache(maxsize=256)
def _coral_logit(score: float) -> float:
    """Return the logit of a score as libcoral computes it: in double precision, then float32."""
    return float(np.float32(-np.log(1.0 / (score + 1e-6) - 1.0))) if score < 1 else np.inf
