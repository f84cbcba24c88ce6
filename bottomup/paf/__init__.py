"""Part affinity fields: heatmaps with unit vectors along limbs, as OpenPose, BodyPoseNet and trt_pose give."""

from bottomup.paf import decoder, fields, reference

__all__ = ["decoder", "fields", "reference"]
