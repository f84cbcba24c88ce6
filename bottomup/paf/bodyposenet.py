"""The rules of BodyPoseNet's post-processing in the TAO Toolkit, on the raw grid: `PafDecoder.bodyposenet`.

Its thresholds, ten samples of which nine hit, mean over hits, greedy matching, filters and person score (clipped at 0).
Parameters: NVIDIA/tao_tensorflow1_backend, `nvidia_tao_tf1/cv/bpnet`.
"""

from typing import Any

from bottomup.paf.openpose import PLAIN

__all__ = ["BODYPOSENET"]

BODYPOSENET: dict[str, Any] = {
    **PLAIN,
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
