"""What a crop network gives: heatmaps and volumes, their layouts, their soft-argmax."""
