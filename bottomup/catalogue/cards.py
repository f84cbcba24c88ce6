"""The catalogue's cards: what each model takes and returns, and where its files are.

The cards are the .toml files in `models/`, beside the package in a clone and
inside it once installed.
"""

import difflib
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

from bottomup.catalogue.fetching import ModelFile, Progress, cache_folder, fetch_file
from bottomup.errors import InputError, ModelError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

#: The model that ships with the package and is used unless another is named.
SHIPPED = "bottomup-tiny-uint8"

__all__ = [
    "SHIPPED",
    "Card",
    "Measured",
    "ModelInput",
    "ModelOutput",
    "cards_folder",
    "fetch",
    "find",
    "get",
    "names",
    "recognise",
]

_PACKAGE = Path(__file__).parents[1]


class ModelInput(NamedTuple):
    """What a network takes: real = (pixel - mean) / divisor, channel by channel."""

    size: tuple[int, int] | None  #: width and height; None where any whole number of strides plus 1 will do
    dtype: str | None  #: None where there are several
    channel_order: Literal["rgb", "bgr"]
    mean: tuple[float, float, float]
    divisor: tuple[float, float, float]


class ModelOutput(NamedTuple):
    """One of a network's outputs."""

    role: str  #: what it is: heatmaps, offsets, mid_offsets, ...
    pattern: str  #: its tensor's name, * standing for anything
    channels: int


class Measured(NamedTuple):
    """How well a model does."""

    ap: float  #: COCO keypoint average precision
    ap50: float | None
    decoder: str
    images: str  #: on which, and by whom if not by us


@dataclass(frozen=True)
class Card:
    """What is known about a model.

    Attributes
    ----------
    name : str
        Its name for `bottomup.load`.
    title : str
        One line about it.
    family : {"posenet", "paf", "centers", "tags", "boxes"}
        The family whose decoders read its outputs.
    skeleton : str
        The name of its skeleton in `bottomup.skeletons`.
    output_strides : tuple of int
        Input pixels per cell; several if exports differ.
    licence : str
        The file's licence as an SPDX expression; empty if it depends on the export.
    input : ModelInput
        What its input tensor holds.
    outputs : tuple of ModelOutput
        What its output tensors hold.
    files : tuple of ModelFile
        The first is the one to open; empty for a kind of file that users bring themselves.
    delegate : str, optional
        The delegate that it needs, such as "libedgetpu.so.1".
    measured : tuple of Measured
        COCO keypoint AP, where known.
    note : str
        Anything else worth knowing.
    """

    name: str
    title: str
    family: str
    skeleton: str
    output_strides: tuple[int, ...]
    licence: str
    input: ModelInput
    outputs: tuple[ModelOutput, ...]
    files: tuple[ModelFile, ...]
    delegate: str | None
    measured: tuple[Measured, ...]
    note: str

    @property
    def file(self) -> ModelFile | None:
        """The file to open; None for a kind of file that users bring."""
        return self.files[0] if self.files else None

    @property
    def path(self) -> Path | None:
        """Where that file is or will be; None for a kind of file that users bring."""
        return None if self.file is None else self.place(self.file)

    def place(self, file: ModelFile) -> Path:
        """Return where one of the files is or will be."""
        if not file.address:
            return cards_folder() / file.name
        return cache_folder() / f"{self.name}{Path(file.name).suffix}"

    @property
    def is_fetched(self) -> bool:
        """Whether all files are there."""
        return bool(self.files) and all(self.place(file).is_file() for file in self.files)

    def gives(self, dtype: str, shapes: Mapping[str, tuple[int, ...]]) -> bool:
        """Tell whether a network with that input type and those outputs is of this kind."""
        if self.input.dtype not in (None, dtype) or len(shapes) != len(self.outputs):
            return False
        fitting = [
            [output.role for output in self.outputs if _fits(output, name, shape)] for name, shape in shapes.items()
        ]
        return all(fitting) and {role for roles in fitting for role in roles} == {out.role for out in self.outputs}


def names() -> tuple[str, ...]:
    """Return the names of all cards, the shipped model's first."""
    return tuple(_cards())


def get(name: str) -> Card:
    """Return the card of a model.

    Raises
    ------
    InputError
        If there is none of that name; the message names the nearest.

    Examples
    --------
    >>> get("coral-posenet-641x481").input.size
    (641, 481)
    """
    card = _cards().get(name) if isinstance(name, str) else None
    if card is None:
        raise InputError(f"there is no model {name!r} in the catalogue: {_nearest(name)}")
    return card


def find(model: str | Path | None) -> tuple[Path, Card | None]:
    """Return the file that a user means, and its card where they named one.

    None is the shipped model; the name of a card is its file, which is
    fetched if it was not yet; anything else is a path.

    Raises
    ------
    ModelError
        If it is neither a card's name nor a file, or cannot be fetched.
    """
    if model is None:
        return fetch(SHIPPED), get(SHIPPED)
    if not isinstance(model, (str, Path)):
        raise InputError(
            f"model must be the path of a .tflite file or a name of the catalogue, got {type(model).__name__}"
        )
    if str(model) in _cards() and not Path(model).is_file():
        return fetch(str(model)), get(str(model))
    path = Path(model)
    if not path.suffix and not path.exists():
        raise ModelError(f"there is no model {str(model)!r}, in the catalogue or as a file: {_nearest(str(model))}")
    known = [card.name for card in _cards().values() if card.file and card.file.name == path.name]
    if known and not path.exists():
        raise ModelError(f"there is no model file {str(path)!r}: pass {known[0]!r}, and it is fetched")
    return path, None


def recognise(
    path: Path, dtype: str, input_size: tuple[int, int], shapes: Mapping[str, tuple[int, ...]]
) -> Card | None:
    """Return the card of a model file: its own by SHA-256, else that of its kind, by its tensors.

    Where several kinds have the same tensors, that of the file's own input size
    comes first, then one of any size.

    Parameters
    ----------
    path : Path
        The file.
    dtype : str
        Of its input.
    input_size : (int, int)
        Width and height of its input.
    shapes : dict of str to tuple of int
        Of its outputs, by name.
    """
    path = Path(os.path.realpath(path))
    size, digests = path.stat().st_size, dict[str, str]()
    for card in _cards().values():
        if card.file and card.file.size in (0, size):
            how = card.file.pinned_by
            digests[how] = digests.get(how) or card.file.digest(path)
            if digests[how] == card.file.pin:
                return card
    kinds = [card for card in _cards().values() if not card.files and card.gives(dtype, shapes)]
    return min(
        kinds, key=lambda card: (card.input.size != tuple(input_size), card.input.size is not None), default=None
    )


def fetch(name: str, *, progress: Progress | None = None) -> Path:
    """Return the path of a model's file, which is fetched if it is not in the cache, or damaged there.

    Of several files, such as OpenVINO's .xml and .bin, the one to open.

    Parameters
    ----------
    name : str
        Of the card.
    progress : callable, optional
        Is called with the number of bytes that are there, and that there will be, of all files.

    Raises
    ------
    InputError
        If there is no such card.
    ModelError
        If a file cannot be fetched, or is not the card's.
    """
    card = get(name)
    path = card.path
    if path is None:
        raise ModelError(f"{name} stands for files that users bring, and has no address: pass the path of yours")
    total = sum(file.size for file in card.files)
    before = 0
    for file in card.files:
        place = card.place(file)
        if file.address:
            fetch_file(file, place, name, None if progress is None else _counting(progress, before, total))
        elif not place.is_file():
            raise ModelError(f"{place} is missing, which ships with bottomup: install bottomup again, or pass a model")
        before += file.size
    return path


def _counting(progress: Progress, before: int, total: int) -> Progress:
    """Return what tells the progress of one file as that of all."""
    return lambda there, size: progress(before + there, max(total, before + size))


def cards_folder() -> Path:
    """Return where cards and shipped models are: in the package, or beside it in a clone."""
    inside = _PACKAGE / "models"
    return inside if inside.is_dir() else _PACKAGE.parent / "models"


def _nearest(name: object) -> str:
    """Return what a name that there is not may have meant."""
    given = str(name)
    nearest = [known for known in _cards() if len(given) > 2 and (known.startswith(given) or given in known.split("-"))]
    nearest = nearest or difflib.get_close_matches(given, _cards(), 1, 0.7)
    return f"did you mean {nearest[0]!r}?" if nearest else "bottomup models list names those that there are"


@cache
def _cards() -> dict[str, Card]:
    """Return all cards, by name."""
    texts = {path.stem: path.read_text(encoding="utf-8") for path in cards_folder().glob("*.toml")}
    ranked = sorted(texts, key=lambda name: (name != SHIPPED, not name.startswith("bottomup-"), name))
    cards = [_as_card(name, tomllib.loads(texts[name])) for name in ranked]
    return {card.name: card for card in cards}


def _as_file(table: dict[str, Any]) -> ModelFile:
    """Return a file that a card names, pinned by a hash where it is fetched."""
    hashes = {each: table.get(each, "") for each in ("sha256", "sha384", "git_blob")}
    return ModelFile(table["name"], table.get("address", ""), table.get("size", 0), **hashes)


def _as_card(name: str, table: dict[str, Any]) -> Card:
    """Return the card that a .toml file holds."""
    taken, measured = table["input"], table.get("measured", [])
    files = table.get("files") or ([table["file"]] if "file" in table else [])
    return Card(
        name,
        table["title"],
        table["family"],
        table["skeleton"],
        tuple(table["output_strides"]),
        table.get("licence", ""),
        ModelInput(
            tuple(taken["size"]) if "size" in taken else None,
            taken.get("dtype"),
            taken["channel_order"],
            _three(taken["mean"]),
            _three(taken["divisor"]),
        ),
        tuple(ModelOutput(role, *output) for role, output in table["outputs"].items()),
        tuple(_as_file(file) for file in files),
        table.get("delegate"),
        tuple(Measured(each["ap"], each.get("ap50"), each["decoder"], each["images"]) for each in measured),
        table.get("note", ""),
    )


def _three(value: float | list[float]) -> tuple[float, float, float]:
    """Return one number for each channel."""
    red, green, blue = value if isinstance(value, list) else (value, value, value)
    return float(red), float(green), float(blue)


def _fits(output: ModelOutput, name: str, shape: tuple[int, ...]) -> bool:
    """Tell whether a tensor may be that output, with its channels last or first."""
    channels = (shape[-1], shape[-3]) if len(shape) in (3, 4) else ()
    return output.channels in channels and fnmatchcase(name.removesuffix(":0"), output.pattern)
