"""Part affinity fields, as the rest of the library knows them."""

from bottomup.family import EXAMPLE_POSES, Family
from bottomup.paf.augment import averaged, mirrored
from bottomup.paf.best import PafDecoder
from bottomup.paf.fields import PafFields
from bottomup.paf.layers import layers
from bottomup.paf.layout import recognise
from bottomup.paf.rendering import paf_fields

__all__ = ["PAF"]


def example(quantized: bool = False) -> PafFields:
    """Return small fields of one person, for warming up."""
    return paf_fields(EXAMPLE_POSES, (128, 128), quantized=quantized)


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
