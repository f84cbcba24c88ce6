"""Recognise the outputs of a PoseNet once, when it is loaded, and read those of each image."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bottomup.errors import InputError
from bottomup.family import Clues, Pixels
from bottomup.geometry import ImageSize
from bottomup.posenet.best import PoseNetDecoder
from bottomup.posenet.coral import CoralDecoder
from bottomup.posenet.fields import PoseNetFields
from bottomup.posenet.names import PoseNetNames, channel_axis, output_stride, posenet_names
from bottomup.posenet.operator import decoded_names, decoded_poses
from bottomup.posenet.operator import read_masks as read_masks
from bottomup.posenet.trees import tree_of
from bottomup.poses import Poses
from bottomup.skeletons import COCO17, Skeleton
from bottomup.tensors import FieldLike, Quantized, TensorInfo

__all__ = ["OperatorLayout", "PoseNetLayout", "read_masks", "recognise"]


@dataclass(frozen=True)
class PoseNetLayout:
    """Which of a network's outputs is what, and what their numbers mean.

    Attributes
    ----------
    names : PoseNetNames
        Of the outputs.
    skeleton : Skeleton
        Names the parts. COCO's 17, unless a network was trained on others.
    output_stride : float, optional
        Input pixels per cell; None if neither the user nor the sizes give it.
    logits : bool
        Whether heatmaps hold logits.
    clues : Clues
        What was known about the network.
    """

    names: PoseNetNames
    skeleton: Skeleton
    output_stride: float | None
    logits: bool
    clues: Clues

    @property
    def pixels(self) -> Pixels | None:
        """None, for networks differ: some take [-1, 1], tfjs's ResNet takes pixels minus their mean."""
        return None

    def read(self, outputs: Mapping[str, FieldLike], input_size: ImageSize | None) -> PoseNetFields:
        """Return the fields of one image's outputs.

        Parameters
        ----------
        outputs : mapping of str to array or Quantized
            By name, as the network gives them.
        input_size : ImageSize, optional
            Of the network's input. Default: unknown, which is enough if the stride is known.

        Raises
        ------
        InputError
            If an output is missing, a tensor does not fit, or the stride is unknown.
        """
        names = self.names
        found: dict[str, Any] = {}
        for what, name in names._asdict().items():
            if what != "grid" and name is not None:
                if name not in outputs:
                    raise InputError(f"output {name!r} is missing, got {', '.join(map(repr, outputs)) or 'none'}")
                found[what] = outputs[name]
        heatmaps, offsets = found.pop("heatmaps"), found.pop("offsets")
        rest: dict[str, Any] = {"logits": self.logits, "skeleton": self.skeleton}
        shape = heatmaps.values.shape if isinstance(heatmaps, Quantized) else np.shape(heatmaps)
        rest["output_stride"] = self._stride(input_size, shape)
        if input_size is not None and self.clues.cell_shift is not None:
            shift = self.clues.cell_shift(names.heatmaps, input_size)
            rest["shift"] = (0.0, 0.0) if shift is None else shift
        if names.mid_offsets is not None:
            return PoseNetFields.from_mid_offsets(heatmaps, offsets, found.pop("mid_offsets"), **found, **rest)
        fwd, bwd = found.pop("displacements_fwd"), found.pop("displacements_bwd")
        return PoseNetFields.from_displacements(heatmaps, offsets, fwd, bwd, **found, **rest)

    def legal_size(self, size: ImageSize) -> ImageSize:
        """Return `size` if it is the network's own, else cut it down to whole strides plus 1, as tfjs does."""
        if size == self.clues.input_size:
            return size
        stride = int(self.output_stride or 16)
        return ImageSize(*(max((side - 1 if side % stride == 1 else side) // stride, 1) * stride + 1 for side in size))

    def best_decoder(self) -> PoseNetDecoder:
        """Return our best decoder for this network."""
        return PoseNetDecoder()

    def file_decoder(self) -> CoralDecoder | None:
        """Return Coral's decoder with the options of the one in the file; None if the file has none."""
        options = {name: self.clues.options.get(name) for name in ("max_poses", "score_threshold", "nms_radius")}
        return None if None in options.values() else CoralDecoder(**options)  # type: ignore[arg-type]

    def _stride(self, input_size: ImageSize | None, shape: tuple[int, ...]) -> float:
        """Return the input pixels per cell of heatmaps of this shape."""
        if self.clues.output_stride is not None:
            return self.clues.output_stride
        if input_size is None:
            if self.output_stride is None:
                raise InputError(
                    "output_stride must be given where input_size is not: 16 for most PoseNets, 8 or 32 for some"
                )
            return self.output_stride
        is_last = len(shape) >= 3 and shape[-1] == len(self.skeleton.parts)
        rows, columns = shape[-3:-1] if is_last else shape[-2:]
        return output_stride(input_size, (rows, columns))


@dataclass(frozen=True)
class OperatorLayout:
    """The answers of Coral's PosenetDecoderOp, if a delegate runs it: poses, keypoint scores, scores and count."""

    clues: Clues
    skeleton: Skeleton = COCO17
    output_stride: None = None
    pixels: Pixels | None = None

    def read(self, outputs: Mapping[str, FieldLike], input_size: ImageSize | None) -> Poses:
        """Return the poses; rows beyond their count were never written."""
        return decoded_poses(
            {name: values if isinstance(values, Quantized) else np.asarray(values) for name, values in outputs.items()}
        )

    def legal_size(self, size: ImageSize) -> ImageSize:
        """Return the size that the network has: the operator is compiled for it."""
        return self.clues.input_size or size

    def best_decoder(self) -> None:
        """Return None: the network decodes by itself."""

    def file_decoder(self) -> None:
        """Return None: the network decodes by itself."""


def recognise(clues: Clues) -> PoseNetLayout | OperatorLayout | None:
    """Tell a PoseNet's outputs apart by number of channels, then by name; return None for other networks.

    Whether heatmaps hold logits or scores is decided here, once: by the clues, by the operator that computes them, by
    levels that cover [0, 1] and no more, or, without a network, by values that stay within [0, 1]. Without any such
    sign they hold logits.

    Raises
    ------
    ModelError
        If two outputs could be the same thing; the message says what to do.
    InputError
        If the skeleton's edges are not a tree, or the input's size does not fit the grid.
    """
    shapes = {output.name: output.shape for output in clues.outputs}
    if decoded_names(shapes) is not None:
        return OperatorLayout(clues)
    skeleton = COCO17 if clues.skeleton is None else clues.skeleton
    num_parts = len(skeleton.parts)
    if channel_axis(shapes, num_parts, num_parts - 1) is None:
        return None
    tree_of(skeleton)
    names = posenet_names(shapes, num_parts, num_parts - 1)
    stride = clues.output_stride
    if stride is None and clues.input_size is not None and min(names.grid) > 0:
        stride = output_stride(clues.input_size, names.grid)
    if stride is None and clues.values is not None:
        stride = _measured_stride(clues.values, names)
    heatmaps = next(output for output in clues.outputs if output.name == names.heatmaps)
    return PoseNetLayout(names, skeleton, stride, _are_logits(clues, heatmaps), clues)


def _are_logits(clues: Clues, heatmaps: TensorInfo) -> bool:
    """Tell logits from scores by the first clue there is."""
    if clues.logits is not None:
        return bool(clues.logits)
    if clues.producers.get(heatmaps.name, "").lower() in ("logistic", "sigmoid"):
        return False
    if heatmaps.scale > 0 and heatmaps.dtype in (np.uint8, np.int8):
        return not _levels_within_0_and_1(heatmaps.dtype, heatmaps.scale, heatmaps.zero_point)
    if clues.values is not None and heatmaps.name in clues.values:
        values = clues.values[heatmaps.name]
        return not _within_0_and_1(values if isinstance(values, Quantized) else np.asarray(values))
    return True


def _within_0_and_1(heatmaps: NDArray[Any] | Quantized) -> bool:
    """Tell scores from logits, which are far below 0 wherever there is nobody."""
    if isinstance(heatmaps, Quantized):
        return _levels_within_0_and_1(heatmaps.values.dtype, heatmaps.scale, heatmaps.zero_point)
    return bool(heatmaps.size and heatmaps.min() >= 0 and heatmaps.max() <= 1)


def _levels_within_0_and_1(dtype: np.dtype[Any], scale: float, zero_point: int) -> bool:
    limits = np.iinfo(dtype)
    lowest, highest = ((level - zero_point) * scale for level in (limits.min, limits.max))
    return bool(lowest >= 0 and highest <= 1 + scale)


def _measured_stride(values: Mapping[str, FieldLike], names: PoseNetNames) -> float | None:
    """Measure the stride from short offsets, whose way to a part changes by it from cell to cell; None if unclear.

    Only pairs of cells count that are both among the highest of their heatmap; the median of at least 8 must be within
    a tenth of a power of two.
    """
    heatmaps, offsets = (_as_grid(values[name]) for name in (names.heatmaps, names.offsets))
    if offsets.shape[2] != 2 * heatmaps.shape[2]:
        heatmaps, offsets = (np.moveaxis(field, 0, 2) for field in (heatmaps, offsets))
    parts = heatmaps.shape[2]
    if not (min(heatmaps.shape[:2], default=0) > 1 and np.isfinite(heatmaps).all() and np.isfinite(offsets).all()):
        return None
    peaks = heatmaps.max(axis=(0, 1))
    near = heatmaps > peaks - 0.25 * (peaks - np.median(heatmaps, axis=(0, 1)))
    steps = np.concatenate(
        [
            (offsets[:-1, :, :parts] - offsets[1:, :, :parts])[near[:-1] & near[1:]],
            (offsets[:, :-1, parts:] - offsets[:, 1:, parts:])[near[:, :-1] & near[:, 1:]],
        ]
    )
    if len(steps) < 8:
        return None
    measured = float(np.median(steps))
    stride = 2.0 ** round(np.log2(measured)) if measured > 0.5 else 0.0
    return stride if abs(measured - stride) < 0.1 * stride else None


def _as_grid(values: FieldLike) -> NDArray[Any]:
    """Return the real numbers of one image's tensor, three axes."""
    array = values.dequantize() if isinstance(values, Quantized) else np.asarray(values, np.float64)
    return array.reshape(array.shape[-3:])
