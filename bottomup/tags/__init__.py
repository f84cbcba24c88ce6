"""Associative embedding: heatmaps with tags that tell people apart, as HigherHRNet, mmpose and OMZ 0005-0007 give."""
