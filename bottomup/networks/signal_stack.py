"""Keep the stack that a thread's signal handlers run on."""

import contextlib
import ctypes
import sys
from collections.abc import Iterator
from functools import cache
from typing import Any

__all__ = ["kept_signal_stack"]


class _Stack(ctypes.Structure):
    """C's stack_t, as Linux has it."""

    _fields_ = (("address", ctypes.c_void_p), ("flags", ctypes.c_int), ("size", ctypes.c_size_t))


@contextlib.contextmanager
def kept_signal_stack() -> Iterator[None]:
    """Restore the thread's own signal stack at the end.

    OpenVINO's CPU plugin gives each thread that uses it a signal stack of its own, and frees that later, from any
    thread. The next Ctrl-C would then end the process.
    """
    swap = _sigaltstack()
    own = _Stack()
    if swap is None or swap(None, ctypes.byref(own)) != 0:
        yield
        return
    try:
        yield
    finally:
        swap(ctypes.byref(own), None)


@cache
def _sigaltstack() -> Any:
    """Return the C library's function; None where it is missing or differs."""
    if not sys.platform.startswith("linux"):
        return None
    return getattr(ctypes.CDLL(None), "sigaltstack", None)
