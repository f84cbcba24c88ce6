"""Many images at once, on threads: kernels hold no lock."""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

import numpy as np

from bottomup.errors import InputError

Given = TypeVar("Given")
Result = TypeVar("Result")


def map_on_threads(function: Callable[[Given], Result], items: Iterable[Given], threads: int) -> list[Result]:
    """Return `function` of every item, in order, computed on at most that many threads, of which the caller's is one.

    Callers who ask for as many share the other threads: who gets none does it all.
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

    pool = _pool(int(threads) - 1)
    others = [pool.submit(work) for _ in range(min(int(threads), len(every)) - 1)]
    work()
    for other in others:
        if not other.cancel():  # it began
            other.result()
    return [results[index] for index in range(len(every))]


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    """Return threads that stay, with the arrays that kernels write to: to start one takes as long as ten images."""
    return ThreadPoolExecutor(threads, "bottomup-batch")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.cache_clear)  # threads stay with the parent
