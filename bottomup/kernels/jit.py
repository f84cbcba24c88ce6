"""The one way this library compiles a function.

A kernel takes at most 12 arguments. What belongs together comes as a bundle: a plain tuple, which the kernel's first
lines unpack by name, `(heatmaps, offsets, width) = cells`. A NamedTuple class beside the wrapper names the order,
`Cells` for a parameter `cells`; the wrapper builds it by keyword and hands over `tuple(...)` of it, once where it can,
for numba takes twice as long over a NamedTuple (61 values: 10.0 us flat, 11.8 as three tuples, 20.1 as three
NamedTuples). tests/kernels/test_bundles.py compares the two, and says where it looks for the class.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NoReturn

import numba
from numba.core.registry import CPUDispatcher

from bottomup.kernels.compilers import HelperCompiler, KernelCompiler

# nogil    a thread pool decodes a batch in parallel; no kernel starts threads of its own.
# fastmath stays off: NaN marks a missing keypoint, and results match the reference bit for bit.
_compile: Callable[..., Any] = partial(numba.njit, nogil=True, error_model="numpy", no_cfunc_wrapper=True)


def kernel(function: Callable[..., Any]) -> Any:
    """Compile a function that Python calls, on its first call, and once per machine where a cache can be written."""
    try:
        return _compile(function, pipeline_class=KernelCompiler, cache=True)
    except RuntimeError:  # numba: "no locator available", neither this folder nor the home can be written
        return _compile(function, pipeline_class=KernelCompiler)


def helper(function: Callable[..., Any], **options: Any) -> Any:
    """Compile a function that only kernels and other helpers call, as part of each kernel.

    Nothing is made for calls from Python and nothing is kept by itself; LLVM sees it once, in the kernel. Together that
    saves two fifths of the time that a first call takes.
    """
    compiled = _compile(function, no_cpython_wrapper=True, pipeline_class=HelperCompiler, **options)
    if isinstance(compiled, CPUDispatcher):
        compiled.__class__ = _Helper
    return compiled


def contracted_helper(function: Callable[..., Any]) -> Any:
    """As `helper`, but a product may be added before it is rounded: for sums whose last bits nobody compares.

    The loop of soft-argmax takes a quarter less time so: 3.0 ms in place of 4.1 for 320 volumes of 8 x 8 x 8 x 24.
    """
    return helper(function, fastmath={"contract"})


class _Helper(CPUDispatcher):  # type: ignore[misc]
    """A compiled function that Python cannot call; numba would end the process."""

    def __call__(self, *arguments: Any) -> NoReturn:
        raise TypeError(f"{self.py_func.__name__} runs inside kernels only: call its py_func")
