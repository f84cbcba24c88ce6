"""Our own decoder of centres: parameters, checks, results. Loops are in `kernels`."""

from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bottomup.batch import BatchDecoder
from bottomup.centers.centernet import CenterNetDecoder
from bottomup.centers.dekr import DekrDecoder
from bottomup.centers.fields import CenterFields
from bottomup.centers.movenet import MoveNetDecoder
from bottomup.centers.movenet_single import MoveNetSingleDecoder
from bottomup.centers.running import as_center_fields, lowest_element, run
from bottomup.parameters import check, number, score, whole
from bottomup.poses import Poses
from bottomup.similarity import AREA_OF_BOX
from bottomup.skeletons import Skeleton

__all__ = ["EVEN_ODDS", "STEEPNESS", "CenterDecoder", "Rules", "squared_kappas"]

#: Expected similarity at which half of the poses are right (OKS to a person above 0.5); fitted on photos.
EVEN_ODDS = 0.121
#: How fast a pose's probability of being right rises with the expected similarity: its power in the odds; fitted too.
STEEPNESS = 2.33


class Rules(NamedTuple):
    """What the kernel takes besides fields and workspace."""

    most: int  #: candidates
    lowest: Any  #: lowest element of the centre map that is a candidate: a level or a float
    radius: int
    window_share: np.float32
    vote_radius: np.float32
    lowest_vote: Any  #: lowest element of a heatmap that votes
    position_error: np.float32  #: input pixels
    nms_similarity: np.float32
    area_of_box: np.float32
    squared_kappas: NDArray[np.float32]
    even_odds: np.float32
    steepness: np.float32
    has_boxes: bool


@dataclass(frozen=True)
class CenterDecoder(BatchDecoder[CenterFields]):
    """Find more people, and place their parts better, than the graphs' own decoders do in the same tensors.

    Every peak of the centre map is a candidate. Each of its parts is the best cell near where the centre points,
    weighted by a Gaussian that is wider for larger people; it then moves to where the cells around it point.
    Candidates are ranked by their expected object keypoint similarity (OKS), and the best of similar ones stays. There
    is no limit of six people, no box cuts a hand off, and people who overlap stay apart as long as their poses differ.
    The defaults are the most accurate settings measured. `movenet()`, `movenet_single()`, `centernet()` and `dekr()`
    reproduce those systems instead.

    The decoder reads the heads of MoveNet MultiPose, and those of the SinglePose networks too: their training images
    also showed several people.

    Attributes
    ----------
    max_poses : int
        Maximum number of candidates, best centres first. At most 1000.
    score_threshold : float
        Lowest score, in [0, 1], of a candidate's centre.
    local_maximum_radius : int
        Half-width, in cells, of the window in which a centre is highest.
    window : float
        Width of the Gaussian: the squared distance at which its weight is 1 / e, as a share of the area of the person's
        box. If the network gives no boxes, the box goes around all points that the centre points to.
    vote_radius : float
        Distance from a part, in cells, within which the places that the surrounding 5 x 5 cells point to count. 0
        leaves each part where its own cell points.
    min_vote_score : float
        Lowest score of a cell that votes.
    position_error : float
        The network's expected error, in input pixels, in the expected similarity.
    nms_similarity : float
        Object keypoint similarity above which two candidates are one person.

    References
    ----------
    Zhou et al., "Objects as Points", 2019, section 5. arXiv:1904.07850

    Examples
    --------
    >>> from bottomup.centers.fields import CenterFields
    >>> nobody = {name: np.full((48, 48, count), -9.0) for name, count in [("center", 1), ("heatmaps", 17)]}
    >>> fields = CenterFields(**nobody, regressions=np.zeros((48, 48, 34)), offsets=np.zeros((48, 48, 34)))
    >>> len(CenterDecoder().decode(fields))
    0
    """

    max_poses: int = whole(30, high=1000)
    score_threshold: float = score(0.03)
    local_maximum_radius: int = whole(1, high=1 << 20)
    window: float = number(0.05, low=0, high=1)
    vote_radius: float = number(1.1, low=0, high=100)
    min_vote_score: float = score(0.1)
    position_error: float = number(2.8, low=0)
    nms_similarity: float = score(0.6)

    def __post_init__(self) -> None:
        check(self)

    def decode(self, fields: CenterFields) -> Poses:
        """Return the people of one image, best first, in input pixels.

        Parameters
        ----------
        fields : CenterFields
            One image's network outputs, float or quantised.

        Returns
        -------
        Poses
            At most `max_poses`, with the network's boxes if it gives them; empty if nobody is found. A pose's score is
            the probability that it is right (OKS to a person above 0.5), calibrated on photos; a keypoint's score is
            its heatmap's.

        Raises
        ------
        InputError
            If `fields` is not a CenterFields.
        """
        fields = as_center_fields(fields)
        lowest = lowest_element(fields, "center", self.score_threshold)
        if lowest is None:
            return Poses.empty(fields.skeleton)
        most = min(self.max_poses, fields.grid[0] * fields.grid[1])
        return run(_kernel(), fields, most, fields.boxes, self._rules(fields, most, lowest), has_boxes=fields.has_boxes)

    def _rules(self, fields: CenterFields, most: int, lowest: Any) -> tuple[Any, ...]:
        lowest_vote = lowest_element(fields, "heatmaps", self.min_vote_score)
        return tuple(
            Rules(
                most=most,
                lowest=lowest,
                radius=self.local_maximum_radius,
                window_share=np.float32(self.window),
                vote_radius=np.float32(self.vote_radius),
                lowest_vote=256 if lowest_vote is None else lowest_vote,
                position_error=np.float32(self.position_error),
                nms_similarity=np.float32(self.nms_similarity),
                area_of_box=np.float32(AREA_OF_BOX),
                squared_kappas=squared_kappas(fields.skeleton),
                even_odds=np.float32(EVEN_ODDS),
                steepness=np.float32(STEEPNESS),
                has_boxes=fields.has_boxes,
            )
        )

    @staticmethod
    def movenet(*, max_poses: int = 6) -> MoveNetDecoder:
        """Return the decoder of MoveNet MultiPose; see `MoveNetDecoder` for its parameters."""
        return MoveNetDecoder(max_poses)

    @staticmethod
    def movenet_single() -> MoveNetSingleDecoder:
        """Return the decoder of MoveNet Lightning and Thunder; see `MoveNetSingleDecoder`."""
        return MoveNetSingleDecoder()

    @staticmethod
    def centernet(
        *, max_poses: int = 100, score_threshold: float = 0.3, peak_threshold: float = 0.1, reach: float = 0.3
    ) -> CenterNetDecoder:
        """Return the decoder of CenterNet's poses; see `CenterNetDecoder` for its parameters."""
        return CenterNetDecoder(max_poses, score_threshold, peak_threshold, reach)

    @staticmethod
    def dekr(
        *,
        flavour: Literal["mmpose", "official"] = "mmpose",
        max_poses: int = 30,
        score_threshold: float = 0.01,
        nearness: float = 0.05,
    ) -> DekrDecoder:
        """Return DEKR's decoder; see `DekrDecoder` for its parameters."""
        return DekrDecoder(flavour, max_poses, score_threshold, nearness)


@lru_cache(maxsize=64)
def squared_kappas(skeleton: Skeleton) -> NDArray[np.float32]:
    """Return the squared OKS constants of a skeleton's parts."""
    return np.asarray(np.square(np.array(skeleton.kappas)), np.float32)


@cache
def _kernel() -> Any:
    """Return the loops; numba is imported here, on first use."""
    from bottomup.centers.kernels.best import decode_best

    return decode_best
