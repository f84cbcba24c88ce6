"""Many images at once, on threads: kernels hold no lock."""

import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Generic, TypeVar

import numpy as np

from bottomup.errors import InputError
from bottomup.poses import Poses

__all__ = ["BatchDecoder", "map_on_threads"]

Given = TypeVar("Given")
Result = TypeVar("Result")
Fields = TypeVar("Fields")


class BatchDecoder(ABC, Generic[Fields]):
    """A decoder that decodes many images as it decodes one."""

    @abstractmethod
    def decode(self, fields: Fields) -> Poses:
        """Return the poses of one image, in input pixels."""

    def decode_batch(self, fields: Iterable[Fields], *, threads: int = 1) -> list[Poses]:
        """Return `decode` of every item, in order, on that many threads.

        Parameters
        ----------
        fields : iterable
            The images' network outputs.
        threads : int
            Most threads that decode at once.
        """
        return map_on_threads(self.decode, fields, threads)


def map_on_threads(function: Callable[[Given], Result], items: Iterable[Given], threads: int) -> list[Result]:
    """Call `function` on every item and return the results in order, using at most `threads` threads.

    The caller's thread is one of them. The others come from a pool that all callers share, which is as large as the
    largest number asked for so far. A caller that finds the pool busy does all the work itself.

    Parameters
    ----------
    function : callable
        What to do with an item.
    items : iterable
        The items.
    threads : int
        Most threads that work at once.

    Raises
    ------
    InputError
        If `threads` is no whole number from 1 on, or the items are no batch.
    """
    if not isinstance(threads, (int, np.integer)) or threads < 1:
        raise InputError(f"threads must be a whole number, at least 1, got {threads!r}")
    if not isinstance(items, Iterable):
        raise InputError(f"a batch must be several items, as a list, got {type(items).__name__}")
    if threads == 1:
        return [function(item) for item in items]
    every = list(items)
    results: dict[int, Result] = {}
    waiting = iter(range(len(every)))  # shared: a thread takes the next item when it is done with one

    def work() -> None:
        try:
            for index in waiting:
                results[index] = function(every[index])
        finally:
            list(waiting)  # after an error nobody goes on

    others = _others.submit(work, min(int(threads), len(every)) - 1)
    work()
    for other in others:
        if not other.cancel():  # it began
            other.result()
    return [results[index] for index in range(len(every))]


class _Others:
    """Threads that stay, with the arrays that kernels write to: to start one takes as long as ten images."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pool: ThreadPoolExecutor | None = None
        self._size = 0

    def submit(self, work: Callable[[], None], count: int) -> list[Future[Any]]:
        """Have as many threads do this work as soon as they are free; a larger pool takes the place of a smaller."""
        if count < 1:
            return []
        with self._lock:
            if self._pool is None or self._size < count:
                if self._pool is not None:
                    self._pool.shutdown(wait=False)  # its threads end with what they are doing
                self._pool, self._size = ThreadPoolExecutor(count, "bottomup-batch"), count
            return [self._pool.submit(work) for _ in range(count)]


_others = _Others()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_others.__init__)  # type: ignore[misc]  # threads stay with the parent
