"""How good segments and long offsets are, measured by the library's own masks."""

import numpy as np

from bottomup.geometry import ImageSize, Placement
from bottomup.posenet.fields import PoseNetFields
from bottomup.posenet.masks import segment
from models.train.examples import Example


def mask_figures(fields: PoseNetFields, placement: Placement, example: Example) -> tuple[float, int, int]:
    """Return how well people are separated from the background, and from each other.

    The first figure is the intersection over union of all people's pixels. The
    other two are for pictures with two labelled people or more: of their pixels
    that the network takes for people, how many go to the right person, and how
    many there are.
    """
    if example.masks is None:
        raise ValueError("the example must have masks: render a scene")
    size = ImageSize(example.image.shape[1], example.image.shape[0])
    people = example.poses
    found = segment(fields, people, None, placement, size)
    covered = example.masks.any(axis=0)
    overlap = float((found.people & covered).sum() / max((found.people | covered).sum(), 1))
    labelled = np.flatnonzero(np.isfinite(people.xy).all(axis=2).any(axis=1))
    if len(labelled) < 2:
        return overlap, 0, 0
    shown = example.masks[labelled]
    return overlap, int((found.masks[labelled] & shown).sum()), int((shown & found.people).sum())
