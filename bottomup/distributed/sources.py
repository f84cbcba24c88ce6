"""Which images there are, and how they fall into parts."""

import hashlib
import os
from collections.abc import Iterator, Sequence, Set
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bottomup.errors import InputError, MissingRuntimeError
from bottomup.images import IMAGE_SUFFIXES, decode_image, read_image

__all__ = ["Image", "Part", "images_of", "import_arrow", "split"]

_COLUMNS = ("path", "image", "bytes")  # of Parquet files; the last two hold encoded images, or "image" a struct of them


class Part(NamedTuple):
    """Some images that one worker estimates in one go."""

    number: int
    images: tuple[str, ...]  #: paths; none of a part of a Parquet file
    file: str = ""  #: the Parquet file
    row_group: int = 0
    first: int = 0  #: of the row group's rows
    rows: int = 0
    row: int = 0  #: number of the first row in the whole file

    @property
    def size(self) -> int:
        """How many images it has."""
        return self.rows if self.file else len(self.images)


class Image(NamedTuple):
    """One image, not read yet."""

    name: str  #: its path as it was given, or where in a Parquet file it is
    path: str
    encoded: bytes | None = None  #: the file's content, where it came with a Parquet file
    problem: str = ""  #: why there is none

    def read(self) -> NDArray[np.uint8]:
        """Return it as a BGR (H, W, 3) array."""
        if self.problem:
            raise InputError(f"image {self.name!r} cannot be read: {self.problem}")
        if self.encoded is None:
            return read_image(self.path)
        return decode_image(np.frombuffer(self.encoded, np.uint8), self.name)


def split(source: str | Path | Sequence[str | Path], part_size: int) -> tuple[list[Part], str]:
    """Return the parts of a source, and a digest that tells it from other sources.

    A folder's images are those below it, in the order of their paths.
    """
    if isinstance(source, (str, Path)):
        path = os.fspath(source)
        if os.path.isdir(path):
            tables = _files(path, {".parquet"})
            images = _files(path, IMAGE_SUFFIXES)
            if tables and images:
                raise InputError(f"folder {path!r} holds both images and Parquet files: pass one of them, as a list")
            if not tables and not images:
                raise InputError(f"folder {path!r} holds no images and no Parquet files")
            return _split_tables(tables, part_size) if tables else _split_paths(images, part_size)
        if not os.path.exists(path):
            raise InputError(f"there is no {path!r}: pass a folder, a list of images, or a Parquet file")
        source = [path]
    paths = [os.fspath(path) for path in source]
    if not paths:
        raise InputError("source names no image: pass a folder, a list of images, or a Parquet file")
    if all(path.endswith(".parquet") for path in paths):
        return _split_tables(paths, part_size)
    return _split_paths(paths, part_size)


def images_of(part: Part, base: str = "") -> Iterator[Image]:
    """Yield the images of a part, whose paths may be relative to the folder `base`."""
    if not part.file:
        yield from (Image(path, os.path.join(base, path)) for path in part.images)
        return
    given = 0
    try:
        for image in _images_of_table(part, base):
            given += 1
            yield image
    except (OSError, ValueError) as error:  # a damaged page, of which Arrow tells in words of its own
        why = " ".join(str(error).split())
        for row in range(given, part.rows):
            yield Image(f"{part.file}#{part.row + row}", "", problem=f"the Parquet file is damaged here: {why}")


def _images_of_table(part: Part, base: str) -> Iterator[Image]:
    """Yield the images of a Parquet file's part, one at a time, since a small file may hold large ones many times."""
    _, parquet = import_arrow()
    with parquet.ParquetFile(os.path.join(base, part.file)) as table:
        column = _column_of(table, part.file)
        batches = table.iter_batches(batch_size=1, row_groups=[part.row_group], columns=[column])
        for row, batch in enumerate(batches):
            if row >= part.first + part.rows:
                return
            if row >= part.first:
                name = f"{part.file}#{part.row + row - part.first}"
                yield _image_of(batch.column(0)[0].as_py(), name, base)


def _image_of(value: Any, name: str, base: str) -> Image:
    """Return the image in a Parquet cell: a path, a file's bytes, or a struct of both."""
    if isinstance(value, dict):
        value = value.get("bytes") or value.get("path")
    if isinstance(value, str):
        return Image(value, os.path.join(base, value))
    if value is not None and not isinstance(value, bytes):
        return Image(name, "", problem=f"it is neither a path nor bytes, but {type(value).__name__}")
    return Image(name, "", value or b"")


def _files(folder: str, suffixes: Set[str]) -> list[str]:
    """Return the files below a folder with one of these endings, hidden ones left out."""
    found = []
    for parent, folders, names in os.walk(folder, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [
            os.path.join(parent, name)
            for name in names
            if name.lower().endswith(tuple(suffixes)) and not name.startswith(".")
        ]
    return sorted(found)


def _split_paths(paths: list[str], part_size: int) -> tuple[list[Part], str]:
    """Return parts of so many paths."""
    starts = range(0, len(paths), part_size)
    parts = [Part(number, tuple(paths[start : start + part_size])) for number, start in enumerate(starts)]
    return parts, _digest(paths)


def _split_tables(files: list[str], part_size: int) -> tuple[list[Part], str]:
    """Return parts of so many rows; none crosses a row group's end."""
    arrow, parquet = import_arrow()
    parts: list[Part] = []
    known = []
    for file in files:
        try:
            with parquet.ParquetFile(file) as table:
                _column_of(table, file)
                rows = [table.metadata.row_group(group).num_rows for group in range(table.num_row_groups)]
        except (OSError, arrow.ArrowException) as error:
            raise InputError(f"{file!r} cannot be read as Parquet: {error}") from error
        known.append(f"{file} {rows}")
        before = 0
        for group, count in enumerate(rows):
            for first in range(0, count, part_size):
                size = min(part_size, count - first)
                parts.append(Part(len(parts), (), file, group, first, size, before + first))
            before += count
    if not parts:
        raise InputError(f"Parquet files have no rows: {', '.join(files[:3])}")
    return parts, _digest(known)


def _column_of(table: Any, file: str) -> str:
    """Return the column that holds the images."""
    names = table.schema_arrow.names
    for name in _COLUMNS:
        if name in names:
            return name
    raise InputError(
        f"{file!r} must have a column 'path' of image paths, or 'image' or 'bytes' of encoded images, "
        f"got {', '.join(names)}: rename one"
    )


def _digest(names: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(names).encode(errors="surrogatepass")).hexdigest()


def import_arrow() -> tuple[Any, Any]:
    """Return pyarrow and what reads and writes Parquet."""
    try:
        import pyarrow as arrow
        import pyarrow.parquet as parquet
    except ImportError as error:
        raise MissingRuntimeError(f"pyarrow cannot be imported, {error}: pip install 'bottomup[parquet]'") from error
    return arrow, parquet
