"""PoseNet and PersonLab: heatmaps with short-range offsets and mid-range displacements."""
