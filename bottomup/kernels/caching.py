"""Compiled kernels on disk: one file for each kernel and the types it was compiled for.

Files lie in a folder named after a digest of the sources of all kernels, of numba's version and of its settings, so a
change anywhere is seen everywhere. They hold machine code and pickles, so they are read and written only where nobody
but their owner and the system's administrator can write. A file that is damaged, or of another form, counts as none;
one that cannot be written is not kept, and the kernel runs all the same.
"""

import hashlib
import os
import pickle
import shutil
import stat
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numba
from numba import config
from numba.core.caching import NullCache

__all__ = ["KernelCache", "kernel_folder"]

_SETTINGS = ("OPT", "LOOP_VECTORIZE", "SLP_VECTORIZE", "BOUNDSCHECK", "DEBUGINFO_DEFAULT", "ENABLE_AVX")
_PACKAGE = Path(__file__).absolute().parents[1]
_DAYS_KEPT = 30  # of folders of other versions


class KernelCache(NullCache):  # type: ignore[misc]
    """Compiled code of one function: numba asks it before it compiles, and gives it what it compiled."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._name = f"{function.__module__}.{function.__qualname__}".removeprefix("bottomup.")
        self._is_known = Path(function.__code__.co_filename).absolute() in _sources()

    @property
    def cache_path(self) -> str | None:
        """The folder, None if code is kept nowhere."""
        folder = kernel_folder()
        return None if folder is None else str(folder)

    def load_overload(self, signature: Any, target_context: Any) -> Any:
        """Return what was compiled for these types of arguments, None if that is not known."""
        try:
            target_context.refresh()
            content = self._path(signature, target_context.codegen()).read_bytes()
            digest, payload = content[:32], content[32:]
            if hashlib.sha256(payload).digest() != digest:
                return None
            from numba.core.compiler import CompileResult

            compiled = CompileResult._rebuild(target_context, *pickle.loads(payload))
            return compiled if tuple(compiled.signature.args) == tuple(signature) else None
        except Exception:
            return None

    def save_overload(self, signature: Any, compiled: Any) -> None:
        """Keep what was compiled, if it can be kept."""
        try:
            if compiled.lifted or compiled.library.has_dynamic_globals:
                return
            from numba.core.serialize import dumps

            payload = dumps(compiled._reduce())
            _write(self._path(signature, compiled.library.codegen), hashlib.sha256(payload).digest() + payload)
        except Exception:
            return

    def _path(self, signature: Any, codegen: Any) -> Path:
        """Return the file for these types and this processor."""
        folder = kernel_folder()
        if folder is None or not self._is_known:  # of other functions the folder's digest says nothing
            raise FileNotFoundError
        form = hashlib.sha256(repr((tuple(signature), codegen.magic_tuple())).encode()).hexdigest()
        return folder / f"{self._name}-{form[:20]}.nbc"


@cache
def kernel_folder() -> Path | None:
    """Return the folder of compiled kernels, which exists and belongs to this user or root alone; None if none can be.

    That is in NUMBA_CACHE_DIR where it is set and safe, else beside the kernels, else in the user's folder of caches.
    """
    try:
        name = f"bottomup-{_digest()}"
    except OSError:  # the package lies in an archive
        return None
    for parent, mode in _parents():
        folder = parent / name
        try:
            if not folder.is_dir():
                parent.mkdir(parents=True, exist_ok=True)
                folder.mkdir(mode, exist_ok=True)
                _tidy(folder)
            if is_private(folder):
                return folder
        except (OSError, RuntimeError, ValueError):  # no such drive, links in a circle, a NUL
            continue
    return None


def is_private(folder: Path) -> bool:
    """Tell whether nobody but this user and root can change what lies in a folder, or put another in its place."""
    if not hasattr(os, "geteuid"):  # Windows: profiles and programs are guarded by access control lists
        return True
    path = folder.resolve(strict=True)
    return all(_is_safe(each.stat(), each != path) for each in (path, *path.parents))


def _is_safe(status: os.stat_result, is_above: bool) -> bool:
    """Tell whether a folder lets nobody else rename what lies in it, or, of one above, this user's part of it."""
    if status.st_uid not in (0, os.geteuid()):
        return False
    if is_above and status.st_mode & stat.S_ISVTX:
        return True
    group_may = status.st_mode & stat.S_IWGRP and not _is_own_group(status.st_gid)
    return not (group_may or status.st_mode & stat.S_IWOTH)


@cache
def _is_own_group(number: int) -> bool:
    """Tell whether a group is a user's own, as most Linux systems make it: of the same name, without other members."""
    try:
        import grp
        import pwd

        group, user = grp.getgrgid(number), pwd.getpwuid(os.geteuid())
    except (ImportError, KeyError):
        return False
    return user.pw_gid == number and group.gr_name == user.pw_name and set(group.gr_mem) <= {user.pw_name}


def _parents() -> Iterator[tuple[Path, int]]:
    """Return where the folder may lie, and the mode it is made with."""
    if config.CACHE_DIR:
        yield Path(config.CACHE_DIR).absolute(), 0o700
    yield Path(__file__).absolute().parent / "__pycache__", 0o755
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or "~/AppData/Local"
    elif sys.platform == "darwin":
        base = "~/Library/Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    home = Path(os.path.expanduser(base))
    if home.is_absolute():  # else the user has no home
        yield home / "bottomup" / "kernels", 0o700


@cache
def _digest() -> str:
    """Return a digest of all that compiled code depends on, but for types and processor."""
    digest = hashlib.sha256(f"{numba.__version__} {sys.implementation.cache_tag}".encode())
    digest.update(repr([getattr(config, name, None) for name in _SETTINGS]).encode())
    for path in sorted(_sources()):
        digest.update(path.relative_to(_PACKAGE).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:24]


@cache
def _sources() -> frozenset[Path]:
    """Return the files that kernels are in."""
    files = (path for path in _PACKAGE.rglob("*.py") if path.parent.name == "kernels" or "_kernels" in path.stem)
    return frozenset(files)


def _tidy(folder: Path) -> None:
    """Remove folders of other versions that nobody has added to for long."""
    oldest = time.time() - _DAYS_KEPT * 86400
    for other in folder.parent.glob("bottomup-" + "[0-9a-f]" * 24):
        if other != folder and other.stat().st_mtime < oldest:
            shutil.rmtree(other, ignore_errors=True)


def _write(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    partial = path.with_name(f"{uuid.uuid4().hex}.partial")
    try:
        partial.write_bytes(content)
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
