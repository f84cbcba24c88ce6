"""The one way this library compiles a function.

A kernel takes at most 12 arguments. What belongs together comes as a bundle: a plain tuple, which the kernel's first
lines unpack by name, `(heatmaps, offsets, width) = cells`. A NamedTuple class beside the wrapper names the order,
`Cells` for a parameter `cells`; the wrapper builds it by keyword and hands over `tuple(...)` of it, once where it can,
for numba takes twice as long over a NamedTuple (61 values: 10.0 us flat, 11.8 as three tuples, 20.1 as three
NamedTuples). tests/kernels/test_bundles.py compares the two, and says where it looks for the class.
"""

import os
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from typing import Any, NoReturn

import numba

__all__ = ["contracted_helper", "helper", "kernel"]

try:
    from numba.core.compiler_lock import global_compiler_lock
    from numba.core.registry import CPUDispatcher

    from bottomup.kernels.caching import KernelCache
    from bottomup.kernels.compilers import HelperCompiler, KernelCompiler
except (ImportError, AttributeError, TypeError):  # a numba whose insides are others: plain njit, kept nowhere
    CPUDispatcher = None

# nogil    a thread pool decodes a batch in parallel; no kernel starts threads of its own.
# fastmath stays off: NaN marks a missing keypoint, and results match the reference bit for bit.
_compile: Callable[..., Any] = partial(numba.njit, nogil=True, error_model="numpy")
_compiling = threading.RLock()  # held while kernels are compiled, so that no process is forked in between


def kernel(function: Callable[..., Any]) -> Any:
    """Compile a function that Python calls, on its first call, and once per machine where that can be kept."""
    if CPUDispatcher is None:
        return _compile(function)
    compiled = _compile(function, pipeline_class=KernelCompiler)
    if isinstance(compiled, CPUDispatcher):
        compiled.__class__ = _Kernel
        compiled._cache = KernelCache(function)
    return compiled


def helper(function: Callable[..., Any], **options: Any) -> Any:
    """Compile a function that only kernels and other helpers call, as part of each kernel.

    Nothing is made for calls from Python and nothing is kept by itself; LLVM sees it once, in the kernel. Together that
    saves a third of the time that a first call takes.
    """
    if CPUDispatcher is None:
        return _compile(function, **options)
    compiled = _compile(function, pipeline_class=HelperCompiler, **options)
    if isinstance(compiled, CPUDispatcher):
        compiled.__class__ = _Helper
    return compiled


def contracted_helper(function: Callable[..., Any]) -> Any:
    """As `helper`, but a product may be added before it is rounded: for sums whose last bits nobody compares.

    The loop of soft-argmax takes a quarter less time so: 3.0 ms in place of 4.1 for 320 volumes of 8 x 8 x 8 x 24.
    """
    return helper(function, fastmath={"contract"})


if CPUDispatcher is not None:

    class _Kernel(CPUDispatcher):  # type: ignore[misc]
        """A compiled function whose compilation no interrupt can break off half-way."""

        def compile(self, signature: Any) -> Any:
            """Compile for these types of arguments, or load what was compiled before.

            numba is not made to be interrupted: what it had in hand stays half-registered. Interrupts come to the main
            thread alone, so another one compiles; it goes on if this one is interrupted.
            """
            if threading.current_thread() is not threading.main_thread() or _is_within_another():
                return self._compile_here(signature)
            outcome: Future[Any] = Future()

            def work() -> None:
                try:
                    outcome.set_result(self._compile_here(signature))
                except BaseException as error:
                    outcome.set_exception(error)

            try:
                threading.Thread(target=work, name="bottomup-compile").start()
            except RuntimeError:  # no more threads: too many, or Python is on its way out
                return self._compile_here(signature)
            return outcome.result()

        def _compile_here(self, signature: Any) -> Any:
            if _is_within_another():  # and its thread must not wait for ours
                return super().compile(signature)
            with _compiling:
                return super().compile(signature)

    class _Helper(CPUDispatcher):  # type: ignore[misc]
        """A compiled function that Python cannot call; numba would end the process."""

        def __call__(self, *arguments: Any) -> NoReturn:
            raise TypeError(f"{self.py_func.__name__} runs inside kernels only: call its py_func")


def _is_within_another() -> bool:
    """Tell whether this thread is compiling something already; of a numba that does not tell, take it that it is."""
    try:
        return bool(global_compiler_lock.is_locked())
    except AttributeError:
        return True


def _release() -> None:
    with suppress(RuntimeError):  # it was not acquired, for an interrupt came between
        _compiling.release()


if hasattr(os, "register_at_fork"):  # a child would inherit numba's locks, held by a thread that it does not have
    os.register_at_fork(before=_compiling.acquire, after_in_parent=_release, after_in_child=_release)
