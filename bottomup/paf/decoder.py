"""The part affinity field decoder: parameters, checks, results. Loops are in the kernels beside it."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bottomup.batch import map_on_threads
from bottomup.checks import as_number
from bottomup.errors import InputError
from bottomup.paf.fields import PafFields, Tensors
from bottomup.poses import Poses
from bottomup.skeletons import Skeleton

Matching = Literal["global", "greedy", "hungarian"]
Ranking = Literal["evidence", "mean", "tao"]

_RANKINGS: tuple[Ranking, ...] = ("evidence", "mean", "tao")
_MATCHINGS: tuple[Matching, ...] = ("global", "greedy", "hungarian")
_LIMBS_TO_START_WITH = 2048
_UNKNOWN_SIGMA = 0.08  # of a part that nobody measured; COCO's own lie between 0.025 and 0.107
_AREA_OF_BOX = 0.53  # a person's area, for OKS, per area of the box around the joints


class Limbs(NamedTuple):
    """Pairs of peaks that a field connects; each attribute is (L,)."""

    edges: NDArray[np.int64]
    parents: NDArray[np.int64]
    children: NDArray[np.int64]
    scores: NDArray[np.float64]
    ranks: NDArray[np.float64]  #: what limbs are sorted by


@dataclass(frozen=True)
class PafDecoder:
    """Decode part affinity fields: OpenPose, tf-pose, lightweight-openpose, BodyPoseNet, trt_pose and their kin.

    With no arguments: the most accurate settings measured. `openpose`,
    `bodyposenet` and `trt_pose` give other systems' rules. Nothing is
    upsampled: peaks are found on the grid that the network gives and refined
    by a parabola through logarithms, which is exact for the Gaussians that
    networks are trained on; fields are read bilinearly. Limbs of all edges
    join people together, the best limb first, so that a doubtful one never
    decides before a sure one. Last, parts without a peak are filled in where
    heatmap and field agree best; `poses.filled` tells which.

    Figures below are COCO keypoint AP on 600 val2017 photos with a
    MobileNetV2 at 368 x 432, one setting changed at a time.

    Attributes
    ----------
    peak_threshold : float
        A peak's heatmap score is above this. 0.05 as in OpenPose; 0.1 costs .002.
    max_peaks : int
        Most peaks of one part: the strongest. OpenPose has 127, the first in raster order.
    min_samples, max_samples : int
        A field is sampled once a cell along a limb, within these limits.
    limb_threshold : float
        A sample hits where the field's component along the limb is above this. 0.05 as in OpenPose.
    limb_ratio : float
        A limb needs this share of hits. 0.8 as in lightweight-openpose; 0.95 (OpenPose) costs .001.
    limb_score : {"samples", "hits"}
        A limb's score is the sum of its hits, by the number of all samples or of hits.
    usual_length : float
        Up to which length, in heights of the picture, a limb is not suspect;
        longer ones lose 1 - usual_length / length. 0.5 as in the paper's code
        and in tf-pose; 0 is no limit, as in OpenPose. No difference in AP.
    min_limb_score : float
        A limb's score is above this.
    touching : float
        Pairs of peaks nearer than this, in cells, are limbs even if the field
        is silent, with the lowest score: a limb seen end on has no length. 0 leaves
        them to the filling. OpenPose: 0.3.
    peak_weight : float
        How much of the scores of its two peaks a limb is sorted by. 0.1 as in OpenPose on GPUs.
    matching : {"global", "greedy", "hungarian"}
        Which limbs of one edge exclude each other. "global": those that people
        were made of. "greedy": the best first, whatever becomes of it.
        "hungarian": the pairs of highest sum, as in trt_pose. No difference in AP.
    fill : bool
        Fill missing parts in; without, .022 less.
    fill_threshold : float
        Lowest heatmap score of a cell to fill in. 0.05 keeps 72 % of the gain.
    fill_samples : int
        A field is sampled so often between a known joint and a cell, at the nearest cells.
    fill_ratio : float
        The share of samples that must point along the limb, however weakly.
    fill_window, min_fill_window : float
        How far from a known joint to look, down and across: a share of the person's extent, and at least so many cells.
    fill_owned_factor : float
        What a cell beside another person's peak is worth.
    fill_chain_factor : float
        What a cell is worth that is reached from a filled joint.
    min_parts : int
        Fewest peaks of a person; toes and heels do not count, as in OpenPose.
    min_mean_score : float
        Lowest sum of peak and limb scores, per peak. 0; OpenPose and `strict` have 0.4.
    ranking : {"evidence", "mean", "tao"}
        A person's score. "evidence": the sum of peak and limb scores, by the
        root of their number, times e / (e + half_size) where e is the person's
        extent; then 1 / (1 + (half_score / s)^3), the probability of being right. "mean": the sum, by the number of all
        parts and edges (OpenPose). "tao": 1 - 1 / sum (TAO Toolkit).
    half_size : float
        Extent, in cells, at which size halves a person's score: keypoint
        errors are about the same for all, so that small people are less exact.
    half_score : float
        The evidence of which half of the people are right, OKS above 0.5;
        changes no order. 0.9 and the power of 3 are fitted on photos of COCO:
        the calibration error of two networks was .03 to .09.
    max_overlap : float
        A person is dropped as a fragment whose peaks are on average nearer
        than this, as OKS, to the joints of a better one. 1 drops nobody.
    shift : float or (float, float)
        Added to x and y of every keypoint, in input pixels.

    Raises
    ------
    InputError
        If a parameter is not what it must be.

    References
    ----------
    Cao et al., "OpenPose: Realtime Multi-Person 2D Pose Estimation using Part Affinity Fields", TPAMI 2019.
    arXiv:1812.08008

    Examples
    --------
    >>> fields = PafFields(np.zeros((46, 54, 19)), np.zeros((46, 54, 38)))
    >>> len(PafDecoder().decode(fields))
    0
    """

    peak_threshold: float = 0.05
    max_peaks: int = 256
    min_samples: int = 5
    max_samples: int = 16
    limb_threshold: float = 0.05
    limb_ratio: float = 0.8
    limb_score: Literal["samples", "hits"] = "samples"
    usual_length: float = 0.5
    min_limb_score: float = 0.0
    touching: float = 0.0
    peak_weight: float = 0.1
    matching: Matching = "global"
    fill: bool = True
    fill_threshold: float = 0.01
    fill_samples: int = 5
    fill_ratio: float = 0.5
    fill_window: float = 0.8
    min_fill_window: float = 2.0
    fill_owned_factor: float = 0.5
    fill_chain_factor: float = 0.9
    min_parts: int = 3
    min_mean_score: float = 0.0
    ranking: Ranking = "evidence"
    half_size: float = 6.0
    half_score: float = 0.9
    max_overlap: float = 0.5
    shift: float | tuple[float, float] = 0.0

    def __post_init__(self) -> None:
        _check(self)

    @staticmethod
    def strict(**changes: Any) -> "PafDecoder":
        """Return our decoder for those who want few false people: about as many fewer as OpenPose has, for .003 AP.

        `changes` are parameters of `PafDecoder`.
        """
        return PafDecoder(**{"min_mean_score": 0.4, **changes})

    @staticmethod
    def openpose(**changes: Any) -> "PafDecoder":
        """Return OpenPose's rules, on the raw grid.

        Its thresholds, ratio of hits, mean over hits, rescue of joints that
        coincide, greedy matching, filters and person score. Left out: maps
        upsampled eightfold; strict maxima, which lose plateaus; the cap that
        keeps peaks in raster order; people assembled limb after limb, who may
        share a peak and are never merged (people are assembled as it does on
        GPUs, best limb first). `changes` are parameters of `PafDecoder`.

        References
        ----------
        Cao et al., TPAMI 2019, section 3. arXiv:1812.08008. Parameters: CMU OpenPose, commit 5c5d965.
        """
        rules: dict[str, Any] = {
            "limb_ratio": 0.95,
            "limb_score": "hits",
            "max_samples": 25,
            "touching": 0.3,
            "min_mean_score": 0.4,
            "ranking": "mean",
        }
        return PafDecoder(**{**_PLAIN, **rules, **changes})

    @staticmethod
    def bodyposenet(**changes: Any) -> "PafDecoder":
        """Return the rules of BodyPoseNet's post-processing in the TAO Toolkit, on the raw grid.

        Its thresholds, ten samples of which nine hit, mean over hits, greedy
        matching, filters and person score (clipped at 0). Left out: maps
        upsampled eightfold and blurred; whole-pixel positions; a limb's first
        peak forgotten where only its second has a person; third holders of a
        peak; a missing score of keypoints. `changes` are parameters of `PafDecoder`.

        References
        ----------
        NVIDIA/tao_tensorflow1_backend, `nvidia_tao_tf1/cv/bpnet`.
        """
        rules: dict[str, Any] = {
            "peak_threshold": 0.1,
            "min_samples": 10,
            "max_samples": 10,
            "limb_ratio": 0.9,
            "limb_score": "hits",
            "peak_weight": 0.0,
            "min_parts": 4,
            "min_mean_score": 0.4,
            "ranking": "tao",
        }
        return PafDecoder(**{**_PLAIN, **rules, **changes})

    @staticmethod
    def trt_pose(**changes: Any) -> "PafDecoder":
        """Return trt_pose's rules.

        Its thresholds, seven samples without a threshold of their own, plain
        mean, Hungarian matching. Left out: peaks repeated on plateaus;
        positions from a 5 x 5 centroid; pairs below the threshold that displace
        good ones; single peaks that become people; two peaks of one part in one
        person; matching that never ends on NaN. It has no person score: this is
        OpenPose's. `changes` are parameters of `PafDecoder`.

        References
        ----------
        NVIDIA-AI-IOT/trt_pose, commit 336b8cd.
        """
        rules: dict[str, Any] = {
            "peak_threshold": 0.1,
            "min_samples": 7,
            "max_samples": 7,
            "limb_threshold": -1.0,
            "limb_ratio": 0.0,
            "min_limb_score": 0.1,
            "peak_weight": 0.0,
            "matching": "hungarian",
            "min_parts": 2,
            "ranking": "mean",
        }
        return PafDecoder(**{**_PLAIN, **rules, **changes})

    def decode(self, fields: PafFields) -> Poses:
        """Return the poses of one image, best first, in input pixels.

        Parameters
        ----------
        fields : PafFields
            One image's network outputs, float or quantised.

        Returns
        -------
        Poses
            Of the fields' skeleton; none where nobody is found. `filled` says
            which keypoints were filled in, whose scores are low.

        Raises
        ------
        InputError
            If `fields` is not a PafFields.
        """
        from bottomup.paf.peak_kernels import find_peaks

        if not isinstance(fields, PafFields):
            raise InputError(
                f"fields must be PafFields, got {type(fields).__name__}: build them with PafFields(heatmaps, pafs, "
                "skeleton=...) or PafFields.from_concatenated"
            )
        tensors, skeleton = fields.tensors, fields.skeleton
        height, width = fields.grid
        num_parts = len(skeleton.parts)
        lowest = _lowest(tensors, self.peak_threshold)
        if lowest is None or height * width == 0:
            return _nobody(skeleton)
        most = min(self.max_peaks, (height * width + 1) // 2 + 1)
        counts, cells = np.empty(num_parts, np.int64), np.empty((num_parts, most), np.int64)
        places = np.empty((3, num_parts, most), np.float64)  # rows, columns, scores
        find_peaks(
            tensors.heatmaps,
            height,
            width,
            num_parts,
            lowest,
            tensors.heatmap_scale,
            tensors.heatmap_zero,
            np.zeros((num_parts, height * width), np.uint8),
            np.empty(height * width, np.int64),
            counts,
            cells,
            *places,
        )
        limbs, num_limbs = self._find_limbs(fields, counts, places)
        if num_limbs == 0:
            return _nobody(skeleton)
        return self._find_people(fields, counts, cells, places, limbs, num_limbs)

    def decode_batch(self, fields: Iterable[PafFields], *, threads: int = 1) -> list[Poses]:
        """Return `decode` of every item, in order, on that many threads."""
        return map_on_threads(self.decode, fields, threads)

    def _find_limbs(
        self, fields: PafFields, counts: NDArray[np.int64], places: NDArray[np.float64]
    ) -> tuple[Limbs, int]:
        """Return the limbs between peaks that may become people, and how many."""
        from bottomup.paf.limb_kernels import find_limbs

        size = _LIMBS_TO_START_WITH
        while True:
            limbs = Limbs(*np.empty((3, size), np.int64), *np.empty((2, size), np.float64))
            count = find_limbs(
                *_field_arguments(fields),
                fields.tensors.edges,
                counts,
                *places,
                *np.empty((2, *places.shape[1:]), np.float64),
                self.min_samples,
                self.max_samples,
                self.limb_threshold,
                self.limb_ratio,
                self.limb_score == "hits",
                self.usual_length * fields.grid[0] if self.usual_length else np.inf,
                self.min_limb_score,
                self.touching,
                self.peak_threshold,
                self.peak_weight,
                *limbs,
            )
            if count <= size:
                break
            size = count
        if self.matching == "hungarian":
            chosen = _best_pairs(limbs, count, counts, fields.tensors.edges)
            limbs = limbs._replace(**{name: values[chosen] for name, values in limbs._asdict().items()})
            return limbs, len(chosen)
        return limbs, count

    def _find_people(
        self,
        fields: PafFields,
        counts: NDArray[np.int64],
        cells: NDArray[np.int64],
        places: NDArray[np.float64],
        limbs: Limbs,
        num_limbs: int,
    ) -> Poses:
        """Return the people that the limbs join to."""
        from bottomup.paf.fill_kernels import fill_people
        from bottomup.paf.people_kernels import assemble, place_joints, rank_people, write_people

        tensors, skeleton = fields.tensors, fields.skeleton
        height, width = fields.grid
        num_parts, num_edges = len(skeleton.parts), len(skeleton.edges)
        rows, columns, scores = places
        most = min(num_limbs, int(counts.sum()) // 2)
        order = np.empty(max(num_limbs, most), np.int64)
        owner = np.empty(cells.shape, np.int64)
        members, sums = np.empty((most, num_parts), np.int64), np.empty((most, 4), np.float64)
        num_people = assemble(
            tensors.edges,
            scores,
            *limbs,
            num_limbs,
            self.matching == "greedy",
            order,
            owner,
            np.empty((num_edges, 2, cells.shape[1]), np.uint8),
            members,
            sums,
        )
        joints, totals = np.empty((num_people, num_parts, 3), np.float64), np.empty(num_people, np.float64)
        place_joints(members, rows, columns, scores, num_people, joints)
        if self.fill:
            fill_people(
                tensors.heatmaps,
                tensors.heatmap_scale,
                tensors.heatmap_zero,
                height,
                width,
                *_field_arguments(fields),
                tensors.edges,
                counts,
                cells,
                rows,
                columns,
                scores,
                owner,
                members,
                sums,
                joints,
                num_people,
                self.fill_samples,
                self.fill_ratio,
                self.fill_threshold,
                self.fill_window,
                self.min_fill_window,
                self.fill_owned_factor,
                self.fill_chain_factor,
                totals,
                order,
                np.empty(num_parts, np.float64),
                np.empty(num_parts, np.int64),
                np.empty(num_parts, np.float64),
                np.empty((num_parts, height, width), np.float32),
                np.empty(num_parts, np.uint8),
            )
        falloffs, counts_as_part = _part_tables(skeleton)
        rank_people(
            members,
            sums,
            joints,
            num_people,
            num_edges,
            counts_as_part,
            self.min_parts,
            self.min_mean_score,
            _RANKINGS.index(self.ranking),
            self.half_size,
            self.half_score,
            totals,
        )
        keypoints, pose_scores = np.empty((num_people, num_parts, 3), np.float32), np.empty(num_people, np.float32)
        filled = np.empty((num_people, num_parts), np.bool_)
        shift_x, shift_y = self.shifts
        found = write_people(
            members,
            joints,
            num_people,
            falloffs,
            self.max_overlap,
            fields.output_stride,
            shift_x,
            shift_y,
            totals,
            order,
            np.empty(num_people, np.int64),
            keypoints,
            pose_scores,
            filled,
        )
        return Poses(keypoints[:found], pose_scores[:found], skeleton, None, filled[:found])

    @property
    def shifts(self) -> tuple[float, float]:
        """What is added to x and to y."""
        return self.shift if isinstance(self.shift, tuple) else (self.shift, self.shift)


#: What no other system does.
_PLAIN: dict[str, Any] = {"fill": False, "matching": "greedy", "max_overlap": 1.0, "usual_length": 0.0}


def _check(decoder: PafDecoder) -> None:
    """Refuse parameters that no decoder can work with."""
    for name, low in (("max_peaks", 1), ("min_samples", 2), ("max_samples", 2), ("fill_samples", 2), ("min_parts", 1)):
        value = getattr(decoder, name)
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < low:
            raise InputError(f"{name} must be a whole number, at least {low}, got {value!r}")
        object.__setattr__(decoder, name, int(value))
    if decoder.max_samples < decoder.min_samples:
        raise InputError(f"max_samples must be at least min_samples, {decoder.min_samples}, got {decoder.max_samples}")
    numbers = {
        "peak_threshold": (0, 1),
        "limb_threshold": (-1, 1),
        "limb_ratio": (0, 1),
        "usual_length": (0, np.inf),
        "min_limb_score": (0, 1),
        "touching": (0, np.inf),
        "peak_weight": (0, np.inf),
        "fill_threshold": (0, 1),
        "fill_ratio": (0, 1),
        "fill_window": (0, np.inf),
        "min_fill_window": (0, np.inf),
        "fill_owned_factor": (0, 1),
        "fill_chain_factor": (0, 1),
        "min_mean_score": (0, np.inf),
        "half_size": (0, np.inf),
        "half_score": (0, np.inf),
        "max_overlap": (0, 1),
    }
    for name, (low, high) in numbers.items():
        value = as_number(getattr(decoder, name), name)
        if not low <= value <= high or value == np.inf:
            raise InputError(f"{name} must be a number {_range(low, high)}, got {value}")
        object.__setattr__(decoder, name, value)
    if decoder.half_score == 0:
        raise InputError("half_score must be above 0: it is the evidence that stands for a score of 0.5")
    choices: dict[str, tuple[str, ...]] = {
        "limb_score": ("samples", "hits"),
        "matching": _MATCHINGS,
        "ranking": _RANKINGS,
    }
    for name, allowed in choices.items():
        if getattr(decoder, name) not in allowed:
            raise InputError(f"{name} must be one of {', '.join(allowed)}, got {getattr(decoder, name)!r}")
    shift = decoder.shift if isinstance(decoder.shift, (tuple, list)) else (decoder.shift, decoder.shift)
    if len(shift) != 2:
        raise InputError(f"shift must be one number or two, x and y in input pixels, got {decoder.shift!r}")
    shift_x, shift_y = (as_number(number, "shift") for number in shift)
    if not np.isfinite([shift_x, shift_y]).all():
        raise InputError(f"shift must be finite, in input pixels, got {decoder.shift!r}")
    object.__setattr__(decoder, "shift", (shift_x, shift_y))


def _nobody(skeleton: Skeleton) -> Poses:
    """Return no poses, of whose keypoints none was filled in."""
    num_parts = len(skeleton.parts)
    keypoints, filled = np.empty((0, num_parts, 3), np.float32), np.empty((0, num_parts), np.bool_)
    return Poses(keypoints, np.empty(0, np.float32), skeleton, None, filled)


def _range(low: float, high: float) -> str:
    return f"of at least {low}" if high == np.inf else f"in [{low}, {high}]"


def _field_arguments(fields: PafFields) -> tuple[Any, ...]:
    """Return what kernels need to read a field at a place on the heatmaps' grid."""
    tensors = fields.tensors
    return (
        tensors.pafs,
        tensors.paf_row_step,
        tensors.paf_column_step,
        tensors.paf_scale,
        tensors.paf_zero,
        tensors.paf_height,
        tensors.paf_width,
        tensors.ratio_y,
        tensors.ratio_x,
        (0.5 + fields.paf_shift) * tensors.ratio_y - 0.5,
        (0.5 + fields.paf_shift) * tensors.ratio_x - 0.5,
    )


def _lowest(tensors: Tensors, threshold: float) -> Any:
    """Return the first level or number above a threshold, None if no level is."""
    if tensors.heatmaps.dtype != np.uint8:
        return _next_number(threshold)
    return _lowest_level(tensors.heatmap_scale, tensors.heatmap_zero, threshold)


@lru_cache(maxsize=256)
def _next_number(threshold: float) -> np.float32:
    number: np.float32 = np.nextafter(np.float32(threshold), np.float32(np.inf))
    return number


@lru_cache(maxsize=256)
def _lowest_level(scale: np.float32, zero: np.float32, threshold: float) -> np.uint8 | None:
    values = (np.arange(256, dtype=np.float32) - zero) * scale
    levels = np.flatnonzero(values > np.float32(threshold))
    return np.uint8(levels[0]) if len(levels) else None


def _best_pairs(limbs: Limbs, count: int, counts: NDArray[np.int64], edges: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the numbers of the limbs of highest sum, edge by edge. Scores are finite, so that it always ends."""
    from scipy.optimize import linear_sum_assignment

    chosen = []
    for edge, (parent_part, child_part) in enumerate(edges[:, :2]):
        candidates = np.flatnonzero(limbs.edges[:count] == edge)
        if len(candidates):
            numbers = np.full((counts[parent_part], counts[child_part]), -1)
            numbers[limbs.parents[candidates], limbs.children[candidates]] = candidates
            pairs = numbers[linear_sum_assignment(np.where(numbers >= 0, limbs.ranks[numbers], 0.0), maximize=True)]
            chosen.append(pairs[pairs >= 0])
    return np.sort(np.concatenate(chosen)) if chosen else np.empty(0, np.int64)


@lru_cache(maxsize=64)
def _part_tables(skeleton: Skeleton) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    """Return, of each part, how OKS falls off with distance, and whether it counts as one of a person's parts."""
    sigmas = np.array(skeleton.sigmas or [_UNKNOWN_SIGMA] * len(skeleton.parts))
    is_foot = [part.endswith(("toe", "heel")) for part in skeleton.parts]
    return 2 * _AREA_OF_BOX * (2 * sigmas) ** 2, np.array([not foot for foot in is_foot], np.uint8)
