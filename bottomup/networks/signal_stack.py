"""The stack that signal handlers of a thread run on, kept as it was."""

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
    """Give the thread back its own signal stack at the end.

    OpenVINO's CPU plugin gives the threads that use it a stack of its own for signal handlers, and frees it later, from
    whichever thread that is. The next Ctrl-C would then end the process.
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
    """Return the C library's function; None where it has another form or is not there."""
    if not sys.platform.startswith("linux"):
        return None
    return getattr(ctypes.CDLL(None), "sigaltstack", None)
