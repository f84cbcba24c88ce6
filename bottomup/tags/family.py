"""Associative embedding, as the rest of the library knows it."""

import numpy as np

from bottomup.family import Family
from bottomup.poses import Poses
from bottomup.skeletons import COCO17
from bottomup.tags.augment import averaged, mirrored
from bottomup.tags.best import TagDecoder
from bottomup.tags.fields import TagFields
from bottomup.tags.higherhrnet import HigherHrnetDecoder
from bottomup.tags.layers import layers
from bottomup.tags.layout import recognise
from bottomup.tags.mmpose import MmposeTagDecoder
from bottomup.tags.omz import OmzTagDecoder
from bottomup.tags.rendering import tag_fields

__all__ = ["TAGS"]

#: x and y of somebody upright, of COCO's 17 parts, in an input of 128 x 128.
_SOMEBODY = (
    (64, 20), (68, 17), (60, 17), (72, 19), (56, 19), (78, 36), (50, 36), (84, 54), (44, 54), (86, 70), (42, 70),
    (72, 72), (56, 72), (74, 92), (54, 92), (75, 112), (53, 112),
)  # fmt: skip


def example(quantized: bool = False) -> TagFields:
    """Return small fields of one person, for warming up."""
    keypoints = np.array([[(x, y, 1) for x, y in _SOMEBODY]], np.float32)
    return tag_fields(Poses(keypoints, np.ones(1, np.float32), COCO17), (128, 128), quantized=quantized)


TAGS = Family(
    name="tags",
    title="associative embedding",
    fields=TagFields,
    recognise=recognise,
    decoders={
        "best": TagDecoder,
        "omz": TagDecoder.omz,
        "mmpose": TagDecoder.mmpose,
        "higherhrnet": TagDecoder.higherhrnet,
    },
    decoder_types=(TagDecoder, OmzTagDecoder, MmposeTagDecoder, HigherHrnetDecoder),
    mirrored=mirrored,
    averaged=averaged,
    layers=layers,
    example=example,
    default_stride=4.0,
)
