"""Which output is what, of networks of part affinity fields: OpenPose, tf-pose, lightweight-openpose and their kin."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bottomup.errors import InputError, ModelError
from bottomup.family import Clues, Pixels
from bottomup.geometry import ImageSize
from bottomup.paf.best import PafDecoder
from bottomup.paf.fields import PafFields, num_paf_channels_of
from bottomup.paf.names import PafNames as PafNames
from bottomup.paf.names import paf_fields as paf_fields
from bottomup.paf.names import paf_names as paf_names
from bottomup.paf.names import paf_stride as paf_stride
from bottomup.skeletons import BODY25, BODYPOSE18, MPI15, OPENPOSE18, TRTPOSE18, Skeleton
from bottomup.tensors import FieldLike, Quantized

__all__ = ["PafLayout", "recognise"]

#: What tf-pose's networks need, in input pixels: measured on photos of COCO.
TF_POSE_SHIFT = -0.16
#: Skeletons that public networks have; which one, their numbers of channels tell.
_SKELETONS = (OPENPOSE18, BODY25, MPI15, TRTPOSE18)
_IN_ONE = (OPENPOSE18, BODY25, MPI15)  # whose networks may give one tensor with heatmaps first
_STRIDES = (8, 4, 16, 2, 1, 32)  # the usual one first: a small grid may fit several
_WHOLE = {4: 32}  # stride of the maps -> what sides are multiples of, where these differ: trt_pose enlarges eightfold
_PAF_NAME = re.compile(r"pafs?(?![a-z])|vectmap|affinity", re.IGNORECASE)


@dataclass(frozen=True)
class PafLayout:
    """Where heatmaps and fields are among a network's outputs.

    Attributes
    ----------
    heatmaps, pafs : str
        Names of outputs; the same where one tensor holds both, heatmaps first.
    skeleton : Skeleton
        Names the parts and edges.
    num_heatmaps : int
        Channels of the heatmaps, background included.
    channels_first : bool
        Whether channels come before rows.
    is_bodyposenet : bool
        Whether fields are labelled at the corners of cells, as TAO's are.
    input_size : ImageSize, optional
        Of the network when it was recognised.
    output_stride : float, optional
        Input pixels per cell of the heatmaps; None where no input size tells.
    clues : Clues
        Whose `cell_shift` says where cells lie.
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
        """How such networks take images; None where the file or its card is to tell."""
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
            Of the input that they are of. Default: the clues' `output_stride` says it all.

        Raises
        ------
        InputError
            If an output is missing, or its shape is another than the input's size says.
        """
        for name in (self.heatmaps, self.pafs):
            if name not in outputs:
                raise InputError(f"output {name!r} is missing, got {', '.join(map(repr, outputs)) or 'none'}")
        heatmaps, pafs = (self._channels_last(outputs[name], name) for name in (self.heatmaps, self.pafs))
        grid = (_shape(heatmaps)[0], _shape(heatmaps)[1])
        stride = self._stride_of(input_size, grid)
        shift = (0.0, 0.0) if input_size is None else self._shift(input_size)
        num_pafs = num_paf_channels_of(self.skeleton)
        if self.heatmaps == self.pafs:
            parts = len(self.skeleton.parts)
            if not self.channels_first and grid[0] not in (parts + num_pafs, parts + 1 + num_pafs):
                return PafFields.from_concatenated(heatmaps, skeleton=self.skeleton, output_stride=stride, shift=shift)
            heatmaps, pafs = _channels(heatmaps, slice(-num_pafs)), _channels(pafs, slice(-num_pafs, None))
        paf_shift = (stride - 1) / 2 / stride if self.is_bodyposenet else 0.0
        return PafFields(heatmaps, pafs, self.skeleton, stride, paf_shift=paf_shift, shift=shift)

    def legal_size(self, size: ImageSize) -> ImageSize:
        """Return the input size nearest to `size` that such networks take: whole strides, or the file's own."""
        if size == self.input_size:
            return size
        return _whole(size, self.output_stride or 8)

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
            raise InputError("output_stride must be given where input_size is not: 8 of most such networks")
        return stride_of(input_size, grid)

    def _shift(self, input_size: ImageSize) -> tuple[float, float]:
        """Return how far cells lie from where they lie in an input of whole strides, which networks are trained on."""
        if self.clues.cell_shift is None:
            return (0.0, 0.0)
        here = self.clues.cell_shift(self.heatmaps, input_size)
        usual = self.clues.cell_shift(self.heatmaps, _whole(input_size, self.output_stride or 8))
        return (here[0] - usual[0], here[1] - usual[1])

    def _channels_last(self, values: FieldLike, name: str) -> FieldLike:
        """Return one image's tensor as (H, W, C)."""
        array = values.values if isinstance(values, Quantized) else np.asarray(values)
        if array.ndim == 4 and array.shape[0] == 1:
            array = array[0]
        if array.ndim != 3:
            raise InputError(f"output {name!r} must be one image's tensor of three axes, got shape {array.shape}")
        turned = np.moveaxis(array, 0, 2) if self.channels_first else array
        return Quantized(turned, values.scale, values.zero_point) if isinstance(values, Quantized) else turned


class _Candidate(NamedTuple):
    """One way to read outputs."""

    heatmaps: str
    pafs: str
    skeleton: Skeleton
    num_heatmaps: int
    channels_first: bool
    grid: tuple[int, int]  #: H and W of the heatmaps; -1 where a side is left open
    paf_grid: tuple[int, int]


def recognise(clues: Clues) -> PafLayout | None:
    """Tell heatmaps and PAFs apart by their numbers of channels; None where the outputs are another network's.

    Of networks that give every stage's maps, the last stage is taken: numbers in names count as numbers, capitals as
    small letters. Where a side of the grid is as long as some network has channels, the layout whose grid fits the
    input's size counts, or the one whose two grids agree.

    Raises
    ------
    ModelError
        If outputs are named as part affinity fields are, but heatmaps are missing or the skeleton is unknown.
    """
    images = {
        output.name: output.shape[-3:]
        for output in clues.outputs
        if len(output.shape) == 3 or (len(output.shape) == 4 and output.shape[0] in (1, -1))
    }
    skeletons = _SKELETONS if clues.skeleton is None else _with_edges(clues.skeleton)
    found = _fitting(images, skeletons, None if clues.output_stride is not None else clues.input_size)
    if found is None:
        _explain(images, clues)
        return None
    is_taos = found.paf_grid == (4 * found.grid[0], 4 * found.grid[1]) or "heatmap_out" in found.heatmaps.lower()
    is_bodyposenet = found.skeleton == OPENPOSE18 and found.heatmaps != found.pafs and is_taos
    stride = clues.output_stride
    if stride is None and clues.input_size is not None:
        stride = _stride(clues.input_size, found.grid)
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


def stride_of(input_size: tuple[int, int], grid: tuple[int, int]) -> int:
    """Return the input pixels per cell of maps of an input: 8 or 4 mostly; less where maps were enlarged.

    Examples
    --------
    >>> stride_of((432, 368), (46, 54)), stride_of((224, 224), (56, 56))
    (8, 4)
    """
    stride = _stride(input_size, grid)
    if stride is None:
        (width, height), (rows, columns) = input_size, grid
        raise InputError(
            f"input_size=({width}, {height}) and a grid of {rows} x {columns} cells fit no stride of 1, 2, 4, 8, 16 or "
            "32: pass (width, height) of the network's input, or build PafFields with its output_stride"
        )
    return stride


def _stride(input_size: tuple[int, int], grid: tuple[int, int]) -> int | None:
    """Return the stride that brings an input to a grid, None if none of those known does."""
    (width, height), (rows, columns) = input_size, grid
    fitting = (each for each in _STRIDES if -(-width // each) == columns and -(-height // each) == rows)
    return next(fitting, None)


def _whole(size: ImageSize, stride: float) -> ImageSize:
    """Return the size in whole strides nearest to a size, at least one."""
    step = _WHOLE.get(int(stride), max(int(stride), 8))
    return ImageSize(*(max(int(side / step + 0.5), 1) * step for side in size))


def _fitting(
    images: Mapping[str, tuple[int, ...]], skeletons: Sequence[Skeleton], input_size: ImageSize | None
) -> _Candidate | None:
    """Return the one way to read the outputs that fits them best."""
    names = sorted(images, key=_natural)
    candidates: list[_Candidate] = []
    for channels_first in (False, True):
        for skeleton in skeletons:
            num_pafs, num_parts = num_paf_channels_of(skeleton), len(skeleton.parts)
            for num_heatmaps in (num_parts + 1, num_parts):
                heat, pafs = (
                    [name for name in names if _of_image(images[name], channels_first)[2] == channels]
                    for channels in (num_heatmaps, num_pafs)
                )
                pairs = [(one, other) for one in heat for other in pafs if one != other]
                if pairs:
                    candidates.append(_candidate(*pairs[-1], skeleton, num_heatmaps, channels_first, images))
    for channels_first in (False, True):
        for skeleton in [each for each in skeletons if each in _IN_ONE or skeletons is not _SKELETONS]:
            num_pafs, num_parts = num_paf_channels_of(skeleton), len(skeleton.parts)
            for num_heatmaps in (num_parts + 1, num_parts):
                both = [name for name in names if _of_image(images[name], channels_first)[2] == num_heatmaps + num_pafs]
                if both:
                    candidates.append(_candidate(both[-1], both[-1], skeleton, num_heatmaps, channels_first, images))
    candidates = [each for each in candidates if _agree(each.grid, each.paf_grid) and not _is_odd(each, images)]
    if input_size is not None:
        sure = [each for each in candidates if -1 not in each.grid and _stride(input_size, each.grid) is not None]
        # A grid of about the input's aspect is refused when it is read, with what to do.
        candidates = sure or [each for each in candidates if _is_near(input_size, each.grid)]
    return candidates[0] if candidates else None


def _candidate(
    heatmaps: str,
    pafs: str,
    skeleton: Skeleton,
    num_heatmaps: int,
    channels_first: bool,
    images: Mapping[str, tuple[int, ...]],
) -> _Candidate:
    """Return one way to read the two outputs of those names."""
    grid, paf_grid = (_of_image(images[name], channels_first)[:2] for name in (heatmaps, pafs))
    return _Candidate(heatmaps, pafs, skeleton, num_heatmaps, channels_first, grid, paf_grid)


def _is_odd(candidate: _Candidate, images: Mapping[str, tuple[int, ...]]) -> bool:
    """Tell whether other outputs, or a name, speak against a layout."""
    shapes = [_of_image(shape, candidate.channels_first) for shape in images.values()]
    if candidate.heatmaps != candidate.pafs:  # a PoseNet's displacements are as many as fields; it has offsets besides
        return (*candidate.grid, 2 * len(candidate.skeleton.parts)) in shapes
    turned = _of_image(images[candidate.pafs], not candidate.channels_first)[2]
    is_pafs_alone = turned in map(num_paf_channels_of, _SKELETONS) and _PAF_NAME.search(candidate.pafs)
    return bool(is_pafs_alone) or not all(_agree(candidate.grid, shape[:2]) for shape in shapes)


def _of_image(shape: tuple[int, ...], channels_first: bool) -> tuple[int, int, int]:
    """Return H, W and C of a shape of three axes."""
    return (shape[1], shape[2], shape[0]) if channels_first else (shape[0], shape[1], shape[2])


def _agree(grid: tuple[int, int], paf_grid: tuple[int, int]) -> bool:
    """Tell whether two grids may be of one picture: the same aspect, to a cell of the coarser; open sides may be."""
    if -1 in (*grid, *paf_grid):
        return True
    if 0 in (*grid, *paf_grid):
        return grid == paf_grid
    down, across = paf_grid[0] / grid[0], paf_grid[1] / grid[1]
    return abs(down - across) * min(grid) <= max(down, across, 1)


def _is_near(input_size: ImageSize, grid: tuple[int, int]) -> bool:
    """Tell whether a grid has an input's aspect, to a fifth."""
    if min(grid) < 1:
        return -1 in grid
    ratio = input_size.width * grid[0] / (input_size.height * grid[1])
    return 0.8 < ratio < 1.25


def _with_edges(skeleton: Skeleton) -> tuple[Skeleton, ...]:
    """Return the user's skeleton alone, if fields can lie along its edges."""
    return (skeleton,) if skeleton.edges else ()


def _explain(images: Mapping[str, tuple[int, ...]], clues: Clues) -> None:
    """Refuse outputs that are named as part affinity fields are, but cannot be read."""
    named = [name for name in images if _PAF_NAME.search(name)]
    if not named:
        return
    name = sorted(named, key=_natural)[-1]
    shape = images[name]
    channels_first = _is_channels_first(shape, clues.input_size)
    num_pafs = _of_image(shape, channels_first)[2]
    others = {
        other: _of_image(images[other], channels_first)
        for other in images
        if other not in named
        and _agree(_of_image(images[other], channels_first)[:2], _of_image(shape, channels_first)[:2])
    }
    if not others:
        raise ModelError(f"output {name!r} {shape} holds part affinity fields, but heatmaps are missing: pass both")
    heat = sorted(others, key=_natural)[-1]
    if clues.skeleton is None:
        raise ModelError(
            f"unknown skeleton ({others[heat][2]} parts, {num_pafs} PAF channels) of outputs {heat!r} and {name!r}: "
            "pass skeleton="
        )
    wanted = len(clues.skeleton.parts)
    raise ModelError(
        f"skeleton {clues.skeleton.name!r} needs {wanted} heatmaps ({wanted + 1} with background) and "
        f"{2 * len(clues.skeleton.edges)} PAF channels, got {others[heat][2]} of {heat!r} and {num_pafs} of {name!r}: "
        "pass the network's own"
    )


def _is_channels_first(shape: tuple[int, ...], input_size: ImageSize | None) -> bool:
    """Tell where the channels of a tensor of unknown numbers are: where the rest fits the input, or is the squarer."""
    if input_size is not None:
        for channels_first in (True, False):
            height, width, _ = _of_image(shape, channels_first)
            if _stride(input_size, (height, width)) is not None:
                return channels_first
    return shape[0] < shape[2]


def _shape(values: FieldLike) -> tuple[int, ...]:
    return values.values.shape if isinstance(values, Quantized) else np.shape(values)


def _channels(values: FieldLike, channels: slice) -> FieldLike:
    """Return some channels of a tensor, a view."""
    if isinstance(values, Quantized):
        return Quantized(values.values[..., channels], values.scale, values.zero_point)
    array: NDArray[np.float32] = np.asarray(values)
    return array[..., channels]


def _natural(name: str) -> list[tuple[int, str]]:
    """Return what names sort by: numbers as numbers, capitals as small letters."""
    pieces = re.split(r"(\d+)", name.casefold())
    return [(int(piece), "") if piece.isdecimal() else (-1, piece) for piece in pieces]
