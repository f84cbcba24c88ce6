"""Our own PoseNet decoder: parameters, checks, results. Loops are in `kernels`."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, ClassVar, NamedTuple

import numpy as np

from bottomup.parameters import check, number, score, whole
from bottomup.posenet import roots
from bottomup.posenet.coral import CoralDecoder
from bottomup.posenet.fields import PoseNetFields
from bottomup.posenet.masks import MaskRule, PoseNetMasks, Segmenting
from bottomup.posenet.personlab import PersonLabDecoder
from bottomup.posenet.roots import (
    LONGEST,
    MOST_POSES,
    MOST_STEPS,
    WIDEST_WINDOW,
    as_posenet_fields,
    decode_roots,
    logit,
)
from bottomup.posenet.tfjs import TfjsDecoder
from bottomup.posenet.together import Call, decode_batch
from bottomup.poses import Poses

__all__ = ["PoseNetDecoder", "Rules"]


class Rules(NamedTuple):
    """A decoder's parameters, as the kernel takes them; lengths are in input pixels unless noted."""

    local_maximum_radius: int
    nms_radius: np.float32
    refinement_steps: int
    vote_passes: int
    vote_radius: np.float32  #: cells
    lowest_vote: np.float32  #: logit
    min_mean_score: np.float32
    position_error: np.float32
    patience: int


@dataclass(frozen=True, kw_only=True)
class PoseNetDecoder(Segmenting):
    """Find more people, and place their parts better, than any other decoder for the same tensors.

    Roots are followed along the tree as libcoral does; then each keypoint
    moves to where the cells around it point, weighted by their scores; poses
    are ranked by their expected object keypoint similarity (OKS). The
    defaults are the most accurate settings measured. `coral()` and `tfjs()`
    reproduce those systems instead.

    The search ends when it finds nobody new: after 100,000 roots, plus one per
    cell, near people already found, or 4,000 that led to nobody. No photo has
    a tenth of them. Like all PoseNet decoders, it thus decodes even tensors
    made to be slow in bounded time.

    Attributes
    ----------
    max_poses : int
        Most poses to find.
    score_threshold : float
        Lowest score, in [0, 1], of a root: a heatmap peak that starts a pose.
    nms_radius : float
        Input pixels within which two keypoints of the same part are one. (PersonLab: 10; 10 to 40 measured alike.)
    refinement_steps : int
        Short-offset steps after each displacement. (libcoral: 5; 3 measured best.)
    vote_passes : int
        How many times each keypoint moves to the mean of the places that its 5 x 5 cells point to.
    vote_radius : float
        Distance from the keypoint, in cells, within which such a place counts.
    min_vote_score : float
        Lowest score of a cell that votes.
    min_pose_score : float
        Poses whose mean keypoint score is not above this are dropped, and suppress no other.
    position_error : float
        Input pixels by which the network typically misses, for the expected similarity.
    local_maximum_radius : int
        Half-width, in cells, of the window in which a root is highest.

    References
    ----------
    Papandreou et al., "PersonLab", ECCV 2018, sections 3.1 and 3.2. arXiv:1803.08225

    Examples
    --------
    >>> from bottomup.posenet.fields import PoseNetFields
    >>> nobody = np.full((9, 9, 17), -5.0)
    >>> fields = PoseNetFields.from_mid_offsets(nobody, np.zeros((9, 9, 34)), np.zeros((9, 9, 64)), output_stride=32)
    >>> len(PoseNetDecoder().decode(fields))
    0
    """

    max_poses: int = whole(20, high=MOST_POSES)
    score_threshold: float = score(0.1)
    nms_radius: float = number(20.0, low=0, high=LONGEST)
    refinement_steps: int = whole(3, low=0, high=MOST_STEPS)
    vote_passes: int = whole(1, low=0, high=MOST_STEPS)
    vote_radius: float = number(1.1, low=0, high=LONGEST, above=True)
    min_vote_score: float = score(0.02)
    min_pose_score: float = score(0.05)
    position_error: float = number(10.0, low=0, high=LONGEST, above=True)
    local_maximum_radius: int = whole(1, high=WIDEST_WINDOW)

    coral = CoralDecoder  #: answers as libcoral does: `PoseNetDecoder.coral(max_poses=10)`
    tfjs = TfjsDecoder  #: answers as tfjs does
    personlab = PersonLabDecoder  #: follows the PersonLab paper
    _mask_rule: ClassVar[MaskRule] = PoseNetMasks()

    def __post_init__(self) -> None:
        check(self)

    def decode(self, fields: PoseNetFields) -> Poses:
        """Return the poses of one image, best first, in input pixels.

        Parameters
        ----------
        fields : PoseNetFields
            One image's network outputs, float or quantised. Heatmaps of scores are turned into logits first.

        Returns
        -------
        Poses
            At most `max_poses` of the fields' parts; none where nobody is found. A pose's score is the probability that
            it is right (OKS to a person above 0.5), calibrated on photos; improbable poses are included, and callers
            may drop them. A keypoint's score is the heatmap's at that place: how sure the network is of the part.

        Raises
        ------
        InputError
            If `fields` is not a PoseNetFields.
        """
        fields = as_posenet_fields(fields).as_logits
        return decode_roots(_kernel(), fields, logit(self.score_threshold), self.max_poses, self._rules)

    def _call(self, fields: PoseNetFields) -> Call:
        """Return how several images like this one are decoded together."""
        from bottomup.posenet.kernels.together import decode_best_together

        return Call(decode_best_together, logit(self.score_threshold), self.max_poses, self._rules)

    @cached_property
    def _rules(self) -> tuple[Any, ...]:
        rules = Rules(
            local_maximum_radius=self.local_maximum_radius,
            nms_radius=np.float32(self.nms_radius),
            refinement_steps=self.refinement_steps,
            vote_passes=self.vote_passes,
            vote_radius=np.float32(self.vote_radius),
            lowest_vote=np.float32(logit(self.min_vote_score)),
            min_mean_score=np.float32(self.min_pose_score),
            position_error=np.float32(self.position_error),
            patience=roots.PATIENCE,
        )
        return tuple(rules)

    def decode_batch(self, fields: Iterable[PoseNetFields], *, threads: int = 1) -> list[Poses]:
        """Return `decode` of every item, in order, on that many threads."""
        return decode_batch(self.decode, self._call, fields, threads)


@cache
def _kernel() -> Any:
    """Return the loops; numba is imported here, on first use."""
    from bottomup.posenet.kernels.best import decode_best

    return decode_best
