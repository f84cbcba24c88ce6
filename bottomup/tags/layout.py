"""Which output is what, of networks of associative embedding: OMZ 0005-0007, HigherHRNet, mmpose."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from bottomup.errors import InputError, ModelError
from bottomup.family import Clues, Pixels, refuse_missing
from bottomup.geometry import ImageSize
from bottomup.skeletons import COCO17, Skeleton
from bottomup.tags.best import TagDecoder
from bottomup.tags.fields import TagFields
from bottomup.tensors import FieldLike

__all__ = ["TagLayout", "recognise"]

#: How tensors hold heatmaps and tags: one each; both in one; both in one and finer heatmaps in another.
Form = Literal["apart", "in one", "two sizes"]

_HEAT = re.compile(r"heat|confidence|score", re.IGNORECASE)
_TAGS = re.compile(r"tag|embed|associative", re.IGNORECASE)
_BOTH = re.compile(r"tag|embed|associative|higher_?hr", re.IGNORECASE)
_STRIDES = (1, 2, 4, 8, 16)
_STEP = 32  # what sides of inputs are multiples of


@dataclass(frozen=True)
class TagLayout:
    """Where heatmaps and tags are among a network's outputs.

    Attributes
    ----------
    form : str
        "apart", "in one" or "two sizes".
    heatmaps, tags : str
        Names of outputs. In one, both are the same; of two sizes, `heatmaps` are the finer ones and `tags` holds the
        coarse ones and the tags.
    skeleton : Skeleton
        Names the parts.
    negated : bool
        Whether suppressed cells of heatmaps have a minus sign.
    input_size : ImageSize, optional
        Of the network when it was recognised.
    output_stride : float, optional
        Input pixels per cell of the finest heatmaps; None where no input size tells.
    clues : Clues
        Whose `cell_shift` says where cells lie.
    """

    form: Form
    heatmaps: str
    tags: str
    skeleton: Skeleton
    negated: bool
    input_size: ImageSize | None
    output_stride: float | None
    clues: Clues

    @property
    def pixels(self) -> Pixels | None:
        """How such networks take images: OMZ's as they are, BGR; None of others, where file or card is to tell."""
        return Pixels("bgr", 1.0, (0.0, 0.0, 0.0), 0) if _is_omz(self.heatmaps, self.tags) else None

    def read(self, outputs: Mapping[str, FieldLike], input_size: ImageSize | None) -> TagFields:
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
        refuse_missing((self.heatmaps, self.tags), outputs)
        heatmaps, tags = outputs[self.heatmaps], outputs[self.tags]
        shift = (0.0, 0.0) if input_size is None else self._shift(input_size)
        fields: TagFields
        if self.form == "two sizes":
            fields = TagFields.from_two_sizes(tags, heatmaps, skeleton=self.skeleton, shift=shift)
        elif self.form == "in one":
            fields = TagFields.from_concatenated(tags, skeleton=self.skeleton, shift=shift)
        else:
            fields = TagFields(heatmaps, tags, skeleton=self.skeleton, negated=self.negated, shift=shift)
        return fields.with_stride(self._stride_of(input_size, fields.grid))

    def legal_size(self, size: ImageSize) -> ImageSize:
        """Return the nearest input size that such networks take: its own, or whole 32s, plus 1 if its own are."""
        return size if size == self.input_size else self.clues.whole_steps(size, _STEP)

    def best_decoder(self) -> TagDecoder:
        """Return our best decoder for this network."""
        return TagDecoder()

    def file_decoder(self) -> None:
        """Return None: such files ask for no decoder."""

    def _stride_of(self, input_size: ImageSize | None, grid: tuple[int, int]) -> float:
        """Return the input pixels per cell of maps of an input."""
        if self.clues.output_stride is not None:
            return self.clues.output_stride
        if input_size is None:
            raise InputError("output_stride must be given where input_size is not: 2 or 4 of most such networks")
        stride = _stride(input_size, grid)
        if stride is None:
            raise InputError(
                f"input_size=({input_size.width}, {input_size.height}) and a grid of {grid[0]} x {grid[1]} cells fit "
                "no stride of 1, 2, 4, 8 or 16: pass (width, height) of the network's input, or build TagFields with "
                "its output_stride"
            )
        return stride

    def _shift(self, input_size: ImageSize) -> tuple[float, float]:
        """Return how far cells lie from where they lie in an input of whole steps, which networks are trained on."""
        return self.clues.shift_from(self.clues.whole_steps(input_size, _STEP), self.heatmaps, input_size)


def recognise(clues: Clues) -> TagLayout | None:
    """Tell heatmaps and tags apart by names and numbers of channels; None where the outputs are another network's.

    Two outputs of N channels are heatmaps and tags, if a name tells which; of 2N, and N on a grid twice as fine,
    HigherHRNet's; one of 2N both, if its name says that it holds tags. `nms_heatmaps`, which older files of OMZ give
    besides, are not needed.

    Raises
    ------
    ModelError
        If outputs have the shapes of heatmaps and tags, but no name tells which is which.
    """
    skeleton = clues.skeleton or COCO17
    num_parts = len(skeleton.parts)
    channels = _channels(clues, num_parts)
    singles = [name for name, (count, _) in channels.items() if count == num_parts]
    doubles = [name for name, (count, _) in channels.items() if count == 2 * num_parts]
    grids = {name: grid for name, (_, grid) in channels.items()}
    if len(channels) == len(clues.outputs) == 2 and len(singles) == len(doubles) == 1:
        [fine], [coarse] = singles, doubles
        if all(0 < 2 * small == large for small, large in zip(grids[coarse], grids[fine], strict=True)):
            return _layout("two sizes", fine, coarse, skeleton, False, clues, grids[fine])
    tags = [name for name in singles + doubles if _TAGS.search(name) and not _HEAT.search(name)]
    heat = [name for name in singles if _HEAT.search(name) and not _TAGS.search(name)]
    plain = [name for name in heat if "nms" not in name.lower()]
    if len(tags) == 1 and len(plain) == 1 and grids[tags[0]] == grids[plain[0]]:
        negated = _is_omz(plain[0], tags[0]) and heat == plain
        return _layout("apart", plain[0], tags[0], skeleton, negated, clues, grids[plain[0]])
    if len(clues.outputs) == 1 and len(doubles) == 1:
        [both] = doubles
        if _BOTH.search(both):
            return _layout("in one", both, both, skeleton, False, clues, grids[both])
        raise ModelError(
            f"output {both!r} has {2 * num_parts} channels, which may be {num_parts} heatmaps and {num_parts} tags of "
            f"associative embedding: if so, pass outputs={{{both!r}: 'heatmaps_and_tags'}}"
        )
    if len(clues.outputs) == 2 and len(singles) == 2 and grids[singles[0]] == grids[singles[1]]:
        if len(tags) == 1:
            [other] = [name for name in singles if name != tags[0]]
            return _layout("apart", other, tags[0], skeleton, False, clues, grids[other])
        raise ModelError(
            f"outputs {singles[0]!r} and {singles[1]!r} have {num_parts} channels each, as heatmaps and tags of "
            f"associative embedding: pass outputs={{{singles[0]!r}: 'heatmaps', {singles[1]!r}: 'tags'}}, or the other "
            "way round"
        )
    return None


def _is_omz(heatmaps: str, tags: str) -> bool:
    """Tell Open Model Zoo's networks by their names."""
    return heatmaps.lower().startswith("heatmaps") and tags.lower().startswith("embeddings")


def _channels(clues: Clues, num_parts: int) -> dict[str, tuple[int, tuple[int, int]]]:
    """Return the number of channels and the grid of each output that may be a map."""
    for axis in (0, 2):
        found = {}
        for output in clues.outputs:
            shape = output.shape
            if len(shape) == 5 and shape[0] in (1, -1) and shape[4] == 1:
                shape = shape[:4]
            shape = shape[1:] if len(shape) == 4 and shape[0] in (1, -1) else shape
            if len(shape) == 3 and shape[axis] in (num_parts, 2 * num_parts):
                grid = shape[1:] if axis == 0 else shape[:2]
                found[output.name] = (shape[axis], (grid[0], grid[1]))
        if found:
            return found
    return {}


def _layout(
    form: Form, heatmaps: str, tags: str, skeleton: Skeleton, negated: bool, clues: Clues, grid: tuple[int, int]
) -> TagLayout:
    stride = clues.output_stride
    if stride is None and clues.input_size is not None:
        stride = _stride(clues.input_size, grid)
    return TagLayout(form, heatmaps, tags, skeleton, negated, clues.input_size, stride, clues)


def _stride(input_size: ImageSize, grid: tuple[int, int]) -> float | None:
    """Return the stride that brings an input to a grid, None if none of those known does."""
    strides = (
        stride for stride in _STRIDES if (-(-input_size.height // stride), -(-input_size.width // stride)) == grid
    )
    return next(strides, None)
