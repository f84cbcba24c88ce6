"""Part affinity fields: heatmaps with unit vectors along limbs, as OpenPose, BodyPoseNet and trt_pose give."""
