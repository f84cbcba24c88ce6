"""Our own PoseNet decoder: parameters, checks, results. Loops are in `kernels`."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bottomup.posenet.coral import CoralDecoder
from bottomup.posenet.fields import PoseNetFields
from bottomup.posenet.masks import MaskRule, PoseNetMasks, Segmenting
from bottomup.posenet.personlab import PersonLabDecoder
from bottomup.posenet.roots import MOST_CELLS, as_posenet_fields, check, decode_roots, logit, squared_kappas
from bottomup.posenet.tfjs import TfjsDecoder
from bottomup.posenet.together import Call, decode_batch
from bottomup.poses import Poses


class Rules(NamedTuple):
    """What the kernel is told of a decoder: logits, lengths in input pixels but for the radius of votes, in cells."""

    local_maximum_radius: int
    nms_radius: np.float32
    refinement_steps: int
    vote_passes: int
    vote_radius: np.float32
    lowest_vote: np.float32
    min_mean_score: np.float32
    squared_kappas: NDArray[np.float32]
    position_error: np.float32


@dataclass(frozen=True)
class PoseNetDecoder(Segmenting):
    """Find more true people, and place their parts better, than any other decoder of the same tensors.

    Roots are followed along the tree as libcoral does; then each keypoint
    moves to where the cells around it point, weighted by their scores; poses
    are ranked by the object keypoint similarity (OKS) to expect of them. The
    defaults are the most accurate settings measured. `coral()` and `tfjs()`
    reproduce those systems instead.

    Attributes
    ----------
    max_poses : int
        Most poses to find.
    score_threshold : float
        Lowest score, in [0, 1], of a root: a heatmap peak to start a pose from.
    nms_radius : float
        Input pixels within which two keypoints of one part are one. (PersonLab: 10; 10 to 40 measured alike.)
    refinement_steps : int
        Short-offset steps after each displacement. (libcoral: 5; 3 measured best.)
    vote_passes : int
        Times each keypoint moves to the mean of the places that its 5 x 5 cells point to.
    vote_radius : float
        Cells from a keypoint within which such a place counts.
    min_vote_score : float
        Lowest score of a cell that votes.
    min_pose_score : float
        Poses whose mean keypoint score is not above this are dropped, and suppress nobody.
    position_error : float
        Input pixels by which the network is expected to miss, in the expected similarity.
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

    max_poses: int = 20
    score_threshold: float = 0.1
    nms_radius: float = 20.0
    refinement_steps: int = 3
    vote_passes: int = 1
    vote_radius: float = 1.1
    min_vote_score: float = 0.02
    min_pose_score: float = 0.05
    position_error: float = 10.0
    local_maximum_radius: int = 1
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
            At most `max_poses` of COCO-17 parts; none where nobody is found. A pose's score is the probability that
            it is right (OKS to a person above 0.5), calibrated on photos; poses of hardly any are among them, for a
            caller to cut. A keypoint's score is its heatmap's there, the network's own belief in the part.

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
            local_maximum_radius=min(self.local_maximum_radius, MOST_CELLS),
            nms_radius=np.float32(self.nms_radius),
            refinement_steps=self.refinement_steps,
            vote_passes=self.vote_passes,
            vote_radius=np.float32(self.vote_radius),
            lowest_vote=np.float32(logit(self.min_vote_score)),
            min_mean_score=np.float32(self.min_pose_score),
            squared_kappas=squared_kappas(),
            position_error=np.float32(self.position_error),
        )
        return tuple(rules)

    def decode_batch(self, fields: Iterable[PoseNetFields], *, threads: int = 1) -> list[Poses]:
        """Return `decode` of every item, in order, on that many threads."""
        return decode_batch(self.decode, self._call, fields, threads)

    @staticmethod
    def coral(
        *,
        max_poses: int = 10,
        score_threshold: float = 0.2,
        nms_radius: float = 10.0,
        refinement_steps: int = 5,
        local_maximum_radius: int = 1,
    ) -> CoralDecoder:
        """Return libcoral's decoder; see `CoralDecoder` for its parameters."""
        return CoralDecoder(max_poses, score_threshold, nms_radius, refinement_steps, local_maximum_radius)

    @staticmethod
    def tfjs(
        *,
        max_poses: int = 5,
        score_threshold: float = 0.5,
        nms_radius: float = 20.0,
        refinement_steps: int = 2,
        local_maximum_radius: int = 1,
    ) -> TfjsDecoder:
        """Return tfjs's decoder; see `TfjsDecoder` for its parameters."""
        return TfjsDecoder(max_poses, score_threshold, nms_radius, refinement_steps, local_maximum_radius)

    @staticmethod
    def personlab(
        *,
        max_poses: int = 20,
        score_threshold: float = 0.01,
        nms_radius: float = 10.0,
        refinement_steps: int = 2,
        hough_radius: float = 32.0,
        hough_step: float = 4.0,
        min_vote_score: float = 0.01,
        nms_similarity: float = 0.5,
        local_maximum_radius: int = 1,
    ) -> PersonLabDecoder:
        """Return the PersonLab paper's decoder; see `PersonLabDecoder` for its parameters."""
        return PersonLabDecoder(
            max_poses,
            score_threshold,
            nms_radius,
            refinement_steps,
            hough_radius,
            hough_step,
            min_vote_score,
            nms_similarity,
            local_maximum_radius,
        )


@cache
def _kernel() -> Any:
    """Return the loops; numba is imported here, on first use."""
    from bottomup.posenet.kernels.best import decode_best

    return decode_best
