"""Cards of the models that exist: what each takes and gives, and where its file is; and the cache of those files.

The cards are the .toml files in `models/`, beside the package in a clone and
inside it once installed. Models are fetched once, checked by SHA-256, and
kept in `cache_folder()`.
"""

import difflib
import hashlib
import os
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias

from bottomup.errors import InputError, ModelError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

#: The model that ships with the package.
SHIPPED = "bottomup-tiny"
#: Where another cache folder is named.
CACHE_VARIABLE = "BOTTOMUP_CACHE"

_PACKAGE = Path(__file__).parents[1]
_TIMEOUT = 30.0  # seconds without a byte
_PAUSE = 1.0  # seconds before a server that gave nothing is asked again
_PATIENCE = 3  # times in a row that a server may give nothing
_ATTEMPTS = 20  # times in all that it is asked for the rest
_CHUNK = 1 << 16
_PASSING = (408, 425, 429, 500, 502, 503, 504)  # answers that may be others a moment later

#: Is told how many bytes are there, and how many there will be.
Progress: TypeAlias = Callable[[int, int], None]


class ModelFile(NamedTuple):
    """A model's file."""

    name: str  #: as its makers call it
    address: str  #: empty where it ships with the package
    size: int  #: bytes
    sha256: str


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
    """What there is to know about a model.

    Attributes
    ----------
    name : str
        What `bottomup.load` knows it by.
    title : str
        What it is, in a line.
    family : {"posenet", "paf"}
        Which decoders read its outputs.
    skeleton : str
        Which of `bottomup.skeletons`.
    output_strides : tuple of int
        Input pixels per cell; several where there are exports of each.
    licence : str
        Of the file, as an SPDX expression; empty where it depends on the export.
    input : ModelInput
        What it takes.
    outputs : tuple of ModelOutput
        What it gives.
    file : ModelFile, optional
        None for a kind of file that users bring.
    delegate : str, optional
        The delegate that it needs, as "libedgetpu.so.1".
    decoder : dict
        The decoder to use and its settings: "name", and what that decoder
        takes. Empty for our best.
    measured : tuple of Measured
        COCO keypoint AP, as far as it is known.
    note : str
        What else to know.
    """

    name: str
    title: str
    family: str
    skeleton: str
    output_strides: tuple[int, ...]
    licence: str
    input: ModelInput
    outputs: tuple[ModelOutput, ...]
    file: ModelFile | None
    delegate: str | None
    decoder: Mapping[str, Any]
    measured: tuple[Measured, ...]
    note: str

    @property
    def path(self) -> Path | None:
        """Where the file is or will be; None for a kind of file that users bring."""
        if self.file is None:
            return None
        return cache_folder() / f"{self.name}.tflite" if self.file.address else cards_folder() / self.file.name

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
    >>> get("coral-posenet-481x641").input.size
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
    size = path.stat().st_size
    for card in _cards().values():
        if card.file and card.file.size == size and card.file.sha256 == _sha256(path):
            return card
    kinds = [card for card in _cards().values() if card.file is None and card.gives(dtype, shapes)]
    return min(
        kinds, key=lambda card: (card.input.size != tuple(input_size), card.input.size is not None), default=None
    )


def fetch(name: str, *, progress: Progress | None = None) -> Path:
    """Return the path of a model's file, which is fetched if it is not in the cache, or damaged there.

    What arrives is kept beside the cache's files until it is whole, so that a
    broken transfer goes on where it ended, now or at the next call. Only a
    file whose SHA-256 is the card's comes into its place, at once and whole.
    Proxies are taken from the environment (HTTPS_PROXY, NO_PROXY).

    Parameters
    ----------
    name : str
        Of the card.
    progress : callable, optional
        Is called with the number of bytes that are there, and that there will be.

    Raises
    ------
    InputError
        If there is no such card.
    ModelError
        If the file cannot be fetched, or is not the card's.
    """
    card = get(name)
    path, file = card.path, card.file
    if path is None or file is None:
        raise ModelError(f"{name} stands for files that users bring, and has no address: pass the path of yours")
    if not file.address:
        if not path.is_file():
            raise ModelError(f"{path} is missing, which ships with bottomup: install bottomup again, or pass a model")
        return path
    if path.is_file() and _sha256(path) == file.sha256:
        return path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = _claim(path)
        try:
            _download(card, file, part, progress)
            part.replace(path)
        finally:
            _give_back(part, path)
    except OSError as error:
        raise ModelError(
            f"{name} cannot be kept in {str(path.parent)!r}: {error.strerror or error}: "
            f"set {CACHE_VARIABLE} to a folder that you may write to"
        ) from error
    return path


def cache_folder() -> Path:
    """Return where fetched models are kept: `BOTTOMUP_CACHE`, else the place that the system has for caches."""
    chosen = os.environ.get(CACHE_VARIABLE)
    if chosen:
        return Path(chosen).expanduser()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "bottomup" / "Cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "bottomup"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "bottomup"


def cards_folder() -> Path:
    """Return where cards and shipped models are: in the package, or beside it in a clone."""
    inside = _PACKAGE / "models"
    return inside if inside.is_dir() else _PACKAGE.parent / "models"


def _nearest(name: object) -> str:
    """Return what a name that there is not may have meant."""
    nearest = difflib.get_close_matches(str(name), _cards(), 1, 0.5)
    return f"did you mean {nearest[0]!r}?" if nearest else "bottomup models list names those that there are"


@cache
def _cards() -> dict[str, Card]:
    """Return all cards, by name."""
    paths = sorted(cards_folder().glob("*.toml"), key=lambda path: (not path.stem.startswith(SHIPPED), path.stem))
    cards = [_as_card(path.stem, tomllib.loads(path.read_text(encoding="utf-8"))) for path in paths]
    return {card.name: card for card in cards}


def _as_card(name: str, table: dict[str, Any]) -> Card:
    """Return the card that a .toml file holds."""
    taken, file, measured = table["input"], table.get("file"), table.get("measured", [])
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
        ModelFile(file["name"], file.get("address", ""), file.get("size", 0), file.get("sha256", "")) if file else None,
        table.get("delegate"),
        table.get("decoder", {}),
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


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as content:
        while chunk := content.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


# --- fetching


class _TransferBroken(Exception):
    """The network failed; what came so far is good."""


class _WrongAnswer(Exception):
    """The address gives something else than the card's file."""


def _left_over(path: Path) -> Path:
    """Return where the beginning of a file waits for its rest."""
    return path.with_suffix(".part")


def _claim(path: Path) -> Path:
    """Return a file of our own to write to; it begins with what an earlier transfer left, which no other can take."""
    part = path.with_name(f"{path.stem}-{uuid.uuid4().hex}.part")
    try:
        _left_over(path).rename(part)
    except FileNotFoundError:
        part.touch(exist_ok=False)
    return part


def _give_back(part: Path, path: Path) -> None:
    """Leave what came to the next transfer."""
    if part.exists():
        if part.stat().st_size:
            part.replace(_left_over(path))
        else:
            part.unlink()


def _download(card: Card, file: ModelFile, part: Path, progress: Progress | None) -> None:
    """Write the card's file to `part`, which may hold its beginning."""
    if part.stat().st_size:
        try:
            return _gather(card, file, part, progress)
        except _WrongAnswer:  # the beginning may have been of another file
            part.write_bytes(b"")
    try:
        _gather(card, file, part, progress)
    except _WrongAnswer as error:
        part.unlink()
        raise ModelError(
            f"{card.name} was not fetched: {file.address} {error}. Is a proxy's page in between? "
            f"Else update bottomup, or get {file.name} elsewhere and pass its path"
        ) from error


def _gather(card: Card, file: ModelFile, part: Path, progress: Progress | None) -> None:
    """Ask for what is missing until all is there, as long as something comes."""
    attempts = fruitless = 0
    while (before := part.stat().st_size) < file.size:
        try:
            _transfer(file, part, before, progress)
        except _TransferBroken as error:
            there = part.stat().st_size
            attempts, fruitless = attempts + 1, 0 if there > before else fruitless + 1
            if fruitless == _PATIENCE or attempts == _ATTEMPTS:
                kept = f" ({there} of {file.size} bytes came, and are kept for the next time)" if there else ""
                raise ModelError(
                    f"{card.name} is not in the cache and cannot be fetched from {file.address}: {error}{kept}. Check "
                    f"the network, and HTTPS_PROXY if there is a proxy, or get {file.name} elsewhere and pass its path"
                ) from error
            time.sleep(_PAUSE * fruitless)
    if _sha256(part) != file.sha256:
        raise _WrongAnswer(f"gives a file with SHA-256 {_sha256(part)}, expected {file.sha256}")


def _transfer(file: ModelFile, part: Path, there: int, progress: Progress | None) -> None:
    """Ask for the rest of a file and append what comes of it to `part`."""
    with _ask(file.address, there) as response:
        there = _first_byte(response, file, there)
        with part.open("ab" if there else "wb") as sink:
            for chunk in _chunks(response):
                there += len(chunk)
                if there > file.size:
                    raise _WrongAnswer(f"gives more than the {file.size} bytes expected")
                sink.write(chunk)
                if progress is not None:
                    progress(there, file.size)
    if there < file.size:
        raise _TransferBroken("the connection ended early")


def _ask(address: str, there: int) -> Any:
    """Send the request for an address's bytes from `there` on."""
    import http.client
    import urllib.error
    import urllib.request

    headers = {"User-Agent": "bottomup", **({"Range": f"bytes={there}-"} if there else {})}
    opener = urllib.request.build_opener()  # with today's proxies; urlopen would keep those of its first call
    try:
        return opener.open(urllib.request.Request(address, headers=headers), timeout=_TIMEOUT)
    except urllib.error.HTTPError as error:
        error.close()
        answer = f"answers {error.code} {error.reason}"
        raise (_TransferBroken if error.code in _PASSING else _WrongAnswer)(answer) from error
    except (OSError, http.client.HTTPException) as error:
        raise _TransferBroken(_reason(error)) from error


def _first_byte(response: Any, file: ModelFile, there: int) -> int:
    """Return which byte of the file a response begins with: `there`, or 0 of a server that knows no ranges."""
    if response.status == 206:
        given, _, total = response.headers.get("Content-Range", "").removeprefix("bytes ").partition("/")
        if given.split("-")[0] != str(there) or total not in (str(file.size), "*"):
            raise _WrongAnswer(f"gives bytes {given} of {total}, expected those from {there} of {file.size}")
        return there
    length = response.headers.get("Content-Length", str(file.size))
    if length != str(file.size):
        raise _WrongAnswer(f"gives {length} bytes, expected {file.size}")
    return 0


def _chunks(response: Any) -> Iterator[bytes]:
    """Yield what comes, as it comes."""
    import http.client

    while True:
        try:
            chunk = response.read1(_CHUNK)
        except (OSError, http.client.HTTPException) as error:
            raise _TransferBroken(_reason(error)) from error
        if not chunk:
            return
        yield chunk


def _reason(error: Exception) -> str:
    """Return what went wrong, without its wrapping."""
    inner = getattr(error, "reason", error)
    return getattr(inner, "strerror", None) or " ".join(str(inner).split()) or type(inner).__name__
