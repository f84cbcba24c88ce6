"""What a crop network returns: heatmaps and volumes, their layouts, their soft-argmax."""
