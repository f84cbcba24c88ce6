"""What the inspect page is made of, and the poses at every step of its sliders."""

import dataclasses
import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

from numpy.typing import NDArray

from bottomup.poses import Poses
from bottomup.skeletons import Skeleton

__all__ = ["Layers", "VectorField", "Words", "sample_decodes"]


class VectorField(NamedTuple):
    """Arrows, one a cell."""

    name: str
    vectors: NDArray[Any]  #: (H, W, 2): x and y
    origin: tuple[float, float]  #: x and y of the first cell's middle, input pixels
    pitch: tuple[float, float]  #: input pixels from cell to cell, across and down
    length: float  #: input pixels that a vector of length 1 is drawn as
    gate: int | None  #: number of the map that says where the arrows mean anything


class Words(NamedTuple):
    """What the page says about a family's layers and rules, in one sentence each.

    In `near`, the page puts numbers and names in place of {measure}, {limit}, {who} and {part}.
    """

    maps: str
    peaks: str
    links: str
    vectors: str = ""
    threshold: str = "score_threshold"  #: the parameter that a candidate's score is compared with
    is_above: bool = False  #: whether a score equal to the threshold is too low
    limit: str = ""  #: the parameter that drops a candidate near a better person
    near: str = ""  #: how it does
    otherwise: str = ""  #: why a candidate may be nobody if none of the rules above dropped it


class Layers(NamedTuple):
    """Everything that a page shows over the photo; positions in input pixels.

    A candidate stands for a whole person (posenet, centers, boxes), with a trace to each part, or for one part (paf,
    tags).
    """

    family: str
    skeleton: Skeleton
    maps: dict[str, NDArray[Any]]  #: (H, W) scores each
    map_origin: tuple[float, float]
    map_pitch: tuple[float, float]
    vectors: list[VectorField]
    peaks: list[Any]  #: candidates: part, x, y, score; the part is -1 if a candidate is the middle of a person
    traces: list[Any]  #: of each candidate that stands for a person: steps of part, x, y, x, y ...
    limbs: list[Any]  #: of candidates that stand for a part: edge, number of the parent's, of the child's, score
    settings: dict[str, tuple[float, ...]]  #: parameter -> its steps
    decodes: dict[tuple[float, ...], Poses]  #: steps of each parameter -> poses
    words: Words
    boxes: Sequence[Any] = ()  #: of each candidate, if the network gives boxes: left, top, right, bottom
    rivals: Sequence[Any] = ()  #: candidate, a better one, and how alike they are by the rule of `words.limit`
    tags: Sequence[Any] = ()  #: of each candidate, if the network gives tags: its tag
    note: str = ""  #: where candidates follow another decoder's rules than the poses do


def sample_decodes(
    decoder: Any, fields: Any, sliders: dict[str, tuple[float, ...]]
) -> tuple[dict[str, tuple[float, ...]], dict[tuple[float, ...], Poses]]:
    """Return the steps of those parameters that the decoder has, its own among them, and its poses at each."""
    known = {field.name for field in dataclasses.fields(decoder)} if dataclasses.is_dataclass(decoder) else set()
    settings = {
        name: tuple(sorted({*steps, float(getattr(decoder, name))})) for name, steps in sliders.items() if name in known
    }
    decodes = {}
    for chosen in itertools.product(*settings.values()):
        changed = dataclasses.replace(decoder, **dict(zip(settings, chosen, strict=True))) if settings else decoder
        decodes[chosen] = changed.decode(fields)
    return settings, decodes
