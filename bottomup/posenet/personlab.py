"""The PersonLab paper's decoder, which no released system has."""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bottomup.batch import BatchDecoder
from bottomup.parameters import check, number, score, whole
from bottomup.posenet import roots
from bottomup.posenet.fields import PoseNetFields
from bottomup.posenet.masks import MaskRule, PoseNetMasks, Segmenting
from bottomup.posenet.roots import (
    LONGEST,
    MOST_POSES,
    MOST_STEPS,
    WIDEST_WINDOW,
    as_posenet_fields,
    find_peaks,
    logit,
    put_back,
)
from bottomup.poses import Poses

__all__ = ["PersonLabDecoder"]

_MOST_PLACES = 1 << 18  # where votes are gathered


class Raster(NamedTuple):
    """The places where votes are gathered."""

    fineness: np.float32  #: places per cell
    fine_height: int
    fine_width: int


class Search(NamedTuple):
    """The arrays that the kernel works on: P peaks, at most M poses."""

    peaks: NDArray[np.int64]  #: (P,) flat indices into the votes; becomes a heap
    heap_scores: NDArray[np.float32]  #: (P,)
    found: NDArray[np.float32]  #: (M, N, 3) row, column, expected similarity
    found_scores: NDArray[np.float32]  #: (M,)
    order: NDArray[np.int64]  #: (M,)
    kept: NDArray[np.int64]  #: (M,)


class Rules(NamedTuple):
    """A decoder's parameters, as the kernel takes them; lengths are in cells."""

    squared_radius: np.float32
    refinement_steps: int
    disk_radius: np.float32
    nms_similarity: np.float32
    patience: int


@dataclass(frozen=True, kw_only=True)
class PersonLabDecoder(Segmenting, BatchDecoder[PoseNetFields]):
    """Decode as the PersonLab paper describes, to the letter where a grid of cells allows it.

    Every cell votes for the place its offset points to; peaks of the votes
    are the roots; displacements and refinement lead to the other parts; a
    keypoint's score is its expected object keypoint similarity (OKS);
    soft NMS over keypoints, then NMS over poses by OKS. Make it with
    `PoseNetDecoder.personlab()`.

    Attributes
    ----------
    max_poses : int
        Most poses to find.
    score_threshold : float
        Lowest Hough score of a root; 0.01 in section 3.2.
    nms_radius : float
        Input pixels within which two keypoints of the same part are one; 10 in section 3.2.
    refinement_steps : int
        Short-offset steps after each displacement; 2 in section 3.2 ("twice or more").
    hough_radius : float
        Input pixels, R: the radius of the disks that short offsets were trained on; 32 in section 3.1.
    hough_step : float
        Input pixels between the places where votes are gathered; more if there would be over a quarter of a million
        places. (The paper: 1, for smoother maps.)
    min_vote_score : float
        Lowest score of a cell that votes; it keeps the cost proportional to the number of lit cells.
    nms_similarity : float
        OKS to a better pose above which a pose is dropped; 0.5 as in arXiv:1701.01779.
    local_maximum_radius : int
        Half-width, in Hough steps, of the window in which a root is highest.

    References
    ----------
    Papandreou et al., "PersonLab", ECCV 2018, sections 3.1 and 3.2. arXiv:1803.08225
    """

    max_poses: int = whole(20, high=MOST_POSES)
    score_threshold: float = score(0.01)
    nms_radius: float = number(10.0, low=0, high=LONGEST)
    refinement_steps: int = whole(2, low=0, high=MOST_STEPS)
    hough_radius: float = number(32.0, low=1, high=256)
    hough_step: float = number(4.0, low=1, high=LONGEST)
    min_vote_score: float = score(0.01)
    nms_similarity: float = score(0.5)
    local_maximum_radius: int = whole(1, high=WIDEST_WINDOW)
    _mask_rule: ClassVar[MaskRule] = PoseNetMasks.personlab()

    def __post_init__(self) -> None:
        check(self)

    def decode(self, fields: PoseNetFields) -> Poses:
        """Return the poses of one image, best first; see `PoseNetDecoder.decode` for arguments and errors.

        Positions are in input pixels; scores of keypoints and poses are expected similarities.
        """
        from bottomup.posenet.kernels.personlab import cast_votes, decode_personlab

        fields = as_posenet_fields(fields).as_logits
        skeleton, num_parts = fields.skeleton, len(fields.skeleton.parts)
        if min(fields.grid) == 0:
            return Poses.empty(skeleton)
        stride = fields.output_stride
        _, fine_height, fine_width = raster = self._raster(fields)
        hough = np.zeros(fine_height * fine_width * num_parts, np.float32)
        vote_weight = np.float32(stride**2 / (np.pi * self.hough_radius**2))
        tree = fields.tree
        cast_votes(fields.in_cells, tree, tuple(raster), np.float32(logit(self.min_vote_score)), vote_weight, hough)
        lowest = np.float32(self.score_threshold)
        room, peaks = find_peaks(hough, (fine_height, fine_width), num_parts, lowest, self.local_maximum_radius)
        most = min(self.max_poses, len(peaks))
        search = Search(
            peaks=peaks,
            heap_scores=np.empty(len(peaks), np.float32),
            found=np.empty((most, num_parts, 3), np.float32),
            found_scores=np.empty(most, np.float32),
            order=np.empty(most, np.int64),
            kept=np.empty(most, np.int64),
        )
        near = np.float32(self.nms_radius) / np.float32(stride)
        rules = Rules(
            squared_radius=near * near,
            refinement_steps=self.refinement_steps,
            disk_radius=np.float32(self.hough_radius) / np.float32(stride),
            nms_similarity=np.float32(self.nms_similarity),
            patience=roots.PATIENCE,
        )
        keypoints, scores = np.empty((most, num_parts, 3), np.float32), np.empty(most, np.float32)
        found = decode_personlab(
            fields.in_cells, tree, tuple(raster), hough, tuple(search), tuple(rules), keypoints, scores
        )
        put_back(room)
        return Poses(keypoints[:found], scores[:found], skeleton)

    def _raster(self, fields: PoseNetFields) -> Raster:
        """Return the places where votes are gathered: one every step, fewer if that would be too many."""
        height, width = fields.grid
        finest = max((_MOST_PLACES / (height * width)) ** 0.5, 1.0)
        fineness = np.float32(min(max(fields.output_stride / self.hough_step, 1.0), finest))
        fine_height, fine_width = (int((size - 1) * float(fineness)) + 1 for size in (height, width))
        return Raster(fineness, fine_height, fine_width)
