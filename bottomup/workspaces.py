"""What threads and processes must not share by accident: the arrays that kernels write to, and locks.

A decode takes a workspace and puts it back when it is done.
"""

import os
import threading
import weakref
from collections.abc import Callable
from typing import Generic, TypeVar

__all__ = ["Shelf", "Turnstile"]

Space = TypeVar("Space")


class Shelf(threading.local, Generic[Space]):
    """One thread's spare workspace.

    A workspace that was taken belongs to its taker alone, so a decode inside a decode on the same thread, as in a
    signal handler, makes another. One that is never put back, because an error or an interrupt came between, is
    forgotten; so is any workspace whose making was interrupted.
    """

    def __init__(self) -> None:
        self._spare: list[Space] = []

    def take(self, fits: Callable[[Space], bool], make: Callable[[], Space]) -> Space:
        """Return the spare workspace if it fits, else a new one.

        Parameters
        ----------
        fits : callable
            Whether a workspace will do.
        make : callable
            What makes a new one.
        """
        try:
            space = self._spare.pop()
        except IndexError:
            return make()
        return space if fits(space) else make()

    def put_back(self, space: Space) -> None:
        """Keep a workspace for the next decode.

        Parameters
        ----------
        space
            A workspace that `take` returned.
        """
        self._spare[:] = [space]


class Turnstile:
    """A lock that a forked process finds open: the thread that held it did not come along.

    What the lock guards did, perhaps half-changed: who enters first in the new process sees `is_inherited`, starts
    afresh, and sets it to False.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.is_inherited = False
        _turnstiles.add(self)

    def __enter__(self) -> "Turnstile":
        self._lock.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        self._lock.release()


_turnstiles: "weakref.WeakSet[Turnstile]" = weakref.WeakSet()


def _open_all() -> None:
    for turnstile in list(_turnstiles):
        turnstile._lock, turnstile.is_inherited = threading.Lock(), True


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_open_all)
