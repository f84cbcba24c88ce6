"""PoseNet and PersonLab: heatmaps with short-range offsets and mid-range displacements."""

from bottomup.posenet import decoder, fields, flavours, reference

__all__ = ["decoder", "fields", "flavours", "reference"]
