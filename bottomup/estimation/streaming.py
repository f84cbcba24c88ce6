"""Three steps side by side: one thread reads ahead of the network, another decodes behind it."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from bottomup.errors import BottomupError

__all__ = ["AHEAD", "stream"]

#: Images that are read before the network asks for them, and poses that wait behind it.
AHEAD = 2


def stream(
    images: Iterator[Any],
    prepare: Callable[[Any], Any],
    run: Callable[[Any], Any],
    finish: Callable[[Any, Any], Any],
    *,
    skips_errors: bool,
) -> Iterator[Any]:
    """Yield `finish(prepared, run(prepared))` of every image, in order; `run` is called by the caller's thread.

    What an image raises comes at its turn: raised, which ends the iteration, or, where `skips_errors`, a
    `BottomupError` of one image is yielded in its place.
    """
    reader, decoder = ThreadPoolExecutor(1, "bottomup-reader"), ThreadPoolExecutor(1, "bottomup-decoder")
    nothing = object()

    def read_next() -> Any:
        for image in images:
            try:
                return prepare(image)
            except BottomupError as error:
                if not skips_errors:
                    raise
                return error
        return nothing

    def advance(read: "Future[Any]") -> "Future[Any] | None":
        """Run the network on an image that was read, and have its outputs decoded; None after the last."""
        try:
            prepared = read.result()
            if prepared is nothing:
                return None
            if isinstance(prepared, BottomupError):
                return _failed(prepared)
            return decoder.submit(finish, prepared, run(prepared))
        except Exception as error:  # it waits its turn behind the images that went well
            return _failed(error)

    def taken(finished: "Future[Any]") -> Any:
        try:
            return finished.result()
        except BottomupError as error:
            if not skips_errors:
                raise
            return error

    try:
        ahead = deque(reader.submit(read_next) for _ in range(AHEAD))
        behind: deque[Future[Any]] = deque()
        while (finished := advance(ahead.popleft())) is not None:
            behind.append(finished)
            ahead.append(reader.submit(read_next))
            if len(behind) == AHEAD:
                yield taken(behind.popleft())
        while behind:
            yield taken(behind.popleft())
    finally:
        for executor in (reader, decoder):
            executor.shutdown(wait=True, cancel_futures=True)


def _failed(error: Exception) -> "Future[Any]":
    failed: Future[Any] = Future()
    failed.set_exception(error)
    return failed
