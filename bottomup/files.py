"""Writing files so that an earlier one stays until the new one is whole: a full disk or an interrupt loses nothing."""

import contextlib
import itertools
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from bottomup.errors import InputError

__all__ = ["check_writable", "read_limited", "reason", "replacing", "write_file"]

_NUMBERS = itertools.count()


@contextlib.contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yield the path of a temporary file beside `path`, which takes its place at the end of the block.

    If the block raises, the temporary file goes and an earlier file of that name stays. Links are followed, and pipes
    and devices are written to as they are. The temporary file has the same ending, for those who go by it.

    Raises
    ------
    InputError
        If the file cannot be written, or whatever OSError the block raises: one line that names the file.
    """
    try:
        os.stat(path)
    except ValueError as error:
        raise InputError(f"{str(path)!r} cannot be written: {reason(error)}") from error
    except OSError:
        pass
    try:
        target = Path(os.path.realpath(path))
        if target.is_dir():
            raise IsADirectoryError(None, "it is a folder")
        if target.exists() and not target.is_file():
            yield target
            return
        if target.exists() and not os.access(target, os.W_OK):
            raise PermissionError(None, "it is read-only")
        waiting = target.with_name(f".bottomup-{os.getpid()}-{next(_NUMBERS)}{target.suffix[:16]}")
        try:
            waiting.open("xb").close()  # says at once that the folder is missing or read-only
            yield waiting
            if target.exists():
                shutil.copymode(target, waiting)
            os.replace(waiting, target)
        finally:
            with contextlib.suppress(OSError):
                waiting.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(f"{str(path)!r} cannot be written: {reason(error)}") from error


def check_writable(path: str | Path) -> None:
    """Refuse a file that cannot be written, before work is done for it; leave an earlier one as it is.

    Raises
    ------
    InputError
        If it cannot be written.
    """
    with contextlib.suppress(_Tried), replacing(path):
        raise _Tried


class _Tried(Exception):
    """Nothing was written."""


def write_file(path: str | Path, content: bytes) -> None:
    """Write a whole file, or leave the earlier one as it was.

    Raises
    ------
    InputError
        If it cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_file(Path(folder) / "poses.json", b"{}")
    ...     os.listdir(folder)
    ['poses.json']
    """
    with replacing(path) as waiting:
        waiting.write_bytes(content)


def reason(error: Exception) -> str:
    """Return why a file cannot be opened, read or written, in a few words."""
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return "no file has such a name, which holds a NUL or half a character"


def read_limited(path: str | Path, most: int, limit: str) -> bytes:
    """Return a file's content, if it is no longer than `most` bytes; `limit` names where that can be set.

    Raises
    ------
    InputError
        If it cannot be read, or is longer.
    """
    try:
        with open(path, "rb") as file:
            content = file.read(min(most, os.fstat(file.fileno()).st_size or most) + 1)
            if len(content) <= most:
                content += file.read(most + 1 - len(content))
    except (OSError, ValueError) as error:
        raise InputError(f"{str(path)!r} cannot be opened: {reason(error)}") from error
    if len(content) > most:
        raise InputError(f"{str(path)!r} has more than {most} bytes: set {limit} to read it")
    return content
