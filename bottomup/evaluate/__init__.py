"""Measure poses against hand-labelled people, as COCO does, and see where they go wrong."""

from bottomup.evaluate.matching import ImageMatches, Person, match_people, similarity
from bottomup.evaluate.parts import PartErrors, part_errors
from bottomup.evaluate.photos import photo_paths, size_problem
from bottomup.evaluate.precision import KeypointAP, keypoint_ap
from bottomup.evaluate.report import contact_sheet, plot_precision_recall, worst_images

__all__ = [
    "ImageMatches",
    "KeypointAP",
    "PartErrors",
    "Person",
    "contact_sheet",
    "keypoint_ap",
    "match_people",
    "part_errors",
    "photo_paths",
    "plot_precision_recall",
    "similarity",
    "size_problem",
    "worst_images",
]
