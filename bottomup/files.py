"""Write files so that an existing one stays until the new one is complete: a full disk or Ctrl-C loses nothing."""

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
    """Yield the path of a temporary file next to `path`, and move it to `path` at the end of the block.

    If the block raises, the temporary file is deleted and an existing file stays. Links are followed; pipes and
    devices are written to directly. The temporary file has the same suffix, because some writers choose a format by it.

    Raises
    ------
    InputError
        If the file cannot be written, or the block raises an OSError: one line that names the file.
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
            waiting.open("xb").close()  # fails at once if the folder is missing or read-only
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
    """Raise, before any work is done, if a file cannot be written; an existing file stays as it is.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    with contextlib.suppress(_Tried), replacing(path):
        raise _Tried


class _Tried(Exception):
    """Ends `check_writable` before anything is written."""


def write_file(path: str | Path, content: bytes) -> None:
    """Write a complete file, or leave the existing one as it was.

    Raises
    ------
    InputError
        If the file cannot be written.

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
    """Return in a few words why a file cannot be opened, read or written."""
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return "the name contains a NUL or half a character"


def read_limited(path: str | Path, most: int, limit: str) -> bytes:
    """Return a file's content of at most `most` bytes; `limit` names the setting in the error message.

    Raises
    ------
    InputError
        If the file cannot be read, or is longer.
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
