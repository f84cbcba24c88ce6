"""Our own rule of masks."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from bottomup.parameters import check, number, score, whole
from bottomup.posenet.masks.coral import CoralMasks
from bottomup.posenet.masks.rule import MaskRule
from bottomup.posenet.masks.tfjs import TfjsMasks
from bottomup.posenet.roots import LONGEST, MOST_STEPS

__all__ = ["PoseNetMasks"]


@dataclass(frozen=True, kw_only=True)
class PoseNetMasks(MaskRule):
    """Give pixels to people by the PersonLab paper's rule, with more steps.

    The pose wins whose parts are nearest, by the mean distance weighted with
    their scores and measured in sizes of the person, to where the long
    offsets lead, refined by short offsets. A network's long offsets fall
    short of parts far away, so they are followed again from there; but where
    somebody else stands in front of a part, they lead to that person's, so the
    nearest of all the places that they led to counts. `personlab()` is the
    paper's rule as it is, `coral()` and `tfjs()` are those systems'.

    Attributes
    ----------
    segment_threshold : float
        Lowest person score of a pixel on people; 0.5 in section 3.3.
    max_distance : float
        Distance above which a pixel is nobody's, in square roots of the area
        of the box around a person's keypoints; 0.25 in section 3.3.
    long_steps : int
        How many more times the long offsets are followed, at most, while they
        move a place by more than a quarter of a cell; 4 measured best. 0: the paper's rule.
    refinement_steps : int
        Short-offset steps after the long offsets; 2 in section 3.3.

    References
    ----------
    Papandreou et al., "PersonLab", ECCV 2018, section 3.3. arXiv:1803.08225

    Examples
    --------
    >>> from bottomup.synthetic import posenet_fields, random_poses
    >>> poses = random_poses(2)
    >>> people = np.zeros((2, 481, 641), bool)
    >>> people[0, 100:300, 50:150] = people[1, 100:300, 400:500] = True
    >>> fields = posenet_fields(poses, masks=people)
    >>> PoseNetMasks().masks(fields, poses).shape
    (2, 31, 41)
    >>> masks = PoseNetMasks().masks(fields, poses, size=(641, 481))
    >>> bool((masks == people).mean() > 0.99)
    True
    """

    segment_threshold: float = score(0.5)
    max_distance: float = number(0.25, low=0, high=LONGEST, above=True)
    long_steps: int = whole(4, low=0, high=MOST_STEPS)
    refinement_steps: int = whole(2, low=0, high=MOST_STEPS)
    _is_squared: ClassVar[bool] = False
    _by_score: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check(self)

    coral = CoralMasks  #: Coral's rule: `PoseNetMasks.coral(long_steps=2)`
    tfjs = TfjsMasks  #: tfjs's

    @staticmethod
    def personlab(**changes: Any) -> "PoseNetMasks":
        """Return the paper's rule as it is: long offsets are followed once, then refined by short ones.

        `changes` are parameters of `PoseNetMasks`.
        """
        return PoseNetMasks(**{"long_steps": 0, **changes})

    def _thresholds(self) -> tuple[float, float]:
        return 0.0, -np.inf

    def _furthest(self) -> float:
        return self.max_distance

    def _short_steps(self) -> int:
        return self.refinement_steps
