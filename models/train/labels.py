"""COCO's labels as poses."""

import numpy as np
from numpy.typing import NDArray

from bottomup.geometry import ImageSize
from bottomup.poses import Poses
from bottomup.skeletons import COCO17


def as_poses(keypoints: NDArray[np.floating], size: ImageSize | None = None) -> Poses:
    """Return (M, 17, 3) keypoints with COCO's visibility as poses; parts that are not labelled are missing."""
    labelled = np.array(keypoints, np.float32)
    labelled[..., 2] = labelled[..., 2] > 0
    labelled[labelled[..., 2] == 0] = np.nan, np.nan, 0
    return Poses(labelled, np.ones(len(labelled), np.float32), COCO17, size)
