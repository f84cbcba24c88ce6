"""How numba compiles kernels and helpers: as it does, but without what nobody calls.

Kernels get no wrapper for calls from C. Helpers get none at all, nor machine code of their own: LLVM optimises them
where they are linked, inside kernels. Together that saves a third of the time that a first call takes.

numba documents `pipeline_class` and `define_pipelines`; the flags and the code library set here are its insides. So the
first compile of a process tries them on three small functions. If anything is missing or gives another answer,
everything is compiled as `numba.njit` would.
"""

from typing import Any

import numba
import numpy as np
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler

__all__ = ["HelperCompiler", "KernelCompiler", "saves_time"]

_answers: list[bool] = []  # whether the shorter way works, once it was tried
_TRIED_TABLE = np.array([2.0, 3.0])


class KernelCompiler(Compiler):  # type: ignore[misc]
    """The compiler of kernels."""

    def define_pipelines(self) -> Any:
        """Return numba's passes, having said what is not needed."""
        if saves_time():
            self.shorten()
        return super().define_pipelines()

    def shorten(self) -> None:
        """Leave out what is for calls from C."""
        self.state.flags.no_cfunc_wrapper = True


class HelperCompiler(KernelCompiler):
    """The compiler of helpers, which only kernels and other helpers call."""

    def shorten(self) -> None:
        """Leave out what is for calls from Python, too, and machine code."""
        super().shorten()
        self.state.flags.no_cpython_wrapper = True
        self.state.library = _LinkedOnly(self.state.targetctx.codegen(), "helper")


class _LinkedOnly(JITCodeLibrary):  # type: ignore[misc]
    """LLVM code of which each function was tidied, no more: it is optimised and made machine code in the kernel.

    Left untidied, kernels take up to a third longer to run. As nothing runs by itself, there is no address to ask for,
    and no environment to set at one: `codegen`, of which numba asks that, is this.
    """

    def _optimize_final_module(self) -> None:
        pass

    def _finalize_final_module(self) -> None:
        self._finalize_dynamic_globals()
        self._finalized = True

    def get_pointer_to_function(self, name: str) -> int:
        return 0

    @property
    def codegen(self) -> Any:
        return self

    def set_env(self, name: str, environment: Any) -> None:
        pass


def saves_time() -> bool:
    """Tell whether this numba can be made to compile the shorter way; found out at the first compile of a process."""
    if not _answers:
        _answers.append(True)  # for the trial itself
        try:
            _answers[0] = _try_it()
        except Exception:  # whatever another numba calls or does otherwise
            _answers[0] = False
        except BaseException:
            _answers.clear()
            raise
    return _answers[0]


def _try_it() -> bool:
    """Compile a kernel and two helpers, one inside the other, and see whether they count right."""
    helper = numba.njit(pipeline_class=HelperCompiler, error_model="numpy")

    @helper
    def weighted(values, place):  # type: ignore[no-untyped-def]
        return values[place] * _TRIED_TABLE[place]

    @helper
    def add_up(values, total):  # type: ignore[no-untyped-def]
        for place in range(len(values)):
            total[0] += weighted(values, place)
        return total[0], len(values)

    @numba.njit(pipeline_class=KernelCompiler, nogil=True, error_model="numpy")
    def count(values, total):  # type: ignore[no-untyped-def]
        found, size = add_up(values, total)
        return found + size

    total = np.zeros(1)
    return bool(count(np.array([5.0, 7.0]), total) == 33 and total[0] == 31)
