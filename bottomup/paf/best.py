"""The part affinity field decoder: its parameters, and those of other systems."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from bottomup.batch import map_on_threads
from bottomup.paf.fields import PafFields
from bottomup.paf.parameters import RANKINGS, Matching, Ranking, check
from bottomup.paf.running import decode_fields
from bottomup.poses import Poses

#: What no other system does.
_PLAIN: dict[str, Any] = {"fill": False, "matching": "greedy", "max_overlap": 1.0, "usual_length": 0.0}


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
        extent; then 1 / (1 + exp(3 (half_score - s))), the probability of
        being right. "mean": the sum, by the number of all parts and edges
        (OpenPose). "tao": 1 - 1 / sum (TAO Toolkit).
    half_size : float
        Extent, in cells, at which size halves a person's score: keypoint
        errors are about the same for all, so that small people are less exact.
    half_score : float
        The evidence of which half of the people are right, OKS above 0.5;
        changes no order. 0.875 and the factor of 3 are fitted on photos of
        COCO, to two networks at once, whose calibration errors are then .041
        and .044.
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
    >>> import numpy as np
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
    half_score: float = 0.875
    max_overlap: float = 0.5
    shift: float | tuple[float, float] = 0.0

    def __post_init__(self) -> None:
        check(self)

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
        return decode_fields(
            fields,
            self.peak_threshold,
            self.max_peaks,
            self._limb_rules,
            self.matching == "hungarian",
            self._people_rules,
            self.shifts,
        )

    @cached_property
    def _limb_rules(self) -> tuple[Any, ...]:
        """What `find_limbs` takes beside fields and workspace."""
        return (
            self.min_samples,
            self.max_samples,
            self.limb_threshold,
            self.limb_ratio,
            self.limb_score == "hits",
            self.usual_length,
            self.min_limb_score,
            self.touching,
            self.peak_threshold,
            self.peak_weight,
        )

    @cached_property
    def _people_rules(self) -> tuple[Any, ...]:
        """What `find_people` takes beside fields and workspace."""
        return (
            self.matching == "greedy",
            self.fill,
            self.fill_samples,
            self.fill_ratio,
            self.fill_threshold,
            self.fill_window,
            self.min_fill_window,
            self.fill_owned_factor,
            self.fill_chain_factor,
            self.min_parts,
            self.min_mean_score,
            RANKINGS.index(self.ranking),
            self.half_size,
            self.half_score,
            self.max_overlap,
        )

    def decode_batch(self, fields: Iterable[PafFields], *, threads: int = 1) -> list[Poses]:
        """Return `decode` of every item, in order, on that many threads."""
        return map_on_threads(self.decode, fields, threads)

    @property
    def shifts(self) -> tuple[float, float]:
        """What is added to x and to y."""
        return self.shift if isinstance(self.shift, tuple) else (self.shift, self.shift)
