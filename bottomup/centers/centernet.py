"""CenterNet's decoder of poses."""

from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bottomup.batch import BatchDecoder
from bottomup.centers.fields import CenterFields
from bottomup.centers.running import above_element, as_center_fields, run, with_boxes
from bottomup.parameters import check, number, score, whole
from bottomup.poses import Poses

__all__ = ["CenterNetDecoder", "Rules"]


class Rules(NamedTuple):
    """What the kernel takes besides fields and workspace."""

    most: int
    lowest: Any  #: centres are above this element
    lowest_part: Any  #: peaks of parts are above this one
    reach: np.float32
    tops: NDArray[np.int64]  #: (N, P) room for the best cells of each part
    top_counts: NDArray[np.int64]  #: (N,)


@dataclass(frozen=True)
class CenterNetDecoder(BatchDecoder[CenterFields]):
    """Decode as CenterNet's multi-pose decoder does.

    People are the best peaks of the centre map. A part is the peak of its heatmap nearest to where the centre points,
    if that peak is in the person's box and near enough; otherwise the part is where the centre points. There is no NMS
    beyond the 3 x 3 cells of a peak. Make it with `CenterDecoder.centernet()`.

    Attributes
    ----------
    max_poses : int
        Maximum number of people, and of peaks of each part; K = 100 upstream. At most 1000.
    score_threshold : float
        Score, in [0, 1], that a centre must be above. Upstream keeps all 100, and draws those above 0.3.
    peak_threshold : float
        Score that a part's peak must be above.
    reach : float
        How near a peak must be, as a share of the box's longer side.

    References
    ----------
    Zhou et al., "Objects as Points", 2019, section 5. arXiv:1904.07850
    xingyizhou/CenterNet, `models/decode.py`, multi_pose_decode; hailo_model_zoo, centerpose_postprocessing.py.
    """

    max_poses: int = whole(100, high=1000)
    score_threshold: float = score(0.3)
    peak_threshold: float = score(0.1)
    reach: float = number(0.3, low=0)

    def __post_init__(self) -> None:
        check(self)

    def decode(self, fields: CenterFields) -> Poses:
        """Return the people of one image, in input pixels, best centre first.

        Parameters
        ----------
        fields : CenterFields
            One image's network outputs with boxes; CenterNet's have x before y, and one offset for all parts.

        Returns
        -------
        Poses
            With boxes. A pose's score is its centre's; a keypoint's is its peak's, or that of the cell that the centre
            points to, which is 0 outside the grid.

        Raises
        ------
        InputError
            If `fields` is not a CenterFields, or has no boxes.
        """
        fields = with_boxes(as_center_fields(fields), "CenterNet's decoder")
        lowest = above_element(fields, "center", self.score_threshold)
        if lowest is None:
            return Poses.empty(fields.skeleton)
        lowest_part = above_element(fields, "heatmaps", self.peak_threshold)
        num_parts = len(fields.skeleton.parts)
        most = min(self.max_poses, fields.grid[0] * fields.grid[1])
        rules = Rules(
            most=most,
            lowest=lowest,
            lowest_part=255 if lowest_part is None else lowest_part,
            reach=np.float32(self.reach),
            tops=np.empty((num_parts, most), np.int64),
            top_counts=np.empty(num_parts, np.int64),
        )
        return run(_kernel(), fields, most, fields.boxes, tuple(rules), has_boxes=True)


@cache
def _kernel() -> Any:
    """Return the loops; numba is imported here, on first use."""
    from bottomup.centers.kernels.centernet import decode_centernet

    return decode_centernet
