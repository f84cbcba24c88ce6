"""Skeletons, masks and parts of the body drawn onto images."""

from bottomup.draw.blurring import blur_people
from bottomup.draw.masks import draw_masks, draw_parts
from bottomup.draw.skeletons import draw_poses
from bottomup.draw.trails import Trails

__all__ = ["Trails", "blur_people", "draw_masks", "draw_parts", "draw_poses"]
