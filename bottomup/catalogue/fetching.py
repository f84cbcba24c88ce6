"""Files of models: fetched once, over https, checked by their hashes, and kept in `cache_folder()`.

What arrives is kept beside the cache's files until it is whole, so that a
broken transfer goes on where it ended, now or at the next call. Only a file
whose hash is right comes into its place, at once and whole. No link in the
cache is followed. Proxies are taken from the environment (HTTPS_PROXY, NO_PROXY).
"""

import hashlib
import os
import stat
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from bottomup.errors import ModelError

__all__ = ["CACHE_VARIABLE", "ModelFile", "Progress", "cache_folder", "fetch_file"]

#: Where another cache folder is named.
CACHE_VARIABLE = "BOTTOMUP_CACHE"

_SCHEMES = ("https",)
_TIMEOUT = 30.0  # seconds without a byte
_PAUSE = 1.0  # seconds before a server that gave nothing is asked again
_PATIENCE = 3  # times in a row that a server may give nothing
_ATTEMPTS = 20  # times in all that it is asked for the rest
_DEADLINE = 120.0  # seconds for a file, whatever its size,
_SLOWEST = 20_000  # and bytes a second beyond them
_LARGEST = 1 << 28  # bytes of a file whose size no card tells
_STALE = 600.0  # seconds without a byte after which the beginning of a file is nobody's
_CHUNK = 1 << 16
_PASSING = (408, 425, 429, 500, 502, 503, 504)  # answers that may be others a moment later

#: Is told how many bytes are there, and how many there will be.
Progress: TypeAlias = Callable[[int, int], None]


class ModelFile(NamedTuple):
    """A file of a model, pinned by one of three hashes."""

    name: str  #: as its makers call it
    address: str  #: https; empty where it ships with the package
    size: int  #: bytes; 0 where nobody tells
    sha256: str = ""
    sha384: str = ""
    git_blob: str = ""  #: SHA-1 of "blob SIZE", a zero and the content: what git calls a file

    def is_at(self, path: Path) -> bool:
        """Tell whether a file is this one; no link is followed."""
        try:
            found = path.lstat()
        except OSError:
            return False
        if not stat.S_ISREG(found.st_mode) or self.size not in (0, found.st_size):
            return False
        return self.digest(path) == self.pin

    @property
    def pin(self) -> str:
        """The hash that pins it."""
        return self.sha256 or self.sha384 or self.git_blob

    @property
    def pinned_by(self) -> str:
        """Name of that hash."""
        return "SHA-256" if self.sha256 else "SHA-384" if self.sha384 else "git blob"

    def digest(self, path: Path) -> str:
        """Return the hash of a file, by which this one is pinned."""
        if self.sha256:
            digest = hashlib.sha256()
        elif self.sha384:
            digest = hashlib.sha384()
        else:
            digest = hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
        with path.open("rb") as content:
            while chunk := content.read(_CHUNK):
                digest.update(chunk)
        return digest.hexdigest()


def fetch_file(file: ModelFile, path: Path, model: str, progress: Progress | None = None) -> None:
    """Have a file at a place in the cache; nothing is done where it is there and whole.

    Parameters
    ----------
    file : ModelFile
        What to fetch.
    path : Path
        Where it belongs.
    model : str
        Whose it is, for messages.
    progress : callable, optional
        Is called with the number of bytes that are there, and that there will be.

    Raises
    ------
    ModelError
        If the file cannot be fetched, or is another.
    """
    if file.is_at(path):
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = _claim(path)
        try:
            _download(model, file, part, progress)
            part.replace(path)
        finally:
            _give_back(part, path)
    except OSError as error:
        raise ModelError(
            f"{model} cannot be kept in {str(path.parent)!r}: {error.strerror or error}: "
            f"set {CACHE_VARIABLE} to a folder that can be written to"
        ) from error


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


class _TransferBroken(Exception):
    """The network failed; what came so far is good."""


class _WrongAnswer(Exception):
    """The address gives something else than the card's file."""


def _left_over(path: Path) -> Path:
    """Return where the beginning of a file waits for its rest."""
    return path.with_name(f"{path.name}.part")


def _claim(path: Path) -> Path:
    """Return a file of our own to write to; it begins with what an earlier transfer left, which no other can take."""
    _adopt_orphans(path)
    part = path.with_name(f"{path.name}-{uuid.uuid4().hex}.part")
    try:
        _left_over(path).rename(part)
        if stat.S_ISREG(part.lstat().st_mode):
            return part
        part.unlink()  # a link, whose target would be written to, or a pipe, which would be waited for
    except FileNotFoundError:
        pass
    part.touch(exist_ok=False)
    return part


def _adopt_orphans(path: Path) -> None:
    """Let what a killed transfer left wait for its rest, the longest of several; the others go."""
    old = time.time() - _STALE
    found = []
    for orphan in path.parent.glob(f"{path.name}-*.part"):
        try:
            status = orphan.lstat()
            if status.st_mtime < old:
                found.append((stat.S_ISREG(status.st_mode), status.st_size, orphan))
        except OSError:  # another process adopted it
            continue
    found.sort()
    if found and found[-1][0] and not _left_over(path).exists():
        found.pop()[2].replace(_left_over(path))
    for *_, orphan in found:
        orphan.unlink(missing_ok=True)


def _give_back(part: Path, path: Path) -> None:
    """Leave what came to the next transfer."""
    if part.exists():
        if part.stat().st_size:
            part.replace(_left_over(path))
        else:
            part.unlink()


def _download(model: str, file: ModelFile, part: Path, progress: Progress | None) -> None:
    """Write the card's file to `part`, which may hold its beginning."""
    if part.stat().st_size:
        try:
            return _gather(model, file, part, progress)
        except _WrongAnswer:  # the beginning may have been of another file
            part.write_bytes(b"")
    try:
        _gather(model, file, part, progress)
    except _WrongAnswer as error:
        part.unlink()
        raise ModelError(
            f"{model} was not fetched: {file.address} {error}. Is a proxy's page in between? "
            f"Else update bottomup, or get {file.name} elsewhere and pass its path"
        ) from error


def _gather(model: str, file: ModelFile, part: Path, progress: Progress | None) -> None:
    """Ask for what is missing until all is there, as long as something comes."""
    attempts = fruitless = 0
    deadline = time.monotonic() + _DEADLINE + file.size / _SLOWEST
    while (before := part.stat().st_size) < file.size or not file.size:
        try:
            _transfer(file, part, before, progress, deadline)
            if not file.size:
                break
        except _TransferBroken as error:
            there = part.stat().st_size
            attempts, fruitless = attempts + 1, 0 if there > before else fruitless + 1
            if fruitless == _PATIENCE or attempts == _ATTEMPTS or time.monotonic() > deadline:
                kept = f" ({there} of {file.size} bytes came, and are kept for the next time)" if there else ""
                raise ModelError(
                    f"{model} is not in the cache and cannot be fetched from {file.address}: {error}{kept}. Check "
                    f"the network, and HTTPS_PROXY if there is a proxy, or get {file.name} elsewhere and pass its path"
                ) from error
            time.sleep(_PAUSE * fruitless)
    found = file.digest(part)
    if found != file.pin:
        raise _WrongAnswer(f"gives a file with {file.pinned_by} {found}, expected {file.pin}")


def _transfer(file: ModelFile, part: Path, there: int, progress: Progress | None, deadline: float) -> None:
    """Ask for the rest of a file and append what comes of it to `part`."""
    with _ask(file.address, there) as response:
        there = _first_byte(response, file, there)
        expected = there + int(response.headers.get("Content-Length") or 0)
        with part.open("ab" if there else "wb") as sink:
            for chunk in _chunks(response):
                there += len(chunk)
                if there > (file.size or _LARGEST):
                    raise _WrongAnswer(f"gives more than the {file.size or _LARGEST} bytes expected")
                if time.monotonic() > deadline:
                    raise _TransferBroken("it takes too long")
                sink.write(chunk)
                if progress is not None:
                    progress(there, file.size or there)
    if there < (file.size or expected):
        raise _TransferBroken("the connection ended early")


def _ask(address: str, there: int) -> Any:
    """Send the request for an address's bytes from `there` on; no redirection leads off https."""
    import http.client
    import urllib.error
    import urllib.request

    class Redirections(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
            _check_scheme(newurl)
            return super().redirect_request(req, fp, code, msg, headers, newurl)

    _check_scheme(address)
    headers = {"User-Agent": "bottomup", **({"Range": f"bytes={there}-"} if there else {})}
    opener = urllib.request.build_opener(
        Redirections
    )  # with today's proxies; urlopen would keep those of its first call
    try:
        return opener.open(urllib.request.Request(address, headers=headers), timeout=_TIMEOUT)
    except urllib.error.HTTPError as error:
        error.close()
        answer = f"answers {error.code} {error.reason}"
        raise (_TransferBroken if error.code in _PASSING else _WrongAnswer)(answer) from error
    except (OSError, http.client.HTTPException) as error:
        raise _TransferBroken(_reason(error)) from error


def _check_scheme(address: str) -> None:
    scheme = address.partition(":")[0].lower()
    if scheme not in _SCHEMES:
        raise _WrongAnswer(f"leads to {scheme}, and models come over {_SCHEMES[0]} alone")


def _first_byte(response: Any, file: ModelFile, there: int) -> int:
    """Return which byte of the file a response begins with: `there`, or 0 of a server that knows no ranges."""
    if response.status == 206:
        given, _, total = response.headers.get("Content-Range", "").removeprefix("bytes ").partition("/")
        if given.split("-")[0] != str(there) or (file.size and total not in (str(file.size), "*")):
            raise _WrongAnswer(f"gives bytes {given} of {total}, expected those from {there} of {file.size}")
        return there
    length = response.headers.get("Content-Length", str(file.size))
    if file.size and length != str(file.size):
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
