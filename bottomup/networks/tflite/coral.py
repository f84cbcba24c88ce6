"""Coral's decoder operator taken out, where no family says where to cut."""

from typing import Any

from bottomup.errors import ModelError
from bottomup.family import Cut, GraphView

DECODER_OP = "PosenetDecoderOp"


def coral_cut(graph: GraphView) -> Cut | None:
    """Cut before `PosenetDecoderOp`; its inputs, which are the network's raw outputs, become the graph's."""
    decoders = [operator for operator in graph.operators if operator.name == DECODER_OP]
    if not decoders:
        return None
    decoder = decoders[0]
    read = {number for operator in graph.operators for number in operator.inputs}
    if len(decoders) > 1 or set(decoder.outputs) & read:
        raise ModelError(f"it computes on with the poses of its {DECODER_OP}: only one at the end can be taken out")
    if set(decoder.inputs) & set(graph.inputs):
        raise ModelError("it is a decoder without a network: load the *_quant_decoder.tflite file, which holds both")
    rest = tuple(number for number in graph.outputs if number not in {*decoder.outputs, *decoder.inputs})
    return Cut((*decoder.inputs, *rest), options=_options(decoder.options), is_needed=True)


def _options(packed: bytes) -> dict[str, Any]:
    """Read the operator's options, a flexbuffer map."""
    from flatbuffers import flexbuffers

    try:
        options = flexbuffers.Loads(packed)
        found = {
            "output_stride": int(options["stride"]),
            "max_poses": int(options["max_detections"]),
            "score_threshold": float(options["score_threshold"]),
            "nms_radius": float(options["nms_radius"]),
        }
    except Exception as error:  # flexbuffers checks nothing of what it reads
        raise ModelError(f"the options of its {DECODER_OP} cannot be read, it is damaged: {error!r}") from error
    sane = 1 <= found["output_stride"] <= 64 and 1 <= found["max_poses"] <= 10_000
    if not (sane and 0 <= found["score_threshold"] <= 1 and 0 <= found["nms_radius"] <= 10_000):
        raise ModelError(f"the options of its {DECODER_OP} cannot be, it is damaged: {found}")
    return found
