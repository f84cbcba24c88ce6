"""Associative embedding, as the rest of the library knows it."""

from bottomup.family import EXAMPLE_POSES, Family
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


def example(quantized: bool = False) -> TagFields:
    """Return small fields of one person, for warming up."""
    return tag_fields(EXAMPLE_POSES, (128, 128), quantized=quantized)


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
