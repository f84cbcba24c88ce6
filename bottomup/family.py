"""What a family of networks is to the rest of the library: how it is recognised, read, decoded, mirrored and shown.

Each family says so in its own `family.py`; `families.FAMILIES` lists them all.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np

from bottomup.errors import InputError
from bottomup.geometry import ImageSize
from bottomup.layers import Layers
from bottomup.poses import Poses
from bottomup.skeletons import COCO17, Skeleton
from bottomup.tensors import FieldLike, TensorInfo

__all__ = [
    "EXAMPLE_POSES",
    "Clues",
    "Cut",
    "Decoder",
    "Family",
    "GraphView",
    "Layout",
    "Operator",
    "Pixels",
    "no_cut",
    "refuse_missing",
]

_UPRIGHT = (
    (64, 20), (68, 17), (60, 17), (72, 19), (56, 19), (78, 36), (50, 36), (84, 54), (44, 54), (86, 70), (42, 70),
    (72, 72), (56, 72), (74, 92), (54, 92), (75, 112), (53, 112),
)  # fmt: skip
#: One person standing upright in an input of 128 x 128, with COCO's 17 parts: families warm up on them.
EXAMPLE_POSES = Poses(np.array([[(x, y, 1) for x, y in _UPRIGHT]], np.float32), np.ones(1, np.float32), COCO17)


class Decoder(Protocol):
    """Whatever turns fields into poses."""

    def decode(self, fields: Any) -> Poses:
        """Return the poses, in input pixels."""


class Clues(NamedTuple):
    """What is known of a network when it is loaded, before it sees an image."""

    outputs: tuple[TensorInfo, ...]  #: in the network's order; names as the caller's `outputs=` has put them right
    input_size: ImageSize | None = None  #: of the network's input, where it is known
    output_stride: float | None = None  #: input pixels per cell, where the user says so; else the input size tells
    skeleton: Skeleton | None = None  #: the user's or the card's; None where the tensors are to tell
    logits: bool | None = None  #: whether heatmaps are logits, where the user, a card or the graph says so
    cell_shift: Callable[[str, ImageSize], tuple[float, float] | None] | None = None
    #: x and y, in input pixels, of the middle of an output's first cell at an input size; None where no graph tells
    options: Mapping[str, Any] = {}  #: what a decoder inside the file was set to, as its `Cut` says
    producers: Mapping[str, str] = {}  #: output -> name of the operator that computes it, as "LOGISTIC"
    values: Mapping[str, FieldLike] | None = None  #: the tensors, where they are at hand in place of a network

    def shift_from(self, usual: ImageSize, output: str, input_size: ImageSize) -> tuple[float, float]:
        """Return how far an output's cells lie from where they are at the `usual` input size; 0 if no graph tells."""
        if self.cell_shift is None:
            return (0.0, 0.0)
        here, there = self.cell_shift(output, input_size), self.cell_shift(output, usual)
        if here is None or there is None:
            return (0.0, 0.0)
        return (here[0] - there[0], here[1] - there[1])

    def whole_steps(self, size: ImageSize, step: int) -> ImageSize:
        """Return the size of whole steps nearest to `size`, at least one; plus 1 where the network's own is so.

        Such networks come from TensorFlow, where that lets cells of all strides share the first pixel; strides go up to
        16 in them, whatever that of the outputs is.
        """
        own = self.input_size
        beyond = int(own is not None and all(side % step == 1 for side in own))
        if own is not None and all(side % 16 == 1 for side in own):
            step = max(step, 16)
        return ImageSize(*(max(int((side - beyond) / step + 0.5), 1) * step + beyond for side in size))


def refuse_missing(names: Iterable[str], outputs: Mapping[str, FieldLike]) -> None:
    """Refuse a network's outputs if one of these names is not among them."""
    for name in names:
        if name not in outputs:
            raise InputError(f"output {name!r} is missing, got {', '.join(map(repr, outputs)) or 'none'}")


class Pixels(NamedTuple):
    """How networks of a kind take images: real = pixel * scale + shift, channel by channel."""

    channel_order: Literal["rgb", "bgr"] = "rgb"
    scale: float = 1 / 127.5
    shift: tuple[float, float, float] = (-1.0, -1.0, -1.0)
    pad_value: int = 128  #: grey level around an image that keeps its aspect


class Layout(Protocol):
    """What the outputs of one network are: found once, when it is loaded, and kept."""

    @property
    def skeleton(self) -> Skeleton:
        """Names the parts."""

    @property
    def output_stride(self) -> float | None:
        """Input pixels per cell; None where the network gives no grid."""

    @property
    def pixels(self) -> Pixels | None:
        """How such networks take images; None where the file or its card is to tell."""

    def read(self, outputs: Mapping[str, FieldLike], input_size: ImageSize | None) -> Any:
        """Return the fields of one image's outputs, or Poses where the network decoded them itself.

        `input_size` is that of this image's input, which need not be the one in the clues; None where raw tensors
        come with their `output_stride` alone.
        """

    def legal_size(self, size: ImageSize) -> ImageSize:
        """Return the input size nearest to `size` that networks of this family take."""

    def best_decoder(self) -> Decoder | None:
        """Return our best decoder for this network; None where it decodes by itself."""

    def file_decoder(self) -> Decoder | None:
        """Return the decoder that the file asks for, None where it asks for none."""


class Operator(NamedTuple):
    """One operator of a model file."""

    name: str  #: the schema's, as "CONV_2D", or a custom operator's own
    inputs: tuple[int, ...]  #: numbers of tensors; -1 where one is left out
    outputs: tuple[int, ...]
    options: bytes  #: of a custom operator


class GraphView(Protocol):
    """A model file's operators and tensors, as far as a family looks at them to find where to cut."""

    @property
    def operators(self) -> Sequence[Operator]:
        """In the order in which they run."""

    @property
    def tensors(self) -> Sequence[TensorInfo]:
        """By number."""

    @property
    def inputs(self) -> tuple[int, ...]:
        """Numbers of the tensors that the graph takes."""

    @property
    def outputs(self) -> tuple[int, ...]:
        """Numbers of the tensors that the graph gives."""


class Cut(NamedTuple):
    """Where a model file ends for us: before its own decoder, or its own 8-bit arithmetic."""

    outputs: tuple[int, ...]  #: numbers of the tensors that become the graph's outputs
    names: tuple[str, ...] | None = None  #: what to call them; None keeps the tensors' names
    options: Mapping[str, Any] = {}  #: what the decoder that was cut off was set to
    is_needed: bool = False  #: whether no runtime runs what is cut off; else `decoder="file"` keeps the graph whole


def no_cut(graph: GraphView) -> Cut | None:
    """Leave a graph whole."""


@dataclass(frozen=True)
class Family:
    """One family of networks.

    Attributes
    ----------
    name : str
        As cards and `family=` say it: "posenet".
    title : str
        As messages say it: "PoseNet".
    fields : type
        Of its canonical fields.
    recognise : callable
        From `Clues` to a `Layout`; None where the outputs are no such network's. Raises `ModelError` where they are,
        but leave a question open, with the way out.
    decoders : dict of str to callable
        What makes each decoder, by the name that cards and the command line use; "best" first. Each takes that
        decoder's parameters by name.
    decoder_types : tuple of type
        Classes of these decoders: by them a decoder that a user passes finds its family.
    mirrored : callable, optional
        From fields and the input's size to the fields that the network sees in the mirrored input. None where
        `averaged` is.
    averaged : callable, optional
        From several fields of one grid to their mean. None where fields have none: poses are merged instead.
    layers : callable
        From fields and a decoder to what `inspect` shows.
    example : callable
        From `quantized` to small fields of known people: for warming up.
    cut : callable
        From a `GraphView` to where a model file is cut, None where it stays whole.
    threshold : str
        The decoders' parameter that the command line's --score-threshold sets.
    default_stride : float, optional
        Input pixels per cell of most such networks, for raw tensors of which nobody says it.
    segment : callable, optional
        From fields, poses, a rule or None, placement and image size to masks. None where such networks give none.
    """

    name: str
    title: str
    fields: type[Any]
    recognise: Callable[[Clues], Layout | None]
    decoders: Mapping[str, Callable[..., Decoder]]
    decoder_types: tuple[type[Any], ...]
    mirrored: Callable[[Any, ImageSize], Any] | None
    averaged: Callable[[Sequence[Any]], Any] | None
    layers: Callable[[Any, Any], Layers]
    example: Callable[[bool], Any]
    cut: Callable[[GraphView], Cut | None] = field(default=no_cut)
    threshold: str = "score_threshold"
    default_stride: float | None = None
    segment: Callable[..., Any] | None = None
