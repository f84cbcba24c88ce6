"""Coral's PosenetDecoderOp inside a model file: cut it off, or read its answers if a delegate ran it."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bottomup.errors import InputError, ModelError
from bottomup.family import Cut, GraphView
from bottomup.geometry import as_size, cell_to_input
from bottomup.posenet.fields import NUM_PARTS
from bottomup.posenet.names import Shapes, listed, output_stride
from bottomup.poses import Poses
from bottomup.skeletons import COCO17
from bottomup.tensors import FieldLike, Quantized, as_number

__all__ = ["DECODER_OP", "coral_cut", "decoded_names", "decoded_poses", "read_masks"]

DECODER_OP = "PosenetDecoderOp"


def coral_cut(graph: GraphView) -> Cut | None:
    """Cut a file before its `PosenetDecoderOp`; the operator's inputs, the network's raw outputs, become the graph's.

    Outputs that do not come from the operator stay.

    Raises
    ------
    ModelError
        If the graph uses the operator's poses further on, holds nothing but the operator, or its options are damaged.
    """
    decoders = [operator for operator in graph.operators if operator.name == DECODER_OP]
    if not decoders:
        return None
    decoder = decoders[0]
    read = {number for operator in graph.operators for number in operator.inputs}
    if len(decoders) > 1 or set(decoder.outputs) & read:
        raise ModelError(f"it uses the poses of its {DECODER_OP}: only an operator at the end can be cut off")
    if set(decoder.inputs) & set(graph.inputs):
        raise ModelError("it is a decoder without a network: load the *_quant_decoder.tflite file, which holds both")
    rest = tuple(number for number in graph.outputs if number not in {*decoder.outputs, *decoder.inputs})
    return Cut((*decoder.inputs, *rest), options=_options(decoder.options), is_needed=True)


def _options(packed: bytes) -> dict[str, Any]:
    """Read the operator's options, a flexbuffer map, under the names that `CoralDecoder` and fields have for them."""
    from flatbuffers import flexbuffers

    try:
        options = flexbuffers.Loads(packed)
        found = {
            "output_stride": int(options["stride"]),
            "max_poses": int(options["max_detections"]),
            "score_threshold": float(options["score_threshold"]),
            "nms_radius": float(options["nms_radius"]),
        }
    except Exception as error:  # flexbuffers does not check what it reads
        raise ModelError(f"the options of its {DECODER_OP} cannot be read, the file is damaged: {error!r}") from error
    sane = 1 <= found["output_stride"] <= 64 and 1 <= found["max_poses"] <= 10_000
    if not (sane and 0 <= found["score_threshold"] <= 1 and 0 <= found["nms_radius"] <= 10_000):
        raise ModelError(f"the options of its {DECODER_OP} are out of range, the file is damaged: {found}")
    return found


def decoded_names(shapes: Shapes) -> tuple[str, str, str, str] | None:
    """Return the names of poses, keypoint scores, pose scores and count; None if these are other outputs."""
    poses = [name for name, shape in shapes.items() if len(shape) == 4 and (shape[0], *shape[2:]) == (1, NUM_PARTS, 2)]
    if len(poses) != 1:
        return None
    most = shapes[poses[0]][1]
    found = [poses[0]]
    for wanted in ({(1, most, NUM_PARTS)}, {(1, most)}, {(), (1,)}):
        fitting = [name for name, shape in shapes.items() if shape in wanted]
        if len(fitting) != 1:
            return None
        found += fitting
    return found[0], found[1], found[2], found[3]


def decoded_poses(arrays: Mapping[str, NDArray[Any] | Quantized]) -> Poses:
    """Build the poses that a decoder inside the model found; rows beyond its count were never written."""
    shapes = {name: values.shape for name, values in arrays.items()}
    names = decoded_names(shapes)
    if names is None:
        raise ModelError(f"outputs must be poses, keypoint scores, pose scores and their count, got {listed(shapes)}")
    yx, keypoint_scores, scores, count = (
        values.dequantize() if isinstance(values, Quantized) else values for values in (arrays[name] for name in names)
    )
    number = as_number(count, "count")
    if not (np.isfinite(number) and number >= 0):
        raise ModelError(f"the model counts {number} poses: its decoder did not run")
    found = slice(0, round(number))
    keypoints = np.concatenate([cell_to_input(yx[0, found], 1), keypoint_scores[0, found, :, None]], axis=2)
    keypoints[~np.isfinite(keypoints).all(axis=2)] = np.nan, np.nan, 0
    return Poses(keypoints, scores[0, found], COCO17)


def read_masks(outputs: Mapping[str, FieldLike], input_size: tuple[int, int]) -> NDArray[np.bool_]:
    """Return the masks that Coral's decoder operator made, (M, H, W): one per pose that `read_outputs` returns.

    For the outputs of a `bodypix_*_decoder_edgetpu.tflite` that ran with the
    operator. The operator gives every cell to somebody, and its masks are only
    right on a square grid of its own fixed size; for other inputs, use the raw
    outputs, as `bottomup.load` and `PoseNetMasks` do.

    Parameters
    ----------
    outputs : dict of str to array or Quantized
        One image's outputs, by tensor name: poses (1, N, 17, 2), keypoint
        scores (1, N, 17), pose scores (1, N), their count, and masks (1, N, H, W).
    input_size : (int, int)
        Width and height of the network's input, in pixels.

    Raises
    ------
    ModelError
        If these are not such outputs, or the masks' grid is not the network's.

    Examples
    --------
    >>> shapes = {"poses": (1, 5, 17, 2), "keypoints": (1, 5, 17), "scores": (1, 5), "masks": (1, 5, 33, 33)}
    >>> outputs = {"count": np.float32(2)} | {name: np.zeros(shape) for name, shape in shapes.items()}
    >>> read_masks(outputs, input_size=(512, 512)).shape
    (2, 33, 33)
    """
    if not isinstance(outputs, Mapping):
        raise InputError(f"outputs must be a dict of tensor names to arrays, got {type(outputs).__name__}")
    arrays = {name: values if isinstance(values, Quantized) else np.asarray(values) for name, values in outputs.items()}
    shapes = {name: values.shape for name, values in arrays.items()}
    names = decoded_names(shapes)
    most = shapes[names[0]][1] if names else 0
    masks = [
        name
        for name, shape in shapes.items()
        if len(shape) == 4 and shape[:2] == (1, most) and name not in (names or ())
    ]
    if names is None or len(masks) != 1:
        raise ModelError(f"outputs must be those of a decoder with masks (1, N, H, W), got {listed(shapes)}")
    rows, columns = shapes[masks[0]][2:]
    size = as_size(input_size)
    is_right = rows == columns
    try:
        output_stride(size, (rows, columns))
    except InputError:
        is_right = False
    if not is_right:
        raise ModelError(
            f"the operator's masks of {columns} x {rows} cells are wrong for inputs of {size.width} x {size.height}: "
            "load the *_decoder.tflite file with bottomup.load, or take its raw outputs, and use PoseNetMasks"
        )
    values = arrays[masks[0]]
    levels = values.dequantize() if isinstance(values, Quantized) else values
    return np.asarray(levels[0, : len(decoded_poses(arrays))] > 0.5)
