"""The part affinity field decoder: its parameters, and those of other systems."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from bottomup.batch import BatchDecoder
from bottomup.errors import InputError
from bottomup.paf.bodyposenet import BODYPOSENET
from bottomup.paf.bundles import FillRules, LimbRules, PeopleRules, Rules
from bottomup.paf.fields import PafFields
from bottomup.paf.openpose import OPENPOSE
from bottomup.paf.running import decode_fields
from bottomup.paf.trt_pose import TRT_POSE
from bottomup.parameters import check, choice, number, pair, score, switch, whole
from bottomup.poses import Poses

__all__ = ["PafDecoder"]

_RANKINGS = ("evidence", "mean", "tao")


@dataclass(frozen=True)
class PafDecoder(BatchDecoder[PafFields]):
    """Decode part affinity fields: OpenPose, tf-pose, lightweight-openpose, BodyPoseNet, trt_pose and their kin.

    The defaults are the most accurate settings measured; `openpose`,
    `bodyposenet` and `trt_pose` follow other systems' rules. Nothing is
    upsampled: peaks are found on the network's own grid and refined by a
    parabola through logarithms, which is exact for the Gaussians that networks
    are trained on, and fields are read bilinearly. Limbs of all edges join
    people together, best limb first, so a doubtful limb never decides before a
    sure one. Finally, parts without a peak are filled in where heatmap and
    field agree best; `poses.filled` says which.

    Figures below are COCO keypoint AP on 600 val2017 photos with a
    MobileNetV2 at 432 x 368, with one setting changed at a time.

    Attributes
    ----------
    peak_threshold : float
        A peak's heatmap score is above this. 0.05 as in OpenPose; 0.1 costs .002.
    max_peaks : int
        Maximum number of peaks per part; the strongest are kept. OpenPose keeps the first 127 in raster
        order. Whatever the limit, weaker peaks are left out if edges could join more than eight million
        pairs plus four for each element of the maps, or if there were more than a million samples along
        them plus one for every four elements.
    min_samples, max_samples : int
        A field is sampled once per cell along a limb, within these limits.
    limb_threshold : float
        A sample is a hit if the field's component along the limb is above this. 0.05 as in OpenPose.
    limb_ratio : float
        A limb needs this share of hits. 0.8 as in lightweight-openpose; 0.95 (OpenPose) costs .001.
    limb_score : {"samples", "hits"}
        A limb's score is the sum of its hits divided by the number of samples, or of hits.
    usual_length : float
        Limbs longer than this, in heights of the picture, lose
        1 - usual_length / length. 0.5 as in the paper's code and in tf-pose; 0
        means no limit, as in OpenPose. No difference in AP.
    min_limb_score : float
        A limb's score is above this.
    touching : float
        Pairs of peaks nearer than this, in cells, are limbs with the lowest
        score even without a field: a limb seen end on has no length. 0 leaves
        them to filling. OpenPose: 0.3.
    peak_weight : float
        Weight of the two peaks' scores in the order of limbs. 0.1 as in OpenPose on GPUs.
    matching : {"global", "greedy", "hungarian"}
        Which limbs of one edge exclude others. "global": those that became
        part of a person. "greedy": the best ones, whatever becomes of them.
        "hungarian": the pairs with the highest sum, as in trt_pose. No
        difference in AP.
    fill : bool
        Fill in missing parts; False costs .022. Eyes and ears are only filled in near the nose (within the larger
        of shoulder width and 0.7 torso lengths), and never on top of another person's. The surest people come
        first; on maps of noise, filling ends after some 330,000 lines through the fields.
    fill_threshold : float
        Lowest heatmap score of a cell to fill in. 0.05 keeps 72 % of the gain.
    fill_samples : int
        Number of samples of the field between a known joint and a cell, at the nearest cells.
    fill_ratio : float
        The share of samples that must point along the limb, however weakly.
    fill_window, min_fill_window : float
        How far from a known joint to look, down and across: a share of the person's extent, but at least this many
        cells.
    fill_owned_factor : float
        Factor on the worth of a cell beside another person's peak.
    fill_chain_factor : float
        Factor on the worth of a cell that is reached from a filled joint.
    min_parts : int
        Minimum number of peaks of a person, or all parts of a smaller skeleton; toes and heels do not count, as in
        OpenPose.
    min_mean_score : float
        Lowest sum of peak and limb scores, per peak. OpenPose and `strict` use 0.4.
    ranking : {"evidence", "mean", "tao"}
        A person's score. "evidence": s is the sum of peak and limb scores
        divided by the root of their number, times e / (e + half_size), where e
        is the person's extent; the score is 1 / (1 + exp(3 (half_score - s))),
        the probability of being right. "mean": the sum divided by the number
        of all parts and edges (OpenPose). "tao": 1 - 1 / sum (TAO Toolkit).
    half_size : float
        Extent, in cells, at which a person's size halves s: keypoint errors do
        not shrink with the person, so small people are less exact.
    half_score : float
        The evidence at which half of the people are right (OKS above 0.5). It
        does not change their order. 0.875 and the factor of 3 are fitted to two
        networks at once on COCO photos; calibration errors are .041 and .044.
    max_overlap : float
        Drop a person as a fragment if the mean OKS of their peaks to the
        joints of a better person is above this. 1 drops nobody.
    shift : float or (float, float)
        Added to x and y of every keypoint, in input pixels.

    Raises
    ------
    InputError
        If a parameter is invalid.

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

    peak_threshold: float = score(0.05)
    max_peaks: int = whole(1024, high=4096)
    min_samples: int = whole(5, low=2, high=256)
    max_samples: int = whole(16, low=2, high=256)
    limb_threshold: float = number(0.05, low=-1, high=1)
    limb_ratio: float = score(0.8)
    limb_score: Literal["samples", "hits"] = choice("samples", "hits")
    usual_length: float = number(0.5, low=0, high=1e6)
    min_limb_score: float = score(0.0)
    touching: float = number(0.0, low=0, high=1e6)
    peak_weight: float = number(0.1, low=0, high=1e6)
    matching: Literal["global", "greedy", "hungarian"] = choice("global", "greedy", "hungarian")
    fill: bool = switch(True)
    fill_threshold: float = score(0.01)
    fill_samples: int = whole(5, low=2, high=256)
    fill_ratio: float = score(0.5)
    fill_window: float = number(0.8, low=0, high=1e6)
    min_fill_window: float = number(2.0, low=0, high=1e6)
    fill_owned_factor: float = score(0.5)
    fill_chain_factor: float = score(0.9)
    min_parts: int = whole(3, high=1 << 16)
    min_mean_score: float = number(0.0, low=0, high=1e6)
    ranking: Literal["evidence", "mean", "tao"] = choice(*_RANKINGS)
    half_size: float = number(6.0, low=0, high=1e6)
    half_score: float = number(0.875, low=0, high=1e6)
    max_overlap: float = score(0.5)
    shift: float | tuple[float, float] = pair(0.0, low=-1e6, high=1e6)

    def __post_init__(self) -> None:
        check(self)
        if self.max_samples < self.min_samples:
            raise InputError(f"max_samples must be at least min_samples, {self.min_samples}, got {self.max_samples}")

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
        return PafDecoder(**{**OPENPOSE, **changes})

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
        return PafDecoder(**{**BODYPOSENET, **changes})

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
        return PafDecoder(**{**TRT_POSE, **changes})

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
        return decode_fields(fields, self._rules)

    @cached_property
    def _rules(self) -> Rules:
        """What the loops are told."""
        limb_rules = LimbRules(
            min_samples=self.min_samples,
            max_samples=self.max_samples,
            threshold=self.limb_threshold,
            hit_ratio=self.limb_ratio,
            hits_only=self.limb_score == "hits",
            usual_length=self.usual_length,
            min_score=self.min_limb_score,
            touching=self.touching,
            touching_score=self.peak_threshold,
            peak_weight=self.peak_weight,
        )
        people_rules = PeopleRules(
            exclusive=self.matching == "greedy",
            min_parts=self.min_parts,
            min_mean=self.min_mean_score,
            ranking=_RANKINGS.index(self.ranking),
            half_size=self.half_size,
            half_score=self.half_score,
            max_overlap=self.max_overlap,
        )
        fill_rules = FillRules(
            fill=self.fill,
            samples=self.fill_samples,
            hit_ratio=self.fill_ratio,
            lowest=self.fill_threshold,
            window=self.fill_window,
            min_window=self.min_fill_window,
            owned_factor=self.fill_owned_factor,
            chain_factor=self.fill_chain_factor,
        )
        return Rules(
            self.peak_threshold,
            self.max_peaks,
            self.matching == "hungarian",
            tuple(limb_rules),
            tuple(people_rules),
            tuple(fill_rules),
            self.shifts,
        )

    @property
    def shifts(self) -> tuple[float, float]:
        """What is added to x and to y."""
        return self.shift if isinstance(self.shift, tuple) else (self.shift, self.shift)
