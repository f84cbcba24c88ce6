"""Part affinity fields, as the rest of the library knows them."""

import numpy as np

from bottomup.family import Family
from bottomup.paf.augment import averaged, mirrored
from bottomup.paf.best import PafDecoder
from bottomup.paf.fields import PafFields
from bottomup.paf.layers import layers
from bottomup.paf.layout import recognise
from bottomup.paf.rendering import paf_fields
from bottomup.poses import Poses
from bottomup.skeletons import OPENPOSE18

__all__ = ["PAF"]

#: x and y of somebody upright, of OpenPose's 18 parts, in an input of 128 x 128.
_SOMEBODY = (
    (64, 20), (64, 36), (50, 36), (44, 54), (42, 70), (78, 36), (84, 54), (86, 70), (56, 72), (54, 92), (53, 112),
    (72, 72), (74, 92), (75, 112), (60, 17), (68, 17), (56, 19), (72, 19),
)  # fmt: skip


def example(quantized: bool = False) -> PafFields:
    """Return small fields of one person, for warming up."""
    keypoints = np.array([[(x, y, 1) for x, y in _SOMEBODY]], np.float32)
    return paf_fields(Poses(keypoints, np.ones(1, np.float32), OPENPOSE18), (128, 128), quantized=quantized)


PAF = Family(
    name="paf",
    title="part affinity fields",
    fields=PafFields,
    recognise=recognise,
    decoders={
        "best": PafDecoder,
        "strict": PafDecoder.strict,
        "openpose": PafDecoder.openpose,
        "bodyposenet": PafDecoder.bodyposenet,
        "trt_pose": PafDecoder.trt_pose,
    },
    decoder_types=(PafDecoder,),
    mirrored=mirrored,
    averaged=averaged,
    layers=layers,
    example=example,
    threshold="peak_threshold",
    default_stride=8.0,
)
