"""Whose pixel is it: masks of the people found, and the part of the body that each pixel shows.

Rules are frozen dataclasses: `PoseNetMasks()` is our own, PersonLab's with
more steps; `.personlab()`, `.coral()` and `.tfjs()` are those systems'. All
decide at the cells of the grid. Between cells, person logits are bilinear, and
so is each pose's distance over the cells on people, capped at the rule's
largest: the nearest pose gets the pixel, or nobody where nobody's cells prevail.
"""

from bottomup.posenet.masks.best import PoseNetMasks as PoseNetMasks
from bottomup.posenet.masks.coral import CoralMasks as CoralMasks
from bottomup.posenet.masks.pixels import Size as Size
from bottomup.posenet.masks.rule import MaskRule as MaskRule
from bottomup.posenet.masks.segmentation import Segmentation as Segmentation
from bottomup.posenet.masks.segmentation import Segmenting as Segmenting
from bottomup.posenet.masks.segmentation import segment as segment
from bottomup.posenet.masks.tfjs import TfjsMasks as TfjsMasks

__all__ = ["CoralMasks", "MaskRule", "PoseNetMasks", "Segmentation", "Segmenting", "TfjsMasks", "segment"]
