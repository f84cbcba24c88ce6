"""Loops of the PoseNet decoders."""
