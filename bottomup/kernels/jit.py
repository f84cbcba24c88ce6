"""The one way this library compiles a function."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numba

# nogil    a thread pool decodes a batch in parallel; no kernel starts threads of its own.
# fastmath stays off: NaN marks a missing keypoint, and results match the reference bit for bit.
_compile: Callable[..., Any] = partial(numba.njit, nogil=True, error_model="numpy")


def kernel(function: Callable[..., Any], **options: Any) -> Any:
    """Compile `function` on its first call, and once per machine where a cache folder can be written."""
    try:
        return _compile(function, cache=True, **options)
    except RuntimeError:  # numba: "no locator available", neither this folder nor the home can be written
        return _compile(function, **options)


def contracted_kernel(function: Callable[..., Any]) -> Any:
    """As `kernel`, but a product may be added before it is rounded: for sums whose last bits nobody compares.

    The loop of soft-argmax takes a quarter less time so: 3.0 ms in place of 4.1 for 320 volumes of 8 x 8 x 8 x 24.
    """
    return kernel(function, fastmath={"contract"})
