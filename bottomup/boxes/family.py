"""One-stage networks, as the rest of the library sees them."""

from typing import Any

import numpy as np

from bottomup.boxes.augment import average_fields, mirror_fields
from bottomup.boxes.best import BoxDecoder
from bottomup.boxes.cut import cut_heads
from bottomup.boxes.fields import BoxFields
from bottomup.boxes.layers import box_layers
from bottomup.boxes.layout import recognise
from bottomup.boxes.rendering import box_fields
from bottomup.family import Family
from bottomup.poses import Poses
from bottomup.skeletons import COCO17

__all__ = ["BOXES", "example"]

_PEOPLE = ((60.0, 40.0), (180.0, 120.0))  # where each stands, input pixels


def example(quantized: bool) -> BoxFields:
    """Return the rows of two people in an input of 320 x 320."""
    keypoints = np.ones((2, 17, 3), np.float32)
    for person, (x, y) in enumerate(_PEOPLE):
        keypoints[person, :, 0] = x + 10 * (np.arange(17) % 3)
        keypoints[person, :, 1] = y + 6 * np.arange(17)
    return box_fields(Poses(keypoints, np.ones(2, np.float32), COCO17), (320, 320), quantized=quantized)


_DECODERS: dict[str, Any] = {"best": BoxDecoder, "rtmlib": BoxDecoder.rtmlib}

BOXES = Family(
    name="boxes",
    title="YOLO-pose",
    fields=BoxFields,
    recognise=recognise,
    decoders=_DECODERS,
    decoder_types=(BoxDecoder,),
    mirrored=mirror_fields,
    averaged=average_fields,
    layers=box_layers,
    example=example,
    cut=cut_heads,
)
