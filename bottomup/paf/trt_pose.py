"""trt_pose's rules: what `PafDecoder.trt_pose` changes.

Its thresholds, seven samples without a threshold of their own, plain mean, Hungarian matching. It has no person score:
this is OpenPose's. Parameters: NVIDIA-AI-IOT/trt_pose, commit 336b8cd.
"""

from typing import Any

from bottomup.paf.openpose import PLAIN

__all__ = ["TRT_POSE"]

TRT_POSE: dict[str, Any] = {
    **PLAIN,
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
