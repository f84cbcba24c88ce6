"""DEKR's decoder, as its own code and mmpose run it."""

from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, NamedTuple

import numpy as np

from bottomup.batch import BatchDecoder
from bottomup.centers.fields import CenterFields
from bottomup.centers.running import above_element, as_center_fields, run
from bottomup.parameters import check, choice, number, score, whole
from bottomup.poses import Poses

__all__ = ["DekrDecoder", "Rules", "window_radius"]

_LARGE, _LARGER = 200, 300  # cells, mean of both sides; DEKR's own code uses wider windows above these


class Rules(NamedTuple):
    """What the kernel takes besides fields and workspace."""

    most: int
    lowest: Any  #: centres are above this element
    radius: int
    nearness: np.float32
    is_official: bool


@dataclass(frozen=True)
class DekrDecoder(BatchDecoder[CenterFields]):
    """Decode as DEKR does: parts lie where the centres point, without refinement.

    Candidates are the best peaks of the centre map. A part's score is the centre's times its heatmap's there. If more
    than half of the parts of several candidates lie near each other, the best candidate stays. Make it with
    `CenterDecoder.dekr()`.

    Attributes
    ----------
    flavour : {"mmpose", "official"}
        mmpose looks for peaks in 5 x 5 cells, reads heatmaps between cells (half a cell off) and groups the best
        candidates first. DEKR's own code looks in 3 x 3, 5 x 5 or 7 x 7 cells, depending on the size of the grid,
        reads the cell above and to the left, and groups in the order of centres.
    max_poses : int
        Maximum number of candidates; 30 in both. At most 1000.
    score_threshold : float
        Score, in [0, 1], that a candidate's centre must be above.
    nearness : float
        How close two parts are that count as near, as a share of a pose's diagonal.

    References
    ----------
    Geng et al., "Bottom-Up Human Pose Estimation via Disentangled Keypoint Regression", CVPR 2021. arXiv:2104.02300
    HRNet/DEKR, commit 7a30313; open-mmlab/mmpose, codecs/spr.py and evaluation/functional/nms.py, commit 759b39c.
    """

    flavour: Literal["mmpose", "official"] = choice("mmpose", "official")
    max_poses: int = whole(30, high=1000)
    score_threshold: float = score(0.01)
    nearness: float = number(0.05, low=0, high=1)

    def __post_init__(self) -> None:
        check(self)

    def decode(self, fields: CenterFields) -> Poses:
        """Return the people of one image, in input pixels.

        Parameters
        ----------
        fields : CenterFields
            One image's network outputs, as `CenterFields.from_dekr` makes them.

        Returns
        -------
        Poses
            At most `max_poses`, in the order of the original: mmpose sorts by the mean of the heatmaps at the parts,
            DEKR's own code by centre. A pose's score is the mean of its keypoints'.

        Raises
        ------
        InputError
            If `fields` is not a CenterFields.
        """
        fields = as_center_fields(fields)
        lowest = above_element(fields, "center", self.score_threshold)
        if lowest is None:
            return Poses.empty(fields.skeleton)
        is_official = self.flavour == "official"
        most = min(self.max_poses, fields.grid[0] * fields.grid[1])
        radius = window_radius(fields.grid) if is_official else 2
        rules = Rules(most, lowest, radius, np.float32(self.nearness), is_official)
        return run(_kernel(), fields, most, tuple(rules))


def window_radius(grid: tuple[int, int]) -> int:
    """Return the half-width of the window in which DEKR's own code compares centres."""
    side = (grid[0] + grid[1]) / 2
    return 1 + (side > _LARGE) + (side > _LARGER)


@cache
def _kernel() -> Any:
    """Return the loops; numba is imported here, on first use."""
    from bottomup.centers.kernels.dekr import decode_dekr

    return decode_dekr
