"""PoseNet, as the rest of the library knows it."""

from collections.abc import Sequence
from functools import partial

import numpy as np

from bottomup.family import EXAMPLE_POSES, Family
from bottomup.geometry import ImageSize
from bottomup.posenet.augment import average_fields, mirror_fields
from bottomup.posenet.best import PoseNetDecoder
from bottomup.posenet.coral import CoralDecoder
from bottomup.posenet.fields import PoseNetFields
from bottomup.posenet.layers import posenet_layers
from bottomup.posenet.layout import recognise
from bottomup.posenet.masks import segment
from bottomup.posenet.operator import coral_cut
from bottomup.posenet.personlab import PersonLabDecoder
from bottomup.posenet.rendering import posenet_fields
from bottomup.posenet.tfjs import TfjsDecoder

__all__ = ["POSENET"]


def mirrored(fields: PoseNetFields, input_size: ImageSize) -> PoseNetFields:
    """Return the fields that the network sees in the mirrored input."""
    return mirror_fields(fields, input_size[0])


def averaged(fields: Sequence[PoseNetFields]) -> PoseNetFields:
    """Return the mean of several fields of one grid."""
    return average_fields(*fields)


def example(quantized: bool = False) -> PoseNetFields:
    """Return small fields of one person, segments and parts of the body included, for warming up."""
    return posenet_fields(
        EXAMPLE_POSES,
        (129, 129),
        quantized=quantized,
        masks=np.ones((1, 129, 129), np.bool_),
        body_parts=np.zeros((129, 129), np.int64),
    )


POSENET = Family(
    name="posenet",
    title="PoseNet",
    fields=PoseNetFields,
    recognise=recognise,
    decoders={
        "best": PoseNetDecoder,
        "coral": CoralDecoder,
        "tfjs": TfjsDecoder,
        "tfjs_single": partial(TfjsDecoder, max_poses=1),
        "personlab": PersonLabDecoder,
    },
    decoder_types=(PoseNetDecoder, CoralDecoder, TfjsDecoder, PersonLabDecoder),
    mirrored=mirrored,
    averaged=averaged,
    layers=posenet_layers,
    example=example,
    cut=coral_cut,
    segment=segment,
    default_stride=16.0,
)
