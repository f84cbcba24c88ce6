"""Our own tag decoder: parameters, check, call."""

from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bottomup.batch import BatchDecoder
from bottomup.parameters import check, number, pair, score, switch, whole
from bottomup.poses import Poses
from bottomup.similarity import AREA_OF_JOINTS
from bottomup.skeletons import Skeleton
from bottomup.tags.fields import TagFields, as_tag_fields
from bottomup.tags.higherhrnet import HigherHrnetDecoder
from bottomup.tags.mmpose import MmposeTagDecoder
from bottomup.tags.omz import OmzTagDecoder
from bottomup.tags.systems import (
    FILLING_CELLS,
    FILLING_PASSES,
    Frame,
    as_poses,
    lowest_element,
    make_candidates,
    make_found,
    make_solver,
    nobody,
    order_of_parts,
)
from bottomup.workspaces import Shelf

__all__ = ["Crowd", "Matching", "Rules", "Seeking", "Standings", "TagDecoder"]

_PEOPLE_PER_PEAK = 3  # room for so many times the peaks of a part


class Rules(NamedTuple):
    """What the kernel is told of a decoder."""

    radius: int  #: cells
    tag_threshold: float
    nearness: float
    fill: bool
    fill_threshold: float
    fill_window: float  #: by the person's extent
    min_fill_window: float  #: cells
    min_parts: int
    half_size: float  #: cells
    half_score: float
    slope: float
    max_overlap: float
    filling_passes: int
    filling_cells: int


class Crowd(NamedTuple):
    """P people, who have some of N parts."""

    members: NDArray[np.int64]  #: (P, N) number of the candidate, -1 of a part that was not found
    tag_sums: NDArray[np.float64]  #: (P, L) of the parts' tags, each times its score
    weights: NDArray[np.float64]  #: (P,) of the parts' scores
    sizes: NDArray[np.int64]  #: (P,) how many parts


class Matching(NamedTuple):
    """What it takes to pair K candidates with P people."""

    costs: NDArray[np.float64]  #: (K, K + P)
    chosen: NDArray[np.int64]  #: (K,) each candidate's column
    solver: tuple[Any, ...]  #: of `Solver`


class Standings(NamedTuple):
    """What people are ranked and filled with."""

    evidence: NDArray[np.float64]  #: (P,)
    ranks: NDArray[np.int64]  #: (P,) people, best first
    boxes: NDArray[np.float64]  #: (P, 4) least row and column, greatest row and column
    person_tag: NDArray[np.float64]  #: (L,)


class Seeking(NamedTuple):
    """The cells that may be filled in, once somebody lacks the part."""

    bright: NDArray[np.int32]  #: (N, H * W + 1) columns, row after row
    starts: NDArray[np.int64]  #: (N, H + 1) where each row's columns begin
    is_known: NDArray[np.bool_]  #: (N,) whether a part's cells are


class _Room(NamedTuple):
    """What a decode takes from the shelf."""

    shape: tuple[int, ...]  #: N, L, H, W, K
    workspace: tuple[Any, ...]  #: candidates, crowd, matching, standings, seeking, plain tuples
    found: tuple[Any, ...]


_shelf: Shelf[_Room] = Shelf()


@dataclass(frozen=True)
class TagDecoder(BatchDecoder[TagFields]):
    """Decode associative embedding: HigherHRNet, mmpose's networks, Open Model Zoo's 0005 to 0007 and their kin.

    The defaults are the most accurate settings measured. `omz`, `mmpose` and
    `higherhrnet` follow those systems instead.

    Peaks are refined by a parabola through logarithms. One part after another,
    peaks are assigned to people so that the total gain is greatest. A pair
    gains the peak's score, reduced by the distance between its tag and the
    person's mean tag and by the distance to the person's nearest part. Tags
    are compared in float64 without rounding, so people whose quantised tags
    are equal are told apart by place. A missing part is filled in at the cell
    near the person with their tag where the heatmap is highest;
    `poses.filled` says which.

    Figures below are COCO keypoint AP on the labels of 240 photos, rendered
    with the errors of a mediocre network (`tests/bench/bench_tags.py`), with
    one setting changed at a time; we had no network's weights. The defaults
    reach .516, the best of the other systems' rules .487.

    Attributes
    ----------
    score_threshold : float
        A peak's score is above this. 0.1, as in the other systems, costs .014.
    max_peaks : int
        Maximum number of peaks per part. There are at most three times as many people.
    local_maximum_radius : int
        Half-width, in cells, of the window in which a peak is highest.
    tag_threshold : float
        A part's tag and its person's differ by less than this. Networks are trained to keep people 1 apart.
    nearness : float
        Weight of a distance as long as the grid's diagonal, relative to tags that are `tag_threshold` apart. 0 costs
        .066.
    fill : bool
        Fill in missing parts; False costs .056. Filling looks at each cell at most four times plus 17 million
        cells, for the best people first; the rest stay as found.
    fill_threshold : float
        Lowest worth of a cell to fill in: its score times 1 - d^2, d being the distance between tags in units of
        `tag_threshold`.
    fill_window, min_fill_window : float
        How far from the person's box to look: a share of its longer side, but at least this many cells.
    min_parts : int
        Minimum number of peaks of a person.
    half_size : float
        Extent, in cells, at which a person's size halves the evidence: keypoint errors do not shrink with the person.
    half_score, slope : float
        A person's score is 1 / (1 + exp(slope * (half_score - e))), the probability of being right (OKS above 0.5).
        The evidence e is the sum of the peaks' scores divided by the root of their number, times
        extent / (extent + half_size). Fitted on labels rendered with small, middling and large errors; calibration
        errors are .068, .032 and .072.
    max_overlap : float
        Drop a person as a fragment if the mean OKS of their peaks to the parts of a better person is above this. 1
        drops nobody.
    shift : float or (float, float)
        Added to x and y of every keypoint, in input pixels.

    Raises
    ------
    InputError
        If a parameter is invalid.

    References
    ----------
    Newell et al., "Associative Embedding", NeurIPS 2017. arXiv:1611.05424

    Examples
    --------
    >>> import numpy as np
    >>> from bottomup.tags.fields import TagFields
    >>> len(TagDecoder().decode(TagFields(np.zeros((17, 96, 128)), np.zeros((17, 96, 128)))))
    0
    """

    score_threshold: float = score(0.05)
    max_peaks: int = whole(50, high=256)
    local_maximum_radius: int = whole(2, high=64)
    tag_threshold: float = number(1.0, low=0, high=1e6, above=True)
    nearness: float = number(2.0, low=0, high=1e6)
    fill: bool = switch(True)
    fill_threshold: float = score(0.02)
    fill_window: float = number(0.8, low=0, high=1e6)
    min_fill_window: float = number(2.0, low=0, high=1e6)
    min_parts: int = whole(2)
    half_size: float = number(3.0, low=0, high=1e6)
    half_score: float = number(0.6, low=-1e3, high=1e3)
    slope: float = number(5.2, low=0, high=1e3)
    max_overlap: float = score(0.7)
    shift: tuple[float, float] = pair(0.0, low=-1e6, high=1e6)

    def __post_init__(self) -> None:
        check(self)

    def decode(self, fields: TagFields) -> Poses:
        """Return the poses of one image, best first, in input pixels.

        Parameters
        ----------
        fields : TagFields
            One image's network outputs, float or quantised.

        Returns
        -------
        Poses
            Of the fields' skeleton; none where nobody is found. `filled` says
            which keypoints were filled in, whose scores are low.

        Raises
        ------
        InputError
            If `fields` is not a TagFields.
        """
        fields = as_tag_fields(fields)
        lowest = lowest_element(fields, self.score_threshold)
        if lowest is None or 0 in fields.grid:
            return nobody(fields)
        num_parts = len(fields.skeleton.parts)
        shape = (num_parts, fields.tag_size, *fields.grid, self.max_peaks)
        room = _shelf.take(lambda spare: spare.shape == shape, lambda: _make_room(shape))
        num_found = _kernel()(
            fields.tensors,
            *room.workspace,
            order_of_parts(num_parts),
            self._rules,
            _falloffs(fields.skeleton),
            lowest,
            self._frame(fields),
            room.found,
        )
        poses = as_poses(fields, room.found, num_found)
        _shelf.put_back(room)
        return poses

    @cached_property
    def _rules(self) -> tuple[Any, ...]:
        rules = Rules(
            radius=self.local_maximum_radius,
            tag_threshold=self.tag_threshold,
            nearness=self.nearness,
            fill=self.fill,
            fill_threshold=self.fill_threshold,
            fill_window=self.fill_window,
            min_fill_window=self.min_fill_window,
            min_parts=self.min_parts,
            half_size=self.half_size,
            half_score=self.half_score,
            slope=self.slope,
            max_overlap=self.max_overlap,
            filling_passes=FILLING_PASSES,
            filling_cells=FILLING_CELLS,
        )
        return tuple(rules)

    def _frame(self, fields: TagFields) -> tuple[float, ...]:
        """Return how cells become pixels: middles of cells on middles of pixels."""
        stride = fields.output_stride
        x, y = (own + given + (stride - 1) / 2 for own, given in zip(self.shift, fields.shift, strict=True))
        return tuple(Frame(stride, stride, x, y))

    @staticmethod
    def omz(
        *,
        delta: float = 0.0,
        max_people: int = 30,
        score_threshold: float = 0.1,
        tag_threshold: float = 1.0,
        min_score: float = 0.1,
        fill: bool = True,
    ) -> OmzTagDecoder:
        """Return Open Model Zoo's decoder; see `OmzTagDecoder` for its parameters."""
        return OmzTagDecoder(delta, max_people, score_threshold, tag_threshold, min_score, fill)

    @staticmethod
    def mmpose(
        *,
        udp: bool = False,
        delta: float = 0.5,
        max_people: int = 30,
        score_threshold: float = 0.1,
        tag_threshold: float = 1.0,
        fill: bool = True,
    ) -> MmposeTagDecoder:
        """Return mmpose's decoder; see `MmposeTagDecoder` for its parameters."""
        return MmposeTagDecoder(udp, delta, max_people, score_threshold, tag_threshold, fill)

    @staticmethod
    def higherhrnet(
        *, max_people: int = 30, score_threshold: float = 0.1, tag_threshold: float = 1.0, fill: bool = True
    ) -> HigherHrnetDecoder:
        """Return HigherHRNet's decoder; see `HigherHrnetDecoder` for its parameters."""
        return HigherHrnetDecoder(max_people, score_threshold, tag_threshold, fill)


def _make_room(shape: tuple[int, ...]) -> _Room:
    num_parts, tag_size, height, width, most = shape
    num_people = _PEOPLE_PER_PEAK * most
    crowd = Crowd(
        members=np.empty((num_people, num_parts), np.int64),
        tag_sums=np.empty((num_people, tag_size)),
        weights=np.empty(num_people),
        sizes=np.empty(num_people, np.int64),
    )
    matching = Matching(
        costs=np.empty((most, most + num_people)),
        chosen=np.empty(most, np.int64),
        solver=make_solver(most, most + num_people),
    )
    standings = Standings(
        evidence=np.empty(num_people),
        ranks=np.empty(num_people, np.int64),
        boxes=np.empty((num_people, 4)),
        person_tag=np.empty(tag_size),
    )
    seeking = Seeking(
        bright=np.empty((num_parts, height * width + 1), np.int32),
        starts=np.empty((num_parts, height + 1), np.int64),
        is_known=np.empty(num_parts, np.bool_),
    )
    workspace = (make_candidates(num_parts, most), *(tuple(part) for part in (crowd, matching, standings, seeking)))
    return _Room(shape, workspace, make_found(num_people, num_parts))


@lru_cache(maxsize=64)
def _falloffs(skeleton: Skeleton) -> NDArray[np.float64]:
    """Return, of each part, how OKS falls off with squared distance by the area of a person's box."""
    falloffs: NDArray[np.float64] = 2 * AREA_OF_JOINTS * np.square(np.array(skeleton.kappas))
    return falloffs


@cache
def _kernel() -> Any:
    """Return the loops; numba is imported here, on first use."""
    from bottomup.tags.kernels.best import decode_best

    return decode_best
