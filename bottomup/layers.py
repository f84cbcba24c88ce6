"""What a page is made of, and the poses at every step of its sliders."""

import dataclasses
import itertools
from typing import Any, NamedTuple

from numpy.typing import NDArray

from bottomup.poses import Poses
from bottomup.skeletons import Skeleton

__all__ = ["Layers", "VectorField", "sample_decodes"]


class VectorField(NamedTuple):
    """Arrows, one a cell."""

    name: str
    vectors: NDArray[Any]  #: (H, W, 2): x and y
    origin: tuple[float, float]  #: x and y of the first cell's middle, input pixels
    pitch: tuple[float, float]  #: input pixels from cell to cell, across and down
    length: float  #: input pixels that a vector of length 1 is drawn as
    gate: int | None  #: number of the map that says where the arrows mean anything


class Layers(NamedTuple):
    """Everything that a page shows over the photo; positions in input pixels."""

    family: str
    skeleton: Skeleton
    maps: dict[str, NDArray[Any]]  #: (H, W) scores each
    map_origin: tuple[float, float]
    map_pitch: tuple[float, float]
    vectors: list[VectorField]
    peaks: list[Any]  #: part, x, y, score
    traces: list[Any]  #: of each peak of a PoseNet: steps of part, x, y, x, y ...
    limbs: list[Any]  #: of part affinity fields: edge, number of the parent's peak, of the child's, score
    settings: dict[str, tuple[float, ...]]  #: parameter -> its steps
    decodes: dict[tuple[float, ...], Poses]  #: steps of each parameter -> poses


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
