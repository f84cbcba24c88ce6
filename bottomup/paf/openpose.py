"""OpenPose's rules, on the raw grid: what `PafDecoder.openpose` changes.

Its thresholds, ratio of hits, mean over hits, rescue of joints that coincide, greedy matching, filters and person
score. Parameters: CMU OpenPose, commit 5c5d965.
"""

from typing import Any

__all__ = ["OPENPOSE", "PLAIN"]

#: What no other system does, left out.
PLAIN: dict[str, Any] = {"fill": False, "matching": "greedy", "max_overlap": 1.0, "usual_length": 0.0}

OPENPOSE: dict[str, Any] = {
    **PLAIN,
    "limb_ratio": 0.95,
    "limb_score": "hits",
    "max_samples": 25,
    "touching": 0.3,
    "min_mean_score": 0.4,
    "ranking": "mean",
}
