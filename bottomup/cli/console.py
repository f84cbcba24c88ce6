"""What the commands share: lines to a person, files for others."""

import contextlib
import json
import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bottomup.errors import InputError
from bottomup.files import write_file

_PATIENCE = 2.0  # seconds
_HANDFUL = 5  # images, from which on a terminal sees a progress bar


def say(line: str) -> None:
    """Print a line, also on terminals that lack its letters."""
    encoding = sys.stdout.encoding or "utf-8"
    print(plain(line).encode(encoding, "backslashreplace").decode(encoding))


def plain(text: str) -> str:
    """Return text without what terminals obey, such as colours in a file's name."""
    return "".join(letter if letter.isprintable() or letter == "\n" else repr(letter)[1:-1] for letter in text)


@contextlib.contextmanager
def patience(what: str) -> Iterator[None]:
    """Tell a person at a terminal what takes so long, if it takes over two seconds."""
    if not sys.stderr.isatty():
        yield
        return
    timer = threading.Timer(_PATIENCE, lambda: print(f"bottomup: {what} ...", file=sys.stderr, flush=True))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def complain(problem: object) -> None:
    """Print one line on standard error."""
    if isinstance(problem, OSError) and problem.strerror:
        problem = f"{problem.strerror}: {problem.filename}" if problem.filename else problem.strerror
    elif isinstance(problem, MemoryError):
        problem = f"out of memory {problem}"
    line = plain(" ".join(str(problem).split()))
    encoding = sys.stderr.encoding or "utf-8"
    print("bottomup:", line.encode(encoding, "backslashreplace").decode(encoding), file=sys.stderr)


def forget_output() -> None:
    """Drop what standard output cannot take, lest Python try again at exit and complain itself."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextlib.contextmanager
def without_chatter() -> Iterator[None]:
    """Keep from standard error the lines of mere information that TFLite's C++ writes there."""
    with tempfile.TemporaryFile() as kept:
        standard_error = os.dup(2)
        os.dup2(kept.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(standard_error, 2)
            os.close(standard_error)
            kept.seek(0)
            for line in kept:
                if not line.startswith(b"INFO:"):
                    os.write(2, line)


def quiet_opencv() -> None:
    """Keep OpenCV and its FFmpeg from telling on standard error what our own errors say; before they are loaded."""
    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")


class Progress:
    """A bar on a terminal if there are many images or frames, and complaints that leave it whole."""

    def __init__(self, total: int | None, unit: str = "image") -> None:
        from tqdm import tqdm

        is_short = total is not None and total <= _HANDFUL
        self._bar: Any = tqdm(total=total, unit=unit, disable=is_short or not sys.stderr.isatty())
        self.complaints = 0

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def advance(self) -> None:
        """Count one more."""
        self._bar.update()

    def name(self, what: str) -> None:
        """Say on the bar what is being worked on."""
        self._bar.set_description(what)

    def complain(self, complaint: object) -> None:
        """Print a complaint, and count it."""
        self.complaints += 1
        with self._bar.external_write_mode(file=sys.stderr):
            complain(complaint)


def identity(path: str | Path) -> str:
    """Return what two paths of one file have in common, also where capitals do not matter."""
    return os.path.realpath(path).casefold()


def make_folder(folder: Path) -> None:
    """Make a folder, if it is not there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"folder {str(folder)!r} cannot be made: {error.strerror or error}") from error


def write(path: str | Path, content: bytes) -> None:
    """Write a file, or leave the earlier one as it was."""
    write_file(path, content)


def write_json(path: str | Path | None, document: dict[str, Any] | list[Any]) -> None:
    """Write strict JSON, to standard output where there is no path or it is "-"."""
    text = json.dumps(document, allow_nan=False) + "\n"
    if path is None or str(path) == "-":
        sys.stdout.write(text)
    else:
        write(path, text.encode())
