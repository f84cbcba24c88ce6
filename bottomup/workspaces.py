"""Arrays that kernels write to, kept from call to call: a decode takes a workspace and puts it back when it is done."""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

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
        """Return the spare workspace if it fits, else a new one."""
        try:
            space = self._spare.pop()
        except IndexError:
            return make()
        return space if fits(space) else make()

    def put_back(self, space: Space) -> None:
        """Keep a workspace for the next decode."""
        self._spare[:] = [space]
