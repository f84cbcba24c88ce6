"""Many images at once, on threads: kernels hold no lock."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from bottomup.errors import InputError

Given = TypeVar("Given")
Result = TypeVar("Result")


def map_on_threads(function: Callable[[Given], Result], items: Iterable[Given], threads: int) -> list[Result]:
    """Return `function` of every item, in order, computed on that many threads."""
    if threads < 1:
        raise InputError(f"threads must be at least 1, got {threads}")
    if threads == 1:
        return [function(item) for item in items]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(function, items))
