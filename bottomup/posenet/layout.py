"""Which output of a PoseNet is what, in whatever order they come."""

from collections.abc import Mapping
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bottomup.errors import InputError, ModelError
from bottomup.geometry import ImageSize, as_size, cell_to_input
from bottomup.posenet.fields import BODY_PARTS, NUM_EDGES, NUM_PARTS, PoseNetFields
from bottomup.poses import Poses
from bottomup.skeletons import COCO17
from bottomup.tensors import FieldLike, Quantized, as_number

Shapes: TypeAlias = Mapping[str, tuple[int, ...]]


class PoseNetNames(NamedTuple):
    """Which of a PoseNet's outputs is what, by name."""

    heatmaps: str
    offsets: str
    mid_offsets: str | None  #: both displacements in one tensor, or
    displacements_fwd: str | None  #: each in its own
    displacements_bwd: str | None
    long_offsets: str | None
    segments: str | None
    part_heatmaps: str | None
    grid: tuple[int, int]  #: H and W, in cells


def read_masks(outputs: Mapping[str, FieldLike], input_size: tuple[int, int]) -> NDArray[np.bool_]:
    """Return the masks that Coral's decoder operator made, (M, H, W): one a pose that `read_outputs` returns.

    For the outputs of a `bodypix_*_decoder_edgetpu.tflite` that ran with the
    operator. It gives every cell to somebody, and its masks are right on a
    square grid of its own fixed size alone; of other inputs, take the raw
    outputs, which `bottomup.load` and `PoseNetMasks` do.

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
        raise ModelError(f"no outputs of a decoder with masks (1, N, H, W): {listed(shapes)}")
    rows, columns = shapes[masks[0]][2:]
    size = as_size(input_size)
    try:
        output_stride(size, (rows, columns))
    except InputError:
        rows = 0
    if rows != columns:
        raise ModelError(
            f"the operator's masks of {columns} x {columns} cells are wrong of inputs of {size.width} x {size.height}: "
            "load the *_decoder.tflite file with bottomup.load, or take its raw outputs, and use PoseNetMasks"
        )
    values = arrays[masks[0]]
    levels = values.dequantize() if isinstance(values, Quantized) else values
    return np.asarray(levels[0, : len(decoded_poses(arrays))] > 0.5)


def output_stride(input_size: tuple[int, int], grid: tuple[int, int]) -> int:
    """Return the input pixels per cell of a network: 8, 16 or 32.

    Sizes of whole strides plus 1 fill the grid exactly; of others, networks
    round the number of cells up or drop the rest and add 1.

    Examples
    --------
    >>> output_stride((481, 353), (23, 31)), output_stride((257, 257), (9, 9)), output_stride((512, 512), (33, 33))
    (16, 32, 16)
    """
    (width, height), (rows, columns) = input_size, grid
    for stride in (8, 16, 32):
        if all(cells in (-(-size // stride), size // stride + 1) for size, cells in ((height, rows), (width, columns))):
            return stride
    raise InputError(
        f"input_size=({width}, {height}) and a grid of {rows} x {columns} cells fit no stride of 8, 16 or 32: "
        "pass (width, height) of the network's input, or build PoseNetFields with its output_stride"
    )


def posenet_names(shapes: Shapes) -> PoseNetNames:
    """Tell a PoseNet's outputs apart, by number of channels and then by name.

    Raises
    ------
    ModelError
        If two tensors could be the same thing, with the way out.
    """
    axis = channel_axis(shapes)
    if axis is None:
        raise ModelError(f"not a PoseNet-family model: outputs {listed(shapes)}")
    of_channels: dict[int, list[str]] = {}
    for name, shape in shapes.items():
        if len(shape) in (3, 4):
            of_channels.setdefault(shape[axis], []).append(name)
    heatmaps = _only("heatmaps", _preferring(of_channels[NUM_PARTS], "heatmap"), shapes)
    short, long = _short_and_long(of_channels[2 * NUM_PARTS], shapes)
    mids = of_channels.get(4 * NUM_EDGES)
    mid = _only("mid_offsets", _preferring(mids, "mid"), shapes) if mids else None
    fwd, bwd = (None, None) if mid else _fwd_and_bwd(of_channels[2 * NUM_EDGES], shapes)
    segments = _preferring(of_channels.get(1, []), "segment")
    rows, columns = shapes[heatmaps][-3:-1] if axis == -1 else shapes[heatmaps][-2:]
    body_parts = _preferring(of_channels.get(len(BODY_PARTS), []), "part")
    segment, body_part = (names[0] if len(names) == 1 else None for names in (segments, body_parts))
    return PoseNetNames(heatmaps, short, mid, fwd, bwd, long, segment, body_part, (rows, columns))


def channel_axis(shapes: Shapes) -> int | None:
    """Return which axis holds a PoseNet's channels, last or first; None if the outputs are none's."""
    for axis in (-1, -3):
        channels = [shape[axis] for shape in shapes.values() if len(shape) in (3, 4)]
        displaced = 4 * NUM_EDGES in channels or channels.count(2 * NUM_EDGES) >= 2
        if NUM_PARTS in channels and 2 * NUM_PARTS in channels and displaced:
            return axis
    return None


def _preferring(names: list[str], word: str) -> list[str]:
    """Return the names that hold the word; all of them, if none does."""
    return [name for name in names if word in name.lower()] or names


def _only(what: str, names: list[str], shapes: Shapes) -> str:
    """Return the one name that there must be."""
    if len(names) > 1:
        raise ModelError(f"which of {listed(shapes)} is {what}? Leave out the other, or name it {what!r}")
    return names[0]


def _short_and_long(names: list[str], shapes: Shapes) -> tuple[str, str | None]:
    """Tell short from long offsets, which have the same number of channels."""
    long = [name for name in names if "long" in name.lower()]
    short = [name for name in names if name not in long]
    if not long and len(names) == 2:
        short = _preferring(names, "short")
        long = [name for name in names if name not in short]
    if len(short) != 1 or len(long) > 1:
        raise ModelError(
            f"which of {listed(shapes)} are the short offsets, which the long ones? "
            "Name them 'short_offsets' and 'long_offsets' in the dict, or use PoseNetFields.from_mid_offsets"
        )
    return short[0], long[0] if long else None


def _fwd_and_bwd(names: list[str], shapes: Shapes) -> tuple[str, str]:
    """Tell forward from backward displacements, which nothing but their names does."""
    fwd = [name for name in names if "fwd" in name.lower() or "forward" in name.lower()]
    bwd = [name for name in names if "bwd" in name.lower() or "backward" in name.lower()]
    if len(names) == 2 and len(fwd) + len(bwd) == 1:  # one says what it is, so the other is the other
        fwd = fwd or [name for name in names if name not in bwd]
        bwd = bwd or [name for name in names if name not in fwd]
    if len(fwd) != 1 or len(bwd) != 1 or fwd == bwd:
        raise ModelError(
            f"which of {listed(shapes)} leads forward, which backward? Name them "
            "'displacement_fwd' and 'displacement_bwd' in the dict, or use PoseNetFields.from_displacements"
        )
    return fwd[0], bwd[0]


def posenet_fields(
    arrays: Mapping[str, NDArray[Any] | Quantized], shapes: Shapes, input_size: ImageSize, logits: bool | None
) -> PoseNetFields:
    """Build the fields of a PoseNet's outputs."""
    names = posenet_names(shapes)
    stride = output_stride(input_size, names.grid)
    heatmaps, offsets = arrays[names.heatmaps], arrays[names.offsets]
    rest: dict[str, Any] = {
        "output_stride": stride,
        "logits": not _within_0_and_1(heatmaps) if logits is None else logits,
        "long_offsets": arrays[names.long_offsets] if names.long_offsets else None,
        "segments": arrays[names.segments] if names.segments else None,
        "part_heatmaps": arrays[names.part_heatmaps] if names.part_heatmaps else None,
    }
    if names.mid_offsets:
        return PoseNetFields.from_mid_offsets(heatmaps, offsets, arrays[names.mid_offsets], **rest)
    fwd, bwd = arrays[str(names.displacements_fwd)], arrays[str(names.displacements_bwd)]
    return PoseNetFields.from_displacements(heatmaps, offsets, fwd, bwd, **rest)


def _within_0_and_1(heatmaps: NDArray[Any] | Quantized) -> bool:
    """Tell scores from logits, which are far below 0 wherever there is nobody."""
    if isinstance(heatmaps, Quantized):
        limits = np.iinfo(heatmaps.values.dtype)
        lowest, highest = ((level - heatmaps.zero_point) * heatmaps.scale for level in (limits.min, limits.max))
        return bool(lowest >= 0 and highest <= 1 + heatmaps.scale)
    return bool(heatmaps.size and heatmaps.min() >= 0 and heatmaps.max() <= 1)


def decoded_names(shapes: Shapes) -> tuple[str, str, str, str] | None:
    """Return the names of poses, keypoint scores, pose scores and count, if these are they."""
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
    names = decoded_names({name: values.shape for name, values in arrays.items()})
    assert names is not None
    yx, keypoint_scores, scores, count = (
        values.dequantize() if isinstance(values, Quantized) else values for values in (arrays[name] for name in names)
    )
    number = as_number(count, "count")
    if not (np.isfinite(number) and number >= 0):
        raise ModelError(f"the model says that it found {number} poses: it did not run")
    found = slice(0, round(number))
    keypoints = np.concatenate([cell_to_input(yx[0, found], 1), keypoint_scores[0, found, :, None]], axis=2)
    keypoints[~np.isfinite(keypoints).all(axis=2)] = np.nan, np.nan, 0
    return Poses(keypoints, scores[0, found], COCO17)


def listed(shapes: Shapes) -> str:
    """Return names and shapes, for messages."""
    return ", ".join(f"{name!r} {tuple(shape)}" for name, shape in shapes.items()) or "none"
