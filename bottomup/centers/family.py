"""Centres and offsets, as the rest of the library knows them."""

from bottomup.centers.augment import averaged, mirrored
from bottomup.centers.best import CenterDecoder
from bottomup.centers.centernet import CenterNetDecoder
from bottomup.centers.dekr import DekrDecoder
from bottomup.centers.fields import CenterFields
from bottomup.centers.layers import layers
from bottomup.centers.layout import HEADS, is_of_head, recognise
from bottomup.centers.movenet import MoveNetDecoder
from bottomup.centers.movenet_single import MoveNetSingleDecoder
from bottomup.centers.rendering import center_fields
from bottomup.family import EXAMPLE_POSES, Cut, Family, GraphView

__all__ = ["CENTERS"]

_CHANNELS = {"center": 1, "heatmaps": 17, "regressions": 34, "offsets": 34, "box_sizes": 2, "box_offsets": 2}


def find_cut(graph: GraphView) -> Cut | None:
    """Return where to cut a MoveNet file: at the last convolution of each head, before the file's own decoder.

    MultiPose files have six heads and SinglePose files four, known by their tensors' names. Other files give None.
    """
    found: dict[str, int] = {}
    for operator in graph.operators:
        if operator.name == "CONV_2D":
            tensor = graph.tensors[operator.outputs[0]]
            for what, head in HEADS.items():
                if is_of_head(tensor.name, head) and tensor.shape[-1:] == (_CHANNELS[what],):
                    found[what] = operator.outputs[0]
    if not all(what in found for what in ("center", "heatmaps", "regressions", "offsets")):
        return None
    if ("box_sizes" in found) != ("box_offsets" in found):
        found = {what: number for what, number in found.items() if not what.startswith("box_")}
    return Cut(tuple(found.values()), tuple(found))


def example(quantized: bool = False) -> CenterFields:
    """Return small fields of one person, for warming up."""
    return center_fields(EXAMPLE_POSES, (128, 128), quantized=quantized)


CENTERS = Family(
    name="centers",
    title="MoveNet",
    fields=CenterFields,
    recognise=recognise,
    decoders={
        "best": CenterDecoder,
        "movenet": CenterDecoder.movenet,
        "movenet_single": CenterDecoder.movenet_single,
        "centernet": CenterDecoder.centernet,
        "dekr": CenterDecoder.dekr,
    },
    decoder_types=(CenterDecoder, MoveNetDecoder, MoveNetSingleDecoder, CenterNetDecoder, DekrDecoder),
    mirrored=mirrored,
    averaged=averaged,
    layers=layers,
    example=example,
    cut=find_cut,
    default_stride=4.0,
)
